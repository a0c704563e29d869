//! The record of every statement: written before it runs, completed after.

use super::{State, text, whole};
use crate::error::{Error, Result};
use sqlx::Row;

/// What is known of a statement before it runs.
#[derive(Debug, Clone)]
pub struct Query {
    /// Who asks.
    pub principal: String,
    /// The address of the client, or `local`.
    pub peer: String,
    /// The text, as received; the beginning of a very long one.
    pub statement: String,
    /// The values bound to its parameters, a JSON list of rows; `None` when there are none.
    pub parameters: Option<String>,
    /// The release that answers; 0 when the statement never got that far.
    pub release: u64,
    /// The tables that the plan reads, `layer.name`.
    pub tables: Vec<String>,
    /// The forces whose rows the principal may read, or `*`.
    pub forces: Vec<String>,
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The client received every row.
    Succeeded,
    /// The client received an error.
    Failed,
    /// The client went away before the end.
    Cancelled,
}

impl Outcome {
    /// The word in the record and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

impl State {
    /// Records that a statement is about to run. Without this record it must not run.
    pub async fn begin_query(&self, query: &Query) -> Result<i64> {
        let insert = sqlx::query(
            "insert into queries (started_at, principal, peer, statement, release, tables, forces, parameters) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) returning query",
        )
        .bind(now())
        .bind(&query.principal)
        .bind(&query.peer)
        .bind(text(&query.statement))
        .bind(whole(query.release))
        .bind(query.tables.join(","))
        .bind(query.forces.join(","))
        .bind(query.parameters.as_deref().map(text));
        let number =
            self.returned(insert).await.and_then(|row| row.ok_or(sqlx::Error::RowNotFound)?.try_get(0));
        number.map_err(|e| {
            Error::internal("the statement was refused because it cannot be recorded")
                .hint("check that the state database can be written and that its disk is not full")
                .because(e)
        })
    }

    /// Completes the record of a statement.
    pub async fn finish_query(&self, query: i64, outcome: Outcome, rows: u64, bytes: u64) -> Result<()> {
        let updated = sqlx::query(
            "update queries set finished_at = $1, outcome = $2, rows = $3, bytes = $4 where query = $5",
        )
        .bind(now())
        .bind(outcome.word())
        .bind(whole(rows))
        .bind(whole(bytes))
        .bind(query)
        .execute(self.pool())
        .await;
        updated.map(|_| ()).map_err(|e| {
            Error::internal("the end of the statement cannot be recorded")
                .hint("check that the state database can be written and that its disk is not full")
                .because(e)
        })
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Access, Address};

    #[tokio::test]
    async fn a_statement_is_recorded_before_and_completed_after() {
        let dir = tempfile::tempdir().unwrap();
        let state =
            State::open(&Address::Sqlite(dir.path().join("state.db")), &Access::default()).await.unwrap();
        let query = Query {
            principal: "anna".into(),
            peer: "local".into(),
            statement: "select ?".into(),
            parameters: Some("[[1]]".into()),
            release: 7,
            tables: vec!["marts.spend".into(), "marts.strength".into()],
            forces: vec!["beds".into()],
        };
        let id = state.begin_query(&query).await.unwrap();
        let read = "select coalesce(outcome, 'running') || ' ' || tables || ' ' || parameters || ' ' || coalesce(rows, -1) \
             from queries";
        let before: String = sqlx::query_scalar(read).fetch_one(state.pool()).await.unwrap();
        state.finish_query(id, Outcome::Succeeded, 3, 24).await.unwrap();
        let after: String = sqlx::query_scalar(read).fetch_one(state.pool()).await.unwrap();
        assert_eq!(before, "running marts.spend,marts.strength [[1]] -1");
        assert_eq!(after, "succeeded marts.spend,marts.strength [[1]] 3");
    }
}
