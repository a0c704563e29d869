//! `muster check`.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::connector;
use crate::connector::contract::FileFormat;
use crate::error::{Error, Result};
use crate::project::{self, Project, count};
use std::io::IsTerminal;
use std::path::Path;

/// Arguments of `muster check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one line for each problem: file:line: message (hint).
    #[arg(long)]
    plain: bool,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    match project::load(project) {
        Ok(project) => {
            println!("{}", summary(&project));
            if let Some(scans) = scans(&project) {
                println!("{scans}");
            }
            Ok(true)
        }
        Err(problems) => {
            let terminal = std::io::stdout().is_terminal();
            let colour = terminal && std::env::var_os("NO_COLOR").is_none();
            print!("{}", if args.plain { problems.plain() } else { problems.pretty(colour) });
            Err(Error::config(count(problems.len(), "problem in the project")))
        }
    }
}

/// Whether this machine reads the scanned pages that a source may hold.
fn scans(project: &Project) -> Option<String> {
    let used = project.sources.values().filter_map(|source| project.systems.get(&source.system));
    let mut layouts =
        used.flat_map(|system| system.entities.values()).filter_map(|entity| entity.file.as_ref());
    layouts.any(|layout| matches!(layout.format, FileFormat::Invoice(_))).then(
        || match connector::page_reader() {
            Ok(reader) => format!("scanned pages are read by {reader}"),
            Err(reason) => format!("scanned pages are not read: {reason}"),
        },
    )
}

fn summary(project: &Project) -> String {
    let used = project.sources.values().filter_map(|source| project.systems.get(&source.system));
    let entities = used.map(|system| system.entities.len()).sum();
    format!(
        "the project is in order: {}, {}, {}, {}",
        count(project.forces.len(), "force"),
        count(project.sources.len(), "source"),
        count(entities, "entity"),
        count(project.models.len(), "model")
    )
}
