//! Runs models in dependency order into new files that belong to no version yet.

use super::check::{self, Facts, Finding};
use super::content::Content;
use super::staging::{self, Bound};
use super::{Model, Scope, failures};
use crate::engine::{Engine, lake_schema, to_schema};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::{DataFile, Version};
use crate::lake::snapshot::SnapshotTable;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{Instrument, info_span};

/// What models are made from, apart from raw. Shared by the builds of all forces.
#[derive(Debug)]
pub struct Library {
    /// The session factory.
    pub engine: Engine,
    /// Where the new files go.
    pub lake: Lake,
    /// Every staging mapping.
    pub staging: Vec<Model>,
    /// Conformed models and marts in dependency order.
    pub models: Vec<Model>,
    /// One bound source without raw tables for each system, for mappings that no source uses.
    pub systems: Vec<Bound>,
    /// Code lists, by name.
    pub reference: BTreeMap<String, Arc<Version>>,
}

/// What is to be built: for one force, or for the hub.
#[derive(Debug)]
pub struct Job {
    /// The force's code; `None` for the hub-scope models.
    pub force: Option<String>,
    /// The force's sources with their raw tables; the models see no others.
    pub sources: Vec<Bound>,
    /// The models to run, `layer.name`.
    pub wanted: BTreeSet<String>,
    /// The content of the tables that they read and that are not built anew.
    pub kept: BTreeMap<String, Content>,
    /// What the checks know besides the rows.
    pub facts: Facts,
    /// In how many streams each plan runs.
    pub partitions: usize,
}

/// What one build made.
#[derive(Debug, Default)]
pub struct Built {
    /// The new content: `layer.name` → files of this force (or of the whole hub).
    pub tables: BTreeMap<String, Content>,
    /// How long each model took and how many rows it made, in order.
    pub steps: Vec<Step>,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// The rows that fail them, in files that [`failures::commit`] makes visible.
    pub failures: Vec<DataFile>,
}

