//! The cells of a workbook.
//!
//! A workbook has few types: text, truth values and numbers, and a date is a number with a format.
//! What a number means is decided by the contract's column; the format only decides where the
//! contract says text.

use crate::connector::contract::{Column, Type};
use crate::connector::value::Cell;
use crate::connector::value::moment::{DAY_MICROS, days, micros};
use calamine::{CellErrorType, Data, DataRef};
use chrono::{NaiveDate, NaiveDateTime};
use std::borrow::Cow;

const DAY_MILLIS: f64 = 86_400_000.0;

/// The serial of 9999-12-31, the last day of a workbook.
const LAST_SERIAL: f64 = 2_958_465.0;

/// A number without a format counts as a day from here on, 1927-05-18: what is smaller is rather
/// a year, a period or a number of things.
const FIRST_BARE_SERIAL: f64 = 10_000.0;

/// Numbers up to here are whole as they are; larger ones have lost digits.
const LAST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// What a cell shows when its formula has no value.
const FAULTS: [&str; 8] =
    ["#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"];

/// A cell as the workbook has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item<'a> {
    Empty,
    Text(Cow<'a, str>),
    Number(f64),
    /// A number with the format of a date or a time of day.
    Moment(f64),
    /// A number of days with a format such as `[h]:mm`.
    Duration(f64),
    /// A day, a moment or a span as ISO 8601 writes it.
    Iso(String),
    Bool(bool),
    /// An error, as people see it.
    Fault(&'static str),
}

/// What the contract wants of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Want {
    /// A number, whatever its format.
    Number,
    /// A day or an instant.
    Moment {
        /// Whether a number without a format may be one: not where days are written in digits
        /// alone, as `yyyyMMdd`.
        bare: bool,
    },
    /// A time of day.
    Time,
    /// What people see.
    Shown,
}

/// Where the days of a workbook are counted from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Epoch {
    /// Day 1 is 1900-01-01; day 60, 1900-02-29, never was.
    Of1900,
    /// Day 0 is 1904-01-01.
    Of1904,
}

impl Want {
    /// What `column` wants.
    pub(super) fn of(column: &Column) -> Self {
        match &column.ty {
            Type::Int | Type::Decimal { .. } => Want::Number,
            Type::Date { patterns } | Type::Timestamp { patterns, .. } => {
                Want::Moment { bare: !patterns.iter().any(|pattern| is_digits(pattern)) }
            }
            Type::Time { .. } => Want::Time,
            Type::Text | Type::Bool => Want::Shown,
        }
    }
}

/// Whether a chrono pattern writes nothing but digits.
fn is_digits(pattern: &str) -> bool {
    let mut fields = pattern.split('%');
    fields.next() == Some("") && fields.all(|field| field.len() == 1 && field != "b")
}

impl<'a> Item<'a> {
    /// The cell that calamine read.
    pub(super) fn new(data: DataRef<'a>) -> Self {
        match data {
            DataRef::Empty => Item::Empty,
            DataRef::Int(number) => Item::Number(number as f64),
            DataRef::Float(number) => Item::Number(number),
            DataRef::String(text) => Item::of_text(text.into()),
            DataRef::SharedString(text) => Item::of_text(text.into()),
            DataRef::Bool(truth) => Item::Bool(truth),
            DataRef::DateTime(moment) if moment.is_duration() => Item::Duration(moment.as_f64()),
            DataRef::DateTime(moment) => Item::Moment(moment.as_f64()),
            DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Item::Iso(text),
            DataRef::Error(error) => Item::Fault(fault(&error)),
        }
    }

    /// The same of a sheet that was read whole.
    pub(super) fn of_data(data: &'a Data) -> Self {
        Item::new(match data {
            Data::Empty => DataRef::Empty,
            Data::Int(number) => DataRef::Int(*number),
            Data::Float(number) => DataRef::Float(*number),
            Data::String(text) => DataRef::SharedString(text),
            Data::Bool(truth) => DataRef::Bool(*truth),
            Data::DateTime(moment) => DataRef::DateTime(*moment),
            Data::DateTimeIso(text) => DataRef::DateTimeIso(text.clone()),
            Data::DurationIso(text) => DataRef::DurationIso(text.clone()),
            Data::Error(error) => DataRef::Error(error.clone()),
        })
    }

    /// Some formats keep errors as text.
    fn of_text(text: Cow<'a, str>) -> Self {
        match FAULTS.iter().find(|fault| **fault == text.trim()) {
            Some(fault) => Item::Fault(fault),
            None => Item::Text(text),
        }
    }

    /// The same without borrowed text.
    pub(super) fn into_owned(self) -> Item<'static> {
        match self {
            Item::Empty => Item::Empty,
            Item::Text(text) => Item::Text(Cow::Owned(text.into_owned())),
            Item::Number(number) => Item::Number(number),
            Item::Moment(serial) => Item::Moment(serial),
            Item::Duration(serial) => Item::Duration(serial),
            Item::Iso(text) => Item::Iso(text),
            Item::Bool(truth) => Item::Bool(truth),
            Item::Fault(fault) => Item::Fault(fault),
        }
    }

    /// Whether people see nothing.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Item::Empty => true,
            Item::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The cell for a column.
    pub(super) fn cell(&self, want: Want, epoch: Epoch) -> Cell<'_> {
        match (self, want) {
            (Item::Empty, _) => Cell::Null,
            (Item::Fault(fault), _) => Cell::Fault(fault),
            (Item::Bool(truth), _) => Cell::Bool(*truth),
            (Item::Iso(text), _) => iso(text),
            (Item::Text(text), Want::Moment { bare: true }) => match serial_text(text) {
                Some(serial) => moment(serial, epoch),
                None => Cell::Text(Cow::Borrowed(text)),
            },
            (Item::Text(text), _) => Cell::Text(Cow::Borrowed(text)),
            (Item::Number(number), Want::Number | Want::Shown) => self::number(*number),
            (Item::Moment(number) | Item::Duration(number), Want::Number) => self::number(*number),
            (Item::Number(serial), Want::Moment { bare }) => match *serial {
                0.0 => zero_day(epoch),
                serial if bare && serial >= FIRST_BARE_SERIAL => moment(serial, epoch),
                number => self::number(number),
            },
            (Item::Moment(serial), Want::Moment { .. }) if *serial == 0.0 => zero_day(epoch),
            (Item::Number(serial) | Item::Moment(serial), Want::Time) if *serial < 1.0 => time(*serial),
            (Item::Number(serial), Want::Time) => self::number(*serial),
            (Item::Moment(serial), _) => moment(*serial, epoch),
            (Item::Duration(serial), _) => time(*serial),
        }
    }
}

