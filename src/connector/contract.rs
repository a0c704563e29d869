//! The contract of an entity: what its rows must look like. Checked once by [`crate::project`].

use chrono_tz::Tz;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sha2::{Digest, Sha256};
use std::sync::Arc;

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
    /// The columns that identify a row; never empty, each one required.
    pub key: Vec<String>,
    /// How changes are found.
    pub mode: Mode,
    /// The columns, in the order of a file without a header.
    pub columns: Vec<Column>,
    /// Numeric columns whose sums are control totals of every load.
    pub totals: Vec<String>,
    /// The largest share of the known rows (0 to 1) that may disappear in one load.
    pub max_drop: f64,
}

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

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// How the changes of an entity are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read everything, compare keys and hashes with the open state, land what differs.
    Diff,
    /// A small list without usable history: land it whole when anything differs.
    Replace,
}

/// One declared column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The name in the lake: lowercase snake_case.
    pub name: String,
    /// The name in the source: a table column or a header cell, compared without case.
    pub from: String,
    /// What the values must be.
    pub ty: Type,
    /// Whether a missing value breaks the contract.
    pub required: bool,
    /// The only texts allowed, if not empty (compared after trimming).
    pub one_of: Vec<String>,
    /// Texts that mean "open ended"; a date with such a text becomes [`OPEN_END`].
    pub open_ended: Vec<String>,
    /// Texts that mean "no value", besides the empty text.
    pub null: Vec<String>,
    /// Where a fixed-width layout keeps the column.
    pub place: Option<Place>,
}

/// The position of a column in a fixed-width record, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first character, counted from 1 as in vendors' layouts.
    pub start: usize,
    /// The number of characters.
    pub width: usize,
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
        /// How days are written, as a chrono pattern.
        pattern: String,
    },
    /// A time of day, kept as text `HH:MM:SS` (Delta has no time type).
    Time {
        /// How times are written, as a chrono pattern.
        pattern: String,
    },
    /// An instant, kept in UTC microseconds.
    Timestamp {
        /// How it is written, as a chrono pattern.
        pattern: String,
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

/// How the files of an entity are found and cut into rows.
#[derive(Debug, Clone)]
pub struct FileLayout {
    /// A glob over file names.
    pub matching: String,
    /// How a file is cut into rows and cells.
    pub format: FileFormat,
    /// The character encoding; a UTF-8 byte order mark is always tolerated.
    pub encoding: Encoding,
    /// The control record at the end, if the layout has one.
    pub trailer: Option<Trailer>,
}

/// How a file is cut into rows and cells.
#[derive(Debug, Clone, PartialEq)]
pub enum FileFormat {
    /// Separated cells (`format = "csv"`).
    Delimited {
        /// One ASCII character.
        delimiter: u8,
        /// One ASCII character.
        quote: u8,
        /// Whether the first row names the columns.
        header: bool,
    },
    /// Cells at fixed places (`format = "fixed"`).
    Fixed,
}

/// A character encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; malformed bytes are a row error.
    Utf8,
    /// Windows-1252.
    Windows1252,
}

/// A control record at the end of a file, such as `T|{rows}|{sum:fte}`: literal text with
/// fields for the number of data rows and for sums of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Trailer {
    /// The parts in order.
    pub parts: Vec<TrailerPart>,
}

/// One part of a [`Trailer`].
#[derive(Debug, Clone, PartialEq)]
pub enum TrailerPart {
    /// Text that must stand there.
    Literal(String),
    /// The number of data rows, zero padding allowed.
    Rows,
    /// The sum of a numeric column over all rows, the quarantined ones included.
    Sum(String),
}
