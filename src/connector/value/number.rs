//! Numbers as text: exact, never rounded.

use crate::connector::contract::NumberForm;

/// Why a text is not a number of the wanted shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not a number in the column's form.
    NotANumber,
    /// A number that does not fit the column's digits.
    TooManyDigits,
}

/// The digits a decimal may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    /// All digits, 1 to 38.
    pub(crate) precision: u8,
    /// Digits behind the point, 0 to `precision`.
    pub(crate) scale: u8,
}

/// Reads a decimal as an integer of units of `10^-scale`. Zeros beyond the scale are accepted;
/// any other digit that does not fit is refused.
pub(crate) fn decimal(text: &str, digits: Digits, form: NumberForm) -> Result<i128, Fault> {
    match short_decimal(text.as_bytes(), digits) {
        Some(units) => Ok(i128::from(units)),
        None => any_decimal(text.as_bytes(), digits, form),
    }
}

/// Reads whatever is a decimal in this form.
fn any_decimal(text: &[u8], digits: Digits, form: NumberForm) -> Result<i128, Fault> {
    let (negative, body) = sign(text, form)?;
    let point = body.iter().position(|b| *b == b'.').unwrap_or(body.len());
    let (whole, fraction) = (&body[..point], body.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && fraction.is_empty() {
        return Err(Fault::NotANumber);
    }
    let grouped = match form {
        NumberForm::Ledger => whole.contains(&b','),
        NumberForm::Plain => false,
    };
    let readable = if grouped { well_grouped(whole) } else { whole.iter().all(u8::is_ascii_digit) };
    if !readable || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(Fault::NotANumber);
    }
    let whole = without_leading_zeros(whole);
    let fraction = without_trailing_zeros(fraction);
    let scale = usize::from(digits.scale);
    let whole_digits = whole.iter().filter(|b| **b != b',').count();
    if whole_digits + scale > usize::from(digits.precision) || fraction.len() > scale {
        return Err(Fault::TooManyDigits);
    }
    let magnitude = magnitude(whole, fraction, scale, whole_digits + scale);
    Ok(if negative { -magnitude } else { magnitude })
}

/// Reads a whole number of 64 bits. A fraction of zeros is accepted, any other is not a number.
pub(crate) fn whole(text: &str) -> Result<i64, Fault> {
    let digits = Digits { precision: 19, scale: 0 };
    match decimal(text, digits, NumberForm::Plain) {
        Ok(number) => i64::try_from(number).map_err(|_| Fault::TooManyDigits),
        Err(Fault::TooManyDigits) if has_fraction(text) => Err(Fault::NotANumber),
        Err(fault) => Err(fault),
    }
}

/// The same number in the units of `digits`; `None` when it does not fit them exactly.
pub(crate) fn rescaled(units: i128, scale: u8, digits: Digits) -> Option<i128> {
    let units = match scale.checked_sub(digits.scale) {
        None | Some(0) => units.checked_mul(10i128.checked_pow(u32::from(digits.scale - scale))?)?,
        Some(_) if units == 0 => 0,
        Some(surplus) => {
            let unit = 10i128.checked_pow(u32::from(surplus))?;
            (units % unit == 0).then_some(units / unit)?
        }
    };
    (units.unsigned_abs() < 10u128.pow(u32::from(digits.precision))).then_some(units)
}

