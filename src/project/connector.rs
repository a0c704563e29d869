//! `connectors/<system>/connector.toml` → [`System`].

use super::System;
use super::problem::{Doc, Found};
use super::reader::{self, SLUG, Section, Text, is_slug};
use super::{column, mode};
use crate::connector::contract::{
    Column, Contract, Encoding, FileFormat, FileLayout, LINE_KEY, Mode, Place, Trailer, TrailerPart, Type,
};
use crate::error::known;
use std::time::Duration;

/// How long a file must have kept its size and time, unless its layout says otherwise: longer
/// than the pauses of a copy over a slow line, short enough not to be noticed.
const SETTLE: Duration = Duration::from_secs(2);

/// The system that `doc` describes; what is wrong with it is in `found`.
pub(super) fn check(name: &str, doc: &Doc, found: &Found) -> System {
    reader::read(doc, found, |mut root| {
        if let Some(system) = root.required("system", &format!("\"{name}\""))
            && system.value != name
        {
            let hint = format!("system = \"{name}\"");
            root.problem(system.span, format!("system \"{}\" is in folder \"{name}\"", system.value), hint);
        }
        let vendor = root.required("vendor", "\"Acme HR\"").map_or(String::new(), |v| v.value.into());
        let entities = root.sections("entities", "entity");
        if entities.is_empty() {
            root.wrong(format!("system \"{name}\" has no entities"), "declare one as [entities.<name>]");
        }
        let entities = entities
            .into_iter()
            .map(|(entity, section)| (entity.value.to_string(), contract(name, &entity, section)))
            .collect();
        root.finish();
        System { name: name.into(), vendor, entities }
    })
}

fn contract(system: &str, entity: &Text<'_>, mut section: Section<'_>) -> Contract {
    if !is_slug(entity.value) {
        section.wrong(format!("entity \"{}\" is not a slug", entity.value), SLUG);
    }
    let table = section.text("table").map(|t| t.value.to_string());
    if table.is_none() && !section.has("file") {
        section.wrong(
            format!("entity \"{}\" has neither a table nor a file", entity.value),
            "give a table for databases, a [file] for files, or both",
        );
    }
    let mut file = section.section("file");
    let format = file.as_mut().and_then(format);
    let columns = columns(entity.value, &mut section, format == Some(FileFormat::Fixed));
    let file = file.and_then(|file| layout(file, format, &columns));
    let mode = mode::check(&mut section, &columns, table.is_some());
    let contract = Contract {
        system: system.into(),
        entity: entity.value.into(),
        key: key(entity.value, &mut section, &columns, &mode),
        totals: totals(&mut section, &columns),
        max_drop: section.share("max_drop").unwrap_or(0.5),
        min_rows: section.number("min_rows").unwrap_or(0).into(),
        mode,
        table,
        file,
        columns,
    };
    section.finish();
    contract
}

fn columns(entity: &str, section: &mut Section<'_>, fixed: bool) -> Vec<Column> {
    let mut next = 1;
    let mut columns = Vec::new();
    for (name, mut section) in section.sections("columns", "column") {
        let place = place(&mut section, fixed, &mut next);
        columns.push(Column { place, ..column::check(&name, &mut section) });
        section.finish();
    }
    if columns.is_empty() {
        section.wrong(
            format!("entity \"{entity}\" has no columns"),
            "declare them in [entities.<name>.columns]",
        );
    }
    columns
}

/// The place of a column in a fixed-width record; `next` is the first free character.
fn place(section: &mut Section<'_>, fixed: bool, next: &mut usize) -> Option<Place> {
    let (start, width) = (section.number("start"), section.number("width"));
    if !fixed {
        if start.or(width).is_some() {
            section
                .wrong("start and width are for fixed-width layouts", "the file's format is not \"fixed\"");
        }
        return None;
    }
    let Some(width) = width.filter(|w| *w > 0) else {
        section.wrong("a column of a fixed-width layout needs a width", "for example width = 8");
        return None;
    };
    let place = Place { start: start.map_or(*next, |s| s as usize), width: width as usize };
    if place.start < *next {
        let hint = format!("the first free character is {next}; without a start it is taken");
        section.problem(section.place("start"), "the column overlaps the one before", hint);
    }
    *next = place.start + place.width;
    Some(place)
}

fn key(entity: &str, section: &mut Section<'_>, columns: &[Column], mode: &Mode) -> Vec<String> {
    let names = section.texts("key");
    if names.iter().map(|name| name.value).eq(LINE_KEY) {
        if !matches!(mode, Mode::Log(None)) || section.has("table") {
            let hint = "lines stay where they are only in files that add rows: mode = \"log\", no table";
            section.problem(section.place("key"), "a key of file and line needs mode \"log\"", hint);
        }
        return LINE_KEY.map(str::to_string).into();
    }
    if names.is_empty() {
        section.wrong(format!("entity \"{entity}\" has no key"), "key = [the columns that identify a row]");
    }
    for name in &names {
        if find(section, name, columns).is_some_and(|column| !column.required) {
            let message = format!("key column \"{}\" is not required", name.value);
            section.problem(name.span.clone(), message, "add required = true to the column");
        }
    }
    names.into_iter().map(|name| name.value.into()).collect()
}

