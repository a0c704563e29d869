//! System tables that come from the lake: loads, quarantine, releases, coverage.

use super::{Column, Kind, View};
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::raw::{self, Place};
use crate::policy::roles::Forces;
use crate::release::{self, Dataset, RowsOf};
use chrono::Utc;
use datafusion::arrow::array::{
    Array, ArrayRef, Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::ident;
use std::sync::Arc;

pub(super) const LOADS: &[(&str, Column)] = &[
    ("force", Column::Text),
    ("source", Column::Text),
    ("entity", Column::Text),
    ("load", Column::Int),
    ("loaded_at", Column::Instant),
    ("file", Column::Text),
    ("source_rows", Column::Int),
    ("received_rows", Column::Int),
    ("accepted_rows", Column::Int),
    ("quarantined_rows", Column::Int),
    ("in_quarantine_rows", Column::Int),
    ("inserted_rows", Column::Int),
    ("changed_rows", Column::Int),
    ("deleted_rows", Column::Int),
    ("withheld_rows", Column::Int),
    ("whole", Column::Text),
    ("high", Column::Text),
    ("sums", Column::Text),
];

pub(super) const FINDINGS: &[(&str, Column)] = &[
    ("force", Column::Text),
    ("source", Column::Text),
    ("entity", Column::Text),
    ("load", Column::Int),
    ("file", Column::Text),
    ("code", Column::Text),
    ("column_name", Column::Text),
    ("rows", Column::Int),
    ("message", Column::Text),
];

pub(super) const QUARANTINE: &[(&str, Column)] = &[
    ("force", Column::Text),
    ("source", Column::Text),
    ("entity", Column::Text),
    ("load", Column::Int),
    ("file", Column::Text),
    ("row", Column::Int),
    ("column_name", Column::Text),
    ("reason", Column::Text),
    ("detail", Column::Text),
    ("raw", Column::Text),
];

pub(super) const RELEASES: &[(&str, Column)] = &[
    ("release", Column::Int),
    ("published_at", Column::Instant),
    ("force", Column::Text),
    ("status", Column::Text),
    ("since", Column::Instant),
    ("why", Column::Text),
    ("run", Column::Text),
];

pub(super) const COVERAGE: &[(&str, Column)] = &[
    ("force", Column::Text),
    ("dataset", Column::Text),
    ("status", Column::Text),
    ("since", Column::Instant),
    ("why", Column::Text),
    ("rows", Column::Int),
    ("received_rows", Column::Int),
    ("quarantined_rows", Column::Int),
    ("release", Column::Int),
    ("as_of", Column::Instant),
    ("late", Column::Text),
];

/// A cell of a system table.
pub(super) enum Cell {
    Text(Option<String>),
    Int(Option<i64>),
    Instant(Option<i64>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(Some(text.to_string()))
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Cell::Int(i64::try_from(number).ok())
    }
}

/// Rows of cells as a batch with the columns of `kind`.
pub(super) fn batch(kind: Kind, rows: &[Vec<Cell>]) -> Result<RecordBatch> {
    let schema = kind.schema();
    let column = |index: usize| -> ArrayRef {
        let text = |row: &Vec<Cell>| match row.get(index) {
            Some(Cell::Text(text)) => text.clone(),
            _ => None,
        };
        let number = |row: &Vec<Cell>| match row.get(index) {
            Some(Cell::Int(number) | Cell::Instant(number)) => *number,
            _ => None,
        };
        match rows.first().and_then(|row| row.get(index)) {
            Some(Cell::Int(_)) => Arc::new(rows.iter().map(number).collect::<Int64Array>()),
            Some(Cell::Instant(_)) => {
                let instants = rows.iter().map(number).collect::<TimestampMicrosecondArray>();
                Arc::new(instants.with_timezone("UTC"))
            }
            _ => Arc::new(rows.iter().map(text).collect::<StringArray>()),
        }
    };
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema));
    }
    let columns = (0..schema.fields().len()).map(column).collect();
    RecordBatch::try_new(schema, columns)
        .map_err(|e| Error::internal(format!("hub.{} does not fit its columns", kind.name())).because(e))
}

