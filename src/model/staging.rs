//! The one piece of magic: `staging.employment` is the union of every connector's
//! `staging/employment.sql`, each evaluated once per source with `raw` bound to that source.

use super::Model;
use crate::connector::contract::Contract;
use crate::engine::{CATALOG, Engine};
use crate::error::{Error, Result};
use crate::lake::delta::Version;
use crate::lake::raw;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{DataFrame, SessionContext, cast, ident, lit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A source whose raw tables are bound for a mapping.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The name of its system.
    pub system: String,
    /// The source's name.
    pub source: String,
    /// The force's code.
    pub force: String,
    /// The entities of its system.
    pub contracts: Arc<BTreeMap<String, Contract>>,
    /// Its raw tables, by entity; an entity that was never landed is missing and reads as empty.
    pub raw: BTreeMap<String, Arc<Version>>,
}

/// The plan of one mapping over one source: the mapping's columns, then `source` and `force`.
pub async fn mapping(engine: &Engine, model: &Model, bound: &Bound) -> Result<LogicalPlan> {
    let context = engine.context();
    let tables = Arc::new(MemorySchemaProvider::new());
    for (entity, contract) in bound.contracts.iter() {
        let table: Arc<dyn TableProvider> = match bound.raw.get(entity) {
            Some(version) => contracted(raw::rows(&context, version, false)?, contract)
                .map_err(|e| failed(model, e))?
                .into_view(),
            None => Arc::new(EmptyTable::new(Arc::new(raw_columns(contract)))),
        };
        tables.register_table(entity.clone(), table).map_err(|e| failed(model, e))?;
    }
    register(&context, "raw", tables)?;
    let planned = async {
        let frame = context.sql(&model.sql).await?;
        let columns = frame.schema().fields().iter().map(|f| ident(f.name()));
        let added = [lit(bound.source.as_str()).alias("source"), lit(bound.force.as_str()).alias("force")];
        let columns: Vec<_> = columns.chain(added).collect();
        Ok::<_, DataFusionError>(frame.select(columns)?.into_unoptimized_plan())
    };
    planned.await.map_err(|e| failed(model, e))
}

/// `rows` with exactly the columns that `muster check` knows: a column that the contract has gained
/// since the last load is null.
fn contracted(rows: DataFrame, contract: &Contract) -> Result<DataFrame, DataFusionError> {
    let landed = rows.schema().clone();
    let wanted = raw_columns(contract);
    let columns =
        wanted.fields().iter().map(|field| match landed.has_column_with_unqualified_name(field.name()) {
            true => ident(field.name()),
            false => cast(lit(ScalarValue::Null), field.data_type().clone()).alias(field.name()),
        });
    rows.select(columns.collect::<Vec<_>>())
}

/// The union of the mappings' plans as a view, its columns in the order of the first.
pub fn union(plans: Vec<LogicalPlan>) -> Result<Arc<dyn TableProvider>> {
    let mut plans = plans.into_iter();
    let first = plans.next().ok_or_else(|| Error::internal("a staging table without a mapping"))?;
    let columns: Vec<String> = first.schema().fields().iter().map(|f| f.name().clone()).collect();
    let failed =
        |e: DataFusionError| Error::model("the mappings of a staging table do not fit together").because(e);
    let united = plans.try_fold(LogicalPlanBuilder::from(first), |union, plan| {
        let same_order = LogicalPlanBuilder::from(plan).project(columns.iter().map(ident))?.build()?;
        union.union(same_order)
    });
    let plan = united.and_then(LogicalPlanBuilder::build).map_err(failed)?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// The plan of an entity's mapping when no source has it: its columns, no rows.
pub fn empty(plan: &LogicalPlan) -> Result<Arc<dyn TableProvider>> {
    let schema = Arc::new(plan.schema().as_arrow().clone());
    let table = provider_as_source(Arc::new(EmptyTable::new(schema)));
    let scan = LogicalPlanBuilder::scan("empty", table, None).and_then(LogicalPlanBuilder::build);
    let scan = scan.map_err(|e| Error::internal("an empty table").because(e))?;
    Ok(Arc::new(ViewTable::new(scan, None)))
}

/// Registers the schema `name` in the hub's catalog of `context`.
pub fn register(context: &SessionContext, name: &str, schema: Arc<dyn SchemaProvider>) -> Result<()> {
    let catalog = context.catalog(CATALOG).ok_or_else(|| Error::internal("a session without its catalog"))?;
    let registered = catalog.register_schema(name, schema);
    registered.map(drop).map_err(|e| Error::internal("a schema could not be registered").because(e))
}

/// The columns of raw that a mapping may read.
pub(crate) fn raw_columns(contract: &Contract) -> Schema {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("_load", DataType::Int64, true),
        Field::new("_row", DataType::Int64, true),
        Field::new("_loaded_at", instant, true),
        Field::new("_file", DataType::Utf8, true),
    ];
    fields.extend(contract.schema().fields().iter().map(|f| f.as_ref().clone()));
    Schema::new(fields)
}

fn failed(model: &Model, cause: DataFusionError) -> Error {
    Error::model("the mapping cannot be planned").at(&model.file).because(cause)
}
