//! What a file is, whatever it is called.

use crate::connector::format::decode::unreadable;
use crate::error::Result;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use zip::ZipArchive;

/// The bytes at the beginning that are looked at.
const HEAD: u64 = 512;

/// What a workbook of OpenDocument says of itself.
const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum Kind {
    Empty,
    Gzip,
    /// An archive that is no workbook.
    Zip,
    Xlsx,
    Xlsb,
    Ods,
    /// The container of xls, and of encrypted workbooks.
    Compound,
    Html,
    Xml,
    /// Anything else: text, most likely.
    Other,
}

/// What `file` is; it stands at its beginning afterwards.
pub(in crate::connector) fn of(file: &mut File) -> Result<Kind> {
    file.rewind().map_err(unreadable)?;
    let mut head = Vec::new();
    Read::take(&mut *file, HEAD).read_to_end(&mut head).map_err(unreadable)?;
    let kind = match head.as_slice() {
        [] => Kind::Empty,
        [0x1f, 0x8b, 8, ..] => Kind::Gzip,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => of_zip(file),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Kind::Compound,
        text => of_text(text),
    };
    file.rewind().map_err(unreadable)?;
    Ok(kind)
}

/// An archive that cannot be listed is an archive all the same: whoever opens it says why.
fn of_zip(file: &mut File) -> Kind {
    let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return Kind::Zip };
    let names: Vec<String> = archive.file_names().flatten().map(|name| name.to_ascii_lowercase()).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("[content_types].xml") {
        return match (has("xl/workbook.bin"), has("word/document.xml")) {
            (true, _) => Kind::Xlsb,
            (false, true) => Kind::Zip,
            (false, false) => Kind::Xlsx,
        };
    }
    let mut says = String::new();
    let is_ods = archive
        .by_name("mimetype")
        .is_ok_and(|member| member.take(ODS.len() as u64).read_to_string(&mut says).is_ok() && says == ODS);
    if is_ods { Kind::Ods } else { Kind::Zip }
}

fn of_text(head: &[u8]) -> Kind {
    // Without the NULs of UTF-16 and without byte order marks.
    let text: Vec<u8> = head.iter().filter(|byte| byte.is_ascii() && **byte != 0).copied().collect();
    let text = String::from_utf8_lossy(text.trim_ascii_start()).to_ascii_lowercase();
    match text.starts_with('<') {
        true if ["<!doctype html", "<html", "<table", "<head", "<body", "<meta"]
            .iter()
            .any(|tag| text.contains(tag)) =>
        {
            Kind::Html
        }
        true if text.starts_with("<?xml") => Kind::Xml,
        _ => Kind::Other,
    }
}
