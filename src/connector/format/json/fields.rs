//! Where a row of JSON has the columns of a contract.

use crate::connector::SourceFile;
use crate::connector::contract::Contract;
use crate::connector::finding::Finding;
use crate::connector::format::json::cell;
use crate::connector::format::json::select::{Members, Path, members};
use crate::connector::names::Unseen;
use crate::connector::value::Cell;
use crate::error::Result;
use chrono::DateTime;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Before the name of a member of the parent's row.
const PARENT: &str = "_parent.";

/// The columns of a contract in rows of JSON.
pub(super) struct Fields<'c> {
    contract: &'c Contract,
    file: &'c SourceFile,
    /// The places of each column; the first that a row has counts.
    places: Vec<Vec<Place>>,
    unseen: Unseen<'c>,
    /// The members of the first row, for the error about columns that no row has.
    known: Option<Vec<String>>,
}

/// A place where a value may be.
enum Place {
    /// The file's name.
    File,
    /// When the file arrived.
    ReceivedAt,
    /// In the parent's row.
    Parent(Path),
    /// A member of the row, which usually has it by its whole name.
    Member(String, Path),
}

/// A value that was found.
pub(super) enum Found<'a> {
    Json(&'a RawValue),
    Cell(Cell<'a>),
    Nothing,
}

impl<'c> Fields<'c> {
    /// The columns of `contract` in rows of `file`.
    pub(super) fn new(contract: &'c Contract, file: &'c SourceFile) -> Result<Self> {
        let places = |from: &Vec<String>| from.iter().map(|name| Place::parse(name)).collect();
        let places = contract.columns.iter().map(|c| places(&c.from)).collect::<Result<_>>()?;
        Ok(Self { contract, file, places, unseen: Unseen::new(contract), known: None })
    }

    /// What `row` has of each column; `parent` is the row that it belongs to.
    pub(super) fn of_row<'a>(
        &mut self,
        row: &'a RawValue,
        parent: Option<&'a RawValue>,
    ) -> Result<Vec<Found<'a>>>
    where
        'c: 'a,
    {
        let members = members(row)?.unwrap_or(Members(Vec::new()));
        if self.known.is_none() {
            self.known = Some(members.0.iter().map(|(name, _)| name.to_string()).collect());
        }
        let mut found = Vec::with_capacity(self.places.len());
        for places in &self.places {
            let mut value = Found::Nothing;
            for place in places {
                value = place.find(self.file, row, &members, parent)?;
                if !matches!(value, Found::Nothing) {
                    break;
                }
            }
            found.push(value);
        }
        self.unseen.look(|column| !matches!(found[column], Found::Nothing));
        Ok(found)
    }

    /// The cell of a column.
    pub(super) fn cell<'a>(&self, found: &Found<'a>, column: usize) -> Cell<'a> {
        match found {
            Found::Json(value) => cell::cell(value, &self.contract.columns[column].ty),
            Found::Cell(cell) => cell.clone(),
            Found::Nothing => Cell::Null,
        }
    }

    /// What is to be told about columns that no row had; an error when the contract insists on one.
    pub(super) fn findings(self) -> Result<Vec<Finding>> {
        let known = self.known.unwrap_or_default();
        let names: Vec<&str> = known.iter().map(String::as_str).take(40).collect();
        self.unseen.findings(|| format!("; the first row has {}", names.join(", ")))
    }
}

impl Place {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "_file" => Place::File,
            "_received_at" => Place::ReceivedAt,
            _ => match name.strip_prefix(PARENT) {
                Some(path) => Place::Parent(Path::parse(path)?),
                None => Place::Member(name.into(), Path::parse(name)?),
            },
        })
    }

    fn find<'a>(
        &self,
        file: &'a SourceFile,
        row: &'a RawValue,
        members: &Members<'a>,
        parent: Option<&'a RawValue>,
    ) -> Result<Found<'a>> {
        let json = |value: Option<&'a RawValue>| value.map_or(Found::Nothing, Found::Json);
        Ok(match self {
            Place::File => Found::Cell(Cell::Text(Cow::Borrowed(&file.name))),
            // The tag of an answer is the instant of its arrival.
            Place::ReceivedAt => Found::Cell(match DateTime::parse_from_rfc3339(&file.tag) {
                Ok(instant) => Cell::Instant(instant.timestamp_micros()),
                Err(_) => Cell::Null,
            }),
            Place::Parent(path) => match parent {
                Some(parent) => json(path.first(parent)?),
                None => Found::Nothing,
            },
            Place::Member(name, path) => match members.named(name) {
                Some(value) => Found::Json(value),
                None if name.contains(['.', '$']) => json(path.first(row)?),
                None => Found::Nothing,
            },
        })
    }
}
