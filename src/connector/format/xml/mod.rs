//! XML: elements that are rows, and paths to their cells.
//!
//! One thread parses and picks the texts, the caller checks them. Memory is bounded by a few chunks
//! of rows and one row as long as it may be. Nothing that a document declares is expanded or
//! fetched: one that has a DTD is refused.

mod chunk;
mod fault;
mod paths;
mod walk;
mod window;

use crate::connector::contract::{Contract, FileLayout, XmlLayout};
use crate::connector::format::Emit;
use crate::connector::format::records::Records;
use crate::connector::format::unpack;
use crate::connector::names::Unseen;
use crate::connector::rows::Received;
use crate::connector::value::Cell;
use crate::connector::{SourceFile, Totals};
use crate::error::{Error, Result};
use chunk::Chunk;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use walk::Walk;
use window::Window;

/// How many chunks wait for the one who checks them.
const WAITING: usize = 2;

/// Reads all rows of `file`, see [`crate::connector::format::read`].
pub(super) fn read(
    contract: &Contract,
    (layout, xml): (&FileLayout, &XmlLayout),
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let placed = |error: Error| {
        let place = error.place().map_or(at.to_string(), |inside| format!("{at}: {inside}"));
        error.at(place)
    };
    let opened = unpack::one(layout, &file.path).map_err(placed)?;
    let window = Window::open(opened, layout.encoding).map_err(placed)?;
    // A column may be the name of the file itself.
    let named: Vec<bool> =
        contract.columns.iter().map(|column| column.from.iter().any(|from| from == "_file")).collect();
    let records = Records::new(contract, at, &file.name, emit)?;
    thread::scope(|scope| {
        let (outlet, chunks) = sync_channel(WAITING);
        let walking = scope.spawn(move || {
            let mut send = |chunk| outlet.send(chunk).is_ok();
            Walk::new(contract, xml, &mut send)?.run(window)
        });
        // Chunks that were sent before an error are rows of a file that is refused.
        let mut unseen = Unseen::new(contract);
        let checked = check(records, &chunks, &named, &file.name, &mut unseen);
        drop(chunks);
        let walked = walking.join().map_err(|_| Error::internal("the parser of a document stopped"))?;
        match (walked.map_err(placed)?, checked?) {
            (true, Some(mut records)) => {
                let findings = unseen.findings(String::new).map_err(placed)?;
                findings.into_iter().for_each(|finding| records.note(finding));
                records.finish()
            }
            _ => Ok(None),
        }
    })
}

/// Checks all rows; `None` when nobody listened to the end.
fn check<'e>(
    mut records: Records<'e>,
    chunks: &Receiver<Chunk>,
    named: &[bool],
    file: &str,
    unseen: &mut Unseen<'_>,
) -> Result<Option<Records<'e>>> {
    for chunk in chunks {
        let goes_on = chunk.each(|row, raw, ragged, cell| {
            let cell = |column: usize| match named[column] {
                true => Cell::Text(file.into()),
                false => cell(column),
            };
            unseen.look(|column| !matches!(cell(column), Cell::Null));
            match ragged {
                None => records.push(row, Received::Line(raw), &cell),
                Some(ragged) => records.push_ragged(row, Received::Line(raw), ragged),
            }
        })?;
        if !goes_on {
            return Ok(None);
        }
    }
    Ok(Some(records))
}

#[cfg(test)]
mod tests;
