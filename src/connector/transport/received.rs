//! Rows of a database as quarantine keeps them: JSON objects of their cells.

use crate::connector::contract::{Column, Contract};
use crate::connector::rows::{Control, Received, Rows};
use crate::connector::transport::{place, start};
use crate::connector::value::Cell;
use crate::connector::{Extract, Item};
use crate::error::{Error, Result};
use crate::project::Source;
use serde_json::{Map, Value};

/// Starts reading `rows`, each with its number.
pub(super) fn read(source: &Source, contract: &Contract, rows: Vec<(i64, String)>) -> Extract {
    let (at, contract) = (place(source, contract), contract.clone());
    start(move |outlet| {
        let mut read = Rows::new(&contract, &at, None, false, Control::default())?;
        for (number, raw) in &rows {
            let cells = parsed(raw).map_err(|error| error.at(format!("{at} row {number}")))?;
            read.push(*number, Received::Cells, &|column| cell(&cells, &contract.columns[column]))?;
            if let Some(batch) = read.full_batch()?
                && outlet.blocking_send(Ok(Item::Batch(batch))).is_err()
            {
                return Ok(None);
            }
        }
        while let Some(batch) = read.last_batch()? {
            if outlet.blocking_send(Ok(Item::Batch(batch))).is_err() {
                return Ok(None);
            }
        }
        read.totals().map(Some)
    })
}

fn parsed(raw: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(raw) {
        Ok(Value::Object(cells)) => Ok(cells),
        Ok(_) | Err(_) => Err(Error::lake("a quarantined row is not kept as a database row")
            .hint("was the source a folder when it was landed? pull it again with --full")),
    }
}

fn cell<'a>(cells: &'a Map<String, Value>, column: &Column) -> Cell<'a> {
    let named = |name: &&String| column.from.iter().any(|from| from.eq_ignore_ascii_case(name));
    match cells.keys().find(named).and_then(|name| cells.get(name)) {
        None | Some(Value::Null) => Cell::Null,
        Some(Value::Bool(value)) => Cell::Bool(*value),
        Some(Value::String(text)) => Cell::Text(text.as_str().into()),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(number) => Cell::Int(number),
            None => Cell::Text(number.to_string().into()),
        },
        Some(Value::Array(_) | Value::Object(_)) => Cell::Null,
    }
}
