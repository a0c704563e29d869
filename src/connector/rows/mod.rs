//! Checks received rows against their contract and turns them into batches and totals.
//!
//! A [`Sheet`] reads cells into columns; several may be filled at once. One [`Book`] for each
//! snapshot settles what only all rows together tell. [`Rows`] is one of each.

mod book;
mod held;
mod notes;
mod seen;
mod sheet;
mod skips;
mod sums;

pub(crate) use book::Book;
pub(crate) use sheet::{Sheet, line};

use crate::connector::Totals;
use crate::connector::contract::Contract;
use crate::connector::finding::Finding;
use crate::connector::value::{Cell, Code};
use crate::error::{Error, Result};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::BTreeMap;

/// The most bytes of one row. More is an unclosed quote or binary data, and Arrow counts the
/// text of a column in 31 bits.
pub(crate) const MAX_ROW_BYTES: usize = 64 << 20;

/// What to do about totals that differ.
const CUT: &str = "the extract may be cut or edited: ask for it again";

/// What the source itself says about a snapshot, and what was found before its rows are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// The number of rows.
    pub(crate) rows: Option<u64>,
    /// Sums by column, in units of the column's last digit.
    pub(crate) sums: BTreeMap<String, i128>,
    /// The names of all columns, those included that the contract does not name; none where the
    /// format has compared them itself.
    pub(crate) columns: Vec<String>,
    /// What is to be told with the totals.
    pub(crate) findings: Vec<Finding>,
}

impl Control {
    /// Takes in what the source says about another part of the snapshot.
    pub(crate) fn add(&mut self, part: Control) {
        self.rows = match (self.rows, part.rows) {
            (Some(rows), Some(more)) => Some(rows + more),
            (rows, more) => rows.or(more),
        };
        for (column, sum) in part.sums {
            *self.sums.entry(column).or_default() += sum;
        }
        self.findings.extend(part.findings);
    }
}

/// A row as received, for `_raw` and for the hashes of bad rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Received<'a> {
    /// A record of a file, without its line end, as UTF-8 that may be malformed.
    Line(&'a [u8]),
    /// A database row; shown as a JSON object of its cells.
    Cells,
}

/// The rows of one snapshot on their way into batches.
pub(crate) struct Rows {
    sheet: Sheet,
    book: Book,
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
        let sheet = Sheet::new(contract, at, file.as_deref(), trim_text)?;
        Ok(Self { sheet, book: Book::new(contract, at, file, &control)? })
    }

    /// Takes in a row; `cell` gives the cell of each contract column.
    pub(crate) fn push<'r, F>(&mut self, row: i64, received: Received<'_>, cell: &F) -> Result<()>
    where
        F: Fn(usize) -> Cell<'r> + ?Sized,
    {
        if !self.sheet.push(row, received, cell)? {
            return Ok(());
        }
        // The cells are still here to be shown; at the end of the batch they are not.
        let key = self.sheet.last_key();
        let (at, marks, echo) = self.sheet.last_marks();
        self.book.claim((at, marks), (row, key), || echo.raw(row, received, cell))
    }

    /// Takes in a row whose cells cannot be told apart.
    pub(crate) fn push_ragged(&mut self, row: i64, received: Received<'_>, message: &str) -> Result<()> {
        self.sheet.push_ragged(row, received, Code::RaggedRow, message)
    }

    /// Adds to what is told with the totals.
    pub(crate) fn note(&mut self, finding: Finding) {
        self.book.note(finding);
    }

    /// A batch, when enough rows are waiting for one.
    pub(crate) fn full_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.sheet.is_full() { self.batch() } else { Ok(None) }
    }

    /// The next of the rows that still wait. Ask until there are none: rows whose key may have
    /// come before are only known at the end.
    pub(crate) fn last_batch(&mut self) -> Result<Option<RecordBatch>> {
        match self.batch()? {
            Some(batch) => Ok(Some(batch)),
            None => self.book.next_held(),
        }
    }

    /// What was counted, compared with what the source says; an error while rows wait.
    pub(crate) fn totals(self) -> Result<Totals> {
        self.book.totals()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        match self.sheet.take()? {
            Some(draft) => self.book.settle(draft),
            None => Ok(None),
        }
    }
}

/// Where `contract` has the column called `name`.
fn place_of(contract: &Contract, name: &str) -> Result<usize> {
    contract.columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let known: Vec<&str> = contract.columns.iter().map(|c| c.name.as_str()).collect();
        Error::config(format!("entity '{}' has no column '{name}'", contract.entity))
            .hint(format!("its columns are {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests;
