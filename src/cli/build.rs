//! `muster build`: build, check and release what has been landed.

use super::run::shown;
use crate::error::Result;
use crate::hub::Hub;
use crate::pipeline::Choice;
use crate::pipeline::run::Order;
use crate::project;
use std::path::Path;

/// Arguments of `muster build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this model and what it is made from; `MODEL+` also what is made from it. May be given
    /// more than once.
    #[arg(long, value_name = "MODEL[+]")]
    select: Vec<String>,
    /// Only this force; the others stay as released.
    #[arg(long)]
    force: Option<String>,
    /// Build also what has not changed since the last release.
    #[arg(long)]
    full: bool,
    /// Forces built at the same time, instead of one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: Option<u16>,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let Args { select, force, full, parallel } = args;
    let mut order = Order::build(Choice { select, force, full });
    order.parallel = parallel.map(usize::from);
    shown(&hub, &order).await
}
