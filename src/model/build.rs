//! Runs models in dependency order into new files that belong to no version yet.

use super::check::{self, Facts, Finding};
use super::staging::{self, Bound};
use super::{Model, Scope, failures};
use crate::engine::{Engine, lake_schema, to_schema};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::delta::{DataFile, Version};
use crate::lake::snapshot::SnapshotTable;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What models are made from, apart from raw.
#[derive(Debug)]
pub struct Library<'a> {
    /// The session factory.
    pub engine: &'a Engine,
    /// Where the new files go.
    pub lake: &'a Lake,
    /// Every staging mapping.
    pub staging: &'a [Model],
    /// Conformed models and marts in dependency order.
    pub models: &'a [Model],
    /// One bound source without raw tables for each system, for mappings that no source uses.
    pub systems: Vec<Bound>,
    /// Code lists, by name.
    pub reference: BTreeMap<String, Arc<Version>>,
}

/// The content of a table, whether committed or not.
#[derive(Debug, Clone)]
pub struct Content {
    /// The table's columns, without `force`.
    pub schema: SchemaRef,
    /// Whether it is partitioned by force.
    pub by_force: bool,
    /// The folder that the files' paths are relative to.
    pub dir: PathBuf,
    /// The files.
    pub files: Vec<DataFile>,
}

impl Content {
    /// The content of a committed version.
    pub fn of(version: &Version) -> Self {
        let columns = version.schema.fields().iter();
        let columns = columns.filter(|f| !(version.by_force && f.name() == crate::lake::delta::FORCE));
        let schema = datafusion::arrow::datatypes::Schema::new(columns.cloned().collect::<Vec<_>>());
        Self {
            schema: Arc::new(schema),
            by_force: version.by_force,
            dir: version.dir.clone(),
            files: version.files.clone(),
        }
    }

    /// The content as a table.
    pub fn table(&self) -> Arc<SnapshotTable> {
        let Self { schema, by_force, dir, files } = self.clone();
        Arc::new(SnapshotTable::new(schema, by_force, dir, files))
    }
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

/// Runs every force-scope model for `force`, which sees the rows of `sources` and no others, and
/// checks the result.
pub async fn force(library: &Library<'_>, force: &str, sources: &[Bound], facts: &Facts) -> Result<Built> {
    let context = library.context()?;
    library.register_staging(&context, sources).await?;
    let models: Vec<&Model> = library.models.iter().filter(|m| m.scope == Scope::Force).collect();
    library.run(&context, &models, Some(force), facts).await
}

/// Runs every hub-scope model over `tables`, the content of the force-scope models.
pub async fn hub(library: &Library<'_>, tables: &BTreeMap<String, Content>, facts: &Facts) -> Result<Built> {
    let context = library.context()?;
    for (name, content) in tables {
        register_content(&context, name, content)?;
    }
    let models: Vec<&Model> = library.models.iter().filter(|m| m.scope == Scope::Hub).collect();
    library.run(&context, &models, None, facts).await
}

impl Library<'_> {
    /// A session with the code lists and empty layers.
    fn context(&self) -> Result<SessionContext> {
        let context = self.engine.context();
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

    /// Registers every staging table: the union over `sources`, empty where none maps it.
    async fn register_staging(&self, context: &SessionContext, sources: &[Bound]) -> Result<()> {
        let mut mappings: BTreeMap<&str, Vec<&Model>> = BTreeMap::new();
        for model in self.staging {
            mappings.entry(&model.name).or_default().push(model);
        }
        for (name, models) in mappings {
            let mut plans = Vec::new();
            for bound in sources {
                for model in models.iter().filter(|m| m.system.as_deref() == Some(bound.system.as_str())) {
                    plans.push(staging::mapping(self.engine, model, bound).await?);
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
                    staging::empty(&staging::mapping(self.engine, model, bound).await?)?
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
        force: Option<&str>,
        facts: &Facts,
    ) -> Result<Built> {
        let mut built = Built::default();
        for model in models {
            let started = Instant::now();
            let content = self.write(context, model, force).await?;
            register_content(context, &model.table(), &content)?;
            let rows = content.files.iter().map(|f| f.rows).sum();
            built.steps.push(Step { model: model.table(), rows, took: started.elapsed() });
            built.tables.insert(model.table(), content);
        }
        // After all models, because a check may relate to a table that the model does not read.
        for model in models {
            built.findings.extend(check::run(context, model, facts).await?);
        }
        built.failures = failures::write(self.lake, context, models, &built.findings, facts).await?;
        Ok(built)
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
