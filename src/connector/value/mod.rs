//! Cells to typed values, and the reasons why a cell is refused.

mod cell;
pub(crate) mod moment;
pub(crate) mod number;
mod reason;
mod recast;
mod typed;

pub(crate) use cell::{Cell, readable};
pub(crate) use reason::{Code, Reason};
pub(crate) use recast::Unmapped;

use crate::connector::contract::{Column, NumberForm, OPEN_END, Type};
use crate::error::{Error, Result};
use moment::{Clock, Pattern, Unclear};
use number::Digits;
use reason::{excerpt, quoted};
use recast::{Recasted, Recaster};
use std::borrow::Cow;
use typed::Marks;

/// The most text of one cell. More is an unclosed quote or a document, and no value of a table.
const MAX_CELL_BYTES: usize = 8 << 20;

/// A typed value, in the form in which the lake keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// No value.
    Null,
    /// Text, or a time of day as `HH:MM:SS`.
    Text(Cow<'a, str>),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Units of the column's last digit.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
}

/// Reads the cells of one column.
#[derive(Debug)]
pub(crate) struct Reader {
    name: String,
    kind: Kind,
    required: bool,
    one_of: Vec<String>,
    open_ended: Vec<String>,
    null: Vec<String>,
    trim_text: bool,
    /// Whether a text has to be compared with lists before it is read.
    has_words: bool,
    /// The same lists as moments, for cells that are no text.
    marks: Marks,
    /// What is done with a text before; `None` for most columns.
    recaster: Option<Box<Recaster>>,
    /// What stands for no value, if not null.
    default: Option<Value<'static>>,
}

/// A [`Type`], compiled for reading.
#[derive(Debug)]
enum Kind {
    Text,
    Bool,
    Int,
    Decimal(Digits, NumberForm),
    Date(Vec<Pattern>),
    Time(Pattern),
    Timestamp(Vec<Pattern>, Clock),
}

impl Reader {
    /// A reader for `column`; `trim_text` is for layouts that pad text with blanks.
    pub(crate) fn new(column: &Column, trim_text: bool) -> Result<Self> {
        let kind = match &column.ty {
            Type::Text => Kind::Text,
            Type::Bool => Kind::Bool,
            Type::Int => Kind::Int,
            Type::Decimal { precision, scale, form } => {
                Kind::Decimal(digits(&column.name, *precision, *scale)?, *form)
            }
            Type::Date { patterns } => Kind::Date(compiled(patterns)),
            Type::Time { pattern } => Kind::Time(Pattern::new(pattern)),
            Type::Timestamp { patterns, zone } => Kind::Timestamp(compiled(patterns), Clock::new(*zone)),
        };
        let mut reader = Self {
            name: column.name.clone(),
            marks: Marks::new(column, &kind),
            kind,
            required: column.required,
            one_of: column.one_of.clone(),
            open_ended: column.open_ended.clone(),
            null: column.null.clone(),
            trim_text: trim_text || column.recast.trim || !column.one_of.is_empty(),
            has_words: [&column.one_of, &column.open_ended, &column.null].iter().any(|l| !l.is_empty()),
            recaster: Recaster::new(column)?.map(Box::new),
            default: None,
        };
        if let Some(text) = &column.recast.default {
            let default = reader.read_text(text).map_err(|reason| {
                Error::config(format!("the default of column '{}' is no value of it: {reason}", column.name))
            })?;
            reader.default = Some(default.into_owned());
        }
        Ok(reader)
    }

