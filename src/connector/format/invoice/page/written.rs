//! Values as people write them on paper: dates, amounts and numbers of several countries.

use crate::connector::format::invoice::decimal::Decimal;
use chrono::NaiveDate;
use regex::Regex;
use std::sync::LazyLock;

/// Days as they are printed; the groups are named `d`, `m`, `y`.
const DATES: [&str; 4] = [
    r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b",
    // The day comes first in Europe; an American date that says otherwise is read wrongly or not at all.
    r"\b(?P<d>\d{1,2})[./-](?P<m>\d{1,2})[./-](?P<y>\d{4}|\d{2})\b",
    r"\b(?P<d>\d{1,2})(?:st|nd|rd|th)?\.?[ -](?P<m>\p{L}{3,9})\.?,?[ -](?P<y>\d{4})\b",
    r"\b(?P<m>\p{L}{3,9})\.? (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})\b",
];

/// The first letters of the months, in English and German.
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän"],
    &["feb"],
    &["mar", "mär", "mrz"],
    &["apr"],
    &["may", "mai"],
    &["jun"],
    &["jul"],
    &["aug"],
    &["sep"],
    &["oct", "okt"],
    &["nov"],
    &["dec", "dez"],
];

/// Digits with their separators, perhaps a sign on either side or brackets.
const AMOUNT: &str = r"(?P<open>\()?(?P<sign>[-−–+]\s?)?(?:[£€$]\s?)?(?P<digits>\d{1,3}(?:[.,' \u{a0}]\d{3})+(?:[.,]\d{2})?|\d+(?:[.,]\d{2})?)\b(?P<behind>-)?";

static DATE: LazyLock<Vec<Regex>> =
    LazyLock::new(|| DATES.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());

static MONEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(AMOUNT).ok());

/// A value as XML would write it, and the text it was read from.
pub(super) type Written<'a> = (String, &'a str);

/// The first day of a text.
pub(super) fn date(text: &str) -> Option<Written<'_>> {
    let days = DATE.iter().filter_map(|pattern| {
        let found = pattern.captures(text)?;
        let day = NaiveDate::from_ymd_opt(year(&found["y"])?, month(&found["m"])?, found["d"].parse().ok()?)?;
        let whole = found.get(0)?;
        Some((whole.start(), (day.format("%Y-%m-%d").to_string(), whole.as_str())))
    });
    days.min_by_key(|(start, _)| *start).map(|(_, day)| day)
}

fn year(digits: &str) -> Option<i32> {
    let year: i32 = digits.parse().ok()?;
    Some(if digits.len() == 2 { 2000 + year } else { year })
}

fn month(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name: String = text.to_lowercase().chars().take(3).collect();
    let at = MONTHS.iter().position(|names| names.contains(&name.as_str()))?;
    u32::try_from(at + 1).ok()
}

/// The first amount of a text. The last separator with two digits behind it is the point, whatever
/// it looks like; before it, separators are between thousands.
pub(super) fn amount(text: &str) -> Option<Written<'_>> {
    let found = MONEY.as_ref()?.captures(text)?;
    let digits = &found["digits"];
    let point = digits.len().checked_sub(3).filter(|at| matches!(digits.as_bytes()[*at], b'.' | b','));
    let (whole, fraction) = digits.split_at(point.unwrap_or(digits.len()));
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let fraction = fraction.get(1..).unwrap_or_default();
    let minus = ["open", "behind"].iter().any(|name| found.name(name).is_some())
        || found.name("sign").is_some_and(|sign| !sign.as_str().starts_with('+'));
    let number = Decimal::parse(&format!("{}{whole}.{fraction}", if minus { "-" } else { "" }))?;
    Some((number.text(2), found.get(0)?.as_str()))
}

#[cfg(test)]
mod tests {
    use super::{amount, date};

    #[test]
    fn days_are_read_as_they_are_printed() {
        for (text, day) in [
            ("vom 05.03.2018", "2018-03-05"),
            ("2018-03-05", "2018-03-05"),
            ("5/3/18", "2018-03-05"),
            ("5 March 2018", "2018-03-05"),
            ("5. März 2018", "2018-03-05"),
            ("1st Dec 2024", "2024-12-01"),
            ("March 5, 2018", "2018-03-05"),
            ("12-Oct-2024", "2024-10-12"),
            ("bis 04.04.2018, 3% Skonto bis 15.03.2018", "2018-04-04"),
        ] {
            assert_eq!(date(text).map(|(day, _)| day).as_deref(), Some(day), "{text}");
        }
        for text in ["31.02.2018", "471102", "no day", "13/13/2013"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_read_as_they_are_printed() {
        for (text, number) in [
            ("473,00", "473.00"),
            ("1.234,56 EUR", "1234.56"),
            ("£1,234.56", "1234.56"),
            ("-50,00", "-50.00"),
            ("(1,234.50)", "-1234.50"),
            ("1,234.50-", "-1234.50"),
            ("1'234.50", "1234.50"),
            ("12 345,00", "12345.00"),
            ("€ 1.234", "1234.00"),
            ("20", "20.00"),
        ] {
            assert_eq!(amount(text).map(|(number, _)| number).as_deref(), Some(number), "{text}");
        }
        assert_eq!(amount("none"), None);
    }
}
