//! The first rows of a JSON file: the largest array of objects, and what its objects have in common.

use super::Cut;
use super::sample::{MOST_ROWS, Sample};
use crate::connector::format::json::select::{elements, members};
use crate::error::{Error, Result};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// How deep rows are looked for, and members of rows.
const DEPTH: usize = 4;

/// The rows of one JSON text, or of several.
pub(super) fn read(name: String, text: &str) -> Result<Sample> {
    let mut texts = Vec::new();
    for one in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>().take(MOST_ROWS) {
        match one {
            Ok(one) => texts.push(one),
            // Only its first bytes have been read, or a line of it is broken.
            Err(_) if !texts.is_empty() => break,
            Err(error) => return Err(Error::source(format!("the file is no JSON: {error}"))),
        }
    }
    let is_by_line = texts.len() > 1 && texts.iter().all(|one| !one.get().contains('\n'));
    let (cut, found) = match texts.as_slice() {
        [only] => {
            let (path, found) = rows(only)?;
            (Cut::Json { rows: path }, found)
        }
        several if is_by_line => (Cut::Ndjson, several.to_vec()),
        several => (Cut::Json { rows: Vec::new() }, several.to_vec()),
    };
    let mut header: Vec<String> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let (mut rows, mut others) = (Vec::new(), 0);
    for row in found.into_iter().take(MOST_ROWS) {
        let mut cells = Vec::new();
        match flatten(row, "", DEPTH, &mut cells)? {
            true => rows.push(cells),
            false => others += 1,
        }
    }
    for (name, _) in rows.iter().flatten() {
        places.entry(name.clone()).or_insert_with(|| {
            header.push(name.clone());
            header.len() - 1
        });
    }
    let width = header.len();
    let line = |cells: Vec<(String, String)>| {
        let mut line = vec![String::new(); width];
        for (name, text) in cells {
            line[places[&name]] = text;
        }
        line
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(line).collect();
    let remarks = if others > 0 { vec![format!("{name}: {others} rows are no objects")] } else { Vec::new() };
    Ok(Sample { name, cut, header: Some(header), rows, width, remarks })
}

/// The largest array of objects in `text` and the members that lead to it; the text itself if there
/// is none.
fn rows(text: &RawValue) -> Result<(Vec<String>, Vec<&RawValue>)> {
    if let Some(rows) = elements(text)? {
        return Ok((Vec::new(), rows));
    }
    let mut best = (Vec::new(), Vec::new());
    let mut waiting = vec![(Vec::new(), text)];
    while let Some((path, value)) = waiting.pop() {
        for (name, value) in members(value)?.into_iter().flat_map(|members| members.0) {
            let path: Vec<String> = path.iter().cloned().chain([name.into_owned()]).collect();
            match elements(value)? {
                Some(rows) => {
                    let is_table = rows.iter().any(|row| row.get().starts_with('{'));
                    if is_table && rows.len() > best.1.len() {
                        best = (path, rows);
                    }
                }
                None if path.len() < DEPTH => waiting.push((path, value)),
                None => {}
            }
        }
    }
    if best.1.is_empty() { Ok((Vec::new(), vec![text])) } else { Ok(best) }
}

/// The values of a row by their names, with dots between the names of members within members;
/// `false` when it is no object.
fn flatten(row: &RawValue, within: &str, depth: usize, cells: &mut Vec<(String, String)>) -> Result<bool> {
    let Some(members) = members(row)? else { return Ok(false) };
    for (name, value) in members.0 {
        let name = format!("{within}{name}");
        let is_object = depth > 1 && value.get().starts_with('{');
        if !is_object || !flatten(value, &format!("{name}."), depth - 1, cells)? {
            cells.push((name, text(value)));
        }
    }
    Ok(true)
}

fn text(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        quoted if quoted.starts_with('"') => serde_json::from_str(quoted).unwrap_or_default(),
        other => other.to_string(),
    }
}
