//! How sources fare: one that keeps failing is tried ever more rarely.

use super::{State, instant};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

/// The wait after the first failure; doubled with each further one in a row.
const BASE_MICROS: i64 = 15 * 60 * 1_000_000;

/// The longest wait.
const MOST_MICROS: i64 = 24 * 3600 * 1_000_000;

/// The number of failures after which doubling stops, before it overflows.
const DOUBLED: i64 = 16;

const FAILED: &str = "insert into sources (source, failures, next_try_at) values ($2, 1, :now + $3) \
     on conflict (source) do update set failures = sources.failures + 1, next_try_at = :now + \
     case when sources.failures >= $5 or $3 * (cast(1 as bigint) << cast(sources.failures as integer)) > $4 then $4 \
     else $3 * (cast(1 as bigint) << cast(sources.failures as integer)) end";

impl State {
    /// How often `source` has failed in a row, and when a schedule may try it again; `None`: its last
    /// pull succeeded, or it has had none.
    pub async fn source_failures(&self, source: &str) -> Result<Option<(u32, DateTime<Utc>)>> {
        let sql = "select failures, next_try_at from sources where source = $1";
        let row = sqlx::query(sql).bind(source).fetch_optional(self.pool()).await.map_err(failed)?;
        let read = |row: AnyRow| -> sqlx::Result<_> {
            let failures: i64 = row.try_get(0)?;
            Ok((u32::try_from(failures).unwrap_or(u32::MAX), instant(row.try_get(1)?)))
        };
        row.map(read).transpose().map_err(failed)
    }

    /// Records how a pull of `source` ended.
    pub async fn record_source(&self, source: &str, ok: bool) -> Result<()> {
        let statement = match ok {
            true => sqlx::query("delete from sources where source = $1").bind(source),
            false => self.timed(FAILED).bind(source).bind(BASE_MICROS).bind(MOST_MICROS).bind(DOUBLED),
        };
        statement.execute(self.pool()).await.map(drop).map_err(failed)
    }
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("the health of a source could not be kept in the state database").because(cause)
}
