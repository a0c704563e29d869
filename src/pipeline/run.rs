//! One run: pull and land every source, build and check force by force, publish one release.

use super::Event;
use super::assemble::{HubMade, Made, Read};
use super::basis::Definitions;
use super::forces::{Building, Force};
use super::inputs::Inputs;
use super::limits::Limits;
pub use super::order::Order;
use super::plan::{self, Choice};
use super::pull::{self, Failures, Pull, Wish};
use super::resume::{self, Pins};
use super::turn::{Asked, Turn};
use super::{code, reference};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::content::Content;
use crate::project::{Pipeline, Source};
use crate::release::{self, Manifest};
use crate::state::runs::NewRun;
use chrono::Utc;
use fail::fail_point;
use std::collections::{BTreeMap, BTreeSet};
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
    let turn = Turn::take(hub).await?;
    let run = new_run();
    let epoch = begin(hub, &turn).await?;
    hub.state.begin_run(&NewRun { run: &run, pipeline: "pull", slot: None, parent: None, epoch }).await?;
    let (abandoned_before, limits) = (turn.abandoned_before(), Limits::default());
    let pulled: Result<Failures> =
        Pull { hub, run: &run, retries, wish, limits, abandoned_before, report }.sources(sources).await;
    let outcome = match &pulled {
        Ok(failures) if failures.is_empty() => "succeeded",
        Ok(_) => "partial",
        Err(_) => "failed",
    };
    hub.state
        .finish_run(&run, outcome, None)
        .await
        .or_else(|error| pulled.is_ok().then_some(error).map_or(Ok(()), Err))?;
    turn.end().await?;
    pulled
}

/// Ends the record of runs that died, and gives the epoch under which this one publishes: its
/// lease's, or the newest release's when that was made by a hub with another state database.
async fn begin(hub: &Hub, turn: &Turn) -> Result<u64> {
    hub.state.end_dead_runs(turn.epoch()).await?;
    let released = release::newest(&hub.lake).await?.map_or(0, |newest| newest.epoch);
    Ok(turn.epoch().max(released))
}

/// A name for a run: when it began, and a number against namesakes.
fn new_run() -> String {
    format!("{}-{:04x}", Utc::now().format("%Y%m%dT%H%M%S%3f"), rand::random::<u16>())
}

/// Runs `pipeline`. One run at a time: an error when another one holds the project's lock.
pub async fn run(hub: &Hub, pipeline: &Pipeline, report: &(dyn Fn(Event) + Send + Sync)) -> Result<Report> {
    execute(hub, &Order::of(pipeline), report).await
}

/// Does what `order` asks for: pull, build, check, release. One run at a time, as for [`run`].
pub async fn execute(hub: &Hub, order: &Order, report: &(dyn Fn(Event) + Send + Sync)) -> Result<Report> {
    let turn = Turn::take(hub).await?;
    in_turn(hub, turn, order, report).await
}

/// The same, but `None` while another run is at work.
pub async fn attempt(
    hub: &Hub,
    order: &Order,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Option<Report>> {
    match Turn::ask(hub).await? {
        Asked::Mine(turn) => in_turn(hub, turn, order, report).await.map(Some),
        Asked::Taken { .. } => Ok(None),
    }
}

async fn in_turn(
    hub: &Hub,
    turn: Turn,
    order: &Order,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Report> {
    let ended = recorded(hub, &turn, order, report).await;
    let given_back = turn.end().await;
    let done = ended?;
    given_back.map(|()| done)
}

async fn recorded(
    hub: &Hub,
    turn: &Turn,
    order: &Order,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Report> {
    let selected = plan::selected(hub, &order.choice)?;
    let resumed = match order.resume {
        true => Some(resume::resumed(hub, &order.name).await?),
        false => None,
    };
    let run = new_run();
    let epoch = begin(hub, turn).await?;
    let parent = resumed.as_ref().map(|resumed| resumed.run.as_str());
    let new = NewRun { run: &run, pipeline: &order.name, slot: order.slot, parent, epoch };
    hub.state.begin_run(&new).await?;
    let pins = resumed.map(|resumed| resumed.pins).unwrap_or_default();
    let stages = Stages { hub, turn, epoch, run: &run, order, selected, pins, report };
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
    ended
}

/// One run on its way through the rooms.
struct Stages<'a> {
    hub: &'a Hub,
    turn: &'a Turn,
    epoch: u64,
    run: &'a str,
    order: &'a Order,
    /// The models to look at; `None` means all.
    selected: Option<BTreeSet<String>>,
    /// What the run that is resumed had done.
    pins: Pins,
    report: &'a (dyn Fn(Event) + Send + Sync),
}

impl Stages<'_> {
    async fn all(&self) -> Result<Report> {
        let Self { hub, run, order, report, .. } = *self;
        let in_scope = |source: &&Source| order.choice.force.as_ref().is_none_or(|f| *f == source.force);
        let sources = order.sources.iter().filter_map(|name| hub.project.sources.get(name));
        let unread = |source: &&Source| !self.pins.read.contains(&source.name);
        let sources: Vec<&Source> = sources.filter(in_scope).filter(unread).collect();
        let sources = pull::worth_trying(hub, sources, order.slot).await?;
        let (limits, abandoned_before) = (order.limits, self.turn.abandoned_before());
        let pull = Pull {
            hub,
            run,
            retries: order.retries,
            wish: order.wish.clone(),
            limits,
            abandoned_before,
            report,
        };
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
        let inputs = Inputs::survey(hub, &self.pins.raw).await?;
        self.pin(&inputs, read).await?;
        let definitions = Definitions::new(hub, &inputs);
        let reference = reference::land(hub, &inputs, previous).await?;
        let (bases, work) = plan::work(hub, &definitions, &order.choice, self.selected.as_ref(), previous);
        fail_point!("build::before-files", |_| Err(Error::lake("failpoint: before the files")));
        let building = Building::new(hub, run, &inputs, &reference, previous, order.parallel, report);
        let (forces, bases) = (&building.forces(&bases, work).await?, &bases);
        let made = Made {
            hub,
            run,
            epoch: self.epoch,
            definitions: &definitions,
            inputs: &inputs,
            previous,
            forces,
            bases,
        };
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
        self.turn.still().await?;
        if !release::publish(&hub.lake, &manifest).instrument(span).await? {
            return Ok(None);
        }
        report(Event::Released { release: manifest.release });
        Ok(Some(Report { outcome, release: manifest }))
    }

    /// Records what this run builds from, for the run that may resume it.
    async fn pin(&self, inputs: &Inputs, read: &Read<'_>) -> Result<()> {
        let now = read.pulled.iter().filter(|source| !read.failures.contains_key(**source));
        let now = now.map(|source| source.to_string());
        let pins = Pins {
            read: self.pins.read.iter().cloned().chain(now).collect(),
            raw: inputs.pins_of(self.hub, |source| !read.failures.contains_key(source)),
        };
        let json = serde_json::to_string(&pins).map_err(|e| Error::internal("a run's pins").because(e))?;
        self.hub.state.pin(self.run, &json).await
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
