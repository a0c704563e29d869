//! Several files as one: an ordinary tar archive of the files as they were received.
//!
//! Its headers hold nothing but names and sizes, so the same files make the same bytes.

use crate::connector::format::decode::unreadable;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// The bytes of a tar block.
const BLOCK: u64 = 512;

/// The bytes that a header has for a name.
const NAME: usize = 100;

/// What GNU tar calls an entry that holds the long name of the next one.
const LONG: &str = "././@LongLink";

/// The end of the archive.
pub(in crate::connector) const END: [u8; 1024] = [0; 1024];

/// A file of the archive.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: String,
    start: u64,
    size: u64,
}

/// What stands before a file of this name and size.
pub(in crate::connector) fn header(name: &str, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if name.len() > NAME {
        let length = name.len() as u64 + 1;
        bytes.extend(block(LONG, length, b'L'));
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(padding(length));
    }
    bytes.extend(block(name, size, b'0'));
    bytes
}

/// What stands behind a file of this size.
pub(in crate::connector) fn padding(size: u64) -> Vec<u8> {
    vec![0; (size.next_multiple_of(BLOCK) - size) as usize]
}

fn block(name: &str, size: u64, kind: u8) -> Vec<u8> {
    let mut block = vec![0; BLOCK as usize];
    let name = &name.as_bytes()[..name.len().min(NAME)];
    block[..name.len()].copy_from_slice(name);
    let mut field = |at: usize, text: String| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(100, "0000644\0".into());
    field(108, "0000000\0".into());
    field(116, "0000000\0".into());
    field(136, "00000000000\0".into());
    field(148, "        ".into());
    field(257, "ustar\x0000".into());
    match size < 1 << 33 {
        true => field(124, format!("{size:011o}\0")),
        // As GNU tar writes what eleven octal digits cannot say.
        false => {
            block[124] = 0x80;
            block[128..136].copy_from_slice(&size.to_be_bytes());
        }
    }
    block[156] = kind;
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The files of an archive that was made of [`header`]s.
pub(super) fn entries(file: &mut File) -> Result<Vec<Entry>> {
    let (mut entries, mut start, mut long) = (Vec::new(), 0, None);
    loop {
        let mut block = [0; BLOCK as usize];
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut block)).map_err(unreadable)?;
        if block == [0; BLOCK as usize] {
            return Ok(entries);
        }
        let size = size(&block).ok_or_else(damaged)?;
        start += BLOCK;
        if block[156] == b'L' {
            let mut name = Vec::new();
            Read::take(&mut *file, size.min(BLOCK)).read_to_end(&mut name).map_err(unreadable)?;
            long = Some(text(&name));
        } else {
            let name = long.take().unwrap_or_else(|| text(&block[..NAME]));
            entries.push(Entry { name, start, size });
        }
        start += size.next_multiple_of(BLOCK);
    }
}

fn size(block: &[u8; BLOCK as usize]) -> Option<u64> {
    match block[124] {
        0x80 => Some(u64::from_be_bytes(block[128..136].try_into().ok()?)),
        _ => u64::from_str_radix(text(&block[124..136]).trim(), 8).ok(),
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn damaged() -> Error {
    Error::lake("the kept package is damaged")
        .hint("restore the lake's `files` from a copy, or pull the package again")
}

impl Entry {
    /// The bytes of the file.
    pub(super) fn open(&self, file: &File) -> Result<BufReader<Slice>> {
        let file = file.try_clone().map_err(unreadable)?;
        Ok(BufReader::with_capacity(1 << 16, Slice { file, start: self.start, size: self.size, at: 0 }))
    }
}

/// A part of a file as a file of its own.
#[derive(Debug)]
pub(super) struct Slice {
    file: File,
    start: u64,
    size: u64,
    at: u64,
}

impl Read for Slice {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // Clones of a file share their place in it.
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let read = Read::take(&mut self.file, self.size.saturating_sub(self.at)).read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
