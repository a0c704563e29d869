//! Runs, their steps and what their checks found.

use super::State;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};

/// One part of a run that has ended.
#[derive(Debug, Clone)]
pub struct Step {
    /// The force's code; `None` for steps over the whole hub.
    pub force: Option<String>,
    /// `pull`, `build`, `check` or `release`.
    pub kind: &'static str,
    /// Source and entity, or model.
    pub name: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// `succeeded`, `unchanged` or `failed`.
    pub outcome: &'static str,
    /// Rows it read or made.
    pub rows: Option<u64>,
    /// What went wrong.
    pub message: Option<String>,
}

/// What a check found, for the record.
#[derive(Debug, Clone)]
pub struct CheckRow {
    /// The force's code; `None` for hub-scope models.
    pub force: Option<String>,
    /// `layer.name`.
    pub model: String,
    /// The words of the header.
    pub rule: String,
    /// `block` or `warn`.
    pub severity: &'static str,
    /// Rows that fail.
    pub failing: u64,
    /// Rows looked at.
    pub checked: u64,
}

impl State {
    /// Records that `run` has begun.
    pub async fn begin_run(&self, run: &str, pipeline: &str) -> Result<()> {
        let sql = "insert into runs (run, pipeline, started_at, outcome) values (?, ?, ?, 'running')";
        let insert = sqlx::query(sql).bind(run).bind(pipeline).bind(Utc::now().timestamp_micros());
        insert.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// Records a step of `run`; steps are numbered in the order of recording.
    pub async fn record_step(&self, run: &str, step: &Step) -> Result<()> {
        let sql = "insert into steps (run, step, force, kind, name, started_at, finished_at, outcome, rows, message) \
                   values (?, (select count(*) + 1 from steps where run = ?), ?, ?, ?, ?, ?, ?, ?, ?)";
        let insert = sqlx::query(sql)
            .bind(run)
            .bind(run)
            .bind(&step.force)
            .bind(step.kind)
            .bind(&step.name)
            .bind(step.started_at.timestamp_micros())
            .bind(step.finished_at.timestamp_micros())
            .bind(step.outcome)
            .bind(step.rows.and_then(|r| i64::try_from(r).ok()))
            .bind(&step.message);
        insert.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// Records what the checks of `run` found.
    pub async fn record_checks(&self, run: &str, checks: &[CheckRow]) -> Result<()> {
        let mut transaction = self.pool().begin().await.map_err(failed)?;
        for check in checks {
            let sql = "insert into checks (run, force, model, rule, severity, failing, checked) \
                       values (?, ?, ?, ?, ?, ?, ?)";
            let insert = sqlx::query(sql)
                .bind(run)
                .bind(&check.force)
                .bind(&check.model)
                .bind(&check.rule)
                .bind(check.severity)
                .bind(i64::try_from(check.failing).unwrap_or(i64::MAX))
                .bind(i64::try_from(check.checked).unwrap_or(i64::MAX));
            insert.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Records how `run` ended, and the release it published.
    pub async fn finish_run(&self, run: &str, outcome: &str, release: Option<u64>) -> Result<()> {
        let sql = "update runs set finished_at = ?, outcome = ?, release = ? where run = ?";
        let update = sqlx::query(sql)
            .bind(Utc::now().timestamp_micros())
            .bind(outcome)
            .bind(release.and_then(|r| i64::try_from(r).ok()))
            .bind(run);
        update.execute(self.pool()).await.map(drop).map_err(failed)
    }
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("the run could not be recorded in the state database").because(cause)
}
