//! The names of a source's columns, compared with those of a contract as people would: without
//! regard to case, marks, blanks and underscores.

use crate::connector::contract::{Column, Contract, Origin, Policy};
use crate::connector::finding::{Finding, Matter};
use crate::error::{Error, Result};

/// How many names a message shows, and how much of each.
const MOST: usize = 40;

/// Where a source has the columns of a contract.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// By contract column, its place among the source's; `None` where it has no such column.
    pub(crate) cells: Vec<Option<usize>>,
}

impl Named {
    /// Looks the columns of `contract` up among `names`, which are [`shown`]; an error when nobody
    /// can tell which of two is meant.
    pub(crate) fn of(contract: &Contract, names: &[String]) -> Result<Self> {
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let cell = |column: &Column| match column.origin {
            Origin::Cell => place(column, names, &plain),
            Origin::File | Origin::Sheet | Origin::Fixed(_) | Origin::Extra => Ok(None),
        };
        Ok(Self { cells: contract.columns.iter().map(cell).collect::<Result<_>>()? })
    }

    /// How many columns of the contract are named.
    pub(crate) fn count(&self) -> usize {
        self.cells.iter().flatten().count()
    }

    /// Whether no column is missing that the contract does not do without.
    pub(crate) fn is_whole(&self, contract: &Contract) -> bool {
        self.count() > 0 && self.missing(contract).next().is_none()
    }

    /// The columns of the source that the contract does not name; those without a name are called
    /// by their place.
    pub(crate) fn unnamed(&self, names: &[String]) -> Vec<(usize, String)> {
        let is_new = |(at, _): &(usize, &String)| !self.cells.contains(&Some(*at));
        let name = |(at, name): (usize, &String)| match name.is_empty() {
            true => (at, format!("column {}", at + 1)),
            false => (at, name.clone()),
        };
        names.iter().enumerate().filter(is_new).map(name).collect()
    }

    /// An error when columns are missing that the contract insists on.
    pub(crate) fn accepted(&self, contract: &Contract, names: &[String]) -> Result<()> {
        accepted(contract, self.missing(contract), || format!("the header has {}", list(names)))
    }

    /// What is to be told about columns that are new or missing; an error when the contract refuses
    /// new ones.
    pub(crate) fn findings(&self, contract: &Contract, names: &[String]) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let is_named = |(at, _): &(usize, String)| names.get(*at).is_some_and(|name| !name.is_empty());
        let new: Vec<String> =
            self.unnamed(names).into_iter().filter(is_named).map(|(_, name)| name).collect();
        if let Some(policy) = contract.drift.new.filter(|_| !new.is_empty()) {
            let message = match new.len() {
                1 => format!("column {} is not in the contract", list(&new)),
                _ => format!("columns {} are not in the contract", list(&new)),
            };
            let what = match policy {
                Policy::Freeze => {
                    let hint =
                        "add to the contract what is wanted, or let it say drift = { new = \"evolve\" }";
                    return Err(Error::contract(message).hint(hint));
                }
                Policy::Evolve => "of files, their values are kept in _extra",
                Policy::Discard => "left out",
            };
            findings.push(Finding::of_load(Matter::NewColumn, 0, format!("{message}: {what}")));
        }
        findings.extend(told(contract, self.missing(contract)));
        Ok(findings)
    }

    /// The columns of the contract that the source lacks, though they are not optional.
    pub(crate) fn missing<'c>(&self, contract: &'c Contract) -> impl Iterator<Item = &'c Column> {
        let columns = contract.columns.iter().zip(self.cells.clone());
        let is_missing = |(column, cell): &(&Column, Option<usize>)| {
            cell.is_none() && !column.optional && column.origin == Origin::Cell
        };
        columns.filter(is_missing).map(|(column, _)| column)
    }
}

/// The columns of a contract that no row has had so far, in files where nothing but the rows names
/// columns.
pub(crate) struct Unseen<'c> {
    contract: &'c Contract,
    columns: Vec<usize>,
    has_rows: bool,
}

