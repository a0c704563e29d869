//! `muster runs`: what ran, and what its steps did.

use super::status::{self, View};
use crate::error::Result;
use std::path::Path;

/// Arguments of `muster runs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run whose steps to show; without it, the newest runs.
    run: Option<String>,
    /// How many runs to show.
    #[arg(long, default_value_t = 30, conflicts_with = "run")]
    limit: u32,
    #[command(flatten)]
    view: View,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let sql = match args.run {
        Some(run) => format!(
            "select step, force, kind, name, outcome, started_at, duration_ms, rows, bytes, message \
             from hub.steps where run = '{}' order by started_at, force, step",
            run.replace('\'', "''")
        ),
        None => format!(
            "select run, pipeline, slot, attempt, started_at, finished_at, outcome, release, steps, failed_steps \
             from hub.runs order by started_at desc, run desc limit {}",
            args.limit
        ),
    };
    status::show(project, &sql, &args.view).await
}
