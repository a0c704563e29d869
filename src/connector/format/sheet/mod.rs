//! Workbooks: xlsx, xls and ods.
//!
//! A sheet has a header somewhere below a title, and rows below the header. Which format it is, is
//! told by its content. Worksheets of xlsx are read cell by cell; xls and ods, whose sheets are
//! small, are read whole, within the limits of [`guard`].

mod cell;
mod guard;
mod heading;
#[cfg(test)]
mod tests;
mod workbook;

use crate::connector::Totals;
use crate::connector::contract::{Contract, SheetLayout};
use crate::connector::format::records::Records;
use crate::connector::format::unpack::Part;
use crate::connector::format::{Emit, part_start, within};
use crate::connector::rows::Received;
use crate::connector::value::Cell;
use crate::error::{Error, Result, known};
use cell::{Epoch, Item, Want};
use glob::{MatchOptions, Pattern};
use heading::{Heading, Origin, Search};
use std::fs::File;

/// Names of sheets are typed by people, and any character may stand in them.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// What the rows of a sheet are read by.
struct Table<'a> {
    contract: &'a Contract,
    wants: &'a [Want],
    epoch: Epoch,
    sheet: &'a str,
    /// Added to the numbers of rows, see [`part_start`].
    start: i64,
    stage: Stage,
}

/// How far a sheet has been read.
enum Stage {
    /// Its header has not been found.
    Before(Search),
    /// Rows follow.
    Within(Heading),
}

/// Reads the rows of all chosen sheets of the workbooks `parts`.
pub(super) fn read(
    contract: &Contract,
    layout: &SheetLayout,
    file: &str,
    parts: Vec<Part>,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let mut records = Records::new(contract, at, file, emit)?;
    let wants: Vec<Want> = contract.columns.iter().map(Want::of).collect();
    let (several, mut ordinal, mut has_header) = (parts.len() > 1, 0, false);
    for part in parts {
        let at = part.place(at);
        let mut book = workbook::open(part.file).map_err(|error| within(error, &at))?;
        let names = book.sheets();
        for (place, sheet) in chosen(layout, &names).map_err(|error| error.at(&at))? {
            let start = match (several, layout.is_one()) {
                (false, true) => 0,
                (false, false) => part_start(place + 1),
                (true, _) => {
                    ordinal += 1;
                    part_start(ordinal)
                }
            };
            let stage = Stage::Before(Search::new(layout.header_rows));
            let epoch = book.epoch();
            let mut table = Table { contract, wants: &wants, epoch, sheet, start, stage };
            let all = book
                .rows(sheet, &mut |row, items| table.take(row, items, &mut records))
                .and_then(|listening| Ok(listening && table.finish(&mut records)?))
                .map_err(|error| at_sheet(error, &at, sheet))?;
            if !all {
                return Ok(None);
            }
            has_header |= matches!(table.stage, Stage::Within(_));
        }
    }
    if !has_header {
        return Err(Error::contract("the chosen sheets are empty")
            .at(at)
            .hint("even without rows they have a header"));
    }
    records.finish()
}

/// The first rows of every sheet as people see them, by name: for whoever has no contract yet.
pub(in crate::connector) fn shown(file: File, most: usize) -> Result<Vec<(String, Vec<Vec<String>>)>> {
    let mut book = workbook::open(file)?;
    let epoch = book.epoch();
    let mut sheets = Vec::new();
    for name in book.sheets() {
        let mut rows = Vec::new();
        book.rows(&name, &mut |_, items| {
            rows.push(items.iter().map(|item| item.cell(Want::Shown, epoch).text().into_owned()).collect());
            Ok(rows.len() < most)
        })?;
        sheets.push((name, rows));
    }
    Ok(sheets)
}

/// The sheets that are read, each with its place in the workbook.
fn chosen<'n>(layout: &SheetLayout, names: &'n [String]) -> Result<Vec<(usize, &'n str)>> {
    let all = || names.iter().map(String::as_str).enumerate();
    if layout.sheets.is_empty() {
        return match all().next() {
            Some(first) => Ok(vec![first]),
            None => Err(Error::contract("the workbook has no worksheet")),
        };
    }
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    for pattern in &layout.sheets {
        let (list, text) = match pattern.strip_prefix('!') {
            Some(rest) => (&mut unwanted, rest),
            None => (&mut wanted, pattern.as_str()),
        };
        list.push(Pattern::new(text).map_err(|error| {
            Error::config(format!("'{text}' is not a pattern of sheet names")).because(error)
        })?);
    }
    let any =
        |patterns: &[Pattern], name: &str| patterns.iter().any(|p| p.matches_with(name.trim(), MATCHING));
    let found: Vec<_> = all().filter(|(_, name)| any(&wanted, name) && !any(&unwanted, name)).collect();
    match found.is_empty() {
        true => Err(Error::contract(format!("no sheet is called '{}'", layout.sheets.join("' or '")))
            .hint(known("sheets", &layout.sheets[0], names.iter().map(String::as_str)))),
        false => Ok(found),
    }
}

fn at_sheet(error: Error, at: &str, sheet: &str) -> Error {
    match error.place() {
        Some(_) => error,
        None => error.at(format!("{at} sheet '{sheet}'")),
    }
}

impl Table<'_> {
    /// Takes in a row of the sheet; `false` when nobody listens any more.
    fn take(&mut self, row: i64, items: &[Item<'_>], records: &mut Records<'_>) -> Result<bool> {
        match &mut self.stage {
            Stage::Before(search) => match search.look_at(row, items) {
                true => self.begin(records),
                false => Ok(true),
            },
            Stage::Within(heading) => {
                if heading.is_blank(items) || heading.is_repeated(items) {
                    return Ok(true);
                }
                let cell = |column: usize| match heading.origin(column) {
                    Origin::Absent => Cell::Null,
                    Origin::Sheet => Cell::Text(self.sheet.into()),
                    Origin::Cell(at) => {
                        items.get(at).map_or(Cell::Null, |item| item.cell(self.wants[column], self.epoch))
                    }
                };
                records.push(self.start + row, Received::Cells, &cell)
            }
        }
    }

    /// The end of the sheet: a short one has all of its rows in the search.
    fn finish(&mut self, records: &mut Records<'_>) -> Result<bool> {
        match &self.stage {
            Stage::Before(search) if !search.is_empty() => self.begin(records),
            Stage::Before(_) | Stage::Within(_) => Ok(true),
        }
    }

    /// Finds the header among the rows so far and takes in what stands below it.
    fn begin(&mut self, records: &mut Records<'_>) -> Result<bool> {
        let Stage::Before(search) = &mut self.stage else { return Ok(true) };
        let (mut heading, below) = search.end(self.contract)?;
        std::mem::take(&mut heading.findings).into_iter().for_each(|finding| records.note(finding));
        self.stage = Stage::Within(heading);
        for (row, items) in below {
            if !self.take(row, &items, records)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
