//! `[hub.limits]`: how much the server does at once.

use super::reader::Section;
use std::time::Duration;

/// How much the server does at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Statements that run.
    pub statements: usize,
    /// Statements of one user that run.
    pub statements_per_user: usize,
    /// Statements that wait for their turn; a quarter of them may be one user's. More are sent away.
    pub waiting: usize,
    /// The memory of the process in bytes; `None`: most of the machine's.
    pub memory: Option<u64>,
    /// How long a statement may run, the time that its client takes to read included.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statements: 16,
            statements_per_user: 8,
            waiting: 512,
            memory: None,
            timeout: Duration::from_secs(600),
        }
    }
}

/// Reads the limits; what is not said is as usual.
pub(super) fn check(section: Option<Section<'_>>) -> Limits {
    let mut limits = Limits::default();
    let Some(mut section) = section else { return limits };
    for (key, limit) in [
        ("statements", &mut limits.statements),
        ("statements_per_user", &mut limits.statements_per_user),
        ("waiting", &mut limits.waiting),
    ] {
        match section.number(key) {
            Some(0) if key != "waiting" => {
                section.problem(section.place(key), format!("{key} = 0 answers nobody"), "at least 1");
            }
            Some(number) => *limit = number as usize,
            None => {}
        }
    }
    limits.memory = section.number("memory_mib").map(|mib| u64::from(mib) << 20);
    limits.timeout = section.limit("timeout").unwrap_or(limits.timeout);
    section.finish();
    limits
}
