//! The rows of an extract as columns: in the making, before they are settled, and as batches.

use crate::connector::contract::Type;
use crate::connector::value::{Reason, Unmapped, Value};
use crate::error::{Error, Result};
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Array,
    Int64Builder, ListArray, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondBuilder,
    UInt32Array, new_null_array,
};
use datafusion::arrow::compute::{nullif, take};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most rows of a batch.
pub(crate) const MAX_ROWS: usize = 32_768;

/// The most text of a batch, roughly: wide rows make shorter batches, so memory stays bounded.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// The builder of one contract column.
#[derive(Debug)]
pub(crate) enum Cells {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Cells {
    /// An empty builder for values of `ty`.
    pub(crate) fn new(ty: &Type) -> Self {
        match ty {
            Type::Text | Type::Time { .. } => Cells::Text(StringBuilder::new()),
            Type::Bool => Cells::Bool(BooleanBuilder::new()),
            Type::Int => Cells::Int(Int64Builder::new()),
            Type::Decimal { .. } => Cells::Decimal(Decimal128Builder::new().with_data_type(ty.arrow())),
            Type::Date { .. } => Cells::Date(Date32Builder::new()),
            Type::Timestamp { .. } => {
                Cells::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(ty.arrow()))
            }
        }
    }

    /// Appends a value and says how much text it brought. Readers give the column's type or null.
    #[inline]
    pub(crate) fn append(&mut self, value: Value<'_>) -> usize {
        match (self, value) {
            (Cells::Text(cells), Value::Text(text)) => {
                cells.append_value(&text);
                return text.len();
            }
            (Cells::Bool(cells), Value::Bool(value)) => cells.append_value(value),
            (Cells::Int(cells), Value::Int(value)) => cells.append_value(value),
            (Cells::Decimal(cells), Value::Decimal(value)) => cells.append_value(value),
            (Cells::Date(cells), Value::Date(value)) => cells.append_value(value),
            (Cells::Timestamp(cells), Value::Timestamp(value)) => cells.append_value(value),
            (cells, _) => cells.append_null(),
        }
        0
    }

    /// Appends a null.
    pub(crate) fn append_null(&mut self) {
        match self {
            Cells::Text(cells) => cells.append_null(),
            Cells::Bool(cells) => cells.append_null(),
            Cells::Int(cells) => cells.append_null(),
            Cells::Decimal(cells) => cells.append_null(),
            Cells::Date(cells) => cells.append_null(),
            Cells::Timestamp(cells) => cells.append_null(),
        }
    }

    /// The column so far; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Cells::Text(cells) => Arc::new(cells.finish()),
            Cells::Bool(cells) => Arc::new(cells.finish()),
            Cells::Int(cells) => Arc::new(cells.finish()),
            Cells::Decimal(cells) => Arc::new(cells.finish()),
            Cells::Date(cells) => Arc::new(cells.finish()),
            Cells::Timestamp(cells) => Arc::new(cells.finish()),
        }
    }
}

/// A row as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    /// As people see it.
    pub(crate) text: String,
    /// The hash over its bytes.
    pub(crate) hash: u128,
}

/// Why a row is bad.
#[derive(Debug, Clone)]
pub(crate) struct Bad {
    /// Each as `code column: message`.
    pub(crate) reasons: Vec<String>,
    /// What was received.
    pub(crate) raw: Raw,
}

/// What is known about the rows of a [`Draft`] that are not plainly good, by their index.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Rows that break their contract.
    pub(crate) bad: BTreeMap<usize, Bad>,
    /// Rows, good or bad otherwise, whose key may have come before.
    pub(crate) held: BTreeMap<usize, Raw>,
}

impl Marks {
    /// Adds a reason why the row at `at` is bad.
    pub(crate) fn refuse(
        &mut self,
        at: usize,
        reason: &Reason,
        raw: impl FnOnce() -> Result<Raw>,
    ) -> Result<()> {
        let reason = reason.to_string();
        match self.bad.get_mut(&at) {
            Some(bad) => bad.reasons.push(reason),
            None => drop(self.bad.insert(at, Bad { reasons: vec![reason], raw: raw()? })),
        }
        Ok(())
    }

    /// Marks the row at `at` as one whose key may have come before.
    pub(crate) fn hold(&mut self, at: usize, raw: impl FnOnce() -> Result<Raw>) -> Result<()> {
        let raw = match self.bad.get(&at) {
            Some(bad) => bad.raw.clone(),
            None => raw()?,
        };
        self.held.insert(at, raw);
        Ok(())
    }
}

