//! Looks at real data and sketches a contract for it: the way a newcomer starts. A sketch is a guess
//! that says how sure it is; a person edits what becomes of it.

mod align;
mod guess;
mod key;
mod sample;
mod table;

pub use table::table;

use crate::error::{Error, Result};
use std::path::PathBuf;

/// What data looks like, as far as it can be told by looking.
#[derive(Debug, Clone)]
pub struct Sketch {
    /// How the files are found and cut; `None` for a table.
    pub files: Option<FileSketch>,
    /// The columns, in the order of the source.
    pub columns: Vec<ColumnSketch>,
    /// The columns that identify a row; none when no few do.
    pub key: Vec<String>,
    /// Why that is the key, or what there is in its place.
    pub key_remark: String,
    /// Whether each file holds rows of its own; otherwise each is a complete state.
    pub adds_rows: bool,
    /// Columns whose sums tell whether all has arrived.
    pub totals: Vec<String>,
    /// How many rows were looked at.
    pub rows: u64,
}

/// What files look like.
#[derive(Debug, Clone)]
pub struct FileSketch {
    /// The pattern of their names.
    pub matching: String,
    /// The part of the name that orders them, if it is not the name as a whole.
    pub order: Option<String>,
    /// As the contract writes it: `utf-8`, `windows-1252`, `utf-16`, `auto`.
    pub encoding: &'static str,
    /// What separates cells.
    pub delimiter: char,
    /// As the contract writes it: `true`, `false`, `"auto"`.
    pub header: &'static str,
    /// What was found about single files.
    pub remarks: Vec<String>,
}

/// What a column looks like.
#[derive(Debug, Clone)]
pub struct ColumnSketch {
    /// The name here.
    pub name: String,
    /// The names in the source, in the order in which they were met; empty without a header.
    pub from: Vec<String>,
    /// Whether some files lack it.
    pub optional: bool,
    /// Whether it never lacks a value.
    pub is_full: bool,
    /// The type and what belongs to it, as the contract writes it: `type = "date", format = "dd/MM/yyyy"`.
    pub ty: String,
    /// A value that nobody has, for a fixture.
    pub invented: String,
    /// What was seen, and how sure the guess is.
    pub remarks: Vec<String>,
}

/// Sketches a contract for files that belong together.
pub fn files(paths: &[PathBuf]) -> Result<Sketch> {
    let samples = paths.iter().map(|path| sample::read(path)).collect::<Result<Vec<_>>>()?;
    let columns = align::columns(&samples);
    if columns.is_empty() {
        return Err(Error::source("the files have no columns").hint("a table has a line with their names"));
    }
    let mut sketch = sketch(&samples, &columns);
    sketch.files = Some(layout(&samples));
    Ok(sketch)
}

/// What the columns of `samples` look like.
fn sketch(samples: &[sample::Sample], aligned: &[align::Aligned]) -> Sketch {
    let columns: Vec<ColumnSketch> = aligned.iter().map(|column| guess::column(samples, column)).collect();
    let found = key::find(samples, aligned, &columns);
    let totals = columns.iter().filter(|column| guess::is_amount(column));
    Sketch {
        files: None,
        totals: totals.map(|column| column.name.clone()).collect(),
        rows: samples.iter().map(|sample| sample.rows.len() as u64).sum(),
        key: found.columns,
        key_remark: found.remark,
        adds_rows: found.adds_rows,
        columns,
    }
}

fn layout(samples: &[sample::Sample]) -> FileSketch {
    let names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let has_year = |name: &&str| {
        let digits: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).collect();
        digits.iter().any(|run| run.len() == 4 && (run.starts_with("19") || run.starts_with("20")))
    };
    let is_all = |test: fn(&sample::Sample) -> bool| samples.iter().all(test);
    let header = match (is_all(|sample| sample.header.is_some()), is_all(|sample| sample.header.is_none())) {
        (true, _) => "true",
        (_, true) => "false",
        _ => "\"auto\"",
    };
    let first = samples.first().map_or("utf-8", |sample| sample.encoding);
    let encoding = if samples.iter().all(|sample| sample.encoding == first) { first } else { "auto" };
    FileSketch {
        matching: pattern(&names),
        order: (names.len() > 1 && names.iter().all(has_year)).then(|| "(\\d{4})".to_string()),
        encoding,
        delimiter: samples.first().map_or(',', |sample| sample.delimiter),
        header,
        remarks: samples.iter().flat_map(|sample| sample.remarks.clone()).collect(),
    }
}

