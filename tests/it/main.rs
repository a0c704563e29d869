//! Every integration test, one binary: linking is the slow part.

mod check;
mod demo;
mod flight;
mod hub;
mod path;
mod support;
mod tidy;
