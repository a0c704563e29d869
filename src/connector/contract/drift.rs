//! What a contract says of sources that are not quite as it describes them.

/// What becomes of an extract whose columns are not those of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// A column that the contract does not name; `None`: left out, as of any source that has more
    /// than is wanted.
    pub new: Option<Policy>,
    /// A column that the source does not have, though it is not optional. One that is required is
    /// never done without.
    pub missing: Policy,
    /// A column of which hardly any value can be read: its type has changed.
    pub changed: Policy,
}

/// How a difference is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Go along with it, lose nothing and say so: new columns are kept as text, missing ones are
    /// null, rows of another type go to quarantine.
    Evolve,
    /// Refuse the extract and name the columns; the last good data stays.
    Freeze,
    /// Do without: new columns are left out, missing ones are null, values of another type are null.
    Discard,
}

impl Default for Drift {
    fn default() -> Self {
        Self { new: None, missing: Policy::Freeze, changed: Policy::Evolve }
    }
}

/// Rows of a source that are no rows of the entity: subtotals, notes, page headings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// The contract column that tells them.
    pub column: String,
    /// The regular expression that its text, without the blanks around it, matches.
    pub matches: String,
    /// What they are, in the finding that counts them.
    pub label: String,
}
