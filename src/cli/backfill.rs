//! `muster backfill`: a period of the past, once more.

use super::run::{pipeline_named, shown};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::pipeline::pull::Wish;
use crate::pipeline::run::Order;
use crate::project;
use std::path::Path;

/// Arguments of `muster backfill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipeline whose sources are asked; those tables of theirs that have a cursor.
    pipeline: String,
    /// The first value of the cursor, in the source's own time: 2026-03-01, or a number.
    #[arg(long, value_name = "CURSOR")]
    from: String,
    /// The last value of the cursor; a day is meant to its end.
    #[arg(long, value_name = "CURSOR")]
    to: String,
    /// Only this force.
    #[arg(long)]
    force: Option<String>,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let Args { pipeline, from, to, force } = args;
    let mut order = Order::of(pipeline_named(&hub, &pipeline)?);
    order.choice.force = force;
    order.wish = Wish { between: Some((from.clone(), to.clone())), ..Wish::default() };
    if !can_be_asked(&hub, &order) {
        return Err(Error::config(format!(
            "no table of pipeline \"{pipeline}\" can be asked for {from} to {to}"
        ))
        .hint("it takes a table with a cursor, and values of that cursor; files are read whole"));
    }
    shown(&hub, &order).await
}

/// Whether any entity of the order's sources can be asked for its period.
fn can_be_asked(hub: &Hub, order: &Order) -> bool {
    let sources = order.sources.iter().filter_map(|name| hub.project.sources.get(name));
    let mut sources = sources.filter(|source| order.choice.force.as_ref().is_none_or(|f| *f == source.force));
    sources.any(|source| {
        let system = hub.project.systems.get(&source.system);
        system.is_some_and(|system| system.entities.values().any(|e| order.wish.fits(source, e)))
    })
}
