//! REST interfaces from the request to raw, and queues that forget what they have answered.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use muster::hub::Hub;
use muster::lake::raw::{self, Load, Place};
use muster::landing::Spool;
use muster::pipeline::{self, Event, pull::Wish};
use muster::project::{self, Library};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const PAYMENTS: &str = r#"
[entities.payment]
key = ["id"]
mode = "cursor"
cursor = "changed"
lag = "0s"
totals = ["amount"]

[entities.payment.http]
path = "payments"
query = { status = "all" }
rows = "$.items[*]"
count = "$.total"
paging = { kind = "offset", limit = 2, more = "hasMore" }
since = { parameter = "since" }

[entities.payment.columns]
id = { type = "int", required = true }
amount = { type = "decimal(18,2)" }
changed = { type = "timestamp", zone = "UTC" }
supplier = { from = "supplier.name", type = "text" }

[entities.note]
key = ["payment", "number"]
mode = "diff"

[entities.note.http]
path = "payments/{payment.id}/notes"
parent = "payment"

[entities.note.columns]
payment = { from = "_parent.id", type = "int", required = true }
number = { type = "int", required = true }
"#;

const EVENTS: &str = r#"
[entities.event]
key = ["_file", "_row"]
mode = "log"

[entities.event.http]
path = "event/status"
rows = "$.events[*].event"
queue = true
empty = "No Events Found"

[entities.event.columns]
guid = { type = "text", required = true }
received_at = { from = "_received_at", type = "timestamp", zone = "UTC", required = true }
"#;

/// What the server answers next, and what it was asked.
#[derive(Default)]
struct Till {
    payments: Vec<(u32, &'static str, &'static str)>,
    events: Vec<String>,
    /// Instead of events, once.
    instead: Option<&'static str>,
    asked: Vec<String>,
}

/// A project with one source, whose server is part of the test.
struct RestProject {
    folder: TempDir,
    till: Arc<Mutex<Till>>,
    served: JoinHandle<()>,
}

impl Drop for RestProject {
    fn drop(&mut self) {
        self.served.abort();
    }
}

type Shared = State<Arc<Mutex<Till>>>;

async fn payments(State(till): Shared, RawQuery(query): RawQuery) -> String {
    let mut till = till.lock().unwrap();
    let query = query.unwrap_or_default();
    let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).map(str::to_string);
    let offset: usize = of("offset=").unwrap().parse().unwrap();
    let since = of("since=").map(|since| since.replace("%3A", ":")).unwrap_or_default();
    till.asked.push(query);
    let wanted: Vec<_> = till.payments.iter().filter(|(_, _, changed)| *changed >= since.as_str()).collect();
    let row = |(id, amount, changed): &&(u32, &str, &str)| {
        format!(
            r#"{{"id": {id}, "amount": {amount}, "changed": "{changed}", "supplier": {{"name": "Acme"}}}}"#
        )
    };
    let rows: Vec<String> = wanted.iter().skip(offset).take(2).map(row).collect();
    let more = offset + 2 < wanted.len();
    format!(r#"{{"total": {}, "items": [{}], "hasMore": {more}}}"#, wanted.len(), rows.join(","))
}

