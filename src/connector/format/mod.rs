//! Cuts files into rows. Plain functions over bytes, without IO.

mod delimited;
mod fixed;
mod trailer;

use crate::connector::contract::{Contract, Encoding, FileFormat, FileLayout};
use crate::connector::rows::Rows;
use crate::connector::{SourceFile, Totals};
use crate::error::{Error, Result};
use datafusion::arrow::record_batch::RecordBatch;
use std::borrow::Cow;

/// Takes a batch; says whether anybody still listens.
pub(crate) type Emit<'a> = &'a mut dyn FnMut(RecordBatch) -> bool;

/// Reads all rows of `file`. `None` when nobody listened to the end; `at` is the place for errors.
pub(crate) fn read(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let bytes = std::fs::read(&file.path)
        .map_err(|error| Error::source("the file could not be read").at(at).because(error))?;
    let bytes: &[u8] = &bytes;
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (body, control) = trailer::cut(contract, layout, body).map_err(|error| error.at(at))?;
    let body = decoded(body, layout.encoding);
    let body: &[u8] = &body;
    let is_fixed = layout.format == FileFormat::Fixed;
    let mut rows = Rows::new(contract, at, Some(file.name.clone()), is_fixed, control)?;
    let finished = match layout.format {
        FileFormat::Delimited { delimiter, quote, header } => {
            let dialect = delimited::Dialect {
                delimiter,
                quote,
                header,
                encoding: crate::connector::contract::Encoding::Utf8,
            };
            delimited::read(contract, dialect, body, at, &mut rows, emit)?
        }
        FileFormat::Fixed => {
            fixed::read(contract, crate::connector::contract::Encoding::Utf8, body, &mut rows, emit)?
        }
    };
    if !finished {
        return Ok(None);
    }
    while let Some(batch) = rows.last_batch()? {
        if !emit(batch) {
            return Ok(None);
        }
    }
    rows.totals().map(Some)
}

/// The number of line ends in `bytes`: LF, CRLF and CR on its own.
fn line_ends(bytes: &[u8]) -> i64 {
    let count = |byte: u8| bytes.iter().filter(|b| **b == byte).count();
    let pairs = bytes.iter().zip(bytes.iter().skip(1)).filter(|pair| *pair == (&b'\r', &b'\n')).count();
    i64::try_from(count(b'\n') + count(b'\r') - pairs).unwrap_or(i64::MAX)
}

/// The bytes as UTF-8.
fn decoded(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Utf8 => Cow::Borrowed(bytes),
        Encoding::Windows1252 => owned(encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0),
        Encoding::Utf16 => owned(encoding_rs::UTF_16LE.decode(bytes).0),
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    Cow::Owned(text.into_owned().into_bytes())
}

/// Whether a byte is part of a line end.
fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests;
