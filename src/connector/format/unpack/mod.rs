//! Takes files out of their packing: zip and gzip, told by their first bytes.
//!
//! What comes out goes into a temporary file without a name, so nothing is ever written under a
//! name that an archive gives, and nothing is left behind by a crash. The lake keeps the file as it
//! was received.

mod archive;
pub(in crate::connector) mod kind;
mod meter;
#[cfg(test)]
mod tests;

pub(super) use archive::{every_member, member, opened};
pub(super) use meter::Meter;

use crate::connector::contract::{FileFormat, FileLayout};
use crate::connector::format::decode::unreadable;
use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use kind::Kind;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, Write};
use std::path::Path;

/// A file without its packing, at its beginning.
#[derive(Debug)]
pub(super) struct Part {
    /// Its name in the archive, if it came out of one.
    pub(super) member: Option<String>,
    /// Its bytes.
    pub(super) file: File,
}

impl Part {
    /// The place for errors.
    pub(super) fn place(&self, at: &str) -> String {
        match &self.member {
            Some(member) => format!("{at} member '{member}'"),
            None => at.to_string(),
        }
    }
}

/// Opens a file in the layout of an entity: what is in it, never nothing.
pub(super) fn open(layout: &FileLayout, path: &Path) -> Result<Vec<Part>> {
    let mut file = File::open(path).map_err(unreadable)?;
    let is_book = matches!(layout.format, FileFormat::Sheet(_));
    match kind::of(&mut file)? {
        Kind::Gzip => {
            let mut part = Part { member: None, file: gunzipped(&file)? };
            refuse_nested(&mut part, is_book)?;
            Ok(vec![part])
        }
        Kind::Zip => {
            let mut parts = archive::members(&layout.member, BufReader::new(file))?;
            for part in &mut parts {
                let member = part.member.clone().unwrap_or_default();
                refuse_nested(part, is_book).map_err(|error| error.at(format!("member '{member}'")))?;
            }
            Ok(parts)
        }
        Kind::Xlsx | Kind::Xlsb | Kind::Ods if !is_book => {
            Err(Error::contract("the file is a workbook").hint("give the layout format = \"sheet\""))
        }
        _ => Ok(vec![Part { member: None, file }]),
    }
}

/// Opens a file of a format that is one document, whatever it is packed in.
pub(super) fn one(layout: &FileLayout, path: &Path) -> Result<File> {
    let mut parts = open(layout, path)?;
    match (parts.pop(), parts.len()) {
        (Some(part), 0) => Ok(part.file),
        (_, more) => Err(Error::contract(format!("the archive has {} members that match", more + 1))
            .hint("a document is one file: let `member` name one of them")),
    }
}

fn gunzipped(file: &File) -> Result<File> {
    let packed = file.metadata().map_err(unreadable)?.len();
    copied(&mut MultiGzDecoder::new(BufReader::new(file)), packed)
}

/// What `packed` holds, in a file of its own.
fn copied(packed: &mut dyn Read, packed_bytes: u64) -> Result<File> {
    let mut file = tempfile::tempfile().map_err(unwritable)?;
    let mut meter = Meter::new(packed_bytes);
    let mut buffer = vec![0; 1 << 18];
    loop {
        match packed.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                meter.count(read as u64)?;
                file.write_all(&buffer[..read]).map_err(unwritable)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
    file.rewind().map_err(unwritable)?;
    Ok(file)
}

fn refuse_nested(part: &mut Part, is_book: bool) -> Result<()> {
    match kind::of(&mut part.file)? {
        Kind::Gzip | Kind::Zip => Err(Error::contract("the archive holds another archive")
            .hint("packed once is enough: ask for the file itself, or for one archive around it")),
        Kind::Xlsx | Kind::Xlsb | Kind::Ods if !is_book => {
            Err(Error::contract("the archive holds a workbook").hint("give the layout format = \"sheet\""))
        }
        _ => Ok(()),
    }
}

/// Packed bytes that cannot be unpacked.
pub(super) fn damaged(error: std::io::Error) -> Error {
    let message = match error.kind() {
        ErrorKind::UnexpectedEof => "the archive is cut: it ends before its content does",
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            "the archive is damaged: its checksum or its bytes are wrong"
        }
        _ => return unreadable(error),
    };
    Error::contract(message).hint("ask for the file again").because(error)
}

fn unwritable(error: std::io::Error) -> Error {
    Error::lake("a temporary file could not be written")
        .at(std::env::temp_dir().display())
        .hint("is the disk full? TMPDIR names another folder")
        .because(error)
}