/// A day that was typed or pasted as its serial: five digits, perhaps a fraction.
fn serial_text(text: &str) -> Option<f64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_serial = whole.len() == 5 && !whole.starts_with('0') && digits(whole) && digits(fraction);
    if is_serial { text.parse().ok() } else { None }
}

/// What Excel shows for a day that is 0: no day at all, and so the contract's `null` may say.
fn zero_day<'a>(epoch: Epoch) -> Cell<'a> {
    match epoch {
        Epoch::Of1900 => Cell::Text("1900-01-00".into()),
        Epoch::Of1904 => moment(0.0, epoch),
    }
}

/// The day and time of a serial, to the millisecond, as Excel keeps them.
fn moment<'a>(serial: f64, epoch: Epoch) -> Cell<'a> {
    if !(0.0..LAST_SERIAL + 1.0).contains(&serial) {
        return number(serial);
    }
    if serial < 1.0 && epoch == Epoch::Of1900 {
        return time(serial);
    }
    let millis = (serial * DAY_MILLIS).round() as i64;
    let (day, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let since_1970 = match epoch {
        Epoch::Of1900 if day == 60 => return Cell::Text("1900-02-29".into()),
        Epoch::Of1900 if day < 60 => day - 25_568,
        Epoch::Of1900 => day - 25_569,
        Epoch::Of1904 => day - 24_107,
    };
    match (rest, i32::try_from(since_1970)) {
        (0, Ok(day)) => Cell::Date(day),
        _ => Cell::Local(since_1970 * DAY_MICROS + rest * 1000),
    }
}

/// A part of a day, or a number of days, as hours, minutes and seconds.
fn time<'a>(serial: f64) -> Cell<'a> {
    match serial.abs() <= LAST_SERIAL {
        true => Cell::Time((serial * DAY_MILLIS).round() as i64 * 1000),
        false => number(serial),
    }
}

/// A number with the 15 digits that Excel shows: what a workbook has behind them is noise of its
/// own arithmetic, as in 84421.84999999999.
fn number<'a>(number: f64) -> Cell<'a> {
    if number.fract() == 0.0 && number.abs() <= LAST_WHOLE {
        return Cell::Int(number as i64);
    }
    fifteen_digits(number).unwrap_or_else(|| Cell::Text(number.to_string().into()))
}

fn fifteen_digits<'a>(number: f64) -> Option<Cell<'a>> {
    if number.fract() == 0.0 || !number.is_finite() {
        return None;
    }
    let shown = format!("{number:.14e}");
    let (mantissa, exponent) = shown.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let mantissa = mantissa.replace('.', "");
    let digits = mantissa.trim_end_matches('0');
    let behind = i32::try_from(digits.trim_start_matches('-').len()).ok()? - 1 - exponent;
    let units: i128 = digits.parse().ok()?;
    match u8::try_from(behind) {
        Ok(scale) => (scale <= 38).then_some(Cell::Decimal { units, scale }),
        Err(_) => {
            let unit = 10_i128.checked_pow(behind.unsigned_abs())?;
            Some(Cell::Decimal { units: units.checked_mul(unit)?, scale: 0 })
        }
    }
}

/// A day, a moment or a span of time as ISO 8601 writes it; anything else is text.
fn iso(text: &str) -> Cell<'_> {
    let read = || {
        if let Some(span) = text.strip_prefix("PT") {
            return span_micros(span).map(Cell::Time);
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Cell::Date(days(day)));
        }
        let text = text.strip_suffix('Z').unwrap_or(text);
        let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        Some(match micros(moment) % DAY_MICROS {
            0 => Cell::Date(days(moment.date())),
            _ => Cell::Local(micros(moment)),
        })
    };
    read().unwrap_or(Cell::Text(Cow::Borrowed(text)))
}

/// `08H30M00S` in microseconds.
fn span_micros(span: &str) -> Option<i64> {
    let (hours, rest) = span.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds: f64 = rest.strip_suffix('S')?.parse().ok()?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let whole = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60_000)?;
    whole.checked_add((seconds * 1000.0).round() as i64)?.checked_mul(1000)
}

fn fault(error: &CellErrorType) -> &'static str {
    match error {
        CellErrorType::NA => "#N/A",
        CellErrorType::Div0 => "#DIV/0!",
        CellErrorType::Name => "#NAME?",
        CellErrorType::Null => "#NULL!",
        CellErrorType::Num => "#NUM!",
        CellErrorType::Ref => "#REF!",
        CellErrorType::Value => "#VALUE!",
        CellErrorType::GettingData => "#GETTING_DATA",
    }
}
