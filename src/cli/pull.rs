//! `muster pull` and `muster replay`: what comes into raw, without building anything.
#![expect(clippy::print_stdout, reason = "the command line prints")]

use super::run::Progress;
use crate::error::{Error, Result, known};
use crate::hub::Hub;
use crate::pipeline::pull::Wish;
use crate::project::{Source, count};
use crate::{pipeline, project};
use std::collections::BTreeSet;
use std::path::Path;

/// How often a source that cannot be reached is tried again.
const RETRIES: u32 = 3;

/// Arguments of `muster pull`.
#[derive(Debug, clap::Args)]
pub struct PullArgs {
    /// The sources to pull; all of them without a name.
    sources: Vec<String>,
    /// Read tables whole, whatever their cursors say: finds deletions, and rows that changed
    /// without their cursor.
    #[arg(long, conflicts_with = "since")]
    full: bool,
    /// Read tables that have a cursor from this value on, in the source's own time; never from
    /// later than a pull without it would.
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,
    /// Land what has shrunk more than its contract allows (max_drop, min_rows), this once.
    #[arg(long)]
    accept_drop: bool,
    /// How often a source that cannot be reached is tried again.
    #[arg(long, default_value_t = RETRIES)]
    retries: u32,
}

/// Arguments of `muster replay`.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The source.
    source: String,
    /// The entity whose contract was corrected.
    entity: String,
}

pub(super) async fn pull(project: &Path, args: PullArgs) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let sources: Vec<&Source> = match args.sources.is_empty() {
        true => hub.project.sources.values().collect(),
        // Each once, however often it is named.
        false => {
            let names: BTreeSet<&String> = args.sources.iter().collect();
            names.into_iter().map(|name| source(&hub, name)).collect::<Result<_>>()?
        }
    };
    if let (Some(_), [source, ..]) = (&args.since, &sources[..])
        && !sources.iter().any(|source| has_cursor(&hub, source))
    {
        return Err(Error::config("no entity of these sources has a cursor to read from")
            .at(&source.name)
            .hint("--full reads a table whole"));
    }
    let wish = Wish { full: args.full, since: args.since, accept_drop: args.accept_drop, ..Wish::default() };
    let progress = Progress::new();
    let report = |event| progress.show(&event);
    let failures = pipeline::run::pull(&hub, &sources, args.retries, wish, &report).await;
    progress.finish();
    let failures = failures?;
    let pulled = sources.len() - failures.len();
    match failures.is_empty() {
        true => println!("{} pulled", count(pulled, "source")),
        false => println!("{} pulled, {} failed", count(pulled, "source"), failures.len()),
    }
    Ok(failures.is_empty())
}

pub(super) async fn replay(project: &Path, args: ReplayArgs) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let source = source(&hub, &args.source)?;
    let system = &hub.project.systems[&source.system];
    let contract = system.entities.get(&args.entity).ok_or_else(|| {
        let hint = known("entities", &args.entity, system.entities.keys().map(String::as_str));
        Error::config(format!("system \"{}\" has no entity \"{}\"", system.name, args.entity)).hint(hint)
    })?;
    let replayed = pipeline::replay(&hub, source, contract).await?;
    match replayed.quarantined {
        0 => println!("nothing of {}.{} is in quarantine", args.source, args.entity),
        all => println!(
            "{} of {all} rows keep the contract now and have left quarantine; \"muster run\" builds them",
            replayed.released
        ),
    }
    Ok(true)
}

fn source<'a>(hub: &'a Hub, name: &str) -> Result<&'a Source> {
    hub.project.sources.get(name).ok_or_else(|| {
        let hint = known("sources", name, hub.project.sources.keys().map(String::as_str));
        Error::config(format!("there is no source \"{name}\"")).hint(hint)
    })
}

fn has_cursor(hub: &Hub, source: &Source) -> bool {
    let system = hub.project.systems.get(&source.system);
    system.is_some_and(|system| system.entities.values().any(|entity| entity.mode.cursor().is_some()))
}
