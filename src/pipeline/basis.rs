//! What every table is made from, as hashes: what has the basis it is released with need not be
//! built again.

use super::inputs::{Inputs, Landed};
use crate::hub::Hub;
use crate::model::{Model, Scope};
use crate::release::{Basis, Dataset, hex};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The bases of many tables: `layer.name` → basis.
pub(super) type Bases = BTreeMap<String, Basis>;

/// The hashes of all definitions, taken once for all forces.
pub(super) struct Definitions<'a> {
    hub: &'a Hub,
    inputs: &'a Inputs,
    /// Model → hash of its statement, grain and checks.
    models: BTreeMap<String, (&'a Model, String)>,
    /// Mapping and its hash, in the order of the project.
    mappings: Vec<(&'a Model, String)>,
    /// System and entity → hash of the contract.
    contracts: BTreeMap<(&'a str, &'a str), String>,
}

/// Everything that one table of a force is made from.
#[derive(Debug, Default, Clone)]
struct Closure<'a> {
    models: BTreeSet<String>,
    /// Positions in [`Definitions::mappings`].
    mappings: BTreeSet<usize>,
    lists: BTreeSet<String>,
    /// System, source and entity.
    entities: BTreeSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> Definitions<'a> {
    /// Hashes what `hub` defines.
    pub(super) fn new(hub: &'a Hub, inputs: &'a Inputs) -> Self {
        let models = hub.project.models.iter().map(|m| (m.table(), (m, digest([text(m)])))).collect();
        let mappings = hub.project.staging.iter().map(|m| (m, digest([text(m)]))).collect();
        let entities = hub.project.systems.values().flat_map(|system| {
            system.entities.iter().map(|(entity, contract)| {
                ((system.name.as_str(), entity.as_str()), digest([format!("{contract:?}")]))
            })
        });
        Self { hub, inputs, models, mappings, contracts: entities.collect() }
    }

    /// What each table of `force` is made from.
    pub(super) fn of_force(&self, force: &str) -> Bases {
        let wanted = self.models.values().filter(|(model, _)| model.scope == Scope::Force);
        wanted.map(|(model, _)| (model.table(), self.basis(force, &self.closure(force, model)))).collect()
    }

    /// What each hub-scope table is made from: `released` are the datasets of the coming release,
    /// force by force.
    pub(super) fn of_hub(&self, released: &BTreeMap<String, Bases>) -> Bases {
        let mut bases = Bases::new();
        // In dependency order, so that what a model reads is there already.
        for model in self.hub.project.models.iter().filter(|m| m.scope == Scope::Hub) {
            let tables = model.looks_into();
            let own = tables.iter().filter_map(|table| bases.get(table));
            let of_forces = released.values().flat_map(|force| tables.iter().map(|table| force.get(table)));
            let read: Vec<&Basis> = own.chain(of_forces.flatten()).collect();
            let part = |part: fn(&Basis) -> &String| read.iter().map(move |basis| part(basis).clone());
            let sql = self.models.get(&model.table()).map(|(_, hash)| hash.clone());
            // Which force a table belongs to counts: one that leaves takes its rows along.
            let forces = released.keys().cloned();
            let basis = Basis {
                program: program(),
                sql: digest(sql.into_iter().chain(part(|b| &b.sql))),
                contracts: digest(part(|b| &b.contracts)),
                reference: digest(self.lists(&lists_of(&tables)).chain(part(|b| &b.reference))),
                data: digest(forces.chain(part(|b| &b.data))),
            };
            bases.insert(model.table(), basis);
        }
        bases
    }

    /// One hash over all statements, for what a release remembers of its code.
    pub(super) fn code(&self) -> String {
        let models = self.models.values().map(|(_, hash)| hash.clone());
        digest(models.chain(self.mappings.iter().map(|(_, hash)| hash.clone())))
    }

    /// The newest loads of the force's entities that `model` is made from, through other models too.
    pub(super) fn loads_behind(&self, force: &str, model: &Model) -> Vec<&'a Landed> {
        let entities = self.closure(force, model).entities.into_iter();
        entities.filter_map(|(_, source, entity)| self.inputs.landed(source, entity)).collect()
    }

    /// The force's sources that `model` is made from.
    pub(super) fn sources_behind(&self, force: &str, model: &Model) -> BTreeSet<&'a str> {
        self.closure(force, model).entities.into_iter().map(|(_, source, _)| source).collect()
    }

    fn closure(&self, force: &str, model: &Model) -> Closure<'a> {
        let mut closure = Closure::default();
        self.gather(force, model, &mut closure);
        closure
    }

    fn gather(&self, force: &str, model: &Model, closure: &mut Closure<'a>) {
        if !closure.models.insert(model.table()) {
            return;
        }
        let tables = model.looks_into();
        closure.lists.extend(lists_of(&tables));
        for table in &tables {
            match self.models.get(table) {
                Some((read, _)) => self.gather(force, read, closure),
                None => self.gather_staging(force, table, closure),
            }
        }
    }

    /// The mappings of the force's systems to the staging table; all of them when it has none of
    /// these systems, because one of them gives the empty table its columns.
    fn gather_staging(&self, force: &str, table: &str, closure: &mut Closure<'a>) {
        let mapped = self.mappings.iter().enumerate().filter(|(_, (m, _))| m.table() == table);
        let mapped: Vec<(usize, &'a Model)> = mapped.map(|(at, (mapping, _))| (at, *mapping)).collect();
        let sources = self.hub.project.sources.values().filter(|source| source.force == force);
        let mut is_mapped = false;
        for source in sources {
            for (at, mapping) in mapped.iter().filter(|(_, m)| m.system.as_ref() == Some(&source.system)) {
                is_mapped = true;
                closure.mappings.insert(*at);
                let entities = mapping.reads.iter().filter_map(|read| read.strip_prefix("raw."));
                let name = |entity| (source.system.as_str(), source.name.as_str(), entity);
                closure.entities.extend(entities.map(name));
            }
        }
        if !is_mapped {
            closure.mappings.extend(mapped.iter().map(|(at, _)| *at));
        }
    }

    fn basis(&self, force: &str, closure: &Closure<'a>) -> Basis {
        let models = closure.models.iter().filter_map(|table| Some(self.models.get(table)?.1.clone()));
        let mappings = closure.mappings.iter().map(|at| self.mappings[*at].1.clone());
        let contracts = closure.entities.iter();
        let contracts = contracts.filter_map(|(system, _, entity)| self.contracts.get(&(*system, *entity)));
        let load = |(_, source, entity): &(&str, &str, &str)| {
            // The load and not the version: rewriting small files is no news. When it was landed and
            // under which number tells a table that was deleted and landed again from the old one.
            let load = self.inputs.landed(source, entity).map(|landed| &landed.load);
            let said = load.map(|load| format!("{}:{}:{}", load.load, load.loaded_at, load.id));
            format!("{force}/{source}/{entity}@{};", said.unwrap_or_default())
        };
        Basis {
            program: program(),
            sql: digest(models.chain(mappings)),
            contracts: digest(contracts.cloned()),
            reference: digest(self.lists(&closure.lists)),
            data: digest(closure.entities.iter().map(load)),
        }
    }

    fn lists<'b>(&'b self, names: &'b BTreeSet<String>) -> impl Iterator<Item = String> {
        names.iter().filter_map(|name| self.inputs.lists.get(name).cloned())
    }
}

/// The bases of released datasets.
pub(super) fn released(datasets: &BTreeMap<String, Dataset>) -> Bases {
    datasets.iter().map(|(table, dataset)| (table.clone(), dataset.basis.clone())).collect()
}

/// One hash over many bases.
pub(super) fn digest_of(bases: &Bases) -> String {
    digest(bases.iter().map(|(table, basis)| format!("{table}={basis:?};")))
}

fn lists_of(tables: &BTreeSet<String>) -> BTreeSet<String> {
    tables.iter().filter_map(|table| table.strip_prefix("reference.").map(str::to_string)).collect()
}

/// What decides a model's rows and whether they are released.
fn text(model: &Model) -> String {
    let Model { system, sql, grain, checks, .. } = model;
    format!("{}|{system:?}|{sql:?}|{grain:?}|{checks:?}", model.table())
}

fn program() -> String {
    env!("CARGO_PKG_VERSION").to_string()
}

fn digest(texts: impl IntoIterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        // The length, so that no two lists of texts run together into the same bytes.
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hex(&hash.finalize())
}
