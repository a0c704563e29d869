//! JSON and NDJSON.
//!
//! A file is one JSON text or several, one after the other: the pages of an answer. Each is held
//! as a whole while its rows are read, and rows and cells are parts of its own characters.

mod cell;
mod fields;
pub(in crate::connector) mod select;
#[cfg(test)]
mod tests;
mod texts;

pub(in crate::connector) use texts::not_json;

use crate::connector::contract::{Contract, FileFormat, FileLayout};
use crate::connector::format::Emit;
use crate::connector::format::decode::Text;
use crate::connector::format::records::Records;
use crate::connector::format::unpack;
use crate::connector::rows::{Control, Received};
use crate::connector::{SourceFile, Totals};
use crate::error::{Error, Result};
use fields::Fields;
use memchr::memchr;
use select::{Path, Step, broken, elements, members};
use serde_json::value::RawValue;
use std::path::Path as FilePath;
use texts::Texts;

/// The member that says whose rows the texts behind it are: `{"_parent": {…}}`, a text of its own.
pub(in crate::connector) const PARENT: &str = "_parent";

/// The bytes of a file of lines that are read at once.
const READ: usize = 1 << 20;

/// Where texts have their rows.
#[derive(Debug, Clone)]
pub(in crate::connector) struct Rows(Option<Path>);

impl Rows {
    /// `None`: the elements of an array, or the text itself.
    pub(in crate::connector) fn parse(path: Option<&str>) -> Result<Self> {
        path.map(Path::parse).transpose().map(Rows)
    }

    /// The rows of a text. One that has no place for rows is not an empty answer: it is another
    /// one, such as that of an error.
    pub(in crate::connector) fn of<'a>(&self, text: &'a RawValue) -> Result<Vec<&'a RawValue>> {
        let Some(path) = &self.0 else {
            return Ok(elements(text)?.unwrap_or_else(|| vec![text]));
        };
        let rows = path.find(text)?;
        if rows.is_empty()
            && let Some(name) = path.head()
            && let Some(members) = members(text)?
            && members.named(name).is_none()
        {
            let known: Vec<&str> = members.0.iter().map(|(name, _)| name.as_ref()).take(12).collect();
            return Err(Error::contract(format!("the answer has no \"{name}\", where its rows should be"))
                .hint(format!("it has {}: is it the answer of an error?", known.join(", "))));
        }
        Ok(rows)
    }

    /// The same rows, each with what it is a part of: an element of an array around it, or else the
    /// text.
    fn with_parents<'a>(&self, text: &'a RawValue) -> Result<Vec<(Option<&'a RawValue>, &'a RawValue)>> {
        let rows = self.of(text)?;
        let steps = match &self.0 {
            Some(Path::Steps(steps)) => steps.as_slice(),
            Some(Path::Named(..) | Path::Query(_)) | None => &[],
        };
        let each = |steps: &[Step]| steps.iter().rposition(|step| *step == Step::Each);
        let Some(outer) = each(steps).and_then(|last| each(&steps[..last])) else {
            let text = self.0.is_some().then_some(text);
            return Ok(rows.into_iter().map(|row| (text, row)).collect());
        };
        let (around, within) = steps.split_at(outer + 1);
        let mut found = Vec::with_capacity(rows.len());
        for parent in select::taken(around, text)? {
            found.extend(select::taken(within, parent)?.into_iter().map(|row| (Some(parent), row)));
        }
        Ok(found)
    }

    /// Whether every text is an array of rows, or a row itself.
    fn is_array(&self) -> bool {
        match &self.0 {
            Some(Path::Steps(steps)) => steps.first() == Some(&Step::Each),
            Some(Path::Named(..) | Path::Query(_)) | None => false,
        }
    }
}

/// The JSON text in `bytes`.
pub(in crate::connector) fn parsed(bytes: &[u8]) -> Result<&RawValue> {
    serde_json::from_slice(bytes).map_err(broken)
}