/// One model's run.
#[derive(Debug, Clone)]
pub struct Step {
    /// `layer.name`.
    pub model: String,
    /// Rows made.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Built {
    /// The checks that block, in words; `None` when none does.
    pub fn blocked_by(&self) -> Option<String> {
        let blocking = self.findings.iter().filter(|finding| finding.blocks());
        let words: Vec<String> = blocking.map(Finding::words).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl Library {
    /// Runs the wanted models of `job` and checks what they made. When one of them cannot be run,
    /// nothing of the job stays behind.
    pub async fn build(&self, job: &Job) -> Result<Built> {
        let scope = if job.force.is_some() { Scope::Force } else { Scope::Hub };
        let wanted = |m: &&Model| m.scope == scope && job.wanted.contains(&m.table());
        let models: Vec<&Model> = self.models.iter().filter(wanted).collect();
        let context = self.session(job, &models).await?;
        let mut built = Built::default();
        match self.run(&context, &models, job, &mut built).await {
            Ok(()) => Ok(built),
            Err(error) => {
                self.discard(&built.tables).await;
                Err(error)
            }
        }
    }

    /// Checks the wanted models of `job` again, on their tables among those that are kept.
    pub async fn recheck(&self, job: &Job) -> Result<Built> {
        let models: Vec<&Model> = self.models.iter().filter(|m| job.wanted.contains(&m.table())).collect();
        let context = self.session(job, &models).await?;
        let mut built = Built::default();
        self.check(&context, &models, job, &mut built).await?;
        Ok(built)
    }

    /// Deletes the files of tables that will not be released.
    pub async fn discard(&self, tables: &BTreeMap<String, Content>) {
        for (name, content) in tables {
            self.lake.table(&name.replace('.', "/")).discard(&content.files).await;
        }
    }

    /// Deletes all that a build made whose rows nobody will see, not even those that fail checks.
    pub async fn forget(&self, built: &Built) {
        self.discard(&built.tables).await;
        failures::discard(&self.lake, &built.failures).await;
    }

    /// A session with all that `models` read and that `job` does not build.
    async fn session(&self, job: &Job, models: &[&Model]) -> Result<SessionContext> {
        let context = self.context(job.partitions)?;
        self.register_staging(&context, &job.sources, models).await?;
        for (name, content) in &job.kept {
            register_content(&context, name, content)?;
        }
        Ok(context)
    }

    /// A session with the code lists and empty layers.
    fn context(&self, partitions: usize) -> Result<SessionContext> {
        let context = self.engine.context_beside(partitions);
        for layer in ["staging", "conformed", "marts"] {
            staging::register(&context, layer, Arc::new(MemorySchemaProvider::new()))?;
        }
        let reference = MemorySchemaProvider::new();
        for (name, version) in &self.reference {
            let table = Arc::new(SnapshotTable::of(version, |_| true));
            let registered = reference.register_table(name.clone(), table);
            registered.map_err(|e| Error::internal("a code list could not be registered").because(e))?;
        }
        staging::register(&context, "reference", Arc::new(reference))?;
        Ok(context)
    }

    /// Registers every staging table that `models` read: the union over `sources`, empty where none
    /// maps it.
    async fn register_staging(
        &self,
        context: &SessionContext,
        sources: &[Bound],
        models: &[&Model],
    ) -> Result<()> {
        let read: BTreeSet<String> = models.iter().flat_map(|model| model.looks_into()).collect();
        let read = |m: &&Model| read.contains(&m.table());
        let mut mappings: BTreeMap<&str, Vec<&Model>> = BTreeMap::new();
        for model in self.staging.iter().filter(read) {
            mappings.entry(&model.name).or_default().push(model);
        }
        for (name, models) in mappings {
            let mut plans = Vec::new();
            for bound in sources {
                for model in models.iter().filter(|m| m.system.as_deref() == Some(bound.system.as_str())) {
                    plans.push(staging::mapping(&self.engine, model, bound).await?);
                }
            }
            let table = match plans.is_empty() {
                false => staging::union(plans)?,
                true => {
                    let unused = models.iter().find_map(|model| {
                        let bound = self.systems.iter().find(|b| model.system.as_ref() == Some(&b.system))?;
                        Some((model, bound))
                    });
                    let Some((model, bound)) = unused else { continue };
                    staging::empty(&staging::mapping(&self.engine, model, bound).await?)?
                }
            };
            let registered = context.register_table(format!("staging.{name}"), table);
            registered.map_err(|e| Error::internal("a staging table could not be registered").because(e))?;
        }
        Ok(())
    }

    async fn run(
        &self,
        context: &SessionContext,
        models: &[&Model],
        job: &Job,
        built: &mut Built,
    ) -> Result<()> {
        for model in models {
            let started = Instant::now();
            let content = self.write(context, model, job.force.as_deref()).await?;
            register_content(context, &model.table(), &content)?;
            let (rows, bytes) = (content.rows(), content.bytes());
            built.steps.push(Step { model: model.table(), rows, bytes, took: started.elapsed() });
            built.tables.insert(model.table(), content);
        }
        // After all models, because a check may relate to a table that the model does not read.
        self.check(context, models, job, built).await
    }

    async fn check(
        &self,
        context: &SessionContext,
        models: &[&Model],
        job: &Job,
        built: &mut Built,
    ) -> Result<()> {
        for model in models {
            let span = info_span!("check", muster.model = model.table());
            built.findings.extend(check::run(context, model, &job.facts).instrument(span).await?);
        }
        built.failures = failures::write(&self.lake, context, models, &built.findings, &job.facts).await?;
        Ok(())
    }

    async fn write(&self, context: &SessionContext, model: &Model, force: Option<&str>) -> Result<Content> {
        let failed = |e| Error::model("the model cannot be run").at(&model.file).because(e);
        let frame = context.sql(&model.sql).await.map_err(failed)?;
        let schema = lake_schema(frame.schema().as_arrow()).map_err(|e| e.at(&model.file))?;
        let rows = frame.execute_stream().await.map_err(failed)?;
        let rows = rows.map(|batch| to_schema(&batch.map_err(failed)?, &schema));
        let table = self.lake.table(&format!("{}/{}", model.layer.as_str(), model.name));
        let files = table.write(&schema, force, rows).await?;
        let dir = self.lake.root().join(table.name());
        Ok(Content { schema, by_force: force.is_some(), dir, files })
    }
}

fn register_content(context: &SessionContext, name: &str, content: &Content) -> Result<()> {
    let registered = context.register_table(name, content.table());
    registered.map(drop).map_err(|e| Error::internal("a table could not be registered").at(name).because(e))
}
