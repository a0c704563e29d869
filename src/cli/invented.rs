//! The fixture of a sketched connector: rows that nobody has, in the layout of the source.

use crate::connector::infer::{ColumnSketch, Cut, Sketch};
use crate::error::{Error, Result};
use quick_xml::escape::escape;
use rust_xlsxwriter::{Workbook, XlsxError};
use serde_json::{Map, Value};

/// How many rows a fixture has.
const ROWS: usize = 2;

/// The fixture and the ending of its name.
pub(super) fn fixture(sketch: &Sketch) -> Result<(&'static str, Vec<u8>)> {
    let (names, rows) = (names(sketch), rows(sketch));
    let plain = Cut::Delimited { encoding: "utf-8", delimiter: ',', header: "true" };
    Ok(match sketch.files.as_ref().map_or(&plain, |files| &files.cut) {
        Cut::Delimited { encoding, delimiter, header } => {
            let text = delimited(&names, &rows, *delimiter, *header == "true")?;
            ("csv", encoded(text, encoding))
        }
        Cut::Json { rows: path } => {
            let all = Value::Array(rows.iter().map(|row| object(&names, row)).collect());
            let within = |value: Value, name: &String| Value::Object(Map::from_iter([(name.clone(), value)]));
            ("json", format!("{:#}\n", path.iter().rev().fold(all, within)).into_bytes())
        }
        Cut::Ndjson => {
            let line = |row: &Vec<String>| format!("{}\n", object(&names, row));
            ("ndjson", rows.iter().map(line).collect::<String>().into_bytes())
        }
        Cut::Xml { rows: path, .. } => ("xml", xml(path, &names, &rows).into_bytes()),
        Cut::Sheet { sheets } => {
            let workbook = workbook(sheets, &names, &rows);
            ("xlsx", workbook.map_err(|error| Error::internal("a fixture").because(error))?)
        }
    })
}

/// The names of the columns as they are in the source.
fn names(sketch: &Sketch) -> Vec<String> {
    let name = |column: &ColumnSketch| column.from.first().unwrap_or(&column.name).clone();
    sketch.columns.iter().map(name).collect()
}

/// Rows whose keys differ.
fn rows(sketch: &Sketch) -> Vec<Vec<String>> {
    let is_numbered = |column: &ColumnSketch| {
        sketch.key.contains(&column.name) && (column.invented == "A1" || column.invented == "1")
    };
    let value = |column: &ColumnSketch, row: usize| match is_numbered(column) {
        true => column.invented.replace('1', &row.to_string()),
        false => column.invented.clone(),
    };
    // One key of dates alone cannot differ by its value.
    let can_differ = sketch.key.is_empty() || sketch.columns.iter().any(is_numbered);
    let count = if can_differ { ROWS } else { 1 };
    (1..=count).map(|row| sketch.columns.iter().map(|column| value(column, row)).collect()).collect()
}

fn delimited(names: &[String], rows: &[Vec<String>], delimiter: char, has_header: bool) -> Result<String> {
    let failed = |error: csv::Error| Error::internal("a fixture").because(error);
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
    if has_header {
        writer.write_record(names).map_err(failed)?;
    }
    for row in rows {
        writer.write_record(row).map_err(failed)?;
    }
    let bytes =
        writer.into_inner().map_err(|error| Error::internal("a fixture").because(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Headings may have other letters than ASCII; `auto` takes UTF-8.
fn encoded(text: String, encoding: &str) -> Vec<u8> {
    match encoding {
        "windows-1252" => encoding_rs::WINDOWS_1252.encode(&text).0.into_owned(),
        "utf-16" => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        _ => text.into_bytes(),
    }
}

/// An object with the members that dotted names stand for.
fn object(names: &[String], row: &[String]) -> Value {
    let mut object = Map::new();
    for (name, value) in names.iter().zip(row) {
        put(&mut object, name, value);
    }
    Value::Object(object)
}

fn put(object: &mut Map<String, Value>, name: &str, value: &str) {
    let nested = name.split_once('.').and_then(|(step, rest)| {
        let inner = object.entry(step).or_insert_with(|| Value::Object(Map::new()));
        Some((inner.as_object_mut()?, rest))
    });
    match nested {
        Some((inner, rest)) => put(inner, rest, value),
        None => drop(object.insert(name.into(), value.into())),
    }
}

/// An element of a document in the making.
#[derive(Default)]
struct Element {
    attributes: String,
    text: String,
    inner: Vec<(String, Element)>,
}

impl Element {
    fn at<'e>(&'e mut self, path: &[&str]) -> &'e mut Element {
        let [name, rest @ ..] = path else { return self };
        let place = self.inner.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.inner.push((name.to_string(), Element::default()));
            self.inner.len() - 1
        });
        self.inner[place].1.at(rest)
    }

    fn write(&self, name: &str, text: &mut String) {
        *text += &format!("<{name}{}>{}", self.attributes, escape(self.text.as_str()));
        self.inner.iter().for_each(|(name, inner)| inner.write(name, text));
        *text += &format!("</{name}>");
    }
}

fn xml(path: &[String], names: &[String], rows: &[Vec<String>]) -> String {
    let (last, outer) = path.split_last().map_or(("row", path), |(last, outer)| (last.as_str(), outer));
    let mut text: String = outer.iter().map(|name| format!("<{name}>\n")).collect();
    for row in rows {
        let mut element = Element::default();
        for (name, value) in names.iter().zip(row) {
            let steps: Vec<&str> = name.split('/').filter(|step| *step != ".").collect();
            match steps.split_last() {
                Some((attribute, within)) if attribute.starts_with('@') => {
                    let attribute = format!(" {}=\"{}\"", &attribute[1..], escape(value.as_str()));
                    element.at(within).attributes += &attribute;
                }
                _ => element.at(&steps).text = value.clone(),
            }
        }
        element.write(last, &mut text);
        text.push('\n');
    }
    outer.iter().rev().for_each(|name| text += &format!("</{name}>\n"));
    text
}

fn workbook(sheets: &[String], names: &[String], rows: &[Vec<String>]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    if let Some(name) = sheets.iter().find(|name| !name.contains(['*', '?'])) {
        sheet.set_name(name)?;
    }
    for (at, row) in (0..).zip(std::iter::once(names).chain(rows.iter().map(Vec::as_slice))) {
        for (column, text) in (0..).zip(row) {
            sheet.write_string(at, column, text)?;
        }
    }
    book.save_to_buffer()
}
