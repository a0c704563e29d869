//! What a build made, and what is kept, as one release.

use super::basis::{self, Bases, Definitions};
use super::forces::{Force, lake_name, released};
use super::inputs::Inputs;
use super::pull::Failures;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::delta::{Change, Commit};
use crate::model::content::Content;
use crate::model::{Model, Scope};
use crate::release::{self, Dataset, ForceStatus, Manifest, RowsOf, Status, TableVersion};
use chrono::Utc;
use fail::fail_point;
use std::collections::{BTreeMap, BTreeSet};

/// What a run has made.
pub(super) struct Made<'a> {
    pub(super) hub: &'a Hub,
    pub(super) run: &'a str,
    pub(super) epoch: u64,
    pub(super) inputs: &'a Inputs,
    pub(super) definitions: &'a Definitions<'a>,
    pub(super) previous: Option<&'a Manifest>,
    /// What became of each force.
    pub(super) forces: &'a BTreeMap<String, Force>,
    /// What each force's tables would be made from now.
    pub(super) bases: &'a BTreeMap<String, Bases>,
}

/// What a run has learnt of the sources.
pub(super) struct Read<'a> {
    /// Those that it has pulled.
    pub(super) pulled: BTreeSet<&'a str>,
    /// Why some of them could not be read.
    pub(super) failures: Failures,
}

/// What became of the hub-scope models.
pub(super) struct HubMade {
    /// The basis of each of them now.
    pub(super) bases: Bases,
    /// Those that were built; why none of them could be.
    pub(super) tables: std::result::Result<BTreeMap<String, Content>, String>,
}

