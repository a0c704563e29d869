//! From a text to plans: parsed, its points in time resolved, planned, its parameters bound.

use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::enforce::Pinned;
use crate::policy::roles::Principal;
use crate::release;
use crate::release::as_of::{self, Moment, Pin};
use crate::serve::information;
use crate::serve::origin::{self, Origin};
use crate::serve::past::{self, Past};
use crate::serve::sql::{self, AsOf};
use crate::serve::statement::Request;
use crate::serve::{fault, wire};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as Parsed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A table of the engine's settings, which name folders of this machine. The engine finds it
/// whatever the case of its name.
const SETTINGS: &str = "information_schema.df_settings";

/// The most rows of parameters that one execution may bind: each is a run of the statement.
const MAX_BOUND_ROWS: usize = 1000;

/// The longest text of a statement times its rows of parameters, in bytes: every row is planned
/// before the first one runs.
const MAX_BOUND_BYTES: usize = 4 << 20;

/// A statement whose tables are resolved but whose parameters have no values yet.
pub(super) struct Draft {
    context: SessionContext,
    state: SessionState,
    plan: LogicalPlan,
    is_explain: bool,
    is_stable: bool,
    parameters: Vec<DataType>,
    sets: Option<Pin>,
    /// Where its columns come from.
    origins: Vec<Option<Origin>>,
    types: wire::Types,
}

/// A draft with its parameters bound, or without any.
pub(super) struct Bound {
    /// What the plans run in.
    pub(super) state: SessionState,
    /// One plan for each row of parameters, optimised.
    pub(super) plans: Vec<LogicalPlan>,
    /// The columns, as announced and as sent.
    pub(super) schema: SchemaRef,
    /// The types of the parameters.
    pub(super) parameters: Vec<DataType>,
    /// Whether every parameter has a value.
    pub(super) is_bound: bool,
    /// Whether whoever sees the same of the same release always gets the same answer.
    pub(super) is_stable: bool,
    /// What the session reads from now on, if the statement says so.
    pub(super) sets: Option<Pin>,
}

impl Draft {
    /// Plans `request` for `principal`, and tells in `read` the tables that it reads, even when it
    /// is refused.
    pub(super) async fn new(
        hub: &Hub,
        principal: &Principal,
        pinned: Pinned,
        request: &Request,
        read: &mut Vec<String>,
    ) -> Result<Self> {
        if request.text.len().saturating_mul(request.rows.len()) > MAX_BOUND_BYTES {
            return Err(Error::query("too many rows of parameters for a statement of this length")
                .hint("bind fewer rows at once"));
        }
        let Pinned { context, release } = pinned;
        let (parsed, is_explain) = match sql::read(&request.text)? {
            sql::Read::Rows(parsed) => (parsed, false),
            sql::Read::Plan(parsed) => (parsed, true),
            sql::Read::AsOf(as_of) => return Self::setting(hub, context, release, request.pin, as_of).await,
        };
        information::install(hub, principal, &context)?;
        let mut state = context.state();
        let past = Past::resolve(hub, principal, &state, &parsed).await?;
        state.register_relation_planner(Arc::new(past)).map_err(|e| fault::planning(&e))?;
        let plan = planned(&state, parsed).await?;
        *read = tables(&plan, &state).map_err(|e| fault::planning(&e))?;
        if let Some(settings) = read.iter().find(|table| table.eq_ignore_ascii_case(SETTINGS)) {
            return Err(Error::query(format!("table 'muster.{settings}' not found")));
        }
        let parameters = parameters(&plan)?;
        let is_stable = is_stable(&plan, read).map_err(|e| fault::planning(&e))?;
        let origins = if is_explain { Vec::new() } else { origin::of(&plan, &context, &hub.project) };
        let types = request.types;
        Ok(Self { context, state, plan, is_explain, is_stable, parameters, sets: None, origins, types })
    }

    /// A statement about `muster.as_of`. It answers with the session as it then is, in one row.
    async fn setting(
        hub: &Hub,
        context: SessionContext,
        release: u64,
        pin: Pin,
        as_of: AsOf,
    ) -> Result<Self> {
        let state = context.state();
        let (shown, sets) = match as_of {
            AsOf::Set(instant) => {
                let moment = as_of::current(&hub.lake, past::instant(&state, &instant)?).await?;
                (Pin::AsOf(moment), Some(Pin::AsOf(moment)))
            }
            AsOf::Reset => (Pin::Newest, Some(Pin::Newest)),
            AsOf::Show => (pin, None),
        };
        let (instant, release) = match shown {
            Pin::AsOf(Moment { instant, release }) => (Some(instant.timestamp_micros()), release),
            Pin::Release(number) => (None, number),
            Pin::Newest => (None, release::numbers(&hub.lake).await?.last().copied().unwrap_or(release)),
        };
        let instants = TimestampMicrosecondArray::from(vec![instant]).with_timezone("UTC");
        let releases = Int64Array::from(vec![i64::try_from(release).ok()]);
        let plan =
            table(&context, [("as_of", Arc::new(instants) as _), ("release", Arc::new(releases) as _)])?;
        let (parameters, origins, types) = (Vec::new(), Vec::new(), wire::Types::default());
        let (is_explain, is_stable) = (false, false);
        Ok(Self { context, state, plan, is_explain, is_stable, parameters, sets, origins, types })
    }

