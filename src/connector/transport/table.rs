//! What tables of every database have in common: names, and rows on their way into batches.

use crate::connector::contract::{Column, Contract, Policy};
use crate::connector::rows::{Control, Received, Rows};
use crate::connector::transport::Outlet;
use crate::connector::transport::wait::Stop;
use crate::connector::value::Cell;
use crate::connector::{Item, Totals};
use crate::error::{Error, Result};
use datafusion::arrow::record_batch::RecordBatch;

/// Rows of a table, numbered as they come, on their way into batches.
pub(super) struct Feed {
    rows: Rows,
    outlet: Outlet,
    ordinal: i64,
}

impl Feed {
    /// Starts with the first row.
    pub(super) fn new(contract: &Contract, at: &str, control: Control, outlet: &Outlet) -> Result<Self> {
        if !control.columns.is_empty() {
            // The first item of all: there is room for it, unless nobody listens any more.
            outlet.try_send(Ok(Item::Columns(control.columns.clone()))).ok();
        }
        Ok(Self { rows: Rows::new(contract, at, None, false, control)?, outlet: outlet.clone(), ordinal: 0 })
    }

    /// Takes in a row; a batch that it filled must be sent before the next one.
    pub(super) fn push<'r>(&mut self, cell: &impl Fn(usize) -> Cell<'r>) -> Result<Option<RecordBatch>> {
        self.ordinal += 1;
        self.rows.push(self.ordinal, Received::Cells, cell)?;
        self.rows.full_batch()
    }

    /// Sends a batch.
    pub(super) async fn send(&self, batch: RecordBatch) -> Result<(), Stop> {
        self.outlet.send(Ok(Item::Batch(batch))).await.map_err(|_| Stop::Unwanted)
    }

    /// Sends what still waits, and compares the totals.
    pub(super) async fn finish(mut self, high: Option<String>) -> Result<Totals, Stop> {
        while let Some(batch) = self.rows.last_batch()? {
            self.send(batch).await?;
        }
        Ok(Totals { high, ..self.rows.totals()? })
    }
}

/// For each column of the contract its place among the table's columns; `None` for one that the
/// table does not have and the contract does without. Names are compared without case, unless that leaves two.
pub(super) fn matched(contract: &Contract, table: &str, known: &[String]) -> Result<Vec<Option<usize>>> {
    let can_be_missing =
        |column: &Column| column.optional || !column.required && contract.drift.missing != Policy::Freeze;
    let mut found = Vec::with_capacity(contract.columns.len());
    let mut missing = Vec::new();
    for column in &contract.columns {
        let places = |same: fn(&str, &str) -> bool| -> Vec<usize> {
            let named = |name: &&String| column.from.iter().any(|from| same(from.trim(), name));
            known.iter().enumerate().filter(|(_, name)| named(name)).map(|(at, _)| at).collect()
        };
        let loose = places(|from, name| from.to_lowercase() == name.to_lowercase());
        let exact = places(|from, name| from == name);
        match (loose.as_slice(), exact.as_slice()) {
            ([], _) if can_be_missing(column) => found.push(None),
            ([], _) => missing.push(format!("'{}'", column.from.join("' or '"))),
            ([at], _) | (_, [at]) => found.push(Some(*at)),
            (several, _) => {
                let names: Vec<&str> = several.iter().map(|at| known[*at].as_str()).collect();
                let message = format!("column '{}' is in table '{table}' more than once", column.name);
                return Err(Error::contract(message)
                    .hint(format!("name one of {} in the column's `from`", names.join(", "))));
            }
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let message = match missing.len() {
        1 => format!("column {} is missing from table '{table}'", missing[0]),
        _ => format!("columns {} are missing from table '{table}'", missing.join(", ")),
    };
    Err(Error::contract(message).hint(format!("the table has {}", known.join(", "))))
}

/// The error about a table that the database does not show.
pub(super) fn missing(table: &str) -> Error {
    Error::absent(format!("table '{table}' is missing"))
        .hint("the contract's `table` names a table or view of the database, which the user may read; an entity that only some sources have is `optional = true`")
}
