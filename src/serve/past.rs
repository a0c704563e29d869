//! Points in time after a table's name: `marts.spend for system_time as of timestamp '…'`.
//!
//! The engine parses such a clause in some dialects, passes over it in silence, and answers with
//! today's rows. Here every clause is resolved to a release before the statement is planned, and
//! [`Past`] then plans the tables that have one. It sees every table of every statement, and
//! refuses a clause that was not resolved, wherever it stands and whoever parsed it.

use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::enforce;
use crate::policy::roles::Principal;
use crate::release::as_of;
use crate::serve::fault;
use chrono::{DateTime, Utc};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, TableReference, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias, ObjectName, Query, Statement as Ast, TableFactor, TableVersion, Value,
    ValueWithSpan, Visit, Visitor,
};
use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The spelling that hints show.
const SPELLING: &str = "write for system_time as of timestamp '2026-03-31 17:00:00', which is UTC";

/// The tables of one statement that are read as they were.
#[derive(Debug, Default)]
pub(super) struct Past {
    tables: HashMap<Key, Table>,
}

/// A table's name, and the clause after it as it is written: the same text in one statement means
/// the same release.
type Key = (TableReference, String);

/// A table of an earlier release.
#[derive(Debug)]
struct Table {
    /// Names the release as well: `muster@12.marts.spend`. No such catalog exists, so that no
    /// text of a client can reach what only stands in this list.
    name: TableReference,
    provider: Arc<dyn TableProvider>,
}

impl Past {
    /// Resolves every clause of `statement`: what it names must be a table that `principal` may
    /// read, and that was there.
    pub(super) async fn resolve(
        hub: &Hub,
        principal: &Principal,
        state: &SessionState,
        statement: &Parsed,
    ) -> Result<Self> {
        let mut tables = HashMap::new();
        for (name, version) in clauses(statement)? {
            let release = release(hub, state, &version).await?;
            let place = name.clone().resolve(CATALOG, &state.config_options().catalog.default_schema);
            let unknown = || Error::query(format!("table '{place}' not found"));
            if *place.catalog != *CATALOG {
                return Err(unknown());
            }
            let granted = enforce::Granted::open(hub, principal, release).await?;
            let provider = granted.table(&place.schema, &place.table).await?.ok_or_else(unknown)?;
            let pinned = TableReference::full(format!("{CATALOG}@{release}"), place.schema, place.table);
            tables.insert((name, version.to_string()), Table { name: pinned, provider });
        }
        Ok(Self { tables })
    }
}

