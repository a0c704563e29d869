//! How the files of an entity are found and cut into rows.

use super::xml::XmlLayout;
use std::time::Duration;

/// How the files of an entity are found and cut into rows.
#[derive(Debug, Clone)]
pub struct FileLayout {
    /// Globs over file names: a file that one of them names is one of the entity's.
    pub matching: Vec<String>,
    /// Which members are read of a file that is an archive.
    pub member: Member,
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
    /// Elements (`format = "xml"`).
    Xml(XmlLayout),
    /// JSON texts, one after the other (`format = "json"`).
    Json {
        /// Where a text has its rows, as a JSONPath; `None`: the elements of an array, or the text
        /// itself.
        rows: Option<String>,
        /// The member of the first text that says how many rows there are.
        count: Option<String>,
    },
    /// A JSON object in each line (`format = "ndjson"`).
    Ndjson,
    /// A workbook (`format = "sheet"`).
    Sheet(SheetLayout),
    /// A part of invoice documents (`format = "invoice"`).
    Invoice(InvoicePart),
    /// A package of changes and keys (`format = "bicc"`); its manifest is the file that is listed.
    Bicc(BiccLayout),
}

/// Which members are read of a file that is an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// The only one that it has.
    Only,
    /// The only one whose name matches this glob.
    One(String),
    /// All whose names match this glob, one after the other.
    All(String),
}

impl Member {
    /// What names are compared with.
    pub fn pattern(&self) -> Option<&str> {
        match self {
            Member::Only => None,
            Member::One(pattern) | Member::All(pattern) => Some(pattern),
        }
    }
}

/// Where a workbook has the rows of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetLayout {
    /// Globs over the names of its sheets, without case; those that begin with `!` leave sheets
    /// out. None: the first sheet.
    pub sheets: Vec<String>,
    /// The number of rows of a header, at least 1.
    pub header_rows: usize,
}

/// Which files of a package hold the rows of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiccLayout {
    /// A glob over the names of its zips, without case.
    pub pvo: String,
}

impl SheetLayout {
    /// Whether these are never the rows of several sheets.
    pub fn is_one(&self) -> bool {
        self.sheets.is_empty() || (self.sheets.len() == 1 && !self.sheets[0].contains(['*', '?', '[', '!']))
    }
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
