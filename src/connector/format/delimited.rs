//! Separated cells: CSV and its relatives.

use crate::connector::contract::{Contract, Encoding};
use crate::connector::format::{Emit, ends_line, line_ends};
use crate::connector::rows::{Received, Rows};
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use csv::ByteRecord;

/// How cells are separated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Between cells.
    pub(super) delimiter: u8,
    /// Around cells that hold delimiters or line ends.
    pub(super) quote: u8,
    /// Whether the first row names the columns.
    pub(super) header: bool,
    /// The character encoding.
    pub(super) encoding: Encoding,
}

/// Records, each with its line and its bytes.
struct Records<'a> {
    body: &'a [u8],
    csv: csv::Reader<&'a [u8]>,
    record: ByteRecord,
    /// Up to where lines have been counted, and the line that begins there.
    counted: usize,
    line: i64,
}

/// Reads all rows of `body` into `rows`; `false` when nobody listened to the end.
pub(super) fn read(
    contract: &Contract,
    dialect: Dialect,
    body: &[u8],
    at: &str,
    rows: &mut Rows,
    emit: Emit<'_>,
) -> Result<bool> {
    let mut records = Records::new(body, dialect);
    let (width, places) = match dialect.header {
        false => (contract.columns.len(), (0..contract.columns.len()).collect()),
        true => match records.next()? {
            Some(_) => columns(contract, &records.record, dialect.encoding),
            None => Err(Error::contract("the file is empty").hint("even without rows it has a header")),
        }
        .map_err(|error| error.at(at))?,
    };
    while let Some((line, bytes)) = records.next()? {
        let record = &records.record;
        let received = Received::Line(bytes);
        if record.len() == width {
            let cell = |at: usize| cell(record.get(places[at]).unwrap_or_default(), dialect.encoding);
            rows.push(line, received, &cell)?;
        } else if record.len() == 1 && record[0].trim_ascii().is_empty() {
            continue;
        } else {
            rows.push_ragged(line, received, &format!("{} cells instead of {width}", record.len()))?;
        }
        if let Some(batch) = rows.full_batch()?
            && !emit(batch)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'a> Records<'a> {
    fn new(body: &'a [u8], dialect: Dialect) -> Self {
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(dialect.delimiter)
            .quote(dialect.quote)
            .from_reader(body);
        Self { body, csv, record: ByteRecord::new(), counted: 0, line: 1 }
    }

    /// The line and the bytes of the next record, whose cells are in `record` then.
    fn next(&mut self) -> Result<Option<(i64, &'a [u8])>> {
        let found = self
            .csv
            .read_byte_record(&mut self.record)
            .map_err(|error| Error::internal("a file in memory could not be read").because(error))?;
        if !found {
            return Ok(None);
        }
        let offset = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(self.body.len());
        let start = offset(self.record.position().map_or(0, |position| position.byte()));
        let end = offset(self.csv.position().byte()).max(start);
        // The parser leaves the LF of a CRLF, and empty lines, to the record that follows.
        let leading = self.body[start..end].iter().take_while(|byte| ends_line(**byte)).count();
        let start = start + leading;
        self.line += line_ends(&self.body[self.counted..start]);
        self.counted = start;
        let bytes = &self.body[start..end];
        let length = bytes.iter().rposition(|byte| !ends_line(*byte)).map_or(0, |at| at + 1);
        Ok(Some((self.line, &bytes[..length])))
    }
}

fn cell(bytes: &[u8], encoding: Encoding) -> Cell<'_> {
    match encoding {
        Encoding::Utf8 => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.into()),
            Err(_) => Cell::Malformed(bytes),
        },
        Encoding::Windows1252 | Encoding::Utf16 => Cell::Text(String::from_utf8_lossy(bytes)),
    }
}

/// The number of cells of the header, and where each contract column is among them.
fn columns(contract: &Contract, header: &ByteRecord, encoding: Encoding) -> Result<(usize, Vec<usize>)> {
    let names: Vec<String> =
        header.iter().map(|name| String::from_utf8_lossy(name).trim().to_lowercase()).collect();
    let mut places = Vec::with_capacity(contract.columns.len());
    let mut missing = Vec::new();
    for column in &contract.columns {
        let is_named = |name: &String| column.from.iter().any(|from| from.trim().to_lowercase() == *name);
        let mut found = names.iter().enumerate().filter(|(_, name)| is_named(name)).map(|(at, _)| at);
        match (found.next(), found.next()) {
            (Some(at), None) => places.push(at),
            (Some(_), Some(_)) => {
                return Err(Error::contract(format!("the header names column '{}' twice", column.from[0])));
            }
            (None, _) => missing.push(format!("'{}'", column.from.join("' or '"))),
        }
    }
    if missing.is_empty() {
        return Ok((names.len(), places));
    }
    if places.is_empty() {
        // The first line may be a row, and rows are personal: it is not shown.
        return Err(Error::contract("the first line names none of the contract's columns")
            .hint("the header may be missing, or the delimiter or encoding may differ from the contract"));
    }
    let message = match missing.len() {
        1 => format!("column {} is missing", missing[0]),
        _ => format!("columns {} are missing", missing.join(", ")),
    };
    Err(Error::contract(message).hint(format!("the header has {}", list(&names))))
}

/// The names of a header, shortened to what fits a message.
fn list(names: &[String]) -> String {
    const MOST: usize = 40;
    let short = |name: &String| format!("'{}'", name.chars().take(MOST).collect::<String>());
    let shown: Vec<String> = names.iter().take(MOST).map(short).collect();
    match names.len() > MOST {
        true => format!("{} and {} more", shown.join(", "), names.len() - MOST),
        false => shown.join(", "),
    }
}
