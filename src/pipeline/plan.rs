//! Which tables of which force must be built.

use super::basis::{Bases, Definitions, digest_of};
use crate::error::{Error, Result, known};
use crate::hub::Hub;
use crate::model::{Model, Scope};
use crate::project::Project;
use crate::release::{Dataset, ForceStatus, Manifest};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of a build beyond what has changed.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only these models and what they are made from; with a `+` at its end, a model and all that
    /// is made from it. Empty: every model.
    pub select: Vec<String>,
    /// Only this force; the others stay as released.
    pub force: Option<String>,
    /// Build what is chosen even if nothing it is made from has changed.
    pub full: bool,
}

/// What is to be done for a force.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing: another force was chosen.
    LeftOut,
    /// Nothing: its tables are made from what they were made from.
    None,
    /// Nothing: a check would block the same rows for the same reason.
    Blocked(String),
    /// These models are to be run.
    Build(BTreeSet<String>),
}

/// The models that `choice` names, checked and with what belongs to them; `None` means all.
pub(super) fn selected(hub: &Hub, choice: &Choice) -> Result<Option<BTreeSet<String>>> {
    if let Some(force) = choice.force.as_ref().filter(|force| !hub.project.forces.contains_key(*force)) {
        let hint = known("forces", force, hub.project.forces.keys().map(String::as_str));
        return Err(Error::config(format!("there is no force \"{force}\"")).hint(hint));
    }
    if choice.select.is_empty() {
        return Ok(None);
    }
    let mut selected = BTreeSet::new();
    for name in &choice.select {
        let (table, downstream) = match name.strip_suffix('+') {
            Some(table) => (table, true),
            None => (name.as_str(), false),
        };
        let table = model_named(&hub.project, table)?.table();
        add_upstream(hub, &table, &mut selected);
        // Models stand in dependency order, so one pass finds everything downstream.
        let mut below = BTreeSet::from([table]);
        for model in hub.project.models.iter().filter(|_| downstream) {
            if model.reads.iter().any(|read| below.contains(read)) {
                below.insert(model.table());
            }
        }
        below.iter().for_each(|table| add_upstream(hub, table, &mut selected));
    }
    Ok(Some(selected))
}

/// The model that somebody calls `name`, with its layer or without.
pub(super) fn model_named<'a>(project: &'a Project, name: &str) -> Result<&'a Model> {
    let named = |model: &&Model| model.table() == name || model.name == name;
    project.models.iter().find(named).ok_or_else(|| {
        let tables: Vec<String> = project.models.iter().map(Model::table).collect();
        let hint = known("models", name, tables.iter().map(String::as_str));
        Error::config(format!("there is no model \"{name}\"")).hint(hint)
    })
}

fn add_upstream(hub: &Hub, table: &str, selected: &mut BTreeSet<String>) {
    let Some(model) = hub.project.models.iter().find(|model| model.table() == table) else { return };
    if selected.insert(model.table()) {
        model.looks_into().iter().for_each(|table| add_upstream(hub, table, selected));
    }
}

/// What each force's tables would be made from now, and what is to be done for each force.
pub(super) fn work(
    hub: &Hub,
    definitions: &Definitions<'_>,
    choice: &Choice,
    selected: Option<&BTreeSet<String>>,
    previous: Option<&Manifest>,
) -> (BTreeMap<String, Bases>, BTreeMap<String, Work>) {
    let forces = hub.project.forces.keys();
    let bases: BTreeMap<String, Bases> = forces.map(|f| (f.clone(), definitions.of_force(f))).collect();
    let of_force = |(force, bases): (&String, &Bases)| {
        let left_out = choice.force.as_ref().is_some_and(|chosen| chosen != force);
        let before = previous.and_then(|p| p.forces.get(force));
        let work = match left_out {
            true => Work::LeftOut,
            false => of_one(bases, choice.full, selected, before),
        };
        (force.clone(), work)
    };
    let work = bases.iter().map(of_force).collect();
    (bases, work)
}

fn of_one(
    bases: &Bases,
    full: bool,
    selected: Option<&BTreeSet<String>>,
    before: Option<&ForceStatus>,
) -> Work {
    let none = BTreeMap::new();
    let wanted = changed(bases, full, selected, before.map_or(&none, |b| &b.datasets));
    let blocked = before.filter(|b| !full && b.blocked.as_deref() == Some(digest_of(bases).as_str()));
    match (wanted.is_empty(), blocked) {
        (true, _) => Work::None,
        (false, Some(blocked)) => Work::Blocked(blocked.why.clone().unwrap_or_default()),
        (false, None) => Work::Build(wanted),
    }
}

/// The tables whose basis is not the released one.
fn changed(
    bases: &Bases,
    full: bool,
    selected: Option<&BTreeSet<String>>,
    released: &BTreeMap<String, Dataset>,
) -> BTreeSet<String> {
    let chosen = bases.iter().filter(|(table, _)| selected.is_none_or(|names| names.contains(*table)));
    let news = chosen
        .filter(|(table, basis)| full || released.get(*table).is_none_or(|dataset| dataset.basis != **basis));
    news.map(|(table, _)| table.clone()).collect()
}

/// The hub-scope models to run: those whose basis is not the released one.
pub(super) fn hub_models(
    hub: &Hub,
    bases: &Bases,
    full: bool,
    selected: Option<&BTreeSet<String>>,
    released: Option<&BTreeMap<String, Dataset>>,
) -> BTreeSet<String> {
    let none = BTreeMap::new();
    let wanted = changed(bases, full, selected, released.unwrap_or(&none));
    let of_hub =
        |table: &String| hub.project.models.iter().any(|m| m.scope == Scope::Hub && m.table() == *table);
    wanted.into_iter().filter(of_hub).collect()
}
