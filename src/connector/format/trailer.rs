//! The control record at the end of a file.

use crate::connector::contract::{Contract, NumberForm, Trailer, TrailerPart, Type};
use crate::connector::format::decode::{unit, unreadable};
use crate::connector::format::ends_line;
use crate::connector::rows::{Control, MAX_ROW_BYTES};
use crate::connector::value::number::{self, Digits};
use crate::error::{Error, Result};
use encoding_rs::{Encoding, UTF_16BE};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// How much of a file's end is looked at first; a trailer seldom takes more.
const TAIL_BYTES: u64 = 4096;

/// Finds the trailer in a file, of which `body` is what follows the byte order mark: where the
/// trailer begins, and what it says.
pub(super) fn find(
    contract: &Contract,
    trailer: &Trailer,
    encoding: &'static Encoding,
    file: &mut File,
    body: Range<u64>,
) -> Result<(u64, Control)> {
    let (start, line) = last_line(encoding, file, body)?.ok_or_else(|| missing(trailer))?;
    let control = parse(contract, trailer, line.trim()).ok_or_else(|| missing(trailer))?;
    Ok((start, control))
}

/// The last line of a file's `body` that is not blank, and where it begins; `None` when it is longer
/// than any row.
pub(super) fn last_line(
    encoding: &'static Encoding,
    file: &mut File,
    body: Range<u64>,
) -> Result<Option<(u64, String)>> {
    let unit = unit(encoding);
    let mut most = TAIL_BYTES;
    loop {
        // The length is a whole number of units, so that this begins with one as well.
        let length = (body.end - body.start).min(most);
        let start = body.end - length - (body.end - length - body.start) % unit as u64;
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        (&*file).take(body.end - start).read_to_end(&mut tail).map_err(unreadable)?;
        let shape = shape(&tail, encoding);
        let end = shape.trim_ascii_end().len();
        let line = shape[..end].iter().rposition(|byte| ends_line(*byte)).map(|at| at + 1);
        match line {
            None if start > body.start && most <= MAX_ROW_BYTES as u64 => most *= 4,
            None if start > body.start => return Ok(None),
            _ => {
                let line = line.unwrap_or(0);
                let text = encoding.decode_without_bom_handling(&tail[line * unit..end * unit]).0;
                return Ok(Some((start + (line * unit) as u64, text.into_owned())));
            }
        }
    }
}

/// One byte for each unit of the encoding: the character if it is ASCII.
fn shape(bytes: &[u8], encoding: &'static Encoding) -> Vec<u8> {
    if unit(encoding) == 1 {
        return bytes.to_vec();
    }
    let ascii = |unit: &[u8]| match (unit, encoding == UTF_16BE) {
        ([0, byte], true) | ([byte, 0], false) => *byte,
        _ => u8::MAX,
    };
    bytes.chunks_exact(2).map(ascii).collect()
}

fn missing(trailer: &Trailer) -> Error {
    let message = format!("the last line is not the trailer '{}'", shown(trailer));
    Error::contract(message).hint("the file may be cut: ask for it again")
}

fn parse(contract: &Contract, trailer: &Trailer, line: &str) -> Option<Control> {
    let mut control = Control::default();
    let mut rest = line;
    for (at, part) in trailer.parts.iter().enumerate() {
        if let TrailerPart::Literal(text) = part {
            rest = rest.strip_prefix(text.as_str())?;
            continue;
        }
        let length = match trailer.parts.get(at + 1) {
            Some(TrailerPart::Literal(next)) => rest.find(next.as_str())?,
            // Two fields that touch cannot be told apart.
            Some(_) => return None,
            None => rest.len(),
        };
        let field = rest[..length].trim();
        rest = &rest[length..];
        match part {
            TrailerPart::Rows => {
                let digits = !field.is_empty() && field.bytes().all(|b| b.is_ascii_digit());
                control.rows = Some(if digits { field.parse().ok()? } else { return None });
            }
            TrailerPart::Sum(name) => {
                control.sums.insert(name.clone(), sum(contract, name, field)?);
            }
            TrailerPart::Literal(_) => {}
        }
    }
    rest.is_empty().then_some(control)
}

/// A sum in units of the column's last digit. Plain numbers are understood whatever the form
/// of the column, because vendors seldom format their trailers.
fn sum(contract: &Contract, name: &str, text: &str) -> Option<i128> {
    let (scale, form) = match contract.column(name)?.ty {
        Type::Int => (0, NumberForm::Plain),
        Type::Decimal { scale, form, .. } => (u8::try_from(scale).ok()?, form),
        _ => return None,
    };
    number::decimal(text, Digits { precision: 38, scale }, form).ok()
}

/// The layout as the contract writes it: `T|{rows}|{sum:fte}`.
fn shown(trailer: &Trailer) -> String {
    let part = |part: &TrailerPart| match part {
        TrailerPart::Literal(text) => text.clone(),
        TrailerPart::Rows => "{rows}".to_string(),
        TrailerPart::Sum(column) => format!("{{sum:{column}}}"),
    };
    trailer.parts.iter().map(part).collect()
}
