//! Releases: what readers see while they are made, whatever dies, sleeps or races meanwhile.
//!
//! `MUSTER_RELEASE_TRIALS=100 tests/run release::` tries the racing ones more often.

use crate::support::{TestProject, ask, nightly, release};
use futures::future::join_all;
use muster::hub::Hub;
use muster::lake::delta::{Change, Commit};
use muster::pipeline::run::Outcome;
use muster::policy::roles::Principal;
use muster::release::{self as releases, Manifest, Status};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PEOPLE: &str = "select force, count(*) as posts, max(fte) as most from conformed.employment \
                      group by force order by force";

/// The moments of a run at which it can die with something half done.
const MOMENTS: [&str; 4] =
    ["build::before-files", "build::after-files", "release::after-commits", "release::before-manifest"];

fn trials(normally: usize) -> usize {
    std::env::var("MUSTER_RELEASE_TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(normally)
}

async fn people(hub: &Hub) -> String {
    ask(hub, &Principal::operator(), None, PEOPLE).await
}

/// The bytes of every file that a release pins for `force`, as hashes.
async fn bytes_of(hub: &Hub, manifest: &Manifest, force: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for (name, table) in manifest.tables.iter().filter(|(name, _)| !name.starts_with("raw/")) {
        let version = hub.lake.version(name, table.version).await.unwrap();
        for file in version.files.iter().filter(|file| file.force.as_deref() == Some(force)) {
            let bytes = std::fs::read(version.dir.join(&file.path)).unwrap();
            found.insert(format!("{name}/{}", file.path), Sha256::digest(bytes).to_vec());
        }
    }
    found
}

fn muster(project: &TestProject, failpoints: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("--project").arg(project.dir()).arg("run").env("FAILPOINTS", failpoints);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_batch_is_seen_by_nobody_and_changes_nothing_of_its_force() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let before = releases::manifest(&hub.lake, 1).await.unwrap();
    let kept = bytes_of(&hub, &before, "beds").await;
    let others = bytes_of(&hub, &before, "herts").await;
    let old = people(&hub).await;

    let reader = Arc::new(project.open().await);
    let stop = Arc::new(AtomicBool::new(false));
    let polling = tokio::spawn({
        let (reader, stop) = (Arc::clone(&reader), Arc::clone(&stop));
        async move {
            let (mut seen, mut polls) = (BTreeSet::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                seen.insert(people(&reader).await);
                polls += 1;
            }
            (seen, polls)
        }
    });
    project.add_person("beds", 4, "7").await;
    project.add_person("herts", 4, "1").await;
    let (report, _) = nightly(&hub).await;
    let new = people(&hub).await;
    stop.store(true, Ordering::Relaxed);
    let (seen, polls) = polling.await.unwrap();

    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(report.release.forces["beds"].status, Status::Failed);
    assert_eq!(bytes_of(&hub, &report.release, "beds").await, kept, "byte for byte as before");
    assert_ne!(bytes_of(&hub, &report.release, "herts").await, others);
    assert!(polls > 3, "{polls} polls");
    assert!(seen.is_subset(&[old, new].into()), "{seen:#?}");
    eprintln!("{polls} polls saw {} states", seen.len());
}

#[tokio::test]
async fn a_force_that_is_left_out_keeps_its_state() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "7").await;
    let (failed, _) = nightly(&hub).await;
    project.add_person("herts", 4, "1").await;
    let mut order = muster::pipeline::run::Order::of(&hub.project.pipelines["nightly"]);
    order.choice.force = Some("herts".into());
    let done = muster::pipeline::run::execute(&hub, &order, &|_| {}).await.unwrap();
    assert_eq!(done.release.release, failed.release.release + 1);
    let beds = &done.release.forces["beds"];
    assert_eq!((beds.status, &beds.why), (Status::Failed, &failed.release.forces["beds"].why));
    assert_eq!(beds.since, failed.release.forces["beds"].since);
    assert_eq!(done.release.forces["herts"].status, Status::Fresh);
}

