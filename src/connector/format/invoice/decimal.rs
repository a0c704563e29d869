//! Exact numbers of any scale: what an invoice says is added up as it is written, never rounded
//! on the way.

use crate::connector::value::number::render;
use std::cmp::Ordering;

/// The most digits before and behind the point. More is no amount of money, and the products of
/// rules must fit.
const MOST_WHOLE: usize = 15;
const MOST_FRACTION: usize = 9;

/// An exact decimal, in its shortest form: `units / 10^scale`. What does not fit is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    units: i128,
    scale: u8,
}

impl Decimal {
    pub(super) const ZERO: Self = Self { units: 0, scale: 0 };
    pub(super) const ONE: Self = Self { units: 1, scale: 0 };

    /// A number of hundredths.
    pub(super) const fn hundredths(units: i128) -> Self {
        Self { units, scale: 2 }
    }

    /// Reads `-12.50` as `xs:decimal` is written: digits, perhaps a sign, perhaps a point.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_number = digits.bytes().any(|b| b.is_ascii_digit())
            && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if !is_number || whole.len() > MOST_WHOLE || fraction.len() > MOST_FRACTION {
            return None;
        }
        let units: i128 = format!("0{whole}{fraction}").parse().ok()?;
        Some(Self { units: if negative { -units } else { units }, scale: fraction.len() as u8 })
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self { units: self.at(scale)?.checked_add(other.at(scale)?)?, scale }.shortest()
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { units: other.units.checked_neg()?, ..other })
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        let scale = self.scale.checked_add(other.scale)?;
        Self { units: self.units.checked_mul(other.units)?, scale }.shortest()
    }

    /// A hundredth of it.
    pub(super) fn percent(self) -> Option<Self> {
        Some(Self { scale: self.scale.checked_add(2)?, ..self })
    }

    pub(super) fn abs(self) -> Self {
        Self { units: self.units.saturating_abs(), ..self }
    }

    pub(super) fn sum(numbers: impl IntoIterator<Item = Self>) -> Option<Self> {
        numbers.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// Rounded to so many digits, halves upwards: the `round` of XPath.
    pub(super) fn rounded(self, digits: u8) -> Option<Self> {
        let Some(surplus) = self.scale.checked_sub(digits).filter(|surplus| *surplus > 0) else {
            return Some(self);
        };
        let unit = 10i128.checked_pow(u32::from(surplus))?;
        Self { units: self.units.checked_add(unit / 2)?.div_euclid(unit), scale: digits }.shortest()
    }

    /// The quotient to so many digits, cut off: to be shown. Rules multiply instead.
    pub(super) fn over(self, other: Self, digits: u8) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let unit = 10i128.checked_pow(u32::from(digits))?;
        let units = self.at(scale)?.checked_mul(unit)?.checked_div(other.at(scale)?)?;
        Self { units, scale: digits }.shortest()
    }

    /// The text with at least so many digits behind the point.
    pub(super) fn text(self, digits: u8) -> String {
        match self.at(digits.max(self.scale)) {
            Some(units) => render(units, digits.max(self.scale)),
            None => render(self.units, self.scale),
        }
    }

    fn at(self, scale: u8) -> Option<i128> {
        self.units.checked_mul(10i128.checked_pow(u32::from(scale.checked_sub(self.scale)?))?)
    }

    fn shortest(mut self) -> Option<Self> {
        while self.scale > 0 && self.units % 10 == 0 {
            self = Self { units: self.units / 10, scale: self.scale - 1 };
        }
        Some(self)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let scale = self.scale.max(other.scale);
        Some(self.at(scale)?.cmp(&other.at(scale)?))
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_what_is_written() {
        for (text, shown) in
            [("10", "10.00"), ("-0.50", "-0.50"), ("+1.2345", "1.2345"), (".5", "0.50"), ("007", "7.00")]
        {
            assert_eq!(number(text).text(2), shown);
        }
        assert_eq!(number("10.00"), number("10"));
        for text in
            ["", "-", ".", "1,5", "1e3", "NaN", "1 0", "1234567890123456", "0.1234567891", "--1", "1.2.3"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn halves_go_up_as_xpath_rounds_them() {
        for (text, digits, rounded) in [
            ("1.005", 2, "1.01"),
            ("-1.005", 2, "-1.00"),
            ("2.5", 0, "3"),
            ("-2.5", 0, "-2"),
            ("1.004", 2, "1.00"),
            ("7", 2, "7"),
        ] {
            assert_eq!(number(text).rounded(digits), Decimal::parse(rounded), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        let large = number("999999999999999.999999999");
        assert_eq!(large.times(large), None);
        assert!(large.plus(large).is_some());
        assert_eq!(Decimal::ONE.over(Decimal::ZERO, 2), None);
    }
}
