//! The rows that fail checks, all of them, in a table of the lake: what a force must mend can be
//! queried, whether it was released or held back.

use super::build::Built;
use super::check::{Facts, Finding, failing_rows};
use super::{Check, Model};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::{Change, Commit, DataFile};
use crate::lake::failures::{OF_FORCES, OF_HUB, schema};
use arrow::json::LineDelimitedWriter;
use datafusion::arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::json;
use std::sync::Arc;

/// Writes the rows that fail, as they come from the engine, to files that belong to no version
/// yet. `findings` are those of the checks of `models`, in their order.
pub(super) async fn write(
    lake: &Lake,
    context: &SessionContext,
    models: &[&Model],
    findings: &[Finding],
    facts: &Facts,
) -> Result<Vec<DataFile>> {
    let checks = models.iter().flat_map(|model| model.checks.iter().map(move |check| (*model, check)));
    let failing: Vec<_> = checks.zip(findings).filter(|(_, finding)| finding.failing > 0).collect();
    if failing.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = failing
        .into_iter()
        .map(|((model, check), finding)| of_check(context, model, check, finding, facts).boxed())
        .collect();
    // One check after the other, batch by batch: there may be as many failing rows as rows.
    let rows = Box::pin(stream::iter(rows).buffered(1).try_flatten());
    lake.table(table_of(facts)).write(&schema(), facts.force.as_deref(), rows).await
}

/// Commits the failing rows of a build, once; whether it is released does not matter.
pub async fn commit(lake: &Lake, built: &Built, facts: &Facts) -> Result<()> {
    if built.failures.is_empty() {
        return Ok(());
    }
    let commit = Commit {
        change: Change::Append(built.failures.clone()),
        transaction: None,
        metadata: vec![("muster.run".to_string(), facts.run.as_str().into())],
    };
    let table = lake.table(table_of(facts));
    table.commit(&schema(), facts.force.is_some(), commit).await.map(drop)
}

/// Deletes files of [`write`] that will not be committed.
pub(super) async fn discard(lake: &Lake, files: &[DataFile]) {
    let (of_forces, of_hub): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| file.force.is_some());
    lake.table(OF_FORCES).discard(&of_forces).await;
    lake.table(OF_HUB).discard(&of_hub).await;
}

fn table_of(facts: &Facts) -> &'static str {
    if facts.force.is_some() { OF_FORCES } else { OF_HUB }
}

/// The rows that fail a check, or what it says of the table.
async fn of_check<'a>(
    context: &SessionContext,
    model: &'a Model,
    check: &Check,
    finding: &'a Finding,
    facts: &'a Facts,
) -> Result<BoxStream<'a, Result<RecordBatch>>> {
    let Some(sql) = failing_rows(&model.table(), &check.rule) else {
        return Ok(stream::iter([of_verdict(finding, facts)]).boxed());
    };
    let failed = |e| Error::model("the failing rows cannot be read").at(&model.file).because(e);
    let rows = context.sql(&sql).await.map_err(failed)?.execute_stream().await.map_err(failed)?;
    let rows = rows.map(move |batch| {
        let batch = batch.map_err(failed)?;
        told(finding, facts, json_lines(&batch)?)
    });
    Ok(rows.boxed())
}

/// What a table that fails as a whole should have been, in the place of a row.
fn of_verdict(finding: &Finding, facts: &Facts) -> Result<RecordBatch> {
    let verdict = finding.verdict.as_ref();
    let row = json!({
        "expected": verdict.map(|verdict| verdict.expected.as_str()),
        "found": verdict.map(|verdict| verdict.found.as_str()),
    });
    told(finding, facts, vec![row.to_string()])
}

fn told(finding: &Finding, facts: &Facts, rows: Vec<String>) -> Result<RecordBatch> {
    let count = rows.len();
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; count])) };
    let at = TimestampMicrosecondArray::from(vec![facts.at.timestamp_micros(); count]).with_timezone("UTC");
    let columns = vec![
        text(&facts.run),
        text(&finding.model),
        text(&finding.rule),
        text(finding.severity.as_str()),
        Arc::new(at),
        Arc::new(StringArray::from(rows)),
    ];
    RecordBatch::try_new(schema(), columns)
        .map_err(|e| Error::internal("failing rows do not fit their table").because(e))
}

/// Each row as a JSON object, nulls included.
fn json_lines(batch: &RecordBatch) -> Result<Vec<String>> {
    let failed = |e| Error::internal("a failing row cannot be written as JSON").because(e);
    let mut writer: LineDelimitedWriter<_> =
        arrow::json::WriterBuilder::new().with_explicit_nulls(true).build(Vec::new());
    writer.write(batch).map_err(failed)?;
    writer.finish().map_err(failed)?;
    let text = String::from_utf8(writer.into_inner())
        .map_err(|e| Error::internal("a failing row is not text").because(e))?;
    Ok(text.lines().map(str::to_string).collect())
}
