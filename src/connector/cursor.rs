//! Cursor values as text, and the arithmetic of their lag.
//!
//! Bounds are kept as the source writes them, in its own local time: comparing them there needs
//! no conversion, and an hour that happens twice is covered by the lag.

use crate::connector::Span;
use crate::connector::contract::{Column, Contract, Lag, Type};
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::max;
use datafusion::arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use datafusion::arrow::record_batch::RecordBatch;

/// How an instant is written.
pub(crate) const INSTANT: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// How a day is written.
pub(crate) const DAY: &str = "%Y-%m-%d";

/// A cursor value, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Bound {
    /// Of an int.
    Number(i64),
    /// Of a date or a timestamp; midnight for a date.
    Moment(NaiveDateTime),
}

impl Bound {
    /// Reads a cursor value of `column`.
    pub(crate) fn parse(text: &str, column: &Column) -> Result<Self> {
        match column.ty {
            Type::Int => text.parse().map(Bound::Number).map_err(|_| unreadable(text)),
            _ => {
                let day = || NaiveDate::parse_from_str(text, DAY).map(NaiveDateTime::from);
                let moment = NaiveDateTime::parse_from_str(text, INSTANT).or_else(|_| day());
                // Databases know no year before the first.
                let first = NaiveDate::from_ymd_opt(1, 1, 1).map(NaiveDateTime::from).unwrap_or_default();
                moment.map(|moment| Bound::Moment(moment.max(first))).map_err(|_| unreadable(text))
            }
        }
    }
}

/// The ends of a span, read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) low: Bound,
    /// `None`: what the source calls now, or its highest value.
    pub(crate) top: Option<Bound>,
}

impl Ends {
    /// The ends of `span` as values of `column`; `None`: it has none.
    pub(crate) fn of(span: &Span, column: &Column) -> Result<Option<Self>> {
        Ok(match span {
            Span::Whole => None,
            Span::Since(low) => Some(Self { low: Bound::parse(low, column)?, top: None }),
            Span::Between(low, top) => {
                Some(Self { low: Bound::parse(low, column)?, top: Some(Bound::parse(top, column)?) })
            }
        })
    }
}

/// The column of the contract's cursor.
pub(crate) fn column(contract: &Contract) -> Option<&Column> {
    contract.mode.cursor().and_then(|cursor| contract.column(&cursor.column))
}

/// What the source's clock shows at `now`, for a column that is kept in UTC or in local time.
pub(crate) fn reading(
    now: DateTime<Utc>,
    contract: &Contract,
    column: &Column,
    is_utc: bool,
) -> NaiveDateTime {
    let zone_of = |ty: &Type| match ty {
        Type::Timestamp { zone, .. } => Some(*zone),
        _ => None,
    };
    // A date has no zone of its own; the contract's timestamps know where the source is.
    let zone = zone_of(&column.ty).or_else(|| contract.columns.iter().find_map(|c| zone_of(&c.ty)));
    match zone {
        Some(zone) if !is_utc => now.with_timezone(&zone).naive_local(),
        _ => now.naive_utc(),
    }
}

/// A reading of the clock as [`crate::connector::Totals::high`] writes it for `column`.
pub(crate) fn written(reading: NaiveDateTime, column: &Column) -> String {
    let pattern = if matches!(column.ty, Type::Date { .. }) { DAY } else { INSTANT };
    reading.format(pattern).to_string()
}

/// The highest value of a contract's cursor among rows that were received, where the source does not
/// say itself what it calls now.
#[derive(Debug)]
pub(crate) struct Highest {
    contract: Contract,
    asked_at: DateTime<Utc>,
    /// In the units of the lake: a number, days or microseconds.
    high: Option<i64>,
}

impl Highest {
    /// Begins before the first row.
    pub(crate) fn new(contract: &Contract) -> Self {
        Self { contract: contract.clone(), asked_at: Utc::now(), high: None }
    }

    /// Looks at rows; bad ones have no value.
    pub(crate) fn see(&mut self, batch: &RecordBatch) {
        let Some(column) = column(&self.contract) else { return };
        let Some(values) = batch.column_by_name(&column.name) else { return };
        let high = match column.ty {
            Type::Int => values.as_primitive_opt::<Int64Type>().and_then(max),
            Type::Date { .. } => values.as_primitive_opt::<Date32Type>().and_then(max).map(i64::from),
            _ => values.as_primitive_opt::<TimestampMicrosecondType>().and_then(max),
        };
        self.high = self.high.max(high);
    }

    /// The highest value as [`crate::connector::Totals::high`] writes it. What lies in the future
    /// is a mistake, behind which nothing would be read any more: it counts as now.
    pub(crate) fn written(&self) -> Option<String> {
        let (column, high) = (column(&self.contract)?, self.high?);
        let now = reading(self.asked_at, &self.contract, column, false);
        let moment = match column.ty {
            Type::Int => return Some(high.to_string()),
            Type::Date { .. } => DateTime::from_timestamp(high * 86_400, 0)?.naive_utc(),
            _ => reading(DateTime::from_timestamp_micros(high)?, &self.contract, column, false),
        };
        Some(written(moment.min(now), column))
    }
}

fn unreadable(high: &str) -> Error {
    Error::lake(format!("the cursor \"{high}\" of the last load does not fit the contract"))
        .hint("pull the source with --full: it is read whole, and the cursor begins anew")
}

