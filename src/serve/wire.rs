//! What goes over the wire: types that every client can read, announced exactly as they are sent.
//!
//! The Arrow ODBC driver cannot convert views, dictionaries, large or 256-bit types, and shows a
//! column as not searchable (so that Power Query does not fold filters) unless its metadata says
//! otherwise.

use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::serve::origin::{self, Origin};
use crate::serve::pieces;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// The length announced for text: what ODBC clients reserve for a cell.
const TEXT_CHARS: i32 = 32_767;

/// The types that a client takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Types {
    /// Those that every client reads.
    #[default]
    Plain,
    /// Views of texts and bytes too, where the engine has them: for clients that ask for them.
    Views,
}

/// The schema that clients are told and sent for columns of `schema` that come from nowhere.
pub fn schema(schema: &Schema) -> SchemaRef {
    answer(schema, &[], Types::Plain)
}

/// The schema that clients are told of a table, and sent when they select all of it.
pub fn table(project: &Project, schema: &str, table: &str, columns: &Schema) -> SchemaRef {
    answer(columns, &origin::table(project, schema, table, columns), Types::Plain)
}

/// The schema that clients are told and sent for an answer of `schema`, whose columns have
/// `origins`.
///
/// Every field is nullable: a planner's promise of no nulls is advice, and a batch that breaks it
/// must not break the answer. Metadata of files stays behind.
pub fn answer(schema: &Schema, origins: &[Option<Origin>], types: Types) -> SchemaRef {
    let origins = origins.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let fields = schema.fields().iter().zip(origins);
    Arc::new(Schema::new(fields.map(|(field, origin)| announce(field, origin, types)).collect::<Vec<_>>()))
}

/// `batch` in the types of `schema`, which came from [`answer`]; an error when a row fits no message.
pub fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let differs = || Error::internal("an answer differs from its announced columns");
    if batch.num_columns() != schema.fields().len() {
        return Err(differs());
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(ArrayRef::clone(column));
        }
        cast_with_options(column, field.data_type(), &strict).map_err(|_| {
            Error::query(format!("a value of column '{}' is too large to be sent", field.name()))
                .hint("cast the column to a smaller type")
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let conformed = RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
        .map_err(|e| differs().because(e))?;
    pieces::check(&conformed)?;
    Ok(conformed)
}

fn announce(field: &Field, origin: Option<&Origin>, types: Types) -> Field {
    let wire = match (field.data_type(), types) {
        (view @ (DataType::Utf8View | DataType::BinaryView), Types::Views) => view.clone(),
        (other, _) => safe(other),
    };
    let metadata = facts(&wire, origin);
    Field::new(field.name(), wire, true).with_metadata(metadata)
}

/// The nearest type that every client can read.
fn safe(from: &DataType) -> DataType {
    match from {
        DataType::Null | DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::Interval(_) | DataType::Duration(_) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Dictionary(_, value) => safe(value),
        DataType::RunEndEncoded(_, values) => safe(values.data_type()),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        DataType::Decimal256(p, s) => DataType::Decimal128((*p).min(38), *s),
        DataType::Float16 => DataType::Float32,
        DataType::List(item) | DataType::ListView(item) => DataType::List(inside(item)),
        DataType::LargeList(item) | DataType::LargeListView(item) => DataType::LargeList(inside(item)),
        DataType::FixedSizeList(item, n) => DataType::FixedSizeList(inside(item), *n),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
        other => other.clone(),
    }
}

/// The field of a nested type; its nullability belongs to the type and stays.
fn inside(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), safe(field.data_type()), field.is_nullable()))
}

/// What Flight SQL clients read from a field's metadata.
fn facts(wire: &DataType, origin: Option<&Origin>) -> HashMap<String, String> {
    let (name, precision, scale) = describe(wire);
    let mut facts = vec![
        ("TYPE_NAME", name.to_string()),
        ("IS_AUTO_INCREMENT", "0".into()),
        ("IS_CASE_SENSITIVE", if is_text(wire) { "1" } else { "0" }.into()),
        ("IS_READ_ONLY", "1".into()),
        ("IS_SEARCHABLE", "1".into()),
    ];
    facts.extend(precision.map(|p| ("PRECISION", p.to_string())));
    facts.extend(scale.map(|s| ("SCALE", s.to_string())));
    if let Some(Origin { schema, table, remarks }) = origin {
        facts.push(("CATALOG_NAME", CATALOG.into()));
        // The protocol's text says the one, the drivers made from Arrow's own code read the other.
        facts.push(("DB_SCHEMA_NAME", schema.clone()));
        facts.push(("SCHEMA_NAME", schema.clone()));
        facts.push(("TABLE_NAME", table.clone()));
        facts.extend(remarks.clone().map(|text| ("REMARKS", text)));
    }
    facts.into_iter().map(|(key, value)| (format!("ARROW:FLIGHT:SQL:{key}"), value)).collect()
}

fn is_text(wire: &DataType) -> bool {
    matches!(wire, DataType::Utf8 | DataType::Utf8View)
}

