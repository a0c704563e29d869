//! Walks through a document and picks the cells of its rows.

use crate::connector::contract::{Contract, XmlLayout};
use crate::connector::format::xml::chunk::{Chunk, is_there};
use crate::connector::format::xml::fault::{another_root, malformed, nowhere, outside};
use crate::connector::format::xml::paths::{OUTSIDE, Paths, Place, Scope};
use crate::connector::format::xml::window::Window;
use crate::error::{Error, Result};
use memchr::memchr;
use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::ops::Range;

/// How deep elements may stand in each other; real ones stay below twenty.
const MAX_DEPTH: usize = 256;

/// How many attributes an element on the way to a cell may have.
const MAX_ATTRIBUTES: usize = 1_000;

/// The longest text of one cell.
const MAX_TEXT: usize = 16 << 20;

/// Takes chunks; says whether anybody still listens.
type Send<'a> = &'a mut dyn FnMut(Chunk) -> bool;

/// A walk through one document.
pub(super) struct Walk<'a> {
    contract: &'a Contract,
    layout: &'a XmlLayout,
    paths: Paths,
    scope: Scope,
    /// The elements that are open.
    open: Vec<Frame>,
    has_root: bool,
    /// Whether the element that rows are in has been met.
    has_around: bool,
    /// How many of them are cells: text is taken as long as there is one.
    taking: usize,
    chunk: Chunk,
    /// The number of the row that is open, or of the last one.
    row: i64,
    in_row: bool,
    /// The second and later values of columns in the row.
    more: Vec<(usize, Range<usize>)>,
    /// By column, the value that stands outside of the rows.
    shared: Vec<Option<String>>,
    send: Send<'a>,
}

/// An open element.
struct Frame {
    /// Where it is in the paths; `None`: they do not speak of it.
    place: Option<Place>,
    /// Which of the children the paths name is expected next.
    next: usize,
    /// Where its text begins in the chunk.
    text: usize,
}

/// What one event asks for besides what was done.
#[derive(PartialEq)]
enum Step {
    On,
    /// A row has ended.
    Row,
    /// The document has ended.
    End,
}

impl<'a> Walk<'a> {
    /// A walk by `layout`; rows go to `send` in chunks.
    pub(super) fn new(contract: &'a Contract, layout: &'a XmlLayout, send: Send<'a>) -> Result<Self> {
        let paths = Paths::new(contract, layout)?;
        let width = contract.columns.len();
        Ok(Self {
            contract,
            layout,
            scope: paths.scope(),
            has_around: paths.around == OUTSIDE,
            paths,
            open: Vec::new(),
            has_root: false,
            taking: 0,
            chunk: Chunk::new(width),
            row: 0,
            in_row: false,
            more: Vec::new(),
            shared: vec![None; width],
            send,
        })
    }

    /// Walks to the end; `false` when nobody listened to it.
    pub(super) fn run(mut self, window: Window) -> Result<bool> {
        let mut reader = Reader::from_reader(window);
        let config = reader.config_mut();
        (config.expand_empty_elements, config.check_comments) = (true, false);
        let mut buffer = Vec::new();
        loop {
            if !self.in_row {
                reader.get_mut().mark();
            }
            let before = reader.buffer_position();
            buffer.clear();
            let step = match reader.read_event_into(&mut buffer) {
                Ok(event) => self.step(event),
                Err(error) => Err(malformed(&error)),
            };
            match step {
                Ok(Step::On) => {}
                Ok(Step::Row) => {
                    let ragged = self.close_row();
                    self.chunk.close(self.row, reader.get_ref().marked(), ragged);
                    if self.chunk.is_full() && !self.hand_on() {
                        return Ok(false);
                    }
                }
                Ok(Step::End) => return Ok(self.chunk.is_empty() || self.hand_on()),
                Err(error) => {
                    let at = reader.error_position().max(before);
                    let error = reader.get_mut().fault().unwrap_or(error);
                    return Err(self.placed(error, at, reader.get_ref()));
                }
            }
        }
    }

    /// An error, with the place of the document where it is.
    fn placed(&self, error: Error, offset: u64, window: &Window) -> Error {
        let line = window.line(offset);
        error.at(match self.row {
            0 => format!("line {line} (byte {offset})"),
            row if self.in_row => format!("line {line} (byte {offset}), in row {row}"),
            row => format!("line {line} (byte {offset}), after row {row}"),
        })
    }

