//! Which releases are kept, and giving up the others: what no kept release needs is deleted. What
//! was given up is recorded before anything is deleted and stays given up.

use super::{Manifest, numbers, published};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::lake::life::Superfluous;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of the records in the lake.
const FOLDER: &str = "vacuums";

/// The layers whose files may be deleted. Raw is the log: it is never vacuumed.
const LAYERS: [&str; 3] = ["conformed", "marts", "reference"];

/// How long a file is left alone after it was written: somebody may be about to commit it.
const YOUNG: TimeDelta = TimeDelta::days(1);

/// Which releases are kept: those that any rule keeps, and always the newest. Without a number or
/// an age, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The newest so many.
    pub releases: Option<u32>,
    /// Those that were current at some time within so many days.
    pub days: Option<u32>,
    /// Releases that are held for a reason: its name → their numbers.
    pub holds: BTreeMap<String, BTreeSet<u64>>,
}

/// When a release was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The release's number.
    pub release: u64,
    /// Microseconds since 1970.
    pub at: i64,
}

impl Rules {
    /// The releases that no rule keeps; `published` in their order.
    pub fn given_up(&self, published: &[Published], now: DateTime<Utc>) -> BTreeSet<u64> {
        if self.releases.is_none() && self.days.is_none() {
            return BTreeSet::new();
        }
        let newest_kept = self.releases.map_or(0, |count| count as usize);
        let since = self.days.map(|days| (now - TimeDelta::days(days.into())).timestamp_micros());
        let held: BTreeSet<u64> = self.holds.values().flatten().copied().collect();
        let given_up = |(at, one): &(usize, &Published)| {
            // Who asks for an instant sees the release that was current then: it is as old as its
            // successor.
            let Some(next) = published.get(at + 1) else { return false };
            let is_new = published.len() - at <= newest_kept;
            let was_current = since.is_some_and(|since| next.at > since);
            !is_new && !was_current && !held.contains(&one.release)
        };
        published.iter().enumerate().filter(given_up).map(|(_, one)| one.release).collect()
    }
}

/// What was deleted of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The record of a vacuum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacuum {
    /// Its number, from 1.
    pub vacuum: u64,
    /// When it began, microseconds since 1970.
    pub at: i64,
    /// Who ran it: a user of the operating system.
    pub by: String,
    /// The rules it followed.
    pub rules: Rules,
    /// The releases that it gave up.
    pub releases: BTreeSet<u64>,
    /// What it deletes, table by table; those of which nothing goes are missing.
    pub tables: BTreeMap<String, Removed>,
}

impl Vacuum {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.releases.is_empty() && self.tables.is_empty()
    }

    /// What is deleted in all tables together.
    pub fn total(&self) -> Removed {
        self.tables.values().fold(Removed::default(), |sum, table| Removed {
            files: sum.files + table.files,
            bytes: sum.bytes + table.bytes,
        })
    }
}

/// A vacuum that has not begun, and the files it will delete.
#[derive(Debug)]
pub struct Plan {
    /// What it will record.
    pub vacuum: Vacuum,
    files: BTreeMap<String, Vec<Superfluous>>,
}

/// What a vacuum under `rules` would do now. For whoever holds the run's lock.
pub async fn plan(lake: &Lake, rules: &Rules, by: &str, now: DateTime<Utc>) -> Result<Plan> {
    let past = vacuums(lake).await?;
    let gone: BTreeSet<u64> = past.iter().flat_map(|vacuum| &vacuum.releases).copied().collect();
    let mut all = Vec::new();
    let mut versions: BTreeMap<u64, Vec<(String, u64)>> = BTreeMap::new();
    for number in numbers(lake).await? {
        let manifest = published(lake, number).await?;
        all.push(Published { release: number, at: manifest.published_at });
        versions.insert(number, versions_of(&manifest));
    }
    let given_up: BTreeSet<u64> = rules.given_up(&all, now).difference(&gone).copied().collect();
    let mut kept: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (number, tables) in versions {
        if !gone.contains(&number) && !given_up.contains(&number) {
            tables
                .into_iter()
                .for_each(|(table, version)| _ = kept.entry(table).or_default().insert(version));
        }
    }
    let mut files = BTreeMap::new();
    for layer in LAYERS {
        for table in lake.tables_below(layer)? {
            let needed = kept.remove(&table).unwrap_or_default();
            let found = lake.table(&table).superfluous(&needed, (now - YOUNG).into())?;
            if !found.is_empty() {
                files.insert(table, found);
            }
        }
    }
    let removed = |files: &Vec<Superfluous>| Removed {
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.bytes).sum(),
    };
    let vacuum = Vacuum {
        vacuum: past.last().map_or(1, |last| last.vacuum + 1),
        at: now.timestamp_micros(),
        by: by.to_string(),
        rules: rules.clone(),
        releases: given_up,
        tables: files.iter().map(|(table, files)| (table.clone(), removed(files))).collect(),
    };
    Ok(Plan { vacuum, files })
}

