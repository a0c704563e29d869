//! Checks received rows against their contract and turns them into batches and totals.

use crate::connector::batch::Batch;
use crate::connector::contract::{Contract, Encoding};
use crate::connector::hash::Hasher;
use crate::connector::value::{Cell, Code, Reader, Reason, Value, number, readable};
use crate::connector::{Sum, Totals, extract_schema};
use crate::error::{Error, Result};
use datafusion::arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The most bytes of one row. More is an unclosed quote or binary data, and Arrow counts the
/// text of a column in 31 bits.
const MAX_ROW_BYTES: usize = 64 << 20;

/// What the source itself says about a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// The number of rows.
    pub(crate) rows: Option<u64>,
    /// Sums by column, in units of the column's last digit.
    pub(crate) sums: BTreeMap<String, i128>,
}

/// A row as received, for `_raw` and for the hashes of bad rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Received<'a> {
    /// A record of a file, without its line end.
    Line(&'a [u8], Encoding),
    /// A database row; shown as a JSON object of its cells.
    Cells,
}

/// The rows of one snapshot on their way into batches.
#[derive(Debug)]
pub(crate) struct Rows {
    at: String,
    readers: Vec<Reader>,
    /// The columns' names in the source.
    from: Vec<String>,
    key: Vec<usize>,
    hasher: Hasher,
    /// Key hash → the first row that claims the key.
    claimed: HashMap<u128, i64>,
    /// Hash of a bad row → how often it came.
    refused: HashMap<u128, u64>,
    tallies: Vec<Tally>,
    source_rows: Option<u64>,
    received_rows: u64,
    batch: Batch,
}

/// The running sum of one column.
#[derive(Debug)]
struct Tally {
    column: usize,
    scale: u8,
    source: Option<i128>,
    received: i128,
    unreadable: u64,
}

impl Rows {
    /// Starts a snapshot of `contract`. `at` is the place for errors; `trim_text` is for layouts
    /// that pad text with blanks.
    pub(crate) fn new(
        contract: &Contract,
        at: &str,
        file: Option<String>,
        trim_text: bool,
        control: Control,
    ) -> Result<Self> {
        let readers: Vec<Reader> =
            contract.columns.iter().map(|c| Reader::new(c, trim_text)).collect::<Result<_>>()?;
        let mut key: Vec<usize> =
            contract.key.iter().map(|name| place_of(contract, name)).collect::<Result<_>>()?;
        key.sort_unstable();
        let types = || contract.columns.iter().map(|c| &c.ty);
        Ok(Self {
            at: at.to_string(),
            tallies: tallies(contract, &readers, &control)?,
            hasher: Hasher::new(types(), key.clone()),
            batch: Batch::new(extract_schema(contract), types(), file),
            from: contract.columns.iter().map(|c| c.from[0].clone()).collect(),
            readers,
            key,
            claimed: HashMap::new(),
            refused: HashMap::new(),
            source_rows: control.rows,
            received_rows: 0,
        })
    }

