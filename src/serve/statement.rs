//! The life of a statement, whatever the protocol: planned for one principal over one release,
//! recorded, run, and its record completed.

use crate::audit::entry::Query;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::roles::{Forces, Principal};
use crate::release::as_of::Pin;
use crate::serve::desk::{Desk, Key};
use crate::serve::draft::{Bound, Draft};
use crate::serve::record::Entry;
use crate::serve::yielding::yielding;
use crate::serve::{answer, fault, shown, wire};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

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
    /// The release to read.
    pub pin: Pin,
    /// The types of the answer.
    pub types: wire::Types,
    /// The schema of names that have none; `None`: the usual one.
    pub schema: Option<String>,
}

impl Request {
    /// A text without parameters, for the newest release.
    pub fn text(text: impl Into<String>) -> Self {
        let (rows, pin, types) = (Vec::new(), Pin::Newest, wire::Types::default());
        Self { text: text.into(), rows, pin, types, schema: None }
    }
}

/// A statement that has been planned and may run.
pub struct Statement {
    desk: Arc<Desk>,
    principal: Principal,
    planned: Arc<Planned>,
    record: Query,
}

/// What is planned, the same for all who see the same.
pub(super) struct Planned {
    /// What the plans run in.
    pub(super) state: SessionState,
    /// One plan for each row of parameters, optimised.
    pub(super) plans: Vec<LogicalPlan>,
    /// The columns, as announced and as sent.
    pub(super) schema: SchemaRef,
    /// What the statement is known by, if its answer is always the same.
    pub(super) key: Option<Arc<Key>>,
    tables: Vec<String>,
    parameters: Vec<DataType>,
    is_bound: bool,
    sets: Option<Pin>,
}

/// The rows of a statement that runs. Dropping it cancels the run.
pub type Rows = BoxStream<'static, Result<RecordBatch>>;

impl Statement {
    /// Plans the statement, or finds the plan that was made when it was last asked by somebody who
    /// sees the same. One that cannot be planned is recorded as failed: it asked for something, even
    /// if nothing was read.
    pub async fn plan(desk: &Arc<Desk>, asker: &Asker, request: Request) -> Result<Self> {
        let Asker { principal, peer } = asker;
        let mut record = Query {
            principal: principal.name.clone(),
            peer: peer.clone(),
            statement: shown::text(&request.text),
            parameters: shown::parameters(&request.rows),
            release: 0,
            tables: Vec::new(),
            forces: forces(principal),
        };
        match Planned::find(desk, principal, request, &mut record).await {
            Ok(planned) => {
                let (desk, principal) = (Arc::clone(desk), principal.clone());
                Ok(Self { desk, principal, planned, record })
            }
            Err(error) => Err(refuse(desk.hub(), &record, error).await),
        }
    }

    /// The columns, as announced and as sent.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.planned.schema)
    }

    /// The types of the parameters `$1`, `$2`, …
    pub fn parameters(&self) -> &[DataType] {
        &self.planned.parameters
    }

    /// Whether the plan was made for `principal`, with the roles that it has now.
    pub fn is_for(&self, principal: &Principal) -> bool {
        self.principal == *principal
    }

    /// What the session of the client reads from now on, if the statement says so.
    pub fn sets(&self) -> Option<Pin> {
        self.planned.sets
    }

    /// Records that what the statement sets has taken effect for the client at `peer`: not when it
    /// runs, because nobody need fetch its answer.
    pub async fn has_taken_effect(&self, peer: &str) -> Result<()> {
        self.begin(peer).await?.succeeded().await
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
        if !self.planned.is_bound {
            return Err(Error::query(format!("{} parameters have no value", self.parameters().len()))
                .hint("bind a value for each parameter"));
        }
        if self.sets().is_some() {
            // It is recorded when it takes effect.
            return Ok(self.rows());
        }
        let entry = self.begin(peer).await?;
        let ends_at = limit.and_then(|limit| Instant::now().checked_add(limit));
        Ok(entry.follow(match ends_at {
            Some(ends_at) => until(ends_at, self.rows()),
            None => self.rows(),
        }))
    }

    fn rows(&self) -> Rows {
        answer::rows(&self.desk, &self.planned, &self.principal.name)
    }

    async fn begin(&self, peer: &str) -> Result<Entry> {
        Entry::begin(&self.desk.hub().audit, &Query { peer: peer.into(), ..self.record.clone() }).await
    }
}

impl Planned {
    /// The plan that is kept, or a new one. Tells in `record` what is read, even when the statement is
    /// refused.
    async fn find(
        desk: &Arc<Desk>,
        principal: &Principal,
        request: Request,
        record: &mut Query,
    ) -> Result<Arc<Self>> {
        let hub = Arc::clone(desk.hub());
        let seen = desk.views.seen(&hub, principal, request.pin.release()).await?;
        record.release = seen.release();
        let (release, visibility) = (seen.release(), seen.visibility());
        let Request { text, rows, types, schema, .. } = request.clone();
        let key = Arc::new(Key { release, visibility, text, rows, types, schema });
        if let Some(planned) = desk.plans.get(&key) {
            record.tables.clone_from(&planned.tables);
            return Ok(planned);
        }
        let turn = desk.lanes.plan(&principal.name).await?;
        let pinned = seen.session(&hub, principal)?;
        if let Some(schema) = &request.schema {
            let session = pinned.context.state_ref();
            session.write().config_mut().options_mut().catalog.default_schema.clone_from(schema);
        }
        let principal = principal.clone();
        let draft = on_deep_stack(async move {
            let mut tables = Vec::new();
            let draft = Draft::new(&hub, &principal, pinned, &request, &mut tables).await;
            Ok((tables, draft.and_then(|draft| draft.bind(&request.rows))))
        });
        let (tables, bound) = draft.await?;
        drop(turn);
        record.tables.clone_from(&tables);
        let Bound { state, plans, schema, parameters, is_bound, is_stable, sets } = bound?;
        let kept = is_stable.then(|| Arc::clone(&key));
        let planned = Self { state, plans, schema, key: kept, tables, parameters, is_bound, sets };
        let planned = Arc::new(planned);
        if is_stable {
            desk.plans.insert(key, Arc::clone(&planned));
        }
        Ok(planned)
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Records a statement that was refused, and gives the error that the client receives.
async fn refuse(hub: &Hub, record: &Query, error: Error) -> Error {
    let recorded = async { Entry::begin(&hub.audit, record).await?.failed().await };
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

/// The plan that runs.
pub(super) async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let (planning, plan) = (state.clone(), plan.clone());
    on_deep_stack(async move {
        let physical = planning.query_planner().create_physical_plan(&plan, &planning).await;
        physical.and_then(yielding).map_err(|e| fault::running(&e))
    })
    .await
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
    use datafusion::arrow::array::StringArray;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn a_statement_ends_with_an_error_at_its_limit() {
        let batch = || RecordBatch::try_from_iter([("a", Arc::new(StringArray::from(vec!["x"])) as _)]);
        let rows = stream::iter([Ok(batch().unwrap())]).chain(stream::pending()).boxed();
        let ends_at = Instant::now() + Duration::from_millis(20);
        let seen: Vec<_> = until(ends_at, rows).map_err(|error| error.to_string()).collect().await;
        assert_eq!(seen, [Ok(batch().unwrap()), Err("the statement has run for longer than it may".into())]);
    }
}
