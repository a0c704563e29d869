//! `format` of `[entities.<entity>.file]`, and the keys that belong to each format.

use super::reader::{Section, Text, Value};
use crate::connector;
use crate::connector::contract::{
    BiccLayout, Column, FileFormat, Header, InvoicePart, SheetLayout, XmlLayout,
};
use crate::error::known;
use std::collections::BTreeMap;

/// The format of a file; what its keys say about it.
pub(super) fn format(section: &mut Section<'_>) -> Option<FileFormat> {
    let format = section.required("format", "\"csv\"")?;
    match format.value {
        "csv" => Some(FileFormat::Delimited {
            delimiter: character(section, "delimiter", b','),
            quote: character(section, "quote", b'"'),
            header: header(section),
        }),
        "fixed" => Some(FileFormat::Fixed),
        "xml" => xml(section).map(FileFormat::Xml),
        "json" => Some(json(section)),
        "ndjson" => Some(FileFormat::Ndjson),
        "sheet" => Some(FileFormat::Sheet(sheet(section))),
        "bicc" => bicc(section).map(FileFormat::Bicc),
        "invoice" => part(section).map(FileFormat::Invoice),
        other => {
            let hint = known(
                "formats",
                other,
                ["bicc", "csv", "fixed", "invoice", "json", "ndjson", "sheet", "xml"],
            );
            section.problem(format.span, format!("unknown format \"{other}\""), hint);
            None
        }
    }
}

fn xml(section: &mut Section<'_>) -> Option<XmlLayout> {
    let mut namespaces = BTreeMap::new();
    if let Some(mut declared) = section.section("namespaces") {
        for (prefix, value) in declared.all("the name of a namespace") {
            match value {
                Value::Text(name) => {
                    drop(namespaces.insert(prefix.value.to_string(), name.value.to_string()))
                }
                Value::Table(table) => table.wrong(
                    format!("the namespace \"{}\" is a table", prefix.value),
                    "for example w = \"urn:example:workers\"",
                ),
            }
        }
    }
    let join = section.text("join").map(|text| text.value.to_string());
    let rows = section.required("rows", "\"/Extract/Worker\"")?;
    match XmlLayout::new(rows.value, join, namespaces) {
        Ok(layout) => Some(layout),
        Err(problem) => {
            section.problem(rows.span, problem, "for example rows = \"/Extract/Worker\"");
            None
        }
    }
}

/// Where JSON texts have their rows, and what says how many there are.
pub(super) fn json(section: &mut Section<'_>) -> FileFormat {
    let rows = section.text("rows").map(|text| {
        if !text.value.starts_with('$') {
            let hint = "for example \"$.items[*]\"";
            section.problem(text.span.clone(), format!("\"{}\" is not a JSONPath", text.value), hint);
        }
        json_path(section, &text)
    });
    let count = section.text("count").map(|text| json_path(section, &text));
    FileFormat::Json { rows, count }
}

/// A path in a JSON text: a JSONPath, or names of members with dots between them.
pub(super) fn json_path(section: &Section<'_>, text: &Text<'_>) -> String {
    if text.value.starts_with('$')
        && let Err(error) = serde_json_path::JsonPath::parse(text.value)
    {
        let message = format!("\"{}\" is not a JSONPath: {error}", text.value);
        section.problem(text.span.clone(), message, "for example \"$.links[?@.rel=='next'].href\"");
    }
    text.value.into()
}

/// The most rows of a header.
const MOST_HEADER_ROWS: u32 = 5;

fn sheet(section: &mut Section<'_>) -> SheetLayout {
    let sheets = section.one_or_more("sheets");
    for name in &sheets {
        glob_checked(section, name, name.value.trim_start_matches('!'));
    }
    if !sheets.is_empty() && sheets.iter().all(|name| name.value.starts_with('!')) {
        let hint = "for example sheets = [\"*\", \"!Notes\"]";
        section.problem(section.place("sheets"), "\"sheets\" names none that is read", hint);
    }
    let header_rows = section.number("header_rows").unwrap_or(1);
    if !(1..=MOST_HEADER_ROWS).contains(&header_rows) {
        let message = format!("\"header_rows\" must be 1 to {MOST_HEADER_ROWS}");
        section.problem(section.place("header_rows"), message, ());
    }
    SheetLayout {
        sheets: sheets.iter().map(|name| name.value.into()).collect(),
        header_rows: header_rows.max(1) as usize,
    }
}

/// `true`, `false` or `"auto"`.
fn header(section: &mut Section<'_>) -> Header {
    if section.is_text("header") {
        let text = section.text("header");
        if let Some(other) = text.filter(|text| text.value != "auto") {
            let message = format!("unknown header \"{}\"", other.value);
            section.problem(other.span, message, "true, false or \"auto\"");
        }
        return Header::Auto;
    }
    match section.bool("header") {
        Some(false) => Header::Absent,
        Some(true) | None => Header::Named,
    }
}

/// What of an invoice document is a row.
fn part(section: &mut Section<'_>) -> Option<InvoicePart> {
    const PARTS: [(&str, InvoicePart); 5] = [
        ("document", InvoicePart::Document),
        ("line", InvoicePart::Line),
        ("vat", InvoicePart::Vat),
        ("field", InvoicePart::Field),
        ("rule", InvoicePart::Rule),
    ];
    let text = section.required("part", "\"document\"")?;
    let found = PARTS.iter().find(|(name, _)| *name == text.value);
    if found.is_none() {
        let hint = known("parts", text.value, PARTS.iter().map(|(name, _)| *name));
        section.problem(text.span, format!("unknown part \"{}\"", text.value), hint);
    }
    found.map(|(_, part)| *part)
}

/// Reports the names that a column takes and the part of an invoice does not have.
pub(super) fn takes(section: &Section<'_>, part: InvoicePart, column: &Column) {
    let names = connector::invoice_names(part);
    for from in column.from.iter().filter(|from| !names.contains(&from.to_lowercase().as_str())) {
        let hint = known("fields", from, names.iter().copied());
        section.problem(section.place("from"), format!("this part has no field \"{from}\""), hint);
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

/// Reports a glob that is none.
pub(super) fn glob_checked(section: &Section<'_>, text: &Text<'_>, pattern: &str) {
    if let Err(error) = glob::Pattern::new(pattern) {
        section.problem(text.span.clone(), format!("\"{pattern}\" is not a pattern: {}", error.msg), ());
    }
}

fn bicc(section: &mut Section<'_>) -> Option<BiccLayout> {
    let pvo = section.required("pvo", "\"file_*invoiceheaderextractpvo-batch*\"")?;
    glob_checked(section, &pvo, pvo.value);
    Some(BiccLayout { pvo: pvo.value.into() })
}
