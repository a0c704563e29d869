//! `sql/reference/<name>.csv` → [`Reference`].

use super::Reference;
use super::problem::{Doc, Found};
use super::reader::{SLUG, is_slug};
use std::collections::BTreeSet;

/// The code list that `doc` holds; what is wrong with it is in `found`.
pub(super) fn check(name: &str, doc: &Doc, found: &Found) -> Reference {
    let csv = doc.text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(csv.as_bytes());
    let columns: Vec<String> =
        reader.headers().map_or_else(|_| Vec::new(), |row| row.iter().map(String::from).collect());
    let mut seen = BTreeSet::new();
    for column in &columns {
        if !is_slug(column) {
            found.whole(&doc.file, 1, format!("column \"{column}\" is not a slug"), SLUG);
        }
        if !seen.insert(column) {
            found.whole(&doc.file, 1, format!("two columns are called \"{column}\""), ());
        }
    }
    if columns.is_empty() {
        found.whole(&doc.file, 1, "a code list needs a row with the names of its columns", ());
    }
    let (rows, errors): (Vec<_>, Vec<_>) = reader.records().partition(Result::is_ok);
    for error in errors.into_iter().filter_map(Result::err) {
        let line = error.position().map_or(1, |position| position.line() as usize);
        let message = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("the row has {len} cells, the first row {expected_len}")
            }
            _ => error.to_string(),
        };
        found.whole(&doc.file, line, message, "quote a cell that holds a comma");
    }
    let mut codes = BTreeSet::new();
    let is_key = rows.iter().flatten().all(|row| codes.insert(row.get(0)));
    let key = columns.first().filter(|_| is_key).cloned();
    Reference { name: name.into(), csv: csv.into(), columns, key, file: doc.file.clone() }
}
