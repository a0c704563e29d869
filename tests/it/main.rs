//! Every integration test, one binary: linking is the slow part.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests fail loudly"
)]

mod access;
mod as_of;
mod audit;
mod bi;
mod build;
mod check;
mod checks;
mod clients;
mod crash;
mod demo;
mod faults;
mod files;
mod flight;
mod flight_cancel;
mod flight_pace;
mod flight_schemas;
mod flight_traps;
mod flight_wire;
mod hub;
mod interference;
mod invoice;
mod load;
mod new;
mod packages;
mod path;
mod pull;
mod pulled;
mod release;
mod rest;
mod schedule;
mod sftp;
mod slt;
mod small_files;
mod state;
mod store;
mod support;
mod tidy;
mod tls;
mod tokens;
mod upkeep;

/// Private database servers, shared with the conformance suite of the transports.
#[allow(dead_code, reason = "the suite needs more of them")]
#[path = "../../src/connector/transport/conformance/servers.rs"]
mod servers;

/// Private servers of files, shared in the same way.
#[allow(dead_code, reason = "the suite needs more of them")]
#[path = "../../src/connector/transport/conformance/keepers.rs"]
mod keepers;

use muster::project;
