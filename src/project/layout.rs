//! `[entities.<entity>.file]`: how the files of an entity are found and cut into rows.

use super::connector::numeric;
use super::reader::{Section, Text, Value};
use crate::connector::contract::{
    BiccLayout, Column, Encoding, FileFormat, FileLayout, Header, Member, SheetLayout, Trailer, TrailerPart,
    XmlLayout,
};
use crate::error::known;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a file must have kept its size and time, unless its layout says otherwise: longer
/// than the pauses of a copy over a slow line, short enough not to be noticed.
const SETTLE: Duration = Duration::from_secs(2);

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
        other => {
            let hint = known("formats", other, ["bicc", "csv", "fixed", "json", "ndjson", "sheet", "xml"]);
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

fn bicc(section: &mut Section<'_>) -> Option<BiccLayout> {
    let pvo = section.required("pvo", "\"file_*invoiceheaderextractpvo-batch*\"")?;
    glob_checked(section, &pvo, pvo.value);
    Some(BiccLayout { pvo: pvo.value.into() })
}

/// Which members of archives are read.
fn member(section: &mut Section<'_>) -> Member {
    let (one, all) = (section.text("member"), section.text("members"));
    for name in one.iter().chain(&all) {
        glob_checked(section, name, name.value);
    }
    match (one, all) {
        (None, None) => Member::Only,
        (Some(one), None) => Member::One(one.value.into()),
        (None, Some(all)) => Member::All(all.value.into()),
        (Some(_), Some(all)) => {
            section.problem(
                all.span.clone(),
                "\"member\" reads one member, \"members\" all that match",
                "give one of them",
            );
            Member::All(all.value.into())
        }
    }
}

fn glob_checked(section: &Section<'_>, text: &Text<'_>, pattern: &str) {
    if let Err(error) = glob::Pattern::new(pattern) {
        section.problem(text.span.clone(), format!("\"{pattern}\" is not a pattern: {}", error.msg), ());
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

/// The rest of a `[file]` section.
pub(super) fn layout(
    mut section: Section<'_>,
    format: Option<FileFormat>,
    columns: &[Column],
) -> Option<FileLayout> {
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
    let member = member(&mut section);
    let encoding = encoding(&mut section);
    let trailer = section.text("trailer").and_then(|text| trailer(&section, &text, columns));
    if trailer.is_some() && matches!(format, Some(FileFormat::Xml(_))) {
        let hint = "a document that is cut is refused in any case";
        section.problem(section.place("trailer"), "\"xml\" has no trailer", hint);
    }
    let order = section.text("order").map(|text| order(&section, &text));
    let settle = section.duration("settle").unwrap_or(SETTLE);
    let done = section.text("done").map(|text| done(&section, &text));
    section.finish();
    Some(FileLayout {
        matching: matching?.value.into(),
        member,
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
        "auto" => Encoding::Auto,
        other => {
            let hint = known("encodings", other, ["utf-8", "windows-1252", "utf-16", "auto"]);
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
