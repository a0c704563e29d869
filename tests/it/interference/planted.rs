//! Mistakes put into the program on purpose: the comparison must notice them, or it proves nothing.

use super::fuzz::{Plan, run};
use super::world::{Birch, Worlds};

/// Statements within which each mistake must be found.
const STATEMENTS: u64 = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn planted_mistakes_are_caught() {
    let worlds = Worlds::new(&[Birch::Present, Birch::Absent, Birch::Different]).await;
    let plan = Plan { statements: STATEMENTS, seed: super::SEED, until_caught: true };
    let clean = run(&worlds, Plan { statements: STATEMENTS / 4, ..plan }).await;
    assert!(clean.violations.is_empty(), "{}", clean.violations.join("\n"));
    for mistake in [
        "plant::foreign-files",
        "plant::foreign-loads",
        "plant::unfiltered-coverage",
        "plant::error-text",
        "plant::plan-files",
    ] {
        let scenario = fail::FailScenario::setup();
        fail::cfg(mistake, "return").unwrap();
        let report = run(&worlds, plan).await;
        scenario.teardown();
        let found = report.violations.first();
        eprintln!("{mistake}: caught within {} statements: {found:?}", report.asked);
        assert!(found.is_some(), "{mistake} was not noticed in {} statements", report.asked);
    }
}