impl Plan {
    /// Records the vacuum, then deletes the files. Should it be cut short, the releases are given up
    /// all the same, and the next vacuum deletes the rest.
    pub async fn carry_out(self, lake: &Lake) -> Result<Vacuum> {
        let bytes = serde_json::to_vec_pretty(&self.vacuum)
            .map_err(|e| Error::internal("a vacuum's record").because(e))?;
        let name = format!("{FOLDER}/{:020}.json", self.vacuum.vacuum);
        if !lake.put_if_absent(&name, bytes).await? {
            return Err(Error::lake("another vacuum has begun meanwhile")
                .at(name)
                .hint("nothing was deleted"));
        }
        fail::fail_point!("vacuum::after-record", |_| Err(Error::lake("failpoint: after the record")));
        for (table, files) in &self.files {
            lake.table(table).delete(files)?;
        }
        Ok(self.vacuum)
    }
}

/// The tables of a release that a vacuum may touch, with their versions.
fn versions_of(manifest: &Manifest) -> Vec<(String, u64)> {
    let may_go = |table: &str| LAYERS.iter().any(|layer| table.split('/').next() == Some(layer));
    let tables = manifest.tables.iter().filter(|(table, _)| may_go(table));
    tables.map(|(table, pinned)| (table.clone(), pinned.version)).collect()
}

/// The vacuums so far, oldest first.
pub async fn vacuums(lake: &Lake) -> Result<Vec<Vacuum>> {
    let mut vacuums = Vec::new();
    for name in lake.list(FOLDER).await? {
        let name = format!("{FOLDER}/{name}");
        let bytes = lake.get(&name).await?;
        let vacuum = serde_json::from_slice(&bytes)
            .map_err(|e| Error::lake("the record of a vacuum cannot be read").at(&name).because(e))?;
        vacuums.push(vacuum);
    }
    Ok(vacuums)
}

/// An error when `release` was given up: what is left of its tables may be a part of them.
pub(super) async fn still_kept(lake: &Lake, release: u64) -> Result<()> {
    let vacuums = vacuums(lake).await?;
    let Some(vacuum) = vacuums.iter().find(|vacuum| vacuum.releases.contains(&release)) else {
        return Ok(());
    };
    let on = DateTime::from_timestamp_micros(vacuum.at).unwrap_or_default().format("%Y-%m-%d");
    let message = format!("release {release} was given up by vacuum {} on {on}", vacuum.vacuum);
    Err(Error::query(message)
        .hint("[keep] in muster.toml says which releases are kept; holds keep single ones"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Release 1 on the first day, 2 on the second, and so on; seen at noon of `today`.
    fn given_up(rules: &Rules, releases: u64, today: i64) -> Vec<u64> {
        let day = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        let published: Vec<_> = (1..=releases)
            .map(|release| Published { release, at: day(release as i64).timestamp_micros() })
            .collect();
        rules.given_up(&published, day(today) + TimeDelta::hours(12)).into_iter().collect()
    }

    #[test]
    fn without_a_rule_everything_is_kept() {
        let holds = BTreeMap::from([("audit".to_string(), BTreeSet::from([1]))]);
        assert!(given_up(&Rules::default(), 9, 9999).is_empty());
        assert!(given_up(&Rules { holds, ..Rules::default() }, 9, 9999).is_empty());
    }

    #[test]
    fn a_release_is_kept_while_any_rule_says_so() {
        let rules = |releases, days| Rules { releases, days, holds: BTreeMap::new() };
        assert_eq!(given_up(&rules(Some(3), None), 5, 5), [1, 2]);
        assert_eq!(given_up(&rules(Some(9), None), 5, 5), [0; 0]);
        // At noon of the fifth day, two days back: release 3 was current until the fourth began.
        assert_eq!(given_up(&rules(None, Some(2)), 5, 5), [1, 2]);
        assert_eq!(given_up(&rules(None, Some(1)), 5, 5), [1, 2, 3]);
        assert_eq!(given_up(&rules(Some(3), Some(1)), 5, 5), [1, 2]);
        assert_eq!(given_up(&rules(Some(1), Some(2)), 5, 5), [1, 2]);
        assert_eq!(given_up(&rules(Some(1), Some(2)), 5, 999), [1, 2, 3, 4], "the newest is always kept");
        let holds = BTreeMap::from([("audit 2025".to_string(), BTreeSet::from([2, 77]))]);
        assert_eq!(given_up(&Rules { holds, ..rules(Some(1), None) }, 5, 5), [1, 3, 4]);
    }
}
