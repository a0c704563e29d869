//! Building force by force, side by side; a force that fails fails alone.

use super::Event;
use super::basis::{Bases, digest_of};
use super::inputs::{self, Inputs};
use super::plan::Work;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::build::{Built, Job, Library};
use crate::model::check::{Facts, Finding};
use crate::model::content::Content;
use crate::model::{Model, Scope, failures};
use crate::release::{Dataset, Manifest, TableVersion};
use crate::state::runs::{CheckRow, Step};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::OnceCell;
use tracing::{Instrument, info_span};

/// What became of a force in a run.
#[derive(Debug)]
pub(super) enum Force {
    /// These of its tables were built and checked; the others stay as released.
    Built(BTreeMap<String, Content>),
    /// All of its tables stay as released.
    Same,
    /// All of its tables stay as released, because the new ones could not be made or were refused.
    Failed {
        /// Why.
        why: String,
        /// The hash of what a check refused, which it would refuse again.
        blocked: Option<String>,
    },
}

/// One run's building: where it is recorded and who is told.
pub(super) struct Building<'a> {
    hub: &'a Hub,
    run: &'a str,
    inputs: &'a Inputs,
    reference: &'a BTreeMap<String, TableVersion>,
    previous: Option<&'a Manifest>,
    /// Cores to share out.
    cores: usize,
    /// Forces built at the same time.
    parallel: usize,
    report: &'a (dyn Fn(Event) + Send + Sync),
    /// When the building began; what checks hold the age of data against.
    at: DateTime<Utc>,
    /// Opened by the first force that is built.
    library: OnceCell<Arc<Library>>,
}

impl<'a> Building<'a> {
    /// Building over `inputs`; as many forces at a time as the machine has cores, or `parallel`.
    pub(super) fn new(
        hub: &'a Hub,
        run: &'a str,
        inputs: &'a Inputs,
        reference: &'a BTreeMap<String, TableVersion>,
        previous: Option<&'a Manifest>,
        parallel: Option<usize>,
        report: &'a (dyn Fn(Event) + Send + Sync),
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let parallel = parallel.unwrap_or(cores).max(1);
        let library = OnceCell::new();
        let at = Utc::now();
        Self { hub, run, inputs, reference, previous, cores, parallel, report, at, library }
    }

