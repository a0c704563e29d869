//! Schedules: slots, absences, limits, failing sources, alarms, and what can be seen of all that.

use crate::servers;
use crate::support::{self, TestProject, ask, nightly, release};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use futures::FutureExt;
use muster::hub::Hub;
use muster::pipeline::Event;
use muster::pipeline::limits::Limits;
use muster::pipeline::run::{self, Order};
use muster::pipeline::schedule::{Scheduler, Slot, Turn, look_for_late};
use muster::policy::roles::Principal;
use muster::project::{Access, Address, Alarm, Occasion, Pipeline, Schedule, Secret, Setting};
use muster::state::slots::Fate;
use muster::state::{Clock, State};
use muster::telemetry::scrape;
use rand::{Rng, SeedableRng};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A clock that is set by hand.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(AtomicI64::new(now.timestamp_micros())))
    }

    fn set(&self, now: DateTime<Utc>) {
        self.0.store(now.timestamp_micros(), Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let shown = Arc::clone(&self.0);
        Arc::new(move || DateTime::from_timestamp_micros(shown.load(Ordering::SeqCst)).unwrap())
    }
}

/// A pipeline that runs at `cron` in London.
fn pipeline(cron: &str, alarm: Option<Alarm>) -> Pipeline {
    Pipeline {
        name: "nightly".into(),
        description: String::new(),
        sources: Vec::new(),
        build: Vec::new(),
        schedule: Some(Schedule::new(cron, Tz::Europe__London).unwrap()),
        retries: 0,
        timeout: None,
        step_timeout: None,
        parallel: 1,
        fresh: BTreeMap::new(),
        alarm,
    }
}

async fn state(path: &Path) -> State {
    State::open(&Address::Sqlite(path.join("state.db")), &Access::default()).await.unwrap()
}

/// Two schedulers with clocks that differ, drift and jump, over one of London's changes of clocks:
/// every slot is run by one of them, or told as missed, once.
async fn every_slot_once(states: [&State; 2], start: &str, seed: u64) {
    const LOOKS: usize = 250;
    let start = at(start);
    let pipeline = pipeline("*/10 * * * *", None);
    let ran: RefCell<Vec<Slot>> = RefCell::default();
    let runner = |_, slot| {
        ran.borrow_mut().push(slot);
        async {
            // Long enough for the other one to come by.
            tokio::task::yield_now().await;
            Turn::Over(None)
        }
        .boxed_local()
    };
    let hands = [Hand::new(start), Hand::new(start)];
    let a = Scheduler::new(states[0], "a", hands[0].clock(), &runner);
    let b = Scheduler::new(states[1], "b", hands[1].clock(), &runner);
    a.follow(&pipeline).await.unwrap();
    b.follow(&pipeline).await.unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let (mut now, mut latest, mut jumps) = (start, start, 0);
    for _ in 0..LOOKS {
        now += TimeDelta::seconds(random.random_range(300..900));
        for hand in &hands {
            let jump = match random.random_range(0..20) {
                0 => random.random_range(-7200..0),
                1 => random.random_range(0..5400),
                _ => random.random_range(-60..60),
            };
            jumps += usize::from(!(-60..60).contains(&jump));
            let shown = now + TimeDelta::seconds(jump);
            hand.set(shown);
            latest = latest.max(shown);
        }
        let (one, two) = tokio::join!(a.look(&pipeline), b.look(&pipeline));
        one.unwrap();
        two.unwrap();
    }
    let ran = ran.into_inner();
    let once: BTreeSet<Slot> = ran.iter().copied().collect();
    assert_eq!(once.len(), ran.len(), "a slot was run twice");
    let schedule = pipeline.schedule.as_ref().unwrap();
    let slots = std::iter::successors(schedule.after(start), |slot| schedule.after(*slot));
    let (mut all, mut missed) = (0, 0);
    for slot in slots.take_while(|slot| *slot <= latest) {
        let is_free = states[0].take_slot("nightly", slot, Fate::Missed, "test").await.unwrap();
        assert!(!is_free, "{slot} was neither run nor told as missed");
        all += 1;
        missed += usize::from(!once.contains(&slot));
    }
    assert_eq!(all, once.len() + missed, "something was run that is no slot");
    assert!(once.len() > LOOKS / 3, "only {} slots were run", once.len());
    eprintln!("{all} slots: {} run once, {missed} missed, {jumps} jumps of a clock", once.len());
}

