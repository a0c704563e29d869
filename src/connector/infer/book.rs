//! The first rows of a workbook.

use super::Cut;
use super::sample::{MOST_ROWS, Sample, header};
use crate::connector::format::sheet;
use crate::error::{Error, Result};
use std::fs::File;

/// A sheet with a header.
struct Page {
    name: String,
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    above: usize,
}

/// Reads the sheet with the most rows, and all that have the same header.
pub(super) fn read(name: String, file: File) -> Result<Sample> {
    let sheets = sheet::shown(file, MOST_ROWS)?;
    let all: Vec<String> = sheets.iter().map(|(name, _)| name.clone()).collect();
    let pages: Vec<Page> = sheets.into_iter().filter_map(page).collect();
    let Some(largest) = pages.iter().max_by_key(|page| page.rows.len()) else {
        return Err(Error::source("no sheet of the workbook has a row that names columns")
            .hint("connectors/README.md says how the contract of a workbook is written"));
    };
    let names = largest.names.clone();
    let (alike, others): (Vec<Page>, Vec<Page>) = pages.into_iter().partition(|page| page.names == names);
    let mut remarks: Vec<String> = Vec::new();
    if let Some(above) = alike.iter().map(|page| page.above).max().filter(|above| *above > 0) {
        remarks.push(format!(
            "{name}: {above} rows above the columns' names; where they belong to the names, header_rows says so"
        ));
    }
    if !others.is_empty() {
        let others: Vec<&str> = others.iter().map(|page| page.name.as_str()).collect();
        remarks.push(format!("{name}: sheets with other columns are left out: {}", others.join(", ")));
    }
    let is_first = alike.len() == 1 && all.first() == Some(&alike[0].name);
    let sheets = match () {
        () if is_first => Vec::new(),
        () if alike.len() == all.len() => vec!["*".to_string()],
        () => alike.iter().map(|page| page.name.clone()).collect(),
    };
    let rows: Vec<Vec<String>> = alike.into_iter().flat_map(|page| page.rows).take(MOST_ROWS).collect();
    let width = names.len();
    Ok(Sample { name, cut: Cut::Sheet { sheets }, header: Some(names), rows, width, remarks })
}

/// The rows below the header of a sheet, if it has one.
fn page((name, mut rows): (String, Vec<Vec<String>>)) -> Option<Page> {
    let is_blank = |row: &Vec<String>| row.iter().all(|cell| cell.trim().is_empty());
    rows.retain(|row| !is_blank(row));
    let is_filled = |cell: &String| !cell.trim().is_empty();
    let ends = rows.iter().filter_map(|row| row.iter().rposition(is_filled).map(|last| last + 1));
    let width = ends.max()?;
    rows.iter_mut().for_each(|row| row.resize(width, String::new()));
    let above = header(&rows, width)?;
    let mut rows = rows.split_off(above);
    let names = rows.remove(0);
    Some(Page { name, names, rows, above })
}