/// Reads all rows of a file of JSON texts; see [`crate::connector::format::read`].
pub(super) fn read(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let FileFormat::Json { rows, count } = &layout.format else {
        return Err(Error::internal("a file of another format was read as JSON"));
    };
    let rows = Rows::parse(rows.as_deref())?;
    let control = match count {
        Some(count) => control(contract, layout, file, count).map_err(|error| error.at(at))?,
        None => Control::default(),
    };
    let mut fields = Fields::new(contract, file)?;
    let mut records = Records::controlled(contract, at, &file.name, control, emit)?;
    let mut texts = Texts::new(opened(contract, layout, &file.path).map_err(|error| error.at(at))?);
    let (mut page, mut number, mut parent) = (0, 0, None);
    loop {
        let place = |error: Error| error.at(format!("{at}, page {}", page + 1));
        let Some(bytes) = texts.next().map_err(place)? else { break };
        let text = parsed(bytes).map_err(place)?;
        if let Some(row) = parent_in(text).map_err(place)? {
            parent = Some(row.to_owned());
            continue;
        }
        let found = rows.with_parents(text).map_err(place)?;
        if rows.is_array() && !text.get().starts_with('[') {
            return Err(place(Error::contract("the JSON text is no array of rows")));
        }
        for (around, row) in found {
            number += 1;
            let found = fields.of_row(row, parent.as_deref().or(around)).map_err(place)?;
            let cell = |column: usize| fields.cell(&found[column], column);
            if !records.push(number, Received::Line(row.get().as_bytes()), &cell)? {
                return Ok(None);
            }
        }
        page += 1;
    }
    if page == 0 && parent.is_none() {
        return Err(not_json(b"").at(at));
    }
    fields.findings().map_err(|error| error.at(at))?.into_iter().for_each(|finding| records.note(finding));
    records.finish()
}

fn opened(contract: &Contract, layout: &FileLayout, path: &FilePath) -> Result<Text> {
    Ok(Text::open(contract, layout, unpack::one(layout, path)?)?.0)
}

/// The row of the parent, if that is all that `text` says.
fn parent_in(text: &RawValue) -> Result<Option<&RawValue>> {
    // Most texts are no objects of one member, and some are very long.
    if !text.get()[1..].trim_start().starts_with("\"_parent\"") {
        return Ok(None);
    }
    Ok(members(text)?.filter(|members| members.0.len() == 1).and_then(|members| members.named(PARENT)))
}

/// How many rows a file of JSON texts has; an error unless all of it can be read.
pub(in crate::connector) fn counted(
    contract: &Contract,
    layout: &FileLayout,
    rows: Option<&str>,
    path: &FilePath,
) -> Result<usize> {
    let rows = Rows::parse(rows)?;
    let mut texts = Texts::new(opened(contract, layout, path)?);
    let (mut count, mut page) = (0, 0);
    while let Some(bytes) = texts.next()? {
        count += rows.of(parsed(bytes)?)?.len();
        page += 1;
    }
    if page == 0 { Err(not_json(b"")) } else { Ok(count) }
}

/// How many rows the first page says that there are.
fn control(contract: &Contract, layout: &FileLayout, file: &SourceFile, count: &str) -> Result<Control> {
    let path = Path::parse(count)?;
    let mut texts = Texts::new(opened(contract, layout, &file.path)?);
    let Some(bytes) = texts.next()? else { return Ok(Control::default()) };
    let said = path.first(parsed(bytes)?)?.and_then(|said| said.get().trim_matches('"').parse().ok());
    match said {
        Some(rows) => Ok(Control { rows: Some(rows), ..Control::default() }),
        None => {
            Err(Error::contract(format!("the answer does not say how many rows there are at \"{count}\""))
                .hint("correct or remove the entity's `count`"))
        }
    }
}

/// Reads all rows of a file with an object in each line. A line that is none is a bad row, and
/// the lines around it are read.
pub(super) fn read_lines(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let mut fields = Fields::new(contract, file)?;
    let mut records = Records::controlled(contract, at, &file.name, Control::default(), emit)?;
    let mut text = opened(contract, layout, &file.path).map_err(|error| error.at(at))?;
    let (mut bytes, mut start, mut number, mut more) = (Vec::new(), 0, 0, true);
    loop {
        let (line, next) = match memchr(b'\n', &bytes[start..]) {
            Some(length) => (start..start + length, start + length + 1),
            None if more => {
                bytes.drain(..start);
                start = 0;
                more = text.read(READ, &mut bytes).map_err(|error| error.at(at))?;
                continue;
            }
            None if start < bytes.len() => (start..bytes.len(), bytes.len()),
            None => break,
        };
        (number, start) = (number + 1, next);
        let line = bytes[line].trim_ascii();
        if !line.is_empty() && !push_line(&mut records, &mut fields, number, line)? {
            return Ok(None);
        }
    }
    fields.findings().map_err(|error| error.at(at))?.into_iter().for_each(|finding| records.note(finding));
    records.finish()
}

fn push_line(records: &mut Records<'_>, fields: &mut Fields<'_>, number: i64, line: &[u8]) -> Result<bool> {
    let object = match serde_json::from_slice::<&RawValue>(line) {
        Ok(object) if object.get().starts_with('{') => object,
        Ok(_) => return records.push_ragged(number, Received::Line(line), "not a JSON object"),
        Err(error) => {
            let message = format!("broken JSON in column {}", error.column());
            return records.push_ragged(number, Received::Line(line), &message);
        }
    };
    let found = fields.of_row(object, None)?;
    let cell = |column: usize| fields.cell(&found[column], column);
    records.push(number, Received::Line(line), &cell)
}
