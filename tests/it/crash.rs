//! `kill -9` at any moment of a run or a pull, and a disk that is full: what comes next ends where
//! an uninterrupted one would.
//!
//! `MUSTER_CRASH_SEEDS=1000 tests/run crash::` tries more moments; a failure names its seed.

use crate::pulled::{Story, Teller, violations};
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

const STORIES: [Story; 4] = [Story::Diff, Story::Cursor, Story::States, Story::Additions];

fn pull(teller: &Teller) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("--project").arg(teller.dir()).args(["pull", "--retries", "0"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How long an undisturbed pull of a new process takes.
async fn length_of_a_pull() -> Duration {
    let teller = Story::Diff.begin().await;
    teller.change(0).await;
    let started = Instant::now();
    assert!(pull(&teller).status().expect("the binary").success());
    started.elapsed()
}

#[tokio::test]
async fn a_killed_pull_loses_nothing_and_doubles_nothing() {
    let length = length_of_a_pull().await;
    let seeds = std::env::var("MUSTER_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_u64);
    let mut expected = Vec::new();
    for story in STORIES {
        expected.push(story.told().await);
    }
    let (mut kills, mut found) = (0, Vec::new());
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let at = seed as usize % STORIES.len();
        let teller = STORIES[at].begin().await;
        let hit = random.random_range(0..STORIES[at].chapters());
        for chapter in 0..STORIES[at].chapters() {
            teller.change(chapter).await;
            if chapter == hit {
                let mut process = pull(&teller).spawn().expect("the binary");
                tokio::time::sleep(length.mul_f64(random.random_range(0.3..1.0))).await;
                process.kill().expect("a signal");
                kills += u32::from(!process.wait().expect("an end").success());
            }
            teller.pull().await.unwrap_or_else(|why| panic!("seed {seed}: the pull after the kill: {why}"));
        }
        found.extend(
            violations(&teller, &expected[at]).await.into_iter().map(|p| format!("seed {seed}: {p}")),
        );
    }
    eprintln!("{seeds} seeds, {kills} kills, {} violations", found.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(kills > 0, "no pull was killed in time: a pull takes {length:?}");
}

#[tokio::test]
async fn a_pull_that_dies_at_a_named_moment_is_made_good() {
    for story in STORIES {
        let expected = story.told().await;
        for moment in ["land::before-write", "land::after-files", "land::after-commit"] {
            let teller = story.begin().await;
            for chapter in 0..story.chapters() {
                teller.change(chapter).await;
                if chapter % 2 == 1 {
                    let mut died = pull(&teller);
                    died.env("FAILPOINTS", format!("{moment}=panic"));
                    assert!(!died.status().expect("the binary").success(), "{story:?} passed {moment}");
                }
                teller.pull().await.unwrap_or_else(|why| panic!("{story:?} after {moment}: {why}"));
            }
            assert_eq!(violations(&teller, &expected).await, Vec::<String>::new(), "{story:?} at {moment}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_pull_and_nothing_else() {
    let teller = Story::Diff.begin().await;
    std::fs::create_dir(teller.lake()).expect("a folder");
    let mounted = |options: &str| {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(teller.lake())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    if !mounted("size=1m") {
        eprintln!("skipped: a file system of one megabyte can only be mounted by root");
        return;
    }
    teller.change(0).await;
    let first = teller.pull().await;
    let noise = "insert into PAYMENT select 1000 + value, '1.00', hex(randomblob(200)), 30 from generate_series(1, 20000)";
    let noise = noise.replace("generate_series(1, 20000)", "(with recursive n(value) as (select 1 union all select value + 1 from n where value < 20000) select value from n)");
    teller.sql(&noise).await;
    let full = teller.pull().await;
    let grown = mounted("remount,size=64m");
    let after = teller.pull().await;
    let loads = teller.loads().await;
    Command::new("umount").arg(teller.lake()).status().expect("umount");
    first.expect("a pull that fits");
    let why = full.expect_err("a pull that does not fit");
    assert!(why.contains("raw/beds/beds_till/payment"), "{why}");
    assert!(grown, "the disk could not be enlarged");
    after.expect("a pull after the disk was enlarged");
    assert_eq!(loads.iter().map(|load| load.inserted_rows).collect::<Vec<_>>(), [20_000, 40]);
}
