//! MySQL and MariaDB. A snapshot belongs to one connection there: all tables of a session are read
//! over it, one after the other. A read waits for the extract before it to end or to be dropped.

mod decode;
mod plan;

use crate::connector::contract::Contract;
use crate::connector::transport::server::{Fault, Host};
use crate::connector::transport::table::Feed;
use crate::connector::transport::wait::{Stop, Wait};
use crate::connector::transport::{Outlet, place, start_table, table_of};
use crate::connector::{Extract, Span, Totals};
use crate::error::{Error, Result};
use crate::project::{Server, Source, TlsMode};
use chrono::{DateTime, Utc};
use futures::{FutureExt, TryStreamExt};
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, MySqlConnection, Row};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A query that cannot be stopped by then is left alone, and the connection with it.
const STOP: Duration = Duration::from_secs(10);

/// A database, at one moment.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    moment: Arc<Moment>,
}

/// What all tables of a session show.
#[derive(Debug)]
struct Moment {
    host: Host,
    /// The connection that shows it; `None` once it is lost.
    connection: Mutex<Option<MySqlConnection>>,
    /// The server's name for the connection, by which a query can be stopped from outside.
    number: u64,
    /// The source's clock when the snapshot was taken, or a little before.
    now: DateTime<Utc>,
}

/// Opens the database and takes the snapshot.
pub(super) async fn open(source: &Source, server: &Server) -> Result<Session> {
    let host = Host::new(source, server, judge);
    let mut connection = connect(&host, &source.name).await?;
    let failed = |error| host.failed(&source.name, "a snapshot could not be taken", error);
    let asked = "select connection_id(), cast(utc_timestamp(6) as char), version()";
    let row = sqlx::query(asked).fetch_one(&mut connection).await.map_err(failed)?;
    let number: u64 = row.try_get_unchecked(0).map_err(failed)?;
    let (clock, version): (String, String) =
        (row.try_get_unchecked(1).map_err(failed)?, row.try_get_unchecked(2).map_err(failed)?);
    let now = host.clock(&clock)?;
    for set in settings(source, &version) {
        connection.execute(AssertSqlSafe(set)).await.map_err(failed)?;
    }
    let moment = Moment { host, connection: Mutex::new(Some(connection)), number, now };
    Ok(Session { moment: Arc::new(moment) })
}

/// The limits of the session, and the beginning of its transaction.
fn settings(source: &Source, version: &str) -> [String; 5] {
    let seconds = |time: Duration| time.as_secs().max(1);
    let (idle, whole) = (source.access.idle_timeout, source.access.timeout);
    [
        match version.contains("MariaDB") {
            true => format!("set session max_statement_time = {}", seconds(whole)),
            false => format!("set session max_execution_time = {}", whole.as_millis().min(u32::MAX.into())),
        },
        // While batches are landed, the server waits for us.
        format!("set session net_write_timeout = {}", seconds(whole)),
        format!("set session lock_wait_timeout = {}", seconds(idle)),
        "set session transaction isolation level repeatable read".into(),
        "start transaction with consistent snapshot, read only".into(),
    ]
}

async fn connect(host: &Host, at: &str) -> Result<MySqlConnection> {
    let (server, access) = (&host.server, &host.source.access);
    let mut options = MySqlConnectOptions::new()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .password(&host.password(at)?)
        .database(&server.database)
        // The session's zone is UTC, and its mode is the server's.
        .timezone(Some("+00:00".to_string()))
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_mode(match access.tls {
            TlsMode::Off => MySqlSslMode::Disabled,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::Verify => MySqlSslMode::VerifyIdentity,
        })
        .disable_statement_logging();
    if let Some(ca) = &access.ca {
        options = options.ssl_ca(ca);
    }
    host.entered(at, Box::pin(MySqlConnection::connect_with(&options))).await
}

impl Session {
    /// Starts reading the entity's table.
    pub(super) async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        let moment = Arc::clone(&self.moment);
        let source = &moment.host.source;
        let table = table_of(source, contract)?.to_string();
        let (at, contract, span) = (place(source, contract), contract.clone(), span.clone());
        Ok(start_table(move |outlet| async move {
            let wait = Wait::new(&moment.host.source, &at, &outlet);
            let reading = Reading { moment: Arc::clone(&moment), contract, table, at, wait };
            let mut connection = moment.connection.lock().await;
            reading.run(&mut connection, &span, &outlet).await
        }))
    }
}

/// One table on its way.
#[derive(Debug)]
struct Reading {
    moment: Arc<Moment>,
    contract: Contract,
    /// As the contract names it.
    table: String,
    at: String,
    wait: Wait,
}

impl Reading {
    async fn run(
        &self,
        shared: &mut Option<MySqlConnection>,
        span: &Span,
        outlet: &Outlet,
    ) -> Result<Totals, Stop> {
        let Some(connection) = shared else {
            let error = Error::source("the connection was lost with the table before this one");
            return Err(error.at(&self.at).hint("a later pull takes a new snapshot").into());
        };
        let read = self.read(connection, span, outlet).await;
        if read.is_err() && !self.stopped(connection).await {
            *shared = None;
        }
        read
    }

    async fn read(
        &self,
        connection: &mut MySqlConnection,
        span: &Span,
        outlet: &Outlet,
    ) -> Result<Totals, Stop> {
        let plan = plan::plan(self, connection, span).await?;
        let mut feed = Feed::new(&self.contract, &self.at, plan.control, outlet)?;
        let mut rows = sqlx::query(AssertSqlSafe(plan.select)).fetch(connection);
        loop {
            let row = match rows.try_next().now_or_never() {
                Some(row) => row,
                None => self.wait.bytes(rows.try_next()).await?,
            };
            let Some(row) = row.map_err(|error| self.failed(error))? else { break };
            decode::check(&row, &plan.kinds).map_err(|error| error.at(&self.at))?;
            if let Some(batch) = feed.push(&|at| decode::cell(&row, at, plan.kinds[at]))? {
                feed.send(batch).await?;
            }
        }
        feed.finish(plan.high).await
    }

    /// Stops the query from outside, so that the snapshot can show the next table; whether it can.
    async fn stopped(&self, connection: &mut MySqlConnection) -> bool {
        let stopped = async {
            // A query that has ended has nothing to stop.
            if tokio::time::timeout(Duration::from_millis(200), connection.ping())
                .await
                .is_ok_and(|p| p.is_ok())
            {
                return true;
            }
            let Ok(mut other) = connect(&self.moment.host, &self.at).await else { return false };
            let kill = AssertSqlSafe(format!("kill query {}", self.moment.number));
            other.execute(kill).await.is_ok() && connection.ping().await.is_ok()
        };
        tokio::time::timeout(STOP, stopped).await.unwrap_or(false)
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        self.moment.host.failed(&self.at, &format!("table '{}' could not be read", self.table), error)
    }
}

/// What error numbers mean: <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn judge(error: &dyn DatabaseError) -> (Fault, String) {
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
    let fault = match number {
        1044 | 1045 | 1130 | 1251 | 1698 => Fault::Refused,
        1142 | 1143 | 1227 | 1356 | 1370 => Fault::Denied,
        1317 | 1969 | 3024 => Fault::Stopped,
        1205 => Fault::Locked,
        1053 | 1077 | 1152 | 1927 => Fault::Cut,
        1264 | 1292 | 1365 | 1366 | 1406 | 1411 | 1690 => Fault::Data,
        _ => Fault::Other,
    };
    (fault, number.to_string())
}