#[tokio::test]
async fn two_schedulers_run_each_slot_once_on_sqlite() {
    for (seed, start) in [(1, "2026-03-28T23:00:00Z"), (2, "2026-10-24T22:00:00Z")] {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (state(dir.path()).await, state(dir.path()).await);
        every_slot_once([&one, &two], start, seed).await;
    }
}

#[tokio::test]
async fn two_schedulers_run_each_slot_once_on_postgresql() {
    let Some(running) = servers::postgres().await else {
        eprintln!("skipped: PostgreSQL is not installed");
        return;
    };
    let source = running.source(Address::Postgres);
    let Address::Postgres(mut server) = source.address else { unreachable!("a server was asked for") };
    server.user = "owner".into();
    let address = Address::Postgres(server);
    let one = State::open(&address, &source.access).await.unwrap();
    let two = State::open(&address, &source.access).await.unwrap();
    every_slot_once([&one, &two], "2026-03-28T23:00:00Z", 3).await;
}

#[tokio::test]
async fn a_slot_waits_while_another_run_is_at_work() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(dir.path()).await;
    let pipeline = pipeline("0 2 * * *", None);
    let asked = AtomicUsize::new(0);
    let runner = |_, _| {
        let turn = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Turn::Busy,
            _ => Turn::Over(None),
        };
        async { turn }.boxed_local()
    };
    let hand = Hand::new(at("2026-01-01T00:00:00Z"));
    let scheduler = Scheduler::new(&state, "a", hand.clock(), &runner);
    scheduler.follow(&pipeline).await.unwrap();
    assert_eq!(scheduler.look(&pipeline).await.unwrap(), None);
    hand.set(at("2026-01-01T02:00:05Z"));
    assert_eq!(scheduler.look(&pipeline).await.unwrap(), Some(at("2026-01-01T02:00:00Z")));
    assert_eq!(scheduler.look(&pipeline).await.unwrap(), None);
    assert_eq!(asked.into_inner(), 2);
}

/// Somewhere that alarms are posted to; the first attempt is answered with an error.
struct Webhook {
    address: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Webhook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/alarms", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&received);
        tokio::spawn(async move {
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                kept.lock().unwrap().push(request);
                let status = if number == 0 { "503 Service Unavailable" } else { "204 No Content" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, received }
    }

    fn alarm(&self, on: &[Occasion]) -> Alarm {
        let webhook = Setting::Plain(self.address.clone());
        Alarm { webhook, authorization: None, on: on.iter().copied().collect() }
    }

    fn bodies(&self) -> Vec<serde_json::Value> {
        let received = self.received.lock().unwrap();
        received
            .iter()
            .map(|text| serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap())
            .collect()
    }
}

/// One request, head and body.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let count = stream.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || body.len() >= length.unwrap_or(0_usize) {
            return text;
        }
    }
}

#[tokio::test]
async fn what_was_missed_is_told_and_the_newest_is_run_once() {
    let dir = tempfile::tempdir().unwrap();
    let state = state(dir.path()).await;
    let webhook = Webhook::start().await;
    let secret = dir.path().join("token");
    std::fs::write(&secret, "Bearer hunter2\n").unwrap();
    let mut alarm = webhook.alarm(&[Occasion::Missed]);
    alarm.authorization = Some(Secret::File(secret));
    let pipeline = pipeline("0 2 * * *", Some(alarm));
    let runner = |_, _| async { Turn::Over(None) }.boxed_local();
    let before = Scheduler::new(&state, "a", Hand::new(at("2026-03-27T12:00:00Z")).clock(), &runner);
    before.follow(&pipeline).await.unwrap();

    // Nobody is there for two nights; in the second one, the clocks change.
    let after = Scheduler::new(&state, "b", Hand::new(at("2026-03-30T00:30:00Z")).clock(), &runner);
    after.follow(&pipeline).await.unwrap();
    assert_eq!(after.look(&pipeline).await.unwrap(), Some(at("2026-03-29T01:00:00Z")));
    assert_eq!(after.look(&pipeline).await.unwrap(), None);

    let told: Vec<_> = webhook.bodies();
    let slots: Vec<_> = told.iter().map(|body| body["slot"].as_str().unwrap()).collect();
    // The first one was answered with an error, and told again.
    assert_eq!(slots, ["2026-03-28T02:00:00Z", "2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z"]);
    assert!(
        told.iter().all(|body| body["occasion"] == "missed" && body["pipeline"] == "nightly"),
        "{told:?}"
    );
    assert!(told[2]["text"].as_str().unwrap().ends_with("it is run now"), "{told:?}");
    let received = webhook.received.lock().unwrap();
    assert!(received.iter().all(|text| text.contains("authorization: Bearer hunter2\r\n")), "{received:?}");
}

