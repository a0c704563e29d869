//! What must survive a restart but is not data: runs, steps, checks, leases, schedules, service
//! tokens and the heads of the record of reads. Losing it loses no data: cursors and releases are in
//! the lake.
//!
//! One set of statements serves SQLite and PostgreSQL; what differs is in [`schema`] and in the
//! clock that decides what has expired.

pub mod checks;
pub mod heads;
pub mod health;
pub mod leases;
pub mod runs;
mod schema;
pub mod slots;
pub mod tokens;

use crate::error::{Error, Result};
use crate::project::{Access, Address, Server, TlsMode};
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sqlx::any::{AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a writer waits for the one before it.
const BUSY: Duration = Duration::from_secs(30);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The state database.
#[derive(Clone)]
pub struct State {
    pool: AnyPool,
    backend: Backend,
    clock: Option<Clock>,
}

/// The databases that can keep the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

impl State {
    /// Whether only processes of this machine can use the database.
    pub fn is_local(&self) -> bool {
        self.backend == Backend::Sqlite
    }

    /// Opens the database at `address`, making its tables when they are missing and a SQLite file
    /// too; brings those of an older version to the present one.
    pub async fn open(address: &Address, access: &Access) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (backend, url, place) = match address {
            Address::Sqlite(path) => (Backend::Sqlite, sqlite(path)?, path.display().to_string()),
            Address::Postgres(server) => {
                let place = format!("{}:{}/{}", server.host, server.port, server.database);
                (Backend::Postgres, postgres(server, access)?, place)
            }
            Address::Mysql(_)
            | Address::Odbc(_)
            | Address::Folder(_)
            | Address::Store(_)
            | Address::Sftp(_)
            | Address::Rest(_) => {
                return Err(Error::config("the state can be kept in SQLite or PostgreSQL only"));
            }
        };
        let failed = |e| {
            Error::internal("the state database cannot be opened")
                .at(&place)
                .hint(backend.advice())
                .because(e)
        };
        let options = AnyConnectOptions::from_url(&url).map_err(failed)?;
        // Not the pool's: it tries for half a minute before it says that nobody answers.
        let mut first = AnyConnection::connect_with(&options).await.map_err(failed)?;
        backend.set_up(&mut first).await.map_err(failed)?;
        schema::bring_up(&mut first, backend).await.map_err(|error| error.at(&place))?;
        first.close().await.map_err(failed)?;
        let pool = AnyPoolOptions::new()
            .after_connect(move |connection, _| Box::pin(backend.set_up(connection)))
            .connect_lazy_with(options);
        Ok(Self { pool, backend, clock: None })
    }

    /// The same database by another clock than its own (PostgreSQL) or the machine's (SQLite).
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// A statement in which `:now` is the present in microseconds; its first value is bound.
    fn timed(&self, sql: &'static str) -> Query<'static, Any, AnyArguments> {
        let now = match self.backend {
            Backend::Sqlite => "$1",
            // Read when a row is decided on, which may be a while after the statement has begun.
            Backend::Postgres => {
                "coalesce($1, cast(extract(epoch from clock_timestamp()) * 1000000 as bigint))"
            }
        };
        let given = match (&self.clock, self.backend) {
            (Some(clock), _) => Some(clock().timestamp_micros()),
            (None, Backend::Sqlite) => Some(Utc::now().timestamp_micros()),
            (None, Backend::Postgres) => None,
        };
        sqlx::query(AssertSqlSafe(sql.replace(":now", now))).bind(given)
    }

    /// The row that a changing statement returns. Reads to the end of the statement, as sqlx's own
    /// `fetch_optional` does not: only there does SQLite commit, and only there can it fail to.
    async fn returned(&self, query: Query<'_, Any, AnyArguments>) -> sqlx::Result<Option<AnyRow>> {
        Ok(query.fetch_all(&self.pool).await?.pop())
    }
}

/// Without the address of the pool, which holds a password.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl Backend {
    /// Tells a new connection how long to wait and when a change is safe.
    async fn set_up(self, connection: &mut AnyConnection) -> sqlx::Result<()> {
        let busy = BUSY.as_millis();
        let settings = match self {
            Backend::Sqlite => {
                format!("pragma busy_timeout = {busy}; pragma journal_mode = wal; pragma synchronous = full")
            }
            Backend::Postgres => format!("set lock_timeout = {busy}; set synchronous_commit = on"),
        };
        sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop)
    }

    fn advice(self) -> &'static str {
        match self {
            Backend::Sqlite => {
                "check that the folder exists and can be written; deleting the file loses run history, not data"
            }
            Backend::Postgres => {
                "see whether the server can be reached from here, and `state` and `state_password` of [hub]; \
                 its user must own the database or a schema in it"
            }
        }
    }
}

fn sqlite(path: &Path) -> Result<Url> {
    let path = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    Url::parse(&format!("sqlite:{path}?mode=rwc"))
        .map_err(|e| Error::config("the state database has no usable path").because(e))
}

fn postgres(server: &Server, access: &Access) -> Result<Url> {
    let mode = match access.tls {
        TlsMode::Off => "disable",
        TlsMode::Require => "require",
        TlsMode::Verify => "verify-full",
    };
    let mut url = Url::parse("postgres:///")
        .map_err(|e| Error::internal("the address of the state database cannot be built").because(e))?;
    let mut pairs = url.query_pairs_mut();
    pairs
        .append_pair("host", &server.host)
        .append_pair("port", &server.port.to_string())
        .append_pair("user", &server.user)
        .append_pair("dbname", &server.database)
        .append_pair("sslmode", mode)
        .append_pair("application_name", "muster");
    if let Some(ca) = &access.ca {
        pairs.append_pair("sslrootcert", &ca.to_string_lossy());
    }
    if let Some(password) = &access.password {
        pairs.append_pair("password", &password.read()?);
    }
    drop(pairs);
    Ok(url)
}

/// A number as both databases keep it.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A text without the character that PostgreSQL cannot keep.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