    /// Puts values in the place of parameters, and optimises. Without rows, the parameters stay
    /// open and the plan only tells its columns.
    pub(super) fn bind(self, rows: &[Vec<ScalarValue>]) -> Result<Bound> {
        if rows.len() > MAX_BOUND_ROWS {
            return Err(Error::query(format!("more than {MAX_BOUND_ROWS} rows of parameters")));
        }
        let is_bound = self.parameters.is_empty() || !rows.is_empty();
        let plans = match self.parameters.is_empty() || rows.is_empty() {
            true => vec![self.finish(self.plan.clone(), is_bound)?],
            false => rows.iter().map(|row| self.finish(self.with(row)?, true)).collect::<Result<Vec<_>>>()?,
        };
        let mut schemas =
            plans.iter().map(|plan| wire::answer(plan.schema().as_arrow(), &self.origins, self.types));
        let schema = schemas.next().ok_or_else(|| Error::internal("a statement without a plan"))?;
        if schemas.any(|other| other != schema) {
            return Err(Error::query("rows of parameters give columns of different types")
                .hint("send values of one type for each parameter"));
        }
        let Self { state, parameters, is_stable, sets, .. } = self;
        Ok(Bound { state, plans, schema, parameters, is_bound, is_stable, sets })
    }

    fn with(&self, row: &[ScalarValue]) -> Result<LogicalPlan> {
        if row.len() != self.parameters.len() {
            let (expected, got) = (self.parameters.len(), row.len());
            return Err(Error::query(format!("the statement has {expected} parameters, {got} were sent")));
        }
        self.plan.clone().with_param_values(row.to_vec()).map_err(|e| fault::planning(&e))
    }

    fn finish(&self, plan: LogicalPlan, is_bound: bool) -> Result<LogicalPlan> {
        let optimised = match self.state.optimize(&plan) {
            Ok(optimised) => optimised,
            // An open parameter may have no type yet; its value will bring one.
            Err(_) if !is_bound => plan,
            Err(error) => return Err(fault::planning(&error)),
        };
        match self.is_explain {
            true => self.explain(&optimised),
            false => Ok(optimised),
        }
    }

    /// The logical plan as rows. The physical plan names files, so it is not shown.
    fn explain(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let mut text = plan.display_indent().to_string();
        if fail::eval("plant::plan-files", |_| ()).is_some() {
            text += &format!("\n{:?}", self.context.catalog(CATALOG));
        }
        table(
            &self.context,
            [
                ("plan_type", Arc::new(StringArray::from(vec!["logical_plan"])) as _),
                ("plan", Arc::new(StringArray::from(vec![text])) as _),
            ],
        )
    }
}

/// The plan of a statement that only reads.
async fn planned(state: &SessionState, parsed: Parsed) -> Result<LogicalPlan> {
    let plan = state.statement_to_plan(parsed).await.map_err(|e| fault::planning(&e))?;
    let only_reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    // A second look: whatever the parser let through, the plan must not write.
    only_reads.verify_plan(&plan).map_err(|_| Error::query("not allowed: the hub is read-only"))?;
    Ok(plan)
}

/// A plan that answers with these columns.
fn table(context: &SessionContext, columns: [(&str, ArrayRef); 2]) -> Result<LogicalPlan> {
    let rows = RecordBatch::try_from_iter(columns).map_err(DataFusionError::from);
    let frame = rows.and_then(|rows| context.read_batch(rows));
    frame.map(|frame| frame.into_unoptimized_plan()).map_err(|e| fault::planning(&e))
}

/// The tables that the plan reads, `layer.name`; with `@` and the release where it is another than
/// the session's.
fn tables(plan: &LogicalPlan, state: &SessionState) -> Result<Vec<String>, DataFusionError> {
    let catalog = &state.config_options().catalog;
    let mut names = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = scan.table_name.clone().resolve(&catalog.default_catalog, &catalog.default_schema);
            names.insert(past::recorded(&table.catalog, &table.schema, &table.table));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names.into_iter().collect())
}

/// Whether a plan over `tables` gives the same answer whenever it runs: nothing in it asks for the
/// time or a random number, and what it reads is part of the session's release. Tables of schema `hub`
/// are not, and a table's own point in time may mean another release tomorrow. The arguments of a
/// table function, whose name ends with brackets, have become constants before anybody can look.
fn is_stable(plan: &LogicalPlan, tables: &[String]) -> Result<bool, DataFusionError> {
    let changes = |table: &String| table.starts_with("hub.") || table.contains('@') || table.ends_with("()");
    if tables.iter().any(changes) {
        return Ok(false);
    }
    let mut is_stable = true;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            is_stable &= !expr.exists(|part| Ok(is_of_the_moment(part)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(is_stable)
}

fn is_of_the_moment(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Immutable,
        other => other.is_volatile_node(),
    }
}

/// The types of `$1`, `$2`, …; text where the plan does not tell.
fn parameters(plan: &LogicalPlan) -> Result<Vec<DataType>> {
    let found = plan.get_parameter_types().map_err(|e| fault::planning(&e))?;
    let mut numbered = BTreeMap::new();
    for (name, data_type) in found {
        let number: Option<usize> = name.strip_prefix('$').and_then(|n| n.parse().ok());
        let number = number.filter(|n| (1..=MAX_BOUND_ROWS).contains(n));
        let number = number.ok_or_else(|| Error::query(format!("parameter '{name}' is not ? or $1")))?;
        numbered.insert(number, data_type);
    }
    let count = numbered.keys().next_back().copied().unwrap_or_default();
    Ok((1..=count).map(|n| numbered.remove(&n).flatten().unwrap_or(DataType::Utf8)).collect())
}
