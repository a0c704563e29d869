//! Sessions in which a principal sees what the roles grant, and nothing else exists.

use super::system::{self, SystemTable, View};
use crate::engine::CATALOG;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::snapshot::SnapshotTable;
use crate::policy::roles::{Forces, Principal};
use crate::policy::views::{Layers, Views};
use crate::release::{self, Manifest, RowsOf, TableVersion};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// The layers that clients may read, if a role grants it; raw and staging are never served.
const SERVED: [&str; 3] = ["conformed", "marts", "reference"];

/// The schema of the system tables.
const HUB: &str = "hub";

/// The schemas that a client can name.
pub const SCHEMAS: [&str; 5] = ["conformed", "marts", "reference", HUB, "information_schema"];

/// The schema called `name`, whatever its case.
pub fn schema(name: &str) -> Option<&'static str> {
    SCHEMAS.into_iter().find(|schema| schema.eq_ignore_ascii_case(name))
}

/// Functions of the engine that tell which file of the lake a row comes from, and where in it.
const FILE_FUNCTIONS: [&str; 2] = ["input_file_name", "file_row_index"];

/// A session over one release.
pub struct Pinned {
    /// The release that every table of the session comes from.
    pub release: u64,
    /// The catalog `muster` with schemas `conformed`, `marts`, `reference` and `hub`.
    pub context: SessionContext,
}

/// A session over the newest release (or `release`) for `principal`: tables that are not granted
/// are not registered; files of other forces never enter a scan. A fresh one for every statement,
/// so nothing a statement does outlives it. An error when nothing has been released yet.
pub async fn session(hub: &Hub, principal: &Principal, release: Option<u64>) -> Result<Pinned> {
    let views = Views::default();
    let seen = views.seen(hub, principal, release).await?;
    seen.session(hub, principal)
}

/// The served tables of a release.
pub(super) fn served(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    let paths = manifest.tables.keys().filter_map(|path| path.split_once('/'));
    paths.filter(|(layer, _)| SERVED.contains(layer))
}

/// A session with the tables of `layers` and the system tables.
pub(super) fn context(
    hub: &Hub,
    principal: &Principal,
    manifest: &Arc<Manifest>,
    layers: &Layers,
) -> Result<SessionContext> {
    let granted = Granted::of(hub, principal, Arc::clone(manifest));
    let system = MemorySchemaProvider::new();
    for kind in system::Kind::ALL {
        if let Some(table) = granted.system(kind) {
            add(&system, kind.name(), table)?;
        }
    }
    let context = hub.engine.context();
    for function in FILE_FUNCTIONS {
        context.deregister_udf(function);
    }
    let catalog = context.catalog(CATALOG).ok_or_else(|| Error::internal("a session without its catalog"))?;
    let system = (!system.table_names().is_empty()).then(|| (HUB, Arc::new(system)));
    let layers = layers.iter().map(|(name, schema)| (name.as_str(), Arc::clone(schema)));
    for (name, schema) in layers.chain(system) {
        let registered = catalog.register_schema(name, schema);
        registered.map_err(|e| Error::internal("a schema could not be registered").because(e))?;
    }
    Ok(context)
}

/// One release as one principal may read it, table by table.
pub struct Granted<'a> {
    hub: &'a Hub,
    principal: &'a Principal,
    view: Arc<View>,
}

impl<'a> Granted<'a> {
    /// The release `number`; an error when there is none.
    pub async fn open(hub: &'a Hub, principal: &'a Principal, number: u64) -> Result<Self> {
        Ok(Self::of(hub, principal, Arc::new(release::manifest(&hub.lake, number).await?)))
    }

    pub(super) fn of(hub: &'a Hub, principal: &'a Principal, manifest: Arc<Manifest>) -> Self {
        Self { hub, principal, view: Arc::new(View::new(hub, manifest, principal.clone())) }
    }

    /// The release.
    pub fn manifest(&self) -> &Manifest {
        self.view.manifest()
    }

    /// The table `schema.name` of the release, as far as the principal may read it; `None` when
    /// it is not granted or was not there: nobody learns which.
    pub async fn table(&self, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if schema != HUB {
            return match SERVED.contains(&schema) {
                true => self.released(schema, name).await,
                false => Ok(None),
            };
        }
        let Some(kind) = system::Kind::ALL.into_iter().find(|kind| kind.name() == name) else {
            return Ok(None);
        };
        match self.system(kind) {
            Some(_) if !kind.belongs_to_release() => {
                Err(Error::query(format!("hub.{name} is the same in every release"))
                    .hint("leave the point in time away and filter by its times"))
            }
            table => Ok(table),
        }
    }

    fn system(&self, kind: system::Kind) -> Option<Arc<dyn TableProvider>> {
        let forces = self.principal.forces_for(&format!("{HUB}.{}", kind.name()))?;
        Some(Arc::new(SystemTable::new(kind, Arc::clone(&self.view), forces)))
    }

    pub(super) async fn released(&self, layer: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let path = format!("{layer}/{name}");
        match self.manifest().tables.get(&path) {
            Some(pinned) => {
                let name = format!("{layer}.{name}");
                granted(self.hub, self.principal, self.manifest(), &path, &name, pinned).await
            }
            None => Ok(None),
        }
    }
}

/// The table as far as `principal` may read it; `None` when it does not exist for them.
async fn granted(
    hub: &Hub,
    principal: &Principal,
    manifest: &Manifest,
    path: &str,
    name: &str,
    pinned: &TableVersion,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(forces) = principal.forces_for(name) else { return Ok(None) };
    let visible = match &pinned.rows_of {
        RowsOf::EachForce => match &forces {
            Forces::All => true,
            Forces::Only(forces) => forces.iter().any(|force| manifest.has(name, force)),
        },
        RowsOf::Nobody => true,
        RowsOf::Hub => principal.may_read_hub_table(name),
        RowsOf::Force(_) => false,
    };
    if !visible {
        return Ok(None);
    }
    let version = hub.lake.version(path, pinned.version).await?;
    if (pinned.rows_of == RowsOf::EachForce) != version.by_force {
        return Err(Error::lake("the table is not partitioned as its release says").at(name));
    }
    let planted = fail::eval("plant::foreign-files", |_| ()).is_some();
    Ok(Some(Arc::new(SnapshotTable::of(&version, |force| planted || forces.contains(force)))))
}

pub(super) fn add(schema: &MemorySchemaProvider, name: &str, table: Arc<dyn TableProvider>) -> Result<()> {
    let registered = schema.register_table(name.to_string(), table);
    registered.map(drop).map_err(|e| Error::internal("a table could not be registered").because(e))
}
