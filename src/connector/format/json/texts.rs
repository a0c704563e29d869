//! Cuts a file into JSON texts that stand one after the other.

use crate::connector::format::decode::Text;
use crate::error::{Error, Result};
use std::ops::Range;

/// The bytes that are read at once.
const READ: usize = 1 << 20;

/// The longest text. It is held as a whole, unlike a file of many.
const MOST_BYTES: usize = 256 << 20;

/// The most arrays and objects inside each other; what goes deeper is no data.
const MOST_DEPTH: u32 = 100;

/// The texts of a file.
pub(super) struct Texts {
    file: Text,
    bytes: Vec<u8>,
    /// Where what was not handed out begins.
    start: usize,
    at_end: bool,
}

/// How far a text has been looked at.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Texts {
    pub(super) fn new(file: Text) -> Self {
        Self { file, bytes: Vec::new(), start: 0, at_end: false }
    }

    /// The bytes of the next text, which begin with a bracket or brace and end with its match;
    /// `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        Ok(self.find()?.map(|range| &self.bytes[range]))
    }

    fn find(&mut self) -> Result<Option<Range<usize>>> {
        // Moving what is left costs no more than what was handed out before.
        if 2 * self.start >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let begin = loop {
            match self.bytes[self.start..].iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(blanks) => break self.start + blanks,
                None if self.at_end => return Ok(None),
                None => {
                    self.bytes.clear();
                    self.start = 0;
                    self.more()?;
                }
            }
        };
        if !matches!(self.bytes[begin], b'{' | b'[') {
            // The beginning of a page is its head: enough of it tells what it is.
            self.more()?;
            return Err(not_json(&self.bytes[begin..]));
        }
        let (mut scan, mut at) = (Scan::default(), begin);
        loop {
            if let Some(length) = scan.end(&self.bytes[at..])? {
                self.start = at + length;
                return Ok(Some(begin..self.start));
            }
            at = self.bytes.len();
            if at - begin > MOST_BYTES {
                return Err(Error::contract(format!("a JSON text is longer than {} MiB", MOST_BYTES >> 20))
                    .hint("ask for smaller pages, or for NDJSON"));
            }
            if self.at_end {
                return Err(Error::contract("the JSON text ends in its middle")
                    .hint("it was cut on its way: ask for it again"));
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<()> {
        if !self.at_end {
            self.at_end = !self.file.read(READ, &mut self.bytes)?;
        }
        Ok(())
    }
}

impl Scan {
    /// Looks at more of a text: how much of it belongs to the text, if it ends there.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' if self.depth == MOST_DEPTH => {
                    return Err(Error::contract(format!("the JSON text is deeper than {MOST_DEPTH} levels")));
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Ok(Some(at + 1));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The error about something else where JSON was expected. It shows what kind of thing that is: a
/// tag of a page, but no word of a text, which may be about somebody.
pub(in crate::connector) fn not_json(bytes: &[u8]) -> Error {
    const SHOWN: usize = 60;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let first: String = head.chars().take(1).flat_map(char::escape_default).collect();
    let message = match head.split_once('>') {
        Some((tag, _)) if first == "<" => {
            let tag: String = tag.chars().take(SHOWN).filter(|char| !char.is_control()).collect();
            format!("a page or XML came instead of JSON: it begins with {tag}>")
        }
        _ if head.is_empty() => "nothing came instead of JSON".to_string(),
        _ => format!("this is not JSON: it begins with '{first}'"),
    };
    Error::contract(message).hint("see the answer of the source's address in a browser, and its log")
}
