//! The text of a file as UTF-8, read piece by piece.

use crate::connector::contract::{Contract, Encoding, FileLayout};
use crate::connector::format::trailer;
use crate::connector::rows::Control;
use crate::error::{Error, Result};
use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};

/// Stands for what is malformed in UTF-16. No UTF-8 text holds it, so its cell is malformed too,
/// and it is one byte, so the cells of a fixed layout stay in place.
const MALFORMED: u8 = 0xff;

/// The body of a file: without byte order mark and trailer.
pub(super) struct Text {
    file: Take<File>,
    /// `None` for UTF-8: its malformed bytes are for the readers of cells, which show them.
    decoder: Option<Decoder>,
    received: Vec<u8>,
}

impl Text {
    /// Begins a file and reads what its trailer says.
    pub(super) fn open(contract: &Contract, layout: &FileLayout, mut file: File) -> Result<(Self, Control)> {
        let mut head = Vec::new();
        (&file).take(3).read_to_end(&mut head).map_err(unreadable)?;
        let (encoding, start) = encoding(layout.encoding, &head);
        let end = file.metadata().map_err(unreadable)?.len().max(start);
        let (end, control) = match &layout.trailer {
            Some(trailer) => trailer::find(contract, trailer, encoding, &mut file, start..end)?,
            None => (end, Control::default()),
        };
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Ok((Self { file: file.take(end - start), decoder, received: Vec::new() }, control))
    }

    /// All of a file that follows its byte order mark, which ends at `start`.
    pub(super) fn whole(mut file: File, encoding: &'static encoding_rs::Encoding, start: u64) -> Result<Self> {
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Ok(Self { file: file.take(u64::MAX), decoder, received: Vec::new() })
    }

    /// Appends text for about so many bytes of the file; `false` when there is no more.
    pub(super) fn read(&mut self, bytes: usize, into: &mut Vec<u8>) -> Result<bool> {
        let Some(decoder) = &mut self.decoder else {
            into.reserve(bytes);
            let read = (&mut self.file).take(bytes as u64).read_to_end(into).map_err(unreadable)?;
            return Ok(read == bytes);
        };
        self.received.clear();
        let read = (&mut self.file).take(bytes as u64).read_to_end(&mut self.received).map_err(unreadable)?;
        let is_last = read < bytes;
        let mut rest = self.received.as_slice();
        loop {
            let filled = into.len();
            // Room for everything in one round; what is malformed takes more rounds.
            into.resize(filled + 3 * rest.len() + 16, 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut into[filled..], is_last);
            into.truncate(filled + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(!is_last),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => into.push(MALFORMED),
            }
        }
    }
}

/// The encoding of a file that begins with `head`, and the length of its byte order mark.
fn encoding(declared: Encoding, head: &[u8]) -> (&'static encoding_rs::Encoding, u64) {
    match (declared, encoding_rs::Encoding::for_bom(head)) {
        (_, Some((utf8, length))) if utf8 == UTF_8 => (UTF_8, length as u64),
        (Encoding::Utf16, Some((utf16, length))) => (utf16, length as u64),
        (Encoding::Utf16, None) => (UTF_16LE, 0),
        (Encoding::Utf8, _) => (UTF_8, 0),
        (Encoding::Windows1252, _) => (WINDOWS_1252, 0),
    }
}

/// The bytes of one character of ASCII.
pub(super) fn unit(encoding: &'static encoding_rs::Encoding) -> usize {
    if encoding == UTF_16LE || encoding == UTF_16BE { 2 } else { 1 }
}

/// A file that cannot be read.
pub(super) fn unreadable(error: std::io::Error) -> Error {
    Error::source("the file could not be read").because(error)
}