    fn hand_on(&mut self) -> bool {
        let empty = Chunk::new(self.shared.len());
        (self.send)(std::mem::replace(&mut self.chunk, empty))
    }

    fn step(&mut self, event: Event<'_>) -> Result<Step> {
        match event {
            Event::Start(element) | Event::Empty(element) => self.start(&element).map(|()| Step::On),
            Event::End(_) => Ok(self.end()),
            Event::Text(text) => self.text(&text.into_inner()),
            Event::CData(_) if self.open.is_empty() => Err(outside()),
            Event::CData(text) => self.text(&text.into_inner()),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::DocType(_) => Err(Error::contract("the document has a DTD, which is not read").hint(
                "entities may hide whole files and fill all memory; ask for the extract without <!DOCTYPE",
            )),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => Ok(Step::On),
            Event::Eof if !self.open.is_empty() => {
                Err(Error::contract(format!("the document ends within {} open elements", self.open.len()))
                    .hint("the file is cut: ask for it again"))
            }
            Event::Eof if !self.has_root => {
                Err(Error::contract("the document has no element").hint("even without rows it has a root"))
            }
            Event::Eof if !self.has_around => Err(nowhere(&self.layout.rows)),
            Event::Eof => Ok(Step::End),
        }
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<()> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::contract(format!("elements stand in each other more than {MAX_DEPTH} deep"))
                .hint("no extract does; see what the file is"));
        }
        self.scope.open(element).map_err(|error| malformed(&error))?;
        let (parent, next) = match self.open.last() {
            Some(frame) => (frame.place, frame.next),
            None if self.has_root => return Err(outside()),
            None => (Some(OUTSIDE), 0),
        };
        let found = parent.and_then(|parent| self.paths.child(parent, next, element, &self.scope));
        if self.open.is_empty() {
            self.has_root = true;
            if found.is_none() {
                return Err(another_root(element, self.scope.namespace(element), &self.paths.root()));
            }
        }
        if let (Some((at, _)), Some(frame)) = (found, self.open.last_mut()) {
            frame.next = at;
        }
        let place = found.map(|(_, place)| place);
        if let Some(place) = place {
            self.enter(place, element)?;
        }
        self.open.push(Frame { place, next: 0, text: self.chunk.end() });
        Ok(())
    }

    /// An element of which the paths speak begins.
    fn enter(&mut self, place: Place, element: &BytesStart<'_>) -> Result<()> {
        self.has_around |= place == self.paths.around;
        if place == self.paths.row {
            self.row += 1;
            self.in_row = true;
            self.chunk.open();
        }
        let node = self.paths.at(place);
        for column in &node.forgets {
            self.shared[*column] = None;
        }
        self.taking += usize::from(!node.text.is_empty());
        if node.attributes.is_empty() {
            return Ok(());
        }
        let mut attributes = element.attributes();
        for (count, attribute) in attributes.with_checks(false).enumerate() {
            if count >= MAX_ATTRIBUTES {
                return Err(Error::contract(format!("an element has more than {MAX_ATTRIBUTES} attributes"))
                    .hint("no extract has; see what the file is"));
            }
            let attribute = attribute.map_err(|error| malformed(&error.into()))?;
            let mut wanted = (0..self.paths.at(place).attributes.len()).filter(|at| {
                self.scope.has_attribute(attribute.key, &self.paths.at(place).attributes[*at].0)
            });
            let Some(first) = wanted.next() else { continue };
            let others: Vec<usize> = wanted.collect();
            let value = unescape(&attribute.value).map_err(|error| malformed(&error.into()))?;
            for at in std::iter::once(first).chain(others) {
                let column = self.paths.at(place).attributes[at].1;
                let start = self.chunk.end();
                self.chunk.push(&value);
                self.found(column, start)?;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Step {
        self.scope.close();
        let Some(Frame { place: Some(place), text, .. }) = self.open.pop() else { return Step::On };
        let columns = self.paths.at(place).text.len();
        self.taking -= usize::from(columns > 0);
        for at in 0..columns {
            let column = self.paths.at(place).text[at];
            self.keep(column, text..self.chunk.end());
        }
        if self.in_row && place == self.paths.row {
            return Step::Row;
        }
        if columns > 0 {
            self.forget(text);
        }
        Step::On
    }

    /// A value of a column, from there to the end of the text.
    fn found(&mut self, column: usize, start: usize) -> Result<()> {
        let place = start..self.chunk.end();
        self.check(place.len())?;
        self.keep(column, place);
        self.forget(start);
        Ok(())
    }

    /// Drops text from there on that stands outside of the rows: its values have been taken out.
    fn forget(&mut self, start: usize) {
        if !self.in_row && self.taking == 0 {
            self.chunk.truncate(start);
        }
    }

    fn keep(&mut self, column: usize, place: Range<usize>) {
        if !self.in_row {
            self.shared[column] = Some(self.chunk.text(place).to_string());
            return;
        }
        let cell = self.chunk.cell(column);
        match is_there(cell) {
            false => *cell = place,
            true => self.more.push((column, place)),
        }
    }

    fn text(&mut self, text: &str) -> Result<Step> {
        if self.open.is_empty() && !text.trim_ascii().is_empty() {
            return Err(outside());
        }
        if self.taking > 0 {
            // A line end is one LF, whatever the file has.
            let mut rest = text;
            while let Some(at) = memchr(b'\r', rest.as_bytes()) {
                self.chunk.push(&rest[..at]);
                self.chunk.push("\n");
                rest = rest[at + 1..].strip_prefix('\n').unwrap_or(&rest[at + 1..]);
            }
            self.chunk.push(rest);
            self.check_open()?;
        }
        Ok(Step::On)
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<Step> {
        if self.open.is_empty() {
            return Err(outside());
        }
        let char = reference.resolve_char_ref().map_err(|error| malformed(&error))?;
        let char = match char {
            Some(char) => char,
            None => match &*reference.xml10_content() {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                name => {
                    let name: String = name.chars().take(40).collect();
                    return Err(Error::contract(format!("the entity '&{name};' has no meaning")).hint(
                        "only lt, gt, amp, quot, apos and numbers have one; the system must write others out",
                    ));
                }
            },
        };
        if self.taking > 0 {
            self.chunk.push(char.encode_utf8(&mut [0; 4]));
            self.check_open()?;
        }
        Ok(Step::On)
    }

    /// Refuses a cell whose text goes on and on.
    fn check_open(&self) -> Result<()> {
        let start = self
            .open
            .iter()
            .rev()
            .find(|frame| frame.place.is_some_and(|place| !self.paths.at(place).text.is_empty()));
        self.check(start.map_or(0, |frame| self.chunk.end() - frame.text))
    }

    fn check(&self, length: usize) -> Result<()> {
        match length > MAX_TEXT {
            true => Err(Error::contract(format!("the text of a cell is longer than {} MiB", MAX_TEXT >> 20))
                .hint("it may be a document within the document; leave its column out of the contract")),
            false => Ok(()),
        }
    }

    /// Ends the row; what makes it a bad one.
    fn close_row(&mut self) -> Option<String> {
        self.in_row = false;
        for column in 0..self.shared.len() {
            if let Some(value) = &self.shared[column]
                && !is_there(self.chunk.cell(column))
            {
                let start = self.chunk.end();
                self.chunk.push(value);
                *self.chunk.cell(column) = start..self.chunk.end();
            }
        }
        if self.more.is_empty() {
            return None;
        }
        let mut more = std::mem::take(&mut self.more);
        more.sort_by_key(|(column, _)| *column);
        let Some(join) = &self.layout.join else {
            let (column, _) = more[0];
            let count = 1 + more.iter().filter(|(other, _)| *other == column).count();
            return Some(format!("column '{}' has {count} values", self.contract.columns[column].name));
        };
        for values in more.chunk_by(|(one, _), (other, _)| one == other) {
            let column = values[0].0;
            let first = self.chunk.cell(column).clone();
            let start = self.chunk.end();
            let text = self.chunk.text(first).to_string();
            self.chunk.push(&text);
            for (_, value) in values {
                let text = self.chunk.text(value.clone()).to_string();
                self.chunk.push(join);
                self.chunk.push(&text);
            }
            *self.chunk.cell(column) = start..self.chunk.end();
        }
        None
    }
}
