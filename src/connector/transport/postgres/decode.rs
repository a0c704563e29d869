//! The binary format of `copy`: <https://www.postgresql.org/docs/current/sql-copy.html>.

use crate::connector::transport::asked::Shape;
use crate::connector::value::Cell;
use crate::error::{Error, Result};
use sqlx::postgres::{PgTypeInfo, PgTypeKind};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

/// What every copy begins with, before the flags and the length of what may follow them.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Microseconds and days from 1970 to 2000, where PostgreSQL begins to count.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// How a column arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    /// Text that is filled up with blanks.
    Padded,
    Jsonb,
    Uuid,
    Bytes,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

impl Kind {
    /// How a column of this type arrives, with the cast that it needs to arrive so. Domains
    /// arrive as what they are made of; what is not known here, as its text.
    pub(super) fn of(ty: &PgTypeInfo) -> (Self, &'static str) {
        if matches!(ty.kind(), PgTypeKind::Enum(_)) {
            return (Kind::Text, "");
        }
        match ty.oid().map_or(0, |oid| oid.0) {
            16 => (Kind::Bool, ""),
            17 => (Kind::Bytes, ""),
            20 => (Kind::Int8, ""),
            21 => (Kind::Int2, ""),
            23 => (Kind::Int4, ""),
            18 | 19 | 25 | 114 | 142 | 1043 => (Kind::Text, ""),
            26 => (Kind::Int8, "::int8"),
            700 => (Kind::Float4, ""),
            701 => (Kind::Float8, ""),
            790 => (Kind::Numeric, "::numeric"),
            1042 => (Kind::Padded, ""),
            1082 => (Kind::Date, ""),
            1083 => (Kind::Time, ""),
            1114 => (Kind::Timestamp, ""),
            1184 => (Kind::TimestampTz, ""),
            1266 => (Kind::TimeTz, ""),
            1700 => (Kind::Numeric, ""),
            2950 => (Kind::Uuid, ""),
            3802 => (Kind::Jsonb, ""),
            _ => (Kind::Text, "::text"),
        }
    }

    /// What counting and cursors care about.
    pub(super) fn shape(self) -> Shape {
        match self {
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric => Shape::Number,
            Kind::Date => Shape::Day,
            Kind::Timestamp => Shape::Local,
            Kind::TimestampTz => Shape::Instant,
            _ => Shape::Other,
        }
    }

    fn has_length(self, field: &[u8]) -> bool {
        match self {
            Kind::Bool => field.len() == 1,
            Kind::Int2 => field.len() == 2,
            Kind::Int4 | Kind::Float4 | Kind::Date => field.len() == 4,
            Kind::Int8 | Kind::Float8 | Kind::Time | Kind::Timestamp | Kind::TimestampTz => field.len() == 8,
            Kind::TimeTz => field.len() == 12,
            Kind::Uuid => field.len() == 16,
            Kind::Jsonb => field.first() == Some(&1),
            Kind::Numeric => {
                field.len() >= 8 && field.len() == 8 + 2 * usize::from(u16::from_be_bytes([field[0], field[1]]))
            }
            Kind::Text | Kind::Padded | Kind::Bytes => true,
        }
    }
}

/// Cuts one copy into rows and cells.
#[derive(Debug)]
pub(super) struct Decoder {
    kinds: Arc<[Kind]>,
    chunk: Vec<u8>,
    place: usize,
    /// Where the fields of the current row are in the chunk; `None` for NULL.
    fields: Vec<Option<Range<usize>>>,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    Done,
}

impl Decoder {
    /// A decoder of rows with these columns.
    pub(super) fn new(kinds: &Arc<[Kind]>) -> Self {
        let fields = Vec::with_capacity(kinds.len());
        Self { kinds: Arc::clone(kinds), chunk: Vec::new(), place: 0, fields, stage: Stage::Header }
    }

    /// Takes in the next bytes; what was not read of the last ones comes before them.
    pub(super) fn take_in(&mut self, chunk: Vec<u8>) {
        match self.place == self.chunk.len() {
            true => self.chunk = chunk,
            false => {
                self.chunk.drain(..self.place);
                self.chunk.extend_from_slice(&chunk);
            }
        }
        self.place = 0;
    }

