//! What is asked of a table besides its rows: which of them, how many, what they add up to, and
//! the upper bound of what is read.

use crate::connector::Span;
use crate::connector::contract::{Column, Contract, NumberForm, Recast, Type};
use crate::connector::cursor::{self, Bound, Ends, INSTANT};
use crate::connector::rows::Control;
use crate::connector::value::number::{self, Digits};
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDateTime, Utc};

/// What a column of a database holds, as far as counting and cursors care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Exact numbers.
    Number,
    /// Days.
    Day,
    /// Days and times without a zone.
    Local,
    /// Instants.
    Instant,
    /// Anything else.
    Other,
}

/// How a database writes what its standard leaves open.
#[derive(Debug)]
pub(super) struct Dialect {
    /// An expression as text.
    pub(super) text: fn(&str) -> String,
    /// A moment, given as `2026-03-29 01:30:00.000000`, for a column of that shape.
    pub(super) moment: fn(&str, Shape) -> String,
    /// The first moment of the next day.
    pub(super) day_after: fn(&str) -> String,
}

/// A column of the contract in the database: its quoted name, unless it is missing, and its shape.
pub(super) type Place = (Option<String>, Shape);

/// The questions about one table.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The condition of the rows that are read; `None`: all of them.
    pub(super) condition: Option<String>,
    /// The upper bound by the source's clock.
    high: Option<String>,
    /// The int column whose highest value is the upper bound.
    highest_of: Option<String>,
    /// The columns to add up: their places in the contract, and their names.
    summed: Vec<(usize, String)>,
}

impl Asked {
    /// Asks for the rows of `span`; `now` is the source's clock, and `places` belong to the
    /// contract's columns.
    pub(super) fn new(
        contract: &Contract,
        places: &[Place],
        span: &Span,
        now: DateTime<Utc>,
        dialect: &Dialect,
    ) -> Result<Self> {
        let summed = contract.columns.iter().zip(places).enumerate().filter_map(|(at, (column, place))| {
            let (Some(name), Shape::Number) = place else { return None };
            is_summed(contract, column).then(|| (at, name.clone()))
        });
        let mut asked = Self { summed: summed.collect(), ..Self::default() };
        let Some(cursor) = cursor::column(contract) else { return Ok(asked) };
        let at = contract.columns.iter().position(|column| column.name == cursor.name);
        let Some((Some(name), shape)) = at.and_then(|at| places.get(at)) else {
            let message = format!("the table has no column for the cursor '{}'", cursor.name);
            return Err(Error::contract(message));
        };
        let ends = Ends::of(span, cursor)?;
        match (&cursor.ty, shape) {
            (Type::Int, Shape::Number) => asked.highest_of = Some(name.clone()),
            (Type::Date { .. } | Type::Timestamp { .. }, Shape::Day | Shape::Local | Shape::Instant) => {}
            _ => return Err(unfit(cursor)),
        }
        let now = cursor::reading(now, contract, cursor, *shape == Shape::Instant);
        if asked.highest_of.is_none() {
            asked.high = Some(cursor::written(now, cursor));
        }
        if matches!(span, Span::Between(..)) {
            (asked.high, asked.highest_of) = (None, None);
        }
        asked.condition = ends.map(|ends| match (ends.low, ends.top) {
            (Bound::Number(low), Some(Bound::Number(top))) => {
                format!("({name} >= {low} and {name} <= {top})")
            }
            (Bound::Number(low), _) => format!("({name} >= {low} or {name} is null)"),
            (Bound::Moment(low), top) => {
                let (now, or_none) = match top {
                    Some(Bound::Moment(top)) => (top.min(now), String::new()),
                    _ => (now, format!(" or {name} is null")),
                };
                let written = |moment: NaiveDateTime| moment.format(INSTANT).to_string();
                let below = match (&cursor.ty, shape) {
                    // Every moment of the last day.
                    (Type::Date { .. }, Shape::Local | Shape::Instant) => {
                        format!("< {}", (dialect.day_after)(&written(now)))
                    }
                    _ => format!("<= {}", (dialect.moment)(&written(now), *shape)),
                };
                let low = (dialect.moment)(&written(low), *shape);
                format!("({name} >= {low} and {name} {below}{or_none})")
            }
        });
        Ok(asked)
    }

    /// The condition as the end of a query.
    pub(super) fn filter(&self) -> String {
        self.condition.as_ref().map(|condition| format!(" where {condition}")).unwrap_or_default()
    }

    /// What to select for [`Asked::answered`], as texts.
    pub(super) fn counts(&self, dialect: &Dialect) -> String {
        let sums = self.summed.iter().map(|(_, name)| format!("sum({name})"));
        let highest = self.highest_of.iter().map(|name| format!("max({name})"));
        let counts = std::iter::once("count(*)".to_string()).chain(sums).chain(highest);
        counts.map(|count| (dialect.text)(&count)).collect::<Vec<_>>().join(", ")
    }

    /// The source's own count and sums, and the upper bound.
    pub(super) fn answered(
        self,
        contract: &Contract,
        mut answers: Vec<Option<String>>,
    ) -> (Control, Option<String>) {
        let highest = |text: String| number::whole(&text).ok().map(|highest| highest.to_string());
        let high = match self.highest_of {
            Some(_) => answers.pop().flatten().and_then(highest),
            None => self.high,
        };
        let mut answers = answers.into_iter();
        let rows = answers.next().flatten().and_then(|rows| rows.parse().ok());
        let mut control = Control { rows, ..Control::default() };
        for ((at, _), sum) in self.summed.iter().zip(answers) {
            let column = &contract.columns[*at];
            let scale = match column.ty {
                Type::Decimal { scale, .. } => u8::try_from(scale).unwrap_or(0),
                _ => 0,
            };
            let digits = Digits { precision: 38, scale };
            // A sum that is no number of the contract's shape is compared with nothing.
            if let Ok(sum) = number::decimal(sum.as_deref().unwrap_or("0"), digits, NumberForm::Plain) {
                control.sums.insert(column.name.clone(), sum);
            }
        }
        (control, high)
    }
}

/// Whether the source can add a column up to what arrives here. A number that stands for no value or
/// for another counts there, and not here; a row that is left out does, too.
pub(super) fn is_summed(contract: &Contract, column: &Column) -> bool {
    let is_same = column.null.is_empty() && column.recast == Recast::default();
    is_same && contract.skip.is_empty() && contract.totals.contains(&column.name)
}

fn unfit(cursor: &Column) -> Error {
    let wanted = if cursor.ty == Type::Int { "a whole number" } else { "a date or a timestamp" };
    Error::config(format!("the cursor '{}' is not {wanted} in the database", cursor.name))
        .hint("choose a column whose type in the database is that of the contract")
}
