//! A sketch as the files of a connector.

use crate::connector::infer::{ColumnSketch, FileSketch, Sketch};
use std::fmt::Write;

/// How many invented rows a fixture has.
const INVENTED: usize = 2;

/// `connector.toml`.
pub(super) fn contract(system: &str, entity: &str, table: Option<&str>, sketch: &Sketch) -> String {
    let mut text = format!(
        "# A first contract, sketched from {} rows. It is a guess: read it, correct it, and take out the\n\
         # remarks that are settled. connectors/README.md explains every key.\n\
         system = {name}\nvendor = {name}\n\n[entities.{entity}]\n",
        sketch.rows,
        name = quoted(system),
    );
    if let Some(table) = table {
        line(&mut text, &format!("table = {}", quoted(table)));
    }
    line(&mut text, &format!("# {}", sketch.key_remark));
    match sketch.key.as_slice() {
        [] if sketch.files.is_some() => {
            line(&mut text, "key = [\"_file\", \"_row\"]\nmode = \"log\"");
        }
        [] => line(&mut text, "key = []"),
        key => {
            let names: Vec<String> = key.iter().map(|name| quoted(name)).collect();
            line(&mut text, &format!("key = [{}]", names.join(", ")));
            if sketch.files.is_some() {
                line(
                    &mut text,
                    "# each file is a complete state; one that only holds changes: mode = \"cursor\"",
                );
            }
        }
    }
    if !sketch.totals.is_empty() {
        let names: Vec<String> = sketch.totals.iter().map(|name| quoted(name)).collect();
        line(&mut text, &format!("totals = [{}]", names.join(", ")));
    }
    if let Some(files) = &sketch.files {
        layout(&mut text, entity, files);
    }
    line(&mut text, &format!("\n[entities.{entity}.columns]"));
    for sketched in &sketch.columns {
        column(&mut text, sketched, sketch);
    }
    text
}

fn layout(text: &mut String, entity: &str, files: &FileSketch) {
    line(text, &format!("\n[entities.{entity}.file]"));
    for remark in &files.remarks {
        line(text, &format!("# {}", plain(remark)));
    }
    line(text, &format!("match = {}", quoted(&files.matching)));
    line(text, "format = \"csv\"");
    if let Some(order) = &files.order {
        line(text, "# the year orders the files; more groups order those of a year");
        line(text, &format!("order = '{order}'"));
    }
    if files.encoding != "utf-8" {
        line(text, &format!("encoding = \"{}\"", files.encoding));
    }
    if files.delimiter != ',' {
        line(text, &format!("delimiter = {}", quoted(&files.delimiter.to_string())));
    }
    if files.header != "true" {
        line(text, &format!("header = {}", files.header));
    }
}

fn column(text: &mut String, column: &ColumnSketch, sketch: &Sketch) {
    for remark in &column.remarks {
        line(text, &format!("# {}", plain(remark)));
    }
    let names: Vec<String> = column.from.iter().map(|name| quoted(name)).collect();
    let from = match names.as_slice() {
        [] => String::new(),
        [one] => format!(", from = {one}"),
        several => format!(", from = [{}]", several.join(", ")),
    };
    let needed = match (sketch.key.contains(&column.name), column.optional) {
        (true, _) => ", required = true",
        (false, true) => ", optional = true",
        (false, false) => "",
    };
    line(text, &format!("{} = {{ {}{from}{needed} }}", column.name, column.ty));
}

/// The fixture: the names as they are in the source, and rows that nobody has.
pub(super) fn fixture(sketch: &Sketch) -> String {
    let mut text = String::new();
    let delimiter = sketch.files.as_ref().map_or(',', |files| files.delimiter);
    let row = |cells: Vec<String>| cells.join(&delimiter.to_string());
    let has_header = sketch.files.as_ref().is_none_or(|files| files.header == "true");
    if has_header {
        let name = |column: &ColumnSketch| column.from.first().unwrap_or(&column.name).clone();
        line(&mut text, &row(sketch.columns.iter().map(|column| cell(&name(column), delimiter)).collect()));
    }
    for at in 1..=INVENTED {
        let value = |column: &ColumnSketch| match sketch.key.contains(&column.name) {
            // Keys differ.
            true if column.invented == "A1" || column.invented == "1" => {
                column.invented.replace('1', &at.to_string())
            }
            _ => column.invented.clone(),
        };
        // One key of dates alone cannot differ by its value.
        let is_told_apart = sketch.key.is_empty()
            || at == 1
            || sketch.columns.iter().any(|column| {
                sketch.key.contains(&column.name) && (column.invented == "A1" || column.invented == "1")
            });
        if is_told_apart {
            line(
                &mut text,
                &row(sketch.columns.iter().map(|column| cell(&value(column), delimiter)).collect()),
            );
        }
    }
    text
}

fn cell(text: &str, delimiter: char) -> String {
    match text.contains([delimiter, '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}

fn line(text: &mut String, what: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{what}").ok();
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A remark on one line.
fn plain(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}
