//! What the names of files say: whose data they hold, which are markers, which comes first.

use crate::connector::contract::FileLayout;
use crate::error::{Error, Result};
use glob::{MatchOptions, Pattern};
use regex::{Regex, RegexBuilder};

/// Vendors change the case of names between releases; hidden files are half-written ones.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: false,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The field of a marker's name that stands for the file's.
const NAME: &str = "{name}";

/// Where a file stands among the files of its entity: after all that are less.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileOrder {
    declared: Vec<Part>,
    lowercase: String,
    name: String,
}

/// A part of a name that orders files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A group that this name does not have.
    Absent,
    /// A number of any length, without leading zeros: fewer digits are less.
    Number(usize, String),
    /// Anything else, in lowercase.
    Text(String),
}

impl FileOrder {
    /// The order of names without case.
    pub(super) fn by_name(name: &str) -> Self {
        Self { declared: Vec::new(), lowercase: name.to_lowercase(), name: name.into() }
    }
}

/// The names of an entity's files.
#[derive(Debug, Clone)]
pub(super) struct Names {
    matching: Vec<Pattern>,
    order: Option<Regex>,
    /// A marker's name before and behind [`NAME`], in lowercase.
    marker: Option<(String, String)>,
}

impl Names {
    pub(super) fn new(layout: &FileLayout) -> Result<Self> {
        let pattern = |text: &String| {
            Pattern::new(text)
                .map_err(|error| Error::config(format!("'{text}' is not a file name pattern")).because(error))
        };
        let matching = layout.matching.iter().map(pattern).collect::<Result<_>>()?;
        let order = layout.order.as_ref().map(|order| {
            RegexBuilder::new(order).case_insensitive(true).build().map_err(|error| {
                Error::config(format!("'{order}' is not a regular expression")).because(error)
            })
        });
        let marker = layout.done.as_ref().map(|done| {
            let done = done.to_lowercase();
            let (before, behind) = done.split_once(NAME).unwrap_or((&done, ""));
            (before.to_string(), behind.to_string())
        });
        Ok(Self { matching, order: order.transpose()?, marker })
    }

    /// All names of files, without those of hidden ones.
    pub(super) fn all() -> Result<Self> {
        let matching = Pattern::new("*").map_err(|error| Error::internal("a pattern").because(error))?;
        Ok(Self { matching: vec![matching], order: None, marker: None })
    }

    /// Whether the file holds rows or is a marker.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.is_data(name) || self.is_marker(name)
    }

    /// Whether the file holds rows.
    pub(super) fn is_data(&self, name: &str) -> bool {
        self.matching.iter().any(|pattern| pattern.matches_with(name, MATCHING)) && !self.is_marker(name)
    }

    /// Whether the file says that another one is complete.
    fn is_marker(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.marker.as_ref().is_some_and(|(before, behind)| {
            name.strip_prefix(before).is_some_and(|rest| rest.len() > behind.len() && rest.ends_with(behind))
        })
    }

    /// The lowercase name of the marker that says the file is complete, if there are markers.
    pub(super) fn marker_of(&self, name: &str) -> Option<String> {
        self.marker.as_ref().map(|(before, behind)| format!("{before}{}{behind}", name.to_lowercase()))
    }

    /// Where a file of this name stands.
    pub(super) fn order(&self, name: &str) -> Result<FileOrder> {
        let Some(order) = &self.order else { return Ok(FileOrder::by_name(name)) };
        let groups = order.captures(name).ok_or_else(|| {
            Error::contract(format!("file {name:?} has no place in the order of its entity"))
                .hint(format!("`order` is '{order}': rename the file, or let `match` pass it over"))
        })?;
        let declared = groups.iter().skip(1).map(|group| part(group.map(|found| found.as_str()))).collect();
        Ok(FileOrder { declared, ..FileOrder::by_name(name) })
    }
}

fn part(group: Option<&str>) -> Part {
    match group {
        None => Part::Absent,
        Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let digits = text.trim_start_matches('0');
            Part::Number(digits.len(), digits.into())
        }
        Some(text) => Part::Text(text.to_lowercase()),
    }
}
