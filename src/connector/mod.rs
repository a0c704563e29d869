//! 1 CONNECTOR. Reads a source and yields record batches. It never writes.

mod batch;
pub mod contract;
mod cursor;
mod finding;
mod format;
pub mod hash;
pub mod infer;
mod look;
mod names;
mod rows;
#[cfg(test)]
mod testing;
mod transport;
mod value;

pub use finding::{Finding, Matter};
pub use look::{Differences, look};
pub use transport::{FileOrder, Heard};

use crate::connector::contract::{Column, Contract, InvoicePart, Lag};
use crate::error::{Error, Result};
use crate::project::Source;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use futures::stream::BoxStream;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A source, opened. Everything that is read through one session of a database shows one moment.
#[derive(Debug)]
pub struct Session(transport::Session);

/// What a source offers of an entity.
#[derive(Debug)]
pub enum Offer {
    /// A table: its state now.
    Table,
    /// An answer to whoever asks.
    Answer,
    /// Files.
    Files {
        /// The complete ones, in the order in which they must be landed; none is not an error.
        ready: Vec<Listed>,
        /// Names of files that are still arriving: a later pull takes them.
        arriving: Vec<String>,
    },
}

/// A file that a source offers, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The file's name, without its folder.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// Differs whenever the bytes may differ; a file with a known one need not be read again.
    pub tag: String,
}

/// A file as received, byte for byte, in the lake.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The file's name, without its folder.
    pub name: String,
    /// The tag with which it was listed.
    pub tag: String,
    /// The SHA-256 of the bytes, in lowercase hex.
    pub sha256: String,
    /// Where the bytes are.
    pub path: PathBuf,
}

/// Which rows of a table are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// All of them.
    Whole,
    /// Those whose cursor is at least this, and those without one; as [`Totals::high`] writes it.
    /// Whatever the source calls now is the other end.
    Since(String),
    /// Those whose cursor is one of these or between them. Says nothing of where the next pull goes
    /// on: it has no [`Totals::high`].
    Between(String, String),
}

/// The rows of a table or file, in batches of [`extract_schema`], and what was counted on the way.
#[derive(Debug)]
pub struct Extract {
    batches: mpsc::Receiver<Result<Item>>,
    columns: Vec<String>,
    totals: Option<Totals>,
}

/// What a reader sends: the columns of a table, batches, then the totals, once.
#[derive(Debug)]
pub(crate) enum Item {
    /// The names of all columns of a table.
    Columns(Vec<String>),
    /// Some rows.
    Batch(RecordBatch),
    /// The end; a stream without it was cut.
    End(Totals),
}

/// What was counted at the source and on arrival. The reader has already compared them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows at the source (a count in the same snapshot, or the trailer), if it says; without those
    /// that the contract leaves out.
    pub source_rows: Option<u64>,
    /// Rows received, good and bad.
    pub received_rows: u64,
    /// Sums by column.
    pub sums: BTreeMap<String, Sum>,
    /// For contracts with a cursor: the upper bound of what was read, taken from the source's own
    /// clock (dates and timestamps) or its highest value (ints), as text in the source's own time:
    /// `2026-03-29 01:30:00.000000`, `2026-03-29`, `4711`. `None`: nothing has a cursor yet.
    pub high: Option<String>,
    /// What somebody should know, though it broke nothing.
    pub findings: Vec<Finding>,
    /// The keys of all rows at the source, where changes come with them: known rows that are not
    /// among them are gone.
    pub alive: Option<Keys>,
}

/// The hashes of keys, as `_key_hash` has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(Arc<Vec<u128>>);

impl Keys {
    pub(crate) fn new(mut keys: Vec<u128>) -> Self {
        keys.sort_unstable();
        Self(Arc::new(keys))
    }

    /// Whether a row has this key.
    pub fn contains(&self, key: u128) -> bool {
        self.0.binary_search(&key).is_ok()
    }
}

/// The sum of one numeric column, as decimal text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// What the source says, if it does.
    pub source: Option<String>,
    /// What was received in readable cells.
    pub received: String,
    /// The part of it in rows that keep their contract.
    pub accepted: String,
    /// Cells that are not numbers; with any of them the two sums are not compared.
    pub unreadable: u64,
}

impl Extract {
    pub(crate) fn new(batches: mpsc::Receiver<Result<Item>>) -> Self {
        Self { batches, columns: Vec::new(), totals: None }
    }

