//! The state database: the same cases over SQLite and PostgreSQL.

use crate::servers::{self, Running};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{LocalBoxFuture, join_all};
use futures::{FutureExt, StreamExt, stream};
use muster::project::{Access, Address};
use muster::state::State;
use muster::state::leases::{Claim, Lease};
use muster::state::runs::{NewRun, Step};
use muster::state::slots::Fate;
use rand::{Rng, SeedableRng};
use sqlx::{Connection, Executor, Row, SqliteConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A database that nobody else uses.
struct Bench {
    address: Address,
    access: Access,
    _folder: Option<TempDir>,
}

impl Bench {
    fn sqlite() -> Self {
        // A name that an address must not take apart.
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Sqlite(folder.path().join("state of 100% #1?.db"));
        Self { address, access: Access::default(), _folder: Some(folder) }
    }

    async fn postgres(running: &Running, database: &str) -> Self {
        let mut owner = servers::postgres_owner(running).await;
        let create = format!("create database {database}");
        owner.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        let source = running.source(Address::Postgres);
        let Address::Postgres(mut server) = source.address else { unreachable!("a server was asked for") };
        (server.user, server.database) = ("owner".into(), database.into());
        Self { address: Address::Postgres(server), access: source.access, _folder: None }
    }

    /// A pool of its own, as another process would have.
    async fn open(&self) -> State {
        State::open(&self.address, &self.access).await.unwrap()
    }
}

type Case = for<'a> fn(&'a Bench) -> LocalBoxFuture<'a, ()>;