/// Writes units of `10^-scale` as plain decimal text with all digits of the scale.
pub(crate) fn render(units: i128, scale: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

/// The usual case: at most 18 digits, perhaps a minus, and none behind the scale.
fn short_decimal(bytes: &[u8], digits: Digits) -> Option<i64> {
    let (negative, body) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    if body.len() > 18 {
        return None;
    }
    let (mut units, mut count, mut point) = (0i64, 0, None);
    for byte in body {
        match byte {
            b'0'..=b'9' => {
                units = units * 10 + i64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    let fraction = point.map_or(0, |point| count - point);
    let padding = usize::from(digits.scale).checked_sub(fraction)?;
    if count == 0 || count + padding > usize::from(digits.precision).min(18) {
        return None;
    }
    let units = units * 10i64.pow(padding as u32);
    Some(if negative { -units } else { units })
}

fn has_fraction(text: &str) -> bool {
    text.split_once('.').is_some_and(|(_, fraction)| fraction.bytes().any(|b| b != b'0'))
}

/// Cuts the sign off: a leading one in every form; a trailing minus or brackets in ledgers.
fn sign(bytes: &[u8], form: NumberForm) -> Result<(bool, &[u8]), Fault> {
    match (bytes, form) {
        ([b'-', rest @ ..], _) => Ok((true, rest)),
        ([b'+', rest @ ..], _) => Ok((false, rest)),
        ([rest @ .., b'-'], NumberForm::Ledger) => Ok((true, rest)),
        ([b'(', inner @ .., b')'], NumberForm::Ledger) => Ok((true, inner.trim_ascii())),
        ([], _) => Err(Fault::NotANumber),
        _ => Ok((false, bytes)),
    }
}

/// Whether a whole part has thousands as ledgers write them: `1,234,567`, never `12,34`.
fn well_grouped(whole: &[u8]) -> bool {
    whole.split(|b| *b == b',').enumerate().all(|(at, group)| {
        let fits = if at == 0 { (1..=3).contains(&group.len()) } else { group.len() == 3 };
        fits && group.iter().all(u8::is_ascii_digit)
    })
}

fn without_leading_zeros(whole: &[u8]) -> &[u8] {
    let first = whole.iter().position(|b| *b != b'0' && *b != b',').unwrap_or(whole.len());
    &whole[first..]
}

fn without_trailing_zeros(fraction: &[u8]) -> &[u8] {
    let end = fraction.iter().rposition(|b| *b != b'0').map_or(0, |at| at + 1);
    &fraction[..end]
}

/// Adds the digits up; `size` of them at most, which is 38 at most, so nothing overflows.
fn magnitude(whole: &[u8], fraction: &[u8], scale: usize, size: usize) -> i128 {
    let padding = scale - fraction.len();
    let digits = whole.iter().chain(fraction).filter(|b| **b != b',').map(|b| b - b'0');
    if size <= 18 {
        // 64-bit arithmetic is several times faster than 128-bit, and money fits.
        let units = digits.fold(0i64, |sum, digit| sum * 10 + i64::from(digit));
        return i128::from(units * 10i64.pow(padding as u32));
    }
    let units = digits.fold(0i128, |sum, digit| sum * 10 + i128::from(digit));
    units * 10i128.pow(padding as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fault::*;
    use NumberForm::*;

    fn check(text: &str, form: NumberForm, precision: u8, scale: u8, expect: Result<i128, Fault>) {
        assert_eq!(decimal(text, Digits { precision, scale }, form), expect, "{text:?} as {form:?}");
    }

    #[test]
    fn plain_decimals_are_exact() {
        check("0", Plain, 9, 4, Ok(0));
        check("-0.00", Plain, 9, 4, Ok(0));
        check("1", Plain, 9, 4, Ok(10_000));
        check("1.", Plain, 9, 4, Ok(10_000));
        check(".5", Plain, 9, 4, Ok(5_000));
        check("+1.25", Plain, 9, 4, Ok(12_500));
        check("-1234.50", Plain, 18, 2, Ok(-123_450));
        check("000012345.1", Plain, 9, 4, Ok(123_451_000));
        check("99999.9999", Plain, 9, 4, Ok(999_999_999));
        check("1.50000000000000000000000000000000000000000000", Plain, 9, 4, Ok(15_000));
    }

    /// What is read the short way is what is read the long way: every text of up to six characters.
    #[test]
    fn the_usual_case_is_no_case_of_its_own() {
        const LETTERS: &[u8] = b"019.-+,";
        let shapes = [(9, 4), (3, 2), (2, 2), (5, 0), (38, 20)];
        let mut texts = vec![String::new()];
        let mut from = 0;
        for _ in 0..6 {
            let behind = texts.len();
            for at in from..behind {
                let longer = LETTERS.iter().map(|letter| format!("{}{}", texts[at], char::from(*letter)));
                texts.extend(longer.collect::<Vec<_>>());
            }
            from = behind;
        }
        let long = ["0".repeat(17), "9".repeat(18), "9".repeat(19), format!("-{}.5", "9".repeat(17))];
        let mut short = 0;
        for text in texts.iter().chain(&long) {
            for (precision, scale) in shapes {
                let digits = Digits { precision, scale };
                for form in [Plain, Ledger] {
                    let expect = any_decimal(text.as_bytes(), digits, form);
                    assert_eq!(decimal(text, digits, form), expect, "{text:?} as {digits:?}, {form:?}");
                }
                short += u64::from(short_decimal(text.as_bytes(), digits).is_some());
            }
        }
        assert!(short > 1_000, "{short} of them are read the short way");
    }

    #[test]
    fn digits_that_do_not_fit_are_refused_not_rounded() {
        check("100000", Plain, 9, 4, Err(TooManyDigits));
        check("0.00001", Plain, 9, 4, Err(TooManyDigits));
        check("84421.84999999999", Plain, 18, 2, Err(TooManyDigits));
        check("5", Plain, 2, 2, Err(TooManyDigits));
        let nines = "9".repeat(38);
        check(&nines, Plain, 38, 0, Ok(10i128.pow(38) - 1));
        check(&format!("-{nines}"), Plain, 38, 0, Ok(1 - 10i128.pow(38)));
        check(&format!("{nines}9"), Plain, 38, 0, Err(TooManyDigits));
        check(&format!("0.{nines}"), Plain, 38, 38, Ok(10i128.pow(38) - 1));
        check(&"9".repeat(1_000_000), Plain, 38, 0, Err(TooManyDigits));
    }

    #[test]
    fn other_texts_are_not_numbers() {
        for text in [
            "", "-", "+", ".", "-.", "1.O", "1e5", "1E+07", "1 000", "1.2.3", "0x1", "£5", "--1", "٣", "1-",
            "-1-",
        ] {
            check(text, Plain, 18, 2, Err(NotANumber));
        }
        for text in ["1,234.50", "(1.00)", "1.00-"] {
            check(text, Plain, 18, 2, Err(NotANumber));
        }
    }

    #[test]
    fn ledgers_write_thousands_brackets_and_trailing_minus() {
        check("1,234.50-", Ledger, 18, 2, Ok(-123_450));
        check("(1,234.50)", Ledger, 18, 2, Ok(-123_450));
        check("( 1,234.50 )", Ledger, 18, 2, Ok(-123_450));
        check("1,234.50", Ledger, 18, 2, Ok(123_450));
        check("-1,234.50", Ledger, 18, 2, Ok(-123_450));
        check("1234.5", Ledger, 18, 2, Ok(123_450));
        check("12,345,678", Ledger, 18, 2, Ok(1_234_567_800));
        check("000,001.00", Ledger, 18, 2, Ok(100));
        for text in
            ["1,23.4", "1,2345", ",234", "1,", "1,,234", "1.234,50", "(1", "1)", "(-1)-", "()", "-", "1.2,3"]
        {
            check(text, Ledger, 18, 2, Err(NotANumber));
        }
        check("1,000,000", Ledger, 6, 2, Err(TooManyDigits));
    }

    #[test]
    fn whole_numbers_have_64_bits() {
        for (text, expect) in [
            ("0", Ok(0)),
            ("-7", Ok(-7)),
            ("+7", Ok(7)),
            ("007", Ok(7)),
            ("37.0", Ok(37)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(TooManyDigits)),
            ("99999999999999999999", Err(TooManyDigits)),
            ("1.5", Err(NotANumber)),
            ("O", Err(NotANumber)),
            ("", Err(NotANumber)),
        ] {
            assert_eq!(whole(text), expect, "{text:?}");
        }
    }

    #[test]
    fn numbers_change_their_scale_exactly_or_not_at_all() {
        let check = |units, scale, precision, to, expect| {
            assert_eq!(rescaled(units, scale, Digits { precision, scale: to }), expect, "{units} {scale}");
        };
        check(150, 2, 9, 4, Some(15_000));
        check(-150, 2, 9, 1, Some(-15));
        check(155, 2, 9, 1, None);
        check(0, 255, 9, 1, Some(0));
        check(1, 255, 9, 1, None);
        check(99_999, 0, 5, 0, Some(99_999));
        check(100_000, 0, 5, 0, None);
        check(5, 0, 2, 2, None);
        check(10i128.pow(38) - 1, 0, 38, 0, Some(10i128.pow(38) - 1));
        check(i128::MIN, 0, 38, 0, None);
        check(i128::MAX, 0, 38, 2, None);
    }

    #[test]
    fn sums_are_shown_with_their_scale() {
        for (units, scale, expect) in
            [(0, 2, "0.00"), (5, 2, "0.05"), (-123_450, 2, "-1234.50"), (7, 0, "7"), (-7, 0, "-7")]
        {
            assert_eq!(render(units, scale), expect);
        }
    }
}
