//! One column of a contract.

use super::Type;
use std::collections::BTreeMap;

/// One declared column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The name in the lake: lowercase snake_case.
    pub name: String,
    /// The names in the source, a table column or a header cell, compared without case; never
    /// empty. Files of different years may use different ones; a source must have exactly one.
    pub from: Vec<String>,
    /// Where the values come from.
    pub origin: Origin,
    /// Whether the column may be missing from a source altogether; its values are null then. True
    /// for every column that is no [`Origin::Cell`].
    pub optional: bool,
    /// What is done with a received text before it is read.
    pub recast: Recast,
    /// What the values must be.
    pub ty: Type,
    /// Whether a missing value breaks the contract.
    pub required: bool,
    /// The only texts allowed, if not empty (compared after trimming).
    pub one_of: Vec<String>,
    /// Texts that mean "open ended"; a date with such a text becomes [`super::OPEN_END`].
    pub open_ended: Vec<String>,
    /// Texts that mean "no value", besides the empty text.
    pub null: Vec<String>,
    /// Where a fixed-width layout keeps the column.
    pub place: Option<Place>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// A cell of the row, under one of the column's names.
    #[default]
    Cell,
    /// The name of the file (`from = "_file"`); null where there is none.
    File,
    /// The name of the sheet (`from = "_sheet"`); null where there is none. The format that has
    /// sheets gives it as a cell.
    Sheet,
    /// The same text in every row (`value = "BE"`).
    Fixed(String),
    /// The columns that the source has and the contract does not name, as one JSON object of
    /// texts: what [`super::Policy::Evolve`] keeps. The format gives it as a cell.
    Extra,
}

/// What is done with a received text before it is read, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recast {
    /// A regular expression: its first group (without one, the match) is the text from here on, and
    /// a text that it does not match is no value.
    pub take: Option<String>,
    /// Whether text loses the blanks around it.
    pub trim: bool,
    /// What the source's codes are called here.
    pub map: Option<CodeMap>,
    /// The text that stands for no value.
    pub default: Option<String>,
    /// Whether a text that cannot be read is no value: what [`super::Policy::Discard`] makes of a type
    /// that has changed.
    pub forgives: bool,
}

/// The codes of a source and what they become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeMap {
    /// The source's code → the text that is read in its place.
    pub codes: BTreeMap<String, String>,
    /// Whether another code breaks the contract; otherwise it stays as it was received, and the load
    /// says how often that happened.
    pub is_closed: bool,
}

/// The position of a column in a fixed-width record, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first character, counted from 1 as in vendors' layouts.
    pub start: usize,
    /// The number of characters.
    pub width: usize,
}

/// The column of what the contract does not name; see [`Origin::Extra`].
pub const EXTRA: &str = "_extra";

impl Column {
    /// The column in which an entity keeps what its contract does not name.
    pub fn extra() -> Self {
        Self {
            name: EXTRA.into(),
            from: vec![EXTRA.into()],
            origin: Origin::Extra,
            optional: true,
            recast: Recast::default(),
            ty: Type::Text,
            required: false,
            one_of: Vec::new(),
            open_ended: Vec::new(),
            null: Vec::new(),
            place: None,
        }
    }

    /// Whether one of the column's names is `name`, without regard to case and surrounding blanks.
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.trim().to_lowercase();
        self.from.iter().any(|from| from.trim().to_lowercase() == name)
    }
}