#[tokio::test]
async fn a_run_that_dies_at_any_moment_leaves_the_old_release_or_the_new_one() {
    let mut deaths = 0;
    for moment in MOMENTS {
        let project = TestProject::new().await;
        let hub = project.open().await;
        release(&hub).await;
        for number in 4..4 + trials(2) {
            let old = people(&hub).await;
            project.add_person("beds", u32::try_from(number).unwrap(), "1").await;
            let died = muster(&project, &format!("{moment}=panic")).status().expect("the binary");
            assert!(!died.success(), "{moment} was passed");
            deaths += 1;
            let hub = project.open().await;
            assert_eq!(people(&hub).await, old, "{moment}");
            release(&hub).await;
            let posts = format!("| beds  | {number} ");
            let new = people(&hub).await;
            assert!(new.contains(&posts), "{moment}: {new}");
            releases::verify(&hub.lake).await.unwrap();
        }
    }
    eprintln!("{deaths} deaths at {} moments, 0 violations", MOMENTS.len());
}

/// A run that has committed its tables and sleeps before its manifest, its lease short.
async fn asleep(project: &TestProject, extra: &str) -> Child {
    let hub = project.open().await;
    let table = hub.lake.table("conformed/person");
    let before = table.newest().await.unwrap();
    let failpoints = format!("run::lease=return(800);release::before-manifest=sleep(4000){extra}");
    let child = muster(project, &failpoints).spawn().expect("the binary");
    while table.newest().await.unwrap() == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    loop {
        signal(&child, "STOP");
        tokio::time::sleep(Duration::from_millis(1000)).await;
        if can_be_written(project).await {
            break;
        }
        // It fell asleep while it kept its lease, and holds the database's own lock.
        signal(&child, "CONT");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    child
}

/// Whether nobody holds the lock of the state database.
async fn can_be_written(project: &TestProject) -> bool {
    let options = SqliteConnectOptions::new().filename(project.dir().join("state.db"));
    let mut database = options.busy_timeout(Duration::ZERO).connect().await.expect("the state database");
    let locked = sqlx::raw_sql("begin immediate; rollback").execute(&mut database).await;
    database.close().await.expect("closed");
    locked.is_ok()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// Wakes a run whose lease another one has taken over; gives whether it ended well and the number
/// of releases then.
async fn stale(extra: &str) -> (bool, Vec<u64>, String, String) {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "1").await;
    let mut sleeper = asleep(&project, extra).await;
    // Later news, so that what the sleeper has made is the past.
    project.add_person("beds", 5, "1").await;
    assert_eq!(release(&hub).await, 2, "the lease was taken over");
    let released = people(&hub).await;
    signal(&sleeper, "CONT");
    let woken = tokio::task::spawn_blocking(move || sleeper.wait().expect("its end")).await.unwrap();
    releases::verify(&hub.lake).await.unwrap();
    let numbers = releases::numbers(&hub.lake).await.unwrap();
    (woken.success(), numbers, released, people(&hub).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_run_that_wakes_up_cannot_publish() {
    let trials = trials(2);
    for _ in 0..trials {
        let (succeeded, numbers, released, now) = stale("").await;
        assert!(!succeeded, "the woken run must fail");
        assert_eq!(numbers, [1, 2]);
        assert_eq!(released, now);
    }
    eprintln!("{trials} stale runs, 0 published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_fence_a_stale_run_goes_on_and_still_brings_back_no_past() {
    let (succeeded, numbers, released, now) = stale(";plant::no-fence=return").await;
    assert!(succeeded, "the planted mistake is not caught by the test above");
    // The manifest's number was taken, and what is built over the newer release is not older.
    assert_eq!((numbers, released), (vec![1, 2], now));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_of_one_number_one_publishes() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let trials = trials(50);
    for _ in 0..trials {
        let newest = releases::newest(&hub.lake).await.unwrap().unwrap();
        let next = async |writer: usize| Manifest {
            release: newest.release + 1,
            run: format!("writer {writer}"),
            previous: Some(releases::hash(&hub.lake, newest.release).await.unwrap()),
            ..newest.clone()
        };
        let publish = async |writer| releases::publish(&hub.lake, &next(writer).await).await.unwrap();
        let published = join_all((0..4).map(publish)).await;
        let winners: Vec<usize> = (0..4).filter(|writer| published[*writer]).collect();
        assert_eq!(winners.len(), 1, "{published:?}");
        let stands = releases::newest(&hub.lake).await.unwrap().unwrap();
        assert_eq!(stands.run, format!("writer {}", winners[0]));
    }
    assert_eq!(releases::verify(&hub.lake).await.unwrap() as usize, trials + 1);
    eprintln!("{trials} races of 4 writers, one winner each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_holds_exactly_its_own_files_whoever_commits_beside_it() {
    let project = TestProject::new().await;
    let hubs = [project.open().await, project.open().await];
    release(&hubs[0]).await;
    let pinned = releases::newest(&hubs[0].lake).await.unwrap().unwrap();
    let version = pinned.tables["conformed/person"].version;
    let version = hubs[0].lake.version("conformed/person", version).await.unwrap();
    let fields = version.schema.fields().iter().filter(|f| f.name() != "force").cloned();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
    let trials = trials(20);
    for _ in 0..trials {
        let own = |writer: usize| vec![version.files[writer].clone()];
        let commit = async |writer: usize| {
            let change = Change::Exactly(own(writer));
            let commit = Commit { change, transaction: None, metadata: Vec::new() };
            hubs[writer].lake.table("conformed/person").commit(&schema, true, commit).await.unwrap()
        };
        let (first, second) = tokio::join!(commit(0), commit(1));
        for (writer, number) in [(0, first), (1, second)] {
            let made = hubs[writer].lake.version("conformed/person", number).await.unwrap();
            let paths: Vec<&str> = made.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(paths, [own(writer)[0].path.as_str()]);
        }
    }
    eprintln!("{trials} pairs of commits at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_builds_again_over_what_another_hub_has_published() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "1").await;
    // Another hub publishes once, just before this one would.
    let lake = hub.lake.clone();
    let runtime = tokio::runtime::Handle::current();
    let once = AtomicBool::new(true);
    let scenario = fail::FailScenario::setup();
    fail::cfg_callback("release::before-manifest", move || {
        if once.swap(false, Ordering::Relaxed) {
            let lake = lake.clone();
            let other = async move {
                let newest = releases::newest(&lake).await.unwrap().unwrap();
                let previous = Some(releases::hash(&lake, newest.release).await.unwrap());
                let number = newest.release + 1;
                let next = Manifest { release: number, run: "another hub's".into(), previous, ..newest };
                assert!(releases::publish(&lake, &next).await.unwrap());
            };
            let (runtime, done) = (runtime.clone(), std::sync::mpsc::channel());
            runtime.spawn(async move {
                other.await;
                done.0.send(()).ok();
            });
            tokio::task::block_in_place(|| done.1.recv().unwrap());
        }
    })
    .unwrap();
    assert_eq!(release(&hub).await, 3);
    scenario.teardown();
    assert_eq!(releases::verify(&hub.lake).await.unwrap(), 3);
    assert!(people(&hub).await.contains("| beds  | 4 "));
}

#[tokio::test]
async fn an_edited_or_missing_manifest_is_found() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "1").await;
    assert_eq!(release(&hub).await, 2);
    assert_eq!(releases::verify(&hub.lake).await.unwrap(), 2);
    let first = project.dir().join("lake/releases/00000000000000000001.json");
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, text.replace("\"rows\": 3", "\"rows\": 2")).unwrap();
    let error = releases::verify(&hub.lake).await.unwrap_err();
    assert!(
        error.to_string().ends_with("the manifest does not name the hash of the one before it"),
        "{error}"
    );
    std::fs::remove_file(&first).unwrap();
    let error = releases::verify(&hub.lake).await.unwrap_err();
    assert!(error.to_string().ends_with("release 1 is missing or has another number"), "{error}");
}

#[tokio::test]
async fn a_run_resumes_with_what_it_had_read() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let intact = std::fs::read(project.dir().join("beds.db")).unwrap();
    project.add_person("herts", 4, "1").await;
    std::fs::write(project.dir().join("beds.db"), "not a database").unwrap();
    let (failed, _) = nightly(&hub).await;
    assert_eq!(failed.outcome, Outcome::Partial);

    // Mended: only what failed is read again, so herts' newer person waits for the next run.
    std::fs::write(project.dir().join("beds.db"), intact).unwrap();
    project.add_person("beds", 4, "1").await;
    project.add_person("herts", 5, "1").await;
    let mut order = muster::pipeline::run::Order::of(&hub.project.pipelines["nightly"]);
    order.resume = true;
    let resumed = muster::pipeline::run::execute(&hub, &order, &|_| {}).await.unwrap();
    assert_eq!(resumed.outcome, Outcome::Succeeded);
    let rows = |force: &str| resumed.release.forces[force].datasets["conformed.person"].rows;
    assert_eq!((rows("beds"), rows("herts")), (4, 4));
    let error = muster::pipeline::run::execute(&hub, &order, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("there is nothing to resume"), "{error}");
    release(&hub).await;
    assert!(people(&hub).await.contains("| herts | 5 "));
}
