//! What the record of statements shows of a text and its parameters: enough to judge what was
//! asked, and never so much that asking fills the disk.

use datafusion::scalar::ScalarValue;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The most bytes of a text, and of the parameters, that are kept.
const MAX_BYTES: usize = 64 << 10;

/// The most bytes of one parameter that are kept.
const MAX_VALUE_BYTES: usize = 4 << 10;

/// `text`, or its beginning with its length and what identifies it.
pub(super) fn text(text: &str) -> String {
    if text.len() <= MAX_BYTES {
        return text.to_string();
    }
    let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} … ({} bytes, sha-256 {digest})", beginning(text, MAX_BYTES), text.len())
}

/// The rows of parameters as a JSON list of lists; `None` without any. What is left out is
/// announced by a text in the place of a row.
pub(super) fn parameters(rows: &[Vec<ScalarValue>]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let mut left = MAX_BYTES;
    let mut shown = Vec::new();
    for row in rows {
        let mut values = Vec::new();
        for scalar in row {
            let value = value(scalar);
            let size = value.to_string().len() + 1;
            if size > left {
                shown.push(Value::Array(values));
                shown.push(format!("… ({} rows of {} values)", rows.len(), row.len()).into());
                return Some(Value::Array(shown).to_string());
            }
            left -= size;
            values.push(value);
        }
        // Rows take space even when they are empty.
        left = left.saturating_sub(3);
        shown.push(Value::Array(values));
    }
    Some(Value::Array(shown).to_string())
}

fn value(scalar: &ScalarValue) -> Value {
    if scalar.is_null() {
        return Value::Null;
    }
    let text = scalar.to_string();
    match scalar {
        ScalarValue::Boolean(Some(flag)) => Value::Bool(*flag),
        _ if scalar.data_type().is_integer() => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        _ if text.len() > MAX_VALUE_BYTES => {
            format!("{} … ({} bytes)", beginning(&text, MAX_VALUE_BYTES), text.len()).into()
        }
        _ => text.into(),
    }
}

/// At most `bytes` of `text`, whole characters.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_long_text_is_cut_and_identified() {
        assert_eq!(text("select 1"), "select 1");
        let long = "é".repeat(40_000);
        let shown = text(&long);
        assert!(shown.len() < 66_000);
        expect![" … (80000 bytes, sha-256 "].assert_eq(&shown.trim_start_matches('é')[..27]);
    }

    #[test]
    fn parameters_are_a_list_of_rows() {
        assert_eq!(parameters(&[]), None);
        let row = vec![
            ScalarValue::from("beds"),
            ScalarValue::from(7_i64),
            ScalarValue::Utf8(None),
            ScalarValue::from(true),
            ScalarValue::Decimal128(Some(150), 18, 2),
        ];
        expect![[r#"[["beds",7,null,true,"1.50"],["beds",7,null,true,"1.50"]]"#]]
            .assert_eq(&parameters(&[row.clone(), row]).unwrap());
    }

    #[test]
    fn many_parameters_and_long_ones_are_cut() {
        let rows = vec![vec![ScalarValue::from("\u{1}".repeat(1000))]; 1000];
        let shown = parameters(&rows).unwrap();
        assert!(shown.len() < MAX_BYTES + 100);
        assert!(shown.ends_with("\"… (1000 rows of 1 values)\"]"), "{}", &shown[shown.len() - 60..]);
        let long = parameters(&[vec![ScalarValue::from("x".repeat(100_000))]]).unwrap();
        assert!(long.ends_with(" … (100000 bytes)\"]]") && long.len() < 5000);
    }
}
