//! Reads a TOML file key by key, so that one mistake does not hide the next.
//!
//! Whoever reads a [`Section`] asks for each key it knows and then calls [`Section::finish`],
//! which reports the keys nobody asked for: the code that reads a table *is* the list of its keys.

use super::problem::{Doc, Found, Hint};
use crate::error::known;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    pub(super) span: Range<usize>,
}

/// A value whose key is data.
pub(super) enum Value<'a> {
    Text(Text<'a>),
    Table(Section<'a>),
}

/// One table of a file.
pub(super) struct Section<'a> {
    doc: &'a Doc,
    found: &'a Found,
    table: &'a DeTable<'a>,
    /// What the table is, for messages: `source "beds_hr"`.
    what: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    asked: Vec<&'static str>,
}

/// Parses `doc` and hands its root table to `read`; broken syntax is reported, the rest still read.
pub(super) fn read<T>(doc: &Doc, found: &Found, read: impl FnOnce(Section<'_>) -> T) -> T {
    let (root, errors) = DeTable::parse_recoverable(&doc.text);
    let mut last = 0;
    for error in errors {
        let line =
            doc.text.get(..error.span().map_or(0, |s| s.start)).unwrap_or_default().matches('\n').count() + 1;
        // The parser restarts within the line: its further complaints are noise. The line itself
        // is not shown: what follows a broken quote may be a secret.
        if line != std::mem::replace(&mut last, line) {
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            found.whole(&doc.file, line, format!("not valid toml: {message}"), ());
        }
    }
    read(Section {
        doc,
        found,
        table: root.get_ref(),
        what: "the file".into(),
        span: 0..0,
        asked: Vec::new(),
    })
}

impl<'a> Section<'a> {
    /// Reports a problem at `span`.
    pub(super) fn problem(&self, span: Range<usize>, message: impl Into<String>, hint: impl Into<Hint>) {
        self.found.at(self.doc, span, message, hint);
    }

    /// Reports a problem with the section as a whole.
    pub(super) fn wrong(&self, message: impl Into<String>, hint: impl Into<Hint>) {
        self.problem(self.span.clone(), message, hint);
    }

    /// Whether the key is there; does not count as asking for it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the key holds a table.
    pub(super) fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_table())
    }

    /// Whether the key holds a text.
    pub(super) fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    /// Counts `key` as known, for values that [`Section`] cannot read.
    pub(super) fn asked(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// Where the key's value stands, or else the section.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        self.table.get(key).map_or(self.span.clone(), Spanned::span)
    }

    /// The text of a key.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Text<'a>> {
        self.value(key, "a text", as_text)
    }

    /// The text of a key that must be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Text<'a>> {
        if !self.has(key) {
            self.asked.push(key);
            self.wrong(format!("{} has no \"{key}\"", self.what), format!("for example: {key} = {example}"));
            return None;
        }
        self.text(key)
    }

    /// The texts of a key; none when it is missing.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Text<'a>> {
        self.value(key, "a list of texts", |value| value.get_ref().as_array()?.iter().map(as_text).collect())
            .unwrap_or_default()
    }

    /// The texts of a key that holds one or a list of them; none when it is missing.
    pub(super) fn one_or_more(&mut self, key: &'static str) -> Vec<Text<'a>> {
        self.value(key, "a text or a list of texts", |value| match value.get_ref().as_array() {
            Some(array) => array.iter().map(as_text).collect(),
            None => as_text(value).map(|text| vec![text]),
        })
        .unwrap_or_default()
    }

    /// The time span of a key, such as `30s` or `7d`.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.value(key, SPAN, |value| humantime::parse_duration(value.get_ref().as_str()?).ok())
    }

    /// The time span of a key, which must not be empty.
    pub(super) fn limit(&mut self, key: &'static str) -> Option<Duration> {
        let limit = self.duration(key)?;
        if limit.is_zero() {
            self.problem(self.place(key), format!("\"{key}\" leaves no time at all"), ());
        }
        Some(limit)
    }

    /// The truth value of a key.
    pub(super) fn bool(&mut self, key: &'static str) -> Option<bool> {
        self.value(key, "true or false", |value| value.get_ref().as_bool())
    }

    /// The whole number of a key, zero or more.
    pub(super) fn number(&mut self, key: &'static str) -> Option<u32> {
        self.value(key, "a whole number", |value| value.get_ref().as_integer()?.as_str().parse().ok())
    }

    /// The number between 0 and 1 of a key.
    pub(super) fn share(&mut self, key: &'static str) -> Option<f64> {
        self.value(key, "a number between 0 and 1", |value| {
            let number = match value.get_ref() {
                DeValue::Float(float) => float.as_str().parse().ok()?,
                DeValue::Integer(int) => int.as_str().parse().ok()?,
                _ => return None,
            };
            (0.0..=1.0).contains(&number).then_some(number)
        })
    }

    /// The table of a key.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'a>> {
        let table = self.value(key, "a table", |value| value.get_ref().as_table())?;
        let span = self.key_span(key);
        Some(self.child(table, format!("[{key}]"), span))
    }

    /// The tables below a key, in the order of the file, each called `noun "name"`.
    pub(super) fn sections(&mut self, key: &'static str, noun: &str) -> Vec<(Text<'a>, Section<'a>)> {
        let Some(all) = self.value(key, "a table", |value| value.get_ref().as_table()) else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (name, value) in all {
            let (span, name) = (name.span(), name.get_ref().as_ref());
            match value.get_ref().as_table() {
                Some(table) => {
                    let section = self.child(table, format!("{noun} \"{name}\""), span.clone());
                    sections.push((Text { value: name, span }, section));
                }
                None => self.problem(span, format!("{noun} \"{name}\" is not a table"), ()),
            }
        }
        // The parser may keep tables by name; a file without a header needs the written order.
        sections.sort_by_key(|(name, _)| name.span.start);
        sections
    }

    /// The tables in the list of a key, each called `noun`; none when it is missing.
    pub(super) fn list(&mut self, key: &'static str, noun: &str) -> Vec<Section<'a>> {
        let tables = self.value(key, "a list of tables", |value| {
            let table = |value: &'a Spanned<DeValue<'a>>| Some((value.get_ref().as_table()?, value.span()));
            value.get_ref().as_array()?.iter().map(table).collect::<Option<Vec<_>>>()
        });
        let tables = tables.unwrap_or_default();
        tables.into_iter().map(|(table, span)| self.child(table, format!("a {noun}"), span)).collect()
    }

    /// How many problems of the project have been found so far.
    pub(super) fn problems(&self) -> usize {
        self.found.len()
    }

    /// Every key with its value, which is `wanted`, for tables whose keys are not ours to know.
    pub(super) fn all(&mut self, wanted: &str) -> Vec<(Text<'a>, Value<'a>)> {
        let mut all = Vec::new();
        for (key, value) in self.table {
            let name = Text { value: key.get_ref(), span: key.span() };
            match (as_text(value), value.get_ref().as_table()) {
                (Some(text), _) => all.push((name, Value::Text(text))),
                (_, Some(table)) => {
                    let section = self.child(table, format!("\"{}\"", name.value), key.span());
                    all.push((name, Value::Table(section)));
                }
                _ => self.problem(value.span(), format!("\"{}\" must be {wanted}", name.value), ()),
            }
        }
        all
    }

    /// Every key with the numbers in its list, for tables whose keys are names.
    pub(super) fn numbers(self) -> Vec<(String, Vec<u64>)> {
        let mut all = Vec::new();
        for (key, value) in self.table {
            let name = key.get_ref().to_string();
            let number = |value: &Spanned<DeValue<'_>>| value.get_ref().as_integer()?.as_str().parse().ok();
            let numbers = value.get_ref().as_array().and_then(|array| array.iter().map(number).collect());
            match numbers {
                Some(numbers) => all.push((name, numbers)),
                None => self.problem(value.span(), format!("\"{name}\" must be a list of whole numbers"), ()),
            }
        }
        all
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let hint = known("keys", name, self.asked.iter().copied());
                self.problem(key.span(), format!("unknown key \"{name}\" in {}", self.what), hint);
            }
        }
    }

    fn child(&self, table: &'a DeTable<'a>, what: String, span: Range<usize>) -> Section<'a> {
        Section { doc: self.doc, found: self.found, table, what, span, asked: Vec::new() }
    }

    fn key_span(&self, key: &str) -> Range<usize> {
        self.table.get_key_value(key).map_or(self.span.clone(), |(key, _)| key.span())
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'a Spanned<DeValue<'a>>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        let value = self.table.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.problem(value.span(), format!("\"{key}\" of {} must be {wanted}", self.what), ());
        }
        read
    }
}

fn as_text<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<Text<'a>> {
    Some(Text { value: value.get_ref().as_str()?, span: value.span() })
}

/// Whether `name` can be a force, source, entity, column or model: lowercase letters, digits and
/// `_`, a letter first. Such a name is the same in SQL, in a path and in a URL.
pub(crate) fn is_slug(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What a time span is, as a hint.
pub(super) const SPAN: &str = "a time span such as \"30s\", \"24h\" or \"7d\"";

/// What [`is_slug`] asks for, as a hint.
pub(super) const SLUG: &str = "use lowercase letters, digits and \"_\", a letter first";
