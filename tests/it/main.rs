//! Every integration test, one binary: linking is the slow part.

mod flight;
mod hub;
mod path;
mod support;
mod tidy;
