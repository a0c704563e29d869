//! Separated cells: CSV and its relatives.

use crate::connector::contract::{Contract, Origin};
use crate::connector::format::blocks::Block;
use crate::connector::format::header::Places;
use crate::connector::format::pages::Pages;
use crate::connector::format::{ends_line, line_end, line_ends};
use crate::connector::value::{Cell, Code, readable};
use crate::error::Result;
use csv_core::ReadRecordResult;
use memchr::{memchr, memchr2};
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
    /// Where the contract keeps what it does not name.
    extra: Option<usize>,
}

/// What stands next in a block.
pub(super) enum Next {
    /// Nothing but blank lines.
    Nothing,
    /// A record, without its line end, whose cells are parsed now.
    Record(Range<usize>),
    /// The line in which a quote opens that is not closed: nobody knows its cells.
    Stray(Range<usize>),
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
        let csv = parser(delimiter, quote);
        Self { delimiter, quote, csv, text: vec![0; 1024], ends: vec![0; 64], count: 0 }
    }

    /// Parses what is next in `block`, and says how many bytes that took.
    pub(super) fn next(&mut self, block: &[u8]) -> (usize, Next) {
        // To the crate, no bytes are the end of a text.
        if block.is_empty() {
            return (0, Next::Nothing);
        }
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
                ReadRecordResult::InputEmpty if self.count == 0 && written == 0 && is_blank(block) => {
                    return (used, Next::Nothing);
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return self.stray(block),
            }
        }
        // The parser leaves the LF of a CRLF, and empty lines, to the record that follows.
        let start = block.iter().position(|byte| !ends_line(*byte)).unwrap_or(used).min(used);
        let end = block[start..used].iter().rposition(|byte| !ends_line(*byte)).map_or(0, |at| at + 1);
        let record = start..start + end;
        let spans = memchr2(b'\n', b'\r', &block[record.clone()]).is_some();
        if spans && self.has_stray(&block[record.clone()]) {
            return self.stray(block);
        }
        (used, Next::Record(record))
    }

    /// Takes the first line for one whose cells cannot be told apart.
    fn stray(&mut self, block: &[u8]) -> (usize, Next) {
        self.csv = parser(self.delimiter, self.quote);
        self.count = 0;
        let start = block.iter().position(|byte| !ends_line(*byte)).unwrap_or(block.len());
        let used = start + line_end(&block[start..]);
        let end = block[start..used].iter().rposition(|byte| !ends_line(*byte)).map_or(0, |at| at + 1);
        (used, Next::Stray(start..start + end))
    }

    /// Whether a quoted cell of a record spans lines and ends at a quote that ends no cell.
    fn has_stray(&self, record: &[u8]) -> bool {
        let mut at = 0;
        while let Some(first) = record.get(at) {
            let start = at;
            if *first == self.quote {
                at += 1;
                while let Some(quote) = memchr(self.quote, &record[at..]) {
                    at += quote + 1;
                    if record.get(at) != Some(&self.quote) {
                        break;
                    }
                    at += 1;
                }
                let ends_cell = record.get(at).is_none_or(|byte| *byte == self.delimiter);
                if !ends_cell && memchr2(b'\n', b'\r', &record[start..at]).is_some() {
                    return true;
                }
            }
            match memchr(self.delimiter, &record[at..]) {
                Some(delimiter) => at += delimiter + 1,
                None => return false,
            }
        }
        false
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
    pub(super) fn new(contract: &Contract, parser: Parser, places: Places) -> Self {
        let extra = contract.columns.iter().position(|column| column.origin == Origin::Extra);
        Self { parser, extra: extra.filter(|_| !places.extra.is_empty()), places }
    }

    /// Reads all rows of a block; `false` when nobody listened to the end.
    pub(super) fn read(&mut self, block: Block, pages: &mut Pages<'_>) -> Result<bool> {
        let Block { bytes, mut line } = block;
        let bytes = pages.open(bytes);
        let (mut at, mut counted) = (0, 0);
        while at < bytes.len() {
            let (used, next) = self.parser.next(&bytes[at..]);
            let (Next::Record(found) | Next::Stray(found)) = &next else { break };
            let record = at + found.start..at + found.end;
            at += used;
            line += line_ends(&bytes[counted..record.start]);
            counted = record.start;
            match next {
                Next::Stray(_) => {
                    let message = "a quote opens a cell and does not close it";
                    pages.push_ragged(line, record, Code::UnclosedQuote, message)?;
                }
                _ => self.read_record(line, record, pages)?,
            }
            if !pages.send_full()? {
                return Ok(false);
            }
        }
        pages.close()
    }

    fn read_record(&self, line: i64, record: Range<usize>, pages: &mut Pages<'_>) -> Result<()> {
        let (parser, places) = (&self.parser, &self.places);
        // What spreadsheets write below the last row: delimiters and nothing between them.
        if parser.text().is_empty() || parser.count == 1 && parser.text().trim_ascii().is_empty() {
            return Ok(());
        }
        if parser.count != places.width && !self.fits() {
            let message = format!("{} cells instead of {}", parser.count, places.width);
            return pages.push_ragged(line, record, Code::RaggedRow, &message);
        }
        // One look at the whole record is cheaper than one at each cell.
        let text = std::str::from_utf8(parser.text()).ok();
        let cell = |column: usize| {
            let Some(at) = places.cells[column] else { return self.unplaced(column) };
            let range = parser.range(at);
            // Two cells may be malformed and well-formed together: then neither can be cut out.
            match text.and_then(|text| text.get(range.clone())) {
                Some(text) => Cell::Text(text.into()),
                None => decoded(&parser.text[range]),
            }
        };
        pages.push(line, record, &cell)
    }

    /// Whether a record of another width has all cells: it may lack those that the header does not
    /// name, and have empty ones behind.
    fn fits(&self) -> bool {
        let Places { width, least, .. } = self.places;
        let is_blank = |cell: usize| {
            let bytes = &self.parser.text[self.parser.range(cell)];
            std::str::from_utf8(bytes).is_ok_and(|text| text.trim().is_empty())
        };
        self.parser.count >= least && (width..self.parser.count).all(is_blank)
    }

    /// The cell of a column that the file does not have; or what it has besides.
    fn unplaced(&self, column: usize) -> Cell<'static> {
        if self.extra != Some(column) {
            return Cell::Null;
        }
        let mut members = serde_json::Map::new();
        for (at, name) in self.places.extra.iter().filter(|(at, _)| *at < self.parser.count) {
            let text = readable(&self.parser.text[self.parser.range(*at)]);
            if !text.trim().is_empty() {
                members.insert(name.clone(), text.trim().into());
            }
        }
        match members.is_empty() {
            true => Cell::Null,
            false => Cell::Text(serde_json::Value::Object(members).to_string().into()),
        }
    }
}

/// A parser of the crate. It drops a byte order mark at its first call; the one of the file is gone
/// already, and a cell at the beginning of a block may begin with the same character.
fn parser(delimiter: u8, quote: u8) -> csv_core::Reader {
    let mut csv = csv_core::ReaderBuilder::new().delimiter(delimiter).quote(quote).build();
    csv.read_record(b"\n", &mut [], &mut []);
    csv
}

fn is_blank(block: &[u8]) -> bool {
    block.iter().all(|byte| ends_line(*byte))
}

fn decoded(bytes: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.into()),
        Err(_) => Cell::Malformed(bytes),
    }
}