impl Made<'_> {
    /// The content of each force-scope table that is not as released: new for what was built, as
    /// released for the rest.
    pub(super) async fn tables(&self) -> Result<BTreeMap<String, Content>> {
        let mut tables = BTreeMap::new();
        let of_force = self.hub.project.models.iter().filter(|m| m.scope == Scope::Force);
        for model in of_force.filter(|model| self.changes(model)) {
            if let Some(content) = self.table(model).await? {
                tables.insert(model.table(), content);
            }
        }
        Ok(tables)
    }

    /// Whether the table's files are not those of the previous release.
    fn changes(&self, model: &Model) -> bool {
        let built = |force: &Force| match force {
            Force::Built(made) => made.contains_key(&model.table()),
            Force::Same | Force::Failed { .. } => false,
        };
        // A force that has left the project leaves the release.
        let left = |p: &Manifest| p.forces.keys().any(|force| !self.forces.contains_key(force));
        self.forces.values().any(built) || self.previous.is_some_and(left)
    }

    async fn table(&self, model: &Model) -> Result<Option<Content>> {
        let released = released(self.hub, model, self.previous).await?;
        let mut content: Option<Content> = None;
        let mut rebuilt = BTreeSet::new();
        for (force, outcome) in self.forces {
            let Force::Built(made) = outcome else { continue };
            let Some(made) = made.get(&model.table()) else { continue };
            rebuilt.insert(force.as_str());
            match &mut content {
                None => content = Some(made.clone()),
                Some(content) => content.files.extend(made.files.iter().cloned()),
            }
        }
        let Some(released) = released else { return Ok(content) };
        let keeps = |force: &str| self.forces.contains_key(force) && !rebuilt.contains(force);
        let kept = released.files.iter().filter(|f| f.force.as_deref().is_some_and(keeps)).cloned();
        let kept = Content { files: kept.collect(), ..released.clone() };
        let Some(mut content) = content else { return Ok(Some(kept)) };
        if !kept.files.is_empty() {
            same_types(model, &content, &kept)?;
        }
        content.files.extend(kept.files);
        Ok(Some(content))
    }

    /// Commits every changed table as it will be released and says so in a manifest, which nobody
    /// sees yet. `tables` is what changes of the force-scope ones.
    pub(super) async fn manifest(
        &self,
        tables: &BTreeMap<String, Content>,
        hub_made: &HubMade,
        read: &Read<'_>,
        reference: &BTreeMap<String, TableVersion>,
    ) -> Result<Manifest> {
        let mut versions = BTreeMap::new();
        for model in &self.hub.project.models {
            let name = lake_name(model);
            let kept = self.previous.and_then(|p| p.tables.get(&name));
            let (content, rows_of) = match model.scope {
                Scope::Force => (tables.get(&model.table()), RowsOf::EachForce),
                Scope::Hub => {
                    (hub_made.tables.as_ref().ok().and_then(|t| t.get(&model.table())), RowsOf::Hub)
                }
            };
            let version = match (content, kept) {
                (Some(content), _) => self.commit(&name, content).await?,
                (None, Some(kept)) => self.hub.lake.table(&name).same_rows_as(kept.version)?,
                (None, None) => continue,
            };
            versions.insert(name, TableVersion { version, rows_of, sha256: None });
        }
        let lists = reference.iter().map(|(name, list)| (format!("reference/{name}"), list.clone()));
        versions.extend(lists);
        for (table, version) in self.inputs.pins(self.hub) {
            let force = table.split('/').nth(1).unwrap_or_default().to_string();
            versions.insert(table, TableVersion { version, rows_of: RowsOf::Force(force), sha256: None });
        }
        fail_point!("release::after-commits", |_| Err(Error::lake("failpoint: after the commits")));
        let status = |force: &String| (force.clone(), self.status(force, tables, read));
        let previous = match self.previous {
            Some(previous) => Some(release::hash(&self.hub.lake, previous.release).await?),
            None => None,
        };
        Ok(Manifest {
            release: self.previous.map_or(1, |p| p.release + 1),
            published_at: Utc::now().timestamp_micros().max(self.previous.map_or(0, |p| p.published_at + 1)),
            run: self.run.to_string(),
            epoch: self.epoch,
            code: self.definitions.code(),
            previous,
            tables: versions,
            forces: self.hub.project.forces.keys().map(status).collect(),
            hub: self.hub_datasets(hub_made),
        })
    }

    async fn commit(&self, name: &str, content: &Content) -> Result<u64> {
        let commit = Commit {
            change: Change::Exactly(content.files.clone()),
            transaction: None,
            metadata: vec![("muster.run".to_string(), serde_json::Value::from(self.run))],
        };
        self.hub.lake.table(name).commit(&content.schema, content.by_force, commit).await
    }

    /// The basis that each table of each force will be released with.
    pub(super) fn released_bases(&self) -> BTreeMap<String, Bases> {
        let of_force = |(force, outcome): (&String, &Force)| {
            let before = self.previous.and_then(|p| p.forces.get(force));
            let mut bases = before.map(|b| basis::released(&b.datasets)).unwrap_or_default();
            if let (Force::Built(made), Some(now)) = (outcome, self.bases.get(force)) {
                bases.extend(made.keys().filter_map(|t| Some((t.clone(), now.get(t)?.clone()))));
            }
            (force.clone(), bases)
        };
        self.forces.iter().map(of_force).collect()
    }

    /// How good the force's data is in the release being assembled.
    fn status(&self, force: &str, tables: &BTreeMap<String, Content>, read: &Read<'_>) -> ForceStatus {
        let before = self.previous.and_then(|p| p.forces.get(force));
        let unread = self.unread(force, read, before);
        let datasets = self.datasets(force, tables, &unread, before);
        let has_rows = datasets.values().any(|d| d.rows > 0);
        let reasons = || unread.values().map(String::as_str).collect::<Vec<_>>().join("; ");
        let (status, why, blocked) = match self.forces.get(force) {
            Some(Force::Failed { why, blocked }) => {
                let status = if has_rows { Status::Failed } else { Status::Missing };
                (status, Some(why.clone()), blocked.clone())
            }
            _ if !unread.is_empty() && has_rows => (Status::Stale, Some(reasons()), None),
            _ if !has_rows => (Status::Missing, (!unread.is_empty()).then(reasons), None),
            _ => (Status::Fresh, None, None),
        };
        let since = since(status, before.map(|b| (b.status, b.since)));
        ForceStatus { status, why, since, blocked, unread, datasets }
    }

    /// The force's sources that could not be read when they were last pulled. A run that does not
    /// pull a source knows no more of it than the run before.
    fn unread(&self, force: &str, read: &Read<'_>, before: Option<&ForceStatus>) -> BTreeMap<String, String> {
        let known_before = |source: &str| before.and_then(|b| b.unread.get(source));
        let sources = self.hub.project.sources.values().filter(|source| source.force == force);
        let failed = sources.filter_map(|source| {
            let why = match read.pulled.contains(source.name.as_str()) {
                true => read.failures.get(&source.name),
                false => known_before(&source.name),
            };
            Some((source.name.clone(), why?.clone()))
        });
        failed.collect()
    }

    fn datasets(
        &self,
        force: &str,
        tables: &BTreeMap<String, Content>,
        unread: &BTreeMap<String, String>,
        before: Option<&ForceStatus>,
    ) -> BTreeMap<String, Dataset> {
        let mut datasets = BTreeMap::new();
        let none = BTreeMap::new();
        let now = self.bases.get(force).unwrap_or(&none);
        for model in self.hub.project.models.iter().filter(|m| m.scope == Scope::Force) {
            let table = model.table();
            let before = before.and_then(|b| b.datasets.get(&table));
            let (made, why_not) = match self.forces.get(force) {
                Some(Force::Built(made)) => (made.get(&table), None),
                Some(Force::Failed { why, .. }) => (None, Some(why)),
                Some(Force::Same) | None => (None, None),
            };
            let basis = match (made, before) {
                (Some(_), _) => now.get(&table).cloned().unwrap_or_default(),
                (None, Some(before)) => before.basis.clone(),
                (None, None) if !tables.contains_key(&table) => continue,
                (None, None) => release::Basis::default(),
            };
            let held_back = why_not.filter(|_| now.get(&table) != Some(&basis));
            let behind = self.definitions.loads_behind(force, model);
            let sources = self.definitions.sources_behind(force, model);
            let stale: Vec<&str> = unread
                .iter()
                .filter(|(s, _)| sources.contains(s.as_str()))
                .map(|(_, why)| why.as_str())
                .collect();
            let rows = made.map_or(before.map_or(0, |b| b.rows), Content::rows);
            let (status, why) = match held_back {
                Some(why) => (Status::Failed, Some(why.clone())),
                None if !stale.is_empty() => (Status::Stale, Some(stale.join("; "))),
                None if behind.is_empty() && rows == 0 => (Status::Missing, None),
                None => (Status::Fresh, None),
            };
            // A table that is held back shows the loads it was made from, not those that wait.
            let counted = |of_now: u64, of_before: fn(&Dataset) -> u64| match held_back {
                Some(_) => before.map_or(0, of_before),
                None => of_now,
            };
            let dataset = Dataset {
                status,
                why,
                since: since(status, before.map(|b| (b.status, b.since))),
                rows,
                received_rows: counted(behind.iter().map(|l| l.load.received_rows).sum(), |b| {
                    b.received_rows
                }),
                quarantined_rows: behind.iter().map(|l| l.load.in_quarantine_rows).sum(),
                as_of: match held_back {
                    Some(_) => before.and_then(|b| b.as_of),
                    None => behind.iter().map(|l| l.load.loaded_at).max(),
                },
                basis,
            };
            datasets.insert(table, dataset);
        }
        datasets
    }

    fn hub_datasets(&self, made: &HubMade) -> BTreeMap<String, Dataset> {
        let mut datasets = BTreeMap::new();
        for model in self.hub.project.models.iter().filter(|m| m.scope == Scope::Hub) {
            let table = model.table();
            let before = self.previous.and_then(|p| p.hub.get(&table));
            let content = made.tables.as_ref().ok().and_then(|tables| tables.get(&table));
            let now = made.bases.get(&table);
            let dataset = match (content, before) {
                (Some(content), _) => Dataset {
                    status: Status::Fresh,
                    why: None,
                    since: None,
                    rows: content.rows(),
                    received_rows: 0,
                    quarantined_rows: 0,
                    as_of: Some(Utc::now().timestamp_micros()),
                    basis: now.cloned().unwrap_or_default(),
                },
                (None, Some(before)) => {
                    let failed = made.tables.as_ref().err().filter(|_| now != Some(&before.basis));
                    let status = if failed.is_some() { Status::Failed } else { Status::Fresh };
                    let since = since(status, Some((before.status, before.since)));
                    Dataset { status, why: failed.cloned(), since, ..before.clone() }
                }
                (None, None) => continue,
            };
            datasets.insert(table, dataset);
        }
        datasets
    }
}

/// What has been in this state since an earlier release has been so since then.
fn since(status: Status, before: Option<(Status, Option<i64>)>) -> Option<i64> {
    match (status, before) {
        (Status::Fresh, _) => None,
        (_, Some((before, since))) if before == status => since,
        _ => Some(Utc::now().timestamp_micros()),
    }
}

/// An error when the model now makes a column of another type while files of the old one are kept:
/// what one force keeps must not break the others' reading.
fn same_types(model: &Model, new: &Content, old: &Content) -> Result<()> {
    let changed = new.schema.fields().iter().find(|field| {
        old.schema.field_with_name(field.name()).is_ok_and(|kept| kept.data_type() != field.data_type())
    });
    match changed {
        None => Ok(()),
        Some(field) => Err(Error::model(format!(
            "column \"{}\" changes its type while a force keeps its last good rows",
            field.name()
        ))
        .at(&model.file)
        .hint(
            "give the column another name, or mend the force that is held back first; the old release stands",
        )),
    }
}
