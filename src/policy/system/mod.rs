//! Schema `hub`: what the hub knows of itself, as tables under the same policy as all others.
//! A row that belongs to a force is seen by those who may read that force; a row that belongs to
//! the hub as a whole, by those who may read every force.

mod failures;
mod lineage;
mod queries;
mod record;
mod rows;

use super::roles::{Forces, Principal};
use crate::audit::Log;
use crate::engine::Engine;
use crate::hub::Hub;
use crate::lake::Lake;
use crate::release::Manifest;
use crate::state::State;
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The system tables; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One row per load: what was read, accepted, quarantined, landed.
    Loads,
    /// One row per finding of a load: what somebody should know, though it broke nothing.
    Findings,
    /// One row per row that breaks its contract and reason. Its columns `raw` and `detail` hold
    /// what the source sent, and are null without the grant `quarantine.<entity>`.
    Quarantine,
    /// One row per run.
    Runs,
    /// One row per step of a run.
    Steps,
    /// One row per run, force and check.
    Checks,
    /// One row per row that failed a check when its model was last checked.
    CheckFailures,
    /// One row per release and force.
    Releases,
    /// One row per force and dataset of the release.
    Coverage,
    /// One row per statement.
    Queries,
    /// One row per column of a table and column that it depends on.
    Lineage,
}

impl Kind {
    /// Every system table.
    pub const ALL: [Kind; 11] = [
        Kind::Loads,
        Kind::Findings,
        Kind::Quarantine,
        Kind::Runs,
        Kind::Steps,
        Kind::Checks,
        Kind::CheckFailures,
        Kind::Releases,
        Kind::Coverage,
        Kind::Queries,
        Kind::Lineage,
    ];

    /// The table's name in schema `hub`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Loads => "loads",
            Kind::Findings => "findings",
            Kind::Quarantine => "quarantine",
            Kind::Runs => "runs",
            Kind::Steps => "steps",
            Kind::Checks => "checks",
            Kind::CheckFailures => "check_failures",
            Kind::Releases => "releases",
            Kind::Coverage => "coverage",
            Kind::Queries => "queries",
            Kind::Lineage => "lineage",
        }
    }

    /// Whether the table tells of a release, so that it has a past; the others are the hub's diary,
    /// which only grows.
    pub fn belongs_to_release(self) -> bool {
        match self {
            Kind::Loads
            | Kind::Findings
            | Kind::Quarantine
            | Kind::Releases
            | Kind::Coverage
            | Kind::Lineage => true,
            Kind::Runs | Kind::Steps | Kind::Checks | Kind::CheckFailures | Kind::Queries => false,
        }
    }

    /// The table's columns.
    pub fn schema(self) -> SchemaRef {
        let columns: &[(&str, Column)] = match self {
            Kind::Loads => rows::LOADS,
            Kind::Findings => rows::FINDINGS,
            Kind::Quarantine => rows::QUARANTINE,
            Kind::Releases => rows::RELEASES,
            Kind::Coverage => rows::COVERAGE,
            Kind::Runs => record::RUNS,
            Kind::Steps => record::STEPS,
            Kind::Checks => record::CHECKS,
            Kind::CheckFailures => failures::CHECK_FAILURES,
            Kind::Queries => queries::QUERIES,
            Kind::Lineage => lineage::LINEAGE,
        };
        let field = |(name, column): &(&str, Column)| Field::new(*name, column.arrow(), true);
        Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
    }
}

/// The types that system tables are made of.
#[derive(Debug, Clone, Copy)]
enum Column {
    Text,
    Int,
    Instant,
}

impl Column {
    fn arrow(self) -> DataType {
        match self {
            Column::Text => DataType::Utf8,
            Column::Int => DataType::Int64,
            Column::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// What the system tables of one session are computed from.
#[derive(Debug)]
pub struct View {
    lake: Lake,
    state: State,
    audit: Log,
    engine: Engine,
    manifest: Arc<Manifest>,
    principal: Principal,
    /// The columns of each model that can point to a person.
    pii: BTreeMap<String, Vec<String>>,
    /// How old the newest data of a dataset may be.
    fresh: BTreeMap<String, Duration>,
}

impl View {
    /// The hub as `principal` sees it in one release.
    pub fn new(hub: &Hub, manifest: Arc<Manifest>, principal: Principal) -> Self {
        let (lake, state, engine) = (hub.lake.clone(), hub.state.clone(), hub.engine.clone());
        let audit = hub.audit.clone();
        let tagged = hub.project.models.iter().map(|model| {
            let columns = model.columns.iter().filter(|column| column.tags.iter().any(|tag| tag == "pii"));
            (model.table(), columns.map(|column| column.name.clone()).collect())
        });
        let pii = tagged.collect();
        let fresh = hub.project.fresh().into_iter().map(|(name, age)| (name.to_string(), age)).collect();
        Self { lake, state, audit, engine, manifest, principal, pii, fresh }
    }

    /// The release.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// One system table, computed when it is scanned.
#[derive(Debug)]
pub struct SystemTable {
    kind: Kind,
    view: Arc<View>,
    forces: Forces,
}

impl SystemTable {
    /// The table `kind` with the rows of `forces`.
    pub fn new(kind: Kind, view: Arc<View>, forces: Forces) -> Self {
        Self { kind, view, forces }
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.kind.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (view, forces) = (&*self.view, &self.forces);
        let computed = match self.kind {
            Kind::Loads => rows::loads(view, forces).await,
            Kind::Findings => rows::findings(view, forces).await,
            Kind::Quarantine => rows::quarantine(view, forces).await,
            Kind::Releases => rows::releases(view, forces).await,
            Kind::Coverage => rows::coverage(view, forces),
            Kind::Runs => record::runs(view, forces).await,
            Kind::Steps => record::steps(view, forces).await,
            Kind::Checks => record::checks(view, forces).await,
            Kind::CheckFailures => {
                let plan = failures::plan(&self.view, forces, projection).await;
                return plan.map_err(|e| DataFusionError::External(Box::new(e)));
            }
            Kind::Queries => return queries::plan(view, forces, projection, limit),
            Kind::Lineage => lineage::lineage(view, forces).await,
        };
        let batch = computed.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let exec = MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?;
        Ok(exec)
    }
}
