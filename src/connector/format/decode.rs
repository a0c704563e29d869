//! The text of a file as UTF-8, read piece by piece.

use crate::connector::contract::{Contract, Encoding, FileLayout};
use crate::connector::format::trailer;
use crate::connector::rows::Control;
use crate::error::{Error, Result};
use encoding_rs::{Decoder, DecoderResult, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Take};
use std::ops::Range;

/// Stands for what is malformed in UTF-16. No UTF-8 text holds it, so its cell is malformed too,
/// and it is one byte, so the cells of a fixed layout stay in place.
const MALFORMED: u8 = 0xff;

/// The body of a file: without byte order mark and trailer.
pub(super) struct Text {
    file: Take<File>,
    /// `None` for UTF-8: its malformed bytes are for the readers of cells, which show them.
    decoder: Option<Decoder>,
    encoding: &'static encoding_rs::Encoding,
    /// Where it begins and ends in the file.
    body: Range<u64>,
    received: Vec<u8>,
}

impl Text {
    /// Begins a file and reads what its trailer says.
    pub(super) fn open(contract: &Contract, layout: &FileLayout, mut file: File) -> Result<(Self, Control)> {
        let mut head = Vec::new();
        (&file).take(MARKS_BYTES).read_to_end(&mut head).map_err(unreadable)?;
        let (encoding, start) = encoding(layout.encoding, &head);
        let encoding = match layout.encoding {
            Encoding::Auto if encoding == UTF_8 && !is_utf8(&file)? => WINDOWS_1252,
            _ => encoding,
        };
        let end = file.metadata().map_err(unreadable)?.len().max(start);
        let (end, control) = match &layout.trailer {
            Some(trailer) => trailer::find(contract, trailer, encoding, &mut file, start..end)?,
            None => (end, Control::default()),
        };
        let (decoder, received) = (None, Vec::new());
        let mut text = Self { file: file.take(0), decoder, encoding, body: start..end, received };
        text.restart(end)?;
        Ok((text, control))
    }

    /// Begins again; the text ends at this place of the file.
    pub(super) fn restart(&mut self, end: u64) -> Result<()> {
        self.body.end = end;
        self.file.get_mut().seek(SeekFrom::Start(self.body.start)).map_err(unreadable)?;
        self.file.set_limit(end.saturating_sub(self.body.start));
        self.decoder = (self.encoding != UTF_8).then(|| self.encoding.new_decoder_without_bom_handling());
        Ok(())
    }

    /// The last line that is not blank, and where it begins in the file; `None` when it is longer than
    /// any row.
    pub(super) fn last_line(&mut self) -> Result<Option<(u64, String)>> {
        let at = self.file.get_mut().stream_position().map_err(unreadable)?;
        let line = trailer::last_line(self.encoding, self.file.get_mut(), self.body.clone())?;
        self.file.get_mut().seek(SeekFrom::Start(at)).map_err(unreadable)?;
        Ok(line)
    }

    /// All of a file that follows its byte order mark, which ends at `start`.
    pub(super) fn whole(file: File, encoding: &'static encoding_rs::Encoding, start: u64) -> Result<Self> {
        let (decoder, received) = (None, Vec::new());
        let mut text = Self { file: file.take(0), decoder, encoding, body: start..u64::MAX, received };
        text.restart(u64::MAX)?;
        Ok(text)
    }

    /// Appends text for about so many bytes of the file; `false` when there is no more.
    pub(super) fn read(&mut self, bytes: usize, into: &mut Vec<u8>) -> Result<bool> {
        let Some(decoder) = &mut self.decoder else {
            // A small file takes no more room than it needs: fresh memory is zeroed in large pages.
            let left = usize::try_from(self.file.limit()).unwrap_or(usize::MAX);
            into.reserve(bytes.min(left.saturating_add(1)));
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

/// The encoding of a file that begins with `head`, and the length of its byte order marks. Programs
/// that take a mark for text write it once more, as the letters it looks like.
fn encoding(declared: Encoding, head: &[u8]) -> (&'static encoding_rs::Encoding, u64) {
    let marks = || {
        let mut rest = head;
        while let Some(next) = MARKS.iter().find_map(|mark| rest.strip_prefix(*mark)) {
            rest = next;
        }
        (head.len() - rest.len()) as u64
    };
    match (declared, encoding_rs::Encoding::for_bom(head)) {
        (_, Some((utf8, _))) if utf8 == UTF_8 => (UTF_8, marks()),
        (Encoding::Utf16 | Encoding::Auto, Some((utf16, length))) => (utf16, length as u64),
        (Encoding::Utf16, None) => (UTF_16LE, 0),
        (Encoding::Utf8 | Encoding::Auto, _) => (UTF_8, marks()),
        (Encoding::Windows1252, _) => (WINDOWS_1252, 0),
    }
}

/// The byte order mark of UTF-8, as it is and as a program that read it as Windows-1252 writes it.
const MARKS: [&[u8]; 2] = [b"\xef\xbb\xbf", "ï»¿".as_bytes()];

/// More than all marks that a file has been seen with.
const MARKS_BYTES: u64 = 32;

/// Whether all of a file is well-formed UTF-8.
fn is_utf8(file: &File) -> Result<bool> {
    let mut file = file;
    file.rewind().map_err(unreadable)?;
    let (mut buffer, mut filled) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer[filled..]).map_err(unreadable)?;
        let have = filled + read;
        match std::str::from_utf8(&buffer[..have]) {
            Ok(_) => filled = 0,
            // A character may be cut at the end of what has been read.
            Err(error) if error.error_len().is_none() && read > 0 => {
                buffer.copy_within(error.valid_up_to()..have, 0);
                filled = have - error.valid_up_to();
            }
            Err(_) => return Ok(false),
        }
        if read == 0 {
            return Ok(true);
        }
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
