//! Primary and foreign keys, as far as a principal may read the tables they are of.
//!
//! The headers of the models say them: a grain that a check makes unique is a primary key, a
//! column that a check relates to such a key is a foreign key. A code list is identified by its
//! first column, if no two of its rows share it. The definitions of today are taken for every
//! release, and a key whose columns a table does not have is left out.

use crate::hub::Hub;
use crate::lake::delta::FORCE;
use datafusion::catalog::CatalogProvider;
use datafusion::error::DataFusionError;
use std::collections::BTreeMap;

/// The keys that the definitions declare.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// By table.
    primary: BTreeMap<Table, Primary>,
    /// By the table that has the columns, then in the order of its header.
    foreign: Vec<Foreign>,
}

/// `layer` and `name` of a table.
pub type Table = (String, String);

/// The columns that tell the rows of a table apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Primary {
    /// The key's name, unique in the hub.
    pub name: String,
    /// The table.
    pub table: Table,
    /// Its columns.
    pub columns: Vec<String>,
}

/// Columns that name a row of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The key's name, unique in the hub.
    pub name: String,
    /// The table that has the columns.
    pub table: Table,
    /// Its columns, in the order of the columns of `target`.
    pub columns: Vec<String>,
    /// The key that they name.
    pub target: Primary,
    /// Whether columns that name no row stop a release.
    pub is_enforced: bool,
}

impl Keys {
    /// What the definitions of `hub` declare.
    pub fn declared(hub: &Hub) -> Self {
        let models = hub.project.models.iter().filter_map(|model| {
            let table = (model.layer.as_str().to_string(), model.name.clone());
            Some((table, model.key()?))
        });
        let lists = hub.project.reference.values().filter_map(|list| {
            let table = ("reference".to_string(), list.name.clone());
            Some((table, vec![list.key.clone()?]))
        });
        let primary: BTreeMap<Table, Primary> = models
            .chain(lists)
            .map(|(table, columns)| {
                let name = format!("{}_{}_pkey", table.0, table.1);
                (table.clone(), Primary { name, table, columns })
            })
            .collect();
        let foreign = hub.project.models.iter().flat_map(|model| {
            let table = (model.layer.as_str().to_string(), model.name.clone());
            let primary = &primary;
            model.references().filter_map(move |reference| {
                let (layer, name) = reference.table.split_once('.')?;
                let target = primary.get(&(layer.to_string(), name.to_string()))?.clone();
                let columns = target.columns.iter().map(|column| match column.as_str() {
                    other if other == reference.other => Some(reference.column.clone()),
                    FORCE => reference.by_force.then(|| FORCE.to_string()),
                    _ => None,
                });
                let columns = columns.collect::<Option<Vec<_>>>()?;
                let named = columns.contains(&reference.column);
                let name = format!("{}_{}_{}_{layer}_{name}_fkey", table.0, table.1, reference.column);
                let is_enforced = reference.is_enforced;
                named.then(|| Foreign { name, table: table.clone(), columns, target, is_enforced })
            })
        });
        let mut foreign: Vec<Foreign> = foreign.collect();
        foreign.sort_by(|a, b| a.table.cmp(&b.table));
        Self { primary, foreign }
    }

    /// Those whose tables are in `catalog`, the catalog of a principal's session, with all columns.
    pub async fn granted(mut self, catalog: &dyn CatalogProvider) -> Result<Self, DataFusionError> {
        let mut granted = BTreeMap::new();
        for table in self.primary.keys().chain(self.foreign.iter().map(|key| &key.table)) {
            if granted.contains_key(table) {
                continue;
            }
            let found = match catalog.schema(&table.0) {
                Some(schema) => schema.table(&table.1).await?,
                None => None,
            };
            granted.insert(table.clone(), found.map(|found| found.schema()));
        }
        let has = |table: &Table, columns: &[String]| {
            let schema = granted.get(table).and_then(Option::as_ref);
            schema.is_some_and(|schema| columns.iter().all(|column| schema.index_of(column).is_ok()))
        };
        self.primary.retain(|table, key| has(table, &key.columns));
        self.foreign
            .retain(|key| has(&key.table, &key.columns) && has(&key.target.table, &key.target.columns));
        Ok(self)
    }

    /// The primary keys, by table.
    pub fn primary(&self) -> impl Iterator<Item = &Primary> {
        self.primary.values()
    }

    /// The foreign keys, by table.
    pub fn foreign(&self) -> impl Iterator<Item = &Foreign> {
        self.foreign.iter()
    }
}