    /// Whether the end has been read.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done && self.place == self.chunk.len()
    }

    /// Goes to the next row; false when there is no whole one.
    pub(super) fn next_row(&mut self) -> Result<bool> {
        if self.stage == Stage::Header && !self.header()? {
            return Ok(false);
        }
        let Some(count) = self.chunk[self.place..].first_chunk().map(|bytes| i16::from_be_bytes(*bytes)) else {
            return Ok(false);
        };
        if self.stage == Stage::Done {
            return Err(broken());
        }
        let mut place = self.place + 2;
        if count == -1 {
            (self.place, self.stage) = (place, Stage::Done);
            return Ok(false);
        }
        if usize::try_from(count).ok() != Some(self.kinds.len()) {
            return Err(broken());
        }
        self.fields.clear();
        for kind in self.kinds.iter() {
            let Some(length) = self.chunk[place..].first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else {
                return Ok(false);
            };
            place += 4;
            let Ok(length) = usize::try_from(length) else {
                self.fields.push(None);
                continue;
            };
            let Some(field) = self.chunk[place..].get(..length) else { return Ok(false) };
            if !kind.has_length(field) {
                return Err(broken());
            }
            self.fields.push(Some(place..place + length));
            place += length;
        }
        self.place = place;
        Ok(true)
    }

    /// Reads over the header; false when it is not all there.
    fn header(&mut self) -> Result<bool> {
        let fixed = SIGNATURE.len() + 8;
        let Some(header) = self.chunk.get(..fixed) else { return Ok(false) };
        let extension = header[fixed - 4..].first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if !header.starts_with(SIGNATURE) || extension != 0 {
            return Err(broken());
        }
        (self.place, self.stage) = (fixed, Stage::Rows);
        Ok(true)
    }

    /// A cell of the current row.
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        match &self.fields[at] {
            Some(range) => cell(self.kinds[at], &self.chunk[range.clone()]),
            None => Cell::Null,
        }
    }
}

fn broken() -> Error {
    Error::source("the rows do not have the form that the table had a moment ago")
        .hint("the table may have been changed while it was read; pull it again")
}

/// Decodes a field, whose length fits its kind.
fn cell(kind: Kind, field: &[u8]) -> Cell<'_> {
    match kind {
        Kind::Bool => Cell::Bool(field != [0]),
        Kind::Int2 => Cell::Int(i16::from_be_bytes(array(field)).into()),
        Kind::Int4 => Cell::Int(i32::from_be_bytes(array(field)).into()),
        Kind::Int8 => Cell::Int(i64::from_be_bytes(array(field))),
        Kind::Float4 => float(f32::from_be_bytes(array(field))),
        Kind::Float8 => float(f64::from_be_bytes(array(field))),
        Kind::Numeric => numeric(field),
        Kind::Text => text(field),
        Kind::Padded => text(field.trim_ascii_end()),
        Kind::Jsonb => text(&field[1..]),
        Kind::Uuid => uuid(field),
        Kind::Bytes => Cell::Blob(field),
        Kind::Date => match i32::from_be_bytes(array(field)) {
            i32::MAX => Cell::Text("infinity".into()),
            i32::MIN => Cell::Text("-infinity".into()),
            days => Cell::Date(days.saturating_add(EPOCH_DAYS)),
        },
        Kind::Time => Cell::Time(i64::from_be_bytes(array(field))),
        Kind::TimeTz => zoned_time(i64::from_be_bytes(array(field)), i32::from_be_bytes(array(&field[8..]))),
        Kind::Timestamp => moment(field, Cell::Local),
        Kind::TimestampTz => moment(field, Cell::Instant),
    }
}

/// The first bytes of a field that has at least as many.
fn array<const N: usize>(field: &[u8]) -> [u8; N] {
    field.first_chunk().copied().unwrap_or([0; N])
}

fn text(field: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(field) {
        Ok(text) => Cell::Text(text.into()),
        Err(_) => Cell::Malformed(field),
    }
}

/// The shortest decimal text that means the same float; the contract's exact rules judge it then.
fn float<'a>(number: impl std::fmt::Display) -> Cell<'a> {
    let text = number.to_string();
    Cell::Text(match text.as_str() {
        "inf" => "Infinity".into(),
        "-inf" => "-Infinity".into(),
        _ => text.into(),
    })
}

fn moment<'a>(field: &[u8], cell: fn(i64) -> Cell<'a>) -> Cell<'a> {
    match i64::from_be_bytes(array(field)) {
        i64::MAX => Cell::Text("infinity".into()),
        i64::MIN => Cell::Text("-infinity".into()),
        micros => cell(micros.saturating_add(EPOCH_MICROS)),
    }
}

