//! `muster vacuum` and `muster compact`: upkeep of the lake.
#![expect(clippy::print_stdout, reason = "the command line prints")]

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::pipeline::upkeep;
use crate::project::{self, count};
use crate::release::keep::{Removed, Vacuum};
use indicatif::HumanBytes;
use std::path::Path;

/// Arguments of `muster vacuum`.
#[derive(Debug, clap::Args)]
pub struct VacuumArgs {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `muster compact`.
#[derive(Debug, clap::Args)]
pub struct CompactArgs {
    /// Only this table: `raw/beds/beds_hr/post`, `conformed.person`.
    #[arg(long)]
    table: Option<String>,
}

pub(super) async fn vacuum(project: &Path, args: VacuumArgs) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let by = uzers::get_current_username().ok_or_else(|| {
        Error::auth("the operating system has no name for whoever runs this")
            .hint("a vacuum is recorded under a user's name: run it as one")
    })?;
    let by = by.to_string_lossy();
    let done = upkeep::vacuum(&hub, &by, args.dry_run).await?;
    print!("{}", told(&done, args.dry_run));
    Ok(true)
}

fn told(vacuum: &Vacuum, dry_run: bool) -> String {
    if vacuum.is_empty() {
        return "every file is needed: nothing to remove\n".into();
    }
    let mut text = String::new();
    for release in &vacuum.releases {
        text.push_str(&format!(
            "release {release} {}\n",
            if dry_run { "would be given up" } else { "is given up" }
        ));
    }
    let line = |name: &str, removed: &Removed| {
        let files = count(usize::try_from(removed.files).unwrap_or(usize::MAX), "file");
        format!("{name:<40} {files:>12} {:>12}\n", HumanBytes(removed.bytes).to_string())
    };
    vacuum.tables.iter().for_each(|(table, removed)| text.push_str(&line(table, removed)));
    text.push_str(&line(if dry_run { "would be removed" } else { "removed" }, &vacuum.total()));
    text
}

pub(super) async fn compact(project: &Path, args: CompactArgs) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let done = upkeep::compact(&hub, args.table.as_deref()).await?;
    for (table, compacted) in &done {
        let (bytes_before, bytes_after) =
            (HumanBytes(compacted.bytes_before), HumanBytes(compacted.bytes_after));
        let (before, after) = (count(compacted.before, "file"), compacted.after);
        println!("{table}: {before} of {bytes_before} became {after} of {bytes_after}");
    }
    println!("{} rewritten", count(done.len(), "table"));
    Ok(true)
}
