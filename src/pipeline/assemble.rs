//! What goes into a build, and what comes out of it as a release.

use super::fingerprint::{code_hash, fingerprint, raw_inputs};
use super::pull::Failures;
use super::run::Force;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::delta::{Change, Commit, Version};
use crate::lake::raw::{self, Load, Place};
use crate::model::build::{Content, Library};
use crate::model::staging::Bound;
use crate::model::{Model, Scope};
use crate::project::Source;
use crate::release::{self, Dataset, ForceStatus, Manifest, RowsOf, Status, TableVersion};
use chrono::Utc;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything a build reads, pinned.
pub(super) struct Inputs {
    bound: Vec<Bound>,
    /// The newest load of every landed entity.
    loads: BTreeMap<(String, String), Load>,
    reference: BTreeMap<String, (Arc<Version>, String)>,
    fingerprints: BTreeMap<String, String>,
    /// What hub-scope models are made from, apart from the forces' tables.
    hub_code: String,
}

impl Inputs {
    /// Pins the newest version of every raw table and lands the code lists.
    pub(super) async fn collect(hub: &Hub, previous: Option<&Manifest>) -> Result<Self> {
        let mut bound = Vec::new();
        let mut loads = BTreeMap::new();
        for source in hub.project.sources.values() {
            let Some(system) = hub.project.systems.get(&source.system) else { continue };
            let mut raw = BTreeMap::new();
            for entity in system.entities.keys() {
                let place = place(source, entity);
                let Some(newest) = hub.lake.table(&place.table()).newest().await? else { continue };
                raw.insert(entity.clone(), hub.lake.version(&place.table(), newest).await?);
                if let Some(load) = raw::loads(&hub.lake, &place, None).await?.into_iter().next() {
                    loads.insert((source.name.clone(), entity.clone()), load);
                }
            }
            bound.push(Bound {
                system: system.name.clone(),
                source: source.name.clone(),
                force: source.force.clone(),
                contracts: Arc::new(system.entities.clone()),
                raw,
            });
        }
        let reference = super::reference::land(hub, previous).await?;
        let lists: Vec<&str> = reference.values().map(|(_, sha256)| sha256.as_str()).collect();
        let code = code_hash(hub, Scope::Force);
        let of_force = |force: &String| {
            let raw = bound.iter().filter(|b| b.force == *force).flat_map(|b| raw_inputs(b, &loads));
            (force.clone(), fingerprint([code.as_str()].into_iter().chain(lists.iter().copied()), raw))
        };
        let fingerprints: BTreeMap<String, String> = hub.project.forces.keys().map(of_force).collect();
        let hub_code = code_hash(hub, Scope::Hub);
        let hub_code = fingerprint([hub_code.as_str()].into_iter().chain(lists), std::iter::empty());
        Ok(Self { bound, loads, reference, fingerprints, hub_code })
    }

    /// What the models are run with.
    pub(super) fn library<'a>(&self, hub: &'a Hub) -> Library<'a> {
        let systems = hub.project.systems.values().map(|system| Bound {
            system: system.name.clone(),
            source: String::new(),
            force: String::new(),
            contracts: Arc::new(system.entities.clone()),
            raw: BTreeMap::new(),
        });
        Library {
            engine: &hub.engine,
            lake: &hub.lake,
            staging: &hub.project.staging,
            models: &hub.project.models,
            systems: systems.collect(),
            reference: self.reference.iter().map(|(name, (v, _))| (name.clone(), Arc::clone(v))).collect(),
        }
    }

    /// The sources of `force`.
    pub(super) fn sources_of(&self, force: &str) -> Vec<Bound> {
        self.bound.iter().filter(|bound| bound.force == force).cloned().collect()
    }

    /// What hub-scope models are made from: their code and the tables that every force releases.
    pub(super) fn hub_fingerprint(
        &self,
        forces: &BTreeMap<String, Force>,
        previous: Option<&Manifest>,
    ) -> String {
        let tables = forces.iter().map(|(name, force)| {
            let released =
                self.released_fingerprint(name, Some(force), previous.and_then(|p| p.forces.get(name)));
            format!("{name}={released};")
        });
        fingerprint(std::iter::once(self.hub_code.as_str()), tables)
    }

    /// What the force's tables of the coming release are made from: those of a force that fails
    /// stay as they are.
    fn released_fingerprint(
        &self,
        force: &str,
        outcome: Option<&Force>,
        before: Option<&ForceStatus>,
    ) -> String {
        let found = match outcome {
            Some(Force::Failed(_)) => before.map(|b| &b.fingerprint),
            Some(Force::Built(_) | Force::Same) | None => self.fingerprints.get(force),
        };
        found.cloned().unwrap_or_default()
    }

    /// Whether the released tables of `force` were made from exactly these inputs.
    pub(super) fn unchanged(&self, force: &str, previous: Option<&Manifest>) -> bool {
        let released = previous.and_then(|p| p.forces.get(force));
        released.is_some_and(|status| self.fingerprints.get(force) == Some(&status.fingerprint))
    }
}

