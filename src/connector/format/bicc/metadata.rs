//! What a package says about its columns, compared with the contract.

use super::rows::{self, reader, unreadable};
use crate::connector::contract::{Column, Contract, Origin, Policy, Type};
use crate::connector::names::{list, plain};
use crate::error::{Error, Result};
use csv::ByteRecord;
use std::collections::BTreeMap;
use std::fs::File;

/// What the type of a column comes down to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sort {
    Number,
    Moment,
    Text,
}

/// An error when a column of the contract is missing or of another type. The file is a CSV of one
/// row for each column; the columns with its name and its type are called so.
pub(super) fn check(contract: &Contract, file: File) -> Result<()> {
    let mut csv = reader(file);
    let header = rows::header(&mut csv)?;
    let place = |word: &str| header.iter().position(|name| name.contains(word));
    let (Some(name), ty) = (place("name"), place("type")) else {
        return Err(Error::contract("the metadata does not say which of its columns holds the names")
            .hint(format!("its header has {}", list(&header))));
    };
    let cell = |record: &ByteRecord, at: usize| {
        record.get(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    let (mut types, mut record) = (BTreeMap::new(), ByteRecord::new());
    while csv.read_byte_record(&mut record).map_err(unreadable)? {
        types.insert(plain(&cell(&record, name)), ty.map(|at| cell(&record, at)).unwrap_or_default());
    }
    let mut of_cells = contract.columns.iter().filter(|column| column.origin == Origin::Cell);
    let insists = contract.drift.missing == Policy::Freeze;
    of_cells.try_for_each(|column| compare(column, insists || column.required, &types))
}

fn compare(column: &Column, is_needed: bool, types: &BTreeMap<String, String>) -> Result<()> {
    let Some(ty) = column.from.iter().find_map(|from| types.get(&plain(from))) else {
        if column.optional || !is_needed {
            return Ok(());
        }
        let known: Vec<String> = types.keys().cloned().collect();
        return Err(Error::contract(format!("column '{}' is missing", column.from.join("' or '")))
            .hint(format!("the package has {}", list(&known))));
    };
    let fits = match (&column.ty, sort(ty)) {
        (_, None) | (Type::Text | Type::Bool | Type::Time { .. }, _) => true,
        (Type::Int | Type::Decimal { .. }, Some(sort)) => sort == Sort::Number,
        (Type::Date { .. } | Type::Timestamp { .. }, Some(sort)) => sort != Sort::Number,
    };
    match fits {
        true => Ok(()),
        false => Err(Error::contract(format!(
            "column '{}' is of type {ty}, the contract says otherwise",
            column.from[0]
        ))
        .hint(format!(
            "give column \"{}\" a type that can hold it, or have the extract corrected",
            column.name
        ))),
    }
}

/// `None` for types that nobody here has seen.
fn sort(ty: &str) -> Option<Sort> {
    let ty = ty.to_uppercase();
    let is = |words: &[&str]| words.iter().any(|word| ty.contains(word));
    match () {
        () if is(&["DATE", "TIME"]) => Some(Sort::Moment),
        () if is(&["NUMBER", "NUMERIC", "DECIMAL", "INT", "LONG", "FLOAT", "DOUBLE"]) => Some(Sort::Number),
        () if is(&["CHAR", "TEXT", "STRING", "CLOB"]) => Some(Sort::Text),
        () => None,
    }
}
