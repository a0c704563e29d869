//! Mistakes put into the program on purpose: the comparison must notice them, or it proves nothing.

use super::fuzz::{Plan, run};
use super::world::{Birch, Worlds};

/// Statements within which each mistake must be found.
const STATEMENTS: u64 = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn planted_mistakes_are_caught() {
    let plan = Plan { statements: STATEMENTS, seed: super::SEED, until_caught: true };
    for mistake in [
        "plant::cache-without-roles",
        "plant::foreign-files",
        "plant::foreign-loads",
        "plant::unfiltered-coverage",
        "plant::error-text",
        "plant::plan-files",
    ] {
        // New ones each time: what a hub remembers must not outlive the mistake.
        let worlds = Worlds::new(&[Birch::Present, Birch::Absent]).await;
        let scenario = fail::FailScenario::setup();
        fail::cfg(mistake, "return").unwrap();
        let report = run(&worlds, plan).await;
        scenario.teardown();
        let found = report.violations.first();
        eprintln!("{mistake}: caught within {} statements: {found:?}", report.asked);
        assert!(found.is_some(), "{mistake} was not noticed in {} statements", report.asked);
    }
}
