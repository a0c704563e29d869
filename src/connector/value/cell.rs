//! Cells, and the one text that each of them has.

use crate::connector::value::{moment, number};
use std::borrow::Cow;

/// One cell, as a transport or format hands it over.
#[derive(Debug, Clone)]
pub(crate) enum Cell<'a> {
    /// A database's NULL.
    Null,
    /// Decoded text.
    Text(Cow<'a, str>),
    /// A database's integer.
    Int(i64),
    /// A database's truth value.
    Bool(bool),
    /// A database's exact number, in units of `10^-scale`.
    Decimal {
        /// The digits as a whole number.
        units: i128,
        /// Digits behind the point.
        scale: u8,
    },
    /// A database's day, as days since 1970-01-01.
    Date(i32),
    /// A database's time of day, in microseconds since midnight.
    Time(i64),
    /// A database's day and time without a zone, in microseconds since 1970 on its own clock.
    Local(i64),
    /// A database's instant, in microseconds since 1970, UTC.
    Instant(i64),
    /// Text with bytes that are malformed in its encoding.
    Malformed(&'a [u8]),
    /// Bytes that are not meant to be text.
    Blob(&'a [u8]),
    /// What a formula shows that has no value, such as `#N/A`.
    Fault(&'static str),
}

impl<'a> Cell<'a> {
    /// The cell as people read it and as lists of words name it: numbers with all their digits,
    /// days and times as ISO 8601 writes them, NULL and binary data as nothing.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Cell::Null | Cell::Blob(_) => Cow::Borrowed(""),
            Cell::Text(text) => text,
            Cell::Int(number) => Cow::Owned(number.to_string()),
            Cell::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
            Cell::Decimal { units, scale } => Cow::Owned(number::render(units, scale)),
            Cell::Date(days) => Cow::Owned(moment::iso_date(days)),
            Cell::Time(micros) => Cow::Owned(moment::iso_time(micros)),
            Cell::Local(micros) => Cow::Owned(moment::iso_local(micros)),
            Cell::Instant(micros) => Cow::Owned(format!("{}Z", moment::iso_local(micros))),
            Cell::Malformed(bytes) => readable(bytes),
            Cell::Fault(fault) => Cow::Borrowed(fault),
        }
    }
}

/// The text of bytes that may be malformed: well-formed parts as they are, others as `\xE9`.
pub(crate) fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    Cow::Owned(text)
}
