//! `kill -9` at any moment of a run: the next run ends where an uninterrupted one would.
//!
//! `MUSTER_CRASH_SEEDS=1000 tests/run crash::` tries more moments; a failure names its seed.

use crate::support::{TestProject, ask};
use muster::policy::roles::Principal;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Everything that a run decides, but for times and file names.
const QUESTIONS: [&str; 4] = [
    "select force, person_id, surname from conformed.person order by force, person_id",
    "select force, employment_id, fte from conformed.employment order by force, employment_id",
    "select force, source, entity, load, received_rows, accepted_rows, inserted_rows, deleted_rows \
     from hub.loads order by force, source, entity, load",
    "select force, dataset, status, rows from hub.coverage order by force, dataset",
];

fn run(project: &TestProject) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("--project").arg(project.dir()).arg("run").stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn answers(project: &TestProject) -> Vec<String> {
    let hub = project.open().await;
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(ask(&hub, &Principal::operator(), None, question).await);
    }
    answers
}

#[tokio::test]
async fn a_killed_run_loses_nothing_and_doubles_nothing() {
    let whole = TestProject::new().await;
    let started = Instant::now();
    assert!(run(&whole).status().expect("the binary").success());
    let length = started.elapsed();
    let expected = answers(&whole).await;

    let seeds = std::env::var("MUSTER_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12_u64);
    let mut killed = 0;
    for seed in 0..seeds {
        let project = TestProject::new().await;
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..2 {
            let mut process = run(&project).spawn().expect("the binary");
            tokio::time::sleep(length.mul_f64(random.random_range(0.05..1.0))).await;
            process.kill().expect("a signal");
            killed += u32::from(!process.wait().expect("an end").success());
        }
        assert!(
            run(&project).status().expect("the binary").success(),
            "seed {seed}: the run after the crash"
        );
        let found = answers(&project).await;
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "seed {seed}");
        }
        let manifests =
            project.lake_files().into_iter().filter(|p| p.to_string_lossy().contains("/releases/"));
        let names: Vec<String> =
            manifests.map(|p| p.file_name().expect("a name").to_string_lossy().into_owned()).collect();
        assert_eq!(
            names,
            ["00000000000000000001.json"],
            "seed {seed}: one release, and nothing half-written"
        );
    }
    assert!(
        killed > 0,
        "no run was killed in time; {length:?} is too short for {:?}",
        Duration::from_millis(1)
    );
}
