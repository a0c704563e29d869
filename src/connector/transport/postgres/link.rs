//! Connections to PostgreSQL.

use crate::connector::transport::postgres::Reading;
use crate::connector::transport::server::{Fault, Host};
use crate::connector::transport::wait::Stop;
use crate::error::Result;
use crate::project::TlsMode;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::time::Duration;

/// A query that cannot be cancelled by then ends with its connection.
const CANCEL: Duration = Duration::from_secs(10);

/// A connection that reads one table, or a part of it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: PgConnection,
    /// The server's process, by which it can be stopped from outside.
    process: i32,
}

impl Link {
    /// Connects and shows the session's snapshot.
    pub(super) async fn open(reading: &Reading) -> Result<Self, Stop> {
        let host = &reading.moment.host;
        let entered = reading.wait.answer(connect(host, &reading.at)).await?;
        let mut connection = entered?;
        let access = &host.source.access;
        let limits = format!(
            "set statement_timeout = {}; set lock_timeout = {}",
            milliseconds(access.timeout),
            milliseconds(access.idle_timeout)
        );
        let prepared = async {
            connection.execute(AssertSqlSafe(limits)).await?;
            begin(&mut connection, Some(&reading.moment.snapshot)).await?;
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await
        };
        let process = reading.wait.bytes(prepared).await?.map_err(|error| reading.failed(error))?;
        Ok(Self { connection, process })
    }

    /// Stops the query: a server that computes does not notice that nobody listens any more.
    pub(super) async fn cancel(self, reading: &Reading) {
        let cancelled = async {
            let mut other = connect(&reading.moment.host, &reading.at).await.ok()?;
            let cancel = sqlx::query("select pg_cancel_backend($1)").bind(self.process);
            cancel.execute(&mut other).await.ok()?;
            other.close().await.ok()
        };
        // The connection ends in any case, and the query with its next row.
        tokio::time::timeout(CANCEL, cancelled).await.ok();
    }
}

/// Connects.
pub(super) async fn connect(host: &Host, at: &str) -> Result<PgConnection> {
    let (server, access) = (&host.server, &host.source.access);
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .username(&server.user)
        .password(&host.password(at)?)
        .database(&server.database)
        .application_name("muster")
        .ssl_mode(match access.tls {
            TlsMode::Off => PgSslMode::Disable,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::Verify => PgSslMode::VerifyFull,
        })
        .disable_statement_logging();
    if let Some(ca) = &access.ca {
        options = options.ssl_root_cert(ca);
    }
    host.entered(at, PgConnection::connect_with(&options)).await
}

/// Begins a transaction that shows one moment and changes nothing. It may be idle for as long as
/// other tables take, and the server must notice when this machine has gone.
pub(super) async fn begin(connection: &mut PgConnection, snapshot: Option<&str>) -> sqlx::Result<()> {
    let shown = match snapshot {
        Some(snapshot) => format!("; set transaction snapshot {}", literal(snapshot)),
        None => String::new(),
    };
    let begin = format!(
        "set idle_in_transaction_session_timeout = 0; \
         set tcp_keepalives_idle = 60; \
         set standard_conforming_strings = on; \
         begin isolation level repeatable read read only{shown}"
    );
    connection.execute(AssertSqlSafe(begin)).await.map(drop)
}

/// The server counts in 32 bits.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs())
}

/// An identifier, safe in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, safe in SQL: `copy` takes no parameters.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What PostgreSQL's error codes mean: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn judge(error: &dyn DatabaseError) -> (Fault, String) {
    let code = error.code().unwrap_or_default().into_owned();
    let fault = match code.as_str() {
        "28000" | "28P01" => Fault::Refused,
        "42501" => Fault::Denied,
        "57014" => Fault::Stopped,
        "55P03" => Fault::Locked,
        "57P01" | "57P02" | "57P03" | "57P05" => Fault::Cut,
        code if ["08"].iter().any(|class| code.starts_with(class)) => Fault::Cut,
        code if ["22", "23", "P0"].iter().any(|class| code.starts_with(class)) => Fault::Data,
        _ => Fault::Other,
    };
    (fault, code)
}
