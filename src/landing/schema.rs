//! The columns of raw tables.

use crate::connector::contract::Contract;
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::raw::Place;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The columns of a raw table: the hub's own, the contract's, then those that the contract no
/// longer names but older loads carry.
pub(super) fn raw_schema(contract: &Contract, open: Option<&Version>, place: &Place) -> Result<SchemaRef> {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let errors = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    let mut fields = vec![
        Field::new("_load", DataType::Int64, true),
        Field::new("_row", DataType::Int64, true),
        Field::new("_op", DataType::Utf8, true),
        Field::new("_key_hash", DataType::Binary, true),
        Field::new("_row_hash", DataType::Binary, true),
        Field::new("_loaded_at", instant, true),
        Field::new("_file", DataType::Utf8, true),
        Field::new("_errors", errors, true),
        Field::new("_raw", DataType::Utf8, true),
    ];
    fields.extend(contract.schema().fields().iter().map(|f| f.as_ref().clone()));
    for old in open.iter().flat_map(|version| version.schema.fields()) {
        match fields.iter().find(|f| f.name() == old.name()) {
            None => fields.push(old.as_ref().clone()),
            Some(new) if contract.column(new.name()).is_some() && new.data_type() != old.data_type() => {
                return Err(Error::contract(format!(
                    "column \"{}\" was {} in earlier loads and is {} now",
                    new.name(),
                    old.data_type(),
                    new.data_type()
                ))
                .at(format!("{}.{}", place.source, place.entity))
                .hint("raw is never rewritten: give the column another name in the contract and map it with `from`"));
            }
            Some(_) => {}
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}