/// Runs the nightly pipeline for a slot; what happened.
async fn scheduled(hub: &Hub) -> Vec<Event> {
    let events = Mutex::new(Vec::new());
    let order = Order { slot: Some(Utc::now()), ..Order::of(&hub.project.pipelines["nightly"]) };
    run::execute(hub, &order, &|event| events.lock().unwrap().push(event)).await.unwrap();
    events.into_inner().unwrap()
}

fn failed_pulls(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::SourceFailed { .. })).count()
}

#[tokio::test]
async fn a_source_that_fails_is_left_out_by_schedules_and_tried_by_hand() {
    let project = TestProject::new().await;
    project.write("pipelines/nightly.toml", "description = \"All.\"\nsources = [\"*\"]\nretries = 0\n");
    let hub = project.open().await;
    release(&hub).await;
    std::fs::remove_file(project.dir().join("beds.db")).unwrap();
    assert!(failed_pulls(&scheduled(&hub).await) > 0);
    assert_eq!(failed_pulls(&scheduled(&hub).await), 0, "its time has not come");
    let (report, events) = nightly(&hub).await;
    assert!(failed_pulls(&events) > 0, "somebody asked");
    assert_eq!(report.release.forces["beds"].status.as_str(), "stale");
    let (failures, _) = hub.state.source_failures("beds_itrent").await.unwrap().unwrap();
    assert_eq!(failures, 2);

    project.sql("beds", support::TABLES).await;
    project.add_person("beds", 1, "1").await;
    nightly(&hub).await;
    assert_eq!(hub.state.source_failures("beds_itrent").await.unwrap(), None);
}

#[tokio::test]
async fn runs_and_steps_that_take_too_long_are_stopped() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    let instant = Some(Duration::from_nanos(1));
    let order = |limits| Order { limits, retries: 0, ..Order::of(&hub.project.pipelines["nightly"]) };
    let error = run::execute(&hub, &order(Limits { run: instant, step: None }), &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("the run was stopped after 1ns"), "{error}");
    let dead = hub.state.last_failed_run("nightly").await.unwrap().unwrap();
    assert_eq!(dead.outcome, "failed");

    let report = run::execute(&hub, &order(Limits { run: None, step: instant }), &|_| {}).await.unwrap();
    assert_eq!(report.outcome, run::Outcome::Partial);
    let why = ask(&hub, &Principal::operator(), None, "select distinct message from hub.steps").await;
    assert!(why.contains("the step was stopped after 1ns"), "{why}");
    assert_eq!(release(&hub).await, report.release.release + 1);
}

#[tokio::test]
async fn late_data_is_told_once_and_seen() {
    let webhook = Webhook::start().await;
    let project = TestProject::new().await;
    let text = format!(
        "description = \"All.\"\nsources = [\"*\"]\nfresh = {{ \"conformed.person\" = \"1h\" }}\n\
         alarm = {{ webhook = \"{}\", on = [\"late\"] }}\n",
        webhook.address
    );
    project.write("pipelines/nightly.toml", &text);
    let hub = project.open().await;
    release(&hub).await;
    look_for_late(&hub, Utc::now()).await.unwrap();
    assert!(webhook.bodies().is_empty());
    let tomorrow = Utc::now() + TimeDelta::days(1);
    look_for_late(&hub, tomorrow).await.unwrap();
    look_for_late(&hub, tomorrow).await.unwrap();
    let told: BTreeSet<String> = webhook
        .bodies()
        .iter()
        .map(|body| body["text"].as_str().unwrap().split(':').next().unwrap().into())
        .collect();
    assert_eq!(
        told.into_iter().collect::<Vec<_>>(),
        ["conformed.person of beds is late", "conformed.person of herts is late"]
    );
    assert_eq!(webhook.bodies().len(), 3, "two, and one again after the first answer");

    let late = "select dataset, late from hub.coverage where force = 'beds' and late is not null";
    let seen = ask(&hub, &Principal::operator(), None, late).await;
    assert!(seen.contains("| conformed.person | no   |"), "{seen}");
}

