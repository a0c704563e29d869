//! `timestampadd` and `timestampdiff`, and what other databases call them.
//!
//! `timestampdiff(unit, a, b)` counts whole intervals from `a` to `b`, rounded down: what it gives,
//! added to `a`, is never after `b`, and one more is. So tools that compute the start of a quarter
//! from a fixed day get it for days before that day as well. `datediff` and `date_diff` count the
//! boundaries between `a` and `b`, as their home databases do; a week begins on Monday. Both read
//! timestamps in UTC.

use chrono::{DateTime, Datelike, NaiveDateTime};
use datafusion::arrow::array::{
    ArrayRef, AsArray, Int64Array, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::kernels::numeric::add;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The names of the function that moves a timestamp.
pub(super) const SHIFT: [&str; 2] = ["timestampadd", "dateadd"];
/// The name of the function that counts whole intervals.
pub(super) const WHOLE: [&str; 1] = ["timestampdiff"];
/// The names of the function that counts boundaries.
pub(super) const BOUNDARIES: [&str; 2] = ["datediff", "date_diff"];

const UNITS: &str = "frac_second (nanoseconds), microsecond, millisecond, second, minute, hour, day, week, \
                     month, quarter and year, with or without SQL_TSI_";

/// Days from a Monday to the first day that counts, a Thursday.
const DAYS_FROM_MONDAY: i64 = 3;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Nanosecond,
    /// So many microseconds.
    Micros(i64),
    Week,
    /// So many months.
    Months(i32),
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Some(match name.strip_prefix("sql_tsi_").unwrap_or(&name) {
            "frac_second" | "nanosecond" => Unit::Nanosecond,
            "microsecond" => Unit::Micros(1),
            "millisecond" => Unit::Micros(1_000),
            "second" => Unit::Micros(1_000_000),
            "minute" => Unit::Micros(60_000_000),
            "hour" => Unit::Micros(3_600_000_000),
            "day" => Unit::Micros(MICROS_PER_DAY),
            "week" => Unit::Week,
            "month" => Unit::Months(1),
            "quarter" => Unit::Months(3),
            "year" => Unit::Months(12),
            _ => return None,
        })
    }

    /// The first argument of the function `name`.
    fn of(name: &str, argument: Option<&ScalarValue>) -> Result<Self> {
        let word = argument.and_then(|value| value.try_as_str().flatten());
        match word.map(|word| (word, Self::named(word))) {
            Some((_, Some(unit))) => Ok(unit),
            Some((word, None)) => plan_err!("'{name}' has no unit '{word}': it knows {UNITS}"),
            None => plan_err!("the first argument of '{name}' is a unit: {UNITS}"),
        }
    }

    /// `count` of it.
    fn times(self, count: i64) -> Result<IntervalMonthDayNano, ArrowError> {
        let too_many = || ArrowError::ArithmeticOverflow("an interval".into());
        let whole = |per: i64| count.checked_mul(per).ok_or_else(too_many);
        let small = |count: i64| i32::try_from(count).map_err(|_| too_many());
        Ok(match self {
            Unit::Nanosecond => IntervalMonthDayNano::new(0, 0, count),
            Unit::Micros(MICROS_PER_DAY) => IntervalMonthDayNano::new(0, small(count)?, 0),
            Unit::Micros(micros) => IntervalMonthDayNano::new(0, 0, whole(micros * 1_000)?),
            Unit::Week => IntervalMonthDayNano::new(0, small(whole(7)?)?, 0),
            Unit::Months(months) => IntervalMonthDayNano::new(small(whole(months.into())?)?, 0, 0),
        })
    }

    /// The whole intervals from `a` to `b`, in microseconds since 1970, rounded down.
    fn whole(self, a: i64, b: i64) -> Result<i64, ArrowError> {
        let apart = i128::from(b) - i128::from(a);
        let counted = match self {
            Unit::Nanosecond => apart * 1_000,
            Unit::Micros(micros) => apart.div_euclid(micros.into()),
            Unit::Week => apart.div_euclid((7 * MICROS_PER_DAY).into()),
            Unit::Months(months) => {
                let (a, b) = (moment(a)?, moment(b)?);
                let is_short = (b.day(), b.time()) < (a.day(), a.time());
                (month(&b) - month(&a) - i64::from(is_short)).div_euclid(months.into()).into()
            }
        };
        i64::try_from(counted).map_err(|_| out_of_range())
    }

    /// The boundaries between `a` and `b`.
    fn boundaries(self, a: i64, b: i64) -> Result<i64, ArrowError> {
        let between = |of: &dyn Fn(i64) -> Result<i64, ArrowError>| Ok(of(b)? - of(a)?);
        match self {
            Unit::Nanosecond => self.whole(a, b),
            Unit::Micros(micros) => between(&|at| Ok(at.div_euclid(micros))),
            Unit::Week => between(&|at| Ok((at.div_euclid(MICROS_PER_DAY) + DAYS_FROM_MONDAY).div_euclid(7))),
            Unit::Months(months) => between(&|at| Ok(month(&moment(at)?).div_euclid(months.into()))),
        }
    }
}

