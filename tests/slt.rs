//! Every `.slt` of the built-in library as a test of its own: what `muster test --all` runs, in the
//! harness that test runners understand.

#![allow(clippy::panic, reason = "tests fail loudly")]

use muster::slt::Suite;
use sqllogictest::harness::{Arguments, Trial, run};
use std::sync::Arc;
use tokio::runtime::Runtime;

fn main() {
    let suite = Arc::new(Suite::builtin().unwrap_or_else(|error| panic!("{error}")));
    let trial = |test: &str| {
        let (suite, name) = (Arc::clone(&suite), test.to_string());
        Trial::test(test, move || Ok(Runtime::new()?.block_on(suite.run(&name))?))
    };
    let trials: Vec<_> = suite.tests().map(trial).collect();
    assert!(!trials.is_empty(), "the built-in library has no test");
    let conclusion = run(&Arguments::from_args(), trials);
    // Leaving the process drops nothing, and the suite has a folder to delete.
    drop(suite);
    conclusion.exit();
}
