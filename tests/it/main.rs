//! Every integration test, one binary: linking is the slow part.

mod check;
mod tidy;
