//! `muster status`, `muster quarantine`: the system tables, for people.

use super::query::{self, Format, When};
use crate::error::Result;
use std::path::Path;

/// Who looks, and in what form.
#[derive(Debug, clap::Args)]
pub struct View {
    /// See what this user of the project sees.
    #[arg(long)]
    user: Option<String>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Arguments of `muster status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    view: View,
    #[command(flatten)]
    when: When,
}

/// Arguments of `muster quarantine`.
#[derive(Debug, clap::Args)]
pub struct QuarantineArgs {
    /// Only this force.
    #[arg(long)]
    force: Option<String>,
    /// Only this reason, such as `not_a_date`.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    view: View,
    #[command(flatten)]
    when: When,
}

pub(super) async fn status(project: &Path, args: StatusArgs) -> Result<bool> {
    let sql = "select force, dataset, status, since, rows, quarantined_rows, as_of, release, why \
               from hub.coverage order by force, dataset";
    show_as_of(project, sql, &args.view, args.when).await
}

pub(super) async fn quarantine(project: &Path, args: QuarantineArgs) -> Result<bool> {
    let wanted = [("force", args.force), ("reason", args.reason)];
    let filters = wanted.into_iter().filter_map(|(column, value)| {
        value.map(|value| format!("{column} = '{}'", value.replace('\'', "''")))
    });
    let filters: Vec<String> = filters.collect();
    let filter = if filters.is_empty() { "true".to_string() } else { filters.join(" and ") };
    let sql = format!(
        "select force, source, entity, file, row, column_name, reason, detail, raw \
         from hub.quarantine where {filter} order by force, source, entity, file, row, column_name"
    );
    show_as_of(project, &sql, &args.view, args.when).await
}

/// The answer to `sql` now.
pub(super) async fn show(project: &Path, sql: &str, view: &View) -> Result<bool> {
    show_as_of(project, sql, view, When::default()).await
}

/// The same road as `muster query`, so that these commands are recorded and under policy too.
async fn show_as_of(project: &Path, sql: &str, view: &View, when: When) -> Result<bool> {
    let args = query::Args {
        sql: sql.to_string(),
        user: view.user.clone(),
        format: view.format,
        output: None,
        when,
    };
    query::run(project, args).await
}
