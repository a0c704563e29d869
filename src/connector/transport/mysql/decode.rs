//! The binary rows of MySQL: <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html>.

use crate::connector::transport::asked::Shape;
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use chrono::{NaiveDate, NaiveDateTime};
use sqlx::mysql::{MySql, MySqlRow};
use sqlx::{Decode, Row};

/// How a column arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number of so many bytes.
    Int(usize),
    /// The same without a sign.
    Unsigned(usize),
    Float,
    Double,
    /// An exact number, as its text.
    Decimal,
    /// Up to 64 bits, the highest byte first.
    Bit,
    Text,
    Bytes,
    Date,
    Time,
    /// A day and time without a zone.
    Datetime,
    /// An instant; the session's zone is UTC.
    Timestamp,
}

impl Kind {
    /// How a column of this type arrives. The wire alone does not tell text in a binary collation
    /// from bytes.
    pub(super) fn of(data_type: &str, column_type: &str) -> Self {
        let whole = if column_type.contains("unsigned") { Kind::Unsigned } else { Kind::Int };
        match data_type.to_ascii_lowercase().as_str() {
            "tinyint" => whole(1),
            "smallint" => whole(2),
            "mediumint" | "int" | "integer" => whole(4),
            "bigint" => whole(8),
            "year" => Kind::Unsigned(2),
            "float" => Kind::Float,
            "double" | "real" => Kind::Double,
            "decimal" | "numeric" => Kind::Decimal,
            "bit" => Kind::Bit,
            "date" => Kind::Date,
            "time" => Kind::Time,
            "datetime" => Kind::Datetime,
            "timestamp" => Kind::Timestamp,
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Bytes,
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" => Kind::Bytes,
            _ => Kind::Text,
        }
    }

    /// What counting and cursors care about.
    pub(super) fn shape(self) -> Shape {
        match self {
            Kind::Int(_) | Kind::Unsigned(_) | Kind::Decimal => Shape::Number,
            Kind::Date => Shape::Day,
            Kind::Datetime => Shape::Local,
            Kind::Timestamp => Shape::Instant,
            _ => Shape::Other,
        }
    }

    fn has_length(self, value: &[u8]) -> bool {
        // Days and times begin with their own length; what is zero at the end is left out.
        let is_one_of = |lengths: &[u8]| {
            value.first().is_some_and(|length| lengths.contains(length) && value.len() == 1 + usize::from(*length))
        };
        match self {
            Kind::Int(size) | Kind::Unsigned(size) => value.len() == size,
            Kind::Float => value.len() == 4,
            Kind::Double => value.len() == 8,
            Kind::Bit => value.len() <= 8,
            Kind::Date | Kind::Datetime | Kind::Timestamp => is_one_of(&[0, 4, 7, 11]),
            Kind::Time => is_one_of(&[0, 8, 12]),
            Kind::Decimal | Kind::Text | Kind::Bytes => true,
        }
    }
}

/// Refuses a row whose values do not have the sizes of their kinds.
pub(super) fn check(row: &MySqlRow, kinds: &[Kind]) -> Result<()> {
    let fits = |(at, kind): (usize, &Kind)| raw(row, at).is_none_or(|value| kind.has_length(value));
    match kinds.iter().enumerate().all(fits) {
        true => Ok(()),
        false => Err(Error::source("the rows do not have the form that the table had a moment ago")
            .hint("the table may have been changed while it was read; pull it again")),
    }
}

/// The bytes of a value; `None` for NULL. Asking sqlx would make NULLs of zero dates, silently.
fn raw(row: &MySqlRow, at: usize) -> Option<&[u8]> {
    <&[u8] as Decode<MySql>>::decode(row.try_get_raw(at).ok()?).ok()
}

/// A cell of a checked row.
pub(super) fn cell(row: &MySqlRow, at: usize, kind: Kind) -> Cell<'_> {
    let Some(value) = raw(row, at) else { return Cell::Null };
    match kind {
        Kind::Int(_) => Cell::Int(signed(value)),
        Kind::Unsigned(_) => whole(unsigned(value.iter().rev())),
        Kind::Bit => whole(unsigned(value.iter())),
        Kind::Float => float(value.first_chunk().map(|bytes| f32::from_le_bytes(*bytes))),
        Kind::Double => float(value.first_chunk().map(|bytes| f64::from_le_bytes(*bytes))),
        Kind::Decimal | Kind::Text => match std::str::from_utf8(value) {
            Ok(text) => Cell::Text(text.into()),
            Err(_) => Cell::Malformed(value),
        },
        Kind::Bytes => Cell::Blob(value),
        Kind::Time => Cell::Time(time(value)),
        Kind::Date => moment(value, |moment| Cell::Date((moment.and_utc().timestamp() / 86_400) as i32)),
        Kind::Datetime => moment(value, |moment| Cell::Local(moment.and_utc().timestamp_micros())),
        Kind::Timestamp => moment(value, |moment| Cell::Instant(moment.and_utc().timestamp_micros())),
    }
}

