//! The first rows of a file whose contract nobody has written yet.

use super::{Cut, book, json, xml};
use crate::connector::format::unpack::kind::{self, Kind};
use crate::error::{Error, Result};
use crate::project::count;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How much of a file is looked at, and how many of its rows.
const MOST_BYTES: u64 = 64 << 20;
pub(super) const MOST_ROWS: usize = 50_000;

/// How many lines may be above a header.
const LINES_ABOVE: usize = 60;

/// What may separate cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Rows of one file or table, as text.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// The name of the file.
    pub(super) name: String,
    pub(super) cut: Cut,
    /// The names of the columns, if a line has them.
    pub(super) header: Option<Vec<String>>,
    /// The cells of the rows, of which each has as many as `width` says.
    pub(super) rows: Vec<Vec<String>>,
    pub(super) width: usize,
    /// What is unusual about the file.
    pub(super) remarks: Vec<String>,
}

impl Sample {
    /// The values of a column: its cells without the blanks around them, without empty ones.
    pub(super) fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row[column].trim()).filter(|value| !value.is_empty())
    }
}

/// Reads the first rows of a file, whatever it is called.
pub(super) fn read(path: &Path) -> Result<Sample> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    of_file(path, name).map_err(|error| match error.place() {
        Some(place) => {
            let place = format!("{} {place}", path.display());
            error.at(place)
        }
        None => error.at(path.display()),
    })
}

fn of_file(path: &Path, name: String) -> Result<Sample> {
    let unreadable = |error| Error::source("the file cannot be read").because(error);
    let mut file = File::open(path).map_err(unreadable)?;
    match kind::of(&mut file)? {
        Kind::Xlsx | Kind::Ods | Kind::Compound => return book::read(name, file),
        Kind::Html => return Err(Error::source("the file is a web page, not a table")),
        Kind::Zip | Kind::Gzip | Kind::Xlsb => {
            return Err(Error::source("no contract can be sketched of an archive or a binary workbook")
                .hint(
                    "unpack it, or save it as xlsx, and sketch that; the contract reads archives as well",
                ));
        }
        Kind::Empty => return Err(Error::source("the file is empty")),
        Kind::Xml | Kind::Other => {}
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    let (encoding, text) = decoded(&bytes);
    match text.trim_start().chars().next() {
        Some('<') => xml::read(name, &text),
        Some('{' | '[') => json::read(name, &text),
        _ => delimited(name, encoding, &text),
    }
}

/// The rows of a delimited text.
fn delimited(name: String, encoding: &'static str, text: &str) -> Result<Sample> {
    let delimiter = delimiter(text);
    let records = records(text, delimiter);
    let mut widths = BTreeMap::new();
    records.iter().for_each(|record| *widths.entry(record.len()).or_insert(0) += 1);
    let Some((width, _)) = widths.into_iter().max_by_key(|(width, count)| (*count, *width)) else {
        return Err(Error::source("the file is empty"));
    };
    let mut remarks = Vec::new();
    let header = header(&records, width);
    match header {
        Some(0) => {}
        Some(at) if at + 1 == records.len() => {
            remarks.push(format!("{name}: the columns are named in the last line"))
        }
        Some(at) => remarks.push(format!("{name}: {} above the columns' names", count(at, "line"))),
        None if width == 1 => {
            return Err(Error::source("no character separates the cells of the file, and no line names columns")
                .hint("where cells stand at fixed places, write the contract by hand: format = \"fixed\" in connectors/README.md"));
        }
        None => remarks.push(format!("{name}: no line names the columns")),
    }
    let below = header.filter(|at| at + 1 < records.len()).map_or(0, |at| at + 1);
    let is_row = |(at, record): &(usize, Vec<String>)| {
        *at >= below && Some(*at) != header && record.iter().any(|cell| !cell.trim().is_empty())
    };
    let names = header.and_then(|at| records.get(at).cloned());
    let (rows, ragged): (Vec<_>, Vec<_>) = (records.into_iter().enumerate().filter(is_row))
        .map(|(_, record)| record)
        .partition(|record| record.len() == width);
    if !ragged.is_empty() {
        remarks.push(format!("{name}: another number of cells in {}", count(ragged.len(), "row")));
    }
    let width = rows.first().map_or(width, Vec::len);
    let header = if names.is_some() { "true" } else { "false" };
    let cut = Cut::Delimited { encoding, delimiter: char::from(delimiter), header };
    Ok(Sample { name, cut, header: names, rows, width, remarks })
}

/// The text of a file, and how it was encoded.
fn decoded(bytes: &[u8]) -> (&'static str, String) {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // The last character may be cut where reading stopped.
        Err(error) => error.error_len().is_none(),
    };
    let (name, encoding) = match marked {
        Some(utf16) if utf16 == UTF_16LE || utf16 == UTF_16BE => ("utf-16", utf16),
        _ if whole => ("utf-8", UTF_8),
        _ => ("windows-1252", WINDOWS_1252),
    };
    let text = encoding.decode_with_bom_removal(bytes).0;
    (name, text.trim_start_matches("ï»¿").to_string())
}

/// The delimiter that cuts the lines into the same number of cells most often.
fn delimiter(text: &str) -> u8 {
    let likely = |delimiter: &u8| {
        let mut widths = BTreeMap::new();
        for record in records(&text.chars().take(200_000).collect::<String>(), *delimiter) {
            *widths.entry(record.len()).or_insert(0usize) += 1;
        }
        widths.into_iter().filter(|(width, _)| *width > 1).map(|(_, count)| count).max().unwrap_or(0)
    };
    let counted: Vec<(usize, u8)> =
        DELIMITERS.iter().map(|delimiter| (likely(delimiter), *delimiter)).collect();
    let most = counted.iter().map(|(count, _)| *count).max().unwrap_or(0);
    counted.into_iter().find(|(count, _)| *count == most).map_or(b',', |(_, delimiter)| delimiter)
}

fn records(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let cells = |record: csv::StringRecord| record.iter().map(str::to_string).collect();
    reader.records().flatten().take(MOST_ROWS + LINES_ABOVE).map(cells).collect()
}

/// The record that names the columns: one of the first, or the last.
pub(super) fn header(records: &[Vec<String>], width: usize) -> Option<usize> {
    let last = records.len().checked_sub(1)?;
    let is_header = |at: &usize| is_names(&records[*at], width) && !repeats(records, *at);
    (0..records.len().min(LINES_ABOVE)).find(is_header).or_else(|| Some(last).filter(is_header))
}

/// Whether cells look like names: different words, hardly any of them empty.
fn is_names(cells: &[String], width: usize) -> bool {
    let named: Vec<&str> = cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    let is_name = |cell: &&str| {
        cell.chars().any(char::is_alphabetic)
            && cell.chars().filter(char::is_ascii_digit).count() * 2 < cell.chars().count()
            && cell.chars().count() <= 60
    };
    let different: BTreeSet<String> = named.iter().map(|name| name.to_lowercase()).collect();
    let fits =
        cells.len() == width || cells.len() > width && cells[width..].iter().all(|c| c.trim().is_empty());
    fits && 2 * named.len() > width && different.len() == named.len() && named.iter().all(is_name)
}

/// Whether values of the record at `at` come again below one another: then it is a row.
fn repeats(records: &[Vec<String>], at: usize) -> bool {
    let others = || records.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, record)| record);
    let again = |(column, cell): &(usize, &String)| {
        !cell.trim().is_empty() && others().take(2_000).any(|other| other.get(*column) == Some(cell))
    };
    records[at].iter().enumerate().filter(again).count() > 0
}
