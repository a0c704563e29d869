//! System tables that come from the state database: runs, checks, queries.

use super::rows::{Cell, batch};
use super::{Column, Kind, View};
use crate::error::{Error, Result};
use crate::policy::roles::Forces;
use datafusion::arrow::record_batch::RecordBatch;
use sqlx::Row;
use sqlx::any::AnyRow;

pub(super) const RUNS: &[(&str, Column)] = &[
    ("run", Column::Text),
    ("pipeline", Column::Text),
    ("step", Column::Int),
    ("force", Column::Text),
    ("kind", Column::Text),
    ("name", Column::Text),
    ("started_at", Column::Instant),
    ("finished_at", Column::Instant),
    ("outcome", Column::Text),
    ("rows", Column::Int),
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

pub(super) const QUERIES: &[(&str, Column)] = &[
    ("query", Column::Int),
    ("started_at", Column::Instant),
    ("finished_at", Column::Instant),
    ("principal", Column::Text),
    ("peer", Column::Text),
    ("statement", Column::Text),
    ("release", Column::Int),
    ("tables", Column::Text),
    ("forces", Column::Text),
    ("outcome", Column::Text),
    ("rows", Column::Int),
    ("bytes", Column::Int),
    ("parameters", Column::Text),
];

/// The steps of every run, of `forces` and, for those who read every force, of the hub. Steps are
/// numbered within run and force, because a common numbering would count other forces' steps.
pub(super) async fn runs(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let sql = "select s.run, r.pipeline, row_number() over (partition by s.run, s.force order by s.step) as step, \
               s.force, s.kind, s.name, s.started_at, s.finished_at, s.outcome, s.rows, s.message \
               from steps s join runs r on r.run = s.run order by s.run, s.force, s.step";
    let rows = fetch(view, sql, None).await?;
    let own = |row: &AnyRow| {
        let built = row.try_get::<&str, _>("kind").is_ok_and(|kind| kind == "build");
        belongs(row, forces) && (!built || exists_for(view, row, "name"))
    };
    select(Kind::Runs, RUNS, &rows, own)
}

/// What the checks of every run found, of `forces` and, for those who read every force, of the hub.
pub(super) async fn checks(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let sql =
        "select run, force, model, rule, severity, failing, checked from checks order by run, model, force";
    let rows = fetch(view, sql, None).await?;
    select(Kind::Checks, CHECKS, &rows, |row| belongs(row, forces) && exists_for(view, row, "model"))
}

/// Every statement for those who read every force; their own for all others. A principal's
/// statements are numbered among themselves, because a common numbering would count the others'.
pub(super) async fn queries(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let sql = "select row_number() over (partition by principal order by query) as query, started_at, finished_at, \
               principal, peer, statement, release, tables, forces, outcome, rows, bytes, parameters \
               from queries where $1 is null or principal = $1 order by queries.query";
    let own = match forces {
        Forces::All => None,
        Forces::Only(_) => Some(view.principal.name.as_str()),
    };
    let rows = fetch(view, sql, own).await?;
    select(Kind::Queries, QUERIES, &rows, |_| true)
}

async fn fetch(view: &View, sql: &'static str, principal: Option<&str>) -> Result<Vec<AnyRow>> {
    let mut query = sqlx::query(sql);
    if sql.contains("$1") {
        query = query.bind(principal.map(str::to_string));
    }
    let fetched = query.fetch_all(view.state.pool()).await;
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
    let cells: Vec<Vec<Cell>> = cells
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|e| Error::internal("the state database holds an unknown row").because(e))?;
    batch(kind, &cells)
}