/// The content that every force-scope table will have in the release: new for the forces that
/// were built, as released for the others.
pub(super) async fn tables(
    hub: &Hub,
    forces: &BTreeMap<String, Force>,
    previous: Option<&Manifest>,
) -> Result<BTreeMap<String, Content>> {
    let mut tables = BTreeMap::new();
    for model in hub.project.models.iter().filter(|m| m.scope == Scope::Force) {
        let released = released(hub, model, previous).await?;
        let mut content: Option<Content> = None;
        let built = forces.values().filter_map(|force| match force {
            Force::Built(made) => made.get(&model.table()),
            Force::Same | Force::Failed(_) => None,
        });
        for made in built {
            match &mut content {
                None => content = Some(made.clone()),
                Some(content) => content.files.extend(made.files.iter().cloned()),
            }
        }
        // A force that has left the project leaves the release.
        let keeps = |force: &str| matches!(forces.get(force), Some(Force::Same | Force::Failed(_)));
        let kept = released.iter().flat_map(|r| r.files.iter());
        let kept: Vec<_> = kept.filter(|f| f.force.as_deref().is_some_and(keeps)).cloned().collect();
        if let (Some(content), Some(released), false) = (&content, &released, kept.is_empty()) {
            same_types(model, content, released)?;
        }
        let mut content = match (content, released) {
            (Some(content), _) => content,
            (None, Some(released)) => Content { files: Vec::new(), ..released },
            (None, None) => continue,
        };
        content.files.extend(kept);
        tables.insert(model.table(), content);
    }
    Ok(tables)
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

/// The content of a model's table in the previous release.
async fn released(hub: &Hub, model: &Model, previous: Option<&Manifest>) -> Result<Option<Content>> {
    let name = lake_name(model);
    let Some(pinned) = previous.and_then(|p| p.tables.get(&name)) else { return Ok(None) };
    Ok(Some(Content::of(&*hub.lake.version(&name, pinned.version).await?)))
}

/// What a run has made.
pub(super) struct Made<'a> {
    /// What became of each force.
    pub(super) forces: &'a BTreeMap<String, Force>,
    /// The content of every table that was made or kept.
    pub(super) tables: &'a BTreeMap<String, Content>,
    /// What the hub-scope tables were made from; empty when they could not be made, so that the
    /// next run tries again.
    pub(super) hub_fingerprint: String,
    /// The sources that this run has pulled.
    pub(super) pulled: &'a BTreeSet<&'a str>,
    /// Why some of them could not be read.
    pub(super) failures: &'a Failures,
}

/// Commits every table as it will be released and says so in a manifest, which nobody sees yet.
pub(super) async fn manifest(
    hub: &Hub,
    run: &str,
    inputs: &Inputs,
    made: &Made<'_>,
    previous: Option<&Manifest>,
) -> Result<Manifest> {
    let mut versions = BTreeMap::new();
    for model in &hub.project.models {
        let name = lake_name(model);
        let kept = previous.and_then(|p| p.tables.get(&name));
        let version = match (made.tables.get(&model.table()), kept) {
            (Some(content), _) => commit(hub, run, &name, content).await?,
            (None, Some(kept)) => kept.version,
            (None, None) => continue,
        };
        let rows_of = match model.scope {
            Scope::Force => RowsOf::EachForce,
            Scope::Hub => RowsOf::Hub,
        };
        versions.insert(name, TableVersion { version, rows_of, sha256: None });
    }
    for (name, (version, sha256)) in &inputs.reference {
        let pinned =
            TableVersion { version: version.number, rows_of: RowsOf::Nobody, sha256: Some(sha256.clone()) };
        versions.insert(format!("reference/{name}"), pinned);
    }
    for bound in &inputs.bound {
        for (entity, version) in &bound.raw {
            let name = format!("raw/{}/{}/{entity}", bound.force, bound.source);
            let rows_of = RowsOf::Force(bound.force.clone());
            versions.insert(name, TableVersion { version: version.number, rows_of, sha256: None });
        }
    }
    let status = |force: &String| {
        let before = previous.and_then(|p| p.forces.get(force));
        (force.clone(), status(hub, inputs, force, made, before))
    };
    let release = previous.map_or(1, |p| p.release + 1);
    Ok(Manifest {
        release,
        published_at: Utc::now().timestamp_micros().max(previous.map_or(0, |p| p.published_at + 1)),
        run: run.to_string(),
        previous: match previous {
            Some(previous) => Some(release::hash(&hub.lake, previous.release).await?),
            None => None,
        },
        tables: versions,
        forces: hub.project.forces.keys().map(status).collect(),
        hub_fingerprint: made.hub_fingerprint.clone(),
    })
}

