//! `muster diff` and `muster docs`: what a model would change, and what it is.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::model::compare::Difference;
use crate::model::{Model, Severity};
use crate::pipeline::preview;
use crate::project;
use arrow::util::pretty::pretty_format_batches;
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
    /// The model, with its layer or without: `marts.spend`.
    model: String,
    /// Print the exact SQL that runs for a force.
    #[arg(long)]
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
    if args.sql {
        let first = project.forces.keys().next().cloned();
        let force = args.force.or(first).ok_or_else(|| Error::config("the project has no force"))?;
        let hub = Hub::open(project).await?;
        print!("{}", preview::sql(&hub, &args.model, &force).await?);
        return Ok(true);
    }
    print!("{}", text(preview::model(&project, &args.model)?));
    Ok(true)
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
