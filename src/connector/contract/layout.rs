//! How the files of an entity are found and cut into rows.

use std::time::Duration;

/// How the files of an entity are found and cut into rows.
#[derive(Debug, Clone)]
pub struct FileLayout {
    /// Globs over file names: a file that one of them names is one of the entity's.
    pub matching: Vec<String>,
    /// How a file is cut into rows and cells.
    pub format: FileFormat,
    /// The character encoding; a UTF-8 byte order mark is always tolerated.
    pub encoding: Encoding,
    /// The control record at the end, if the layout has one.
    pub trailer: Option<Trailer>,
    /// The part of the name that orders files, as a regular expression: its groups are compared
    /// one after the other, numbers as numbers. `None`: the whole name orders them.
    pub order: Option<String>,
    /// How long a file must have kept its size and time before it is taken.
    pub settle: Duration,
    /// The name of the marker that says a file is complete, with `{name}` for the file's.
    pub done: Option<String>,
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
    /// A part of invoice documents (`format = "invoice"`).
    Invoice(InvoicePart),
}

/// What of an invoice document is a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoicePart {
    /// The document: one row, whether it can be read or not.
    Document,
    /// A line.
    Line,
    /// A VAT category and rate of the breakdown.
    Vat,
    /// Any field, with how it was found.
    Field,
    /// The verdict of a rule.
    Rule,
}

/// A character encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; malformed bytes are a row error.
    Utf8,
    /// Windows-1252.
    Windows1252,
    /// UTF-16; little-endian unless a byte order mark says otherwise.
    Utf16,
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
