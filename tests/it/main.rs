//! Every integration test, one binary: linking is the slow part.

mod path;
mod support;
mod tidy;
