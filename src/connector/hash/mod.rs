//! Fingerprints of keys and rows.
//!
//! The recipe is part of the data: landed hashes are compared with those of later loads, so a
//! changed recipe must have a new [`RECIPE`] number, and whoever kept hashes computes them again.
//! Typed values are hashed, not texts: `1.50` and `1.5` are the same row.
//!
//! A fingerprint is the sum of one hash per value, each over the column's name, its type and the
//! value, mixed once more. A null adds nothing, so a contract that gains a column leaves the rows
//! without a value in it as they are, and the order of columns does not count.

use crate::connector::contract::{Contract, LINE_KEY, Type};
use crate::connector::value::Value;
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::BTreeSet;
use std::fmt::Write;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// The number of the recipe; part of everything hashed.
pub const RECIPE: u32 = 2;

/// What a fingerprint is of; hashed with it, so that fingerprints of different things differ.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Subject {
    Key = b'k',
    Row = b'r',
    BadKey = b'K',
    BadRow = b'R',
}

/// Identifies what the hashes of `contract` mean: the recipe, the key, and the names and types of
/// the hashed columns. Hashes kept under another text are computed again by [`keys`] and [`rows`].
pub fn recipe(contract: &Contract) -> String {
    let mut key: Vec<&str> = contract.key.iter().map(String::as_str).collect();
    key.sort_unstable();
    let mut columns: Vec<_> = contract.columns.iter().map(|c| (c.name.as_str(), &c.ty)).collect();
    columns.sort_unstable_by_key(|(name, _)| *name);
    let mut text = format!("{RECIPE}; key {}; row", key.join(", "));
    for (at, (name, ty)) in columns.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let kind = Kind::of(ty) as u8;
        // Writing to a string cannot fail.
        match ty {
            Type::Decimal { scale, .. } => write!(text, "{comma} {name} {kind}.{scale}"),
            _ => write!(text, "{comma} {name} {kind}"),
        }
        .ok();
    }
    text
}

/// Whether rows hashed under the recipe `old` have the same hashes under `new`: the same recipe and
/// key, and no column fewer. A column more changes nothing, because a null adds nothing.
pub fn extends(old: &str, new: &str) -> bool {
    let columns = |text: &str| -> Option<(String, BTreeSet<String>)> {
        let (head, columns) = text.split_once("; row")?;
        Some((head.to_string(), columns.split(',').map(|column| column.trim().to_string()).collect()))
    };
    match (columns(old), columns(new)) {
        (Some((old_head, old)), Some((new_head, new))) => old_head == new_head && old.is_subset(&new),
        _ => false,
    }
}

/// The hash of each row of `batch` over the contract's columns (`_row_hash` of good rows). A
/// column that `batch` lacks counts as null.
pub fn rows(contract: &Contract, batch: &RecordBatch) -> Result<Vec<u128>> {
    let columns = contract.columns.iter().map(|c| (c.name.as_str(), Kind::of(&c.ty)));
    of_columns(Subject::Row, columns, batch)
}

/// The hash of each row's key in `batch` (`_key_hash` of good rows). Where the key is the line, it
/// is in the columns `_file` and `_row`.
pub fn keys(contract: &Contract, batch: &RecordBatch) -> Result<Vec<u128>> {
    if contract.has_line_key() {
        return of_columns(Subject::Key, LINE_KEY.into_iter().zip([Kind::Text, Kind::Int]), batch);
    }
    let columns = contract.columns.iter().filter(|c| contract.key.contains(&c.name));
    of_columns(Subject::Key, columns.map(|c| (c.name.as_str(), Kind::of(&c.ty))), batch)
}

fn of_columns<'a>(
    subject: Subject,
    columns: impl Iterator<Item = (&'a str, Kind)>,
    batch: &RecordBatch,
) -> Result<Vec<u128>> {
    let mut sums = vec![0; batch.num_rows()];
    for (name, kind) in columns {
        if let Some(array) = batch.column_by_name(name) {
            Column::new(subject, name, kind).add(array, &mut sums)?;
        }
    }
    sums.iter_mut().for_each(|sum| *sum = mixed(subject, *sum));
    Ok(sums)
}

/// The fingerprint to which the hashes of single values add up.
pub(crate) fn mixed(subject: Subject, sum: u128) -> u128 {
    xxh3_128_with_seed(&sum.to_le_bytes(), seed(subject))
}

/// The fingerprint of a bad row, over what was received.
pub(crate) fn bad_row(received: &[u8]) -> u128 {
    xxh3_128_with_seed(received, seed(Subject::BadRow))
}

/// The stand-in for the key of a bad row: its fingerprint and how often it came so far.
pub(crate) fn bad_key(bad_row: u128, occurrence: i64) -> u128 {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&bad_row.to_le_bytes());
    bytes[16..].copy_from_slice(&occurrence.to_le_bytes());
    xxh3_128_with_seed(&bytes, seed(Subject::BadKey))
}

