//! `muster diff` and `muster docs`: what a model would change, and what it is.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result, known};
use crate::hub::Hub;
use crate::model::compare::Difference;
use crate::model::{Layer, Model, Severity};
use crate::pipeline::preview;
use crate::project::{self, Project, count};
use arrow::util::pretty::pretty_format_batches;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Arguments of `muster diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The model, with its layer or without: `marts.spend`.
    model: String,
    /// Only this force.
    #[arg(long)]
    force: Option<String>,
    /// Show the rows too, at most this many of each kind and force.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
}

/// Arguments of `muster docs`.
#[derive(Debug, clap::Args)]
pub struct DocsArgs {
    /// The model, with its layer or without: `marts.spend`; or what mappings feed: `staging.invoice`.
    /// Without it, all of them are listed.
    model: Option<String>,
    /// Print the exact SQL that runs for a force.
    #[arg(long, requires = "model")]
    sql: bool,
    /// The force whose SQL is printed; the first one of the project when it is not given.
    #[arg(long)]
    force: Option<String>,
}

pub(super) async fn diff(project: &Path, args: DiffArgs) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let mut differs = false;
    let show = async |force: Option<&str>, difference: &Difference, blocked_by: Option<String>| {
        differs = true;
        let counts = difference.counts().await?;
        let whose = force.unwrap_or("the hub");
        println!("{whose}: {} appear, {} vanish, {} change", counts.added, counts.removed, counts.changed);
        if let Some(why) = blocked_by {
            println!("  would be blocked: {why}");
        }
        if let Some(rows) = args.rows {
            print_rows(difference, rows).await?;
        }
        Ok(())
    };
    preview::diff(&hub, &args.model, args.force.as_deref(), show).await?;
    if !differs {
        println!("nothing would change");
    }
    Ok(true)
}

async fn print_rows(difference: &Difference, rows: usize) -> Result<()> {
    let failed = |e| Error::model("the rows that differ cannot be shown").because(e);
    for frame in [&difference.added, &difference.removed, &difference.changed] {
        let frame = frame.clone().limit(0, Some(rows)).map_err(failed)?;
        let batches = frame.collect().await.map_err(failed)?;
        if batches.iter().any(|batch| batch.num_rows() > 0) {
            let table = pretty_format_batches(&batches);
            println!("{}", table.map_err(|e| Error::internal("a table").because(e))?);
        }
    }
    Ok(())
}

pub(super) async fn docs(project: &Path, args: DocsArgs) -> Result<bool> {
    let project = project::load(project)?;
    let Some(name) = args.model else {
        print!("{}", listed(&project));
        return Ok(true);
    };
    if args.sql {
        let first = project.forces.keys().next().cloned();
        let force = args.force.or(first).ok_or_else(|| Error::config("the project has no force"))?;
        let hub = Hub::open(project).await?;
        print!("{}", preview::sql(&hub, &name, &force).await?);
        return Ok(true);
    }
    match mappings(&project, &name).as_slice() {
        [] if name.starts_with("staging.") => return Err(unfed(&project, &name)),
        [] => print!("{}", text(preview::model(&project, &name)?)),
        mappings => print!("{}", fed(&project, &name, mappings)),
    }
    Ok(true)
}

/// The mappings that feed a staging table, by system.
fn mappings<'a>(project: &'a Project, table: &str) -> Vec<&'a Model> {
    let mut found: Vec<_> = project.staging.iter().filter(|mapping| mapping.table() == table).collect();
    found.sort_by_key(|mapping| &mapping.system);
    found
}

/// The error that no mapping feeds a staging table.
fn unfed(project: &Project, table: &str) -> Error {
    let tables: BTreeSet<String> = project.staging.iter().map(Model::table).collect();
    let hint = known("staging tables", table, tables.iter().map(String::as_str));
    Error::config(format!("no mapping feeds \"{table}\"")).hint(hint)
}

/// Every table: what feeds it, or what its header says first.
fn listed(project: &Project) -> String {
    let mut tables: BTreeMap<(Layer, &str), String> = BTreeMap::new();
    for model in &project.models {
        tables.insert((model.layer, &model.name), model.description.clone());
    }
    for mapping in &project.staging {
        let of: Vec<_> =
            mappings(project, &mapping.table()).into_iter().filter_map(|m| m.system.clone()).collect();
        tables.insert((mapping.layer, &mapping.name), format!("from {}", of.join(", ")));
    }
    let widest = tables.keys().map(|(layer, name)| layer.as_str().len() + name.len() + 1).max();
    let line = |((layer, name), says): (&(Layer, &str), &String)| {
        format!("{:<width$}  {says}\n", format!("{}.{name}", layer.as_str()), width = widest.unwrap_or(0))
    };
    tables.iter().map(line).collect()
}

/// A staging table: who reads it, who feeds it, and where its columns come from.
fn fed(project: &Project, table: &str, mappings: &[&Model]) -> String {
    let readers: Vec<&Model> =
        project.models.iter().filter(|m| m.reads.iter().any(|read| read == table)).collect();
    let mut lines = vec![
        format!("{table}  (the union of {})", count(mappings.len(), "mapping")),
        match readers.is_empty() {
            true => "read by: no model; a mapping whose rows nobody reads changes nothing".to_string(),
            false => {
                format!("read by: {}", readers.iter().map(|m| m.table()).collect::<Vec<_>>().join(", "))
            }
        },
        "mappings:".to_string(),
    ];
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for trace in readers.iter().flat_map(|model| &model.lineage).filter(|t| t.from_table == table) {
        columns.entry(&trace.from_column).or_default();
    }
    for mapping in mappings {
        lines.push(format!("  {}  {}", mapping.file, mapping.description));
        lines.push(format!("    grain: {}", mapping.grain.join(", ")));
        for trace in &mapping.lineage {
            let Some(column) = &trace.column else { continue };
            let system = mapping.system.as_deref().unwrap_or_default();
            let (from, how) = (format!("{}.{}", trace.from_table, trace.from_column), trace.how.as_str());
            columns.entry(column).or_default().push(format!("{system}: {from} ({how})"));
        }
    }
    lines.push("columns:".to_string());
    for (column, origins) in columns {
        lines.push(format!("  {column}"));
        lines.extend(origins.into_iter().map(|origin| format!("    from {origin}")));
    }
    lines.join("\n") + "\n"
}

/// What the header of a model says, and where its columns come from.
fn text(model: &Model) -> String {
    let mut lines = vec![
        format!("{}  ({})", model.table(), model.file),
        model.description.clone(),
        format!("grain: {}", model.grain.join(", ")),
        "columns:".to_string(),
    ];
    for column in &model.columns {
        let tags =
            if column.tags.is_empty() { String::new() } else { format!("  [{}]", column.tags.join(", ")) };
        lines.push(format!("  {}: {}{tags}", column.name, column.text));
        let origins = model.lineage.iter().filter(|trace| trace.column.as_ref() == Some(&column.name));
        lines.extend(
            origins.map(|t| format!("    from {}.{} ({})", t.from_table, t.from_column, t.how.as_str())),
        );
    }
    lines.push("checks:".to_string());
    for check in &model.checks {
        let warn = if check.severity == Severity::Warn { "  (warn)" } else { "" };
        lines.push(format!("  {}{warn}", check.text));
    }
    lines.join("\n") + "\n"
}
