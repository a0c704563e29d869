//! Values of JSON as cells. Numbers keep every digit that was written: they never become floats.

use crate::connector::contract::Type;
use crate::connector::value::Cell;
use chrono::DateTime;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The largest exponent that is written out. No column holds more digits.
const MOST_EXPONENT: i64 = 60;

/// The cell of a value for a column of this type.
pub(super) fn cell<'a>(value: &'a RawValue, ty: &Type) -> Cell<'a> {
    let text = value.get();
    match text.as_bytes()[0] {
        b'n' => Cell::Null,
        b't' => Cell::Bool(true),
        b'f' => Cell::Bool(false),
        b'"' => string(text, ty),
        b'{' | b'[' => Cell::Text(Cow::Owned(compact(text))),
        _ => Cell::Text(plain(text)),
    }
}

fn string<'a>(quoted: &'a str, ty: &Type) -> Cell<'a> {
    let text = match quoted.contains('\\') {
        false => Cow::Borrowed(&quoted[1..quoted.len() - 1]),
        true => match serde_json::from_str::<String>(quoted) {
            Ok(text) => Cow::Owned(text),
            // Half of a surrogate pair.
            Err(_) => return Cell::Malformed(quoted.as_bytes()),
        },
    };
    // An instant that says its offset needs no pattern and no zone.
    let instant = matches!(ty, Type::Timestamp { .. }).then(|| DateTime::parse_from_rfc3339(text.trim()));
    match instant {
        Some(Ok(instant)) => Cell::Instant(instant.timestamp_micros()),
        _ => Cell::Text(text),
    }
}

/// An array or object without the blanks between its parts.
fn compact(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let kept = |char: &char| {
        match char {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        in_string || !char.is_ascii_whitespace()
    };
    text.chars().filter(kept).collect()
}

/// A number as plain digits: `1.25E3` is `1250`, exactly. Beyond any column it stays as it is.
fn plain(number: &str) -> Cow<'_, str> {
    let Some((mantissa, exponent)) = number.split_once(['e', 'E']) else { return Cow::Borrowed(number) };
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|e| e.abs() <= MOST_EXPONENT) else {
        return Cow::Borrowed(number);
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = whole.len() as i64 + exponent;
    let digits = format!("{whole}{fraction}");
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = digits.len() as i64;
    Cow::Owned(match point {
        point if point <= 0 => format!("{sign}0.{}{digits}", zeros(-point)),
        point if point >= length => format!("{sign}{digits}{}", zeros(point - length)),
        point => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
            format!("{sign}{whole}.{fraction}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, ty: &Type) -> String {
        let value: &RawValue = serde_json::from_str(json).unwrap();
        format!("{:?}", cell(value, ty))
    }

    #[test]
    fn numbers_keep_every_digit() {
        for (json, expect) in [
            ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
            ("0.10", "0.10"),
            ("-0", "-0"),
            ("1.25E3", "1250"),
            ("1.25e+1", "12.5"),
            ("-125e-2", "-1.25"),
            ("1E-3", "0.001"),
            ("12e-2", "0.12"),
            ("1e999999999999", "1e999999999999"),
        ] {
            assert_eq!(shown(json, &Type::Text), format!("Text({expect:?})"), "{json}");
        }
    }

    #[test]
    fn other_values_are_what_they_say() {
        assert_eq!(shown("null", &Type::Text), "Null");
        assert_eq!(shown("true", &Type::Text), "Bool(true)");
        assert_eq!(shown(r#""a\u00e9\n\"b""#, &Type::Text), r#"Text("aé\n\"b")"#);
        assert_eq!(
            shown(r#"{ "a" : [ 1 , "b c\" d" ] }"#, &Type::Text),
            r#"Text("{\"a\":[1,\"b c\\\" d\"]}")"#
        );
        assert!(shown(r#""\ud800""#, &Type::Text).starts_with("Malformed"));
    }

    #[test]
    fn an_instant_with_its_offset_needs_no_pattern() {
        let ty = Type::Timestamp { patterns: Vec::new(), zone: chrono_tz::Tz::Europe__London };
        assert_eq!(shown("\"1970-01-01T01:00:00.5+01:00\"", &ty), "Instant(500000)");
        assert_eq!(shown("\"1970-01-01T00:00:00Z\"", &ty), "Instant(0)");
        assert_eq!(shown("\"1970-01-01T00:00:00\"", &ty), "Text(\"1970-01-01T00:00:00\")");
        assert_eq!(shown("\"1970-01-01T00:00:00Z\"", &Type::Text), "Text(\"1970-01-01T00:00:00Z\")");
    }
}
