//! Plans statements over empty tables: finds what a parser cannot, before any data is touched.

use crate::connector::contract::Contract;
use crate::engine::{CATALOG, Engine};
use crate::error::known;
use crate::error::{Error, Result};
use crate::model::graph::word_at;
use crate::model::lineage::{self, Trace};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{CatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{SchemaError, Span};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::executor::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use tokio::task::unconstrained;

/// A session that knows tables by their columns only.
pub(super) struct Planner {
    session: SessionContext,
    catalog: Arc<dyn CatalogProvider>,
}

/// What planning tells of a statement.
pub(super) struct Planned {
    /// Its columns.
    pub(super) schema: SchemaRef,
    /// Which columns each of them comes from.
    pub(super) lineage: Vec<Trace>,
    /// The columns it needs of each table (`layer.name`) that it reads.
    pub(super) uses: BTreeMap<String, BTreeSet<String>>,
}

impl Planner {
    pub(super) fn new() -> Result<Self> {
        let session = Engine::new()?.context();
        session.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        let catalog =
            session.catalog(CATALOG).ok_or_else(|| Error::internal("a session without its catalog"))?;
        Ok(Self { session, catalog })
    }

    /// Makes the table `layer.name` known.
    pub(super) fn provide(&self, table: &str, schema: SchemaRef) -> Result<()> {
        let (layer, name) = table.split_once('.').unwrap_or((CATALOG, table));
        let layer = match self.catalog.schema(layer) {
            Some(provider) => provider,
            None => self.clear(layer)?,
        };
        layer.register_table(name.into(), Arc::new(EmptyTable::new(schema))).map_err(unplannable)?;
        Ok(())
    }

    /// Binds the layer `raw` to the entities of one system.
    pub(super) fn bind_raw<'a>(&self, contracts: impl IntoIterator<Item = &'a Contract>) -> Result<()> {
        self.clear("raw")?;
        for contract in contracts {
            self.provide(&format!("raw.{}", contract.entity), raw_schema(contract))?;
        }
        Ok(())
    }

    /// Plans a query to the point where it could run.
    pub(super) fn plan(&self, sql: &str) -> Result<Planned, DataFusionError> {
        let state = self.session.state();
        // Nothing here waits: the tables are in memory. Nothing gives way to the runtime either, which
        // would take its budget for used up after some hundred statements and wake us for ever.
        let plan = block_on(unconstrained(state.create_logical_plan(sql)))?;
        let lineage = lineage::trace(&plan)?;
        let plan = state.optimize(&plan)?;
        // Some queries have a logical plan that nothing can run.
        block_on(unconstrained(state.query_planner().create_physical_plan(&plan, &state)))?;
        Ok(Planned { schema: Arc::new(plan.schema().as_arrow().clone()), lineage, uses: uses(&plan)? })
    }

    fn clear(&self, layer: &str) -> Result<Arc<dyn SchemaProvider>> {
        let provider: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
        self.catalog.register_schema(layer, Arc::clone(&provider)).map_err(unplannable)?;
        Ok(provider)
    }
}

fn unplannable(error: DataFusionError) -> Error {
    Error::internal("the models cannot be planned").because(error)
}

/// What a staging mapping sees of an entity: the contract's columns and where each row came from.
fn raw_schema(contract: &Contract) -> SchemaRef {
    let mut fields = vec![
        Field::new("_load", DataType::Int64, true),
        Field::new("_row", DataType::Int64, true),
        Field::new("_loaded_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Field::new("_file", DataType::Utf8, true),
    ];
    fields.extend(contract.schema().fields().iter().map(|field| field.as_ref().clone()));
    Arc::new(Schema::new(fields))
}

fn uses(plan: &LogicalPlan) -> Result<BTreeMap<String, BTreeSet<String>>, DataFusionError> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table =
                format!("{}.{}", scan.table_name.schema().unwrap_or_default(), scan.table_name.table());
            let columns = scan.projected_schema.fields().iter().map(|field| field.name().clone());
            uses.entry(table).or_default().extend(columns);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(uses)
}

/// A planner's error in the hub's words: the message, a hint, and the place in `sql` if it is known.
pub(super) fn explain(error: &DataFusionError, sql: &str) -> (String, Option<String>, Option<Range<usize>>) {
    let diagnostic = error.diagnostic();
    let place = diagnostic.and_then(|diagnostic| diagnostic.span).map(|span| place(sql, span));
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        let hint = known("columns", field.name(), valid_fields.iter().map(|column| column.name()));
        return (format!("no column \"{}\" can be read here", field.name()), Some(hint), place);
    }
    let text = error.find_root().message().replace('\n', " ");
    let mut letters = text.chars();
    let message = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
    let help = diagnostic.and_then(|diagnostic| diagnostic.helps.first()).map(|help| help.message.clone());
    (message, help, place)
}

fn place(sql: &str, span: Span) -> Range<usize> {
    let start = word_at(sql, span.start.line as usize, span.start.column as usize).start;
    let end = word_at(sql, span.end.line as usize, span.end.column as usize).start;
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task of the runtime has a budget that only giving way fills again.
    #[tokio::test]
    async fn one_task_plans_any_number_of_statements() {
        let planner = Planner::new().unwrap();
        planner
            .provide("conformed.a", Arc::new(Schema::new(vec![Field::new("b", DataType::Int64, true)])))
            .unwrap();
        let sql = "select b from conformed.a union all select b + 1 from conformed.a";
        for _ in 0..300 {
            assert_eq!(planner.plan(sql).unwrap().schema.fields().len(), 1);
        }
    }
}
