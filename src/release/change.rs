//! What changed from one release to another: which tables of which forces hold other files, and why.

use super::{Dataset, Manifest, RowsOf, TableVersion};
use crate::error::Result;
use crate::lake::Lake;
use std::collections::{BTreeMap, BTreeSet};

/// A table that holds other files in the later of two releases.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// `layer.name`.
    pub table: String,
    /// Whose rows may differ, and why: by force, or under `None` for a table without forces.
    pub parts: BTreeMap<Option<String>, Vec<&'static str>>,
}

/// The tables that clients may read and that hold other files in `after` than in `before`, by
/// name. Files are immutable, so the same files are the same rows.
pub async fn changes(lake: &Lake, before: &Manifest, after: &Manifest) -> Result<Vec<Change>> {
    let paths: BTreeSet<&String> = before.tables.keys().chain(after.tables.keys()).collect();
    let mut changes = Vec::new();
    for path in paths {
        let (old, new) = (before.tables.get(path), after.tables.get(path));
        let raw = old.or(new).is_some_and(|pinned| matches!(pinned.rows_of, RowsOf::Force(_)));
        if raw || old == new {
            continue;
        }
        let (old_files, new_files) = (files(lake, path, old).await?, files(lake, path, new).await?);
        let forces: BTreeSet<&Option<String>> = old_files.keys().chain(new_files.keys()).collect();
        let differing = forces.into_iter().filter(|force| old_files.get(*force) != new_files.get(*force));
        let table = path.replacen('/', ".", 1);
        let why = |force: &Option<String>| (force.clone(), why(before, after, &table, force.as_deref()));
        let parts: BTreeMap<_, _> = differing.map(why).collect();
        if !parts.is_empty() {
            changes.push(Change { table, parts });
        }
    }
    Ok(changes)
}

/// What a release changed, in a few words: how many tables of how many forces were made from
/// something else, and from what.
pub fn summary(
    before: &Manifest,
    after: &Manifest,
    mut counts: impl FnMut(&str, Option<&str>) -> bool,
) -> String {
    let (mut tables, mut forces, mut reasons) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (force, table) in bases(before).chain(bases(after)) {
        let parts = why(before, after, table, force);
        if !parts.is_empty() && counts(table, force) {
            tables.insert(table);
            forces.extend(force);
            reasons.extend(parts);
        }
    }
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    match (tables.len(), forces.len()) {
        (0, _) => String::new(),
        (tables, 0) => format!("{}: {}", plural(tables, "table"), joined(&reasons)),
        (tables, forces) => {
            format!("{} of {}: {}", plural(tables, "table"), plural(forces, "force"), joined(&reasons))
        }
    }
}

fn joined(reasons: &BTreeSet<&str>) -> String {
    reasons.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Every dataset of a release: its force, if it has one, and its table.
fn bases(manifest: &Manifest) -> impl Iterator<Item = (Option<&str>, &str)> {
    let of_forces = manifest.forces.iter().flat_map(|(force, status)| {
        status.datasets.keys().map(|table| (Some(force.as_str()), table.as_str()))
    });
    of_forces.chain(manifest.hub.keys().map(|table| (None, table.as_str())))
}

/// The parts in which what the rows were made from differs.
fn why(before: &Manifest, after: &Manifest, table: &str, force: Option<&str>) -> Vec<&'static str> {
    let basis = |manifest| dataset(manifest, table, force).map(|dataset| &dataset.basis);
    match (basis(before), basis(after)) {
        (Some(old), Some(new)) => old.differs(new),
        // A table comes and goes with its model, a force's rows with its data.
        (None, Some(_)) if exists(before, table) => vec!["data"],
        (Some(_), None) if exists(after, table) => vec!["data"],
        (None, Some(_)) | (Some(_), None) => vec!["sql"],
        // Only code lists are made from nothing but themselves.
        (None, None) => vec!["reference"],
    }
}

fn exists(manifest: &Manifest, table: &str) -> bool {
    manifest.tables.contains_key(&table.replacen('.', "/", 1))
}

fn dataset<'a>(manifest: &'a Manifest, table: &str, force: Option<&str>) -> Option<&'a Dataset> {
    match force {
        Some(force) => manifest.forces.get(force)?.datasets.get(table),
        None => manifest.hub.get(table),
    }
}

/// The names of a table's files by force.
async fn files(
    lake: &Lake,
    path: &str,
    pinned: Option<&TableVersion>,
) -> Result<BTreeMap<Option<String>, BTreeSet<String>>> {
    let Some(pinned) = pinned else { return Ok(BTreeMap::new()) };
    let version = lake.version(path, pinned.version).await?;
    let mut files: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for file in &version.files {
        files.entry(file.force.clone()).or_default().insert(file.path.clone());
    }
    Ok(files)
}