fn signed(value: &[u8]) -> i64 {
    let sign = if value.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
    let mut bytes = [sign; 8];
    bytes[..value.len()].copy_from_slice(value);
    i64::from_le_bytes(bytes)
}

/// Adds bytes up, the highest first.
fn unsigned<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn whole<'a>(number: u64) -> Cell<'a> {
    match i64::try_from(number) {
        Ok(number) => Cell::Int(number),
        Err(_) => Cell::Decimal { units: number.into(), scale: 0 },
    }
}

/// The shortest decimal text that means the same float; the contract's exact rules judge it then.
fn float<'a>(number: Option<impl std::fmt::Display>) -> Cell<'a> {
    number.map_or(Cell::Null, |number| Cell::Text(number.to_string().into()))
}

/// A part of a value that is zero when it is left out, the lowest byte first.
fn part(value: &[u8], from: usize, size: usize) -> u32 {
    let bytes = value.get(from..from + size).unwrap_or_default();
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// A day, perhaps with a time. One that is not in the calendar, as MySQL allows, keeps its text:
/// a missing value is for the contract to declare.
fn moment<'a>(value: &[u8], cell: fn(NaiveDateTime) -> Cell<'a>) -> Cell<'a> {
    let (year, month, day) = (part(value, 1, 2), part(value, 3, 1), part(value, 4, 1));
    let (hour, minute, second) = (part(value, 5, 1), part(value, 6, 1), part(value, 7, 1));
    let date = NaiveDate::from_ymd_opt(year as i32, month, day).filter(|_| year > 0);
    match date.and_then(|date| date.and_hms_micro_opt(hour, minute, second, part(value, 8, 4))) {
        Some(moment) => cell(moment),
        None => Cell::Text(format!("{year:04}-{month:02}-{day:02}").into()),
    }
}

/// Microseconds; negative, and more than a day, as MySQL allows.
fn time(value: &[u8]) -> i64 {
    let days = i64::from(part(value, 2, 4));
    let hours = days * 24 + i64::from(part(value, 6, 1));
    let seconds = (hours * 60 + i64::from(part(value, 7, 1))) * 60 + i64::from(part(value, 8, 1));
    let micros = seconds * 1_000_000 + i64::from(part(value, 9, 4));
    if part(value, 1, 1) == 1 { -micros } else { micros }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_every_size() {
        assert_eq!(signed(&[0x80]), -128);
        assert_eq!(signed(&[0xff, 0x7f]), 32_767);
        assert_eq!(signed(&[0, 0, 0, 0x80]), i64::from(i32::MIN));
        assert_eq!(unsigned([0xff, 0xfe].iter().rev()), 0xfeff);
        assert_eq!(whole(u64::MAX).text(), "18446744073709551615");
    }

    #[test]
    fn days_and_times_leave_zeros_out() {
        let date = |value: &[u8]| moment(value, |moment| Cell::Text(moment.to_string().into())).text().into_owned();
        assert_eq!(date(&[0]), "0000-00-00");
        assert_eq!(date(&[4, 0xe8, 7, 2, 29]), "2024-02-29 00:00:00");
        assert_eq!(date(&[4, 0xe8, 7, 0, 0]), "2024-00-00");
        assert_eq!(date(&[11, 0xe8, 7, 2, 29, 23, 59, 59, 0x3f, 0x42, 0x0f, 0]), "2024-02-29 23:59:59.999999");
        assert_eq!(time(&[0]), 0);
        assert_eq!(time(&[8, 1, 34, 0, 0, 0, 22, 59, 59]), -3_020_399_000_000);
        assert_eq!(time(&[12, 0, 0, 0, 0, 0, 7, 5, 0, 0x90, 0xd0, 3, 0]), 25_500_250_000);
    }

    #[test]
    fn sizes_are_checked() {
        assert!(Kind::Int(4).has_length(&[0; 4]) && !Kind::Int(4).has_length(&[0; 8]));
        assert!(Kind::Date.has_length(&[0]) && Kind::Date.has_length(&[4, 0, 0, 0, 0]));
        assert!(!Kind::Date.has_length(&[4, 0]) && !Kind::Time.has_length(b"12:00"));
        assert!(!Kind::Date.has_length(&[]));
    }
}