/// Stands for recipe and subject, so that no value has to carry them.
fn seed(subject: Subject) -> u64 {
    (u64::from(RECIPE) << 8) | subject as u64
}

/// What the bytes of a value mean; a part of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Text = 1,
    Bool = 2,
    Int = 3,
    Decimal = 4,
    Date = 5,
    Time = 6,
    Timestamp = 7,
}

impl Kind {
    /// What the values of a contract type are hashed as.
    pub(crate) fn of(ty: &Type) -> Self {
        match ty {
            Type::Text => Kind::Text,
            Type::Bool => Kind::Bool,
            Type::Int => Kind::Int,
            Type::Decimal { .. } => Kind::Decimal,
            Type::Date { .. } => Kind::Date,
            Type::Time { .. } => Kind::Time,
            Type::Timestamp { .. } => Kind::Timestamp,
        }
    }
}

/// Hashes the values of one column, as parts of one kind of fingerprint.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    name: String,
    kind: Kind,
    /// Stands for recipe, subject, name and kind.
    seed: u64,
}

impl Column {
    pub(crate) fn new(subject: Subject, name: &str, kind: Kind) -> Self {
        let mut context = vec![kind as u8];
        context.extend_from_slice(name.as_bytes());
        Self { name: name.to_string(), kind, seed: xxh3_64_with_seed(&context, seed(subject)) }
    }

    /// The hash of a value; `None` for null.
    pub(crate) fn value(&self, value: &Value<'_>) -> Option<u128> {
        Some(match value {
            Value::Null => return None,
            Value::Text(text) => self.bytes(text.as_bytes()),
            Value::Bool(value) => self.bytes(&[u8::from(*value)]),
            Value::Int(value) | Value::Timestamp(value) => self.bytes(&value.to_le_bytes()),
            Value::Decimal(value) => self.bytes(&value.to_le_bytes()),
            Value::Date(value) => self.bytes(&value.to_le_bytes()),
        })
    }

    /// Adds the hash of each value to the sum of its row.
    pub(crate) fn add(&self, array: &ArrayRef, sums: &mut [u128]) -> Result<()> {
        let utc = |zone: &str| matches!(zone, "UTC" | "+00:00");
        match (self.kind, array.data_type()) {
            (Kind::Text | Kind::Time, DataType::Utf8) => self.add_texts(array.as_string::<i32>(), sums),
            (Kind::Text | Kind::Time, DataType::LargeUtf8) => self.add_texts(array.as_string::<i64>(), sums),
            (Kind::Text | Kind::Time, DataType::Utf8View) => self.add_texts(array.as_string_view(), sums),
            (Kind::Bool, DataType::Boolean) => {
                self.add_values(array.as_boolean(), sums, |value| self.bytes(&[u8::from(value)]));
            }
            (Kind::Int, DataType::Int64) => {
                self.add_numbers::<Int64Type>(array.as_primitive(), sums, |v| self.bytes(&v.to_le_bytes()));
            }
            (Kind::Decimal, DataType::Decimal128(..)) => {
                self.add_numbers::<Decimal128Type>(array.as_primitive(), sums, |v| {
                    self.bytes(&v.to_le_bytes())
                });
            }
            (Kind::Date, DataType::Date32) => {
                self.add_numbers::<Date32Type>(array.as_primitive(), sums, |v| self.bytes(&v.to_le_bytes()));
            }
            (Kind::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) if utc(zone) => {
                self.add_numbers::<TimestampMicrosecondType>(array.as_primitive(), sums, |v| {
                    self.bytes(&v.to_le_bytes())
                });
            }
            (kind, other) => {
                let message = format!("column '{}' is hashed as {kind:?}, but it is {other}", self.name);
                return Err(Error::internal(message));
            }
        }
        Ok(())
    }

    #[inline]
    fn bytes(&self, bytes: &[u8]) -> u128 {
        xxh3_128_with_seed(bytes, self.seed)
    }

    fn add_texts<'a>(&self, array: impl ArrayAccessor<Item = &'a str>, sums: &mut [u128]) {
        self.add_values(array, sums, |text| self.bytes(text.as_bytes()));
    }

    fn add_numbers<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        sums: &mut [u128],
        hash: impl Fn(T::Native) -> u128,
    ) {
        self.add_values(array, sums, hash);
    }

    fn add_values<A: ArrayAccessor>(&self, array: A, sums: &mut [u128], hash: impl Fn(A::Item) -> u128) {
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        for (at, sum) in sums.iter_mut().enumerate() {
            if nulls.is_none_or(|nulls| nulls.is_valid(at)) {
                *sum = sum.wrapping_add(hash(array.value(at)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
