//! System tables that come from the state database: runs, steps, checks.

use super::rows::{Cell, batch};
use super::{Column, Kind, View};
use crate::error::{Error, Result};
use crate::policy::roles::Forces;
use datafusion::arrow::record_batch::RecordBatch;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

pub(super) const RUNS: &[(&str, Column)] = &[
    ("run", Column::Text),
    ("pipeline", Column::Text),
    ("slot", Column::Instant),
    ("attempt", Column::Int),
    ("started_at", Column::Instant),
    ("finished_at", Column::Instant),
    ("outcome", Column::Text),
    ("release", Column::Int),
    ("steps", Column::Int),
    ("failed_steps", Column::Int),
];

pub(super) const STEPS: &[(&str, Column)] = &[
    ("run", Column::Text),
    ("pipeline", Column::Text),
    ("step", Column::Int),
    ("force", Column::Text),
    ("kind", Column::Text),
    ("name", Column::Text),
    ("started_at", Column::Instant),
    ("finished_at", Column::Instant),
    ("duration_ms", Column::Int),
    ("outcome", Column::Text),
    ("rows", Column::Int),
    ("bytes", Column::Int),
    ("message", Column::Text),
];

pub(super) const CHECKS: &[(&str, Column)] = &[
    ("run", Column::Text),
    ("force", Column::Text),
    ("model", Column::Text),
    ("rule", Column::Text),
    ("severity", Column::Text),
    ("failing", Column::Int),
    ("checked", Column::Int),
];

/// Every run, for those who read every force. For all others, the runs that did something for
/// `forces`, as if they had done nothing else: begun with the first of these steps, ended with the
/// last, failed when one of them did.
pub(super) async fn runs(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let mut own: BTreeMap<String, Own> = BTreeMap::new();
    for step in own_steps(view, forces).await? {
        let run = step.try_get("run").map_err(unknown)?;
        own.entry(run).or_default().add(&step).map_err(unknown)?;
    }
    let sql = "select run, pipeline, slot, attempt, started_at, finished_at, outcome, release \
               from runs order by started_at, run";
    let mut rows = Vec::new();
    for run in fetch(view, sql).await? {
        let of_run = own.remove(run.try_get::<&str, _>("run").map_err(unknown)?);
        match (forces, of_run) {
            (Forces::Only(_), None) => {}
            (Forces::Only(_), Some(own)) => rows.push(own.row(&run, true).map_err(unknown)?),
            (Forces::All, own) => rows.push(own.unwrap_or_default().row(&run, false).map_err(unknown)?),
        }
    }
    batch(Kind::Runs, &rows)
}

/// What a run did for those who ask.
#[derive(Default)]
struct Own {
    steps: u64,
    failed: u64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

impl Own {
    fn add(&mut self, step: &AnyRow) -> sqlx::Result<()> {
        let (started, finished): (i64, i64) = (step.try_get("started_at")?, step.try_get("finished_at")?);
        self.steps += 1;
        self.failed += u64::from(step.try_get::<&str, _>("outcome")? == "failed");
        self.started_at = Some(self.started_at.map_or(started, |first| first.min(started)));
        self.finished_at = Some(self.finished_at.map_or(finished, |last| last.max(finished)));
        Ok(())
    }

    /// The row of `run`; `alone`: without anything that it did for others.
    fn row(&self, run: &AnyRow, alone: bool) -> sqlx::Result<Vec<Cell>> {
        let (started_at, finished_at, outcome) = match (alone, self.failed) {
            (false, _) => (run.try_get("started_at")?, run.try_get("finished_at")?, run.try_get("outcome")?),
            (true, 0) => (self.started_at, self.finished_at, "succeeded".to_string()),
            (true, _) => (self.started_at, self.finished_at, "failed".to_string()),
        };
        Ok(vec![
            Cell::Text(run.try_get("run")?),
            Cell::Text(run.try_get("pipeline")?),
            Cell::Instant(run.try_get("slot")?),
            Cell::Int(run.try_get("attempt")?),
            Cell::Instant(started_at),
            Cell::Instant(finished_at),
            Cell::Text(Some(outcome)),
            Cell::Int(run.try_get("release")?),
            Cell::from(self.steps),
            Cell::from(self.failed),
        ])
    }
}

/// The steps of every run, of `forces` and, for those who read every force, of the hub.
pub(super) async fn steps(view: &View, forces: &Forces) -> Result<RecordBatch> {
    select(Kind::Steps, STEPS, &own_steps(view, forces).await?, |_| true)
}

/// The steps that those who read `forces` may see. They are numbered within run and force, because a
/// common numbering would count other forces' steps.
async fn own_steps(view: &View, forces: &Forces) -> Result<Vec<AnyRow>> {
    let sql = "select s.run, r.pipeline, row_number() over (partition by s.run, s.force order by s.step) as step, \
               s.force, s.kind, s.name, s.started_at, s.finished_at, \
               (s.finished_at - s.started_at) / 1000 as duration_ms, s.outcome, s.rows, s.bytes, s.message \
               from steps s join runs r on r.run = s.run order by s.run, s.force, s.step";
    let mut steps = fetch(view, sql).await?;
    steps.retain(|row| {
        let built = row.try_get::<&str, _>("kind").is_ok_and(|kind| kind == "build");
        belongs(row, forces) && (!built || exists_for(view, row, "name"))
    });
    Ok(steps)
}

/// What the checks of every run found, of `forces` and, for those who read every force, of the hub.
pub(super) async fn checks(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let sql =
        "select run, force, model, rule, severity, failing, checked from checks order by run, model, force";
    let rows = fetch(view, sql).await?;
    select(Kind::Checks, CHECKS, &rows, |row| belongs(row, forces) && exists_for(view, row, "model"))
}

async fn fetch(view: &View, sql: &'static str) -> Result<Vec<AnyRow>> {
    let fetched = sqlx::query(sql).fetch_all(view.state.pool()).await;
    fetched.map_err(|e| Error::internal("the state database cannot be read").because(e))
}

/// Whether the table that a column names is granted; one that is not does not exist here either.
fn exists_for(view: &View, row: &AnyRow, column: &str) -> bool {
    row.try_get::<&str, _>(column).is_ok_and(|table| view.principal.forces_for(table).is_some())
}

fn belongs(row: &AnyRow, forces: &Forces) -> bool {
    match row.try_get::<Option<String>, _>("force") {
        Ok(Some(force)) => forces.contains(&force),
        Ok(None) => *forces == Forces::All,
        Err(_) => false,
    }
}

fn select(
    kind: Kind,
    columns: &[(&str, Column)],
    rows: &[AnyRow],
    keep: impl Fn(&AnyRow) -> bool,
) -> Result<RecordBatch> {
    let cell = |row: &AnyRow, (name, column): &(&str, Column)| -> Result<Cell, sqlx::Error> {
        Ok(match column {
            Column::Text => Cell::Text(row.try_get(*name)?),
            Column::Int => Cell::Int(row.try_get(*name)?),
            Column::Instant => Cell::Instant(row.try_get(*name)?),
        })
    };
    let cells = rows.iter().filter(|row| keep(row)).map(|row| columns.iter().map(|c| cell(row, c)).collect());
    let cells: Vec<Vec<Cell>> = cells.collect::<Result<_, sqlx::Error>>().map_err(unknown)?;
    batch(kind, &cells)
}

fn unknown(cause: sqlx::Error) -> Error {
    Error::internal("the state database holds an unknown row").because(cause)
}
