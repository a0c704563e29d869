//! The keys of all rows that there are.

use super::rows::{named, reader, walk};
use crate::connector::Keys;
use crate::connector::batch::Draft;
use crate::connector::contract::Contract;
use crate::connector::format::unpack::Part;
use crate::connector::rows::{Received, Sheet};
use crate::error::{Error, Result};

/// The most keys of a package; 16 bytes each.
const MOST_KEYS: usize = 50_000_000;

/// Reads the keys. One that cannot be read is an error: its row would be taken for deleted.
pub(super) fn read(contract: &Contract, parts: Vec<Part>, at: &str) -> Result<Keys> {
    let columns =
        contract.columns.iter().filter(|column| contract.key.contains(&column.name)).cloned().collect();
    let contract = Contract { columns, totals: Vec::new(), skip: Vec::new(), ..contract.clone() };
    let mut keys = Vec::new();
    for part in parts {
        let at = part.place(at);
        let mut sheet = Sheet::new(&contract, &at, None, false)?;
        let mut csv = reader(part.file);
        named(&contract, &mut csv)
            .and_then(|named| {
                walk(&named, csv, |line, cell| {
                    sheet.push(line, Received::Cells, cell)?;
                    if sheet.is_full() {
                        add(sheet.take()?, &mut keys)?;
                    }
                    Ok(true)
                })
            })
            .and_then(|_| add(sheet.take()?, &mut keys))
            .map_err(|error| super::error_at(error, &at))?;
    }
    Ok(Keys::new(keys))
}

fn add(draft: Option<Draft>, keys: &mut Vec<u128>) -> Result<()> {
    let Some(draft) = draft else { return Ok(()) };
    for (row, key) in draft.rows.iter().zip(&draft.keys) {
        keys.push(key.ok_or_else(|| {
            Error::contract(format!("line {row} has a key that cannot be read")).hint(
                "what else has been deleted cannot be told: compare the key's columns with the contract",
            )
        })?);
    }
    match keys.len() <= MOST_KEYS {
        true => Ok(()),
        false => Err(Error::contract(format!("the package has more than {MOST_KEYS} keys"))),
    }
}
