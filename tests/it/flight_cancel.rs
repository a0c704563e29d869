//! Statements end when they are cancelled, whoever ends them: the plan stops, its memory is free,
//! and the record says so.

use crate::flight::{Client, ask, short, until_recorded_at};
use crate::hub;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, Any, CommandGetCatalogs, ProstMessageExt,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightData, FlightEndpoint,
    FlightInfo, RenewFlightEndpointRequest, Ticket,
};
use futures::TryStreamExt;
use muster::hub::Hub;
use muster::serve;
use prost::Message;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Code, Request, Status, Streaming};

/// A server of one test's own, whose memory and threads it can watch.
pub struct Own {
    pub hub: Arc<Hub>,
    pub address: SocketAddr,
    pub authority: String,
    _dir: TempDir,
}

impl Own {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more settings in the project.
    pub async fn start_with(settings: &str) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let dir = tempfile::tempdir().unwrap();
        let authority = hub::write(dir.path());
        let file = dir.path().join("muster.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + settings).unwrap();
        hub::release(dir.path()).await;
        let folder = dir.path().to_path_buf();
        let (started, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let hub = Arc::new(hub::open(&folder).await);
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                started.send((Arc::clone(&hub), listener.local_addr().unwrap())).unwrap();
                serve::run(hub, listener, std::future::pending::<()>()).await.unwrap();
            });
        });
        let (hub, address) = told.recv().unwrap();
        Self { hub, address, authority, _dir: dir }
    }

    pub async fn log_in(&self, user: &str) -> Client {
        let mut client = FlightSqlServiceClient::new(hub::channel(self.address, &self.authority).await);
        client.handshake(user, &hub::password(user)).await.unwrap();
        client
    }

    /// The processor time that the threads for queries have taken, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let mine = stats.filter(|stat| stat.contains("(query)"));
        mine.map(|stat| {
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        })
        .sum()
    }

    /// Waits until nothing is reserved and nothing runs.
    async fn until_idle(&self, kind: &str) {
        until(&format!("{kind}: no memory reserved"), || self.hub.engine.reserved_bytes() == 0).await;
        let started = Instant::now();
        loop {
            let before = self.ticks();
            tokio::time::sleep(Duration::from_millis(200)).await;
            // A working plan takes 20 to 40.
            if self.ticks() - before <= 2 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{kind}: the plan still works");
        }
    }

    /// Waits until memory is reserved: the statement runs.
    async fn until_busy(&self, kind: &str) {
        until(&format!("{kind}: memory reserved"), || self.hub.engine.reserved_bytes() > 1 << 20).await;
    }
}

/// How long anything may take before a test gives up, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A statement that works for hours before its first row, and keeps its one side in memory.
pub fn endless(kind: &str) -> String {
    format!(
        "select count(*) as n, max(a.value + b.value) as m from generate_series(1, 1000000) a \
         cross join generate_series(1, 1000000) b where '{kind}' <> ''"
    )
}

/// A statement whose rows come at once and do not end.
pub fn rows_without_end(kind: &str) -> String {
    format!(
        "select a.value, '{kind}' as kind from generate_series(1, 1000000) a \
         cross join generate_series(1, 1000000) b"
    )
}

pub fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

pub fn request<T>(client: &Client, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = format!("Bearer {}", client.token().unwrap()).parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    request
}

/// Reads an answer in a task of its own, to its end.
fn read(client: &Client, ticket: Ticket) -> tokio::task::JoinHandle<Result<usize, Status>> {
    let mut client = client.clone();
    tokio::spawn(async move {
        let mut read = 0;
        let mut rows = match client.do_get(ticket).await {
            Ok(rows) => rows,
            Err(error) => return Err(Status::unknown(short(&error.to_string()))),
        };
        loop {
            match rows.try_next().await {
                Ok(Some(batch)) => read += batch.num_rows(),
                Ok(None) => return Ok(read),
                Err(FlightError::Tonic(status)) => return Err(*status),
                Err(error) => panic!("{error}"),
            }
        }
    })
}

