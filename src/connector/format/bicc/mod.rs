//! Packages of Oracle BICC and of its successor, the data extraction service.
//!
//! A package is a manifest and the zips that it names, with their hashes. The zips of one view
//! object hold changed rows (`.csv`), the columns' types (`.mdcsv`) and the keys of all rows that
//! there are (`.pecsv`). The manifest comes last, so a package whose manifest is there is complete.
//! The lake keeps manifest and zips byte for byte as one file, see [`bundle`].

pub(in crate::connector) mod bundle;
mod keys;
pub(in crate::connector) mod manifest;
mod metadata;
mod rows;
#[cfg(test)]
mod tests;

use crate::connector::Totals;
use crate::connector::contract::{BiccLayout, Contract};
use crate::connector::format::Emit;
use crate::connector::format::decode::unreadable;
use crate::connector::format::unpack::{self, Part};
use crate::error::{Error, Result};
use bundle::Entry;
use manifest::Manifest;
use std::fs::File;
use std::io::Read;

/// The most bytes of a manifest.
pub(in crate::connector) const MOST_MANIFEST: u64 = 16 << 20;

/// The members of a package's zips, by what they hold.
#[derive(Debug, Default)]
struct Members {
    data: Vec<Part>,
    metadata: Vec<Part>,
    keys: Vec<Part>,
}

/// Reads a package as the lake keeps it: its rows are changes, and its keys, where it has them, say
/// which rows there still are.
pub(super) fn read(
    contract: &Contract,
    layout: &BiccLayout,
    name: &str,
    file: File,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let located = |error: Error| error_at(error, at);
    let members = members(layout, file).map_err(located)?;
    for part in members.metadata {
        let at = part.place(at);
        metadata::check(contract, part.file).map_err(|error| error_at(error, &at))?;
    }
    let alive = match members.keys.is_empty() {
        true => None,
        false => Some(keys::read(contract, members.keys, at)?),
    };
    let totals = rows::read(contract, name, members.data, at, emit)?;
    Ok(totals.map(|totals| Totals { alive, ..totals }))
}

/// Unpacks the zips of the entity, each of which must be what the manifest says.
fn members(layout: &BiccLayout, mut file: File) -> Result<Members> {
    let mut entries = bundle::entries(&mut file)?.into_iter();
    let first = entries.next().ok_or_else(|| Error::lake("the kept package is empty"))?;
    let mut text = Vec::new();
    first.open(&file)?.take(MOST_MANIFEST).read_to_end(&mut text).map_err(unreadable)?;
    let manifest = Manifest::parse(&text)?;
    let entries: Vec<Entry> = entries.collect();
    let mut members = Members::default();
    for listed in manifest.of(&layout.pvo)? {
        let entry = entries
            .iter()
            .find(|entry| entry.name == listed.name)
            .ok_or_else(|| manifest::missing(&listed.name))?;
        listed.verify(entry.open(&file)?)?;
        sort(entry, &file, &mut members)
            .map_err(|error| error_at(error, &format!("zip '{}'", entry.name)))?;
    }
    Ok(members)
}

fn sort(entry: &Entry, file: &File, members: &mut Members) -> Result<()> {
    for part in unpack::every_member(entry.open(file)?)? {
        let name = part.member.as_deref().unwrap_or_default().to_lowercase();
        let list = match name.rsplit('.').next() {
            Some("csv") => &mut members.data,
            Some("mdcsv") => &mut members.metadata,
            Some("pecsv") => &mut members.keys,
            _ => {
                return Err(Error::contract(format!("'{name}' is neither .csv, .mdcsv nor .pecsv"))
                    .hint("let the extract write CSV, and let `pvo` name the zips of one view object"));
            }
        };
        list.push(part);
    }
    Ok(())
}

/// Puts the place of an error behind `at`.
fn error_at(error: Error, at: &str) -> Error {
    let place = error.place().map_or(at.to_string(), |place| match place.starts_with(at) {
        true => place.to_string(),
        false => format!("{at} {place}"),
    });
    error.at(place)
}