async fn commit(hub: &Hub, run: &str, name: &str, content: &Content) -> Result<u64> {
    let commit = Commit {
        change: Change::Exactly(content.files.clone()),
        transaction: None,
        metadata: vec![("muster.run".to_string(), serde_json::Value::from(run))],
    };
    hub.lake.table(name).commit(&content.schema, content.by_force, commit).await
}

/// How good the force's data is in the release being assembled.
fn status(
    hub: &Hub,
    inputs: &Inputs,
    force: &str,
    made: &Made<'_>,
    before: Option<&ForceStatus>,
) -> ForceStatus {
    let outcome = made.forces.get(force);
    let unread = unread(hub, force, made, before);
    let reasons = || unread.values().map(String::as_str).collect::<Vec<_>>().join("; ");
    let datasets = datasets(hub, inputs, force, made.tables);
    let has_rows = datasets.values().any(|d| d.rows > 0);
    let (status, why) = match outcome {
        Some(Force::Failed(why)) if has_rows => (Status::Failed, Some(why.clone())),
        Some(Force::Failed(why)) => (Status::Missing, Some(why.clone())),
        _ if !unread.is_empty() && has_rows => (Status::Stale, Some(reasons())),
        _ if !has_rows => (Status::Missing, (!unread.is_empty()).then(reasons)),
        _ => (Status::Fresh, None),
    };
    // A force that has been in this state since an earlier release has been so since then.
    let since = match (status, before) {
        (Status::Fresh, _) => None,
        (_, Some(before)) if before.status == status => before.since,
        _ => Some(Utc::now().timestamp_micros()),
    };
    let fingerprint = inputs.released_fingerprint(force, outcome, before);
    ForceStatus { status, why, since, fingerprint, unread, datasets }
}

/// The force's sources that could not be read when they were last pulled. A run that does not pull
/// a source knows no more of it than the run before.
fn unread(hub: &Hub, force: &str, made: &Made<'_>, before: Option<&ForceStatus>) -> BTreeMap<String, String> {
    let known_before = |source: &str| before.and_then(|b| b.unread.get(source));
    let sources = hub.project.sources.values().filter(|source| source.force == force);
    let failed = sources.filter_map(|source| {
        let why = match made.pulled.contains(source.name.as_str()) {
            true => made.failures.get(&source.name),
            false => known_before(&source.name),
        };
        Some((source.name.clone(), why?.clone()))
    });
    failed.collect()
}

fn datasets(
    hub: &Hub,
    inputs: &Inputs,
    force: &str,
    tables: &BTreeMap<String, Content>,
) -> BTreeMap<String, Dataset> {
    let mut datasets = BTreeMap::new();
    for model in hub.project.models.iter().filter(|m| m.scope == Scope::Force) {
        let Some(content) = tables.get(&model.table()) else { continue };
        let files = content.files.iter().filter(|f| f.force.as_deref() == Some(force));
        let behind = loads_behind(hub, inputs, force, model);
        let dataset = Dataset {
            rows: files.map(|f| f.rows).sum(),
            quarantined_rows: behind.values().map(|load| load.in_quarantine_rows).sum(),
            as_of: behind.values().map(|load| load.loaded_at).max(),
        };
        datasets.insert(model.table(), dataset);
    }
    datasets
}

/// The newest loads of the force's entities that `model` is made from, through other models too.
fn loads_behind<'a>(
    hub: &Hub,
    inputs: &'a Inputs,
    force: &str,
    model: &Model,
) -> BTreeMap<(&'a str, &'a str), &'a Load> {
    let mut behind = BTreeMap::new();
    for read in &model.reads {
        if let Some(other) = hub.project.models.iter().find(|m| m.table() == *read) {
            behind.extend(loads_behind(hub, inputs, force, other));
        }
        for mapping in hub.project.staging.iter().filter(|m| m.table() == *read) {
            let bounds = inputs
                .bound
                .iter()
                .filter(|b| b.force == force && Some(&b.system) == mapping.system.as_ref());
            for bound in bounds {
                for entity in mapping.reads.iter().filter_map(|r| r.strip_prefix("raw.")) {
                    let key = (bound.source.clone(), entity.to_string());
                    if let Some(((source, entity), load)) = inputs.loads.get_key_value(&key) {
                        behind.insert((source.as_str(), entity.as_str()), load);
                    }
                }
            }
        }
    }
    behind
}

fn place(source: &Source, entity: &str) -> Place {
    Place { force: source.force.clone(), source: source.name.clone(), entity: entity.to_string() }
}

/// The path in the lake of a model's table.
fn lake_name(model: &Model) -> String {
    format!("{}/{}", model.layer.as_str(), model.name)
}
