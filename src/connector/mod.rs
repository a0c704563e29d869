//! 1 CONNECTOR. Reads a source and yields record batches. It never writes.

mod batch;
pub mod contract;
mod format;
mod hash;
mod rows;
#[cfg(test)]
mod testing;
mod transport;
mod value;

use crate::connector::contract::Contract;
use crate::error::{Error, Result};
use crate::project::Source;
use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// One complete state of an entity that a source offers: a database table as it is now, or one file.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The file, for file transports.
    pub file: Option<SourceFile>,
}

/// A file as received, byte for byte.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The file's name, without its folder.
    pub name: String,
    /// The SHA-256 of the bytes, in lowercase hex.
    pub sha256: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// Sorts file names into the order of their states: by name, without case, because file names are
/// matched without case too and vendors change their mind about it.
pub fn file_order(name: &str) -> (String, String) {
    (name.to_lowercase(), name.to_string())
}

/// The rows of one snapshot, in batches of [`extract_schema`], and what was counted on the way.
#[derive(Debug)]
pub struct Extract {
    batches: mpsc::Receiver<Result<Item>>,
    totals: Option<Totals>,
}

/// What a reader sends: batches, then the totals, once.
#[derive(Debug)]
pub(crate) enum Item {
    /// Some rows.
    Batch(RecordBatch),
    /// The end; a stream without it was cut.
    End(Totals),
}

/// What was counted at the source and on arrival. The reader has already compared them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows at the source (a count in the same snapshot, or the trailer), if it says.
    pub source_rows: Option<u64>,
    /// Rows received, good and bad.
    pub received_rows: u64,
    /// Sums by column.
    pub sums: BTreeMap<String, Sum>,
}

/// The sum of one numeric column, as decimal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// What the source says, if it does.
    pub source: Option<String>,
    /// What was received in readable cells.
    pub received: String,
    /// Cells that are not numbers; with any of them the two sums are not compared.
    pub unreadable: u64,
}

impl Extract {
    pub(crate) fn new(batches: mpsc::Receiver<Result<Item>>) -> Self {
        Self { batches, totals: None }
    }

    /// The next rows; `None` at the end. An error ends the extract: nothing of it may be landed.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.totals.is_some() {
            return None;
        }
        match self.batches.recv().await {
            Some(Ok(Item::Batch(batch))) => Some(Ok(batch)),
            Some(Ok(Item::End(totals))) => {
                self.totals = Some(totals);
                None
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(Error::source("the reader stopped before the end of the extract"))),
        }
    }

    /// What was counted; an error when the end has not been reached.
    pub fn totals(self) -> Result<Totals> {
        self.totals.ok_or_else(|| Error::internal("the totals of an unfinished extract were asked for"))
    }
}

/// The columns of an [`Extract`]:
///
/// - `_row` Int64: the line of a file or the ordinal of a database row, from 1
/// - `_file` Utf8: the file's name, null for databases
/// - `_key_hash` Binary: 16 bytes over the key; for a bad row over its raw text and occurrence,
///   so that good and bad rows never share one
/// - `_row_hash` Binary: 16 bytes over all typed values; for a bad row over its raw text
/// - `_claimed_key` Binary: for a bad row whose key could be read, the hash of that key
/// - `_errors` List<Utf8>: empty for a good row, else every reason as `code column: message`
/// - `_raw` Utf8: the text as received, for bad rows only
/// - then the contract's columns, all null where the row is bad
pub fn extract_schema(contract: &Contract) -> SchemaRef {
    let errors = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let mut fields = vec![
        Field::new("_row", DataType::Int64, false),
        Field::new("_file", DataType::Utf8, true),
        Field::new("_key_hash", DataType::Binary, false),
        Field::new("_row_hash", DataType::Binary, false),
        Field::new("_claimed_key", DataType::Binary, true),
        Field::new("_errors", errors, false),
        Field::new("_raw", DataType::Utf8, true),
    ];
    fields.extend(contract.schema().fields().iter().map(|f| f.as_ref().clone()));
    Arc::new(Schema::new(fields))
}

/// The snapshots that `source` offers of an entity, in the order in which they must be landed:
/// one for a database; every matching file, by name, for a folder (none is not an error).
pub async fn discover(source: &Source, contract: &Contract) -> Result<Vec<Snapshot>> {
    transport::discover(source, contract).await
}

/// Starts reading one snapshot. A source that cannot be reached, and a snapshot that breaks its
/// contract as a whole, show as the last item of the extract.
pub async fn read(source: &Source, contract: &Contract, snapshot: Snapshot) -> Result<Extract> {
    transport::read(source, contract, snapshot)
}
