//! The contract of an entity: what its rows must look like. Checked once by [`crate::project`].

mod column;
mod drift;
mod http;
mod layout;
mod xml;

pub use column::{CodeMap, Column, EXTRA, Origin, Place, Recast};
pub use drift::{Drift, Policy, Skip};
pub use http::{PageSize, Paging, Parent, PathPart, Queue, Request, Since};
pub use layout::{
    BiccLayout, Encoding, FileFormat, FileLayout, Header, InvoicePart, Member, SheetLayout, Trailer,
    TrailerPart,
};
pub use xml::{XmlLayout, XmlName, XmlPath};

use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// What one entity (a table or file layout of a system) promises, and how to read it.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The vendor system, the name of its folder in `connectors/`.
    pub system: String,
    /// The entity's name within the system: `position`.
    pub entity: String,
    /// Where database transports find it.
    pub table: Option<String>,
    /// Where and how file transports find it.
    pub file: Option<FileLayout>,
    /// How REST transports ask for it.
    pub http: Option<Request>,
    /// The columns that identify a row; never empty, each one required. In mode `log` over files
    /// it may instead be [`LINE_KEY`]: each line of each file is a row of its own.
    pub key: Vec<String>,
    /// How changes are found.
    pub mode: Mode,
    /// The columns, in the order of a file without a header.
    pub columns: Vec<Column>,
    /// Numeric columns whose sums are control totals of every load.
    pub totals: Vec<String>,
    /// The largest share of the known rows (0 to 1) that may disappear in one load.
    pub max_drop: f64,
    /// A whole extract with fewer rows is refused.
    pub min_rows: u64,
    /// The largest share of the received rows (0 to 1) that may break the contract; beyond it the
    /// load is refused.
    pub max_bad: f64,
    /// Rows that are no rows of the entity.
    pub skip: Vec<Skip>,
    /// What becomes of an extract that has other columns than the contract.
    pub drift: Drift,
    /// Whether a source may be without the entity: without its table, or of a kind for which there
    /// is no layout. What has been landed once is expected from then on.
    pub optional: bool,
}

/// The key of rows that nothing but their place identifies: their file and their line.
pub const LINE_KEY: [&str; 2] = ["_file", "_row"];

impl Contract {
    /// The Arrow schema of the contract's own columns; every column is nullable, because a row
    /// that breaks the contract is kept with null typed columns.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns.iter().map(|c| Field::new(&c.name, c.ty.arrow(), true)).collect();
        Arc::new(Schema::new(fields))
    }

    /// A hash over everything that the contract says: a file read under another one is read again.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(format!("{self:?}"));
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether its source forgets what it has answered.
    pub fn is_queue(&self) -> bool {
        self.http.as_ref().is_some_and(|request| request.queue.is_some())
    }

    /// Whether rows are told apart by [`LINE_KEY`].
    pub fn has_line_key(&self) -> bool {
        self.key == LINE_KEY
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// How the changes of an entity are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Read everything, compare keys and hashes with the open state, land what differs.
    Diff,
    /// A small list without usable history: land it whole when anything differs.
    Replace,
    /// Read the rows whose cursor has moved; what was read before is recognised by key and hash.
    /// Over files: each file holds changes, and rows that it does not name stay.
    Cursor(Option<Cursor>),
    /// Rows are added and never changed. Over files: each file holds rows of its own, and a file
    /// that comes again under its name replaces them.
    Log(Option<Cursor>),
}

impl Mode {
    /// The cursor of a table; `None` when the whole table must be read.
    pub fn cursor(&self) -> Option<&Cursor> {
        match self {
            Mode::Diff | Mode::Replace => None,
            Mode::Cursor(cursor) | Mode::Log(cursor) => cursor.as_ref(),
        }
    }
}

/// What tells the changed rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// An int, date or timestamp column that grows with every change.
    pub column: String,
    /// How far behind the last upper bound reading starts again: longer than the longest
    /// transaction, because a row becomes visible when it is committed, not when it is stamped.
    pub lag: Lag,
    /// The longest time between two whole reads, which find deletions and rows that changed
    /// without their cursor; `None`: only when somebody asks (`--full`). A log has none: its rows
    /// neither change nor leave.
    pub sweep: Option<Duration>,
}

/// A distance between two cursor values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// For dates and timestamps.
    Time(Duration),
    /// For ints.
    Steps(u32),
}

/// The end of time in the hub: half-open periods that have not ended end here.
pub const OPEN_END: chrono::NaiveDate = match chrono::NaiveDate::from_ymd_opt(9999, 12, 31) {
    Some(date) => date,
    None => chrono::NaiveDate::MAX,
};

/// A contract type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Text, trimmed of surrounding blanks in fixed-width layouts only.
    Text,
    /// A truth value: Y/N, 1/0, T/F, true/false, yes/no in any case.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// An exact decimal; a value with more digits than fit is a row error, never rounded.
    Decimal {
        /// All digits, 1 to 38.
        precision: u8,
        /// Digits behind the point.
        scale: i8,
        /// How numbers are written.
        form: NumberForm,
    },
    /// A calendar day.
    Date {
        /// How days are written, as chrono patterns; the first that fits counts.
        patterns: Vec<String>,
    },
    /// A time of day, kept as text `HH:MM:SS` (Delta has no time type).
    Time {
        /// How times are written, as a chrono pattern.
        pattern: String,
    },
    /// An instant, kept in UTC microseconds.
    Timestamp {
        /// How it is written, as chrono patterns; the first that fits counts.
        patterns: Vec<String>,
        /// The zone of the source's clock. A local time that happens twice or never is a row error.
        zone: Tz,
    },
}

impl Type {
    /// The Arrow type in the lake.
    pub fn arrow(&self) -> DataType {
        match self {
            Type::Text | Type::Time { .. } => DataType::Utf8,
            Type::Bool => DataType::Boolean,
            Type::Int => DataType::Int64,
            Type::Decimal { precision, scale, .. } => DataType::Decimal128(*precision, *scale),
            Type::Date { .. } => DataType::Date32,
            Type::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// How decimals are written in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberForm {
    /// `-1234.50`.
    Plain,
    /// As ledgers print them: `1,234.50-`, `(1,234.50)`, `1,234.50`, `-1,234.50`.
    Ledger,
}