const CASES: &[(&str, Case)] = &[
    ("made_once", |bench| made_once(bench).boxed_local()),
    ("runs", |bench| runs(bench).boxed_local()),
    ("steps_that_end_together", |bench| steps_that_end_together(bench).boxed_local()),
    ("heads_of_the_record", |bench| heads_of_the_record(bench).boxed_local()),
    ("one_of_two_gets_a_lease", |bench| one_of_two_gets_a_lease(bench).boxed_local()),
    ("leases_expire", |bench| leases_expire(bench).boxed_local()),
    ("no_clock_gives_a_lease_to_two", |bench| no_clock_gives_a_lease_to_two(bench).boxed_local()),
    ("failing_sources_wait_longer", |bench| failing_sources_wait_longer(bench).boxed_local()),
    ("slots", |bench| slots(bench).boxed_local()),
];

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    for (name, case) in CASES {
        eprintln!("{name}");
        case(&Bench::sqlite()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql() {
    let Some(running) = servers::postgres().await else {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    };
    for (name, case) in CASES {
        eprintln!("{name}");
        case(&Bench::postgres(&running, name).await).await;
    }
}

async fn made_once(bench: &Bench) {
    join_all((0..6).map(|_| bench.open())).await;
    assert_eq!(bench.open().await.run("none").await.unwrap(), None);
}

async fn runs(bench: &Bench) {
    let state = bench.open().await;
    let slot = "2026-03-29T01:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let first = NewRun { run: "r1", pipeline: "nightly", slot: Some(slot), parent: None, epoch: 7 };
    state.begin_run(&first).await.unwrap();
    state.pin("r1", "{\"raw/beds\": 3}").await.unwrap();
    let dead = state.last_failed_run("nightly").await.unwrap().unwrap();
    assert_eq!((dead.outcome.as_str(), dead.finished_at), ("running", None));
    state.finish_run("r1", "partial", None).await.unwrap();
    let failed = state.last_failed_run("nightly").await.unwrap().unwrap();
    assert_eq!((failed.slot, failed.epoch, failed.attempt, failed.release), (Some(slot), 7, 1, None));
    assert_eq!(failed.pinned.as_deref(), Some("{\"raw/beds\": 3}"));

    let second = NewRun { run: "r2", pipeline: "nightly", slot: None, parent: Some("r1"), epoch: 8 };
    state.begin_run(&second).await.unwrap();
    state.finish_run("r2", "succeeded", Some(4)).await.unwrap();
    assert_eq!(state.last_failed_run("nightly").await.unwrap(), None);
    let resumed = state.run("r2").await.unwrap().unwrap();
    assert_eq!((resumed.attempt, resumed.parent.as_deref(), resumed.release), (2, Some("r1"), Some(4)));
    assert!(resumed.finished_at.unwrap() >= resumed.started_at);
    assert!(state.begin_run(&second).await.is_err(), "a run's name is used once");
}

fn step(name: String) -> Step {
    Step {
        force: Some("beds".into()),
        kind: "pull",
        name,
        started_at: Utc::now(),
        finished_at: Utc::now(),
        outcome: "failed",
        rows: Some(1),
        bytes: Some(u64::MAX),
        message: Some("a\0b".into()),
    }
}

async fn steps_that_end_together(bench: &Bench) {
    let states = [bench.open().await, bench.open().await];
    let run = NewRun { run: "r1", pipeline: "nightly", slot: None, parent: None, epoch: 0 };
    states[0].begin_run(&run).await.unwrap();
    let steps: Vec<Step> = (0..100).map(|number| step(format!("s{number}"))).collect();
    let halves = steps.split_at(50);
    let record = async |state: &State, steps: &[Step]| {
        let records: Vec<_> = steps.iter().map(|step| state.record_step("r1", step)).collect();
        let recorded: Vec<_> = stream::iter(records).buffer_unordered(4).collect().await;
        recorded.into_iter().for_each(|done| done.unwrap());
    };
    tokio::join!(record(&states[0], halves.0), record(&states[1], halves.1));
    assert!(states[0].record_step("r2", &steps[0]).await.is_err(), "no such run");
}

async fn heads_of_the_record(bench: &Bench) {
    let states = [bench.open().await, bench.open().await];
    let (early, late) = ("a".repeat(64), "b".repeat(64));
    states[0].keep_head("one", 2, &late).await.unwrap();
    states[0].keep_head("two", 1, &early).await.unwrap();
    // Nothing makes a head of another writer, or a newer one, go away.
    states[1].keep_head("one", 1, &early).await.unwrap();
    let heads = states[1].heads().await.unwrap();
    assert!(heads.contains(&(2, late)) && heads.contains(&(1, early)), "{heads:?}");
}

const TTL: Duration = Duration::from_secs(60);

fn held(claim: Claim) -> Option<Lease> {
    match claim {
        Claim::Held(lease) => Some(lease),
        Claim::Taken { .. } => None,
    }
}

async fn one_of_two_gets_a_lease(bench: &Bench) {
    const TRIALS: u64 = 300;
    let states = [bench.open().await, bench.open().await];
    let mut wins = [0, 0];
    for epoch in 1..=TRIALS {
        let ask = |at: usize| {
            let state = states[at].clone();
            tokio::spawn(async move { state.acquire("run", ["a", "b"][at], TTL).await.unwrap() })
        };
        let (a, b) = tokio::join!(ask(0), ask(1));
        let mut got = [held(a.unwrap()), held(b.unwrap())];
        let winner = got.iter().position(Option::is_some).expect("somebody gets it");
        assert!(got[1 - winner].is_none(), "both hold it");
        let lease = got[winner].take().unwrap();
        assert_eq!((lease.epoch, lease.took_over), (epoch, false));
        wins[winner] += 1;
        states[winner].give_back(lease).await.unwrap();
    }
    eprintln!("{TRIALS} races, won {wins:?}");
}

/// A clock that is set by hand.
fn clock() -> (Arc<AtomicI64>, muster::state::Clock) {
    let seconds = Arc::new(AtomicI64::new(1_800_000_000));
    let shown = Arc::clone(&seconds);
    (seconds, Arc::new(move || DateTime::from_timestamp(shown.load(Ordering::SeqCst), 0).unwrap()))
}

async fn leases_expire(bench: &Bench) {
    let (seconds, clock) = clock();
    let state = bench.open().await.with_clock(clock);
    let a = held(state.acquire("run", "a", TTL).await.unwrap()).unwrap();
    let Claim::Taken { by, until } = state.acquire("run", "b", TTL).await.unwrap() else {
        panic!("taken twice")
    };
    assert_eq!((by.as_str(), until.timestamp()), ("a", 1_800_000_060));
    seconds.fetch_add(59, Ordering::SeqCst);
    assert!(state.renew(&a, TTL).await.unwrap());
    seconds.fetch_add(59, Ordering::SeqCst);
    assert!(held(state.acquire("run", "b", TTL).await.unwrap()).is_none(), "renewed");
    seconds.fetch_add(2, Ordering::SeqCst);
    assert!(state.renew(&a, TTL).await.unwrap(), "expired, but nobody came");
    seconds.fetch_add(60, Ordering::SeqCst);
    let b = held(state.acquire("run", "b", TTL).await.unwrap()).unwrap();
    assert_eq!((b.epoch, b.took_over), (2, true));
    assert!(!state.renew(&a, TTL).await.unwrap(), "lost");
    state.give_back(a).await.unwrap();
    assert!(state.renew(&b, TTL).await.unwrap(), "what is lost cannot be given back");
    state.give_back(b.clone()).await.unwrap();
    assert!(!state.renew(&b, TTL).await.unwrap(), "given back");
    let c = held(state.acquire("run", "c", TTL).await.unwrap()).unwrap();
    assert_eq!((c.epoch, c.took_over), (3, false));
}

/// Three holders whose clocks jump by up to a day: of all leases that were ever given, at most one
/// is good at any time, and every epoch was given once.
async fn no_clock_gives_a_lease_to_two(bench: &Bench) {
    const TRIALS: usize = 400;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    let state = bench.open().await;
    let mut holders = Vec::new();
    for _ in 0..3 {
        let (seconds, clock) = clock();
        holders.push((seconds, state.clone().with_clock(clock)));
    }
    let mut given: Vec<Lease> = Vec::new();
    for _ in 0..TRIALS {
        let (seconds, state) = &holders[random.random_range(0..3)];
        seconds.fetch_add(random.random_range(-86_400..86_400), Ordering::SeqCst);
        match random.random_range(0..4) {
            0 if !given.is_empty() => state.give_back(given.last().unwrap().clone()).await.unwrap(),
            _ => given.extend(held(state.acquire("run", "somebody", TTL).await.unwrap())),
        }
        let recent = given.iter().rev().take(4);
        let mut good = Vec::new();
        for lease in recent {
            if state.renew(lease, TTL).await.unwrap() {
                good.push(lease.epoch);
            }
        }
        assert!(good.len() <= 1, "held under {good:?}");
        assert!(good.iter().all(|epoch| *epoch == given.len() as u64), "an old one is good again");
    }
    let epochs: Vec<u64> = given.iter().map(|lease| lease.epoch).collect();
    assert_eq!(epochs, (1..=given.len() as u64).collect::<Vec<_>>());
    assert!(given.len() > TRIALS / 10, "only {} leases were given", given.len());
    eprintln!("{TRIALS} jumps, {} leases", given.len());
}

async fn failing_sources_wait_longer(bench: &Bench) {
    let (seconds, clock) = clock();
    let state = bench.open().await.with_clock(clock);
    assert_eq!(state.source_failures("beds_hr").await.unwrap(), None);
    let mut waits = Vec::new();
    for number in 1..=70 {
        state.record_source("beds_hr", false).await.unwrap();
        let (failures, next) = state.source_failures("beds_hr").await.unwrap().unwrap();
        assert_eq!(failures, number);
        waits.push((next.timestamp() - seconds.load(Ordering::SeqCst)) / 60);
    }
    assert_eq!(waits[..8], [15, 30, 60, 120, 240, 480, 960, 1440]);
    assert!(waits[8..].iter().all(|wait| *wait == 1440), "{waits:?}");
    state.record_source("beds_hr", true).await.unwrap();
    assert_eq!(state.source_failures("beds_hr").await.unwrap(), None);
}

async fn slots(bench: &Bench) {
    let state = bench.open().await;
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let later = now + TimeDelta::hours(1);
    assert!(state.last_slot("nightly").await.is_err(), "nobody follows it");
    state.follow("nightly", "0 2 * * * UTC", now).await.unwrap();
    state.follow("nightly", "0 2 * * * UTC", later).await.unwrap();
    assert_eq!(state.last_slot("nightly").await.unwrap(), now, "the first sight counts");
    assert!(state.take_slot("nightly", later, Fate::Taken, "a").await.unwrap());
    assert!(!state.take_slot("nightly", later, Fate::Missed, "b").await.unwrap());
    assert!(state.take_slot("hourly", later, Fate::Taken, "b").await.unwrap());
    assert_eq!(state.last_slot("nightly").await.unwrap(), later);
    let changed = later + TimeDelta::hours(5);
    state.follow("nightly", "0 3 * * * UTC", changed).await.unwrap();
    assert_eq!(state.last_slot("nightly").await.unwrap(), changed);
    assert!(state.first_alarm("late").await.unwrap() && !state.first_alarm("late").await.unwrap());
}

#[tokio::test]
async fn a_file_from_before_the_numbering_keeps_its_rows() {
    let bench = Bench::sqlite();
    let Address::Sqlite(path) = &bench.address else { unreachable!("a file") };
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(include_str!("../../src/state/schema/1.sqlite.sql")).execute(&mut old).await.unwrap();
    old.execute("insert into runs values ('r1', 'nightly', 1, 2, 'failed', null)").await.unwrap();
    old.close().await.unwrap();
    let state = bench.open().await;
    let run = state.last_failed_run("nightly").await.unwrap().unwrap();
    assert_eq!((run.run.as_str(), run.attempt, run.epoch, run.slot), ("r1", 1, 0, None));
    drop(state);
    bench.open().await;

    let mut newer = SqliteConnection::connect_with(&options).await.unwrap();
    let versions = newer.fetch_all("select version from schema_version order by version").await.unwrap();
    assert_eq!(versions.iter().map(|row| row.get::<i64, _>(0)).collect::<Vec<_>>(), [1, 2, 3, 4]);
    newer.execute("insert into schema_version values (99, 0)").await.unwrap();
    let error = State::open(&bench.address, &bench.access).await.unwrap_err().to_string();
    assert!(error.ends_with("the state database is of version 99, newer than this muster"), "{error}");
}

#[tokio::test]
async fn no_password_is_shown() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hunter2").unwrap();
    let server = muster::project::Server {
        host: "127.0.0.1".into(),
        port: 1,
        user: "muster".into(),
        database: "state".into(),
    };
    let password = Some(muster::project::Secret::File(secret.path().into()));
    let access = Access { password, ..Access::default() };
    let error = State::open(&Address::Postgres(server), &access).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("127.0.0.1:1/state") && !shown.contains("hunter2"), "{shown}");
    let state = Bench::sqlite().open().await;
    assert!(!format!("{state:?}").contains("state.db"), "{state:?}");
}