/// The raw tables of the release that belong to `forces`, with the version pinned.
fn raw_tables(view: &View, forces: &Forces) -> Vec<(Place, u64)> {
    let planted = fail::eval("plant::foreign-loads", |_| ()).is_some();
    let tables = view.manifest.tables.iter();
    let own = tables.filter(|(_, table)| match &table.rows_of {
        RowsOf::Force(force) => planted || forces.contains(force),
        RowsOf::EachForce | RowsOf::Hub | RowsOf::Nobody => false,
    });
    own.filter_map(|(path, table)| {
        let mut parts = path.split('/').skip(1).map(str::to_string);
        let place = Place { force: parts.next()?, source: parts.next()?, entity: parts.next()? };
        Some((place, table.version))
    })
    .collect()
}

pub(super) async fn loads(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for (place, version) in raw_tables(view, forces) {
        for load in raw::loads(&view.lake, &place, Some(version)).await? {
            let sums = serde_json::to_string(&load.sums)
                .map_err(|e| Error::internal("the sums of a load").because(e))?;
            rows.push(vec![
                Cell::from(load.force.as_str()),
                Cell::from(load.source.as_str()),
                Cell::from(load.entity.as_str()),
                Cell::Int(Some(load.load)),
                Cell::Instant(Some(load.loaded_at)),
                Cell::Text(load.file),
                Cell::Int(load.source_rows.and_then(|n| i64::try_from(n).ok())),
                Cell::from(load.received_rows),
                Cell::from(load.accepted_rows),
                Cell::from(load.quarantined_rows),
                Cell::from(load.in_quarantine_rows),
                Cell::from(load.inserted_rows),
                Cell::from(load.changed_rows),
                Cell::from(load.deleted_rows),
                Cell::from(load.withheld_rows),
                Cell::from(if load.whole { "yes" } else { "no" }),
                Cell::Text(load.high),
                Cell::Text(Some(sums)),
            ]);
        }
    }
    batch(Kind::Loads, &rows)
}

pub(super) async fn findings(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for (place, version) in raw_tables(view, forces) {
        for load in raw::loads(&view.lake, &place, Some(version)).await? {
            for finding in load.findings {
                rows.push(vec![
                    Cell::from(place.force.as_str()),
                    Cell::from(place.source.as_str()),
                    Cell::from(place.entity.as_str()),
                    Cell::Int(Some(load.load)),
                    Cell::Text(load.file.clone()),
                    Cell::Text(Some(finding.code)),
                    Cell::Text(finding.column),
                    Cell::from(finding.rows),
                    Cell::Text(Some(finding.message)),
                ]);
            }
        }
    }
    batch(Kind::Findings, &rows)
}

pub(super) async fn quarantine(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for (place, number) in raw_tables(view, forces) {
        // Most entities have no bad row, and their loads say so without a scan.
        let newest = raw::loads(&view.lake, &place, Some(number)).await?.into_iter().next();
        if newest.is_none_or(|load| load.quarantined_rows + load.in_quarantine_rows == 0) {
            continue;
        }
        let version = view.lake.version(&place.table(), number).await?;
        bad_rows(view, &place, &version, &mut rows).await?;
    }
    batch(Kind::Quarantine, &rows)
}

