//! `hub.queries`: the record of reads as a table. It may be long, so it is streamed from its files.

use super::{Column, Kind, View};
use crate::audit::Log;
use crate::audit::entry::Ended;
use crate::audit::read::{Found, Recorded, Statements};
use crate::error::Result;
use crate::policy::roles::Forces;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use std::sync::Arc;

pub(super) const QUERIES: &[(&str, Column)] = &[
    ("query", Column::Int),
    ("started_at", Column::Instant),
    ("finished_at", Column::Instant),
    ("duration_ms", Column::Int),
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

/// What `outcome` says of a line that somebody has spoiled; all else in its row is null.
const UNREADABLE: &str = "unreadable";

/// The most statements of a batch, and about the most bytes of their texts.
const BATCH_ROWS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// Batches that wait to be fetched.
const WAITING: usize = 2;

/// The plan that reads every statement for those who read every force; their own for all others. A
/// principal's statements are numbered among themselves, because a common numbering would count
/// the others'.
pub(super) fn plan(
    view: &View,
    forces: &Forces,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let own = match forces {
        Forces::All => None,
        Forces::Only(_) => Some(view.principal.name.clone()),
    };
    let schema = Kind::Queries.schema();
    let record = Record { log: view.audit.clone(), own, schema: Arc::clone(&schema) };
    let exec = StreamingTableExec::try_new(schema, vec![Arc::new(record)], projection, [], false, limit)?;
    Ok(Arc::new(exec))
}

#[derive(Debug)]
struct Record {
    log: Log,
    own: Option<String>,
    schema: SchemaRef,
}

impl PartitionStream for Record {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), WAITING);
        let (batches, log, own) = (stream.tx(), self.log.clone(), self.own.clone());
        stream.spawn_blocking(move || {
            let mut statements = Statements::open(log.folder(), own.as_deref()).map_err(external)?;
            loop {
                let found = next(&mut statements).map_err(external)?;
                // Nobody listens any more, or there is no more to tell.
                if found.is_empty() || batches.blocking_send(batch(&found)).is_err() {
                    return Ok(());
                }
            }
        });
        stream.build()
    }
}

/// The statements of the next batch; none at the end.
fn next(statements: &mut Statements) -> Result<Vec<Found>> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < BATCH_ROWS
        && bytes < BATCH_BYTES
        && let Some(next) = statements.next().transpose()?
    {
        if let Found::Statement(it) = &next {
            bytes += it.query.statement.len() + it.query.parameters.as_ref().map_or(0, String::len);
        }
        found.push(next);
    }
    Ok(found)
}

fn batch(found: &[Found]) -> Result<RecordBatch, DataFusionError> {
    let text = |get: fn(&Recorded) -> Option<String>| -> ArrayRef {
        Arc::new(found.iter().map(|it| get(statement(it)?)).collect::<StringArray>())
    };
    let number = |get: fn(&Recorded) -> i64| -> ArrayRef {
        Arc::new(found.iter().map(|it| Some(get(statement(it)?))).collect::<Int64Array>())
    };
    let ended = |get: fn(Ended) -> u64| -> ArrayRef {
        let whole = |it| i64::try_from(get(it)).ok();
        Arc::new(found.iter().map(|it| whole(statement(it)?.ended?)).collect::<Int64Array>())
    };
    let instant = |get: fn(&Recorded) -> Option<i64>| -> ArrayRef {
        let instants = found.iter().map(|it| get(statement(it)?)).collect::<TimestampMicrosecondArray>();
        Arc::new(instants.with_timezone("UTC"))
    };
    let outcome = |it: &Found| match it {
        Found::Statement(it) => it.ended.map(|ended| ended.outcome.word()),
        Found::Unreadable => Some(UNREADABLE),
    };
    let columns = vec![
        number(|it| it.number),
        instant(|it| Some(it.started_at)),
        instant(|it| it.ended.map(|ended| ended.at)),
        ended(|it| it.micros / 1000),
        text(|it| Some(it.query.principal.clone())),
        text(|it| Some(it.query.peer.clone())),
        text(|it| Some(it.query.statement.clone())),
        number(|it| i64::try_from(it.query.release).unwrap_or(i64::MAX)),
        text(|it| Some(it.query.tables.join(","))),
        text(|it| Some(it.query.forces.join(","))),
        Arc::new(found.iter().map(outcome).collect::<StringArray>()),
        ended(|it| it.rows),
        ended(|it| it.bytes),
        text(|it| it.query.parameters.clone()),
    ];
    Ok(RecordBatch::try_new(Kind::Queries.schema(), columns)?)
}

fn statement(found: &Found) -> Option<&Recorded> {
    match found {
        Found::Statement(it) => Some(it),
        Found::Unreadable => None,
    }
}

fn external(error: crate::error::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
