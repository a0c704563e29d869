//! Cells that come with a type of their own: exact, and never by way of a vendor's pattern.

use crate::connector::contract::Column;
use crate::connector::value::moment::{self, DAY_MICROS, Pattern};
use crate::connector::value::number::{self, Digits};
use crate::connector::value::{Cell, Code, Kind, Reader, Reason, Value};

/// The moments that a column's lists name, in microseconds on the source's clock. A contract may
/// serve files and databases: its words are written as the files write them.
#[derive(Debug, Default)]
pub(super) struct Marks {
    null: Vec<i64>,
    open_ended: Vec<i64>,
}

impl Marks {
    /// Reads the lists of `column` by its own patterns and as ISO 8601.
    pub(super) fn new(column: &Column, kind: &Kind) -> Self {
        let patterns = match kind {
            Kind::Date(patterns) | Kind::Timestamp(patterns, _) => patterns.as_slice(),
            _ => return Self::default(),
        };
        let iso = [Pattern::new("%Y-%m-%d"), Pattern::new("%Y-%m-%d %H:%M:%S")];
        let moments = |words: &[String]| -> Vec<i64> {
            let meant =
                |word: &String| patterns.iter().chain(&iso).find_map(|pattern| pattern.moment(word.trim()));
            words.iter().filter_map(meant).collect()
        };
        Self { null: moments(&column.null), open_ended: moments(&column.open_ended) }
    }
}

impl Reader {
    /// Reads a cell that is no text. What its type cannot say is left to its text: a day that is
    /// kept as the number 20240401 is read like the same text.
    pub(super) fn read_typed<'a>(&mut self, cell: Cell<'a>) -> Result<Value<'a>, Reason> {
        let value = match (&self.kind, &cell) {
            (Kind::Date(_) | Kind::Timestamp(..), Cell::Date(_) | Cell::Local(_) | Cell::Instant(_)) => {
                return self.read_moment(cell);
            }
            (Kind::Time(_), Cell::Time(micros)) => return self.read_time(*micros),
            _ if self.has_words => None,
            (Kind::Bool, Cell::Bool(truth)) => Some(Value::Bool(*truth)),
            (Kind::Int, Cell::Int(number)) => Some(Value::Int(*number)),
            (Kind::Int, Cell::Decimal { units, scale }) => {
                let whole = number::rescaled(*units, *scale, Digits { precision: 19, scale: 0 });
                whole.and_then(|whole| i64::try_from(whole).ok()).map(Value::Int)
            }
            (Kind::Decimal(digits, _), Cell::Int(number)) => {
                number::rescaled(i128::from(*number), 0, *digits).map(Value::Decimal)
            }
            (Kind::Decimal(digits, _), Cell::Decimal { units, scale }) => {
                number::rescaled(*units, *scale, *digits).map(Value::Decimal)
            }
            _ => None,
        };
        match value {
            Some(value) => Ok(value),
            None => self.read_text(&cell.text()).map(Value::into_owned),
        }
    }

    /// Reads a day or a moment into a date or a timestamp.
    fn read_moment<'a>(&mut self, cell: Cell<'a>) -> Result<Value<'a>, Reason> {
        let (micros, is_utc) = match cell {
            Cell::Date(days) => (i64::from(days).saturating_mul(DAY_MICROS), false),
            Cell::Local(micros) => (micros, false),
            Cell::Instant(micros) => (micros, true),
            other => return self.read_text(&other.text()).map(Value::into_owned),
        };
        if self.has_words
            && let Some(meant) = self.mark(&cell, micros)
        {
            return meant;
        }
        let code = match &mut self.kind {
            Kind::Date(_) if !is_utc && micros % DAY_MICROS == 0 && moment::is_in_range(micros) => {
                return Ok(Value::Date((micros / DAY_MICROS) as i32));
            }
            Kind::Timestamp(_, clock) if moment::is_in_range(micros) => {
                let utc = if is_utc { Ok(micros) } else { clock.utc_micros(micros) };
                return utc.map(Value::Timestamp).map_err(|unclear| self.unclear_time(&cell.text(), unclear));
            }
            Kind::Timestamp(..) => Code::NotATimestamp,
            _ => Code::NotADate,
        };
        Err(self.refused(code, &cell.text()))
    }

    /// What a moment means by the column's lists, if they say anything about it.
    fn mark<'a>(&self, cell: &Cell<'_>, micros: i64) -> Option<Result<Value<'a>, Reason>> {
        let shown = match (&self.kind, cell) {
            (Kind::Timestamp(_, clock), Cell::Instant(_)) => clock.local_micros(micros),
            _ => micros,
        };
        if self.marks.null.contains(&shown) {
            return Some(self.missing(&cell.clone().text()));
        }
        if self.marks.open_ended.contains(&shown) {
            return self.open_end().map(Ok);
        }
        match self.one_of.is_empty() {
            true => None,
            false => self.word(&cell.clone().text()),
        }
    }

    /// Reads a time of day. A fraction of a second has no place in the lake's form.
    fn read_time<'a>(&self, micros: i64) -> Result<Value<'a>, Reason> {
        let text = moment::iso_time(micros);
        if self.has_words
            && let Some(meant) = self.word(&text)
        {
            return meant;
        }
        match (0..DAY_MICROS).contains(&micros) && micros % 1_000_000 == 0 {
            true => Ok(Value::Text(text.into())),
            false => Err(self.refused(Code::NotATime, &text)),
        }
    }
}
