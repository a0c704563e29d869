//! Separated cells: CSV and its relatives.

use crate::connector::format::blocks::Block;
use crate::connector::format::header::Places;
use crate::connector::format::pages::Pages;
use crate::connector::format::{ends_line, line_ends};
use crate::connector::value::{Cell, Code};
use crate::error::{Error, Result};
use csv_core::ReadRecordResult;
use std::ops::Range;

/// Splits records into cells.
#[derive(Debug)]
pub(super) struct Parser {
    delimiter: u8,
    quote: u8,
    csv: csv_core::Reader,
    /// The cells of a record without their quotes, one after the other, and where each ends.
    text: Vec<u8>,
    ends: Vec<usize>,
    /// How many cells the record has.
    count: usize,
}

/// Reads the blocks of a file.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    parser: Parser,
    places: Places,
}

/// A new parser of the same kind: a clone of the crate's own one loses its tables.
impl Clone for Parser {
    fn clone(&self) -> Self {
        Self::new(self.delimiter, self.quote)
    }
}

impl Parser {
    /// A parser for cells between `delimiter`s, and in `quote`s where they hold delimiters.
    pub(super) fn new(delimiter: u8, quote: u8) -> Self {
        let mut csv = csv_core::ReaderBuilder::new().delimiter(delimiter).quote(quote).build();
        // It drops a byte order mark at its first call; the one of the file is gone already, and
        // a cell at the beginning of a block may begin with the same character.
        csv.read_record(b"\n", &mut [], &mut []);
        Self { delimiter, quote, csv, text: vec![0; 1024], ends: vec![0; 64], count: 0 }
    }

    /// Parses the next record of `block`: how many bytes were used, and those of the record
    /// without its line end; `None` when only blank lines were left.
    pub(super) fn next(&mut self, block: &[u8]) -> Result<(usize, Option<Range<usize>>)> {
        let (mut used, mut written) = (0, 0);
        self.count = 0;
        loop {
            let (result, read, wrote, ended) =
                self.csv.read_record(&block[used..], &mut self.text[written..], &mut self.ends[self.count..]);
            used += read;
            written += wrote;
            self.count += ended;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::InputEmpty if self.count == 0 && written == 0 => return Ok((used, None)),
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    return Err(Error::internal("a block ends within a record"));
                }
            }
        }
        // The parser leaves the LF of a CRLF, and empty lines, to the record that follows.
        let start = block.iter().position(|byte| !ends_line(*byte)).unwrap_or(used).min(used);
        let end = block[start..used].iter().rposition(|byte| !ends_line(*byte)).map_or(0, |at| at + 1);
        Ok((used, Some(start..start + end)))
    }

    /// The cells of the record parsed last.
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|at| &self.text[self.range(at)])
    }

    fn range(&self, cell: usize) -> Range<usize> {
        let start = cell.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[cell]
    }

    /// All cells together.
    fn text(&self) -> &[u8] {
        let end = self.count.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.text[..end]
    }
}

impl Reader {
    /// A reader of records with their columns at `places`.
    pub(super) fn new(parser: Parser, places: Places) -> Self {
        Self { parser, places }
    }

    /// Reads all rows of a block; `false` when nobody listened to the end.
    pub(super) fn read(&mut self, block: Block, pages: &mut Pages<'_>) -> Result<bool> {
        let Block { bytes, mut line } = block;
        let bytes = pages.open(bytes);
        let (mut at, mut counted) = (0, 0);
        while at < bytes.len() {
            let (used, record) = self.parser.next(&bytes[at..])?;
            let Some(record) = record else { break };
            let record = at + record.start..at + record.end;
            at += used;
            line += line_ends(&bytes[counted..record.start]);
            counted = record.start;
            self.read_record(line, record, pages)?;
            if !pages.send_full()? {
                return Ok(false);
            }
        }
        pages.close()
    }

    fn read_record(&self, line: i64, record: Range<usize>, pages: &mut Pages<'_>) -> Result<()> {
        let (parser, width) = (&self.parser, self.places.width);
        if parser.count != width {
            if parser.count == 1 && parser.text().trim_ascii().is_empty() {
                return Ok(());
            }
            return pages.push_ragged(
                line,
                record,
                Code::RaggedRow,
                &format!("{} cells instead of {width}", parser.count),
            );
        }
        // One look at the whole record is cheaper than one at each cell.
        let text = std::str::from_utf8(parser.text()).ok();
        let cell = |column: usize| {
            let Some(at) = self.places.cells[column] else { return Cell::Null };
            let range = parser.range(at);
            // Two cells may be malformed and well-formed together: then neither can be cut out.
            match text.and_then(|text| text.get(range.clone())) {
                Some(text) => Cell::Text(text.into()),
                None => decoded(&parser.text[range]),
            }
        };
        pages.push(line, record, &cell)
    }
}

fn decoded(bytes: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.into()),
        Err(_) => Cell::Malformed(bytes),
    }
}
