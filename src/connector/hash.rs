//! Fingerprints of keys and rows.
//!
//! The recipe is part of the data: landed hashes are compared with those of later loads, so a
//! changed recipe must have a new [`RECIPE`] number and shows every row as changed once.
//! Typed values are hashed, not texts: `1.50` and `1.5` are the same row.

use crate::connector::contract::Type;
use crate::connector::value::Value;
use xxhash_rust::xxh3::xxh3_128;

/// The number of the recipe, the first byte of everything hashed.
const RECIPE: u8 = 1;

/// What a fingerprint is of; hashed with it, so that fingerprints of different things differ.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Subject {
    Key = b'k',
    Row = b'r',
    BadKey = b'K',
    BadRow = b'R',
}

/// Hashes the rows of one contract.
#[derive(Debug)]
pub(crate) struct Hasher {
    tags: Vec<u8>,
    key: Vec<usize>,
    buffer: Vec<u8>,
}

impl Hasher {
    /// A hasher for columns of `types`, of which those at `key` (ascending) identify a row.
    pub(crate) fn new<'a>(types: impl Iterator<Item = &'a Type>, key: Vec<usize>) -> Self {
        Self { tags: types.map(tag).collect(), key, buffer: Vec::new() }
    }

    /// The fingerprint of a row's key; `value` gives the value of a column.
    pub(crate) fn key<'a, 'v: 'a>(&mut self, value: impl Fn(usize) -> &'a Value<'v>) -> u128 {
        begin(&mut self.buffer, Subject::Key);
        for at in &self.key {
            encode(&mut self.buffer, self.tags[*at], value(*at));
        }
        xxh3_128(&self.buffer)
    }

    /// The fingerprint of all values of a row, in the order of the contract.
    pub(crate) fn row(&mut self, values: &[Value<'_>]) -> u128 {
        begin(&mut self.buffer, Subject::Row);
        for (tag, value) in self.tags.iter().zip(values) {
            encode(&mut self.buffer, *tag, value);
        }
        xxh3_128(&self.buffer)
    }

    /// The fingerprint of a bad row, over what was received.
    pub(crate) fn bad_row(&mut self, received: &[u8]) -> u128 {
        begin(&mut self.buffer, Subject::BadRow);
        self.buffer.extend_from_slice(received);
        xxh3_128(&self.buffer)
    }

    /// The stand-in for the key of a bad row: its fingerprint and how often it came before.
    pub(crate) fn bad_key(&mut self, bad_row: u128, occurrence: u64) -> u128 {
        begin(&mut self.buffer, Subject::BadKey);
        self.buffer.extend_from_slice(&bad_row.to_be_bytes());
        self.buffer.extend_from_slice(&occurrence.to_le_bytes());
        xxh3_128(&self.buffer)
    }
}

fn begin(buffer: &mut Vec<u8>, subject: Subject) {
    buffer.clear();
    buffer.extend_from_slice(&[RECIPE, subject as u8]);
}

/// Appends tag, null marker, length and bytes: no two different rows give the same bytes.
fn encode(buffer: &mut Vec<u8>, tag: u8, value: &Value<'_>) {
    let mut put = |bytes: &[u8]| {
        buffer.extend_from_slice(&[tag, 1]);
        buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        buffer.extend_from_slice(bytes);
    };
    match value {
        Value::Null => buffer.extend_from_slice(&[tag, 0]),
        Value::Text(text) => put(text.as_bytes()),
        Value::Bool(value) => put(&[u8::from(*value)]),
        Value::Int(value) => put(&value.to_le_bytes()),
        Value::Decimal(value) => put(&value.to_le_bytes()),
        Value::Date(value) => put(&value.to_le_bytes()),
        Value::Timestamp(value) => put(&value.to_le_bytes()),
    }
}

fn tag(ty: &Type) -> u8 {
    match ty {
        Type::Text => 1,
        Type::Bool => 2,
        Type::Int => 3,
        Type::Decimal { .. } => 4,
        Type::Date { .. } => 5,
        Type::Time { .. } => 6,
        Type::Timestamp { .. } => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new([Type::Text, Type::Text, Type::Int].iter(), vec![0])
    }

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn the_recipe_never_changes_unnoticed() {
        let values = [text("a"), Value::Null, Value::Int(-1)];
        assert_eq!(format!("{:032x}", hasher().row(&values)), ROW);
        assert_eq!(format!("{:032x}", hasher().key(|at| &values[at])), KEY);
    }

    const ROW: &str = "78aae63a3152b1e42f7a8dcd1bbe0f04";
    const KEY: &str = "e965dc5e1cc7e27e063592c135f71d21";

    #[test]
    fn neighbours_do_not_run_together() {
        let rows = [
            [text("ab"), text("c"), Value::Null],
            [text("a"), text("bc"), Value::Null],
            [text("abc"), Value::Null, Value::Null],
            [Value::Null, text("abc"), Value::Null],
            [text("abc"), text(""), Value::Null],
            [text("abc"), Value::Null, Value::Int(0)],
        ];
        let hashes: std::collections::HashSet<u128> = rows.iter().map(|row| hasher().row(row)).collect();
        assert_eq!(hashes.len(), rows.len());
    }

    #[test]
    fn only_key_columns_make_the_key() {
        let one = [text("k"), text("x"), Value::Int(1)];
        let two = [text("k"), text("y"), Value::Null];
        assert_eq!(hasher().key(|at| &one[at]), hasher().key(|at| &two[at]));
        assert_ne!(hasher().row(&one), hasher().row(&two));
    }

    #[test]
    fn bad_rows_never_share_a_key() {
        let bad = hasher().bad_row(b"x");
        assert_ne!(hasher().bad_key(bad, 1), hasher().bad_key(bad, 2));
        assert_ne!(hasher().bad_row(b"x"), hasher().bad_row(b"y"));
    }
}
