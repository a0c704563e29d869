//! The life of a table's files: which versions name them, and which nobody needs any more.

use super::delta::Table;
use super::log;
use crate::error::{Error, Result};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

/// A data file in the folder of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superfluous {
    /// Relative to the table's folder.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// The versions that name a file: from the first on, up to but without the second, if there is one.
type Stretch = (u64, Option<u64>);

/// What one commit says of a file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    path: String,
    #[serde(default)]
    data_change: bool,
}

/// One line of a commit.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    add: Option<Named>,
    remove: Option<Named>,
    meta_data: Option<serde::de::IgnoredAny>,
}

impl Table {
    /// The newest version that has the same rows as `number`: later ones may only have written them
    /// to other files.
    pub fn same_rows_as(&self, number: u64) -> Result<u64> {
        let newest = log::newest(&self.dir.join("_delta_log")).map_err(|e| self.failed("read", e))?;
        for later in number + 1..=newest.unwrap_or(number) {
            let news = |action: &Action| {
                let changed = |named: &Option<Named>| named.as_ref().is_some_and(|named| named.data_change);
                changed(&action.add) || changed(&action.remove) || action.meta_data.is_some()
            };
            if self.commit_of(later)?.iter().any(news) {
                return Ok(later - 1);
            }
        }
        Ok(newest.unwrap_or(number))
    }

    /// The data files that no version in `kept` names, nor the newest one, and that were written
    /// before `before`: those of other versions, and those that unfinished work left behind.
    pub fn superfluous(&self, kept: &BTreeSet<u64>, before: SystemTime) -> Result<Vec<Superfluous>> {
        let lives = self.lives()?;
        let needed = |(from, until): &Stretch| match until {
            None => true,
            Some(until) => kept.range(from..until).next().is_some(),
        };
        let mut found = Vec::new();
        for (path, bytes, written) in data_files(&self.dir).map_err(|e| self.failed("list", e))? {
            let is_needed = lives.get(&path).is_some_and(|stretches| stretches.iter().any(needed));
            if !is_needed && written < before {
                found.push(Superfluous { path, bytes });
            }
        }
        Ok(found)
    }

    /// Deletes files that are not needed; one that is gone already is no error.
    pub fn delete(&self, files: &[Superfluous]) -> Result<()> {
        for file in files {
            match fs::remove_file(self.dir.join(&file.path)) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(self.failed("vacuum", e)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Deletes the files of an append-only table that were written before `before` and that none of
    /// its commits names: what a crash left. For whoever knows that their writers are dead, because
    /// a living writer's files look the same until they are committed.
    pub fn clear_orphans(&self, before: SystemTime) -> Result<()> {
        let failed = |e: std::io::Error| self.failed("tidy", e);
        let log = self.dir.join("_delta_log");
        let newest = log::newest(&log).map_err(|e| self.failed("read", e))?;
        let commit = newest.map(|number| log.join(format!("{number:020}.json")));
        let committed = commit.and_then(|commit| fs::metadata(commit).ok()?.modified().ok());
        let mut left = unfinished(&self.dir, before).map_err(failed)?;
        // What a crash left is younger than what was committed before it: the log need not be read
        // for every file of every table at every pull.
        let is_young = |written: SystemTime| committed.is_none_or(|at| written >= at);
        let files = data_files(&self.dir).map_err(failed)?.into_iter();
        let young = files.filter(|(_, _, written)| *written < before && is_young(*written));
        let young: Vec<String> = young.map(|(name, ..)| name).collect();
        if !young.is_empty() {
            let lives = self.lives()?;
            left.extend(young.into_iter().filter(|name| !lives.contains_key(name)));
        }
        for name in left {
            fs::remove_file(self.dir.join(&name)).map_err(failed)?;
            tracing::info!(table = self.name, file = name, "deleted what unfinished work left");
        }
        Ok(())
    }

    /// Every file that the table has ever named, and when: a file may leave and come back.
    pub(super) fn lives(&self) -> Result<BTreeMap<String, Vec<Stretch>>> {
        let newest = log::newest(&self.dir.join("_delta_log")).map_err(|e| self.failed("read", e))?;
        let mut lives: BTreeMap<String, Vec<Stretch>> = BTreeMap::new();
        let Some(newest) = newest else { return Ok(lives) };
        for number in 0..=newest {
            for action in self.commit_of(number)? {
                if let Some(Named { path, .. }) = action.add {
                    lives.entry(decoded(&path)).or_default().push((number, None));
                }
                let removed = action.remove.and_then(|named| lives.get_mut(&decoded(&named.path)));
                if let Some((_, until @ None)) = removed.and_then(|stretches| stretches.last_mut()) {
                    *until = Some(number);
                }
            }
        }
        Ok(lives)
    }

    /// The actions of the commit that made version `number`. A log without it cannot say what is
    /// needed, so its absence is an error.
    fn commit_of(&self, number: u64) -> Result<Vec<Action>> {
        let path = self.dir.join("_delta_log").join(format!("{number:020}.json"));
        let text = fs::read(&path)
            .map_err(|e| Error::lake("a commit of the table is missing").at(path.display()).because(e))?;
        let actions = serde_json::Deserializer::from_slice(&text).into_iter::<Action>();
        actions.collect::<Result<_, _>>().map_err(|e| self.failed("read", e))
    }
}

/// A path of the log as it is on disk.
fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Files of a table and its log that were begun before `before` and not written to their end. The
/// store writes under a name with a `#` and renames: see `LocalFileSystem`.
fn unfinished(dir: &Path, before: SystemTime) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["", "_delta_log/"] {
        let entries = match fs::read_dir(dir.join(folder)) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let unfinished = name.contains(".parquet#") || name.contains(".json#");
            if unfinished && entry.metadata()?.modified()? < before {
                found.push(format!("{folder}{name}"));
            }
        }
    }
    Ok(found)
}

/// Path, size and time of every Parquet file of a table, its partitions included, sorted.
fn data_files(dir: &Path) -> std::io::Result<Vec<(String, u64, SystemTime)>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type()?.is_dir() {
                if !name.starts_with('_') {
                    folders.push(path);
                }
            } else if name.ends_with(".parquet") {
                let about = entry.metadata()?;
                let path = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                found.push((path, about.len(), about.modified()?));
            }
        }
    }
    found.sort();
    Ok(found)
}