/// A time of day in a zone is neither a local time nor an instant: its text has both.
fn zoned_time<'a>(micros: i64, west: i32) -> Cell<'a> {
    let (sign, offset) = if west > 0 { ('-', west) } else { ('+', -west) };
    let (hours, minutes) = (offset / 3600, offset / 60 % 60);
    Cell::Text(format!("{}{sign}{hours:02}:{minutes:02}", Cell::Time(micros).text()).into())
}

fn uuid<'a>(field: &[u8]) -> Cell<'a> {
    let mut text = String::with_capacity(36);
    for (at, byte) in field.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        // Writing into a text does not fail.
        write!(text, "{byte:02x}").ok();
    }
    Cell::Text(text.into())
}

/// A numeric: how many digits of base 10000 there are, the power of the first of them, the sign,
/// how many decimal digits are shown behind the point, and the digits.
fn numeric(field: &[u8]) -> Cell<'_> {
    let weight = i32::from(i16::from_be_bytes(array(&field[2..])));
    let sign = u16::from_be_bytes(array(&field[4..]));
    let shown = u16::from_be_bytes(array(&field[6..]));
    let digits = &field[8..];
    match sign {
        0xC000 => return Cell::Text("NaN".into()),
        0xD000 => return Cell::Text("Infinity".into()),
        0xF000 => return Cell::Text("-Infinity".into()),
        _ => {}
    }
    let is_negative = sign == 0x4000;
    match small(digits, weight, shown) {
        Some(units) => Cell::Decimal { units: if is_negative { -units } else { units }, scale: shown as u8 },
        None => Cell::Text(spelled(digits, weight, shown, is_negative).into()),
    }
}

/// The units of `10^-shown`, if they are a number of 38 digits.
fn small(digits: &[u8], weight: i32, shown: u16) -> Option<i128> {
    let mut units: i128 = match digits.len() {
        // Money fits 64 bits, whose arithmetic is several times faster.
        0..=8 => groups(digits).fold(0i64, |sum, digit| sum * 10_000 + i64::from(digit)).into(),
        9..=20 => groups(digits).try_fold(0i128, |sum, digit| sum.checked_mul(10_000)?.checked_add(digit.into()))?,
        _ => return None,
    };
    // The digits stand for units of 10^-fraction.
    let fraction = 4 * (digits.len() as i32 / 2 - 1 - weight);
    let missing = i32::from(u8::try_from(shown).ok()?) - fraction;
    match u32::try_from(missing) {
        Ok(missing) if units == 0 => units *= i128::from(missing == 0),
        Ok(missing) => units = units.checked_mul(10i128.checked_pow(missing)?)?,
        // Digits that are not shown are zeros.
        Err(_) => units /= 10i128.checked_pow(missing.unsigned_abs())?,
    }
    (units < 10i128.pow(38)).then_some(units)
}

fn groups(digits: &[u8]) -> impl Iterator<Item = u16> {
    digits.chunks_exact(2).map(|pair| u16::from_be_bytes(array(pair)))
}

