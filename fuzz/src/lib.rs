//! What the fuzz targets share: a project to read things in, and what must hold of whatever was read.
//!
//! Only what a program outside the crate can reach is used, so a finding is one that a file can cause.

pub mod definitions;
pub mod files;
