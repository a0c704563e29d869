//! Invoice documents: UBL and CII, alone or inside a PDF, the text of a PDF, and scanned pages.
//!
//! Whatever it was, a file becomes one [`document::InvoiceDocument`] and its rules are checked; an
//! entity takes one part of that. A file that cannot be read is one row of the part `document`
//! that says why, and no row of the others: it stops nothing.

mod decimal;
mod document;
mod kept;
mod ocr;
mod page;
mod parts;
mod path;
mod pdf;
mod rules;
mod structured;
mod terms;
mod xml;

pub(crate) use parts::names;

use crate::connector::contract::{Column, Contract, InvoicePart};
use crate::connector::format::Emit;
use crate::connector::format::decode::unreadable;
use crate::connector::format::records::Records;
use crate::connector::rows::Received;
use crate::connector::value::Cell;
use crate::connector::{SourceFile, Totals};
use crate::error::Result;
use kept::Kept;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

/// The largest file that is looked at; a scanned page takes a megabyte.
const MOST_BYTES: u64 = 64 << 20;

/// What reads scanned pages on this machine, or why nothing does.
pub(crate) fn page_reader() -> std::result::Result<String, String> {
    ocr::installed().map(ocr::Tesseract::name)
}

/// Reads the rows that `file` has for `part`. `None` when nobody listened to the end.
pub(super) fn read(
    contract: &Contract,
    part: InvoicePart,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let mut bytes = Vec::new();
    let read = File::open(&file.path).and_then(|open| open.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(error).at(at))?;
    let kept = Kept::of(&bytes);
    let mut records = Records::new(contract, at, &file.name, emit)?;
    for (row, number) in parts::rows(&kept, part).iter().zip(1..) {
        let cell = |column: usize| cell(row, &contract.columns[column], &file.name);
        if !records.push(number, Received::Cells, &cell)? {
            return Ok(None);
        }
    }
    records.finish()
}

fn cell<'r>(row: &'r parts::Row, column: &Column, file: &'r str) -> Cell<'r> {
    let is_named = |name: &str| column.from.iter().any(|from| from.eq_ignore_ascii_case(name));
    let found = row.iter().find(|(name, _)| is_named(name)).map(|(_, text)| text.as_str());
    match found.or_else(|| is_named("_file").then_some(file)) {
        Some(text) => Cell::Text(Cow::Borrowed(text)),
        None => Cell::Null,
    }
}

#[cfg(test)]
mod tests;
