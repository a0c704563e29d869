//! Where a column's values come from and what is done with them before they are read: `from`,
//! `value`, `take`, `trim`, `map`, `unmapped`, `default`.

use super::Reference;
use super::reader::{Section, Text, Value};
use crate::connector::contract::{CodeMap, Origin, Recast};
use crate::error::known;
use regex::Regex;
use std::collections::BTreeMap;

/// The code lists of a project, by name.
pub(super) type Lists = BTreeMap<String, Reference>;

/// The names of the column called `name` in the source, and where its values come from.
pub(super) fn origin(name: &str, section: &mut Section<'_>) -> (Vec<String>, Origin) {
    let given = section.one_or_more("from");
    let value = section.text("value");
    let names = || given.iter().map(|text| text.value.to_string()).collect::<Vec<_>>();
    if let Some(value) = value {
        if let Some(from) = given.first() {
            let hint = "a column with a value is the same in every row";
            section.problem(from.span.clone(), "a column has either \"from\" or \"value\"", hint);
        }
        return (vec![name.into()], Origin::Fixed(value.value.into()));
    }
    match names().as_slice() {
        [] => (vec![name.into()], Origin::Cell),
        [one] if one == "_file" => (names(), Origin::File),
        [one] if one == "_sheet" => (names(), Origin::Sheet),
        all => {
            if let Some(pseudo) = all.iter().position(|name| name == "_file" || name == "_sheet") {
                let message = format!("\"{}\" has no other names", all[pseudo]);
                section.problem(given[pseudo].span.clone(), message, "it is there in every row");
            }
            (names(), Origin::Cell)
        }
    }
}

/// What the section says is done with a received text.
pub(super) fn recast(section: &mut Section<'_>, lists: &Lists) -> Recast {
    let take = section.text("take").map(|text| {
        pattern(section, &text, "for example take = '(\\d{4})': the first group is taken");
        text.value.to_string()
    });
    Recast {
        take,
        trim: section.bool("trim").unwrap_or(false),
        map: map(section, lists),
        default: section.text("default").map(|text| text.value.to_string()),
        forgives: false,
    }
}

/// Reports a text that is no regular expression.
pub(super) fn pattern(section: &Section<'_>, text: &Text<'_>, hint: &str) {
    if Regex::new(text.value).is_err() {
        let message = format!("\"{}\" is not a regular expression", text.value);
        section.problem(text.span.clone(), message, hint);
    }
}

fn map(section: &mut Section<'_>, lists: &Lists) -> Option<CodeMap> {
    let is_closed = is_closed(section);
    let codes = match section.is_table("map") {
        true => {
            let mut codes = BTreeMap::new();
            for (code, value) in section.section("map")?.all("a text") {
                match value {
                    Value::Text(text) => _ = codes.insert(code.value.to_string(), text.value.to_string()),
                    Value::Table(_) => section.problem(code.span, "a code becomes a text", ()),
                }
            }
            codes
        }
        false => match section.text("map") {
            Some(text) => listed(section, &text, lists)?,
            None => {
                if section.has("unmapped") {
                    section.problem(section.place("unmapped"), "\"unmapped\" belongs to a \"map\"", ());
                }
                return None;
            }
        },
    };
    Some(CodeMap { codes, is_closed })
}

fn is_closed(section: &mut Section<'_>) -> bool {
    let Some(text) = section.text("unmapped") else { return false };
    match text.value {
        "keep" => false,
        "error" => true,
        other => {
            let hint = known("ways", other, ["keep", "error"]);
            section.problem(text.span, format!("unknown way \"{other}\""), hint);
            false
        }
    }
}

/// The codes of `reference.<list>` or `reference.<list>.<column>`: its first column → the second,
/// or the named one.
fn listed(section: &Section<'_>, text: &Text<'_>, lists: &Lists) -> Option<BTreeMap<String, String>> {
    let problem = |message: String, hint: String| {
        section.problem(text.span.clone(), message, hint);
        None
    };
    let mut parts = text.value.strip_prefix("reference.").unwrap_or_default().splitn(2, '.');
    let (name, wanted) = (parts.next().unwrap_or_default(), parts.next());
    let Some(list) = lists.get(name) else {
        let hint = known("lists", name, lists.keys().map(String::as_str));
        return problem(
            format!("\"{}\" is not a code list", text.value),
            format!("codes in place are written map = {{ P = \"paid\" }}; {hint}"),
        );
    };
    if list.key.is_none() {
        let message = format!("code list \"{name}\" has a code of its first column twice");
        return problem(message, "a map needs one row for each code".into());
    }
    let place = match wanted {
        None => (list.columns.len() > 1).then_some(1),
        Some(wanted) => list.columns.iter().position(|column| column == wanted),
    };
    let Some(place) = place else {
        let wanted = wanted.unwrap_or_default();
        let hint = known("columns", wanted, list.columns.iter().map(String::as_str));
        return problem(format!("code list \"{name}\" has no column \"{wanted}\" to map to"), hint);
    };
    let mut reader = csv::Reader::from_reader(list.csv.as_bytes());
    let rows = reader.records().flatten();
    let code = |row: csv::StringRecord| Some((row.get(0)?.trim().to_string(), row.get(place)?.to_string()));
    Some(rows.filter_map(code).collect())
}