async fn bad_rows(view: &View, place: &Place, version: &Version, rows: &mut Vec<Vec<Cell>>) -> Result<()> {
    let failed = |e| Error::lake("the quarantined rows cannot be read").at(place.table()).because(e);
    let granted = view.principal.forces_for(&format!("quarantine.{}", place.entity));
    let sent = |text: &str| {
        let shown = granted.as_ref().is_some_and(|forces| forces.contains(&place.force));
        Cell::Text(shown.then(|| text.to_string()))
    };
    let columns = ["_load", "_row", "_file", "_errors", "_raw"].map(ident).to_vec();
    let frame = raw::rows(&view.engine.context(), version, true)?;
    let batches = frame.select(columns).map_err(failed)?.collect().await.map_err(failed)?;
    for batch in &batches {
        let loads = raw::column::<Int64Array>(batch, "_load")?;
        let numbers = raw::column::<Int64Array>(batch, "_row")?;
        let files = raw::column::<StringArray>(batch, "_file")?;
        let errors = raw::column::<ListArray>(batch, "_errors")?;
        let texts = raw::column::<StringArray>(batch, "_raw")?;
        for row in 0..batch.num_rows() {
            let reasons = errors.value(row);
            let Some(reasons) = reasons.as_any().downcast_ref::<StringArray>() else { continue };
            for reason in reasons.iter().flatten() {
                let (what, detail) = reason.split_once(": ").unwrap_or((reason, ""));
                let (code, column) = what.split_once(' ').unwrap_or((what, ""));
                rows.push(vec![
                    Cell::from(place.force.as_str()),
                    Cell::from(place.source.as_str()),
                    Cell::from(place.entity.as_str()),
                    Cell::Int(Some(loads.value(row))),
                    Cell::Text(files.is_valid(row).then(|| files.value(row).to_string())),
                    Cell::Int(Some(numbers.value(row))),
                    Cell::Text((!column.is_empty()).then(|| column.to_string())),
                    Cell::from(code),
                    sent(detail),
                    sent(texts.value(row)),
                ]);
            }
        }
    }
    Ok(())
}

pub(super) async fn releases(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    let numbers = release::numbers(&view.lake).await?;
    for number in numbers.into_iter().filter(|n| *n <= view.manifest.release) {
        let manifest = release::published(&view.lake, number).await?;
        for (force, status) in manifest.forces.iter().filter(|(force, _)| forces.contains(force)) {
            rows.push(vec![
                Cell::from(manifest.release),
                Cell::Instant(Some(manifest.published_at)),
                Cell::from(force.as_str()),
                Cell::from(status.status.as_str()),
                Cell::Instant(status.since),
                Cell::Text(status.why.clone()),
                Cell::from(manifest.run.as_str()),
            ]);
        }
    }
    batch(Kind::Releases, &rows)
}

/// Whether the newest data of a dataset is older now than a pipeline expects; `None`: none does.
fn late(view: &View, dataset: &str, as_of: Option<i64>) -> Option<String> {
    let (allowed, as_of) = (view.fresh.get(dataset)?, as_of?);
    let age = Utc::now().timestamp_micros().saturating_sub(as_of);
    let is_late = u128::try_from(age).is_ok_and(|age| age > allowed.as_micros());
    Some(if is_late { "yes" } else { "no" }.to_string())
}

pub(super) fn coverage(view: &View, forces: &Forces) -> Result<RecordBatch> {
    let release = view.manifest.release;
    let row = |force: Option<&str>, name: &str, dataset: &Dataset| {
        vec![
            Cell::Text(force.map(str::to_string)),
            Cell::from(name),
            Cell::from(dataset.status.as_str()),
            Cell::Instant(dataset.since),
            Cell::Text(dataset.why.clone()),
            Cell::from(dataset.rows),
            Cell::from(dataset.received_rows),
            Cell::from(dataset.quarantined_rows),
            Cell::from(release),
            Cell::Instant(dataset.as_of),
            Cell::Text(late(view, name, dataset.as_of)),
        ]
    };
    let mut rows = Vec::new();
    let planted = fail::eval("plant::unfiltered-coverage", |_| ()).is_some();
    let visible = |force: &String| planted || forces.contains(force);
    for (force, status) in view.manifest.forces.iter().filter(|(force, _)| visible(force)) {
        // What a principal may not read has no coverage for them either.
        let granted = |name: &&String| {
            view.principal.forces_for(name).is_some_and(|granted| planted || granted.contains(force))
        };
        // Nor has what was only ever made for others; who reads every force sees that it is missing.
        let made = |name: &str| *forces == Forces::All || planted || view.manifest.has(name, force);
        let datasets = status.datasets.iter().filter(|(name, _)| granted(name) && made(name));
        rows.extend(datasets.map(|(name, dataset)| row(Some(force), name, dataset)));
    }
    let of_hub = view.manifest.hub.iter().filter(|(name, _)| view.principal.may_read_hub_table(name));
    rows.extend(of_hub.map(|(name, dataset)| row(None, name, dataset)));
    batch(Kind::Coverage, &rows)
}
