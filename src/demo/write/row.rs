//! One row of text cells, reused for every row of a table.

use crate::demo::calendar::{self, Day, Minute, Style};
use std::fmt::Write;

/// The cells of one row, in the order of its layout.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    text: String,
    ends: Vec<usize>,
}

impl Row {
    /// Forgets the cells.
    pub(super) fn clear(&mut self) -> &mut Self {
        self.text.clear();
        self.ends.clear();
        self
    }

    /// The cells in order.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    /// The cell at `position`.
    pub(super) fn cell(&self, position: usize) -> &str {
        let start = if position == 0 { 0 } else { self.ends[position - 1] };
        &self.text[start..self.ends[position]]
    }

    /// The number of cells.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn end(&mut self) -> &mut Self {
        self.ends.push(self.text.len());
        self
    }

    /// A text.
    pub(super) fn text(&mut self, cell: &str) -> &mut Self {
        self.text.push_str(cell);
        self.end()
    }

    /// No value.
    pub(super) fn blank(&mut self) -> &mut Self {
        self.end()
    }

    /// `Y` or `N`.
    pub(super) fn flag(&mut self, cell: bool) -> &mut Self {
        self.text(if cell { "Y" } else { "N" })
    }

    /// A whole number.
    pub(super) fn int(&mut self, cell: i64) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{cell}");
        self.end()
    }

    /// A decimal given in units of its last digit.
    pub(super) fn decimal(&mut self, units: i64, scale: u32) -> &mut Self {
        push_decimal(&mut self.text, i128::from(units), scale);
        self.end()
    }

    /// An amount in pence, `1234.50`.
    pub(super) fn money(&mut self, pence: i64) -> &mut Self {
        self.decimal(pence, 2)
    }

    /// An amount in pence as ledgers print it, `1,234.50-`; every seventh negative in brackets,
    /// because both are found in the same report.
    pub(super) fn ledger(&mut self, pence: i64) -> &mut Self {
        let mut plain = String::new();
        push_decimal(&mut plain, i128::from(pence.abs()), 2);
        let whole = plain.len() - 3;
        let brackets = pence < 0 && pence % 7 == 0;
        if brackets {
            self.text.push('(');
        }
        for (n, digit) in plain.chars().enumerate() {
            if n > 0 && n < whole && (whole - n).is_multiple_of(3) {
                self.text.push(',');
            }
            self.text.push(digit);
        }
        match (pence < 0, brackets) {
            (true, true) => self.text.push(')'),
            (true, false) => self.text.push('-'),
            _ => {}
        }
        self.end()
    }

    /// A day.
    pub(super) fn day(&mut self, day: Day, style: Style) -> &mut Self {
        calendar::push_day(&mut self.text, day, style);
        self.end()
    }

    /// A day, or what the system writes for "open".
    pub(super) fn day_or(&mut self, day: Option<Day>, style: Style, open: &str) -> &mut Self {
        match day {
            Some(day) => self.day(day, style),
            None => self.text(open),
        }
    }

    /// A local time with seconds.
    pub(super) fn time(&mut self, time: Minute, style: Style) -> &mut Self {
        calendar::push_time(&mut self.text, time, style, true);
        self.end()
    }

    /// A local time to the minute, or nothing.
    pub(super) fn minute(&mut self, time: Option<Minute>, style: Style) -> &mut Self {
        if let Some(time) = time {
            calendar::push_time(&mut self.text, time, style, false);
        }
        self.end()
    }

    /// A local time with seconds, or nothing.
    pub(super) fn time_or(&mut self, time: Option<Minute>, style: Style) -> &mut Self {
        match time {
            Some(time) => self.time(time, style),
            None => self.blank(),
        }
    }
}

/// Writes a decimal given in units of its last digit.
pub(super) fn push_decimal(out: &mut String, units: i128, scale: u32) {
    let one = 10i128.pow(scale);
    let sign = if units < 0 { "-" } else { "" };
    let (whole, rest) = (units.abs() / one, units.abs() % one);
    // Writing to a string cannot fail.
    let _ = match scale {
        0 => write!(out, "{sign}{whole}"),
        _ => write!(out, "{sign}{whole}.{rest:0width$}", width = scale as usize),
    };
}

/// A decimal given in units of its last digit, as text.
pub(in crate::demo) fn decimal_text(units: i64, scale: u32) -> String {
    let mut out = String::new();
    push_decimal(&mut out, i128::from(units), scale);
    out
}

/// Reads a cell as units of its last digit: plain, or as ledgers print it. `None` when it is not
/// a number or has more digits than `scale`.
pub(super) fn parse_decimal(cell: &str, scale: u32) -> Option<i128> {
    let cell = cell.trim();
    let negative = cell.starts_with(['-', '(']) || cell.ends_with('-');
    let digits = cell.trim_matches(['-', '(', ')']);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || rest.len() > scale as usize {
        return None;
    }
    let mut units = 0i128;
    for c in whole.chars().filter(|&c| c != ',').chain(rest.chars()) {
        units = units.checked_mul(10)?.checked_add(i128::from(c.to_digit(10)?))?;
    }
    units = units.checked_mul(10i128.pow(scale - rest.len() as u32))?;
    Some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_and_read_in_every_form() {
        let mut row = Row::default();
        row.money(-123_456_750).ledger(123_456_750).ledger(-123_456_751).ledger(-700).ledger(5).int(-7);
        let cells: Vec<&str> = row.cells().collect();
        assert_eq!(cells, ["-1234567.50", "1,234,567.50", "1,234,567.51-", "(7.00)", "0.05", "-7"]);
        let read: Vec<_> = cells.iter().map(|c| parse_decimal(c, 2)).collect();
        let expect = [-123_456_750, 123_456_750, -123_456_751, -700, 5, -700].map(Some);
        assert_eq!(read, expect);
        assert_eq!(row.cell(3), "(7.00)");
        for text in ["", "1O0.00", "1.234", "abc"] {
            assert_eq!(parse_decimal(text, 2), None, "{text}");
        }
    }
}
