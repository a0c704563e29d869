//! The text of a document, of which the last part is kept to be shown.

use crate::connector::contract::Encoding;
use crate::connector::format::decode::{Text, unreadable};
use crate::connector::format::line_ends;
use crate::connector::rows::MAX_ROW_BYTES;
use crate::error::{Error, Result};
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::fs::File;
use std::io::{self, BufRead, Read};

/// How much is read at a time.
const WINDOW: usize = 256 << 10;

/// How far a document is looked into for its declaration.
const DECLARATION: usize = 1024;

/// A document on its way through the parser, in UTF-8 and without byte order mark.
pub(super) struct Window {
    text: Text,
    buffer: Vec<u8>,
    has_more: bool,
    /// Where the buffer begins in the document: its offset, and its line.
    offset: u64,
    line: i64,
    /// What is kept begins there in the buffer; what has not been parsed begins there.
    mark: usize,
    at: usize,
    /// Why the parser got no more: its own error says too little.
    fault: Option<Error>,
}

impl Window {
    /// Opens a document. What it says of its encoding counts; `otherwise` is for one that is silent.
    pub(super) fn open(file: File, otherwise: Encoding) -> Result<Self> {
        let mut head = Vec::new();
        (&file).take(DECLARATION as u64).read_to_end(&mut head).map_err(unreadable)?;
        let (encoding, start) = encoding(&head, otherwise)?;
        let text = Text::whole(file, encoding, start)?;
        let buffer = Vec::with_capacity(2 * WINDOW);
        Ok(Self { text, buffer, has_more: true, offset: 0, line: 1, mark: 0, at: 0, fault: None })
    }

    /// Keeps what follows, and nothing before it.
    pub(super) fn mark(&mut self) {
        self.mark = self.at;
    }

    /// What was parsed since the mark.
    pub(super) fn marked(&self) -> &[u8] {
        &self.buffer[self.mark..self.at]
    }

    /// The line of a place that is still kept.
    pub(super) fn line(&self, offset: u64) -> i64 {
        let before = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.line + line_ends(&self.buffer[..before.min(self.buffer.len())])
    }

    /// Why there was no more text, if the reason is not that the document ends.
    pub(super) fn fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    fn refill(&mut self) -> Result<()> {
        self.line += line_ends(&self.buffer[..self.mark]);
        self.offset += self.mark as u64;
        self.buffer.drain(..self.mark);
        self.at -= self.mark;
        self.mark = 0;
        if self.buffer.len() > MAX_ROW_BYTES {
            let message = format!("what begins here is longer than {} MiB", MAX_ROW_BYTES >> 20);
            return Err(Error::contract(message)
                .hint("see whether the row path names the element that holds one row, and not all of them"));
        }
        self.has_more = self.text.read(WINDOW, &mut self.buffer)?;
        Ok(())
    }
}

impl Read for Window {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(into.len());
        into[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Window {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.buffer.len() && self.has_more {
            if let Err(error) = self.refill() {
                self.fault = Some(error);
                return Err(io::ErrorKind::Other.into());
            }
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, length: usize) {
        self.at += length;
    }
}

/// The encoding of a document that begins with `head`, and the length of its byte order mark.
fn encoding(head: &[u8], otherwise: Encoding) -> Result<(&'static encoding_rs::Encoding, u64)> {
    if let Some((encoding, length)) = encoding_rs::Encoding::for_bom(head) {
        return Ok((encoding, length as u64));
    }
    match head {
        [b'<', 0, ..] => return Ok((UTF_16LE, 0)),
        [0, b'<', ..] => return Ok((UTF_16BE, 0)),
        _ => {}
    }
    let Some(label) = declared(head) else {
        let encoding = match otherwise {
            Encoding::Utf8 | Encoding::Auto => UTF_8,
            Encoding::Windows1252 => WINDOWS_1252,
            Encoding::Utf16 => UTF_16LE,
        };
        return Ok((encoding, 0));
    };
    match encoding_rs::Encoding::for_label(label.as_bytes()) {
        // A declaration that can be read byte by byte is not UTF-16, whatever it says.
        Some(utf16) if utf16 == UTF_16LE || utf16 == UTF_16BE => Ok((UTF_8, 0)),
        Some(encoding) => Ok((encoding, 0)),
        None => Err(Error::contract(format!("the document declares the unknown encoding \"{label}\""))
            .hint("known are those of the WHATWG encoding standard, such as utf-8 and windows-1252")),
    }
}

/// The encoding that the declaration `<?xml … encoding="…"?>` names.
fn declared(head: &[u8]) -> Option<String> {
    let head: String = head.iter().map(|byte| char::from(*byte)).collect();
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let (label, _) = value[1..].split_once(quote)?;
    Some(label.chars().take(40).collect())
}