/// A pattern that matches all of `names`: what they share at both ends; of one name, everything but
/// its digits.
fn pattern(names: &[&str]) -> String {
    let [first, others @ ..] = names else { return "*".into() };
    if others.is_empty() {
        let mut pattern = String::new();
        for letter in first.chars() {
            match letter.is_ascii_digit() {
                true if pattern.ends_with('*') => {}
                true => pattern.push('*'),
                false => pattern.push(letter),
            }
        }
        return pattern;
    }
    let shared = |of: &dyn Fn(&str) -> Vec<char>| -> Vec<char> {
        let first = of(first);
        let same = |other: &&str| of(other).iter().zip(&first).take_while(|(a, b)| a == b).count();
        let length = others.iter().map(same).min().unwrap_or(0);
        first.into_iter().take(length).collect()
    };
    let start: String = shared(&|name| name.chars().collect()).into_iter().collect();
    let end: String = shared(&|name| name.chars().rev().collect()).into_iter().rev().collect();
    let shortest = names.iter().map(|name| name.len()).min().unwrap_or(0);
    match start.len() + end.len() < shortest {
        true => format!("{}*{end}", start.trim_end_matches(|c: char| c.is_ascii_digit())),
        false => format!("{start}*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_what_names_share() {
        let pattern = |names: &[&str]| super::pattern(names);
        assert_eq!(pattern(&["spend-2014.csv"]), "spend-*.csv");
        assert_eq!(pattern(&["spend-2014-q1.csv", "spend-2015-q2.csv"]), "spend-*.csv");
        assert_eq!(pattern(&["a.csv", "a.csv.csv"]), "a.csv*");
    }

    #[test]
    fn a_first_contract_is_sketched_from_drifting_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let rows = |made: &dyn Fn(usize) -> String| (1..=40).map(made).collect::<String>();
        let one = rows(&|n| format!("North,P{n:03},{:02}/04/2024,\"1,2{n:02}.50\",Widgets\n", 1 + n % 28));
        let two = rows(&|n| format!("P{n:03},00:00:00,{n}.25,Widgets {n}\n"));
        let one = write("paid_2024.csv", format!("Report\n\nOffice,Pay No,Paid On,Amount,Supplier\n{one}"));
        let two = write("paid_2025.csv", format!("Pay No,Paid On,Amount,Supplier Name\n{two}"));
        let sketch = files(&[one, two]).unwrap();
        let seen: Vec<_> = (sketch.columns.iter())
            .map(|column| (column.name.as_str(), column.from.join("|"), column.ty.as_str(), column.optional))
            .collect();
        assert_eq!(
            seen,
            [
                ("office", "Office".into(), "type = \"text\"", true),
                ("pay_no", "Pay No".into(), "type = \"text\"", false),
                ("paid_on", "Paid On".into(), "type = \"date\", format = \"dd/MM/yyyy\"", false),
                ("amount", "Amount".into(), "type = \"decimal(18,2)\", form = \"ledger\"", false),
                ("supplier", "Supplier|Supplier Name".into(), "type = \"text\"", false),
            ]
        );
        assert_eq!((sketch.key, sketch.adds_rows), (vec!["pay_no".to_string()], false));
        assert_eq!(sketch.totals, ["amount"]);
        let files = sketch.files.unwrap();
        assert_eq!((files.matching.as_str(), files.order.as_deref()), ("paid_*.csv", Some("(\\d{4})")));
        assert_eq!((files.encoding, files.header), ("utf-8", "true"));
    }
}
