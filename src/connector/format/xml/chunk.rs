//! Rows on their way from the one who parses to the one who checks.

use crate::connector::value::Cell;
use std::ops::Range;

/// When a chunk is handed on: at this much of rows, or at so many.
const FULL_BYTES: usize = 1 << 20;
const FULL_ROWS: usize = 8_192;

/// Some rows of a document.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The number of columns.
    width: usize,
    /// The texts of all cells.
    text: String,
    /// By row and column, where the cell is in the text; behind the text where there is none.
    cells: Vec<Range<usize>>,
    /// The rows as they were received, one after the other.
    raw: Vec<u8>,
    rows: Vec<Row>,
}

/// One row of a chunk.
#[derive(Debug)]
struct Row {
    number: i64,
    /// Where the row ends in what was received.
    raw_end: usize,
    /// Why its cells cannot be told apart.
    ragged: Option<String>,
}

/// No cell.
const NONE: Range<usize> = usize::MAX..usize::MAX;

impl Chunk {
    /// No rows yet, of so many columns.
    pub(super) fn new(width: usize) -> Self {
        let text = String::with_capacity(FULL_BYTES + FULL_BYTES / 4);
        Self { width, text, cells: Vec::new(), raw: Vec::with_capacity(2 * FULL_BYTES), rows: Vec::new() }
    }

    /// Whether it is time to hand the rows on.
    pub(super) fn is_full(&self) -> bool {
        self.raw.len().max(self.text.len()) >= FULL_BYTES || self.rows.len() >= FULL_ROWS
    }

    /// Whether there are no rows in it.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Begins a row without cells.
    pub(super) fn open(&mut self) {
        self.cells.resize((self.rows.len() + 1) * self.width, NONE);
    }

    /// Ends the row, which was received as `raw`.
    pub(super) fn close(&mut self, number: i64, raw: &[u8], ragged: Option<String>) {
        self.raw.extend_from_slice(raw);
        self.rows.push(Row { number, raw_end: self.raw.len(), ragged });
    }

    /// Where the next text will be.
    pub(super) fn end(&self) -> usize {
        self.text.len()
    }

    /// Appends text.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes the text from there on back.
    pub(super) fn truncate(&mut self, start: usize) {
        self.text.truncate(start);
    }

    /// The text there.
    pub(super) fn text(&self, place: Range<usize>) -> &str {
        self.text.get(place).unwrap_or_default()
    }

    /// The cell of a column in the row that is open.
    pub(super) fn cell(&mut self, column: usize) -> &mut Range<usize> {
        &mut self.cells[self.rows.len() * self.width + column]
    }

    /// Hands every row to `take`: its number, how it was received, why it is ragged and its cells.
    /// `false` as soon as one was not wanted.
    pub(super) fn each<'c, E>(
        &'c self,
        mut take: impl FnMut(i64, &[u8], Option<&str>, &dyn Fn(usize) -> Cell<'c>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut start = 0;
        for (at, row) in self.rows.iter().enumerate() {
            let cells = &self.cells[at * self.width..][..self.width];
            let cell = |column: usize| match self.text.get(cells[column].clone()) {
                Some(text) => Cell::Text(text.into()),
                None => Cell::Null,
            };
            let raw = &self.raw[start..row.raw_end];
            start = row.raw_end;
            if !take(row.number, raw, row.ragged.as_deref(), &cell)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a column has a cell there.
pub(super) fn is_there(cell: &Range<usize>) -> bool {
    *cell != NONE
}
