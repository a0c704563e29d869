//! A sketch as the files of a connector.

use crate::connector::infer::{ColumnSketch, Cut, FileSketch, Sketch};
use std::fmt::Write;

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
    cut(text, &files.cut);
    if let Some(order) = &files.order {
        line(text, "# the year orders the files; more groups order those of a year");
        line(text, &format!("order = '{order}'"));
    }
}

fn cut(text: &mut String, cut: &Cut) {
    match cut {
        Cut::Delimited { encoding, delimiter, header } => {
            line(text, "format = \"csv\"");
            if *encoding != "utf-8" {
                line(text, &format!("encoding = \"{encoding}\""));
            }
            if *delimiter != ',' {
                line(text, &format!("delimiter = {}", quoted(&delimiter.to_string())));
            }
            if *header != "true" {
                line(text, &format!("header = {header}"));
            }
        }
        Cut::Json { rows } => {
            line(text, "format = \"json\"");
            if !rows.is_empty() {
                line(text, &format!("rows = {}", quoted(&json_path(rows))));
            }
        }
        Cut::Ndjson => line(text, "format = \"ndjson\""),
        Cut::Xml { rows, is_joined } => {
            line(text, "format = \"xml\"");
            line(text, &format!("rows = {}", quoted(&format!("/{}", rows.join("/")))));
            if *is_joined {
                line(text, "join = \"; \"");
            }
        }
        Cut::Sheet { sheets } => {
            line(text, "format = \"sheet\"");
            let names: Vec<String> = sheets.iter().map(|name| quoted(name)).collect();
            match names.as_slice() {
                [] => {}
                [one] => line(text, &format!("sheets = {one}")),
                several => line(text, &format!("sheets = [{}]", several.join(", "))),
            }
        }
    }
}

/// `$.data.items[*]`, with names that are no words in brackets.
fn json_path(members: &[String]) -> String {
    let is_word = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let step = |name: &String| match is_word(name) {
        true => format!(".{name}"),
        false => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
    };
    format!("${}[*]", members.iter().map(step).collect::<String>())
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