#[tokio::test]
async fn a_run_shows_a_force_what_was_done_for_it_alone() {
    let project = TestProject::new().await;
    project.write("pipelines/nightly.toml", "description = \"All.\"\nsources = [\"*\"]\nretries = 0\n");
    let hub = project.open().await;
    release(&hub).await;
    std::fs::remove_file(project.dir().join("herts.db")).unwrap();
    nightly(&hub).await;
    // A run that did nothing for beds.
    let order =
        Order { sources: vec!["herts_itrent".into()], ..Order::of(&hub.project.pipelines["nightly"]) };
    run::execute(&hub, &order, &|_| {}).await.unwrap();

    let sql = "select outcome, steps, failed_steps from hub.runs order by started_at";
    let of = async |principal: &Principal| {
        let answer = ask(&hub, principal, None, sql).await;
        let cells = answer.lines().skip(3).filter(|line| line.starts_with('|'));
        cells.map(|line| line.replace([' ', '|'], ",").replace(",,", "")).collect::<Vec<_>>()
    };
    let (beds, herts) = (support::analyst("beds"), support::analyst("herts"));
    let (all, beds, herts) = (of(&Principal::operator()).await, of(&beds).await, of(&herts).await);
    assert_eq!((all.len(), beds.len(), herts.len()), (3, 2, 3), "{all:?} {beds:?} {herts:?}");
    assert!(beds.iter().all(|run| run.contains("succeeded")), "{beds:?}");
    assert!(
        herts[0].contains("succeeded") && herts[1].contains("failed") && herts[2].contains("failed"),
        "{herts:?}"
    );
    assert!(all[1].contains("partial"), "{all:?}");

    let steps = ask(
        &hub,
        &support::analyst("beds"),
        None,
        "select min(step) as first, count(distinct step) - max(step) as gaps, \
        sum(case when duration_ms >= 0 then 0 else 1 end) as bad from hub.steps group by run",
    )
    .await;
    assert!(steps.contains("| 1     | 0    | 0   |") && !steps.contains("| 2"), "{steps}");
}

#[tokio::test]
async fn metrics_are_scraped_without_a_name() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let listener = scrape::listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(scrape::serve(listener, || 4711));
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let text = get("/metrics").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/openmetrics-text"), "{text}");
    for expected in [
        "muster_runs_total{outcome=\"succeeded\"} ",
        "muster_step_duration_seconds_count{kind=\"pull\",outcome=\"succeeded\"} ",
        "muster_step_duration_seconds_count{kind=\"build\",outcome=\"succeeded\"} ",
        "muster_rows_landed_total ",
        "muster_rows_quarantined_total 0\n",
        "muster_memory_pool_bytes 4711\n",
        "# EOF\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    for name in ["beds", "herts", "itrent", "person"] {
        assert!(!text.contains(name), "{name}\n{text}");
    }
    assert!(get("/").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn a_pipeline_builds_what_it_names_and_what_that_needs() {
    let project = TestProject::new().await;
    let pipeline = |build: &str| format!("description = \"Some.\"\nsources = [\"*\"]\nbuild = [{build}]\n");
    project.write("pipelines/some.toml", &pipeline("\"marts.strength\""));
    project.write("pipelines/all.toml", &pipeline("\"*\""));
    let hub = project.open().await;
    assert!(hub.project.pipelines["all"].build.is_empty(), "all of them");
    // What it reads, what that reads, and what their checks look up.
    let some = &hub.project.pipelines["some"];
    assert_eq!(some.build, ["conformed.person", "conformed.employment", "marts.strength"]);
    let report = run::run(&hub, some, &|_| {}).await.unwrap();
    assert_eq!(report.outcome, run::Outcome::Succeeded);
    let built = "select distinct name from hub.steps where kind = 'build'";
    let built = ask(&hub, &Principal::operator(), None, built).await;
    assert!(built.contains("marts.strength") && !built.contains("marts.spend"), "{built}");
}
