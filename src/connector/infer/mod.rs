//! Looks at real data and sketches a contract for it: the way a newcomer starts. A sketch is a guess
//! that says how sure it is; a person edits what becomes of it.

mod align;
mod book;
mod guess;
mod json;
mod key;
mod sample;
mod table;
mod xml;

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
    /// How they are cut into rows.
    pub cut: Cut,
    /// What was found about single files.
    pub remarks: Vec<String>,
}

/// How files are cut into rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// Separated cells.
    Delimited {
        /// As the contract writes it: `utf-8`, `windows-1252`, `utf-16`, `auto`.
        encoding: &'static str,
        /// What separates cells.
        delimiter: char,
        /// As the contract writes it: `true`, `false`, `"auto"`.
        header: &'static str,
    },
    /// JSON texts.
    Json {
        /// The members that lead to the array of rows; none when a text is that array, or a row.
        rows: Vec<String>,
    },
    /// A JSON object in each line.
    Ndjson,
    /// XML.
    Xml {
        /// The elements from the root to the rows.
        rows: Vec<String>,
        /// Whether some element comes several times in a row.
        is_joined: bool,
    },
    /// A workbook.
    Sheet {
        /// The sheets that are read; none: the first.
        sheets: Vec<String>,
    },
}

impl Cut {
    /// What such a file is called.
    fn name(&self) -> &'static str {
        match self {
            Cut::Delimited { .. } => "delimited text",
            Cut::Json { .. } => "JSON",
            Cut::Ndjson => "a JSON object in each line",
            Cut::Xml { .. } => "XML",
            Cut::Sheet { .. } => "a workbook",
        }
    }
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
    let layout = layout(&samples)?;
    let mut sketch = sketch(&samples, &columns);
    sketch.files = Some(layout);
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

fn layout(samples: &[sample::Sample]) -> Result<FileSketch> {
    let names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let has_year = |name: &&str| {
        let digits: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).collect();
        digits.iter().any(|run| run.len() == 4 && (run.starts_with("19") || run.starts_with("20")))
    };
    Ok(FileSketch {
        matching: pattern(&names),
        order: (names.len() > 1 && names.iter().all(has_year)).then(|| "(\\d{4})".to_string()),
        cut: cut(samples)?,
        remarks: samples.iter().flat_map(|sample| sample.remarks.clone()).collect(),
    })
}

/// How all of `samples` are cut; an error when one contract cannot cut them.
fn cut(samples: &[sample::Sample]) -> Result<Cut> {
    let mut samples = samples.iter();
    let Some(first) = samples.next() else { return Err(Error::internal("a sketch without a file")) };
    let mut cut = first.cut.clone();
    for sample in samples {
        cut = match (cut, &sample.cut) {
            (
                Cut::Delimited { encoding, delimiter, header },
                Cut::Delimited { encoding: other, delimiter: same, header: also },
            ) if delimiter == *same => Cut::Delimited {
                encoding: if encoding == *other { encoding } else { "auto" },
                header: if header == *also { header } else { "\"auto\"" },
                delimiter,
            },
            (Cut::Xml { rows, is_joined }, Cut::Xml { rows: same, is_joined: also }) if rows == *same => {
                Cut::Xml { rows, is_joined: is_joined || *also }
            }
            (cut, other) if cut == *other => cut,
            (cut, other) => {
                return Err(Error::source(format!(
                    "{} is {} and {} is {} that is cut in another way",
                    first.name,
                    cut.name(),
                    sample.name,
                    other.name()
                ))
                .hint("sketch files that differ one by one"));
            }
        };
    }
    Ok(cut)
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
        assert_eq!(files.cut, Cut::Delimited { encoding: "utf-8", delimiter: ',', header: "true" });
    }
}
