//! `[entities.<entity>.file]`: how the files of an entity are found and cut into rows.

use super::connector::numeric;
use super::reader::{Section, Text};
use crate::connector;
use crate::connector::contract::{
    Column, Encoding, FileFormat, FileLayout, InvoicePart, Trailer, TrailerPart,
};
use crate::error::known;
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
            header: section.bool("header").unwrap_or(true),
        }),
        "fixed" => Some(FileFormat::Fixed),
        "invoice" => part(section).map(FileFormat::Invoice),
        other => {
            let hint = known("formats", other, ["csv", "fixed", "invoice"]);
            section.problem(format.span, format!("unknown format \"{other}\""), hint);
            None
        }
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

/// Reports the names that a column takes and the format does not have; formats whose names are
/// only known with the file have all.
pub(super) fn takes(section: &Section<'_>, format: Option<&FileFormat>, column: &Column) {
    let Some(FileFormat::Invoice(part)) = format else { return };
    let names = connector::invoice_names(*part);
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

/// The rest of a `[file]` section.
pub(super) fn layout(
    mut section: Section<'_>,
    format: Option<FileFormat>,
    columns: &[Column],
) -> Option<FileLayout> {
    let matching = matching(&mut section);
    let encoding = encoding(&mut section);
    let trailer = section.text("trailer").and_then(|text| trailer(&section, &text, columns));
    let order = section.text("order").map(|text| order(&section, &text));
    let settle = section.duration("settle").unwrap_or(SETTLE);
    let done = section.text("done").map(|text| done(&section, &text));
    section.finish();
    Some(FileLayout { matching, format: format?, encoding, trailer, order, settle, done })
}

fn matching(section: &mut Section<'_>) -> Vec<String> {
    if !section.has("match") {
        section.required("match", "\"ITR_POSITION_*.csv\"");
    }
    let patterns = section.one_or_more("match");
    for text in &patterns {
        if let Err(error) = glob::Pattern::new(text.value) {
            let message = format!("\"{}\" is not a file pattern: {}", text.value, error.msg);
            section.problem(text.span.clone(), message, ());
        }
    }
    patterns.into_iter().map(|text| text.value.into()).collect()
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