async fn notes(State(till): Shared, axum::extract::Path(id): axum::extract::Path<u32>) -> String {
    till.lock().unwrap().asked.push(format!("notes of {id}"));
    format!(r#"[{{"number": {}}}]"#, id * 10)
}

async fn events(State(till): Shared) -> Response {
    let mut till = till.lock().unwrap();
    if let Some(text) = till.instead.take() {
        return text.into_response();
    }
    let events = std::mem::take(&mut till.events);
    if events.is_empty() {
        return r#"{"message": "No Events Found"}"#.into_response();
    }
    let events: Vec<String> =
        events.iter().map(|guid| format!(r#"{{"event": {{"guid": "{guid}"}}}}"#)).collect();
    format!(r#"{{"events": [{}], "message": ""}}"#, events.join(",")).into_response()
}

impl RestProject {
    async fn new(entities: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let till: Arc<Mutex<Till>> = Arc::default();
        let router = Router::new()
            .route("/api/payments", get(payments))
            .route("/api/payments/{id}/notes", get(notes))
            .route("/api/event/status", get(events))
            .with_state(Arc::clone(&till));
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let project = Self { folder: tempfile::tempdir().unwrap(), till, served };
        let contract = format!("system = \"till\"\nvendor = \"Tests\"\n{entities}");
        fs::create_dir_all(project.path("connectors/till")).unwrap();
        fs::write(project.path("connectors/till/connector.toml"), contract).unwrap();
        let settings = format!(
            "[hub]\nname = \"rest\"\n[forces.beds]\nname = \"Bedfordshire Police\"\n\
             [sources.beds_till]\nforce = \"beds\"\nsystem = \"till\"\naddress = \"http://127.0.0.1:{port}/api\"\n"
        );
        fs::write(project.path("muster.toml"), settings).unwrap();
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self) -> Hub {
        let project = project::load_with(self.folder.path(), &Library::empty());
        let project = project.unwrap_or_else(|p| panic!("{}", muster::error::Error::from(p)));
        Hub::open(project).await.unwrap()
    }

    /// Pulls once: why it failed, and what the reader was told.
    async fn pull(&self) -> (BTreeMap<String, String>, Vec<String>) {
        let hub = self.open().await;
        let sources: Vec<_> = hub.project.sources.values().collect();
        let told = Mutex::new(Vec::new());
        let report = |event| {
            if let Event::Pulled { notes, .. } = event {
                told.lock().unwrap().extend(notes);
            }
        };
        let failures = pipeline::run::pull(&hub, &sources, 3, Wish::default(), &report).await.unwrap();
        (failures, told.into_inner().unwrap())
    }

    async fn pull_well(&self) -> Vec<String> {
        let (failures, told) = self.pull().await;
        assert_eq!(failures, BTreeMap::new());
        told
    }

    /// A pull by a process of its own that dies there.
    fn pull_that_dies_at(&self, moment: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.arg("--project").arg(self.folder.path()).args(["pull", "--retries", "0"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).env("FAILPOINTS", format!("{moment}=panic"));
        assert!(!command.status().unwrap().success(), "{moment} was passed");
    }

    fn place(entity: &str) -> Place {
        Place { force: "beds".into(), source: "beds_till".into(), entity: entity.into() }
    }

    async fn loads(&self, entity: &str) -> Vec<Load> {
        let hub = self.open().await;
        let mut loads = raw::loads(&hub.lake, &Self::place(entity), None).await.unwrap();
        loads.reverse();
        loads
    }

    /// The current rows of an entity, drawn and sorted.
    async fn rows(&self, entity: &str, columns: &[&str]) -> Vec<String> {
        let hub = self.open().await;
        let table = hub.lake.table(&Self::place(entity).table());
        let Some(version) = table.version(None).await.unwrap() else { return Vec::new() };
        let rows = raw::rows(&SessionContext::new(), &version, false).unwrap();
        let rows = rows.select_columns(columns).unwrap().collect().await.unwrap();
        let drawn = pretty_format_batches(&rows).unwrap().to_string();
        let mut rows: Vec<String> = drawn
            .lines()
            .skip(3)
            .filter(|line| line.starts_with('|'))
            .map(|line| {
                line.split('|').map(str::trim).filter(|c| !c.is_empty()).collect::<Vec<_>>().join(" ")
            })
            .collect();
        rows.sort();
        rows
    }

    /// The names of what waits in the spool.
    fn spooled(&self) -> Vec<String> {
        let folder = self.path("lake/files/beds/beds_till/queue/event");
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn give(&self, events: &[&str]) {
        self.till.lock().unwrap().events.extend(events.iter().map(|guid| guid.to_string()));
    }
}

#[tokio::test]
async fn an_interface_is_read_page_by_page_and_then_from_its_cursor_on() {
    let project = RestProject::new(PAYMENTS).await;
    project.till.lock().unwrap().payments = vec![
        (1, "12345678901234.56", "2026-03-01T00:00:00.000000Z"),
        (2, "0.10", "2026-03-02T00:00:00.000000Z"),
        (3, "1.5E1", "2026-03-03T00:00:00.000000Z"),
    ];
    project.pull_well().await;
    let columns = ["id", "amount", "supplier"];
    assert_eq!(
        project.rows("payment", &columns).await,
        ["1 12345678901234.56 Acme", "2 0.10 Acme", "3 15.00 Acme"]
    );
    assert_eq!(project.rows("note", &["payment", "number"]).await, ["1 10", "2 20", "3 30"]);
    let first = project.loads("payment").await.remove(0);
    assert_eq!(first.high.as_deref(), Some("2026-03-03 00:00:00.000000"));
    assert_eq!((first.source_rows, first.whole), (Some(3), true));
    assert_eq!(first.sums[0].accepted, "12345678901249.66");
    let kept = project.path("lake/files/beds/beds_till").join(first.sha256.unwrap());
    let kept = fs::read_to_string(kept).unwrap();
    assert_eq!(kept.matches("\"total\": 3").count(), 2, "both pages, byte for byte: {kept}");

    project.till.lock().unwrap().asked.clear();
    project.till.lock().unwrap().payments[0] = (1, "7", "2026-03-04T00:00:00.000000Z");
    project.pull_well().await;
    assert_eq!(project.rows("payment", &["id", "amount"]).await, ["1 7.00", "2 0.10", "3 15.00"]);
    let asked = project.till.lock().unwrap().asked.clone();
    let since = "status=all&since=2026-03-03T00%3A00%3A00.000000Z&offset=0&limit=2";
    assert!(asked.contains(&since.to_string()), "{asked:?}");
    let second = project.loads("payment").await.remove(1);
    assert_eq!((second.high.as_deref(), second.whole), (Some("2026-03-04 00:00:00.000000"), false));
}

#[tokio::test]
async fn an_answer_that_has_not_changed_is_no_news() {
    let project = RestProject::new(
        &PAYMENTS
            .replace("mode = \"cursor\"\ncursor = \"changed\"\nlag = \"0s\"", "")
            .replace("since = { parameter = \"since\" }", ""),
    )
    .await;
    project.till.lock().unwrap().payments =
        vec![(1, "1", "2026-03-01T00:00:00Z"), (2, "2", "2026-03-01T00:00:00Z")];
    project.pull_well().await;
    project.pull_well().await;
    assert_eq!(project.loads("payment").await.len(), 1);
    project.till.lock().unwrap().payments.pop();
    project.pull_well().await;
    let loads = project.loads("payment").await;
    assert_eq!((loads.len(), loads[1].deleted_rows), (2, 1));
    assert_eq!(project.rows("note", &["payment", "number"]).await, ["1 10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_loses_nothing_and_doubles_nothing_when_its_reader_dies() {
    let moments = [
        "queue::before-sync",
        "queue::after-sync",
        "land::before-write",
        "land::after-files",
        "land::after-commit",
    ];
    for moment in moments {
        let project = RestProject::new(EVENTS).await;
        project.give(&["a", "b"]);
        project.pull_that_dies_at(moment);
        assert_eq!(project.spooled().len(), 1, "{moment}");
        project.give(&["c"]);
        project.pull_well().await;
        assert_eq!(project.rows("event", &["guid"]).await, ["a", "b", "c"], "{moment}");
        assert_eq!(project.loads("event").await.len(), 2, "{moment}: each answer in a load of its own");
        assert_eq!(project.spooled(), [""; 0], "{moment}");
    }
}

#[tokio::test]
async fn an_empty_queue_lands_nothing() {
    let project = RestProject::new(EVENTS).await;
    project.pull_well().await;
    assert_eq!(project.loads("event").await.len(), 0);
    project.give(&["a"]);
    project.pull_well().await;
    project.pull_well().await;
    let loads = project.loads("event").await;
    assert_eq!(loads.len(), 1);
    assert_eq!(project.spooled(), [""; 0]);
    let arrived = project.rows("event", &["received_at"]).await.remove(0);
    let tag = loads[0].tag.clone().unwrap();
    let digits = |text: &str| text.trim_end_matches('Z').trim_end_matches('0').to_string();
    assert_eq!(digits(&arrived), digits(&tag));
}

#[tokio::test]
async fn what_a_queue_gives_is_kept_when_it_cannot_be_read() {
    let project = RestProject::new(EVENTS).await;
    project.till.lock().unwrap().instead = Some("<html>down for maintenance");
    let (failures, _) = project.pull().await;
    assert!(failures["beds_till"].contains("instead of JSON"), "{failures:?}");
    assert_eq!(project.spooled().len(), 1);
    assert!(project.spooled()[0].ends_with(".kept"));
    // An answer that was cut when its reader died.
    let spool = project.path("lake/files/beds/beds_till/queue/event");
    fs::write(spool.join("20260401T120000.000000Z-00000001.part"), "{\"events\": [{\"ev").unwrap();
    let whole = r#"{"events": [{"event": {"guid": "z"}}]}"#;
    fs::write(spool.join("20260401T120001.000000Z-00000002.part"), whole).unwrap();
    project.give(&["a"]);
    let told = project.pull_well().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("2026-04-01T12:00:00Z cannot be read"), "{told:?}");
    assert_eq!(project.rows("event", &["guid"]).await, ["a", "z"]);
    assert_eq!(project.spooled().len(), 2);
}

#[tokio::test]
async fn mistakes_in_a_request_are_named() {
    for (right, wrong, expect) in [
        ("kind = \"offset\"", "kind = \"offsett\"", "unknown kind of paging \"offsett\""),
        ("{payment.id}", "{id}", "\"{id}\" names no member of the parent"),
        ("parent = \"payment\"", "parent = \"paymint\"", "no entity \"paymint\""),
        ("\"$.items[*]\"", "\"items\"", "\"items\" is not a JSONPath"),
        ("\"$.total\"", "\"$.total[\"", "is not a JSONPath"),
        (
            "{ parameter = \"since\" }",
            "{ parameter = \"since\", format = \"JJ\" }",
            "unknown \"J\" in format",
        ),
        ("path = \"payments\"", "path = \"payments?x=1\"", "the path holds a query"),
        ("path = \"payments\"", "queue = true\npath = \"payments\"", "a queue needs mode \"log\""),
        ("path = \"payments\"", "pathh = \"payments\"", "unknown key \"pathh\""),
    ] {
        assert!(PAYMENTS.contains(right), "{right}");
        let project = RestProject::new(&PAYMENTS.replacen(right, wrong, 1)).await;
        let problems = project::load_with(project.folder.path(), &Library::empty()).unwrap_err();
        let told = muster::error::Error::from(problems).to_string();
        assert!(told.contains(expect), "{wrong}: {told}");
    }
}

#[tokio::test]
async fn mistakes_in_who_asks_are_named_and_no_secret_is_shown() {
    for (auth, expect) in [
        ("kind = \"bearer\"\ntoken = \"s3cret\"", "must be a reference to a secret"),
        ("kind = \"barer\"", "unknown kind of auth \"barer\""),
        ("kind = \"basic\"\nuser = \"reader\"", "has no \"password\""),
        ("kind = \"api_key\"\nkey = { file = \"muster.toml\" }", "either the name of a header"),
        (
            "kind = \"oauth2_client_credentials\"\ntoken_url = \"http://login.example\"\n\
             client_id = \"hub\"\nclient_secret = { file = \"muster.toml\" }",
            "cannot be asked for a token",
        ),
    ] {
        let project = RestProject::new(PAYMENTS).await;
        let settings = fs::read_to_string(project.path("muster.toml")).unwrap();
        let settings = format!("{settings}[sources.beds_till.auth]\n{auth}\n");
        fs::write(project.path("muster.toml"), settings).unwrap();
        let problems = project::load_with(project.folder.path(), &Library::empty()).unwrap_err();
        let told = muster::error::Error::from(problems).to_string();
        assert!(told.contains(expect) && !told.contains("s3cret"), "{auth}: {told}");
    }
}

#[tokio::test]
async fn a_queue_has_one_reader_at_a_time() {
    let project = RestProject::new(EVENTS).await;
    project.give(&["a"]);
    let hub = project.open().await;
    let spool = Spool::open(&hub.lake, &RestProject::place("event")).unwrap().unwrap();
    assert!(Spool::open(&hub.lake, &RestProject::place("other")).unwrap().is_none());
    let (failures, _) = project.pull().await;
    assert!(failures["beds_till"].contains("another process is reading a queue"), "{failures:?}");
    assert_eq!(project.till.lock().unwrap().events, ["a"], "it was not asked");
    drop(spool);
    project.pull_well().await;
    assert_eq!(project.rows("event", &["guid"]).await, ["a"]);
}
