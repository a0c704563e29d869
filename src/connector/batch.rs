//! Builds the record batches of an extract.

use crate::connector::contract::Type;
use crate::connector::value::{Reason, Value};
use crate::error::{Error, Result};
use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Int64Builder, ListBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use std::sync::Arc;

/// The most rows of a batch.
pub(crate) const MAX_ROWS: usize = 32_768;

/// The most text of a batch, roughly: wide rows make shorter batches, so memory stays bounded.
const MAX_BYTES: usize = 16 << 20;

/// A batch in the making.
#[derive(Debug)]
pub(crate) struct Batch {
    schema: SchemaRef,
    file: Option<String>,
    row: Int64Builder,
    files: StringBuilder,
    key_hash: BinaryBuilder,
    row_hash: BinaryBuilder,
    claimed_key: BinaryBuilder,
    errors: ListBuilder<StringBuilder>,
    raw: StringBuilder,
    columns: Vec<Cells>,
    rows: usize,
    bytes: usize,
}

/// The builder of one contract column.
#[derive(Debug)]
enum Cells {
    Text(StringBuilder),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Batch {
    /// An empty batch of `schema` (see [`crate::connector::extract_schema`]) for columns of `types`.
    pub(crate) fn new<'a>(
        schema: SchemaRef,
        types: impl Iterator<Item = &'a Type>,
        file: Option<String>,
    ) -> Self {
        Self {
            columns: types.map(Cells::new).collect(),
            schema,
            file,
            row: Int64Builder::new(),
            files: StringBuilder::new(),
            key_hash: BinaryBuilder::new(),
            row_hash: BinaryBuilder::new(),
            claimed_key: BinaryBuilder::new(),
            errors: ListBuilder::new(StringBuilder::new()),
            raw: StringBuilder::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Appends a row that keeps its contract.
    pub(crate) fn good(&mut self, row: i64, key_hash: u128, row_hash: u128, values: Vec<Value<'_>>) {
        self.start(row, key_hash, row_hash);
        self.claimed_key.append_null();
        self.errors.append(true);
        self.raw.append_null();
        for (cells, value) in self.columns.iter_mut().zip(values) {
            self.bytes += cells.append(value);
        }
    }

    /// Appends a row that breaks its contract: `raw` is kept, the columns are null.
    pub(crate) fn bad(
        &mut self,
        row: i64,
        (key_hash, row_hash): (u128, u128),
        claimed_key: Option<u128>,
        reasons: &[Reason],
        raw: &str,
    ) {
        self.start(row, key_hash, row_hash);
        self.claimed_key.append_option(claimed_key.map(u128::to_be_bytes));
        for reason in reasons {
            self.errors.values().append_value(reason.to_string());
        }
        self.errors.append(true);
        self.raw.append_value(raw);
        self.bytes += raw.len() + 64 * reasons.len();
        for cells in &mut self.columns {
            cells.append(Value::Null);
        }
    }

    /// Whether it is time to hand the batch on.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// The rows so far, if any; the batch is empty afterwards.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        (self.rows, self.bytes) = (0, 0);
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.row.finish()),
            Arc::new(self.files.finish()),
            Arc::new(self.key_hash.finish()),
            Arc::new(self.row_hash.finish()),
            Arc::new(self.claimed_key.finish()),
            Arc::new(self.errors.finish()),
            Arc::new(self.raw.finish()),
        ];
        arrays.extend(self.columns.iter_mut().map(Cells::finish));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map(Some)
            .map_err(|error| Error::internal("a batch does not match its schema").because(error))
    }

    fn start(&mut self, row: i64, key_hash: u128, row_hash: u128) {
        self.row.append_value(row);
        self.files.append_option(self.file.as_deref());
        self.key_hash.append_value(key_hash.to_be_bytes());
        self.row_hash.append_value(row_hash.to_be_bytes());
        self.rows += 1;
    }
}

impl Cells {
    fn new(ty: &Type) -> Self {
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
    fn append(&mut self, value: Value<'_>) -> usize {
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
            (Cells::Text(cells), _) => cells.append_null(),
            (Cells::Bool(cells), _) => cells.append_null(),
            (Cells::Int(cells), _) => cells.append_null(),
            (Cells::Decimal(cells), _) => cells.append_null(),
            (Cells::Date(cells), _) => cells.append_null(),
            (Cells::Timestamp(cells), _) => cells.append_null(),
        }
        0
    }

    fn finish(&mut self) -> ArrayRef {
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
