//! What a build can read: a survey of the lake that opens nothing, and what is opened of it for the
//! forces that are built.

use crate::error::Result;
use crate::hub::Hub;
use crate::lake::raw::{self, Load, Place};
use crate::model::build::Library;
use crate::model::staging::Bound;
use crate::project::{Source, System};
use crate::release::{TableVersion, hex};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The newest state of every raw table and code list, by number: nothing is opened for it.
#[derive(Debug)]
pub(super) struct Inputs {
    /// Source and entity → the newest version of its raw table and the newest load in it.
    raw: BTreeMap<(String, String), Landed>,
    /// Code list → the SHA-256 of its text.
    pub(super) lists: BTreeMap<String, String>,
}

/// The state of an entity in raw.
#[derive(Debug, Clone)]
pub(super) struct Landed {
    /// The version of the raw table.
    pub(super) version: u64,
    /// The newest load in it.
    pub(super) load: Load,
}

/// The versions of raw tables that a build must read, by the tables' paths in the lake.
pub(super) type Pinned = BTreeMap<String, u64>;

impl Inputs {
    /// Looks at every raw table of the project. `pinned` are versions to build from instead of the
    /// newest.
    pub(super) async fn survey(hub: &Hub, pinned: &Pinned) -> Result<Self> {
        let mut raw = BTreeMap::new();
        for (source, system) in sources(hub) {
            for entity in system.entities.keys() {
                let place = place(source, entity);
                let landed = match pinned.get(&place.table()) {
                    Some(version) => {
                        let load = raw::loads(&hub.lake, &place, Some(*version)).await?.into_iter().next();
                        load.map(|load| (*version, load))
                    }
                    None => raw::head(&hub.lake, &place)?,
                };
                let Some((version, load)) = landed else { continue };
                raw.insert((source.name.clone(), entity.clone()), Landed { version, load });
            }
        }
        let sha256 = |text: &str| hex(&Sha256::digest(text.as_bytes()));
        let lists = hub.project.reference.values().map(|list| (list.name.clone(), sha256(&list.csv)));
        Ok(Self { raw, lists: lists.collect() })
    }

    /// The state of an entity of a source; `None` when it was never landed.
    pub(super) fn landed(&self, source: &str, entity: &str) -> Option<&Landed> {
        self.raw.get(&(source.to_string(), entity.to_string()))
    }

    /// The raw tables as a release pins them: path in the lake → version.
    pub(super) fn pins(&self, hub: &Hub) -> Pinned {
        self.pins_of(hub, |_| true)
    }

    /// The same of the sources that `wanted` accepts.
    pub(super) fn pins_of(&self, hub: &Hub, wanted: impl Fn(&str) -> bool) -> Pinned {
        let pin = |(source, entity): (&Source, &String)| {
            let landed = self.landed(&source.name, entity)?;
            Some((place(source, entity).table(), landed.version))
        };
        let sources = sources(hub).filter(|(source, _)| wanted(&source.name));
        let entities = sources.flat_map(|(s, system)| system.entities.keys().map(move |e| (s, e)));
        entities.filter_map(pin).collect()
    }

    /// The sources of `force` with their raw tables opened.
    pub(super) async fn open(&self, hub: &Hub, force: &str) -> Result<Vec<Bound>> {
        let mut bound = Vec::new();
        for (source, system) in sources(hub).filter(|(source, _)| source.force == force) {
            let mut raw = BTreeMap::new();
            for entity in system.entities.keys() {
                let Some(landed) = self.landed(&source.name, entity) else { continue };
                let table = place(source, entity).table();
                raw.insert(entity.clone(), hub.lake.version(&table, landed.version).await?);
            }
            bound.push(Bound {
                system: system.name.clone(),
                source: source.name.clone(),
                force: source.force.clone(),
                contracts: Arc::new(system.entities.clone()),
                raw,
            });
        }
        Ok(bound)
    }
}

/// What models are run with.
pub(super) async fn library(hub: &Hub, reference: &BTreeMap<String, TableVersion>) -> Result<Library> {
    let unbound = |system: &System| Bound {
        system: system.name.clone(),
        source: String::new(),
        force: String::new(),
        contracts: Arc::new(system.entities.clone()),
        raw: BTreeMap::new(),
    };
    let mut lists = BTreeMap::new();
    for (name, table) in reference {
        lists.insert(name.clone(), hub.lake.version(&format!("reference/{name}"), table.version).await?);
    }
    Ok(Library {
        engine: hub.engine.clone(),
        lake: hub.lake.clone(),
        staging: hub.project.staging.clone(),
        models: hub.project.models.clone(),
        systems: hub.project.systems.values().map(unbound).collect(),
        reference: lists,
    })
}

/// Every source with its system.
pub(super) fn sources(hub: &Hub) -> impl Iterator<Item = (&Source, &System)> {
    let systems = &hub.project.systems;
    hub.project.sources.values().filter_map(|source| Some((source, systems.get(&source.system)?)))
}

/// Where raw keeps an entity of a source.
pub(super) fn place(source: &Source, entity: &str) -> Place {
    Place { force: source.force.clone(), source: source.name.clone(), entity: entity.to_string() }
}
