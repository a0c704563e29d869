//! The rows of a package: the CSV of its data zips, one after the other.

use crate::connector::Totals;
use crate::connector::contract::Contract;
use crate::connector::format::records::Records;
use crate::connector::format::unpack::Part;
use crate::connector::format::{Emit, part_start};
use crate::connector::names::{self, Named};
use crate::connector::rows::Received;
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use csv::{ByteRecord, Reader, ReaderBuilder};
use std::fs::File;
use std::io::BufReader;

/// Reads the changed rows.
pub(super) fn read(
    contract: &Contract,
    name: &str,
    parts: Vec<Part>,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let mut records = Records::new(contract, at, name, emit)?;
    let is_one = parts.len() == 1;
    for (ordinal, part) in (1..).zip(parts) {
        let at = part.place(at);
        let start = if is_one { 0 } else { part_start(ordinal) };
        let mut csv = reader(part.file);
        let located = |error: Error| super::error_at(error, &at);
        let named = named(contract, &mut csv).map_err(located)?;
        if ordinal == 1 {
            let names = header(&mut csv).map_err(located)?;
            named
                .findings(contract, &names)
                .map_err(located)?
                .into_iter()
                .for_each(|finding| records.note(finding));
        }
        let all = walk(&named, csv, |line, cell| records.push(start + line, Received::Cells, cell));
        if !all.map_err(located)? {
            return Ok(None);
        }
    }
    records.finish()
}

/// Gives the cell of a contract column.
pub(super) type Cells<'a, 'r> = &'a dyn Fn(usize) -> Cell<'r>;

/// Where a CSV has the columns of the contract.
pub(super) fn named(contract: &Contract, csv: &mut Csv) -> Result<Named> {
    let names = header(csv)?;
    if names.is_empty() {
        return Err(Error::contract("the file is empty").hint("even without rows it has a header"));
    }
    let named = Named::of(contract, &names)?;
    named.accepted(contract, &names)?;
    Ok(named)
}

/// Hands every row to `take`, with its line; `false` when it did not want more. What a program
/// wrote, and whose hash is right, has no ragged rows.
pub(super) fn walk(
    named: &Named,
    mut csv: Csv,
    mut take: impl for<'a, 'r> FnMut(i64, Cells<'a, 'r>) -> Result<bool>,
) -> Result<bool> {
    let mut record = ByteRecord::new();
    while csv.read_byte_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, |place| place.line());
        let cell = |column: usize| match named.cells[column].and_then(|at| record.get(at)) {
            None => Cell::Null,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cell::Text(text.into()),
                Err(_) => Cell::Malformed(bytes),
            },
        };
        if !take(i64::try_from(line).unwrap_or(i64::MAX), &cell)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The CSV that the service writes.
pub(super) type Csv = Reader<BufReader<File>>;

/// A reader of it.
pub(super) fn reader(file: File) -> Csv {
    ReaderBuilder::new().from_reader(BufReader::with_capacity(1 << 16, file))
}

/// The names of its columns; the reader drops a byte order mark.
pub(super) fn header(csv: &mut Csv) -> Result<Vec<String>> {
    Ok(csv.byte_headers().map_err(unreadable)?.iter().map(names::shown).collect())
}

/// A CSV that cannot be cut into rows. The cause would show a person's cells only by their number.
pub(super) fn unreadable(error: csv::Error) -> Error {
    let line = error.position().map(|place| format!(" in line {}", place.line())).unwrap_or_default();
    Error::contract(format!("the CSV cannot be read{line}"))
        .hint("has the extract been told to write comma-separated UTF-8 with a header?")
        .because(error)
}
