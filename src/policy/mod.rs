//! Who may see what: roles, and their application below every query.

pub mod enforce;
pub mod roles;
pub mod system;
pub mod views;