    /// Takes in a row; `cell` gives the cell of each contract column.
    pub(crate) fn push<'r>(
        &mut self,
        row: i64,
        received: Received<'_>,
        cell: &dyn Fn(usize) -> Cell<'r>,
    ) -> Result<()> {
        self.received_rows += 1;
        self.check_size(row, received)?;
        let mut values = Vec::with_capacity(self.readers.len());
        let mut refused = Vec::new();
        for (at, reader) in self.readers.iter_mut().enumerate() {
            values.push(reader.read(cell(at)).unwrap_or_else(|reason| {
                refused.push((at, reason));
                Value::Null
            }));
        }
        self.count(&values, &refused)?;
        let key_hash = self.claim(row, &values, &mut refused);
        match key_hash {
            Some(key_hash) if refused.is_empty() => {
                let row_hash = self.hasher.row(&values);
                self.batch.good(row, key_hash, row_hash, values);
                Ok(())
            }
            _ => {
                let reasons: Vec<Reason> = refused.into_iter().map(|(_, reason)| reason).collect();
                self.refuse(row, received, cell, key_hash, &reasons)
            }
        }
    }

    /// Takes in a row whose cells cannot be told apart.
    pub(crate) fn push_ragged(&mut self, row: i64, received: Received<'_>, message: &str) -> Result<()> {
        self.received_rows += 1;
        self.check_size(row, received)?;
        for tally in &mut self.tallies {
            tally.unreadable += 1;
        }
        let reason = Reason::new(Code::RaggedRow, "row", message);
        self.refuse(row, received, &|_| Cell::Null, None, &[reason])
    }

    /// A batch, when enough rows are waiting for one.
    pub(crate) fn full_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.batch.is_full() { self.batch.take() } else { Ok(None) }
    }

    /// The rows that still wait.
    pub(crate) fn last_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.batch.take()
    }

    /// What was counted, compared with what the source says.
    pub(crate) fn totals(self) -> Result<Totals> {
        if let Some(rows) = self.source_rows
            && rows != self.received_rows
        {
            let received = self.received_rows;
            let message = format!("the source counts {rows} rows, but {received} were received");
            return Err(Error::contract(message).at(&self.at).hint(CUT));
        }
        let mut sums = BTreeMap::new();
        for tally in &self.tallies {
            let name = self.readers[tally.column].name();
            let (source, received) = (tally.source, number::render(tally.received, tally.scale));
            let source_text = source.map(|sum| number::render(sum, tally.scale));
            if let Some(text) = &source_text
                && tally.unreadable == 0
                && source != Some(tally.received)
            {
                let message = format!(
                    "the sum of column '{name}' is {text} at the source, but {received} was received"
                );
                return Err(Error::contract(message).at(&self.at).hint(CUT));
            }
            let accepted = received.clone();
            let sum = Sum { source: source_text, received, accepted, unreadable: tally.unreadable };
            sums.insert(name.to_string(), sum);
        }
        Ok(Totals { source_rows: self.source_rows, received_rows: self.received_rows, sums, high: None })
    }

    fn check_size(&self, row: i64, received: Received<'_>) -> Result<()> {
        match received {
            Received::Line(bytes, _) if bytes.len() > MAX_ROW_BYTES => Err(self.too_long(row)),
            _ => Ok(()),
        }
    }

    fn too_long(&self, row: i64) -> Error {
        Error::contract(format!("row {row} is longer than {} MiB", MAX_ROW_BYTES >> 20))
            .at(&self.at)
            .hint("a quote may not be closed, or the data may be binary")
    }

    /// Adds a row to the sums. A missing value adds nothing; a refused one makes a sum incomparable.
    fn count(&mut self, values: &[Value<'_>], refused: &[(usize, Reason)]) -> Result<()> {
        for tally in &mut self.tallies {
            let added = match values[tally.column] {
                Value::Int(value) => i128::from(value),
                Value::Decimal(value) => value,
                _ => {
                    let unreadable =
                        |(at, reason): &(usize, Reason)| *at == tally.column && reason.code != Code::Required;
                    tally.unreadable += u64::from(refused.iter().any(unreadable));
                    continue;
                }
            };
            tally.received = tally.received.checked_add(added).ok_or_else(|| {
                let name = self.readers[tally.column].name();
                Error::contract(format!("the sum of column '{name}' has more than 38 digits")).at(&self.at)
            })?;
        }
        Ok(())
    }

    /// The hash of the row's key, if it could be read. A key that another row has claimed before
    /// is one more reason to refuse this one.
    fn claim(&mut self, row: i64, values: &[Value<'_>], refused: &mut Vec<(usize, Reason)>) -> Option<u128> {
        if self.key.iter().any(|at| values[*at] == Value::Null) {
            return None;
        }
        let key_hash = self.hasher.key(|at| &values[at]);
        let first = *self.claimed.entry(key_hash).or_insert(row);
        if first != row {
            let names: Vec<&str> = self.key.iter().map(|at| self.readers[*at].name()).collect();
            let message = format!("row {first} has the same key");
            refused.push((usize::MAX, Reason::new(Code::DuplicateKey, &names.join(","), message)));
        }
        Some(key_hash)
    }

    fn refuse<'r>(
        &mut self,
        row: i64,
        received: Received<'_>,
        cell: &dyn Fn(usize) -> Cell<'r>,
        claimed_key: Option<u128>,
        reasons: &[Reason],
    ) -> Result<()> {
        let raw = match received {
            Received::Line(bytes, encoding) => decoded(bytes, encoding),
            Received::Cells => Cow::Owned(json(&self.from, cell)),
        };
        if raw.len() > 4 * MAX_ROW_BYTES {
            return Err(self.too_long(row));
        }
        let row_hash = match received {
            Received::Line(bytes, _) => self.hasher.bad_row(bytes),
            Received::Cells => self.hasher.bad_row(raw.as_bytes()),
        };
        let occurrence = self.refused.entry(row_hash).or_insert(0);
        *occurrence += 1;
        let key_hash = self.hasher.bad_key(row_hash, *occurrence);
        self.batch.bad(row, (key_hash, row_hash), claimed_key, reasons, &raw);
        Ok(())
    }
}

const CUT: &str = "the extract may be cut or edited: ask for it again";

/// The text of a line: all of it, whatever its bytes are.
pub(crate) fn decoded(bytes: &[u8], encoding: Encoding) -> Cow<'_, str> {
    match encoding {
        Encoding::Utf8 => readable(bytes),
        Encoding::Windows1252 => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
        Encoding::Utf16 => encoding_rs::UTF_16LE.decode(bytes).0,
    }
}

/// A database row as JSON: `{"NAME":"Miller","PAY":null}`.
fn json<'r>(names: &[String], cell: &dyn Fn(usize) -> Cell<'r>) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let value = match cell(at) {
                Cell::Null => "null".to_string(),
                Cell::Int(value) => value.to_string(),
                Cell::Blob(bytes) => {
                    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("\"x'{digits}'\"")
                }
                typed => text(&typed.text()),
            };
            format!("{}:{value}", text(name))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

fn tallies(contract: &Contract, readers: &[Reader], control: &Control) -> Result<Vec<Tally>> {
    let mut names: Vec<&String> = contract.totals.iter().chain(control.sums.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let column = place_of(contract, name)?;
            let scale = readers[column]
                .scale()
                .ok_or_else(|| Error::config(format!("column '{name}' is not numeric and has no sum")))?;
            let source = control.sums.get(name).copied();
            Ok(Tally { column, scale, source, received: 0, unreadable: 0 })
        })
        .collect()
}

fn place_of(contract: &Contract, name: &str) -> Result<usize> {
    contract.columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let known: Vec<&str> = contract.columns.iter().map(|c| c.name.as_str()).collect();
        Error::config(format!("entity '{}' has no column '{name}'", contract.entity))
            .hint(format!("its columns are {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests;
