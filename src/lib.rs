//! x
pub mod connector;
pub mod error;
pub mod model;
pub mod policy;
pub mod project;
