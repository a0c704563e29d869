//! Pulling: every entity of every source, each source failing alone.

use super::Event;
use super::entity::{self, Pulled};
use super::limits::Limits;
use crate::connector;
use crate::connector::contract::Contract;
use crate::error::{Error, Kind, Result};
use crate::hub::Hub;
use crate::landing;
use crate::project::Source;
use crate::state::runs::Step;
use crate::telemetry::metrics;
use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tracing::{Instrument, info_span};

/// Sources pulled at the same time.
const CONCURRENT: usize = 2;

/// The wait before the first retry; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait between retries.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why sources could not be read: source → reason. A source that is missing here was read whole.
pub(super) type Failures = BTreeMap<String, String>;

/// What is asked of a pull beyond what the contracts say.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Read tables whole, whatever their cursors say.
    pub full: bool,
    /// Read tables from this value of their cursor on.
    pub since: Option<String>,
    /// Only the rows between these values of their cursor, both included: nothing is deleted, the
    /// next pull goes on where the last one ended, and what cannot be asked for a period is left
    /// out.
    pub between: Option<(String, String)>,
    /// Land an extract that has shrunk more than its contract allows.
    pub accept_drop: bool,
}

impl Wish {
    /// Whether an entity can be asked for what is wished.
    pub fn fits(&self, source: &Source, contract: &Contract) -> bool {
        if !source.address.has_layout(contract) {
            return false;
        }
        let Some((from, to)) = &self.between else { return true };
        source.address.is_database()
            && connector::bound(contract, from).is_ok()
            && connector::upper_bound(contract, to).is_ok()
    }
}

/// One pull: where it is recorded, how often it tries, who is told.
pub(super) struct Pull<'a> {
    pub(super) hub: &'a Hub,
    pub(super) run: &'a str,
    pub(super) retries: u32,
    pub(super) wish: Wish,
    pub(super) limits: Limits,
    /// What is older and looks abandoned may be deleted; nothing may be when absent.
    pub(super) abandoned_before: Option<SystemTime>,
    pub(super) report: &'a (dyn Fn(Event) + Send + Sync),
}

/// Those of `sources` that are to be tried now: for a slot, without those that keep failing and
/// whose time has not come; all of them when somebody asks.
pub(super) async fn worth_trying<'s>(
    hub: &Hub,
    sources: Vec<&'s Source>,
    slot: Option<DateTime<Utc>>,
) -> Result<Vec<&'s Source>> {
    if slot.is_none() {
        return Ok(sources);
    }
    let mut worth = Vec::with_capacity(sources.len());
    for source in sources {
        match hub.state.source_failures(&source.name).await? {
            Some((failures, next_try_at)) if next_try_at > Utc::now() => {
                tracing::info!(source = source.name, failures, %next_try_at, "source left out");
            }
            _ => worth.push(source),
        }
    }
    Ok(worth)
}

