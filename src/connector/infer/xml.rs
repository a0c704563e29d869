//! The first rows of an XML document: the elements that come again and again.

use super::Cut;
use super::sample::{MOST_ROWS, Sample};
use crate::error::{Error, Result};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;

/// How deep elements may be.
const DEPTH: usize = 64;

/// What stands between the values of an element that comes several times.
const BETWEEN: &str = "; ";

/// An element or an attribute of a document, in its order.
enum Met {
    /// An element, by its name without a prefix, and its attributes.
    Open(String, Vec<(String, String)>),
    Text(String),
    Close,
}

/// The rows of a document.
pub(super) fn read(name: String, text: &str) -> Result<Sample> {
    let path = row_path(text)?;
    let mut table = Table { path: &path, ..Table::default() };
    let mut open: Vec<String> = Vec::new();
    walk(text, &mut |met| {
        table.take(&mut open, met);
        table.rows.len() < MOST_ROWS
    })?;
    let Table { header, mut rows, is_joined, .. } = table;
    let width = header.len();
    rows.iter_mut().for_each(|row| row.resize(width, String::new()));
    let remarks = match is_joined {
        true => vec![format!("{name}: an element that comes several times in a row is joined")],
        false => Vec::new(),
    };
    let cut = Cut::Xml { rows: path, is_joined };
    Ok(Sample { name, cut, header: Some(header), rows, width, remarks })
}

/// Hands over what is met until `take` wants no more. A document that is cut ends where it is cut.
fn walk(text: &str, take: &mut dyn FnMut(Met) -> bool) -> Result<()> {
    let mut reader = Reader::from_str(text);
    let malformed = |e: quick_xml::Error| Error::source(format!("the file is no well-formed XML: {e}"));
    let mut depth = 0;
    loop {
        let (met, is_empty) = match reader.read_event() {
            Ok(Event::Start(element)) => {
                depth += 1;
                (opened(&element), false)
            }
            Ok(Event::Empty(element)) => (opened(&element), true),
            Ok(Event::End(_)) => {
                depth -= 1;
                (Met::Close, false)
            }
            Ok(Event::Text(text)) => (Met::Text(text.into_inner().to_string()), false),
            Ok(Event::CData(text)) => (Met::Text(text.into_inner().to_string()), false),
            Ok(Event::GeneralRef(reference)) => {
                let letter = reference.resolve_char_ref().ok().flatten().map(String::from);
                let known = || resolve_predefined_entity(&reference.xml10_content()).map(str::to_string);
                (Met::Text(letter.or_else(known).unwrap_or_default()), false)
            }
            Ok(Event::DocType(_)) => {
                return Err(Error::source("the document has a DTD, which is not read")
                    .hint("ask for the extract without <!DOCTYPE"));
            }
            Ok(Event::Comment(_) | Event::PI(_) | Event::Decl(_)) => continue,
            Ok(Event::Eof) => return Ok(()),
            Err(_) if depth > 1 => return Ok(()),
            Err(error) => return Err(malformed(error)),
        };
        if depth > DEPTH {
            return Err(Error::source(format!("the document has elements more than {DEPTH} deep")));
        }
        if !take(met) || is_empty && !take(Met::Close) {
            return Ok(());
        }
    }
}

fn opened(element: &BytesStart<'_>) -> Met {
    let attributes = element.attributes().flatten().filter(|attribute| {
        let key: &str = attribute.key.as_ref();
        key != "xmlns" && !key.starts_with("xmlns:") && !key.starts_with("xsi:")
    });
    let attribute = |attribute: Attribute<'_>| {
        let value = quick_xml::escape::unescape(&attribute.value);
        let value = value.map_or_else(|_| attribute.value.to_string(), |text| text.into_owned());
        (attribute.key.local_name().as_ref().to_string(), value)
    };
    Met::Open(element.local_name().as_ref().to_string(), attributes.map(attribute).collect())
}

/// The path of the outermost elements that come again beside one another and have something in them.
fn row_path(text: &str) -> Result<Vec<String>> {
    let mut open: Vec<(String, HashMap<String, usize>, bool)> = Vec::new();
    let mut found: HashMap<Vec<String>, usize> = HashMap::new();
    let mut met_rows = 0;
    walk(text, &mut |met| {
        match met {
            Met::Open(name, attributes) => {
                if let Some((_, _, has_inner)) = open.last_mut() {
                    *has_inner = true;
                }
                open.push((name, HashMap::new(), !attributes.is_empty()));
            }
            Met::Text(_) => {}
            Met::Close => {
                let path: Vec<String> = open.iter().map(|(name, ..)| name.clone()).collect();
                let closed = open.pop();
                if let (Some((name, _, true)), Some((_, siblings, _))) = (closed, open.last_mut()) {
                    let count = siblings.entry(name).or_insert(0);
                    *count += 1;
                    let most = found.entry(path).or_insert(0);
                    *most = (*most).max(*count);
                    met_rows += 1;
                }
            }
        }
        met_rows < 4 * MOST_ROWS
    })?;
    let several = found.iter().filter(|(_, count)| **count > 1);
    let outermost = several.min_by_key(|(path, count)| (path.len(), usize::MAX - **count));
    let only = || found.keys().filter(|path| path.len() == 2).min().cloned();
    outermost.map(|(path, _)| path.clone()).or_else(only).ok_or_else(|| {
        Error::source("no element of the document looks like a row")
            .hint("connectors/README.md says how the contract of an XML file is written")
    })
}

/// Rows in the making.
#[derive(Default)]
struct Table<'p> {
    path: &'p [String],
    /// The paths of cells, in the order in which they were met.
    header: Vec<String>,
    places: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
    row: Vec<Option<String>>,
    /// The text of the innermost element, and whether it has had others in it.
    text: String,
    has_inner: bool,
    is_joined: bool,
}

impl Table<'_> {
    fn take(&mut self, open: &mut Vec<String>, met: Met) {
        let depth = self.path.len();
        match met {
            Met::Open(name, attributes) => {
                open.push(name);
                self.text.clear();
                self.has_inner = false;
                if open.starts_with(self.path) {
                    let within: String = open[depth..].iter().map(|name| format!("{name}/")).collect();
                    for (name, value) in attributes {
                        self.put(format!("{within}@{name}"), value);
                    }
                }
            }
            Met::Text(text) => self.text.push_str(&text),
            Met::Close => {
                if open.starts_with(self.path) {
                    if !self.has_inner && open.len() > depth {
                        let value = std::mem::take(&mut self.text);
                        self.put(open[depth..].join("/"), value);
                    } else if !self.has_inner && !self.text.trim().is_empty() {
                        let value = std::mem::take(&mut self.text);
                        self.put(".".into(), value);
                    }
                    if open.len() == depth {
                        let row = std::mem::take(&mut self.row);
                        self.rows.push(row.into_iter().map(Option::unwrap_or_default).collect());
                    }
                }
                open.pop();
                self.text.clear();
                self.has_inner = true;
            }
        }
    }

    fn put(&mut self, path: String, value: String) {
        let next = self.header.len();
        let place = *self.places.entry(path.clone()).or_insert(next);
        if place == next {
            self.header.push(path);
        }
        if place >= self.row.len() {
            self.row.resize(place + 1, None);
        }
        match &mut self.row[place] {
            Some(before) => {
                self.is_joined = true;
                before.push_str(BETWEEN);
                before.push_str(&value);
            }
            empty => *empty = Some(value),
        }
    }
}
