//! Cuts text into blocks of whole records.

use crate::connector::contract::FileFormat;
use crate::connector::format::decode::Text;
use crate::connector::format::{ends_line, line_end, line_ends};
use crate::connector::rows::MAX_ROW_BYTES;
use crate::error::{Error, Result};
use memchr::{memchr, memrchr2};
use std::collections::VecDeque;
use std::ops::Range;

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
    /// What is added to the number of each line.
    start: i64,
    line: i64,
    has_more: bool,
    /// What was given back.
    first: VecDeque<Block>,
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

/// How a quoted cell ends.
enum Close {
    /// Behind this place.
    At(usize),
    /// Over line ends, at a quote that ends no cell: the one that opened it means nothing.
    Stray,
    /// Not yet.
    Open,
}

impl Blocks {
    /// The blocks of `text`, of about so many bytes each; more only where a record has more. Its
    /// lines are counted from `start` on.
    pub(super) fn new(text: Text, format: &FileFormat, block_bytes: usize, start: i64) -> Self {
        let quoting = match format {
            FileFormat::Delimited { delimiter, quote, .. } => {
                Some(Quoting { delimiter: *delimiter, quote: *quote })
            }
            _ => None,
        };
        Self {
            text,
            block_bytes,
            quoting,
            buffer: Vec::new(),
            start,
            line: start + 1,
            has_more: true,
            first: VecDeque::new(),
        }
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Result<Option<Block>> {
        if let Some(first) = self.first.pop_front() {
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
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                // A quote that is still open is for whoever reads the record.
                self.buffer.push(b'\n');
                return Ok(Some(self.take(self.buffer.len())));
            }
            if self.buffer.len() > MAX_ROW_BYTES {
                let end = self.stray_line(cut.open)?;
                return Ok(Some(self.take(end)));
            }
        }
    }

    /// Gives back what was taken first, up to now, without the `header` in it; what is above the
    /// header only if that is rows.
    pub(super) fn give_back(&mut self, block: Block, header: Option<Range<usize>>, keeps_above: bool) {
        let Some(header) = header else { return self.first.push_front(block) };
        let end = header.end + line_end(&block.bytes[header.end..]);
        let line = block.line + line_ends(&block.bytes[..end]);
        self.first.push_front(Block { bytes: block.bytes[end..].to_vec(), line });
        if keeps_above {
            self.first.push_front(Block { bytes: block.bytes[..header.start].to_vec(), line: block.line });
        }
    }

    /// The last line, and where it begins in the file.
    pub(super) fn last_line(&mut self) -> Result<Option<(u64, String)>> {
        self.text.last_line()
    }

    /// Begins again; the text ends at this place of the file.
    pub(super) fn restart(&mut self, end: u64) -> Result<()> {
        self.buffer.clear();
        self.first.clear();
        (self.line, self.has_more) = (self.start + 1, true);
        self.text.restart(end)
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

    /// The end of the line with which a row beyond all measure begins, if the quote at `open` made it
    /// so: whoever reads the line finds that out.
    fn stray_line(&self, open: Option<usize>) -> Result<usize> {
        let most = MAX_ROW_BYTES >> 20;
        let blank = self.buffer.iter().take_while(|byte| ends_line(**byte)).count();
        let Some(open) = open else {
            let line = self.line + line_ends(&self.buffer[..blank]);
            return Err(Error::contract(format!("row {line} is longer than {most} MiB"))
                .hint("the data may be binary, or the encoding may differ from the contract"));
        };
        let end = blank + line_end(&self.buffer[blank..]);
        if end < self.buffer.len() {
            return Ok(end);
        }
        let line = self.line + line_ends(&self.buffer[..open]);
        Err(Error::contract(format!("the quote that opens in line {line} is not closed within {most} MiB"))
            .hint("the file may be cut, or its cells may begin with quotes that mean nothing"))
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
                    Close::At(closed) => at = closed,
                    Close::Open => return Cut { end, open: Some(open) },
                    // As whoever reads the records: the first line is one of its own.
                    Close::Stray => {
                        let blank = bytes[end..].iter().take_while(|byte| ends_line(**byte)).count();
                        end += blank + line_end(&bytes[end + blank..]);
                        at = end;
                    }
                }
            }
        }
    }

    /// How the cell ends whose quote opens before `start`.
    fn close(self, bytes: &[u8], start: usize) -> Close {
        let mut at = start;
        loop {
            let Some(quote) = memchr(self.quote, &bytes[at..]) else { return Close::Open };
            at += quote + 1;
            match bytes.get(at) {
                Some(byte) if *byte == self.quote => at += 1,
                Some(byte) if *byte == self.delimiter || ends_line(*byte) => return Close::At(at),
                None => return Close::At(at),
                Some(_) => {
                    return match memrchr2(b'\n', b'\r', &bytes[start..at]) {
                        Some(_) => Close::Stray,
                        None => Close::At(at),
                    };
                }
            }
        }
    }
}
