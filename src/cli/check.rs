//! `muster check`.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::connector;
use crate::connector::contract::FileFormat;
use crate::error::{Error, Result, known};
use crate::project::{self, Project, count};
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::Path;

/// Arguments of `muster check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one line for each problem: file:line: message (hint).
    #[arg(long)]
    plain: bool,
    /// Connect to this source and tell how it differs from its contracts; nothing is pulled.
    #[arg(long)]
    source: Option<String>,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    match project::load(project) {
        Ok(project) => {
            println!("{}", summary(&project));
            unread(&project).for_each(|note| println!("note   {note}"));
            if let Some(scans) = scans(&project) {
                println!("{scans}");
            }
            match &args.source {
                Some(source) => compared(&project, source).await,
                None => Ok(true),
            }
        }
        Err(problems) => {
            let terminal = std::io::stdout().is_terminal();
            let colour = terminal && std::env::var_os("NO_COLOR").is_none();
            print!("{}", if args.plain { problems.plain() } else { problems.pretty(colour) });
            Err(Error::config(count(problems.len(), "problem in the project")))
        }
    }
}

/// Tells how the source called `name` differs from its contracts.
async fn compared(project: &Project, name: &str) -> Result<bool> {
    let source = project.sources.get(name).ok_or_else(|| {
        let hint = known("sources", name, project.sources.keys().map(String::as_str));
        Error::config(format!("there is no source \"{name}\"")).hint(hint)
    })?;
    let mut session = connector::open(source).await?;
    let mut wrong = 0;
    for contract in project.systems[&source.system].entities.values() {
        let found = connector::look(&mut session, source, contract).await?;
        let verdict = if found.wrong.is_empty() { "as its contract says" } else { "differs" };
        println!("{name}.{}: {verdict}", contract.entity);
        for (what, hint) in &found.wrong {
            println!("  wrong  {what}");
            if let Some(hint) = hint {
                println!("         {hint}");
            }
        }
        found.notes.iter().for_each(|note| println!("  note   {note}"));
        wrong += found.wrong.len();
    }
    match wrong {
        0 => Ok(true),
        wrong => Err(Error::config(format!("{} from the contracts", count(wrong, "difference"))).at(name)),
    }
}

/// The project's own mappings whose rows no model reads: mostly a slip of the pen in the file's name.
fn unread(project: &Project) -> impl Iterator<Item = String> + '_ {
    let read: BTreeSet<&str> =
        project.models.iter().flat_map(|model| &model.reads).map(String::as_str).collect();
    let own = project.staging.iter().filter(|mapping| !mapping.file.starts_with(project::BUILT_IN));
    own.filter(move |mapping| !read.contains(mapping.table().as_str())).map(|mapping| {
        let table = mapping.table();
        format!("{}: no model reads {table}; `muster docs` lists what models read", mapping.file)
    })
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
