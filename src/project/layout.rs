//! `[entities.<entity>.file]`: how the files of an entity are found and cut into rows.

use super::connector::numeric;
use super::formats;
use super::reader::{Section, Text};
use crate::connector::contract::{Column, Encoding, FileFormat, FileLayout, Member, Trailer, TrailerPart};
use crate::error::known;
use std::time::Duration;

/// How long a file must have kept its size and time, unless its layout says otherwise: longer
/// than the pauses of a copy over a slow line, short enough not to be noticed.
const SETTLE: Duration = Duration::from_secs(2);

/// The rest of a `[file]` section.
pub(super) fn layout(
    mut section: Section<'_>,
    format: Option<FileFormat>,
    columns: &[Column],
) -> Option<FileLayout> {
    let matching = matching(&mut section);
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
    Some(FileLayout { matching, member, format: format?, encoding, trailer, order, settle, done })
}

fn matching(section: &mut Section<'_>) -> Vec<String> {
    if !section.has("match") {
        section.required("match", "\"ITR_POSITION_*.csv\"");
    }
    let patterns = section.one_or_more("match");
    for text in &patterns {
        formats::glob_checked(section, text, text.value);
    }
    patterns.into_iter().map(|text| text.value.into()).collect()
}

/// Which members of archives are read.
fn member(section: &mut Section<'_>) -> Member {
    let (one, all) = (section.text("member"), section.text("members"));
    for name in one.iter().chain(&all) {
        formats::glob_checked(section, name, name.value);
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
