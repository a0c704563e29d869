//! The record of reads: which statement was asked, by whom, from where, over what, and how it
//! ended. Written and durable before the first row leaves, so that nothing is read without a trace.
//!
//! The record is a chain of lines in the folder `audit` of the lake:
//!
//! ```text
//! <hash> {"seq":1,"kind":"begin","at":1774976400000000,"principal":"anna","peer":"10.0.0.7:50312",…}
//! <hash> {"seq":2,"kind":"end","at":1774976400004210,"of":1,"outcome":"succeeded","rows":3,…}
//! ```
//!
//! `hash` is the SHA-256, in hexadecimal, of the hash of the line before it followed by the JSON;
//! the first line follows 64 zeros. `seq` counts every line from 1. Files are named after their
//! first `seq` and the chain goes on across them, so anybody can verify a record with `sha256sum`.
//!
//! Lines are only ever appended. What is cut off at the end, and a chain that was computed anew,
//! cannot be seen from the chain: its newest line is therefore kept in the state database as well,
//! and wherever somebody puts what `muster audit head` prints.
//!
//! - [`entry`]: what a line says
//! - [`chain`]: how lines hang together
//! - `segment`: the files
//! - `writer`: appends under a lock that all processes share
//! - [`log`]: gathers what many statements write at once into one commit
//! - [`read`]: the statements, for `hub.queries`
//! - [`verify`]: finds what was edited, deleted, moved or cut off

pub mod chain;
pub mod entry;
pub mod log;
pub mod read;
mod segment;
pub mod verify;
mod writer;

pub use log::{Log, Open};

/// The folder of the record in the lake.
pub const FOLDER: &str = "audit";
