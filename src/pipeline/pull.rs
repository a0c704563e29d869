//! Pulling: every entity of every source, each source failing alone.

use super::Event;
use crate::connector::contract::Contract;
use crate::connector::{self, Offer, SourceFile, Span};
use crate::error::Result;
use crate::hub::Hub;
use crate::lake::raw::{self, Load, Place};
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
                let Pulled { rows, quarantined, landed, note } = pulled;
                step.message = note;
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
    /// Files that were passed over, in words.
    note: Option<String>,
}

/// Lands every snapshot of the entity that is news, in the source's order. A file is a whole state,
/// so one that is refused matters only until a later one is landed.
async fn entity(hub: &Hub, source: &Source, contract: &Contract) -> Result<Pulled> {
    let place =
        Place { force: source.force.clone(), source: source.name.clone(), entity: contract.entity.clone() };
    let mut pulled = Pulled::default();
    let mut session = connector::open(source).await?;
    let files = match session.offers(contract).await? {
        Offer::Files { ready, .. } => ready,
        Offer::Table => {
            let extract = session.read(contract, &Span::Whole).await?;
            match landing::land(&hub.lake, &place, contract, None, extract).await? {
                Landed::Load(load) => {
                    pulled.rows += load.received_rows;
                    pulled.quarantined += load.quarantined_rows;
                    pulled.landed = true;
                }
                Landed::Unchanged { received_rows } => pulled.rows += received_rows,
            }
            return Ok(pulled);
        }
    };
    let mut refused = None;
    let mut loads = raw::loads(&hub.lake, &place, None).await?;
    for file in files {
        let bytes = session.fetch(contract, &file).await?;
        let file = landing::keep(&hub.lake, &place, &file, bytes).await?;
        match news(&file, contract, &loads) {
            News::Known => continue,
            News::Past(note) => {
                tracing::warn!(force = place.force, source = place.source, note, "file passed over");
                pulled.note = Some(note);
                continue;
            }
            News::New => {}
        }
        let extract = connector::read_file(source, contract, &file)?;
        match landing::land(&hub.lake, &place, contract, Some(&file), extract).await {
            Ok(Landed::Load(load)) => {
                pulled.rows += load.received_rows;
                pulled.quarantined += load.quarantined_rows;
                pulled.landed = true;
                refused = None;
                loads.insert(0, *load);
            }
            Ok(Landed::Unchanged { received_rows }) => pulled.rows += received_rows,
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(pulled), Err)
}

/// What a snapshot is, compared with what has been landed.
enum News {
    /// Not landed yet.
    New,
    /// What raw holds, or a state that has been passed.
    Known,
    /// An older state that was never landed and would bring back the past.
    Past(String),
}

fn news(file: &SourceFile, contract: &Contract, loads: &[Load]) -> News {
    let Some(last) = loads.first() else { return News::New };
    let same = |load: &Load| load.sha256.as_deref() == Some(file.sha256.as_str());
    let newest = last.file.as_deref().unwrap_or_default();
    match file_order(&file.name) < file_order(newest) {
        true if loads.iter().any(same) => News::Known,
        true => News::Past(format!("file \"{}\" is older than \"{newest}\", which is landed", file.name)),
        // A corrected contract reads the same bytes anew.
        false if same(last) && last.contract == contract.fingerprint() => News::Known,
        false => News::New,
    }
}

fn file_order(name: &str) -> (String, String) {
    (name.to_lowercase(), name.to_string())
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
