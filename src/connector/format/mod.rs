//! Cuts files into rows.
//!
//! One thread reads a file and cuts it into blocks of whole records; others read the blocks into
//! columns, each block on its own; the caller settles them in the order of the file. So memory is
//! bounded by a few blocks, whatever the size of the file.

pub(in crate::connector) mod bicc;
mod blocks;
mod decode;
mod delimited;
mod fixed;
mod header;
mod invoice;
pub(super) mod json;
mod pages;
mod records;
pub(super) mod sheet;
mod survey;
mod threads;
mod trailer;
pub(super) mod unpack;
mod xml;

use crate::connector::contract::{Contract, FileFormat, FileLayout, Header};
use crate::connector::finding::Finding;
use crate::connector::rows::{Book, Control, Sheet};
use crate::connector::{SourceFile, Totals};
use crate::error::{Error, Result};
use blocks::{Block, Blocks};
use datafusion::arrow::record_batch::RecordBatch;
use decode::Text;
use header::Places;
pub(crate) use invoice::{names as invoice_names, page_reader};
use memchr::{memchr2, memchr2_iter};
use pages::Pages;
use std::thread::available_parallelism;

/// Takes a batch; says whether anybody still listens.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(RecordBatch) -> bool;

/// The bytes of a block, unless a single record is longer: some 15,000 rows, so that what a block
/// and a batch cost by themselves does not count.
const BLOCK_BYTES: usize = 2 << 20;

/// How many threads read blocks. Whoever writes the batches needs about as much time as one.
const MOST_READERS: usize = 2;

/// Reads the blocks of one file; each thread has its own.
#[derive(Clone)]
enum Reader {
    Delimited(Box<delimited::Reader>),
    Fixed(fixed::Reader),
}

/// Reads all rows of `file`. `None` when nobody listened to the end; `at` is the place for errors.
pub(crate) fn read(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    survey::read(contract, layout, file, at, emit)
}

/// The same for a file of which no column is lost.
fn read_once(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    match &layout.format {
        FileFormat::Delimited { .. } | FileFormat::Fixed => {
            read_blocks(contract, layout, file, at, BLOCK_BYTES, emit)
        }
        FileFormat::Bicc(package) => {
            let opened = unpack::one(layout, &file.path).map_err(|error| within(error, at))?;
            bicc::read(contract, package, &file.name, opened, at, emit)
        }
        FileFormat::Invoice(part) => invoice::read(contract, *part, file, at, emit),
        FileFormat::Json { .. } => json::read(contract, layout, file, at, emit),
        FileFormat::Ndjson => json::read_lines(contract, layout, file, at, emit),
        FileFormat::Sheet(sheets) => {
            let parts = unpack::open(layout, &file.path).map_err(|error| within(error, at))?;
            sheet::read(contract, sheets, &file.name, parts, at, emit)
        }
        FileFormat::Xml(xml) => xml::read(contract, (layout, xml), file, at, emit),
    }
}

/// Reads all rows of a file of lines, in blocks of about so many bytes.
pub(crate) fn read_blocks(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    block_bytes: usize,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let parts = unpack::open(layout, &file.path).map_err(|error| within(error, at))?;
    let is_one = parts.len() == 1;
    let (mut texts, mut control) = (Vec::with_capacity(parts.len()), Control::default());
    for part in parts {
        let at = part.place(at);
        let (text, says) = Text::open(contract, layout, part.file).map_err(|error| error.at(&at))?;
        control.add(says);
        texts.push((at, text));
    }
    let mut book = Book::new(contract, at, Some(file.name.clone()), &control)?;
    for (ordinal, (at, text)) in (1..).zip(texts) {
        let start = if is_one { 0 } else { part_start(ordinal) };
        let blocks = Blocks::new(text, &layout.format, block_bytes, start);
        let all = read_text(contract, layout, file, &at, blocks, &mut book, emit);
        if !all.map_err(|error| error.at(&at))? {
            return Ok(None);
        }
    }
    while let Some(batch) = book.next_held()? {
        if !emit(batch) {
            return Ok(None);
        }
    }
    book.totals().map(Some)
}

/// Reads all rows of a text; `false` when nobody listened to the end.
fn read_text(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    mut blocks: Blocks,
    book: &mut Book,
    emit: Emit<'_>,
) -> Result<bool> {
    let is_padded = layout.format == FileFormat::Fixed;
    let sheets = (0..available_parallelism().map_or(1, |cores| cores.get().min(MOST_READERS)))
        .map(|_| Sheet::new(contract, at, Some(&file.name), is_padded))
        .collect::<Result<Vec<_>>>()?;
    let (reader, findings) = Reader::of_file(contract, &layout.format, &mut blocks)?;
    findings.into_iter().for_each(|finding| book.note(finding));
    let readers = sheets.into_iter().map(|sheet| (reader.clone(), sheet)).collect();
    threads::run(blocks, readers, |page| {
        let (draft, records) = page.into_parts();
        let batch = book.claim_and_settle(draft, |at| Ok(records.raw(at)))?;
        Ok(batch.is_none_or(&mut *emit))
    })
}

/// From where on the rows of one of several parts are counted, a member of an archive or a sheet of
/// a workbook: row 12 of the third has the number 30000000012. So a number says where to look, and
/// no two rows of a file share one.
fn part_start(ordinal: usize) -> i64 {
    i64::try_from(ordinal).unwrap_or(i64::MAX).saturating_mul(10_000_000_000)
}

/// An error at a place in the file, or in the file as a whole.
fn within(error: Error, at: &str) -> Error {
    let place = error.place().map_or(at.to_string(), |place| format!("{at} {place}"));
    error.at(place)
}

impl Reader {
    /// A reader for one file; the header is taken from its blocks here.
    fn of_file(
        contract: &Contract,
        format: &FileFormat,
        blocks: &mut Blocks,
    ) -> Result<(Self, Vec<Finding>)> {
        let FileFormat::Delimited { delimiter, quote, header } = *format else {
            return Ok((Reader::Fixed(fixed::Reader::new(contract)?), Vec::new()));
        };
        let mut parser = delimited::Parser::new(delimiter, quote);
        let (places, findings) = match header {
            Header::Named | Header::Auto => header::find(contract, header, &mut parser, blocks)?,
            Header::Absent => (Places::of_contract(contract), Vec::new()),
        };
        Ok((Reader::Delimited(Box::new(delimited::Reader::new(contract, parser, places))), findings))
    }

    /// Reads all rows of a block; `false` when nobody listened to the end.
    fn read(&mut self, block: Block, pages: &mut Pages<'_>) -> Result<bool> {
        match self {
            Reader::Delimited(reader) => reader.read(block, pages),
            Reader::Fixed(reader) => reader.read(block, pages),
        }
    }
}

/// The number of line ends in `bytes`: LF, CRLF and CR on its own.
fn line_ends(bytes: &[u8]) -> i64 {
    let ends = memchr2_iter(b'\n', b'\r', bytes);
    let count = ends.filter(|at| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n')).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The length of the first line of `bytes`, with its line end.
fn line_end(bytes: &[u8]) -> usize {
    match memchr2(b'\n', b'\r', bytes) {
        Some(at) if bytes[at..].starts_with(b"\r\n") => at + 2,
        Some(at) => at + 1,
        None => bytes.len(),
    }
}

/// Whether a byte is part of a line end.
fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests;
