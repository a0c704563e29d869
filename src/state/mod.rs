//! What must survive a restart but is not data: runs, steps, checks and the record of queries.
//! Losing it loses no data: cursors and releases are in the lake.

pub mod checks;
pub mod queries;
pub mod runs;

use crate::error::{Error, Result};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use std::path::Path;

/// The state database.
#[derive(Debug, Clone)]
pub struct State {
    pool: SqlitePool,
}

impl State {
    /// Opens the database at `path`, making it and its tables when they are missing.
    pub async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(30));
        let opened = async {
            let pool = SqlitePool::connect_with(options).await?;
            sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await?;
            Ok::<_, sqlx::Error>(pool)
        };
        let pool = opened.await.map_err(|e| {
            Error::internal("the state database cannot be opened")
                .at(path.display())
                .hint("check that the folder exists and can be written; deleting the file loses run history, not data")
                .because(e)
        })?;
        Ok(Self { pool })
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}
