//! Pulling: every entity of every source, each source failing alone.

use super::Event;
use super::entity::{self, Pulled};
use super::limits::Limits;
use crate::connector::contract::Contract;
use crate::connector::{self, Session};
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
            let started_at = Utc::now();
            let mut session = match (connector::open(source).await, wait) {
                (Ok(session), _) => session,
                (Err(error), Some(wait)) if error.kind() == Kind::Source => {
                    tracing::info!(source = source.name, %error, "trying again");
                    tokio::time::sleep(wait).await;
                    continue;
                }
                (Err(error), _) => {
                    let why = self.failed(source, &source.name, &waiting, started_at, &error).await?;
                    return Ok(failure.or(Some(why)));
                }
            };
            let mut again = Vec::new();
            for (contract, started_at, pulled) in self.attempt(source, &waiting, &mut session).await {
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

    /// Pulls `contracts` through one session, so that they show one moment.
    async fn attempt<'c>(
        &self,
        source: &Source,
        contracts: &[&'c Contract],
        session: &mut Session,
    ) -> Vec<(&'c Contract, DateTime<Utc>, Result<Pulled>)> {
        let mut outcomes = Vec::with_capacity(contracts.len());
        for contract in contracts {
            let started_at = Utc::now();
            let pulled = self.limits.step(Box::pin(entity::pull(self, source, contract, session))).await;
            outcomes.push((*contract, started_at, pulled));
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
        let Pulled { rows, quarantined, landed, notes, .. } = match pulled {
            Ok(pulled) => pulled,
            Err(error) => {
                return self.failed(source, &name, &[contract], started_at, &error).await.map(Some);
            }
        };
        metrics::landed(if landed { rows } else { 0 }, quarantined);
        let step = Step {
            rows: Some(rows),
            outcome: if landed { "succeeded" } else { "unchanged" },
            message: (!notes.is_empty()).then(|| notes.join("; ")),
            ..step(source, contract, started_at)
        };
        (self.report)(Event::Pulled { name, rows, quarantined, landed, notes });
        self.hub.state.record_step(self.run, &step).await?;
        Ok(None)
    }

    /// Records that `contracts`, which are `name` to people, could not be pulled; returns why.
    async fn failed(
        &self,
        source: &Source,
        name: &str,
        contracts: &[&Contract],
        started_at: DateTime<Utc>,
        error: &Error,
    ) -> Result<String> {
        let (why, causes) = (error.to_string(), error.causes());
        tracing::warn!(force = source.force, source = source.name, %error, ?causes, "pull failed");
        let hint = error.advice().map(str::to_string);
        (self.report)(Event::SourceFailed { name: name.to_string(), why: why.clone(), causes, hint });
        for contract in contracts {
            let message = Some(why.clone());
            let step = Step { outcome: "failed", message, ..step(source, contract, started_at) };
            self.hub.state.record_step(self.run, &step).await?;
        }
        Ok(why)
    }
}

/// The pull of an entity that ends now, before anything else is known of it.
fn step(source: &Source, contract: &Contract, started_at: DateTime<Utc>) -> Step {
    Step {
        force: Some(source.force.clone()),
        kind: "pull",
        name: format!("{}.{}", source.name, contract.entity),
        started_at,
        finished_at: Utc::now(),
        outcome: "succeeded",
        rows: None,
        bytes: None,
        message: None,
    }
}
