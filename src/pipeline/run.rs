//! One run: pull and land every source, build and check force by force, publish one release.

use super::Event;
use super::assemble::{self, Inputs, Made};
use super::pull::{Failures, Pull, Wish};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::Severity;
use crate::model::build::{self, Built, Content, Library};
use crate::model::check::Finding;
use crate::project::{Pipeline, Source};
use crate::release::{self, Manifest};
use crate::state::runs::{CheckRow, NewRun, Step};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::fs::File;

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

/// What became of a force in this run.
#[derive(Debug)]
pub(super) enum Force {
    /// Built and checked.
    Built(BTreeMap<String, Content>),
    /// Made from the same inputs as its released tables.
    Same,
    /// Blocked by a check or failed to build.
    Failed(String),
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
    let pulled: Result<Failures> = Pull { hub, run: &run, retries, wish, report }.sources(sources).await;
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

/// Runs `pipeline`. One run at a time: an error when another one holds the project's lock.
pub async fn run(hub: &Hub, pipeline: &Pipeline, report: &(dyn Fn(Event) + Send + Sync)) -> Result<Report> {
    let _lock = lock(hub)?;
    let run = new_run();
    hub.state
        .begin_run(&NewRun { run: &run, pipeline: &pipeline.name, slot: None, parent: None, epoch: 0 })
        .await?;
    let ended = stages(hub, &run, pipeline, report).await;
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

async fn stages(
    hub: &Hub,
    run: &str,
    pipeline: &Pipeline,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Report> {
    let sources: Vec<&Source> =
        pipeline.sources.iter().filter_map(|name| hub.project.sources.get(name)).collect();
    let pull = Pull { hub, run, retries: pipeline.retries, wish: Wish::default(), report };
    let failures = pull.sources(&sources).await?;
    let previous = release::newest(&hub.lake).await?;
    let inputs = Inputs::collect(hub, previous.as_ref()).await?;
    let library = inputs.library(hub);
    let mut forces = BTreeMap::new();
    for force in hub.project.forces.keys() {
        forces.insert(
            force.clone(),
            build_force(hub, run, &inputs, &library, previous.as_ref(), force, report).await?,
        );
    }
    let mut tables = assemble::tables(hub, &forces, previous.as_ref()).await?;
    let mut hub_fingerprint = inputs.hub_fingerprint(&forces, previous.as_ref());
    let mut hub_blocked = false;
    if previous.as_ref().is_none_or(|p| p.hub_fingerprint != hub_fingerprint) {
        hub_blocked = build_hub(hub, run, &library, &mut tables, report).await?.is_some();
    }
    if hub_blocked {
        hub_fingerprint.clear();
    }
    let pulled = sources.iter().map(|source| source.name.as_str()).collect();
    let made =
        Made { forces: &forces, tables: &tables, hub_fingerprint, pulled: &pulled, failures: &failures };
    let manifest = assemble::manifest(hub, run, &inputs, &made, previous.as_ref()).await?;
    let partial =
        !failures.is_empty() || hub_blocked || forces.values().any(|force| matches!(force, Force::Failed(_)));
    let outcome = if partial { Outcome::Partial } else { Outcome::Succeeded };
    if let Some(previous) = previous.filter(|previous| previous.same_content(&manifest)) {
        report(Event::Unchanged { release: previous.release });
        return Ok(Report { outcome, release: previous });
    }
    release::publish(&hub.lake, &manifest).await?;
    report(Event::Released { release: manifest.release });
    Ok(Report { outcome, release: manifest })
}

async fn build_force(
    hub: &Hub,
    run: &str,
    inputs: &Inputs,
    library: &Library<'_>,
    previous: Option<&Manifest>,
    force: &str,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Force> {
    if inputs.unchanged(force, previous) {
        report(Event::Skipped { force: force.to_string() });
        return Ok(Force::Same);
    }
    let started_at = Utc::now();
    let built = match build::force(library, force, &inputs.sources_of(force)).await {
        Ok(built) => built,
        Err(error) => {
            tracing::warn!(force, %error, cause = ?std::error::Error::source(&error), "build failed");
            let why = error.to_string();
            record_failure(hub, run, Some(force), started_at, &why).await?;
            report(Event::Blocked { force: Some(force.to_string()), why: why.clone() });
            return Ok(Force::Failed(why));
        }
    };
    match settle(hub, run, Some(force), started_at, &built, report).await? {
        Some(why) => {
            discard(hub, &built).await;
            Ok(Force::Failed(why))
        }
        None => Ok(Force::Built(built.tables)),
    }
}

/// Builds the hub-scope models over the tables to be released and adds them; on failure the
/// released ones stay, and why is returned.
async fn build_hub(
    hub: &Hub,
    run: &str,
    library: &Library<'_>,
    tables: &mut BTreeMap<String, Content>,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Option<String>> {
    let started_at = Utc::now();
    match build::hub(library, tables).await {
        Ok(built) => {
            let blocked = settle(hub, run, None, started_at, &built, report).await?;
            match blocked {
                Some(_) => discard(hub, &built).await,
                None => tables.extend(built.tables),
            }
            Ok(blocked)
        }
        Err(error) => {
            let why = error.to_string();
            record_failure(hub, run, None, started_at, &why).await?;
            report(Event::Blocked { force: None, why: why.clone() });
            Ok(Some(why))
        }
    }
}

/// Deletes the files of tables that will not be released.
async fn discard(hub: &Hub, built: &Built) {
    for (name, content) in &built.tables {
        hub.lake.table(&name.replace('.', "/")).discard(&content.files).await;
    }
}

/// Records what was built and found, and tells whether a check blocks it.
async fn settle(
    hub: &Hub,
    run: &str,
    force: Option<&str>,
    started_at: DateTime<Utc>,
    built: &Built,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Option<String>> {
    let mut at = started_at;
    for step in &built.steps {
        let finished_at = at + step.took;
        let step = Step {
            force: force.map(str::to_string),
            kind: "build",
            name: step.model.clone(),
            started_at: at,
            finished_at,
            outcome: "succeeded",
            rows: Some(step.rows),
            bytes: None,
            message: None,
        };
        hub.state.record_step(run, &step).await?;
        at = finished_at;
    }
    let rows: Vec<CheckRow> = built.findings.iter().map(|finding| check_row(force, finding)).collect();
    hub.state.record_checks(run, &rows).await?;
    let blocked = built.blocked_by();
    match &blocked {
        Some(why) => {
            record_failure(hub, run, force, at, why).await?;
            report(Event::Blocked { force: force.map(str::to_string), why: why.clone() });
        }
        None => {
            let warnings = built.findings.iter().filter(|f| f.failing > 0).count();
            let rows = built.steps.iter().map(|step| step.rows).sum();
            report(Event::Built { force: force.map(str::to_string), rows, warnings });
        }
    }
    Ok(blocked)
}

fn check_row(force: Option<&str>, finding: &Finding) -> CheckRow {
    CheckRow {
        force: force.map(str::to_string),
        model: finding.model.clone(),
        rule: finding.rule.clone(),
        severity: match finding.severity {
            Severity::Block => "block",
            Severity::Warn => "warn",
        },
        failing: finding.failing,
        checked: finding.checked,
    }
}

async fn record_failure(
    hub: &Hub,
    run: &str,
    force: Option<&str>,
    started_at: DateTime<Utc>,
    why: &str,
) -> Result<()> {
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
    hub.state.record_step(run, &step).await
}

/// The lock that lets one run at a time work on a project; it ends with the process, however the
/// process ends.
pub(super) fn lock(hub: &Hub) -> Result<File> {
    let path = hub.lake.root().join(".run.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file =
        file.map_err(|e| Error::lake("the run's lock cannot be opened").at(path.display()).because(e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(e) => Err(Error::lake("another run is working on this lake")
            .at(path.display())
            .hint("wait for it to end; `muster status` shows what is released")
            .because(e)),
    }
}
