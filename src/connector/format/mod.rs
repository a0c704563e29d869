//! Cuts files into rows.
//!
//! One thread reads a file and cuts it into blocks of whole records; others read the blocks into
//! columns, each block on its own; the caller settles them in the order of the file. So memory is
//! bounded by a few blocks, whatever the size of the file.

mod blocks;
mod decode;
mod delimited;
mod fixed;
mod header;
mod invoice;
mod pages;
mod records;
mod threads;
mod trailer;

use crate::connector::contract::{Contract, FileFormat, FileLayout};
use crate::connector::rows::{Book, Sheet};
use crate::connector::{SourceFile, Totals};
use crate::error::Result;
use blocks::{Block, Blocks};
use datafusion::arrow::record_batch::RecordBatch;
use decode::Text;
use header::Places;
pub(crate) use invoice::{names as invoice_names, page_reader};
use memchr::memchr2_iter;
use pages::Pages;
use std::thread::available_parallelism;

/// Takes a batch; says whether anybody still listens.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(RecordBatch) -> bool;

/// The bytes of a block, unless a single record is longer: some 30,000 rows, so that what a block
/// and a batch cost by themselves does not count.
const BLOCK_BYTES: usize = 4 << 20;

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
    read_blocks(contract, layout, file, at, BLOCK_BYTES, emit)
}

/// The same, in blocks of about so many bytes.
pub(crate) fn read_blocks(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    block_bytes: usize,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    if let FileFormat::Invoice(part) = layout.format {
        return invoice::read(contract, part, file, at, emit);
    }
    let (text, control) = Text::open(contract, layout, &file.path).map_err(|error| error.at(at))?;
    let mut book = Book::new(contract, at, Some(file.name.clone()), &control)?;
    let is_padded = layout.format == FileFormat::Fixed;
    let sheets = (0..available_parallelism().map_or(1, |cores| cores.get().min(MOST_READERS)))
        .map(|_| Sheet::new(contract, at, Some(&file.name), is_padded))
        .collect::<Result<Vec<_>>>()?;
    let mut blocks = Blocks::new(text, &layout.format, block_bytes);
    let reader = Reader::of_file(contract, &layout.format, &mut blocks).map_err(|error| error.at(at))?;
    let readers = sheets.into_iter().map(|sheet| (reader.clone(), sheet)).collect();
    let all = threads::run(blocks, readers, |page| {
        let (draft, records) = page.into_parts();
        let batch = book.claim_and_settle(draft, |at| Ok(records.raw(at)))?;
        Ok(batch.is_none_or(&mut *emit))
    });
    if !all.map_err(|error| error.at(at))? {
        return Ok(None);
    }
    while let Some(batch) = book.next_held()? {
        if !emit(batch) {
            return Ok(None);
        }
    }
    book.totals().map(Some)
}

impl Reader {
    /// A reader for one file; the header is taken from its blocks here.
    fn of_file(contract: &Contract, format: &FileFormat, blocks: &mut Blocks) -> Result<Self> {
        let FileFormat::Delimited { delimiter, quote, header } = *format else {
            return fixed::Reader::new(contract).map(Reader::Fixed);
        };
        let mut parser = delimited::Parser::new(delimiter, quote);
        let places = match header {
            true => Places::of_header(contract, &mut parser, blocks)?,
            false => Places::of_contract(contract),
        };
        Ok(Reader::Delimited(Box::new(delimited::Reader::new(parser, places))))
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

/// Whether a byte is part of a line end.
fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests;
