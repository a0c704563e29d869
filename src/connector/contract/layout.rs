//! How the files of an entity are found and cut into rows.

use std::time::Duration;

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
        /// Where the columns are named.
        header: Header,
    },
    /// Cells at fixed places (`format = "fixed"`).
    Fixed,
}

/// Where a delimited file names its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// In its first line; or in a later one, below a title, or in the last one, where the file was
    /// sorted with it.
    Named,
    /// As [`Header::Named`], or nowhere: then the columns come in the order of the contract.
    Auto,
    /// Nowhere: the columns come in the order of the contract.
    Absent,
}

/// A character encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8; malformed bytes are a row error.
    Utf8,
    /// Windows-1252.
    Windows1252,
    /// UTF-8 if all of the file is that, else Windows-1252; UTF-16 where a byte order mark says so.
    Auto,
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