/// All digits of a number of any size.
fn spelled(digits: &[u8], weight: i32, shown: u16, is_negative: bool) -> String {
    let group = |power: i32| {
        let place = usize::try_from(weight - power).ok().map(|place| 2 * place);
        place.and_then(|place| digits.get(place..place + 2)).map_or(0, |pair| u16::from_be_bytes(array(pair)))
    };
    let mut text = String::new();
    for power in (0..=weight.max(0)).rev() {
        // Writing into a text does not fail.
        write!(text, "{:04}", group(power)).ok();
    }
    let whole = text.trim_start_matches('0');
    let mut text = format!("{}{}", if is_negative { "-" } else { "" }, if whole.is_empty() { "0" } else { whole });
    if shown > 0 {
        let mut fraction = String::new();
        for power in 1..=shown.div_ceil(4) {
            write!(fraction, "{:04}", group(-i32::from(power))).ok();
        }
        fraction.truncate(usize::from(shown));
        text = format!("{text}.{fraction}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(weight: i16, sign: u16, shown: u16, digits: &[u16]) -> Vec<u8> {
        let head = [digits.len() as u16, weight as u16, sign, shown];
        head.iter().chain(digits).flat_map(|part| part.to_be_bytes()).collect()
    }

    fn shown(field: &[u8]) -> (String, bool) {
        assert!(Kind::Numeric.has_length(field));
        let cell = numeric(field);
        let is_small = matches!(cell, Cell::Decimal { .. });
        (cell.text().into_owned(), is_small)
    }

    #[track_caller]
    fn check(weight: i16, sign: u16, scale: u16, digits: &[u16], expect: &str, is_small: bool) {
        assert_eq!(shown(&field(weight, sign, scale, digits)), (expect.to_string(), is_small));
    }

    #[test]
    fn numerics_are_exact() {
        check(0, 0, 0, &[], "0", true);
        check(0, 0, 2, &[], "0.00", true);
        check(0, 0, 2, &[1, 5000], "1.50", true);
        check(0, 0x4000, 2, &[1, 5000], "-1.50", true);
        check(0, 0, 6, &[1, 5000], "1.500000", true);
        check(1, 0, 0, &[1], "10000", true);
        check(1, 0, 2, &[12, 3456, 7800], "123456.78", true);
        check(-1, 0, 4, &[1], "0.0001", true);
        check(-2, 0, 8, &[1], "0.00000001", true);
        let nines = format!("99{}", "9999".repeat(9));
        check(9, 0, 0, &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999], &nines, true);
        check(9, 0x4000, 0, &[100], &format!("-1{}", "0".repeat(38)), false);
        check(-1, 0, 40, &[1], &format!("0.0001{}", "0".repeat(36)), true);
        check(0, 0x4000, 300, &[7], &format!("-7.{}", "0".repeat(300)), false);
        check(20, 0, 1, &[1], &format!("1{}.0", "0".repeat(80)), false);
        check(0, 0xC000, 0, &[], "NaN", false);
        check(0, 0xF000, 0, &[], "-Infinity", false);
    }

    /// A copy of one int and one text column.
    fn copied(rows: &[(Option<i32>, &str)]) -> Vec<u8> {
        let mut bytes = [SIGNATURE, &[0; 8]].concat();
        for (number, text) in rows {
            bytes.extend(2i16.to_be_bytes());
            match number {
                Some(number) => bytes.extend([4i32.to_be_bytes(), number.to_be_bytes()].concat()),
                None => bytes.extend((-1i32).to_be_bytes()),
            }
            bytes.extend((text.len() as i32).to_be_bytes());
            bytes.extend(text.bytes());
        }
        bytes.extend((-1i16).to_be_bytes());
        bytes
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let bytes = copied(&[(Some(-7), "a"), (None, ""), (Some(8), "longer")]);
        for size in 1..=bytes.len() {
            let mut decoder = Decoder::new(&Arc::from([Kind::Int4, Kind::Text]));
            let mut rows = Vec::new();
            for chunk in bytes.chunks(size) {
                assert!(!decoder.is_done());
                decoder.take_in(chunk.to_vec());
                while decoder.next_row().unwrap() {
                    rows.push(format!("{}|{}", decoder.cell(0).text(), decoder.cell(1).text()));
                }
            }
            assert!(decoder.is_done());
            assert_eq!(rows, ["-7|a", "|", "8|longer"]);
        }
    }

    #[test]
    fn another_shape_is_an_error() {
        let bytes = copied(&[(Some(-7), "a")]);
        for kinds in [&[Kind::Int8, Kind::Text][..], &[Kind::Int4, Kind::Numeric], &[Kind::Int4]] {
            let mut decoder = Decoder::new(&Arc::from(kinds));
            decoder.take_in(bytes.clone());
            assert!(decoder.next_row().is_err());
        }
        let mut decoder = Decoder::new(&Arc::from([Kind::Int4, Kind::Text]));
        decoder.take_in([bytes.as_slice(), b"more"].concat());
        assert!(decoder.next_row().unwrap() && !decoder.next_row().unwrap());
        assert!(decoder.next_row().is_err() && !decoder.is_done());
    }

    #[test]
    fn times_and_identifiers_have_one_text() {
        assert_eq!(zoned_time(25_500_000_000, -3600).text(), "07:05:00+01:00");
        assert_eq!(zoned_time(0, 19_800).text(), "00:00:00-05:30");
        assert_eq!(uuid(&[0xab; 16]).text(), "abababab-abab-abab-abab-abababababab");
        assert_eq!(float(0.1f32).text(), "0.1");
        assert_eq!(float(f64::NEG_INFINITY).text(), "-Infinity");
        assert_eq!(float(1e21f64).text(), "1000000000000000000000");
    }
}
