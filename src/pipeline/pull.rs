//! Pulling: every entity of every source, each source failing alone.

use super::Event;
use crate::connector::contract::Contract;
use crate::connector::{self, SourceFile};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::raw::{self, LandedFile, Place};
use crate::landing::{self, Landed};
use crate::project::Source;
use crate::state::runs::Step;
use chrono::Utc;
use futures::{StreamExt, stream};
use rand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// Sources pulled at the same time.
const CONCURRENT: usize = 2;

/// The wait before the first retry; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait between retries.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why sources could not be read: source → reason. A source that is missing here was read whole.
pub(super) type Failures = BTreeMap<String, String>;

/// Pulls and lands every entity of `sources`; a source that fails does not stop the others.
pub(super) async fn sources(
    hub: &Hub,
    run: &str,
    sources: &[&Source],
    retries: u32,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Failures> {
    let pulls = sources.iter().map(|source| one(hub, run, source, retries, report));
    let outcomes: Vec<Result<Option<(String, String)>>> =
        stream::iter(pulls).buffered(CONCURRENT).collect().await;
    let failed: Result<Vec<_>> = outcomes.into_iter().collect();
    Ok(failed?.into_iter().flatten().collect())
}

/// Pulls one source, entity by entity; the first entity that fails is the source's failure, and
/// the remaining ones are still tried.
async fn one(
    hub: &Hub,
    run: &str,
    source: &Source,
    retries: u32,
    report: &(dyn Fn(Event) + Send + Sync),
) -> Result<Option<(String, String)>> {
    let Some(system) = hub.project.systems.get(&source.system) else { return Ok(None) };
    let mut failure = None;
    for contract in system.entities.values() {
        let name = format!("{}.{}", source.name, contract.entity);
        let started_at = Utc::now();
        let pulled = with_retries(retries, || entity(hub, source, contract)).await;
        let mut step = Step {
            force: Some(source.force.clone()),
            kind: "pull",
            name: name.clone(),
            started_at,
            finished_at: Utc::now(),
            outcome: "succeeded",
            rows: None,
            message: None,
        };
        match pulled {
            Ok(pulled) => {
                step.rows = Some(pulled.rows);
                step.outcome = if pulled.landed { "succeeded" } else { "unchanged" };
                let Pulled { rows, quarantined, landed } = pulled;
                report(Event::Pulled { name, rows, quarantined, landed });
            }
            Err(error) => {
                let why = error.to_string();
                step.outcome = "failed";
                step.message = Some(why.clone());
                tracing::warn!(force = source.force, source = source.name, %error, "pull failed");
                report(Event::SourceFailed { name, why: why.clone() });
                failure.get_or_insert((source.name.clone(), why));
            }
        }
        hub.state.record_step(run, &step).await?;
    }
    Ok(failure)
}

/// What pulling one entity brought.
#[derive(Debug, Default)]
struct Pulled {
    rows: u64,
    quarantined: u64,
    landed: bool,
}

/// Lands every snapshot of the entity that has not been landed, in the source's order.
async fn entity(hub: &Hub, source: &Source, contract: &Contract) -> Result<Pulled> {
    let place =
        Place { force: source.force.clone(), source: source.name.clone(), entity: contract.entity.clone() };
    let mut pulled = Pulled::default();
    let snapshots = connector::discover(source, contract).await?;
    let landed = match snapshots.iter().any(|s| s.file.is_some()) {
        true => raw::landed_files(&hub.lake, &place).await?,
        false => Vec::new(),
    };
    for snapshot in snapshots {
        let file = snapshot.file.clone();
        if let Some(file) = &file {
            if landed.iter().any(|known| known.sha256 == file.sha256) {
                continue;
            }
            in_order(&place, file, &landed)?;
        }
        let extract = connector::read(source, contract, snapshot).await?;
        match landing::land(&hub.lake, &place, contract, file.as_ref(), extract).await? {
            Landed::Load(load) => {
                pulled.rows += load.received_rows;
                pulled.quarantined += load.quarantined_rows;
                pulled.landed = true;
            }
            Landed::Unchanged { received_rows } => pulled.rows += received_rows,
        }
    }
    Ok(pulled)
}

/// A file is a whole state of its entity: one that comes after a later one would bring back the past.
fn in_order(place: &Place, file: &SourceFile, landed: &[LandedFile]) -> Result<()> {
    match landed.iter().map(|known| &known.name).max() {
        Some(newest) if file.name < *newest => {
            Err(Error::contract(format!("file \"{}\" came after \"{newest}\" had been landed", file.name))
                .at(format!("{}.{}", place.source, place.entity))
                .hint("files are states in the order of their names: take it out of the folder, or send it under a later name"))
        }
        _ => Ok(()),
    }
}

/// Runs `attempt` until it succeeds, at most `retries` times more, with a growing wait that
/// differs from source to source so that they do not all come back at once.
async fn with_retries<T, F>(retries: u32, mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut wait = BACKOFF;
    for _ in 0..retries {
        match attempt().await {
            Ok(value) => return Ok(value),
            // A broken extract or contract does not mend itself within seconds.
            Err(error) if error.kind() != crate::error::Kind::Source => return Err(error),
            Err(error) => tracing::info!(%error, wait_ms = wait.as_millis() as u64, "trying again"),
        }
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(wait.mul_f64(jitter)).await;
        wait = (wait * 2).min(BACKOFF_MAX);
    }
    attempt().await
}
