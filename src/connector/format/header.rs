//! The header of a delimited file: where the columns of the contract are.

use crate::connector::contract::{Column, Contract};
use crate::connector::format::blocks::Blocks;
use crate::connector::format::delimited::Parser;
use crate::error::{Error, Result};

/// Where a record has the columns of the contract.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The number of cells of a record.
    pub(super) width: usize,
    /// By contract column, its cell; `None` where the file has no such column.
    pub(super) cells: Vec<Option<usize>>,
}

impl Places {
    /// Without a header, the contract gives the order.
    pub(super) fn of_contract(contract: &Contract) -> Self {
        let width = contract.columns.len();
        Self { width, cells: (0..width).map(Some).collect() }
    }

    /// Reads the header off `blocks`.
    pub(super) fn of_header(contract: &Contract, parser: &mut Parser, blocks: &mut Blocks) -> Result<Self> {
        while let Some(block) = blocks.next()? {
            let (used, found) = parser.next(&block.bytes)?;
            if found.is_some() {
                let names = parser.cells().map(|name| normal(&String::from_utf8_lossy(name)));
                let names: Vec<String> = names.collect();
                blocks.give_back(block, used);
                return Self::of_names(contract, &names);
            }
        }
        Err(Error::contract("the file is empty").hint("even without rows it has a header"))
    }

    /// Finds the columns in a header of [`normal`] names.
    pub(super) fn of_names(contract: &Contract, names: &[String]) -> Result<Self> {
        let cells: Vec<Option<usize>> =
            contract.columns.iter().map(|column| place(column, names)).collect::<Result<_>>()?;
        let is_missing = |(column, cell): &(&Column, &Option<usize>)| cell.is_none() && !column.optional;
        let missing: Vec<String> = (contract.columns.iter().zip(&cells))
            .filter(is_missing)
            .map(|(column, _)| format!("'{}'", column.from.join("' or '")))
            .collect();
        if cells.iter().all(Option::is_none) {
            // The first line may be a row, and rows are personal: it is not shown.
            return Err(Error::contract("the first line names none of the contract's columns").hint(
                "the header may be missing, or the delimiter or encoding may differ from the contract",
            ));
        }
        let message = match missing.as_slice() {
            [] => return Ok(Self { width: names.len(), cells }),
            [one] => format!("column {one} is missing"),
            more => format!("columns {} are missing", more.join(", ")),
        };
        Err(Error::contract(message).hint(format!("the header has {}", list(names))))
    }
}

/// A name as names are compared: without case, any blanks and line breaks as one blank.
pub(super) fn normal(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The cell of a column under any of its names.
fn place(column: &Column, names: &[String]) -> Result<Option<usize>> {
    let is_named = |name: &str| column.from.iter().any(|from| normal(from) == name);
    let mut found = names.iter().enumerate().filter(|(_, name)| is_named(name));
    let message = match (found.next(), found.next()) {
        (first, None) => return Ok(first.map(|(at, _)| at)),
        (Some((_, one)), Some((_, other))) if one != other => {
            format!("the header has both '{one}' and '{other}' for column '{}'", column.name)
        }
        _ => format!("the header names column '{}' twice", column.from[0]),
    };
    Err(Error::contract(message).hint("nobody can tell which of them is meant"))
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