    /// Reads one cell.
    #[inline]
    pub(crate) fn read<'a>(&mut self, cell: Cell<'a>) -> Result<Value<'a>, Reason> {
        match self.recaster.is_some() {
            false => self.read_cell(cell),
            true => self.read_recast(cell),
        }
    }

    /// The codes since the last call that the column's map does not name.
    pub(crate) fn take_unmapped(&mut self) -> Unmapped {
        self.recaster.as_mut().map(|recaster| recaster.take_unmapped()).unwrap_or_default()
    }

    /// Reads a cell of a column that is made of the text of its cells.
    fn read_recast<'a>(&mut self, cell: Cell<'a>) -> Result<Value<'a>, Reason> {
        let Some(mut recaster) = self.recaster.take() else { return self.read_cell(cell) };
        let value = match cell {
            Cell::Null | Cell::Malformed(_) | Cell::Blob(_) => self.read_cell(cell),
            cell => {
                let text = cell.text();
                let taken = recaster.taken(&text);
                let code = taken.trim();
                match code.is_empty() || listed(&self.null, code) {
                    true => self.missing(code),
                    false => match recaster.mapped(code) {
                        Recasted::Text(known) if known == code => {
                            self.read_text(taken).map(Value::into_owned)
                        }
                        Recasted::Text(known) => self.read_text(known).map(Value::into_owned),
                        Recasted::Unknown => {
                            let message = format!("{} is not a code of the column's map", quoted(code));
                            Err(Reason::new(Code::Unmapped, &self.name, message))
                        }
                    },
                }
            }
        };
        let forgives = recaster.forgives;
        self.recaster = Some(recaster);
        match value {
            Err(reason) if forgives && reason.code != Code::Required => self.missing(""),
            value => value,
        }
    }

    fn read_cell<'a>(&mut self, cell: Cell<'a>) -> Result<Value<'a>, Reason> {
        match cell {
            Cell::Null => self.missing(""),
            Cell::Text(Cow::Borrowed(text)) => self.read_text(text),
            Cell::Text(Cow::Owned(text)) => self.read_text(&text).map(Value::into_owned),
            Cell::Malformed(bytes) => {
                let message = format!("\"{}\" has malformed bytes", excerpt(&readable(bytes.trim_ascii())));
                Err(Reason::new(Code::Undecodable, &self.name, message))
            }
            Cell::Blob(bytes) => {
                let message = format!("{} bytes of binary data are not text", bytes.len());
                Err(Reason::new(Code::Undecodable, &self.name, message))
            }
            Cell::Fault(fault) if listed(&self.null, fault) => self.missing(fault),
            Cell::Fault(fault) => {
                Err(Reason::new(Code::NotAccepted, &self.name, format!("the cell shows the error {fault}")))
            }
            typed => self.read_typed(typed),
        }
    }

    fn read_text<'a>(&mut self, text: &'a str) -> Result<Value<'a>, Reason> {
        let trimmed = trimmed(text);
        if trimmed.is_empty() {
            return self.missing(trimmed);
        }
        if self.has_words
            && let Some(meant) = self.word(trimmed)
        {
            return meant;
        }
        match &mut self.kind {
            Kind::Text if text.len() > MAX_CELL_BYTES => {
                let message = format!(
                    "{} MiB of text are more than the {} of a cell",
                    text.len() >> 20,
                    MAX_CELL_BYTES >> 20
                );
                return Err(Reason::new(Code::TooLong, &self.name, message));
            }
            Kind::Text if self.trim_text => Ok(Value::Text(Cow::Borrowed(trimmed))),
            Kind::Text => Ok(Value::Text(Cow::Borrowed(text))),
            Kind::Bool => truth(trimmed).map(Value::Bool).ok_or(Code::NotABool),
            Kind::Int => number::whole(trimmed).map(Value::Int).map_err(Code::from),
            Kind::Decimal(digits, form) => {
                number::decimal(trimmed, *digits, *form).map(Value::Decimal).map_err(Code::from)
            }
            Kind::Date(patterns) => {
                patterns.iter().find_map(|p| p.date(trimmed)).map(Value::Date).ok_or(Code::NotADate)
            }
            Kind::Time(pattern) => {
                pattern.time(trimmed).map(|time| Value::Text(Cow::Owned(time))).ok_or(Code::NotATime)
            }
            Kind::Timestamp(patterns, clock) => match patterns.iter().find_map(|p| p.timestamp(trimmed)) {
                None => Err(Code::NotATimestamp),
                Some(local) => match clock.utc_micros(moment::micros(local)) {
                    Ok(micros) => Ok(Value::Timestamp(micros)),
                    Err(unclear) => return Err(self.unclear_time(trimmed, unclear)),
                },
            },
        }
        .map_err(|code| self.refused(code, trimmed))
    }

    /// What a text means by the column's lists, if they say anything about it.
    fn word<'a>(&self, text: &str) -> Option<Result<Value<'a>, Reason>> {
        if listed(&self.null, text) {
            return Some(self.missing(text));
        }
        if listed(&self.open_ended, text)
            && let Some(end) = self.open_end()
        {
            return Some(Ok(end));
        }
        if self.one_of.is_empty() || self.one_of.iter().any(|known| known == text) {
            return None;
        }
        let message = format!("{} is not one of {}", quoted(text), self.one_of.join(", "));
        Some(Err(Reason::new(Code::NotAccepted, &self.name, message)))
    }

    fn missing<'a>(&self, received: &str) -> Result<Value<'a>, Reason> {
        if let Some(default) = &self.default {
            return Ok(default.clone());
        }
        match (self.required, received) {
            (false, _) => Ok(Value::Null),
            (true, "") => Err(Reason::new(Code::Required, &self.name, "the value is missing")),
            (true, word) => {
                let message = format!("{} stands for no value", quoted(word));
                Err(Reason::new(Code::Required, &self.name, message))
            }
        }
    }

    /// The end of time, for types that have one.
    fn open_end<'a>(&self) -> Option<Value<'a>> {
        let day = moment::days(OPEN_END);
        match self.kind {
            Kind::Date(_) => Some(Value::Date(day)),
            Kind::Timestamp(..) => Some(Value::Timestamp(i64::from(day) * moment::DAY_MICROS)),
            _ => None,
        }
    }

    fn unclear_time(&self, text: &str, unclear: Unclear) -> Reason {
        let zone = match &self.kind {
            Kind::Timestamp(_, clock) => clock.zone().name(),
            _ => "",
        };
        let message = match unclear {
            Unclear::Twice => format!("{} happens twice in {zone}", quoted(text)),
            Unclear::Never => format!("{} never happens in {zone}", quoted(text)),
        };
        Reason::new(Code::AmbiguousTime, &self.name, message)
    }

    fn refused(&self, code: Code, text: &str) -> Reason {
        let text = quoted(text);
        let too_many = code == Code::TooManyDigits;
        let message = match &self.kind {
            Kind::Text => format!("{text} is not text"),
            Kind::Bool => format!("{text} is not Y/N, 1/0, T/F, true/false or yes/no"),
            Kind::Int if too_many => format!("{text} does not fit a whole number of 64 bits"),
            Kind::Int => format!("{text} is not a whole number"),
            Kind::Decimal(Digits { precision, scale }, _) if too_many => {
                format!("{text} does not fit a decimal({precision},{scale})")
            }
            Kind::Decimal(Digits { precision, scale }, _) => {
                format!("{text} is not a decimal({precision},{scale})")
            }
            Kind::Date(patterns) => format!("{text} is not a date written {}", shown(patterns)),
            Kind::Time(pattern) => format!("{text} is not a time written {}", pattern.shown()),
            Kind::Timestamp(patterns, _) => {
                format!("{text} is not a timestamp written {}", shown(patterns))
            }
        };
        Reason::new(code, &self.name, message)
    }
}

