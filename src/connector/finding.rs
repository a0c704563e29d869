//! What one line can tell about a whole load: counts, never a person's cell.

/// Something that somebody should know about a load, though it broke nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub matter: Matter,
    /// The column of the contract that it concerns, if it is one.
    pub column: Option<String>,
    /// How many rows it concerns.
    pub rows: u64,
    /// What was found, in words.
    pub message: String,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Codes that the contract's `map` does not name were kept as they were received.
    Unmapped,
    /// Rows were left out by a rule of the contract.
    Skipped,
    /// A column holds one unreadable text in place of nearly every value.
    DestroyedValues,
    /// Hardly any value of a column can be read.
    ChangedType,
    /// The source has columns that the contract does not name.
    NewColumn,
    /// The source lacks columns that the contract names.
    MissingColumn,
    /// The columns are named elsewhere than in the first line, or nowhere.
    Header,
}

impl Matter {
    /// The word that people and queries see.
    pub fn as_str(self) -> &'static str {
        match self {
            Matter::Unmapped => "unmapped",
            Matter::Skipped => "skipped",
            Matter::DestroyedValues => "destroyed_values",
            Matter::ChangedType => "changed_type",
            Matter::NewColumn => "new_column",
            Matter::MissingColumn => "missing_column",
            Matter::Header => "header",
        }
    }
}

impl Finding {
    /// A finding about `column` and so many rows.
    pub(crate) fn of_column(matter: Matter, column: &str, rows: u64, message: String) -> Self {
        Self { matter, column: Some(column.to_string()), rows, message }
    }

    /// A finding about the load as a whole.
    pub(crate) fn of_load(matter: Matter, rows: u64, message: String) -> Self {
        Self { matter, column: None, rows, message }
    }
}