fn moment(micros: i64) -> Result<NaiveDateTime, ArrowError> {
    DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc()).ok_or_else(out_of_range)
}

/// Months since the year 0.
fn month(at: &NaiveDateTime) -> i64 {
    i64::from(at.year()) * 12 + i64::from(at.month0())
}

fn out_of_range() -> ArrowError {
    ArrowError::ArithmeticOverflow("a difference of timestamps".into())
}

/// `timestampadd(unit, count, timestamp)`: the timestamp, moved. A date counts from midnight; the
/// day after 31 January in months is the last of February.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Shift {
    signature: Signature,
    aliases: Vec<String>,
}

impl Shift {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable), aliases: others(&SHIFT) }
    }
}

impl ScalarUDFImpl for Shift {
    fn name(&self) -> &str {
        SHIFT[0]
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, _, at @ DataType::Timestamp(..)] => Ok(vec![DataType::Utf8, DataType::Int64, at.clone()]),
            [_, _, at] => Ok(vec![DataType::Utf8, DataType::Int64, timestamp(at)]),
            _ => plan_err!("'{}' takes a unit, a count and a timestamp", SHIFT[0]),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given {
            [_, _, at] => Ok(at.clone()),
            _ => plan_err!("'{}' takes a unit, a count and a timestamp", SHIFT[0]),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Unit::of(SHIFT[0], args.scalar_arguments.first().copied().flatten())?;
        args.arg_fields.iter().skip(2).try_for_each(|field| must_be_timestamp(SHIFT[0], field))?;
        let given: Vec<_> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(SHIFT[0], self.return_type(&given)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (unit, counts, at, is_scalar) = operands(SHIFT[0], &args)?;
        let counts = counts.as_primitive::<Int64Type>();
        let intervals: IntervalMonthDayNanoArray =
            counts.try_unary::<_, IntervalMonthDayNanoType, ArrowError>(|count| unit.times(count))?;
        answer(add(&at, &intervals)?, is_scalar)
    }
}

/// `timestampdiff(unit, a, b)` and `datediff(unit, a, b)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Interval {
    counts_whole: bool,
    signature: Signature,
    aliases: Vec<String>,
}

impl Interval {
    /// Counts whole intervals.
    pub(super) fn whole() -> Self {
        Self::counting(true, &WHOLE)
    }

    /// Counts boundaries.
    pub(super) fn boundaries() -> Self {
        Self::counting(false, &BOUNDARIES)
    }

    fn counting(counts_whole: bool, names: &[&str]) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { counts_whole, signature, aliases: others(names) }
    }
}

