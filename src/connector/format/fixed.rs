//! Cells at fixed places, counted in characters after decoding.

use crate::connector::contract::{Contract, Encoding, Place};
use crate::connector::format::{Emit, ends_line, line_ends};
use crate::connector::rows::{Received, Rows};
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use std::borrow::Cow;

/// Reads all rows of `body` into `rows`; `false` when nobody listened to the end.
pub(super) fn read(
    contract: &Contract,
    encoding: Encoding,
    body: &[u8],
    rows: &mut Rows,
    emit: Emit<'_>,
) -> Result<bool> {
    let places = places(contract)?;
    let width = places.iter().map(|place| place.start - 1 + place.width).max().unwrap_or(0);
    let mut line = 1;
    let mut rest = body;
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| ends_line(*byte)).unwrap_or(rest.len());
        let (bytes, after) = rest.split_at(length);
        rest = after.strip_prefix(b"\r\n").unwrap_or(after.get(1..).unwrap_or_default());
        if !bytes.trim_ascii().is_empty() {
            let received = Received::Line(bytes);
            let record = Record::new(bytes, encoding);
            if record.from(width).trim().is_empty() {
                rows.push(line, received, &|at| record.cell(places[at]))?;
            } else {
                rows.push_ragged(line, received, &format!("text behind character {width}"))?;
            }
        }
        line += line_ends(&after[..after.len() - rest.len()]);
        if let Some(batch) = rows.full_batch()?
            && !emit(batch)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A decoded line.
struct Record<'a> {
    text: Cow<'a, str>,
    is_malformed: bool,
    /// Where each character begins; empty when every character is one byte.
    starts: Vec<usize>,
}

impl<'a> Record<'a> {
    fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        let (text, is_malformed) = match encoding {
            Encoding::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => (Cow::Borrowed(text), false),
                // One replacement for each malformed sequence keeps the other cells in place.
                Err(_) => (String::from_utf8_lossy(bytes), true),
            },
            Encoding::Utf16 => (encoding_rs::UTF_16LE.decode(bytes).0, false),
            Encoding::Windows1252 => (encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0, false),
        };
        let starts = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self { text, is_malformed, starts }
    }

    fn cell(&self, place: Place) -> Cell<'_> {
        let (start, end) = (self.byte(place.start - 1), self.byte(place.start - 1 + place.width));
        let text = &self.text[start..end];
        if self.is_malformed && text.contains(char::REPLACEMENT_CHARACTER) {
            return Cell::Malformed(text.as_bytes());
        }
        Cell::Text(Cow::Borrowed(text))
    }

    /// What stands behind the first `characters`.
    fn from(&self, characters: usize) -> &str {
        &self.text[self.byte(characters)..]
    }

    /// Where a character begins, or the end of a short line.
    fn byte(&self, character: usize) -> usize {
        match self.starts.is_empty() {
            true => character.min(self.text.len()),
            false => self.starts.get(character).copied().unwrap_or(self.text.len()),
        }
    }
}

fn places(contract: &Contract) -> Result<Vec<Place>> {
    let place = |column: &crate::connector::contract::Column| match column.place {
        Some(place) if place.start > 0 => Ok(place),
        _ => Err(Error::config(format!("column '{}' of a fixed layout has no place", column.name))
            .hint("give it `start` (from 1) and `width`")),
    };
    contract.columns.iter().map(place).collect()
}