/// Rows that were read and not yet compared with the other rows of their snapshot.
#[derive(Debug)]
pub(crate) struct Draft {
    /// The line or ordinal of each row.
    pub(crate) rows: Vec<i64>,
    /// The hash of each key that could be read.
    pub(crate) keys: Vec<Option<u128>>,
    /// The hash over the values of each row.
    pub(crate) hashes: Vec<u128>,
    /// The contract's columns; cells that could not be read are null.
    pub(crate) columns: Vec<ArrayRef>,
    /// What was counted; rows that are taken out do not count again.
    pub(crate) counts: Counts,
    /// The rows that are not plainly good.
    pub(crate) marks: Marks,
}

/// What was counted while the rows of a [`Draft`] were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// By column, how many cells could not be read.
    pub(crate) unreadable: Vec<u64>,
    /// Columns with codes that their map does not name.
    pub(crate) unmapped: Vec<(usize, Unmapped)>,
    /// By rule of the contract, how many rows it left out.
    pub(crate) skipped: Vec<u64>,
}

impl Draft {
    /// Takes the held rows out; they stay good or bad as they are.
    pub(crate) fn take_held(&mut self) -> Result<Option<(Draft, Vec<Raw>)>> {
        if self.marks.held.is_empty() {
            return Ok(None);
        }
        let held = std::mem::take(&mut self.marks.held);
        let (out, rest): (Vec<usize>, Vec<usize>) =
            (0..self.rows.len()).partition(|at| held.contains_key(at));
        let taken = self.picked(&out)?;
        *self = self.picked(&rest)?;
        Ok(Some((taken, held.into_values().collect())))
    }

    /// The rows at `places`, without the marks of held ones.
    fn picked(&mut self, places: &[usize]) -> Result<Draft> {
        let indices: UInt32Array = places.iter().map(|at| u32::try_from(*at).ok()).collect();
        let column = |column: &ArrayRef| take(column, &indices, None).map_err(broken);
        let bad = |(new, at): (usize, &usize)| Some((new, self.marks.bad.remove(at)?));
        Ok(Draft {
            marks: Marks { bad: places.iter().enumerate().filter_map(bad).collect(), ..Marks::default() },
            rows: places.iter().map(|at| self.rows[*at]).collect(),
            keys: places.iter().map(|at| self.keys[*at]).collect(),
            hashes: places.iter().map(|at| self.hashes[*at]).collect(),
            columns: self.columns.iter().map(column).collect::<Result<_>>()?,
            counts: Counts::default(),
        })
    }

    /// The rows in the form of [`crate::connector::extract_schema`]. `bad_keys` stand in for the
    /// keys of the bad ones, in their order.
    pub(crate) fn into_batch(
        self,
        schema: &SchemaRef,
        file: Option<&str>,
        bad_keys: &[u128],
    ) -> Result<RecordBatch> {
        let Draft { rows, keys, hashes, columns, marks, .. } = self;
        let count = rows.len();
        let is_bad = |at: usize| marks.bad.contains_key(&at);
        let mut key_hashes: Vec<u128> = keys.iter().map(|key| key.unwrap_or_default()).collect();
        let mut row_hashes = hashes;
        for ((at, bad), key) in marks.bad.iter().zip(bad_keys) {
            (key_hashes[*at], row_hashes[*at]) = (*key, bad.raw.hash);
        }
        let claims = keys.iter().enumerate().map(|(at, key)| key.filter(|_| is_bad(at)));
        let raws = (0..count).map(|at| marks.bad.get(&at).map(|bad| bad.raw.text.as_str()));
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(rows)),
            match file {
                Some(file) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(file, count))),
                None => new_null_array(&DataType::Utf8, count),
            },
            Arc::new(hash_array(key_hashes.into_iter().map(Some))),
            Arc::new(hash_array(row_hashes.into_iter().map(Some))),
            Arc::new(hash_array(claims)),
            Arc::new(reasons(count, &marks.bad)),
            Arc::new(raws.collect::<StringArray>()),
        ];
        if marks.bad.is_empty() {
            arrays.extend(columns);
        } else {
            let mask: BooleanArray = (0..count).map(|at| Some(is_bad(at))).collect();
            for column in columns {
                arrays.push(nullif(&column, &mask).map_err(broken)?);
            }
        }
        RecordBatch::try_new(Arc::clone(schema), arrays).map_err(broken)
    }
}

/// Hashes as 16 bytes each.
pub(crate) fn hash_array(hashes: impl Iterator<Item = Option<u128>>) -> BinaryArray {
    hashes.map(|hash| hash.map(u128::to_be_bytes)).collect()
}

/// The reasons of each of `count` rows; none for good ones.
pub(crate) fn reasons(count: usize, bad: &BTreeMap<usize, Bad>) -> ListArray {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for at in 0..count {
        for reason in bad.get(&at).map(|bad| bad.reasons.as_slice()).unwrap_or_default() {
            lists.values().append_value(reason);
        }
        lists.append(true);
    }
    lists.finish()
}

/// What Arrow refuses to do with batches of our own making.
pub(crate) fn broken(error: ArrowError) -> Error {
    Error::internal("a batch does not match its schema").because(error)
}