impl RelationPlanner for Past {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning, DataFusionError> {
        let TableFactor::Table { name, alias, version: Some(version), .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let name = context.object_name_to_table_reference(name.clone())?;
        let Some(table) = self.tables.get(&(name.clone(), version.to_string())) else {
            return plan_err!("not supported: '{version}' after a table's name");
        };
        let source = provider_as_source(Arc::clone(&table.provider));
        // Columns are named by what is written, so that a join with today's table needs aliases.
        let plan = LogicalPlanBuilder::scan(table.name.clone(), source, None)?.alias(name)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

/// How the record of statements names a table that a plan scans: `marts.spend`, or
/// `marts.spend@12` for one of another release than the session's.
pub(super) fn recorded(catalog: &str, schema: &str, table: &str) -> String {
    match catalog.split_once('@') {
        Some((_, release)) => format!("{schema}.{table}@{release}"),
        None => format!("{schema}.{table}"),
    }
}

/// The release that a clause names.
async fn release(hub: &Hub, state: &SessionState, version: &TableVersion) -> Result<u64> {
    match version {
        TableVersion::ForSystemTimeAsOf(expr) | TableVersion::TimestampAsOf(expr) => {
            Ok(as_of::current(&hub.lake, instant(state, expr)?).await?.release)
        }
        TableVersion::VersionAsOf(number) => number.to_string().parse().map_err(|_| {
            Error::query(format!("'{number}' is not a release"))
                .hint("version as of takes a number that `muster releases` lists")
        }),
        TableVersion::Function(_) | TableVersion::Changes { .. } => {
            Err(Error::query(format!("not supported: '{version}' after a table's name")).hint(SPELLING))
        }
    }
}

/// The instant that a constant expression tells: a text with its zone, or a timestamp, which is
/// UTC unless it has a zone of its own.
pub(super) fn instant(state: &SessionState, expr: &SqlExpr) -> Result<DateTime<Utc>> {
    let value = constant(state, expr)?;
    if let Some(text) = value.try_as_str() {
        return match text {
            Some(text) => as_of::instant(text),
            None => Err(not_an_instant(expr)),
        };
    }
    let DataType::Timestamp(_, zone) = value.data_type() else { return Err(not_an_instant(expr)) };
    let nanoseconds = value
        .to_array()
        .and_then(|array| Ok(cast(&array, &DataType::Timestamp(TimeUnit::Nanosecond, zone))?))
        .and_then(|array| ScalarValue::try_from_array(&array, 0))
        .map_err(|e| fault::planning(&e))?;
    match nanoseconds {
        ScalarValue::TimestampNanosecond(Some(value), _) => Ok(DateTime::from_timestamp_nanos(value)),
        _ => Err(not_an_instant(expr)),
    }
}

fn not_an_instant(expr: &SqlExpr) -> Error {
    Error::query(format!("'{expr}' is not an instant")).hint(SPELLING)
}

/// The value of an expression that needs no row.
fn constant(state: &SessionState, expr: &SqlExpr) -> Result<ScalarValue> {
    let varies = || {
        Error::query("a point in time must be constant: no column, no parameter, no subquery").hint(SPELLING)
    };
    if expr.visit(&mut Varying).is_break() {
        return Err(varies());
    }
    let schema = DFSchema::empty();
    let context = SimplifyContext::builder()
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplifier = ExprSimplifier::new(context);
    let written = ExprWithAlias { expr: expr.clone(), alias: None };
    let simplified = state
        .create_logical_expr_from_sql_expr(written, &schema)
        .and_then(|expr| simplifier.coerce(expr, &schema))
        .and_then(|expr| simplifier.simplify(expr));
    match simplified.map_err(|e| fault::planning(&e))? {
        Expr::Literal(value, _) => Ok(value),
        _ => Err(varies()),
    }
}

/// Breaks at whatever has no value before a row is read.
struct Varying;

impl Visitor for Varying {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        match expr {
            SqlExpr::Identifier(_)
            | SqlExpr::CompoundIdentifier(_)
            | SqlExpr::Value(ValueWithSpan { value: Value::Placeholder(_), .. }) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Every table of the statement that has a clause, as the planner will name it.
fn clauses(statement: &Parsed) -> Result<Vec<(TableReference, TableVersion)>> {
    let mut clauses = Clauses::default();
    if let Parsed::Statement(ast) = statement
        && let Ast::Query(query) = ast.as_ref()
        && let ControlFlow::Break(error) = query.visit(&mut clauses)
    {
        return Err(error);
    }
    let Clauses { subqueries, found } = clauses;
    match found.iter().find(|(name, _)| subqueries.contains(name)) {
        None => Ok(found),
        Some((name, _)) => Err(Error::query(format!("'{name}' is a subquery and has no past"))
            .hint("put the point in time after the tables inside of it")),
    }
}

#[derive(Default)]
struct Clauses {
    /// The names after `with`, wherever they are known: they hide tables.
    subqueries: BTreeSet<TableReference>,
    found: Vec<(TableReference, TableVersion)>,
}

impl Visitor for Clauses {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            match reference(ObjectName::from(vec![table.alias.name.clone()])) {
                Ok(name) => self.subqueries.insert(name),
                Err(error) => return ControlFlow::Break(error),
            };
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, args, version: Some(version), .. } = table else {
            return ControlFlow::Continue(());
        };
        if args.is_some() {
            return ControlFlow::Break(Error::query(format!("'{name}' is a function and has no past")));
        }
        match reference(name.clone()) {
            Ok(name) => self.found.push((name, version.clone())),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// A name as the planner reads it.
fn reference(name: ObjectName) -> Result<TableReference> {
    object_name_to_table_reference(name, true).map_err(|e| fault::planning(&e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use chrono::{SecondsFormat, TimeDelta};
    use datafusion::sql::sqlparser::dialect::{
        BigQueryDialect, DatabricksDialect, Dialect, MsSqlDialect, SnowflakeDialect,
    };
    use datafusion::sql::sqlparser::parser::Parser;
    use expect_test::{Expect, expect};

    /// Whatever an engine's dialect parses, and whatever the clauses say, nothing is answered that
    /// was not resolved.
    #[tokio::test]
    async fn a_clause_that_was_not_resolved_is_refused_in_every_dialect_and_position() {
        let context = Engine::new().unwrap().context();
        context.register_relation_planner(Arc::new(Past::default())).unwrap();
        context.sql("create table conformed.a as select 1 as x").await.unwrap();
        let dialects: [&dyn Dialect; 5] = [
            &crate::serve::dialect::SqlDialect::default(),
            &BigQueryDialect {},
            &DatabricksDialect {},
            &MsSqlDialect {},
            &SnowflakeDialect {},
        ];
        let clauses = [
            "for system_time as of timestamp '2026-01-01 00:00:00'",
            "timestamp as of '2026-01-01'",
            "version as of 2",
            "at(timestamp => '2026-01-01')",
            "before(statement => 'x')",
            "changes(information => default) at(timestamp => '2026-01-01')",
        ];
        for dialect in dialects {
            for clause in clauses {
                for text in [
                    format!("select * from a {clause}"),
                    format!("select * from (select * from a {clause}) as b"),
                    format!("with b as (select * from a {clause}) select * from b"),
                    format!("select * from a as c join a {clause} as b on b.x = c.x"),
                    format!("select * from a as c, a {clause}"),
                    format!("select 1 where 1 in (select x from a {clause})"),
                    format!("select (select max(x) from a {clause})"),
                    format!("select 1 union all select x from a {clause}"),
                    format!("explain select * from a {clause}"),
                    format!("prepare p as select * from a {clause}"),
                    format!("create view v as select * from a {clause}"),
                ] {
                    let Ok(mut parsed) = Parser::parse_sql(dialect, &text) else {
                        assert!(clause.contains("("), "{dialect:?} does not parse {text}");
                        continue;
                    };
                    let statement = Parsed::Statement(Box::new(parsed.pop().unwrap()));
                    let planned = context.state().statement_to_plan(statement).await;
                    let error = planned.map(|plan| plan.to_string()).unwrap_err().to_string();
                    assert!(error.contains("after a table's name"), "{dialect:?} {text}: {error}");
                }
            }
        }
    }

    #[test]
    fn an_instant_is_a_constant_with_a_zone() {
        let state = Engine::new().unwrap().context().state();
        let check = |text: &str, expect: Expect| {
            let dialect = crate::serve::dialect::SqlDialect::default();
            let expr = Parser::new(&dialect).try_with_sql(text).unwrap().parse_expr().unwrap();
            let shown = instant(&state, &expr).map(|i| i.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            expect.assert_eq(&shown.unwrap_or_else(|error| error.to_string()));
        };
        check("timestamp '2026-03-31 17:00:00'", expect!["2026-03-31T17:00:00Z"]);
        check("timestamp '2026-03-31T17:00:00.123456+01:00'", expect!["2026-03-31T16:00:00.123456Z"]);
        check("'2026-03-31T17:00:00+01:00'", expect!["2026-03-31T16:00:00Z"]);
        check("timestamp '2026-03-31 17:00:00' - interval '1 hour'", expect!["2026-03-31T16:00:00Z"]);
        check("date_trunc('month', timestamp '2026-03-31 17:00:00')", expect!["2026-03-01T00:00:00Z"]);
        check(
            "timestamp '2026-07-01 12:00:00' at time zone 'Europe/London'",
            expect!["2026-07-01T11:00:00Z"],
        );
        check("'2026-03-31 17:00:00'", expect!["'2026-03-31 17:00:00' is not an instant with a time zone"]);
        check("'2026-03-31'", expect!["'2026-03-31' is not an instant with a time zone"]);
        check("date '2026-03-31'", expect!["'DATE '2026-03-31'' is not an instant"]);
        check("null", expect!["'NULL' is not an instant"]);
        check("cast(null as timestamp)", expect!["'CAST(NULL AS TIMESTAMP)' is not an instant"]);
        check("12", expect!["'12' is not an instant"]);
        check("made_on", expect!["a point in time must be constant: no column, no parameter, no subquery"]);
        check("a.made_on", expect!["a point in time must be constant: no column, no parameter, no subquery"]);
        check("$1", expect!["a point in time must be constant: no column, no parameter, no subquery"]);
        check(
            "timestamp '2026-03-31 17:00:00' + $1",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        );
        check(
            "(select now())",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        );
        check("random()", expect!["a point in time must be constant: no column, no parameter, no subquery"]);
        check("timestamp 'yesterday'", expect!["a value cannot be converted to the type asked for"]);
        check("nonsense('x')", expect!["invalid function 'nonsense'"]);
    }

    #[test]
    fn now_is_the_start_of_the_statement() {
        let state = Engine::new().unwrap().context().state();
        let evaluate = |text: &str| {
            let dialect = crate::serve::dialect::SqlDialect::default();
            let expr = Parser::new(&dialect).try_with_sql(text).unwrap().parse_expr().unwrap();
            instant(&state, &expr).unwrap()
        };
        let now = evaluate("now()");
        assert_eq!(evaluate("current_timestamp"), now);
        assert_eq!(evaluate("now() - interval '1 day'"), now - TimeDelta::days(1));
        assert!(now <= Utc::now());
    }
}