    /// The next rows; `None` at the end. An error ends the extract: nothing of it may be landed.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.totals.is_some() {
            return None;
        }
        let mut item = self.batches.recv().await;
        if let Some(Ok(Item::Columns(columns))) = item {
            self.columns = columns;
            item = self.batches.recv().await;
        }
        match item {
            Some(Ok(Item::Columns(_))) => Some(Err(Error::internal("a table has its columns twice"))),
            Some(Ok(Item::Batch(batch))) => Some(Ok(batch)),
            Some(Ok(Item::End(totals))) => {
                self.totals = Some(totals);
                None
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(Error::source("the reader stopped before the end of the extract"))),
        }
    }

    /// The names of all columns of a table, those included that the contract does not name; known
    /// with the first rows.
    pub fn columns(&self) -> &[String] {
        &self.columns
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
/// - `_row_hash` Binary: 16 bytes over all typed values (see [`hash`]); for a bad row over its raw text
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

/// Opens a source: connects to a database and fixes the moment that it shows.
pub async fn open(source: &Source) -> Result<Session> {
    transport::open(source).await.map(Session)
}

impl Session {
    /// What the source offers of an entity.
    pub async fn offers(&mut self, contract: &Contract) -> Result<Offer> {
        self.0.offers(contract).await
    }

    /// Starts reading the entity's table. A table that cannot be read, or that breaks its contract
    /// as a whole, shows as the last item of the extract.
    pub async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        self.0.read(contract, span).await
    }

    /// What the source answers about the rows of `span`, byte for byte: to be kept as a file, whose
    /// tag says when it was received (RFC 3339).
    pub async fn ask(&mut self, contract: &Contract, span: &Span) -> Result<Bytes> {
        self.0.ask(contract, span).await
    }

    /// The bytes of a file that nobody wrote to in the meantime.
    pub async fn fetch(&mut self, contract: &Contract, file: &Listed) -> Result<Bytes> {
        self.0.fetch(contract, file).await
    }
}

/// Bytes on their way.
pub type Bytes = BoxStream<'static, Result<bytes::Bytes>>;

/// Starts reading a file in the layout of `contract`.
pub fn read_file(source: &Source, contract: &Contract, file: &SourceFile) -> Result<Extract> {
    transport::read_file(source, contract, file)
}

/// What the answer of a queue at `path` holds.
pub fn heard(contract: &Contract, path: &Path) -> Result<Heard> {
    transport::heard(contract, path)
}

/// A lower bound `lag` below `high`, both as [`Totals::high`] writes them.
pub fn lowered(high: &str, lag: Lag) -> Result<String> {
    cursor::lowered(high, lag)
}

/// A lower bound as somebody types it, in the form of [`Totals::high`]; an error when it does not
/// fit the contract's cursor.
pub fn bound(contract: &Contract, text: &str) -> Result<String> {
    cursor::bound(contract, text)
}

/// An upper bound as somebody types it, like [`bound`]; a day is meant to its end.
pub fn upper_bound(contract: &Contract, text: &str) -> Result<String> {
    cursor::upper_bound(contract, text)
}

/// The earlier of two lower bounds, both as [`Totals::high`] writes them.
pub fn earlier(contract: &Contract, a: String, b: String) -> Result<String> {
    cursor::earlier(contract, a, b)
}

/// Where a file of this name stands among the files of its entity.
pub fn file_order(contract: &Contract, name: &str) -> Result<FileOrder> {
    transport::file_order(contract, name)
}

/// The names of what a contract may take from a part of an invoice document.
pub fn invoice_names(part: InvoicePart) -> Vec<&'static str> {
    format::invoice_names(part)
}

/// What reads scanned pages on this machine, such as `tesseract 5.3.0 (eng)`; `Err` says in words
/// why nothing does.
pub fn page_reader() -> Result<String, String> {
    format::page_reader()
}

/// What the row hashes of `contract` are made of.
pub fn recipe(contract: &Contract) -> String {
    hash::recipe(contract)
}

/// Whether row hashes that were made under `recipe` are those that `contract` makes; otherwise
/// they must be made anew to be compared.
pub fn still_hashed(contract: &Contract, recipe: &str) -> bool {
    hash::extends(recipe, &hash::recipe(contract))
}

/// The `_row_hash` of each row of `batch`, which has the contract's columns; one that is missing
/// counts as null.
pub fn row_hashes(contract: &Contract, batch: &RecordBatch) -> Result<Vec<u128>> {
    hash::rows(contract, batch)
}

/// An error when the values of `column` cannot be read as its contract says, whatever they are.
pub fn check_column(column: &Column) -> Result<()> {
    value::Reader::new(column, false).map(drop)
}

/// Starts reading quarantined rows of a database again, as they were received: their numbers and
/// the JSON in which they are kept.
pub fn read_again(source: &Source, contract: &Contract, rows: Vec<(i64, String)>) -> Result<Extract> {
    transport::read_again(source, contract, rows)
}