fn totals(section: &mut Section<'_>, columns: &[Column]) -> Vec<String> {
    let names = section.texts("totals");
    for name in &names {
        numeric(section, name, columns);
    }
    names.into_iter().map(|name| name.value.into()).collect()
}

fn format(section: &mut Section<'_>) -> Option<FileFormat> {
    let format = section.required("format", "\"csv\"")?;
    match format.value {
        "csv" => Some(FileFormat::Delimited {
            delimiter: character(section, "delimiter", b','),
            quote: character(section, "quote", b'"'),
            header: section.bool("header").unwrap_or(true),
        }),
        "fixed" => Some(FileFormat::Fixed),
        other => {
            let hint = known("formats", other, ["csv", "fixed"]);
            section.problem(format.span, format!("unknown format \"{other}\""), hint);
            None
        }
    }
}

fn character(section: &mut Section<'_>, key: &'static str, default: u8) -> u8 {
    let Some(text) = section.text(key) else { return default };
    match text.value.as_bytes() {
        [one] if one.is_ascii() => *one,
        _ => {
            section.problem(
                text.span,
                format!("\"{key}\" must be one ASCII character"),
                "for example \";\" or \"\\t\"",
            );
            default
        }
    }
}

fn layout(mut section: Section<'_>, format: Option<FileFormat>, columns: &[Column]) -> Option<FileLayout> {
    let matching = section.required("match", "\"ITR_POSITION_*.csv\"");
    if let Some(text) = &matching
        && let Err(error) = glob::Pattern::new(text.value)
    {
        section.problem(
            text.span.clone(),
            format!("\"{}\" is not a file pattern: {}", text.value, error.msg),
            (),
        );
    }
    let encoding = encoding(&mut section);
    let trailer = section.text("trailer").and_then(|text| trailer(&section, &text, columns));
    let order = section.text("order").map(|text| order(&section, &text));
    let settle = section.duration("settle").unwrap_or(SETTLE);
    let done = section.text("done").map(|text| done(&section, &text));
    section.finish();
    Some(FileLayout {
        matching: matching?.value.into(),
        format: format?,
        encoding,
        trailer,
        order,
        settle,
        done,
    })
}

fn encoding(section: &mut Section<'_>) -> Encoding {
    let Some(text) = section.text("encoding") else { return Encoding::Utf8 };
    match text.value {
        "utf-8" => Encoding::Utf8,
        "windows-1252" => Encoding::Windows1252,
        "utf-16" => Encoding::Utf16,
        other => {
            let hint = known("encodings", other, ["utf-8", "windows-1252", "utf-16"]);
            section.problem(text.span, format!("unknown encoding \"{other}\""), hint);
            Encoding::Utf8
        }
    }
}

fn order(section: &Section<'_>, text: &Text<'_>) -> String {
    const EXAMPLE: &str = "for example order = '(\\d{4})-(\\d{2})': the groups order the files";
    match regex::Regex::new(text.value) {
        Ok(regex) if regex.captures_len() > 1 => {}
        Ok(_) => section.problem(text.span.clone(), "\"order\" has no group", EXAMPLE),
        Err(_) => {
            let message = format!("\"{}\" is not a regular expression", text.value);
            section.problem(text.span.clone(), message, EXAMPLE);
        }
    }
    text.value.into()
}

fn done(section: &Section<'_>, text: &Text<'_>) -> String {
    if !text.value.contains("{name}") || text.value == "{name}" {
        let hint = "for example \"{name}.done\"";
        section.problem(text.span.clone(), "\"done\" must name a marker beside {name}", hint);
    }
    text.value.into()
}

fn trailer(section: &Section<'_>, text: &Text<'_>, columns: &[Column]) -> Option<Trailer> {
    let mut parts = Vec::new();
    let mut rest = text.value;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(TrailerPart::Literal(rest[..open].into()));
        }
        let close = rest.find('}').filter(|close| *close > open);
        match close.map(|close| &rest[open + 1..close]) {
            Some("rows") => parts.push(TrailerPart::Rows),
            Some(field) if field.starts_with("sum:") => {
                let name = &field["sum:".len()..];
                numeric(section, &Text { value: name, span: text.span.clone() }, columns);
                parts.push(TrailerPart::Sum(name.into()));
            }
            _ => {
                let message = format!("\"{}\" is not a trailer", text.value);
                section.problem(text.span.clone(), message, "known fields: {rows}, {sum:<column>}");
                return None;
            }
        }
        rest = &rest[close? + 1..];
    }
    if !rest.is_empty() {
        parts.push(TrailerPart::Literal(rest.into()));
    }
    Some(Trailer { parts })
}

fn numeric(section: &Section<'_>, name: &Text<'_>, columns: &[Column]) {
    let ty = find(section, name, columns).map(|column| &column.ty);
    if ty.is_some_and(|ty| !matches!(ty, Type::Int | Type::Decimal { .. })) {
        let message = format!("column \"{}\" is not a number and has no sum", name.value);
        section.problem(name.span.clone(), message, "sums need int or decimal(p,s)");
    }
}

fn find<'c>(section: &Section<'_>, name: &Text<'_>, columns: &'c [Column]) -> Option<&'c Column> {
    let column = columns.iter().find(|column| column.name == name.value);
    if column.is_none() {
        let hint = known("columns", name.value, columns.iter().map(|c| c.name.as_str()));
        section.problem(name.span.clone(), format!("unknown column \"{}\"", name.value), hint);
    }
    column
}
