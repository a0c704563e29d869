//! Upkeep of the lake: giving up releases, and rewriting small files. Neither changes an answer.

use super::turn::Turn;
use crate::error::{Error, Result, known};
use crate::hub::Hub;
use crate::lake::compact::Compacted;
use crate::release::keep::{self, Vacuum};
use chrono::Utc;
use std::time::SystemTime;

/// Gives up the releases that the project's rules no longer keep and deletes what only they need;
/// says what was done. A dry run says what would be done and does nothing.
pub async fn vacuum(hub: &Hub, by: &str, dry_run: bool) -> Result<Vacuum> {
    Turn::alone(hub, Box::pin(vacuumed(hub, by, dry_run))).await
}

async fn vacuumed(hub: &Hub, by: &str, dry_run: bool) -> Result<Vacuum> {
    let plan = keep::plan(&hub.lake, &hub.project.keep, by, Utc::now()).await?;
    if dry_run || plan.vacuum.is_empty() {
        return Ok(plan.vacuum);
    }
    let done = plan.carry_out(&hub.lake).await?;
    let removed = done.total();
    tracing::info!(
        operation = "vacuum",
        by,
        releases = done.releases.len(),
        files = removed.files,
        bytes = removed.bytes
    );
    Ok(done)
}

/// Rewrites the small files of every table that has many, or of `table` (`raw/beds/beds_hr/post`,
/// `conformed.person`) alone; says which tables were rewritten.
pub async fn compact(hub: &Hub, table: Option<&str>) -> Result<Vec<(String, Compacted)>> {
    Turn::alone(hub, Box::pin(compacted(hub, table))).await
}

async fn compacted(hub: &Hub, table: Option<&str>) -> Result<Vec<(String, Compacted)>> {
    let began = SystemTime::now();
    let mut tables = hub.lake.tables_below("")?;
    if let Some(wanted) = table {
        let path = wanted.replace('.', "/");
        if !tables.contains(&path) {
            let hint = known("tables", &path, tables.iter().map(String::as_str));
            return Err(Error::config(format!("the lake has no table \"{wanted}\"")).hint(hint));
        }
        tables = vec![path];
    }
    let mut done = Vec::new();
    for name in tables {
        let table = hub.lake.table(&name);
        if name.starts_with("raw/") {
            // What a crash left behind is told from what is replaced while it is the newer of the two.
            table.clear_orphans(began)?;
        }
        if let Some(compacted) = table.compact().await? {
            tracing::info!(
                operation = "compact",
                table = name,
                files = compacted.before,
                into = compacted.after
            );
            done.push((name, compacted));
        }
    }
    Ok(done)
}
