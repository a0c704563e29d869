//! Cuts text into blocks of whole records.

use crate::connector::contract::FileFormat;
use crate::connector::format::decode::Text;
use crate::connector::format::{ends_line, line_ends};
use crate::connector::rows::MAX_ROW_BYTES;
use crate::error::{Error, Result};
use memchr::{memchr, memrchr2};

/// Whole records, each with its line end.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// The line of the file with which the block begins.
    pub(super) line: i64,
}

/// The blocks of a text.
pub(super) struct Blocks {
    text: Text,
    block_bytes: usize,
    quoting: Option<Quoting>,
    buffer: Vec<u8>,
    line: i64,
    has_more: bool,
    /// What was given back.
    first: Option<Block>,
}

/// What tells a line end that ends a record from one in a cell.
#[derive(Debug, Clone, Copy)]
struct Quoting {
    delimiter: u8,
    quote: u8,
}

/// Where text can be cut.
#[derive(Debug, PartialEq)]
struct Cut {
    /// Behind the last whole record.
    end: usize,
    /// Where a quote opens that is not closed.
    open: Option<usize>,
}

impl Blocks {
    /// The blocks of `text`, of about so many bytes each; more only where a record has more. Its
    /// lines are counted from `start` on.
    pub(super) fn new(text: Text, format: &FileFormat, block_bytes: usize, start: i64) -> Self {
        let quoting = match format {
            FileFormat::Delimited { delimiter, quote, .. } => {
                Some(Quoting { delimiter: *delimiter, quote: *quote })
            }
            FileFormat::Fixed | FileFormat::Sheet(_) | FileFormat::Bicc(_) => None,
        };
        Self { text, block_bytes, quoting, buffer: Vec::new(), line: start + 1, has_more: true, first: None }
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Result<Option<Block>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            if self.has_more {
                // A record that is longer than a block doubles it, up to the longest row.
                let most = self.block_bytes.max(2 * self.buffer.len()).min(MAX_ROW_BYTES + 1);
                let wanted = most.saturating_sub(self.buffer.len()).max(1);
                self.has_more = self.text.read(wanted, &mut self.buffer)?;
            }
            let cut = self.cut();
            if cut.end > 0 {
                return Ok(Some(self.take(cut.end)));
            }
            if !self.has_more {
                return match cut.open {
                    Some(open) => Err(self.unclosed(open, "")),
                    None if self.buffer.is_empty() => Ok(None),
                    None => {
                        self.buffer.push(b'\n');
                        Ok(Some(self.take(self.buffer.len())))
                    }
                };
            }
            if self.buffer.len() > MAX_ROW_BYTES {
                return Err(self.too_long(cut.open));
            }
        }
    }

    /// Gives back what follows the first line, which ends with `used`, of the first block.
    pub(super) fn give_back(&mut self, mut block: Block, used: usize) {
        let used = used
            + usize::from(block.bytes[..used].ends_with(b"\r") && block.bytes[used..].starts_with(b"\n"));
        block.line += line_ends(&block.bytes[..used]);
        block.bytes.drain(..used);
        self.first = Some(block);
    }

    fn cut(&self) -> Cut {
        let bytes = self.buffer.as_slice();
        // The LF of a CRLF may not have been read yet.
        let is_split = self.has_more && bytes.last() == Some(&b'\r');
        let certain = bytes.len() - usize::from(is_split);
        match self.quoting {
            Some(quoting) => quoting.cut(bytes, certain),
            None => Cut { end: memrchr2(b'\n', b'\r', &bytes[..certain]).map_or(0, |at| at + 1), open: None },
        }
    }

    fn take(&mut self, end: usize) -> Block {
        let rest = &self.buffer[end..];
        let mut buffer = Vec::with_capacity(self.block_bytes.max(rest.len()));
        buffer.extend_from_slice(rest);
        let mut bytes = std::mem::replace(&mut self.buffer, buffer);
        bytes.truncate(end);
        let line = self.line;
        self.line += line_ends(&bytes);
        Block { bytes, line }
    }

    fn unclosed(&self, open: usize, within: &str) -> Error {
        let line = self.line + line_ends(&self.buffer[..open]);
        Error::contract(format!("the quote that opens in line {line} is not closed{within}"))
            .hint("the file may be cut, or a cell may begin with a quote that means nothing")
    }

    fn too_long(&self, open: Option<usize>) -> Error {
        let most = MAX_ROW_BYTES >> 20;
        match open {
            Some(open) => self.unclosed(open, &format!(" within {most} MiB")),
            None => {
                let blank = self.buffer.iter().take_while(|byte| ends_line(**byte)).count();
                let line = self.line + line_ends(&self.buffer[..blank]);
                Error::contract(format!("row {line} is longer than {most} MiB"))
                    .hint("the data may be binary, or the encoding may differ from the contract")
            }
        }
    }
}

impl Quoting {
    /// Where `bytes`, which begin with a record, can be cut; line ends are looked for in the first
    /// `certain` of them. Quotes mean what they mean to the parser: one opens a cell only as its
    /// first byte, two in a quoted cell are one, and behind the closing one quotes are text.
    fn cut(self, bytes: &[u8], certain: usize) -> Cut {
        let (mut end, mut at) = (0, 0);
        loop {
            let quote = memchr(self.quote, &bytes[at..]).map(|found| at + found);
            let plain = at..quote.unwrap_or(certain).min(certain).max(at);
            if let Some(found) = memrchr2(b'\n', b'\r', &bytes[plain]) {
                end = at + found + 1;
            }
            let Some(open) = quote else {
                return Cut { end, open: None };
            };
            at = open + 1;
            let before = open.checked_sub(1).map(|before| bytes[before]);
            if before.is_none_or(|byte| byte == self.delimiter || ends_line(byte)) {
                match self.close(bytes, at) {
                    Some(closed) => at = closed,
                    None => return Cut { end, open: Some(open) },
                }
            }
        }
    }

    /// Behind the quote that closes a cell.
    fn close(self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            at += memchr(self.quote, &bytes[at..])? + 1;
            match bytes.get(at) {
                Some(byte) if *byte == self.quote => at += 1,
                _ => return Some(at),
            }
        }
    }
}
