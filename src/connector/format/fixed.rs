//! Cells at fixed places, counted in characters after decoding.

use crate::connector::contract::{Column, Contract, Origin, Place};
use crate::connector::format::blocks::Block;
use crate::connector::format::pages::Pages;
use crate::connector::value::{Cell, Code};
use crate::error::{Error, Result};
use memchr::memchr2;
use std::borrow::Cow;

/// Reads the blocks of a file.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// By contract column; `None` where the record has no cell for it.
    places: Vec<Option<Place>>,
    /// The characters of a whole line.
    width: usize,
}

impl Reader {
    /// A reader of the contract's layout.
    pub(super) fn new(contract: &Contract) -> Result<Self> {
        let place = |column: &Column| match column.place {
            _ if column.origin != Origin::Cell => Ok(None),
            Some(place) if place.start > 0 => Ok(Some(place)),
            _ => Err(Error::config(format!("column '{}' of a fixed layout has no place", column.name))
                .hint("give it `start` (from 1) and `width`")),
        };
        let places: Vec<Option<Place>> = contract.columns.iter().map(place).collect::<Result<_>>()?;
        let width = places.iter().flatten().map(|place| place.start - 1 + place.width).max().unwrap_or(0);
        Ok(Self { places, width })
    }

    /// Reads all rows of a block; `false` when nobody listened to the end.
    pub(super) fn read(&mut self, block: Block, pages: &mut Pages<'_>) -> Result<bool> {
        let Block { bytes, mut line } = block;
        let bytes = pages.open(bytes);
        let is_ascii = bytes.is_ascii();
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr2(b'\n', b'\r', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            let record = start..end;
            if !bytes[record.clone()].trim_ascii().is_empty() {
                let text = Record::new(&bytes[record.clone()], is_ascii);
                match text.from(self.width).trim().is_empty() {
                    true => pages.push(line, record, &|at| {
                        self.places[at].map_or(Cell::Null, |place| text.cell(place))
                    })?,
                    false => {
                        pages.push_ragged(
                            line,
                            record,
                            Code::RaggedRow,
                            &format!("text behind character {}", self.width),
                        )?;
                    }
                }
                if !pages.send_full()? {
                    return Ok(false);
                }
            }
            line += 1;
            start = end + if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
        }
        pages.close()
    }
}

/// A decoded line.
struct Record<'a> {
    text: Cow<'a, str>,
    is_malformed: bool,
    /// Where each character begins; empty when every character is one byte.
    starts: Vec<usize>,
}

impl<'a> Record<'a> {
    fn new(bytes: &'a [u8], is_ascii: bool) -> Self {
        // One replacement for each malformed sequence keeps the other cells in place.
        let text = String::from_utf8_lossy(bytes);
        let is_malformed = matches!(text, Cow::Owned(_));
        let starts = match is_ascii || text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self { text, is_malformed, starts }
    }

    #[inline]
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
