//! One run: pull and land every source, build and check force by force, publish one release.

use super::Event;
use super::assemble::{HubMade, Made, Read};
use super::basis::Definitions;
use super::forces::{Building, Force};
use super::inputs::{Inputs, Pinned};
use super::limits::Limits;
use super::plan::{self, Choice};
use super::pull::{self, Failures, Pull, Wish};
use super::{code, reference};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::content::Content;
use crate::project::{Pipeline, Source};
use crate::release::{self, Manifest};
use crate::state::runs::NewRun;
use chrono::{DateTime, Utc};
use fail::fail_point;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use tracing::{Instrument, info_span};

/// How often a run builds over a new release when other hubs publish on the same lake.
const PUBLISH_ATTEMPTS: u32 = 3;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every source was read and every force released.
    Succeeded,
    /// Some sources or forces keep their last good data.
    Partial,
}

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The release that readers see now.
    pub release: Manifest,
}

/// Pulls and lands `sources`, and builds nothing: why sources could not be read, by source. One run
/// at a time, as for [`run`].
pub async fn pull(
    hub: &Hub,
    sources: &[&Source],
    retries: u32,
    wish: Wish,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<BTreeMap<String, String>> {
    let _lock = lock(hub)?;
    let run = new_run();
    hub.state.begin_run(&NewRun { run: &run, pipeline: "pull", slot: None, parent: None, epoch: 0 }).await?;
    let pulled: Result<Failures> =
        Pull { hub, run: &run, retries, wish, limits: Limits::default(), report }.sources(sources).await;
    let outcome = match &pulled {
        Ok(failures) if failures.is_empty() => "succeeded",
        Ok(_) => "partial",
        Err(_) => "failed",
    };
    hub.state
        .finish_run(&run, outcome, None)
        .await
        .or_else(|error| pulled.is_ok().then_some(error).map_or(Ok(()), Err))?;
    pulled
}

/// A name for a run: when it began, and a number against namesakes.
fn new_run() -> String {
    format!("{}-{:04x}", Utc::now().format("%Y%m%dT%H%M%S%3f"), rand::random::<u16>())
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The name it is recorded under: the pipeline's, or `build`.
    pub name: String,
    /// The sources to pull; none for a build of what has been landed.
    pub sources: Vec<String>,
    /// How often an entity that cannot be read is tried again.
    pub retries: u32,
    /// Which tables to build.
    pub choice: Choice,
    /// Forces built at the same time; as many as the machine has cores when absent.
    pub parallel: Option<usize>,
    /// The instant it was scheduled for; `None`: somebody asks for it.
    pub slot: Option<DateTime<Utc>>,
    /// How long it and its steps may take.
    pub limits: Limits,
    /// What is asked of the pull beyond what the contracts say.
    pub wish: Wish,
}

impl Order {
    /// All that `pipeline` says.
    pub fn of(pipeline: &Pipeline) -> Self {
        Self {
            name: pipeline.name.clone(),
            sources: pipeline.sources.clone(),
            retries: pipeline.retries,
            choice: Choice { select: pipeline.build.clone(), ..Choice::default() },
            parallel: Some(pipeline.parallel),
            slot: None,
            limits: Limits { run: pipeline.timeout, step: pipeline.step_timeout },
            wish: Wish::default(),
        }
    }

    /// A build of what has been landed, without a pull.
    pub fn build(choice: Choice) -> Self {
        let (sources, limits, wish) = (Vec::new(), Limits::default(), Wish::default());
        Self { name: "build".into(), sources, retries: 0, choice, parallel: None, slot: None, limits, wish }
    }
}

/// Runs `pipeline`. One run at a time: an error when another one holds the project's lock.
pub async fn run(hub: &Hub, pipeline: &Pipeline, report: &(dyn Fn(Event) + Send + Sync)) -> Result<Report> {
    execute(hub, &Order::of(pipeline), report).await
}

/// Does what `order` asks for: pull, build, check, release. One run at a time, as for [`run`].
pub async fn execute(hub: &Hub, order: &Order, report: &(dyn Fn(Event) + Send + Sync)) -> Result<Report> {
    attempt(hub, order, report).await?.ok_or_else(|| busy(hub))
}

/// The same, but `None` while another run is at work.
pub async fn attempt(
    hub: &Hub,
    order: &Order,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Option<Report>> {
    let selected = plan::selected(hub, &order.choice)?;
    let Some(_lock) = try_lock(hub)? else { return Ok(None) };
    let run = new_run();
    let new = NewRun { run: &run, pipeline: &order.name, slot: order.slot, parent: None, epoch: 0 };
    hub.state.begin_run(&new).await?;
    let stages = Stages { hub, run: &run, order, selected, report };
    let span = info_span!("run", muster.run = run, muster.pipeline = order.name);
    let ended = order.limits.run(Box::pin(stages.all())).instrument(span).await;
    match &ended {
        Ok(done) => {
            let outcome = match done.outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Partial => "partial",
            };
            hub.state.finish_run(&run, outcome, Some(done.release.release)).await?;
        }
        // The first error is the one to report, even if its record fails too.
        Err(_) => hub.state.finish_run(&run, "failed", None).await.unwrap_or(()),
    }
    ended.map(Some)
}

/// One run on its way through the rooms.
struct Stages<'a> {
    hub: &'a Hub,
    run: &'a str,
    order: &'a Order,
    /// The models to look at; `None` means all.
    selected: Option<BTreeSet<String>>,
    report: &'a (dyn Fn(Event) + Send + Sync),
}

