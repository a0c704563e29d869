//! The life of a statement, whatever the protocol: planned for one principal over one release,
//! recorded, run, and its record completed.

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::enforce::{self, Pinned};
use crate::policy::roles::{Forces, Principal};
use crate::serve::record::Entry;
use crate::serve::{fault, shown, sql, wire};
use crate::state::queries::Query;
use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// A table of the engine's settings, which name folders of this machine. The engine finds it
/// whatever the case of its name.
const SETTINGS: &str = "information_schema.df_settings";

/// The most rows of parameters that one execution may bind: each is a run of the statement.
const MAX_BOUND_ROWS: usize = 1000;

/// The longest text of a statement times its rows of parameters, in bytes: every row is planned
/// before the first one runs.
const MAX_BOUND_BYTES: usize = 4 << 20;

/// The stack on which statements are planned: enough for the deepest tree that `chain` lets pass.
/// Only what is used of it takes memory.
const PLANNER_STACK_BYTES: usize = 64 << 20;

/// Who asks, and from where.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The principal, resolved for this call.
    pub principal: Principal,
    /// The address of the client, or `local`.
    pub peer: String,
}

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Request {
    /// The SQL.
    pub text: String,
    /// Rows of parameter values; the statement runs once for each. Empty when none are bound.
    pub rows: Vec<Vec<ScalarValue>>,
    /// The release to read; the newest when absent.
    pub release: Option<u64>,
}

impl Request {
    /// A text without parameters, for the newest release.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), rows: Vec::new(), release: None }
    }
}

/// A statement that has been planned and may run.
pub struct Statement {
    hub: Arc<Hub>,
    principal: Principal,
    state: SessionState,
    /// One plan for each row of parameters, optimised.
    plans: Vec<LogicalPlan>,
    schema: SchemaRef,
    parameters: Vec<DataType>,
    is_bound: bool,
    record: Query,
}

/// The rows of a statement that runs. Dropping it cancels the run.
pub type Rows = BoxStream<'static, Result<RecordBatch>>;

impl Statement {
    /// Plans the statement. One that cannot be planned is recorded as failed: it asked for
    /// something, even if nothing was read.
    pub async fn plan(hub: Arc<Hub>, asker: &Asker, request: Request) -> Result<Self> {
        let record = Query {
            principal: asker.principal.name.clone(),
            peer: asker.peer.clone(),
            statement: shown::text(&request.text),
            parameters: shown::parameters(&request.rows),
            release: 0,
            tables: Vec::new(),
            forces: forces(&asker.principal),
        };
        let pinned = match enforce::session(&hub, &asker.principal, request.release).await {
            Ok(pinned) => pinned,
            Err(error) => return Err(refuse(&hub, &record, error).await),
        };
        let mut record = Query { release: pinned.release, ..record };
        let draft = on_deep_stack(async move {
            let mut tables = Vec::new();
            let draft = Draft::new(pinned, &request, &mut tables).await;
            Ok((tables, draft.and_then(|draft| draft.bind(&request.rows))))
        });
        let bound = draft.await.and_then(|(tables, bound)| {
            record.tables = tables;
            bound
        });
        match bound {
            Ok(bound) => Ok(bound.into_statement(hub, asker.principal.clone(), record)),
            Err(error) => Err(refuse(&hub, &record, error).await),
        }
    }

    /// The columns, as announced and as sent.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The types of the parameters `$1`, `$2`, …
    pub fn parameters(&self) -> &[DataType] {
        &self.parameters
    }

    /// Whether the plan was made for `principal`, with the roles that it has now.
    pub fn is_for(&self, principal: &Principal) -> bool {
        self.principal == *principal
    }

    /// Records the statement, then runs it for the client at `peer`. A statement that cannot be
    /// recorded does not run.
    pub async fn run(&self, peer: &str) -> Result<Rows> {
        self.start(peer, None).await
    }

    /// Runs the statement like [`Statement::run`], and ends it with an error after `limit`.
    pub async fn run_within(&self, peer: &str, limit: Duration) -> Result<Rows> {
        self.start(peer, Some(limit)).await
    }