impl Pull<'_> {
    /// Pulls and lands every entity of `sources`; a source that fails does not stop the others.
    pub(super) async fn sources(&self, sources: &[&Source]) -> Result<Failures> {
        let pulls = sources.iter().map(|source| {
            let span = info_span!(
                "pull",
                muster.run = self.run,
                muster.force = source.force,
                muster.source = source.name,
                muster.system = source.system
            );
            self.one(source).instrument(span)
        });
        let outcomes: Vec<Result<Option<String>>> = stream::iter(pulls).buffered(CONCURRENT).collect().await;
        let mut failures = Failures::new();
        for (source, outcome) in sources.iter().zip(outcomes) {
            let outcome = outcome?;
            // A part of the past says little of how the source fares.
            if self.wish.between.is_none() {
                self.hub.state.record_source(&source.name, outcome.is_none()).await?;
            }
            if let Some(why) = outcome {
                failures.insert(source.name.clone(), why);
            }
        }
        Ok(failures)
    }

    /// Pulls one source, entity by entity; the first entity that fails is the source's failure, and
    /// the remaining ones are still tried.
    async fn one(&self, source: &Source) -> Result<Option<String>> {
        let Some(system) = self.hub.project.systems.get(&source.system) else { return Ok(None) };
        if let Some(before) = self.abandoned_before {
            landing::tidy(&self.hub.lake, &source.force, &source.name, before)?;
        }
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(BACKOFF)
            .with_max_delay(BACKOFF_MAX)
            .with_max_times(self.retries as usize)
            .with_jitter()
            .build();
        let mut waiting: Vec<&Contract> =
            system.entities.values().filter(|contract| self.wish.fits(source, contract)).collect();
        let mut failure = None;
        while !waiting.is_empty() {
            let wait = waits.next();
            let mut again = Vec::new();
            for (contract, started_at, pulled) in self.attempt(source, &waiting).await {
                match pulled {
                    // A broken extract or contract does not mend itself within seconds.
                    // A queue has forgotten what it may have sent.
                    Err(error) if error.kind() == Kind::Source && wait.is_some() && !contract.is_queue() => {
                        tracing::info!(source = source.name, entity = contract.entity, %error, "trying again");
                        again.push(contract);
                    }
                    pulled => {
                        let why = self.settle(source, contract, started_at, pulled).await?;
                        failure = failure.or(why);
                    }
                }
            }
            waiting = again;
            if let Some(wait) = wait.filter(|_| !waiting.is_empty()) {
                tokio::time::sleep(wait).await;
            }
        }
        Ok(failure)
    }

    /// Opens the source once and pulls `contracts` through it, so that they show one moment.
    async fn attempt<'c>(
        &self,
        source: &Source,
        contracts: &[&'c Contract],
    ) -> Vec<(&'c Contract, DateTime<Utc>, Result<Pulled>)> {
        let mut outcomes = Vec::with_capacity(contracts.len());
        let started_at = Utc::now();
        match connector::open(source).await {
            Ok(mut session) => {
                for contract in contracts {
                    let started_at = Utc::now();
                    let pulled =
                        self.limits.step(Box::pin(entity::pull(self, source, contract, &mut session))).await;
                    outcomes.push((*contract, started_at, pulled));
                }
            }
            Err(error) => {
                let (kind, why) = (error.kind(), error.to_string());
                tracing::warn!(source = source.name, cause = ?std::error::Error::source(&error), "not opened");
                let failed =
                    |contract: &&'c Contract| (*contract, started_at, Err(Error::new(kind, why.clone())));
                outcomes.extend(contracts.iter().map(failed));
            }
        }
        outcomes
    }

    /// Records how the pull of an entity ended; returns why it failed.
    async fn settle(
        &self,
        source: &Source,
        contract: &Contract,
        started_at: DateTime<Utc>,
        pulled: Result<Pulled>,
    ) -> Result<Option<String>> {
        let name = format!("{}.{}", source.name, contract.entity);
        let mut step = Step {
            force: Some(source.force.clone()),
            kind: "pull",
            name: name.clone(),
            started_at,
            finished_at: Utc::now(),
            outcome: "succeeded",
            rows: None,
            bytes: None,
            message: None,
        };
        let mut failure = None;
        match pulled {
            Ok(Pulled { rows, quarantined, landed, notes, .. }) => {
                step.rows = Some(rows);
                metrics::landed(if landed { rows } else { 0 }, quarantined);
                step.outcome = if landed { "succeeded" } else { "unchanged" };
                step.message = (!notes.is_empty()).then(|| notes.join("; "));
                (self.report)(Event::Pulled { name, rows, quarantined, landed, notes });
            }
            Err(error) => {
                let why = error.to_string();
                step.outcome = "failed";
                step.message = Some(why.clone());
                tracing::warn!(
                    force = source.force,
                    source = source.name,
                    %error,
                    cause = ?std::error::Error::source(&error),
                    "pull failed"
                );
                let hint = error.advice().map(str::to_string);
                (self.report)(Event::SourceFailed { name, why: why.clone(), hint });
                failure = Some(why);
            }
        }
        self.hub.state.record_step(self.run, &step).await?;
        Ok(failure)
    }
}
