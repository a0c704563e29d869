//! Who may see what: roles, and their application below every query.

pub mod access;
pub mod enforce;
pub mod keys;
pub mod roles;
pub mod system;
pub mod views;
