//! Every integration test, one binary: linking is the slow part.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests fail loudly"
)]

mod check;
mod crash;
mod demo;
mod faults;
mod flight;
mod hub;
mod path;
mod pull;
mod pulled;
mod support;
mod tidy;
