//! The tables, and how those of an older version become the present ones.

use super::Backend;
use crate::error::{Error, Result};
use chrono::Utc;
use sqlx::{AnyConnection, Connection, Row};

/// The scripts from one version to the next, the first one from nothing. A version that anybody
/// may have is never edited: a change is a further script.
const SCRIPTS: [Script; 5] = [
    // The first one finds the tables of files that are older than the numbering.
    Script { sqlite: include_str!("schema/1.sqlite.sql"), postgres: include_str!("schema/1.postgres.sql") },
    Script::same(include_str!("schema/2.sql")),
    Script::same(include_str!("schema/3.sql")),
    Script::same(include_str!("schema/4.sql")),
    Script::same(include_str!("schema/5.sql")),
];

/// One step from a version to the next.
struct Script {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Script {
    const fn same(sql: &'static str) -> Self {
        Self { sqlite: sql, postgres: sql }
    }
}

/// Runs the scripts that the database has not seen, all or none of them. Whoever comes meanwhile
/// waits and finds them done.
pub(super) async fn bring_up(connection: &mut AnyConnection, backend: Backend) -> Result<()> {
    let version = upgrade(connection, backend).await.map_err(|e| {
        Error::internal("the tables of the state database cannot be made")
            .hint("its user needs the right to create tables")
            .because(e)
    })?;
    match version > latest() {
        true => {
            Err(Error::config(format!("the state database is of version {version}, newer than this muster"))
                .hint(format!("this one knows versions up to {}; use the newer muster", latest())))
        }
        false => Ok(()),
    }
}

fn latest() -> i64 {
    SCRIPTS.len() as i64
}

/// The version after the upgrade.
async fn upgrade(connection: &mut AnyConnection, backend: Backend) -> sqlx::Result<i64> {
    if let Ok(version) = version(connection).await
        && version >= latest()
    {
        return Ok(version);
    }
    let (begin, lock) = match backend {
        Backend::Sqlite => ("begin immediate", "select 1"),
        // Tables that two sessions make at once collide; any number will do, if it is always this.
        Backend::Postgres => ("begin", "select pg_advisory_xact_lock(7283918237482)"),
    };
    let mut transaction = connection.begin_with(begin).await?;
    sqlx::raw_sql(lock).execute(&mut *transaction).await?;
    let versions =
        "create table if not exists schema_version (version bigint primary key, applied_at bigint not null)";
    sqlx::raw_sql(versions).execute(&mut *transaction).await?;
    let mut done = version(&mut transaction).await?;
    for script in SCRIPTS.iter().skip(usize::try_from(done).unwrap_or_default()) {
        let sql = match backend {
            Backend::Sqlite => script.sqlite,
            Backend::Postgres => script.postgres,
        };
        sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        done += 1;
        let record = sqlx::query("insert into schema_version (version, applied_at) values ($1, $2)");
        record.bind(done).bind(Utc::now().timestamp_micros()).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(done)
}

async fn version(connection: &mut AnyConnection) -> sqlx::Result<i64> {
    let newest = sqlx::query("select coalesce(max(version), 0) from schema_version");
    newest.fetch_one(connection).await?.try_get(0)
}
