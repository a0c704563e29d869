//! What a workbook may hold, looked at before anything of it is kept in memory.

use crate::connector::format::decode::unreadable;
use crate::connector::format::unpack::{self, Meter};
use crate::error::{Error, Result};
use quick_xml::events::{BytesStart, Event};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The most bytes of a part that is kept in memory: the texts of an xlsx, all of an ods.
const MOST_IN_MEMORY: u64 = 1 << 30;

/// The most bytes of an xls.
const MOST_XLS: u64 = 256 << 20;

/// The most cells of a sheet that is read whole; some 400 MB.
const MOST_CELLS: u64 = 8_000_000;

/// Parts of a workbook of which only a piece is in memory at a time.
const STREAMED: &str = "worksheets/";

/// Reads all of a zipped workbook once: an error when a part is damaged, larger than it may be, or
/// when its sheets say of a few cells that they repeat for ever.
pub(super) fn check(packed: BufReader<File>) -> Result<()> {
    let mut archive = unpack::opened(packed)?;
    for index in 0..archive.len() {
        let member = unpack::member(&mut archive, index)?;
        let name = member.name().map_or_else(|_| String::new(), |name| name.into_owned());
        let mut part = Counted::new(member.compressed_size(), !name.contains(STREAMED), member);
        let read = match name.as_str() {
            "content.xml" => repeated_cells(BufReader::new(&mut part)).and_then(cells),
            _ => std::io::copy(&mut part, &mut std::io::sink()).map(drop).map_err(unpack::damaged),
        };
        // The reason why counting stopped says more than that reading did.
        part.refused.map_or(read, Err).map_err(|error| error.at(format!("part '{name}'")))?;
    }
    Ok(())
}

/// An error when an xls is too large to be read whole.
pub(super) fn size(file: &File) -> Result<()> {
    match file.metadata().map_err(unreadable)?.len() <= MOST_XLS {
        true => Ok(()),
        false => Err(too_large(format!("the workbook has more than {} MiB", MOST_XLS >> 20))),
    }
}

/// An error when a sheet has too many cells to be read whole.
pub(super) fn cells(cells: u64) -> Result<()> {
    match cells <= MOST_CELLS {
        true => Ok(()),
        false => Err(too_large(format!("a sheet has more than {MOST_CELLS} cells"))),
    }
}

fn too_large(message: String) -> Error {
    Error::contract(message).hint("save it as .xlsx, which is read piece by piece, or as CSV")
}

/// A part of a workbook on its way through a meter.
struct Counted<R> {
    part: R,
    meter: Meter,
    left: u64,
    refused: Option<Error>,
}

impl<R: Read> Counted<R> {
    fn new(packed: u64, is_kept: bool, part: R) -> Self {
        let left = if is_kept { MOST_IN_MEMORY } else { u64::MAX };
        Self { part, meter: Meter::new(packed), left, refused: None }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.part.read(buffer)?;
        let counted = match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                self.meter.count(read as u64)
            }
            None => Err(too_large(format!("more than {} MiB would be kept in memory", MOST_IN_MEMORY >> 20))),
        };
        counted.map(|()| read).map_err(|error| {
            self.refused = Some(error);
            std::io::Error::other("too much")
        })
    }
}

/// How many cells the largest sheet of an ods has once what repeats is written out: its last row
/// that is not empty times its widest.
fn repeated_cells(content: impl BufRead) -> Result<u64> {
    let mut reader = quick_xml::Reader::from_reader(content);
    reader.config_mut().expand_empty_elements = true;
    let (mut most, mut buffer) = (0, Vec::new());
    let (mut rows, mut last_row, mut repeats, mut cells, mut last_cell, mut widest) =
        (0_u64, 0_u64, 1, 0_u64, 0_u64, 0);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(not_xml)? {
            Event::Start(tag) => match tag.name().as_ref() {
                "table:table" => (rows, last_row, widest) = (0, 0, 0),
                "table:table-row" => {
                    (repeats, cells, last_cell) = (times(&tag, "table:number-rows-repeated"), 0, 0)
                }
                "table:table-cell" | "table:covered-table-cell" => {
                    cells = cells.saturating_add(times(&tag, "table:number-columns-repeated"));
                    if has(&tag, "office:value-type") || has(&tag, "table:formula") {
                        last_cell = cells;
                    }
                }
                _ => {}
            },
            Event::End(tag) => match tag.name().as_ref() {
                "table:table-row" => {
                    rows = rows.saturating_add(repeats);
                    widest = widest.max(last_cell);
                    if last_cell > 0 {
                        last_row = rows;
                    }
                }
                "table:table" => most = most.max(last_row.saturating_mul(widest)),
                _ => {}
            },
            Event::Eof => return Ok(most),
            _ => {}
        }
    }
}

fn times(tag: &BytesStart<'_>, attribute: &str) -> u64 {
    let value = tag.try_get_attribute(attribute).ok().flatten();
    value.and_then(|value| value.value.parse().ok()).unwrap_or(1)
}

fn has(tag: &BytesStart<'_>, attribute: &str) -> bool {
    tag.try_get_attribute(attribute).is_ok_and(|value| value.is_some())
}

fn not_xml(error: quick_xml::Error) -> Error {
    Error::contract("the workbook is damaged: it is not XML inside").hint("ask for it again").because(error)
}