impl Value<'_> {
    /// The same value without borrowed text.
    fn into_owned<'b>(self) -> Value<'b> {
        match self {
            Value::Null => Value::Null,
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Date(value) => Value::Date(value),
            Value::Timestamp(value) => Value::Timestamp(value),
        }
    }
}

fn compiled(patterns: &[String]) -> Vec<Pattern> {
    patterns.iter().map(|pattern| Pattern::new(pattern)).collect()
}

/// Patterns as vendors write them.
fn shown(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::shown).collect::<Vec<_>>().join(" or ")
}

fn digits(column: &str, precision: u8, scale: i8) -> Result<Digits> {
    match u8::try_from(scale) {
        Ok(scale) if (1..=38).contains(&precision) && scale <= precision => Ok(Digits { precision, scale }),
        _ => Err(Error::config(format!("column '{column}' has the type decimal({precision},{scale})"))
            .hint("the precision is 1 to 38, the scale 0 to the precision")),
    }
}

/// `text` without the blanks around it. Most cells have none, and two looks tell.
#[inline]
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

fn truth(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match text {
        _ if is(["y", "1", "t", "true"]) || text.eq_ignore_ascii_case("yes") => Some(true),
        _ if is(["n", "0", "f", "false"]) || text.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

fn listed(words: &[String], text: &str) -> bool {
    words.iter().any(|word| word.trim().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests;
