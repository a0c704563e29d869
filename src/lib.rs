//! Muster gathers what each force keeps in its own HR, finance and duty systems into one
//! consolidated, force-partitioned view, and serves it while each force keeps control of its data.
//!
//! # The flow: one direction, six rooms
//!
//! ```text
//! sources → raw → staging → conformed → marts → release → clients
//!         1 connector  2 landing  3 model, 4 check   5 release  6 serve
//! ```
//!
//! # Modules, in reading order
//!
//! - [`project`]: a folder of definitions, read and checked once
//! - [`connector`]: 1 reads a source and yields record batches; never writes
//! - [`landing`]: 2 appends a load to raw in one commit
//! - [`model`]: 3 runs plain SQL force by force; 4 checks what it wrote before anyone can read it
//! - [`release`]: 5 publishes all tables at once by writing one manifest
//! - [`serve`]: 6 answers queries against one release, for one principal; never writes data
//! - [`hub`]: an open project
//! - [`lake`], [`engine`], [`state`], [`policy`]: what the rooms stand on
//! - [`audit`]: the record of who read what; no row leaves before its statement is in it
//! - [`idiom`]: the SQL that tools write, as the engine learns it
//! - [`pipeline`]: the only module that knows the order of the rooms
//! - [`slt`]: runs the tests that lie beside mappings and models
//! - [`cli`]: the only module that prints
//! - [`demo`]: a generated estate of three forces to try all of it on
//!
//! # Invariants
//!
//! - Stages never import one another; they meet in the lake.
//! - Raw is append-only; everything else is a function of it.
//! - Readers see one release or the one before, never a mixture.
//! - Files of a force that the principal may not read never enter a scan.
//! - Definitions are checked once, in [`project`]; no unchecked value travels further.

pub mod audit;
pub mod cli;
pub mod connector;
pub mod demo;
pub mod engine;
pub mod error;
pub mod hub;
pub mod idiom;
pub mod lake;
pub mod landing;
pub mod model;
pub mod pipeline;
pub mod policy;
pub mod project;
pub mod release;
pub mod serve;
pub mod slt;
pub mod state;
pub mod telemetry;