/// The SQL name, precision and scale of a wire type.
fn describe(wire: &DataType) -> (&'static str, Option<i32>, Option<i32>) {
    match wire {
        DataType::Boolean => ("BOOLEAN", Some(1), None),
        DataType::Int8 | DataType::UInt8 => ("TINYINT", Some(3), Some(0)),
        DataType::Int16 | DataType::UInt16 => ("SMALLINT", Some(5), Some(0)),
        DataType::Int32 | DataType::UInt32 => ("INTEGER", Some(10), Some(0)),
        DataType::Int64 => ("BIGINT", Some(19), Some(0)),
        DataType::UInt64 => ("BIGINT", Some(20), Some(0)),
        DataType::Float32 => ("REAL", Some(7), None),
        DataType::Float64 => ("DOUBLE", Some(15), None),
        DataType::Decimal128(p, s) => ("DECIMAL", Some(i32::from(*p)), Some(i32::from(*s))),
        DataType::Utf8 | DataType::Utf8View => ("VARCHAR", Some(TEXT_CHARS), None),
        DataType::Binary | DataType::BinaryView => ("VARBINARY", Some(TEXT_CHARS), None),
        DataType::Date32 | DataType::Date64 => ("DATE", Some(10), None),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            let digits = fraction(unit);
            ("TIME", Some(8 + if digits > 0 { 1 + digits } else { 0 }), Some(digits))
        }
        DataType::Timestamp(unit, _) => {
            let digits = fraction(unit);
            ("TIMESTAMP", Some(19 + if digits > 0 { 1 + digits } else { 0 }), Some(digits))
        }
        _ => ("OTHER", Some(TEXT_CHARS), None),
    }
}

/// The digits after the decimal point of a second.
fn fraction(unit: &TimeUnit) -> i32 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{
        BinaryViewArray, Decimal256Array, DictionaryArray, DurationSecondArray, Float32Array, Int32Array,
        ListArray, NullArray, StringViewArray,
    };
    use datafusion::arrow::datatypes::{Int32Type, i256};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use expect_test::expect;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn every_type_becomes_one_that_clients_read() {
        let dictionary: DictionaryArray<Int32Type> = ["x", "y"].into_iter().collect();
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
        let decimal = Decimal256Array::from(vec![i256::from(1234), i256::from(-5)])
            .with_precision_and_scale(76, 2)
            .unwrap();
        let from = batch(vec![
            ("view", Arc::new(StringViewArray::from(vec!["a", "b"]))),
            ("bytes", Arc::new(BinaryViewArray::from(vec![b"a".as_slice(), b"b"]))),
            ("dictionary", Arc::new(dictionary)),
            ("null", Arc::new(NullArray::new(2))),
            ("decimal", Arc::new(decimal)),
            (
                "half",
                cast_with_options(
                    &Float32Array::from(vec![1.5, 2.0]),
                    &DataType::Float16,
                    &CastOptions::default(),
                )
                .unwrap(),
            ),
            ("duration", Arc::new(DurationSecondArray::from(vec![60, 61]))),
            ("list", Arc::new(list)),
            ("plain", Arc::new(Int32Array::from(vec![1, 2]))),
        ]);
        let announced = schema(&from.schema());
        let sent = conform(&from, &announced).unwrap();
        assert_eq!(sent.schema(), announced);
        let types: Vec<_> = announced.fields().iter().map(|f| f.data_type().to_string()).collect();
        expect![[r#"Utf8, Binary, Utf8, Utf8, Decimal128(38, 2), Float32, Utf8, List(Int32), Int32"#]]
            .assert_eq(&types.join(", "));
        expect![[r#"
            +------+-------+------------+------+---------+------+----------+------+-------+
            | view | bytes | dictionary | null | decimal | half | duration | list | plain |
            +------+-------+------------+------+---------+------+----------+------+-------+
            | a    | 61    | x          |      | 12.34   | 1.5  | PT60S    | [1]  | 1     |
            | b    | 62    | y          |      | -0.05   | 2.0  | PT61S    |      | 2     |
            +------+-------+------------+------+---------+------+----------+------+-------+"#]]
        .assert_eq(&pretty_format_batches(&[sent]).unwrap().to_string());
    }

    #[test]
    fn fields_tell_what_clients_need_to_fold_filters() {
        let announced = schema(&Schema::new(vec![Field::new("amount", DataType::Decimal128(18, 2), false)]));
        let field = announced.field(0);
        let mut facts: Vec<_> = field
            .metadata()
            .iter()
            .map(|(k, v)| format!("{}={v}", k.replace("ARROW:FLIGHT:SQL:", "")))
            .collect();
        facts.sort();
        expect!["IS_AUTO_INCREMENT=0 IS_CASE_SENSITIVE=0 IS_READ_ONLY=1 IS_SEARCHABLE=1 PRECISION=18 SCALE=2 TYPE_NAME=DECIMAL"]
            .assert_eq(&facts.join(" "));
        assert!(field.is_nullable());
    }

    #[test]
    fn a_value_too_large_for_the_wire_is_an_error_not_a_null() {
        let huge = Decimal256Array::from(vec![i256::MAX]).with_precision_and_scale(76, 0).unwrap();
        let from = batch(vec![("huge", Arc::new(huge))]);
        let error = conform(&from, &schema(&from.schema())).unwrap_err();
        assert_eq!(error.to_string(), "a value of column 'huge' is too large to be sent");
    }
}