pub async fn act(client: &mut Client, name: &str, body: Vec<u8>) -> Result<Vec<bytes::Bytes>, Status> {
    let request = request(client, Action { r#type: name.into(), body: body.into() });
    let answers: Streaming<arrow_flight::Result> = client.inner_mut().do_action(request).await?.into_inner();
    answers.map_ok(|answer| answer.body).try_collect().await
}

async fn cancel(client: &mut Client, info: FlightInfo) -> Result<CancelStatus, Status> {
    let body = CancelFlightInfoRequest { info: Some(info) }.encode_to_vec();
    let answers = act(client, "CancelFlightInfo", body).await?;
    Ok(CancelFlightInfoResult::decode(answers[0].clone()).unwrap().status())
}

async fn cancel_query(client: &mut Client, info: FlightInfo) -> Result<i32, Status> {
    let request = ActionCancelQueryRequest { info: info.encode_to_vec().into() };
    let answers = act(client, "CancelQuery", request.as_any().encode_to_vec()).await?;
    let result: ActionCancelQueryResult = Any::decode(answers[0].clone()).unwrap().unpack().unwrap().unwrap();
    Ok(result.result)
}

#[tokio::test]
async fn whoever_ends_a_statement_its_plan_stops_and_its_memory_is_free() {
    let own = Own::start().await;
    let mut client = own.log_in("hub").await;

    let sql = endless("by action");
    let info = client.execute(sql.clone(), None).await.unwrap();
    let reader = read(&client, ticket(&info));
    own.until_busy("by action").await;
    assert_eq!(cancel(&mut client, info.clone()).await.unwrap(), CancelStatus::Cancelled);
    let told = reader.await.unwrap().unwrap_err();
    assert_eq!((told.code(), told.message()), (Code::Cancelled, "the statement was cancelled"));
    own.until_idle("by action").await;
    until_recorded_at(&mut client, &sql, "cancelled").await;
    assert_eq!(cancel(&mut client, info).await.unwrap_err().code(), Code::NotFound);

    let sql = endless("by the old action");
    let info = client.execute(sql.clone(), None).await.unwrap();
    let reader = read(&client, ticket(&info));
    own.until_busy("by the old action").await;
    assert_eq!(cancel_query(&mut client, info).await.unwrap(), 1);
    assert_eq!(reader.await.unwrap().unwrap_err().code(), Code::Cancelled);
    own.until_idle("by the old action").await;
    until_recorded_at(&mut client, &sql, "cancelled").await;

    let sql = endless("by leaving");
    let info = client.execute(sql.clone(), None).await.unwrap();
    let reader = read(&client, ticket(&info));
    own.until_busy("by leaving").await;
    reader.abort();
    own.until_idle("by leaving").await;
    until_recorded_at(&mut client, &sql, "cancelled").await;

    let sql = endless("by its deadline");
    let info = client.execute(sql.clone(), None).await.unwrap();
    let mut asked = request(&client, ticket(&info));
    asked.set_timeout(Duration::from_secs(2));
    let mut rows: Streaming<FlightData> = client.inner_mut().do_get(asked).await.unwrap().into_inner();
    let told = loop {
        match rows.message().await {
            Ok(message) => assert!(message.is_some(), "ended without an error"),
            Err(status) => break status,
        }
    };
    assert_eq!(told.code(), Code::DeadlineExceeded, "{told}");
    own.until_idle("by its deadline").await;
    until_recorded_at(&mut client, &sql, "cancelled").await;
}

#[tokio::test]
async fn a_reader_that_has_stopped_does_not_keep_a_cancelled_plan_alive() {
    let own = Own::start().await;
    let mut client = own.log_in("hub").await;
    let sql = rows_without_end("stopped");
    let info = client.execute(sql.clone(), None).await.unwrap();
    let mut rows = client.do_get(ticket(&info)).await.unwrap();
    assert!(rows.try_next().await.unwrap().is_some());
    own.until_busy("stopped").await;
    cancel(&mut client, info).await.unwrap();
    // Nobody has read on.
    own.until_idle("stopped").await;
    until_recorded_at(&mut client, &sql, "cancelled").await;
    let mut told = rows.try_next().await;
    while let Ok(Some(_)) = told {
        told = rows.try_next().await;
    }
    let Err(FlightError::Tonic(status)) = told else { panic!("{told:?}") };
    assert_eq!(status.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_statement_that_waits_can_be_cancelled() {
    let own = Own::start_with("\n[hub.limits]\nstatements_per_user = 2\n").await;
    let mut client = own.log_in("hub").await;
    let mut held = Vec::new();
    for place in 0..2 {
        let info = client.execute(rows_without_end(&format!("place {place}")), None).await.unwrap();
        let mut rows = client.do_get(ticket(&info)).await.unwrap();
        assert!(rows.try_next().await.unwrap().is_some());
        held.push((info, rows));
    }
    let info = client.execute("select 'next in line' as a".into(), None).await.unwrap();
    let reader = read(&client, ticket(&info));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!reader.is_finished(), "there was a place for a third");
    cancel(&mut client, info).await.unwrap();
    let told = reader.await.unwrap().unwrap_err();
    assert_eq!(told.message(), "the statement was cancelled");
    for (info, _) in held.drain(..) {
        cancel(&mut client, info).await.unwrap();
    }
    own.until_idle("all cancelled").await;
    assert_eq!(ask(&mut client, "select 1 as a").await.unwrap().num_rows(), 1);
}

#[tokio::test]
async fn only_its_owner_cancels_a_statement_and_nobody_else_learns_of_it() {
    let own = Own::start().await;
    let (mut owner, mut other) = (own.log_in("hub").await, own.log_in("beds").await);
    let info = owner.execute(rows_without_end("mine"), None).await.unwrap();
    let mut rows = owner.do_get(ticket(&info)).await.unwrap();
    assert!(rows.try_next().await.unwrap().is_some());
    let mut unknown = info.clone();
    let mut bytes = ticket(&info).ticket.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    unknown.endpoint[0].ticket = Some(Ticket::new(bytes));
    let told = |refused: Status| (refused.code(), refused.message().to_string());
    let foreign = told(cancel(&mut other, info.clone()).await.unwrap_err());
    assert_eq!(foreign, told(cancel(&mut owner, unknown.clone()).await.unwrap_err()));
    assert_eq!(foreign.0, Code::NotFound);
    assert_eq!(foreign, told(cancel_query(&mut other, info.clone()).await.unwrap_err()));
    assert_eq!(foreign, told(renew(&mut other, info.endpoint[0].clone()).await.unwrap_err()));
    assert!(rows.try_next().await.unwrap().is_some(), "another's cancel has ended it");
    assert_eq!(cancel(&mut owner, info).await.unwrap(), CancelStatus::Cancelled);
}

#[tokio::test]
async fn a_cancelled_ticket_is_forgotten_and_a_listing_is_not_cancellable() {
    let own = Own::start().await;
    let mut client = own.log_in("hub").await;
    let info = client.execute("select 1 as a".into(), None).await.unwrap();
    assert_eq!(cancel(&mut client, info.clone()).await.unwrap(), CancelStatus::Cancelled);
    let gone = client.do_get(ticket(&info)).await.unwrap_err();
    assert_eq!(short(&gone.to_string()), "the ticket is unknown or has expired; send the statement again");
    let listing = client.get_catalogs().await.unwrap();
    assert_eq!(
        listing.endpoint[0].ticket.clone().unwrap().ticket,
        CommandGetCatalogs {}.as_any().encode_to_vec()
    );
    assert_eq!(cancel(&mut client, listing).await.unwrap(), CancelStatus::NotCancellable);
    for garbage in [FlightInfo::default(), FlightInfo::new().with_endpoint(FlightEndpoint::new())] {
        assert_eq!(cancel(&mut client, garbage).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let garbage = act(&mut client, "CancelFlightInfo", vec![0xff; 9]).await.unwrap_err();
    assert_eq!(garbage.code(), Code::InvalidArgument);
}

async fn renew(client: &mut Client, endpoint: FlightEndpoint) -> Result<FlightEndpoint, Status> {
    let body = RenewFlightEndpointRequest { endpoint: Some(endpoint) }.encode_to_vec();
    let answers = act(client, "RenewFlightEndpoint", body).await?;
    Ok(FlightEndpoint::decode(answers[0].clone()).unwrap())
}

#[tokio::test]
async fn a_ticket_can_be_renewed() {
    let own = Own::start().await;
    let mut client = own.log_in("hub").await;
    let info = client.execute("select 1 as a".into(), None).await.unwrap();
    let [mut old] = info.endpoint.try_into().unwrap();
    let announced = old.expiration_time.take().unwrap().seconds;
    let renewed = renew(&mut client, old.clone()).await.unwrap();
    assert_eq!(renewed.ticket, old.ticket);
    let expires = renewed.expiration_time.unwrap().seconds;
    assert!(expires >= announced && expires > chrono::Utc::now().timestamp(), "{announced} {expires}");
    let mut rows = client.do_get(renewed.ticket.unwrap()).await.unwrap();
    assert_eq!(rows.try_next().await.unwrap().unwrap().num_rows(), 1);
}
