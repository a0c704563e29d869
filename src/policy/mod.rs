//! Who may see what: roles, and their application below every query.

pub mod roles;