    async fn start(&self, peer: &str, limit: Option<Duration>) -> Result<Rows> {
        if !self.is_bound {
            return Err(Error::query(format!("{} parameters have no value", self.parameters.len()))
                .hint("bind a value for each parameter"));
        }
        let record = Query { peer: peer.into(), ..self.record.clone() };
        let entry = Entry::begin(&self.hub.state, &record).await?;
        let ends_at = limit.and_then(|limit| Instant::now().checked_add(limit));
        match self.stream().await {
            Ok(rows) => Ok(entry.follow(match ends_at {
                Some(ends_at) => until(ends_at, rows),
                None => rows,
            })),
            Err(error) => {
                entry.failed().await?;
                Err(error)
            }
        }
    }

    /// Starts the first plan; the others start when their turn comes.
    async fn stream(&self) -> Result<Rows> {
        let mut plans = self.plans.iter().cloned();
        let first = match plans.next() {
            Some(plan) => execute(&self.state, &plan).await?,
            None => return Ok(stream::empty().boxed()),
        };
        let state = self.state.clone();
        let later = stream::iter(plans.collect::<Vec<_>>()).then(move |plan| {
            let state = state.clone();
            async move { execute(&state, &plan).await }
        });
        let schema = self.schema();
        let rows = stream::iter([Ok(first)])
            .chain(later)
            .map_ok(|rows| rows.map_err(|e| fault::running(&e)))
            .try_flatten()
            .map(move |batch| batch.and_then(|batch| wire::conform(&batch, &schema)));
        Ok(rows.boxed())
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Records a statement that was refused, and gives the error that the client receives.
async fn refuse(hub: &Hub, record: &Query, error: Error) -> Error {
    let recorded = async { Entry::begin(&hub.state, record).await?.failed().await };
    match recorded.await {
        Ok(()) => error,
        Err(unrecorded) => unrecorded,
    }
}

/// The rows until `ends_at`, then an error.
fn until(ends_at: Instant, rows: Rows) -> Rows {
    let open = stream::unfold(Some(rows), move |open| async move {
        let mut rows = open?;
        match timeout_at(ends_at, rows.next()).await {
            Ok(next) => Some((next?, Some(rows))),
            // The rows are dropped, which ends the run.
            Err(_) => Some((Err(too_long()), None)),
        }
    });
    open.boxed()
}

fn too_long() -> Error {
    Error::query("the statement has run for longer than it may")
        .hint("select fewer rows, or read the answer faster")
}

async fn execute(state: &SessionState, plan: &LogicalPlan) -> Result<SendableRecordBatchStream> {
    let (planning, plan) = (state.clone(), plan.clone());
    let physical = on_deep_stack(async move {
        let physical = planning.query_planner().create_physical_plan(&plan, &planning).await;
        physical.map_err(|e| fault::running(&e))
    });
    execute_stream(physical.await?, state.task_ctx()).map_err(|e| fault::running(&e))
}

/// Runs `work` on a thread of its own, whose stack is deep. A panic in it is an error.
async fn on_deep_stack<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let (done, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("planner".into())
        .stack_size(PLANNER_STACK_BYTES)
        .spawn(move || done.send(runtime.block_on(work)).ok())
        .map_err(|e| Error::internal("a thread for planning cannot be started").because(e))?;
    answer.await.map_err(|e| Error::internal("the statement could not be planned").because(e))?
}

/// A statement whose tables are resolved but whose parameters have no values yet.
struct Draft {
    context: SessionContext,
    state: SessionState,
    plan: LogicalPlan,
    is_explain: bool,
    parameters: Vec<DataType>,
}

impl Draft {
    /// Plans `request`, and tells in `read` the tables that it reads, even when it is refused.
    async fn new(pinned: Pinned, request: &Request, read: &mut Vec<String>) -> Result<Self> {
        if request.text.len().saturating_mul(request.rows.len()) > MAX_BOUND_BYTES {
            return Err(Error::query("too many rows of parameters for a statement of this length")
                .hint("bind fewer rows at once"));
        }
        let context = pinned.context;
        let state = context.state();
        let (parsed, is_explain) = parse(&state, &request.text)?;
        let plan = state.statement_to_plan(parsed).await.map_err(|e| fault::planning(&e))?;
        let only_reads =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        // A second look: whatever the parser let through, the plan must not write.
        only_reads.verify_plan(&plan).map_err(|_| Error::query("not allowed: the hub is read-only"))?;
        *read = tables(&plan, &state).map_err(|e| fault::planning(&e))?;
        if let Some(settings) = read.iter().find(|table| table.eq_ignore_ascii_case(SETTINGS)) {
            return Err(Error::query(format!("table 'muster.{settings}' not found")));
        }
        let parameters = parameters(&plan)?;
        Ok(Self { context, state, plan, is_explain, parameters })
    }

    /// Puts values in the place of parameters, and optimises. Without rows, the parameters stay
    /// open and the plan only tells its columns.
    fn bind(self, rows: &[Vec<ScalarValue>]) -> Result<Bound> {
        if rows.len() > MAX_BOUND_ROWS {
            return Err(Error::query(format!("more than {MAX_BOUND_ROWS} rows of parameters")));
        }
        let is_bound = self.parameters.is_empty() || !rows.is_empty();
        let plans = match self.parameters.is_empty() || rows.is_empty() {
            true => vec![self.finish(self.plan.clone(), is_bound)?],
            false => rows.iter().map(|row| self.finish(self.with(row)?, true)).collect::<Result<Vec<_>>>()?,
        };
        let mut schemas = plans.iter().map(|plan| wire::schema(plan.schema().as_arrow()));
        let schema = schemas.next().ok_or_else(|| Error::internal("a statement without a plan"))?;
        if schemas.any(|other| other != schema) {
            return Err(Error::query("rows of parameters give columns of different types")
                .hint("send values of one type for each parameter"));
        }
        Ok(Bound { state: self.state, plans, schema, parameters: self.parameters, is_bound })
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
        let text = plan.display_indent().to_string();
        let rows = RecordBatch::try_from_iter([
            ("plan_type", Arc::new(StringArray::from(vec!["logical_plan"])) as _),
            ("plan", Arc::new(StringArray::from(vec![text])) as _),
        ]);
        let frame = rows.map_err(DataFusionError::from).and_then(|rows| self.context.read_batch(rows));
        frame.map(|frame| frame.into_unoptimized_plan()).map_err(|e| fault::planning(&e))
    }
}

/// The statement, and whether only its plan is asked for.
fn parse(state: &SessionState, text: &str) -> Result<(Parsed, bool)> {
    let dialect = dialect_from_str(state.config_options().sql_parser.dialect);
    let dialect = dialect.ok_or_else(|| Error::internal("the session's SQL dialect is unknown"))?;
    Ok(match sql::read(text, dialect.as_ref())? {
        sql::Read::Rows(parsed) => (parsed, false),
        sql::Read::Plan(parsed) => (parsed, true),
    })
}

/// A draft with its parameters bound, or without any.
struct Bound {
    state: SessionState,
    plans: Vec<LogicalPlan>,
    schema: SchemaRef,
    parameters: Vec<DataType>,
    is_bound: bool,
}

impl Bound {
    fn into_statement(self, hub: Arc<Hub>, principal: Principal, record: Query) -> Statement {
        let Self { state, plans, schema, parameters, is_bound } = self;
        Statement { hub, principal, state, plans, schema, parameters, is_bound, record }
    }
}

/// The tables that the plan reads, `layer.name`.
fn tables(plan: &LogicalPlan, state: &SessionState) -> Result<Vec<String>, DataFusionError> {
    let catalog = &state.config_options().catalog;
    let mut names = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = scan.table_name.clone().resolve(&catalog.default_catalog, &catalog.default_schema);
            names.insert(format!("{}.{}", table.schema, table.table));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names.into_iter().collect())
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

/// The forces whose rows the principal may read, or `*`.
fn forces(principal: &Principal) -> Vec<String> {
    let mut codes = BTreeSet::new();
    for role in &principal.roles {
        match &role.forces {
            Forces::All => return vec!["*".into()],
            Forces::Only(set) => codes.extend(set.iter().cloned()),
        }
    }
    codes.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_statement_ends_with_an_error_at_its_limit() {
        let batch = || RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec!["x"])) as _)]);
        let rows = stream::iter([Ok(batch().unwrap())]).chain(stream::pending()).boxed();
        let ends_at = Instant::now() + Duration::from_millis(20);
        let seen: Vec<_> = until(ends_at, rows).map_err(|error| error.to_string()).collect().await;
        assert_eq!(seen, [Ok(batch().unwrap()), Err("the statement has run for longer than it may".into())]);
    }
}