impl<'c> Unseen<'c> {
    /// All columns that rows should have.
    pub(crate) fn new(contract: &'c Contract) -> Self {
        let should = |at: &usize| {
            let column = &contract.columns[*at];
            column.origin == Origin::Cell && !column.optional
        };
        Self { contract, columns: (0..contract.columns.len()).filter(should).collect(), has_rows: false }
    }

    /// Looks at a row; `has` says whether it has a column.
    pub(crate) fn look(&mut self, has: impl Fn(usize) -> bool) {
        self.has_rows = true;
        self.columns.retain(|column| !has(*column));
    }

    /// What is to be told about columns that not one row had; an error when the contract insists on
    /// one. `known` says what there is instead.
    pub(crate) fn findings(self, known: impl FnOnce() -> String) -> Result<Vec<Finding>> {
        let contract = self.contract;
        let columns = if self.has_rows { self.columns } else { Vec::new() };
        let missing = || columns.iter().map(|column| &contract.columns[*column]);
        accepted(contract, missing(), || {
            format!("no row has it{}. A column that may be missing is `optional`", known())
        })?;
        Ok(told(contract, missing()).collect())
    }
}

/// An error when some of the `missing` columns are such that the contract insists on them.
fn accepted<'c>(
    contract: &Contract,
    missing: impl Iterator<Item = &'c Column>,
    hint: impl FnOnce() -> String,
) -> Result<()> {
    let insists = |column: &&Column| column.required || contract.drift.missing == Policy::Freeze;
    let missing: Vec<String> = missing.filter(insists).map(called).collect();
    let message = match missing.as_slice() {
        [] => return Ok(()),
        [one] => format!("column {one} is missing"),
        more => format!("columns {} are missing", more.join(", ")),
    };
    Err(Error::contract(message).hint(hint()))
}

/// What is told about `missing` columns.
fn told<'c>(contract: &Contract, missing: impl Iterator<Item = &'c Column>) -> impl Iterator<Item = Finding> {
    let tells = contract.drift.missing == Policy::Evolve;
    missing.filter(move |_| tells).map(|column| {
        let message = format!("{} is missing: every value is null", called(column));
        Finding::of_column(Matter::MissingColumn, &column.name, 0, message)
    })
}

/// A name as messages show it: in lowercase, without the blanks around it.
pub(crate) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).trim().to_lowercase()
}

/// What is left of a name when case, marks, blanks and underscores do not count: `* Net_Amount(£)`
/// is `net amount`.
pub(crate) fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The cell of a column under any of its names: as it is written, or else as [`plain`] compares.
fn place(column: &Column, names: &[String], plain: &[String]) -> Result<Option<usize>> {
    let exact = column.from.iter().map(|from| from.trim().to_lowercase());
    let exact = only(column, names, names, exact.collect())?;
    if exact.is_some() {
        return Ok(exact);
    }
    let loose = column.from.iter().map(|from| self::plain(from)).filter(|from| !from.is_empty());
    only(column, names, plain, loose.collect())
}

/// The only one of `forms`, other forms of `names`, that is wanted.
fn only(column: &Column, names: &[String], forms: &[String], wanted: Vec<String>) -> Result<Option<usize>> {
    let mut found = forms.iter().enumerate().filter(|(_, form)| wanted.contains(form)).map(|(at, _)| at);
    let message = match (found.next(), found.next()) {
        (first, None) => return Ok(first),
        (Some(one), Some(other)) if names[one] != names[other] => {
            format!(
                "the header has both '{}' and '{}' for column '{}'",
                names[one], names[other], column.name
            )
        }
        _ => format!("the header names column '{}' twice", column.from[0]),
    };
    Err(Error::contract(message).hint("nobody can tell which of them is meant"))
}

fn called(column: &Column) -> String {
    format!("'{}'", column.from.join("' or '"))
}

/// Names, shortened to what fits a message.
pub(crate) fn list(names: &[String]) -> String {
    let short = |name: &String| format!("'{}'", name.chars().take(MOST).collect::<String>());
    let shown: Vec<String> = names.iter().take(MOST).map(short).collect();
    match names.len() > MOST {
        true => format!("{} and {} more", shown.join(", "), names.len() - MOST),
        false => shown.join(", "),
    }
}