/// See [`crate::connector::lowered`].
pub(crate) fn lowered(high: &str, lag: Lag) -> Result<String> {
    let unreadable = || unreadable(high);
    match lag {
        Lag::Steps(steps) => {
            let number: i64 = high.parse().map_err(|_| unreadable())?;
            Ok(number.saturating_sub(i64::from(steps)).to_string())
        }
        Lag::Time(lag) => {
            let lag = TimeDelta::from_std(lag).unwrap_or(TimeDelta::MAX);
            if let Ok(instant) = NaiveDateTime::parse_from_str(high, INSTANT) {
                let low = instant.checked_sub_signed(lag).unwrap_or(NaiveDateTime::MIN);
                return Ok(low.format(INSTANT).to_string());
            }
            let day = NaiveDate::parse_from_str(high, DAY).map_err(|_| unreadable())?;
            // A part of a day is a day: rather read twice than not at all.
            let days = TimeDelta::days(lag.num_days() + i64::from(lag.num_seconds() % 86_400 != 0));
            Ok(day.checked_sub_signed(days).unwrap_or(NaiveDate::MIN).format(DAY).to_string())
        }
    }
}

/// See [`crate::connector::bound`].
pub(crate) fn bound(contract: &Contract, text: &str) -> Result<String> {
    let ty = contract.mode.cursor().and_then(|cursor| contract.column(&cursor.column)).map(|c| &c.ty);
    let day = |text: &str| NaiveDate::parse_from_str(text, DAY).ok();
    let (bound, example) = match ty {
        Some(Type::Int) => (text.parse::<i64>().ok().map(|number| number.to_string()), "4711"),
        Some(Type::Date { .. }) => (day(text).map(|day| day.format(DAY).to_string()), "2026-03-29"),
        Some(Type::Timestamp { .. }) => {
            let instant = |pattern| NaiveDateTime::parse_from_str(text, pattern).ok();
            let instant = instant("%Y-%m-%d %H:%M:%S%.f")
                .or_else(|| instant("%Y-%m-%dT%H:%M:%S%.f"))
                .or_else(|| day(text).map(|day| day.and_time(NaiveTime::MIN)));
            (instant.map(|instant| instant.format(INSTANT).to_string()), "2026-03-29 01:30:00")
        }
        _ => return Err(Error::config("the entity has no cursor to read from")),
    };
    bound.ok_or_else(|| {
        Error::config(format!("\"{text}\" is not a value of the entity's cursor"))
            .hint(format!("for example {example}, in the source's own time"))
    })
}

/// See [`crate::connector::upper_bound`].
pub(crate) fn upper_bound(contract: &Contract, text: &str) -> Result<String> {
    let is_day = NaiveDate::parse_from_str(text, DAY).is_ok();
    match column(contract).map(|column| &column.ty) {
        Some(Type::Timestamp { .. }) if is_day => bound(contract, &format!("{text} 23:59:59.999999")),
        _ => bound(contract, text),
    }
}

/// See [`crate::connector::earlier`].
pub(crate) fn earlier(contract: &Contract, a: String, b: String) -> Result<String> {
    let Some(column) = column(contract) else {
        return Err(Error::config("the entity has no cursor to read from"));
    };
    Ok(if Bound::parse(&a, column)? <= Bound::parse(&b, column)? { a } else { b })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::contract::{Cursor, Mode};
    use std::time::Duration;

    fn time(hours: u64) -> Lag {
        Lag::Time(Duration::from_secs(hours * 3600))
    }

    #[test]
    fn bounds_move_back_by_the_lag() {
        assert_eq!(lowered("4711", Lag::Steps(11)).unwrap(), "4700");
        assert_eq!(lowered("2026-03-29 01:30:00.000001", time(2)).unwrap(), "2026-03-28 23:30:00.000001");
        assert_eq!(lowered("2026-03-29", time(24)).unwrap(), "2026-03-28");
        assert_eq!(lowered("2026-03-29", time(25)).unwrap(), "2026-03-27");
        assert_eq!(lowered("2026-03-29", time(0)).unwrap(), "2026-03-29");
    }

    #[test]
    fn the_last_day_of_a_span_is_meant_to_its_end() {
        let contract = |ty| {
            let mut contract = crate::connector::testing::contract(&[("at", ty)]);
            let lag = Lag::Time(Duration::ZERO);
            contract.mode = Mode::Cursor(Some(Cursor { column: "at".into(), lag, sweep: None }));
            contract
        };
        let moments = contract(Type::Timestamp { patterns: Vec::new(), zone: chrono_tz::Tz::UTC });
        assert_eq!(upper_bound(&moments, "2026-01-31").unwrap(), "2026-01-31 23:59:59.999999");
        assert_eq!(upper_bound(&moments, "2026-01-31 12:00:00").unwrap(), "2026-01-31 12:00:00.000000");
        let days = contract(Type::Date { patterns: Vec::new() });
        assert_eq!(upper_bound(&days, "2026-01-31").unwrap(), "2026-01-31");
        assert!(upper_bound(&days, "4711").is_err());
    }

    #[test]
    fn a_cursor_of_another_type_is_named() {
        assert!(lowered("2026-03-29", Lag::Steps(1)).unwrap_err().to_string().contains("2026-03-29"));
        assert!(lowered("x", time(1)).is_err());
    }
}