impl Stages<'_> {
    async fn all(&self) -> Result<Report> {
        let Self { hub, run, order, report, .. } = *self;
        let in_scope = |source: &&Source| order.choice.force.as_ref().is_none_or(|f| *f == source.force);
        let sources = order.sources.iter().filter_map(|name| hub.project.sources.get(name));
        let sources: Vec<&Source> = sources.filter(in_scope).collect();
        let sources = pull::worth_trying(hub, sources, order.slot).await?;
        let limits = order.limits;
        let pull = Pull { hub, run, retries: order.retries, wish: order.wish.clone(), limits, report };
        let failures = pull.sources(&sources).await?;
        // A part of the past does not make a source's data fresh.
        let whole = sources.iter().filter(|_| order.wish.between.is_none());
        let pulled = whole.map(|source| source.name.as_str()).collect();
        let read = Read { pulled, failures };
        // What was built over a release that is no longer the newest is built again: the tables that
        // the other hub released may be newer than those kept here.
        for _ in 1..PUBLISH_ATTEMPTS {
            if let Some(done) = self.release(&read).await? {
                return Ok(done);
            }
        }
        let done = self.release(&read).await?;
        done.ok_or_else(|| {
            Error::lake("other hubs keep publishing releases on this lake")
                .hint("give one hub the lake to itself, or run again when the others are idle")
        })
    }

    /// Builds what has changed since the newest release and publishes the next one; `None` when
    /// another hub has published meanwhile.
    async fn release(&self, read: &Read<'_>) -> Result<Option<Report>> {
        let Self { hub, run, order, report, .. } = *self;
        let previous = release::newest(&hub.lake).await?;
        let previous = previous.as_ref();
        let inputs = Inputs::survey(hub, &Pinned::new()).await?;
        let definitions = Definitions::new(hub, &inputs);
        let reference = reference::land(hub, &inputs, previous).await?;
        let (bases, todo) = plan::todo(hub, &definitions, &order.choice, self.selected.as_ref(), previous);
        fail_point!("build::before-files", |_| Err(Error::lake("failpoint: before the files")));
        let building = Building::new(hub, run, &inputs, &reference, previous, order.parallel, report);
        let (forces, bases) = (&building.forces(&bases, todo).await?, &bases);
        let made =
            Made { hub, run, epoch: 0, definitions: &definitions, inputs: &inputs, previous, forces, bases };
        let tables = made.tables().await?;
        let hub_made = self.hub_models(&building, &made, &tables).await?;
        fail_point!("build::after-files", |_| Err(Error::lake("failpoint: after the files")));
        let manifest = made.manifest(&tables, &hub_made, read, &reference).await?;
        let blocked = |force: &Force| matches!(force, Force::Failed { .. });
        let partial = !read.failures.is_empty() || hub_made.tables.is_err() || forces.values().any(blocked);
        let outcome = if partial { Outcome::Partial } else { Outcome::Succeeded };
        if let Some(previous) = previous
            && release::same_content(&hub.lake, previous, &manifest).await?
        {
            report(Event::Unchanged { release: previous.release });
            return Ok(Some(Report { outcome, release: previous.clone() }));
        }
        code::keep(hub, &manifest.code).await?;
        fail_point!("release::before-manifest", |_| Err(Error::lake("failpoint: before the manifest")));
        let span = info_span!("release", muster.run = run, muster.release = manifest.release);
        if !release::publish(&hub.lake, &manifest).instrument(span).await? {
            return Ok(None);
        }
        report(Event::Released { release: manifest.release });
        Ok(Some(Report { outcome, release: manifest }))
    }

    /// Builds the hub-scope models whose inputs have changed, over the force-scope tables that will
    /// be released.
    async fn hub_models(
        &self,
        building: &Building<'_>,
        made: &Made<'_>,
        changed: &BTreeMap<String, Content>,
    ) -> Result<HubMade> {
        let bases = made.definitions.of_hub(&made.released_bases());
        let Choice { full, force, .. } = &self.order.choice;
        let full = *full && force.is_none();
        let released = made.previous.map(|p| &p.hub);
        let wanted = plan::hub_models(self.hub, &bases, full, self.selected.as_ref(), released);
        if wanted.is_empty() {
            return Ok(HubMade { bases, tables: Ok(BTreeMap::new()) });
        }
        let tables = building.hub(wanted, changed).await?;
        Ok(HubMade { bases, tables: tables.map_err(|refused| refused.why) })
    }
}

/// The lock that lets one run at a time work on a project; it ends with the process, however the
/// process ends.
pub(super) fn lock(hub: &Hub) -> Result<File> {
    try_lock(hub)?.ok_or_else(|| busy(hub))
}

fn try_lock(hub: &Hub) -> Result<Option<File>> {
    let path = lock_file(hub);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let failed = |e| Error::lake("the run's lock cannot be opened").at(path.display()).because(e);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

fn lock_file(hub: &Hub) -> PathBuf {
    hub.lake.root().join(".run.lock")
}

fn busy(hub: &Hub) -> Error {
    Error::lake("another run is working on this lake")
        .at(lock_file(hub).display())
        .hint("wait for it to end; `muster status` shows what is released")
}