    /// Does what is to be done for every force.
    pub(super) async fn forces(
        &self,
        bases: &BTreeMap<String, Bases>,
        work: BTreeMap<String, Work>,
    ) -> Result<BTreeMap<String, Force>> {
        let building = work.values().filter(|work| matches!(work, Work::Build(_))).count();
        // One force has all cores to itself; many have one each, which spares them the exchange of
        // rows between streams.
        let partitions = (self.cores / building.clamp(1, self.parallel)).max(1);
        let none = Bases::new();
        let none = &none;
        let work = work.into_iter().map(|(force, work)| async move {
            let done = self.force(&force, bases.get(&force).unwrap_or(none), work, partitions).await?;
            Ok((force, done))
        });
        stream::iter(work).buffer_unordered(self.parallel).collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn force(&self, force: &str, bases: &Bases, work: Work, partitions: usize) -> Result<Force> {
        let wanted = match work {
            Work::LeftOut => return Ok(Force::Same),
            Work::None => return self.recheck(force, partitions).await,
            Work::Blocked(why) => {
                (self.report)(Event::Blocked { force: Some(force.to_string()), why: why.clone() });
                return Ok(Force::Failed { why, blocked: Some(digest_of(bases)) });
            }
            Work::Build(wanted) => wanted,
        };
        let started_at = Utc::now();
        let built = match self.job(force, wanted, partitions).await {
            Ok(job) => {
                let span = info_span!("build", muster.run = self.run, muster.force = force);
                self.spawned(job).instrument(span).await
            }
            Err(error) => Err(error),
        };
        match self.settle(Some(force), started_at, built).await? {
            Ok(built) => Ok(Force::Built(built.tables)),
            Err(Refused { why, by_check }) => {
                Ok(Force::Failed { why, blocked: by_check.then(|| digest_of(bases)) })
            }
        }
    }

    /// Nothing is to be built; the tables that time alone can make fail a check are looked at again.
    async fn recheck(&self, force: &str, partitions: usize) -> Result<Force> {
        let released = self.previous.and_then(|p| p.forces.get(force)).map(|status| &status.datasets);
        let is_released = |table: &String| released.is_some_and(|datasets| datasets.contains_key(table));
        let models = || self.hub.project.models.iter().filter(|m| m.scope == Scope::Force && m.grows_old());
        let wanted: BTreeSet<String> = models().map(Model::table).filter(is_released).collect();
        if wanted.is_empty() {
            (self.report)(Event::Skipped { force: force.to_string() });
            return Ok(Force::Same);
        }
        let started_at = Utc::now();
        let checked = async {
            let mut job = self.job(force, wanted, partitions).await?;
            for model in models().filter(|model| job.wanted.contains(&model.table())) {
                let content = self::released(self.hub, model, self.previous).await?;
                job.kept.extend(content.map(|content| (model.table(), content.of_force(force))));
            }
            self.library().await?.recheck(&job).await
        };
        let checked = checked.await;
        match self.settle(Some(force), started_at, checked).await? {
            Ok(_) => Ok(Force::Same),
            Err(Refused { why, .. }) => Ok(Force::Failed { why, blocked: None }),
        }
    }

    /// Builds the hub-scope models in `wanted` over the force-scope tables of the coming release;
    /// `changed` are those that are not as released.
    pub(super) async fn hub(
        &self,
        wanted: BTreeSet<String>,
        changed: &BTreeMap<String, Content>,
    ) -> Result<Result<BTreeMap<String, Content>, Refused>> {
        let started_at = Utc::now();
        let built = self.built_hub(wanted, changed).await;
        Ok(self.settle(None, started_at, built).await?.map(|built| built.tables))
    }

    /// The same without a record of it.
    pub(super) async fn built_hub(
        &self,
        wanted: BTreeSet<String>,
        changed: &BTreeMap<String, Content>,
    ) -> Result<Built> {
        let mut kept = BTreeMap::new();
        let read = read_by(&self.hub.project.models, &wanted);
        for model in self.hub.project.models.iter().filter(|m| read.contains(&m.table())) {
            let content = match changed.get(&model.table()) {
                Some(content) => Some(content.clone()),
                None => released(self.hub, model, self.previous).await?,
            };
            kept.extend(content.map(|content| (model.table(), content)));
        }
        let (sources, facts) = (Vec::new(), self.facts(None));
        let job = Job { force: None, sources, wanted, kept, facts, partitions: self.cores };
        self.spawned(job).await
    }

    /// Builds `wanted` for `force` on all cores, without a record of it.
    pub(super) async fn built(&self, force: &str, wanted: BTreeSet<String>) -> Result<Built> {
        self.spawned(self.job(force, wanted, self.cores).await?).await
    }

    /// What building `wanted` for `force` needs, opened.
    async fn job(&self, force: &str, wanted: BTreeSet<String>, partitions: usize) -> Result<Job> {
        let read = read_by(&self.hub.project.models, &wanted);
        let mut kept = BTreeMap::new();
        for model in self.hub.project.models.iter().filter(|m| read.contains(&m.table())) {
            if let Some(content) = released(self.hub, model, self.previous).await? {
                kept.insert(model.table(), content.of_force(force));
            }
        }
        let sources = self.inputs.open(self.hub, force).await?;
        let facts = self.facts(Some(force));
        Ok(Job { force: Some(force.to_string()), sources, wanted, kept, facts, partitions })
    }

    /// What the checks of a force, or of the hub, know besides the rows.
    fn facts(&self, force: Option<&str>) -> Facts {
        let released = self.previous.and_then(|p| match force {
            Some(force) => p.forces.get(force).map(|status| &status.datasets),
            None => Some(&p.hub),
        });
        let rows = |(table, dataset): (&String, &Dataset)| (table.clone(), dataset.rows);
        let released = released.into_iter().flatten().map(rows).collect();
        Facts { run: self.run.to_string(), at: self.at, force: force.map(str::to_string), released }
    }

    /// What models are run with.
    pub(super) async fn library(&self) -> Result<Arc<Library>> {
        let open = || async { inputs::library(self.hub, self.reference).await.map(Arc::new) };
        self.library.get_or_try_init(open).await.cloned()
    }

    /// A task of its own, so that forces are built on all cores.
    async fn spawned(&self, job: Job) -> Result<Built> {
        let library = self.library().await?;
        let task = tokio::spawn(async move { library.build(&job).await });
        task.await.map_err(|e| Error::internal("a build ended early").because(e))?
    }

    /// Records what was built and found, and refuses it when it failed or a check blocks it.
    async fn settle(
        &self,
        force: Option<&str>,
        started_at: DateTime<Utc>,
        built: Result<Built>,
    ) -> Result<Result<Built, Refused>> {
        let (built, refused) = match built {
            Ok(built) => {
                let blocked = built.blocked_by().map(|why| Refused { why, by_check: true });
                (Some(built), blocked)
            }
            Err(error) => {
                tracing::warn!(force, %error, causes = ?error.causes(), "build failed");
                (None, Some(Refused { why: error.to_string(), by_check: false }))
            }
        };
        if let Some(built) = &built {
            self.record(force, started_at, built).await?;
            failures::commit(&self.hub.lake, built, &self.facts(force)).await?;
        }
        let force_name = force.map(str::to_string);
        match (built, refused) {
            (built, Some(refused)) => {
                self.record_failure(force, started_at, &refused.why).await?;
                if let Some(built) = built {
                    self.library().await?.discard(&built.tables).await;
                }
                (self.report)(Event::Blocked { force: force_name, why: refused.why.clone() });
                Ok(Err(refused))
            }
            (built, None) => {
                let built = built.unwrap_or_default();
                let warnings = built.findings.iter().filter(|f| f.fails()).count();
                let rows = built.steps.iter().map(|step| step.rows).sum();
                (self.report)(match force_name {
                    Some(force) if built.tables.is_empty() && warnings == 0 => Event::Skipped { force },
                    force => Event::Built { force, rows, warnings },
                });
                Ok(Ok(built))
            }
        }
    }

    async fn record(&self, force: Option<&str>, started_at: DateTime<Utc>, built: &Built) -> Result<()> {
        let mut at = started_at;
        let steps = built.steps.iter().map(|step| {
            let finished_at = at + step.took;
            let began = std::mem::replace(&mut at, finished_at);
            Step {
                force: force.map(str::to_string),
                kind: "build",
                name: step.model.clone(),
                started_at: began,
                finished_at,
                outcome: "succeeded",
                rows: Some(step.rows),
                bytes: Some(step.bytes),
                message: None,
            }
        });
        self.hub.state.record_steps(self.run, &steps.collect::<Vec<_>>()).await?;
        let rows: Vec<CheckRow> = built.findings.iter().map(|finding| check_row(force, finding)).collect();
        self.hub.state.record_checks(self.run, &rows).await
    }

    async fn record_failure(&self, force: Option<&str>, started_at: DateTime<Utc>, why: &str) -> Result<()> {
        let step = Step {
            force: force.map(str::to_string),
            kind: "check",
            name: force.unwrap_or("hub").to_string(),
            started_at,
            finished_at: Utc::now(),
            outcome: "failed",
            rows: None,
            bytes: None,
            message: Some(why.to_string()),
        };
        self.hub.state.record_step(self.run, &step).await
    }
}

/// Why what was built is not released.
#[derive(Debug)]
pub(super) struct Refused {
    /// In words.
    pub(super) why: String,
    /// Whether a check refused it; otherwise it could not be made at all.
    pub(super) by_check: bool,
}

/// The tables that the models in `wanted` read or check against, without those built anew.
fn read_by(models: &[Model], wanted: &BTreeSet<String>) -> BTreeSet<String> {
    let wanted_models = models.iter().filter(|model| wanted.contains(&model.table()));
    wanted_models.flat_map(Model::looks_into).filter(|table| !wanted.contains(table)).collect()
}

/// The content of a model's table in the previous release.
pub(super) async fn released(
    hub: &Hub,
    model: &Model,
    previous: Option<&Manifest>,
) -> Result<Option<Content>> {
    let name = lake_name(model);
    let Some(pinned) = previous.and_then(|p| p.tables.get(&name)) else { return Ok(None) };
    // The same rows, in fewer files when they have been compacted since.
    let version = hub.lake.table(&name).same_rows_as(pinned.version)?;
    Ok(Some(Content::of(&*hub.lake.version(&name, version).await?)))
}

/// The path in the lake of a model's table.
pub(super) fn lake_name(model: &Model) -> String {
    format!("{}/{}", model.layer.as_str(), model.name)
}

fn check_row(force: Option<&str>, finding: &Finding) -> CheckRow {
    CheckRow {
        force: force.map(str::to_string),
        model: finding.model.clone(),
        rule: finding.rule.clone(),
        severity: finding.severity.as_str(),
        failing: finding.failing,
        checked: finding.checked,
    }
}
