//! The only module that knows the order of the rooms: pull, land, build, check, release.

pub mod alarm;
mod assemble;
mod basis;
mod code;
mod entity;
mod files;
mod forces;
mod inputs;
pub mod limits;
mod order;
mod plan;
pub mod preview;
pub mod pull;
mod queue;
mod reference;
mod replay;
mod resume;
pub mod run;
pub mod schedule;
mod turn;
pub mod upkeep;

pub use plan::Choice;
pub use replay::{Replayed, replay};

/// What happens during a run, for whoever shows progress.
#[derive(Debug, Clone)]
pub enum Event {
    /// A source's entity has been pulled.
    Pulled {
        /// `source.entity`.
        name: String,
        /// Rows received.
        rows: u64,
        /// Rows that break their contract.
        quarantined: u64,
        /// Whether anything was landed.
        landed: bool,
        /// What somebody should know: files passed over, files still arriving.
        notes: Vec<String>,
    },
    /// A source could not be read; its last good data is kept.
    SourceFailed {
        /// `source.entity`; the source alone if there is no connection to it.
        name: String,
        /// Why.
        why: String,
        /// What caused it, the nearest cause first.
        causes: Vec<String>,
        /// What to do next.
        hint: Option<String>,
    },
    /// The tables of a force (`None`: of the hub) have been made and checked.
    Built {
        /// The force's code.
        force: Option<String>,
        /// Rows in all tables.
        rows: u64,
        /// Checks that only warn and failed.
        warnings: usize,
    },
    /// The tables of a force keep their last good state.
    Blocked {
        /// The force's code; `None` for hub-scope models.
        force: Option<String>,
        /// Why.
        why: String,
    },
    /// Nothing has changed for a force since the last release.
    Skipped {
        /// The force's code.
        force: String,
    },
    /// A release has been published.
    Released {
        /// Its number.
        release: u64,
    },
    /// Everything is as in the last release; none was published.
    Unchanged {
        /// The last release's number.
        release: u64,
    },
}
