//! What a contract has done with a text before it is read: a part taken, a code translated.

use crate::connector::contract::{CodeMap, Column};
use crate::error::{Error, Result};
use regex::Regex;
use std::collections::BTreeSet;

/// How many unknown codes are remembered by name, and how much of each is shown.
const REMEMBERED: usize = 5;
const SHOWN: usize = 24;

/// The steps for one column, and what was found on the way.
#[derive(Debug)]
pub(super) struct Recaster {
    take: Option<Regex>,
    map: Option<CodeMap>,
    /// Whether a text that cannot be read is no value.
    pub(super) forgives: bool,
    unmapped: Unmapped,
}

/// Codes that a map does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unmapped {
    /// The values that had one.
    pub(crate) rows: u64,
    /// Some of the codes.
    pub(crate) codes: BTreeSet<String>,
}

/// What became of a text.
pub(super) enum Recasted<'a> {
    /// This is read in its place.
    Text(&'a str),
    /// A code that the map does not name, and must.
    Unknown,
}

impl Recaster {
    /// The steps that `column` asks for; `None` when it asks for none.
    pub(super) fn new(column: &Column) -> Result<Option<Self>> {
        let recast = &column.recast;
        if recast.take.is_none() && recast.map.is_none() && !recast.forgives {
            return Ok(None);
        }
        let take = recast.take.as_deref().map(Regex::new).transpose().map_err(|error| {
            Error::config(format!("`take` of column '{}' is no regular expression", column.name))
                .because(error)
        })?;
        Ok(Some(Self {
            take,
            map: recast.map.clone(),
            forgives: recast.forgives,
            unmapped: Unmapped::default(),
        }))
    }

    /// The part of `text` that the column is made of; nothing when there is none.
    pub(super) fn taken<'t>(&self, text: &'t str) -> &'t str {
        let Some(take) = &self.take else { return text };
        let part = take.captures(text).and_then(|parts| parts.get(1).or_else(|| parts.get(0)));
        part.map_or("", |part| part.as_str())
    }

    /// What a code, without the blanks around it, is called here.
    pub(super) fn mapped<'t>(&'t mut self, code: &'t str) -> Recasted<'t> {
        let Some(map) = &self.map else { return Recasted::Text(code) };
        match map.codes.get(code) {
            Some(known) => Recasted::Text(known),
            None if map.is_closed => Recasted::Unknown,
            None => {
                self.unmapped.add(code);
                Recasted::Text(code)
            }
        }
    }

    /// The unknown codes since the last call.
    pub(super) fn take_unmapped(&mut self) -> Unmapped {
        std::mem::take(&mut self.unmapped)
    }
}

impl Unmapped {
    fn add(&mut self, code: &str) {
        self.rows += 1;
        if self.codes.len() < REMEMBERED && !self.codes.iter().any(|known| known == code) {
            self.codes.insert(code.chars().take(SHOWN).collect());
        }
    }

    /// Adds what others found.
    pub(crate) fn merge(&mut self, others: Unmapped) {
        self.rows += others.rows;
        self.codes.extend(others.codes);
        while self.codes.len() > REMEMBERED {
            self.codes.pop_last();
        }
    }
}
