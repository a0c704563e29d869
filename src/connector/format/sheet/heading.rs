//! The header of a sheet, found by its column names.

use super::cell::{Epoch, Item, Want};
use crate::connector::contract::{Column, Contract, Origin as Source};
use crate::connector::finding::Finding;
use crate::connector::names::{self, Named, plain};
use crate::error::{Error, Result};
use std::collections::HashSet;

/// How many rows that are not blank may stand above the last row of a header, itself included.
const LOOKED_AT: usize = 50;

/// A row of a sheet and its number.
type Row = (i64, Vec<Item<'static>>);

/// Where a column of the contract comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// The cell of this column of the sheet, counted from 0.
    Cell(usize),
    /// The name of the sheet.
    Sheet,
    /// Not of the sheet.
    Absent,
}

/// A header.
#[derive(Debug)]
pub(super) struct Heading {
    /// By contract column.
    origins: Vec<Origin>,
    /// The texts of the header's cells.
    names: Vec<String>,
    /// What is to be told about columns that are new or missing.
    pub(super) findings: Vec<Finding>,
}

/// The first rows of a sheet, while its header is looked for.
#[derive(Debug)]
pub(super) struct Search {
    /// The rows of a header.
    height: usize,
    rows: Vec<Row>,
}

impl Heading {
    /// Where a column of the contract comes from.
    pub(super) fn origin(&self, column: usize) -> Origin {
        self.origins[column]
    }

    /// Whether a row has nothing in any column of the contract.
    pub(super) fn is_blank(&self, items: &[Item<'_>]) -> bool {
        self.cells().all(|at| items.get(at).is_none_or(Item::is_blank))
    }

    /// Whether a row says again what the columns are called, as printed lists do on each page.
    pub(super) fn is_repeated(&self, items: &[Item<'_>]) -> bool {
        self.cells().all(|at| items.get(at).is_some_and(|item| text(item) == self.names[at]))
    }

    fn cells(&self) -> impl Iterator<Item = usize> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::Cell(at) => Some(*at),
            Origin::Sheet | Origin::Absent => None,
        })
    }
}

impl Search {
    /// Looks for a header of so many rows.
    pub(super) fn new(height: usize) -> Self {
        Self { height, rows: Vec::new() }
    }

    /// Keeps a row; `true` when no more rows are wanted.
    pub(super) fn look_at(&mut self, row: i64, items: &[Item<'_>]) -> bool {
        if !items.iter().all(Item::is_blank) {
            self.rows.push((row, items.iter().cloned().map(Item::into_owned).collect()));
        }
        self.rows.len() >= LOOKED_AT
    }

    /// Whether all rows so far are blank.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The header and the rows below it.
    ///
    /// The header is the row that names the most columns of the contract. Another row that names as
    /// many makes it ambiguous, unless it says the same: then it is a repetition.
    pub(super) fn end(&mut self, contract: &Contract) -> Result<(Heading, Vec<Row>)> {
        let rows = std::mem::take(&mut self.rows);
        let asked = asked(contract);
        let headers: Vec<Vec<String>> = rows.windows(self.height).map(joined).collect();
        let named = |names: &Vec<String>| names.iter().filter(|name| asked.contains(&plain(name))).count();
        let most = headers.iter().map(named).max().unwrap_or(0);
        let mut best = headers.iter().enumerate().filter(|(_, names)| named(names) == most);
        let Some((at, names)) = best.next().filter(|_| most > 0) else {
            return Err(nothing_named(rows.len()));
        };
        if let Some((other, _)) = best.find(|(_, other)| *other != names) {
            let (one, other) = (rows[at].0, rows[other].0);
            let message = format!("rows {one} and {other} both look like the header");
            return Err(Error::contract(message)
                .hint("nobody can tell which of them is meant: leave one out of the sheet"));
        }
        let row = rows[at].0;
        let placed = |error| error_in_row(error, row);
        let found = Named::of(contract, names).map_err(placed)?;
        found.accepted(contract, names).map_err(placed)?;
        let findings = found.findings(contract, names).map_err(placed)?;
        let origin = |(column, cell): (&Column, &Option<usize>)| match (&column.origin, cell) {
            (Source::Sheet, _) => Origin::Sheet,
            (_, Some(at)) => Origin::Cell(*at),
            (_, None) => Origin::Absent,
        };
        let origins = contract.columns.iter().zip(&found.cells).map(origin).collect();
        let heading = Heading { origins, names: names.clone(), findings };
        let below = rows.into_iter().skip(at + self.height).collect();
        Ok((heading, below))
    }
}

/// The names that a header may give to the contract's columns, as [`plain`] compares them.
fn asked(contract: &Contract) -> HashSet<String> {
    let cells = contract.columns.iter().filter(|column| column.origin == Source::Cell);
    cells.flat_map(|column| &column.from).map(|name| plain(name)).filter(|name| !name.is_empty()).collect()
}

/// The texts of a header's rows, joined column by column. A text of an upper row stands over the
/// blank cells to its right as well, as a merged cell does.
fn joined(rows: &[Row]) -> Vec<String> {
    let width = rows.iter().map(|(_, items)| items.len()).max().unwrap_or(0);
    let mut names = vec![String::new(); width];
    for (at, (_, items)) in rows.iter().enumerate() {
        let is_upper = at + 1 < rows.len();
        let mut over = String::new();
        for (column, name) in names.iter_mut().enumerate() {
            let text = items.get(column).map(text).unwrap_or_default();
            let text = match (text.is_empty(), is_upper) {
                (true, true) => over.clone(),
                (true, false) => continue,
                (false, _) => text,
            };
            if !name.is_empty() && !text.is_empty() {
                name.push(' ');
            }
            name.push_str(&text);
            over = text;
        }
    }
    names
}

/// A cell of a header.
fn text(item: &Item<'_>) -> String {
    let text = item.cell(Want::Shown, Epoch::Of1900).text();
    let words: Vec<&str> = text.split_whitespace().collect();
    names::shown(words.join(" ").as_bytes())
}

fn nothing_named(rows: usize) -> Error {
    Error::contract(format!("none of the first {rows} rows names the contract's columns"))
        .hint("leave a sheet without rows out by `sheets`, as in sheets = [\"*\", \"!Notes\"]")
}

fn error_in_row(error: Error, row: i64) -> Error {
    let hint = error.advice().map_or(String::new(), |hint| format!("; {hint}"));
    let message = error.to_string();
    Error::contract(message).hint(format!("row {row} was taken for the header{hint}"))
}
