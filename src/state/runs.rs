//! Runs, their steps and what their checks found.

use super::{State, instant, text, whole};
use crate::error::{Error, Result};
use crate::telemetry::metrics;
use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{Row, query};

/// A run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Its name, unique for ever.
    pub run: &'a str,
    /// What it runs.
    pub pipeline: &'a str,
    /// The instant it was scheduled for; `None`: somebody asked for it.
    pub slot: Option<DateTime<Utc>>,
    /// The run that it resumes.
    pub parent: Option<&'a str>,
    /// The epoch of the lease under which it runs.
    pub epoch: u64,
}

/// A run, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its name.
    pub run: String,
    /// What it runs.
    pub pipeline: String,
    /// The instant it was scheduled for.
    pub slot: Option<DateTime<Utc>>,
    /// One more than that of the run it resumes; 1 when it resumes none.
    pub attempt: u32,
    /// The run that it resumes.
    pub parent: Option<String>,
    /// What [`State::pin`] was given.
    pub pinned: Option<String>,
    /// The epoch of the lease under which it runs.
    pub epoch: u64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; a run that died has no end.
    pub finished_at: Option<DateTime<Utc>>,
    /// `running`, `succeeded`, `partial` or `failed`.
    pub outcome: String,
    /// The release it published.
    pub release: Option<u64>,
}

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
    /// Bytes it wrote.
    pub bytes: Option<u64>,
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

const RUN: &str = "select run, pipeline, slot, attempt, parent, pinned, epoch, started_at, finished_at, outcome, release \
     from runs";

impl State {
    /// Records that a run has begun.
    pub async fn begin_run(&self, new: &NewRun<'_>) -> Result<()> {
        let sql = "insert into runs (run, pipeline, started_at, outcome, slot, parent, epoch, attempt) \
                   values ($1, $2, $3, 'running', $4, $5, $6, \
                   1 + coalesce((select r.attempt from runs r where r.run = $5), 0))";
        let insert = query(sql)
            .bind(new.run)
            .bind(new.pipeline)
            .bind(Utc::now().timestamp_micros())
            .bind(new.slot.map(|slot| slot.timestamp_micros()))
            .bind(new.parent)
            .bind(whole(new.epoch));
        insert.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// Records what `run` builds from, as JSON, so that a run that resumes it builds from the same.
    pub async fn pin(&self, run: &str, json: &str) -> Result<()> {
        let update = query("update runs set pinned = $1 where run = $2").bind(json).bind(run);
        update.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// The run of this name.
    pub async fn run(&self, run: &str) -> Result<Option<RunRow>> {
        let sql = format!("{RUN} where run = $1");
        let row =
            query(sqlx::AssertSqlSafe(sql)).bind(run).fetch_optional(self.pool()).await.map_err(unread)?;
        row.map(row_of).transpose().map_err(unread)
    }

    /// The newest run of `pipeline`, unless it succeeded: failed, partial, or dead without an end.
    /// Ask under the pipeline's lease; without it a run that goes on looks like a dead one.
    pub async fn last_failed_run(&self, pipeline: &str) -> Result<Option<RunRow>> {
        let sql = format!("{RUN} where pipeline = $1 order by started_at desc, run desc limit 1");
        let row = query(sqlx::AssertSqlSafe(sql))
            .bind(pipeline)
            .fetch_optional(self.pool())
            .await
            .map_err(unread)?;
        let newest = row.map(row_of).transpose().map_err(unread)?;
        Ok(newest.filter(|run| run.outcome != "succeeded"))
    }

    /// Records a step of `run`; steps are numbered in the order of recording.
    pub async fn record_step(&self, run: &str, step: &Step) -> Result<()> {
        self.record_steps(run, std::slice::from_ref(step)).await
    }

    /// Records steps of `run` that ended together, in their order.
    pub async fn record_steps(&self, run: &str, steps: &[Step]) -> Result<()> {
        // The counter's row is locked first, so that steps that end together get numbers in turn.
        let mut transaction = self.pool().begin().await.map_err(failed)?;
        for step in steps {
            let number = query("update runs set steps = steps + 1 where run = $1 returning steps").bind(run);
            let number = number.fetch_one(&mut *transaction).await.and_then(|row| row.try_get::<i64, _>(0));
            let sql = "insert into steps (run, step, force, kind, name, started_at, finished_at, outcome, rows, \
                       bytes, message) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let insert = query(sql)
                .bind(run)
                .bind(number.map_err(failed)?)
                .bind(&step.force)
                .bind(step.kind)
                .bind(&step.name)
                .bind(step.started_at.timestamp_micros())
                .bind(step.finished_at.timestamp_micros())
                .bind(step.outcome)
                .bind(step.rows.map(whole))
                .bind(step.bytes.map(whole))
                .bind(step.message.as_deref().map(text));
            insert.execute(&mut *transaction).await.map_err(failed)?;
            let took = step.finished_at.signed_duration_since(step.started_at);
            metrics::step_ended(step.kind, step.outcome, took.to_std().unwrap_or_default());
        }
        transaction.commit().await.map_err(failed)
    }

    /// Records what the checks of `run` found.
    pub async fn record_checks(&self, run: &str, checks: &[CheckRow]) -> Result<()> {
        let mut transaction = self.pool().begin().await.map_err(failed)?;
        for check in checks {
            let sql = "insert into checks (run, force, model, rule, severity, failing, checked) \
                       values ($1, $2, $3, $4, $5, $6, $7)";
            let insert = query(sql)
                .bind(run)
                .bind(&check.force)
                .bind(&check.model)
                .bind(&check.rule)
                .bind(check.severity)
                .bind(whole(check.failing))
                .bind(whole(check.checked));
            insert.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Ends the runs that died: those that began under an older epoch and have no end. Only the
    /// holder of `epoch` may ask.
    pub async fn end_dead_runs(&self, epoch: u64) -> Result<u64> {
        let sql =
            "update runs set outcome = 'failed', finished_at = $1 where outcome = 'running' and epoch < $2";
        let update = query(sql).bind(Utc::now().timestamp_micros()).bind(whole(epoch));
        update.execute(self.pool()).await.map(|done| done.rows_affected()).map_err(failed)
    }

    /// Records how `run` ended, and the release it published.
    pub async fn finish_run(&self, run: &str, outcome: &str, release: Option<u64>) -> Result<()> {
        metrics::run_ended(outcome);
        let sql = "update runs set finished_at = $1, outcome = $2, release = $3 where run = $4";
        let update =
            query(sql).bind(Utc::now().timestamp_micros()).bind(outcome).bind(release.map(whole)).bind(run);
        update.execute(self.pool()).await.map(drop).map_err(failed)
    }
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("the run could not be recorded in the state database").because(cause)
}

fn unread(cause: sqlx::Error) -> Error {
    Error::internal("a run could not be read from the state database").because(cause)
}

fn row_of(row: AnyRow) -> sqlx::Result<RunRow> {
    let (attempt, epoch): (i64, i64) = (row.try_get("attempt")?, row.try_get("epoch")?);
    let at = |name| row.try_get::<Option<i64>, _>(name);
    Ok(RunRow {
        run: row.try_get("run")?,
        pipeline: row.try_get("pipeline")?,
        slot: at("slot")?.map(instant),
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        parent: row.try_get("parent")?,
        pinned: row.try_get("pinned")?,
        epoch: epoch.unsigned_abs(),
        started_at: instant(row.try_get("started_at")?),
        finished_at: at("finished_at")?.map(instant),
        outcome: row.try_get("outcome")?,
        release: at("release")?.map(i64::unsigned_abs),
    })
}