impl ScalarUDFImpl for Interval {
    fn name(&self) -> &str {
        if self.counts_whole { WHOLE[0] } else { BOUNDARIES[0] }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [_, a, b] => Ok(vec![DataType::Utf8, timestamp(a), timestamp(b)]),
            _ => plan_err!("'{}' takes a unit and two timestamps", self.name()),
        }
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Unit::of(self.name(), args.scalar_arguments.first().copied().flatten())?;
        args.arg_fields.iter().skip(1).try_for_each(|field| must_be_timestamp(self.name(), field))?;
        Ok(Arc::new(Field::new(self.name(), DataType::Int64, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (unit, a, b, is_scalar) = operands(self.name(), &args)?;
        let (a, b): (&TimestampMicrosecondArray, &TimestampMicrosecondArray) =
            (a.as_primitive::<TimestampMicrosecondType>(), b.as_primitive::<TimestampMicrosecondType>());
        let count = |(a, b): (Option<i64>, Option<i64>)| match (a, b) {
            (Some(a), Some(b)) if self.counts_whole => unit.whole(a, b).map(Some),
            (Some(a), Some(b)) => unit.boundaries(a, b).map(Some),
            _ => Ok(None),
        };
        let counted = a.iter().zip(b.iter()).map(count).collect::<Result<Int64Array, ArrowError>>()?;
        answer(Arc::new(counted), is_scalar)
    }
}

/// The type in which a timestamp is counted, UTC in microseconds; what is none stays as it is.
fn timestamp(given: &DataType) -> DataType {
    match given {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null => {}
        text if text.is_string() => {}
        other => return other.clone(),
    }
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// Says that an argument is a timestamp. Not where types are chosen: the engine wraps the errors of
/// that in words of its own.
fn must_be_timestamp(function: &str, field: &FieldRef) -> Result<()> {
    match field.data_type() {
        DataType::Timestamp(..) => Ok(()),
        other => plan_err!("'{function}' takes a date or a timestamp, not {other}"),
    }
}

/// The unit and the two other arguments as arrays of one length, and whether each is one value.
fn operands(name: &str, args: &ScalarFunctionArgs) -> Result<(Unit, ArrayRef, ArrayRef, bool)> {
    let [ColumnarValue::Scalar(unit), first, second] = args.args.as_slice() else {
        return plan_err!("the first argument of '{name}' is a unit: {UNITS}");
    };
    let is_scalar = matches!((first, second), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if is_scalar { 1 } else { args.number_rows };
    let (first, second) = (first.to_array(rows)?, second.to_array(rows)?);
    Ok((Unit::of(name, Some(unit))?, first, second, is_scalar))
}

fn answer(values: ArrayRef, is_scalar: bool) -> Result<ColumnarValue> {
    match is_scalar {
        true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)),
        false => Ok(ColumnarValue::Array(values)),
    }
}

/// The names of a function but for the first.
fn others(names: &[&str]) -> Vec<String> {
    names.iter().skip(1).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn at(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc().timestamp_micros()
    }

    fn count(unit: &str, a: &str, b: &str) -> (i64, i64) {
        let (unit, a, b) = (Unit::named(unit).unwrap(), at(a), at(b));
        (unit.whole(a, b).unwrap(), unit.boundaries(a, b).unwrap())
    }

    #[test]
    fn whole_intervals_and_boundaries_differ() {
        let (eve, year) = ("2025-12-31 23:59:59", "2026-01-01 00:00:00");
        for unit in ["minute", "hour", "day", "month", "SQL_TSI_QUARTER", "YEAR"] {
            assert_eq!(count(unit, eve, year), (0, 1), "{unit}");
            assert_eq!(count(unit, year, eve), (-1, -1), "{unit}");
            assert_eq!(count(unit, year, year), (0, 0), "{unit}");
        }
        assert_eq!(count("second", eve, year), (1, 1));
        assert_eq!(count("sql_tsi_frac_second", eve, year), (1_000_000_000, 1_000_000_000));
        assert_eq!(count("month", "2026-01-31 00:00:00", "2026-02-28 00:00:00"), (0, 1));
        assert_eq!(count("year", "1990-06-15 00:00:00", "2026-06-14 23:59:59"), (35, 36));
        // Sunday to Monday.
        assert_eq!(count("week", "2026-03-29 00:00:00", "2026-03-30 00:00:00"), (0, 1));
        assert_eq!(count("week", "2026-03-30 00:00:00", "2026-04-05 23:59:59"), (0, 0));
        assert_eq!(count("week", "1969-12-28 00:00:00", "1969-12-29 00:00:00"), (0, 1));
    }

    #[test]
    fn whole_intervals_added_to_the_start_are_the_last_before_the_end() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
        for _ in 0..2_000 {
            let unit = Unit::named(units[random.random_range(0..units.len())]).unwrap();
            // The first days of months: every month has them.
            let day: i64 = random.random_range(1..=28);
            let start = at(&format!(
                "{}-{:02}-{day:02} 00:00:00",
                random.random_range(1900..2100),
                random.random_range(1..=12)
            )) + random.random_range(0..MICROS_PER_DAY);
            let end = start + random.random_range(-3_000_000_000_000_000..3_000_000_000_000_000);
            let counted = unit.whole(start, end).unwrap();
            let moved = |count: i64| {
                let intervals = IntervalMonthDayNanoArray::from(vec![unit.times(count).unwrap()]);
                let moved = add(&TimestampMicrosecondArray::from(vec![start]), &intervals).unwrap();
                moved.as_primitive::<TimestampMicrosecondType>().value(0)
            };
            assert!(moved(counted) <= end && end < moved(counted + 1), "{unit:?} {start} {end}: {counted}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let unit = |name| Unit::named(name).unwrap();
        assert!(unit("year").times(i64::MAX).is_err());
        assert!(unit("day").times(1 << 40).is_err());
        assert!(unit("frac_second").whole(i64::MIN, i64::MAX).is_err());
        assert!(unit("month").whole(i64::MIN, i64::MAX).is_err());
        assert_eq!(Unit::named("fortnight"), None);
    }
}
