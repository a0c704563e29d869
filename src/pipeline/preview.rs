//! What a build would do, before anything is released: the rows of a model that would differ, and
//! the SQL that would run.

use super::assemble::Made;
use super::basis::Definitions;
use super::forces::{Building, Force, released};
use super::inputs::{self, Inputs, Pinned};
use super::plan::{self, Choice, Work};
use super::reference;
use crate::error::Result;
use crate::hub::Hub;
use crate::model::build::Built;
use crate::model::compare::Difference;
use crate::model::content::Content;
use crate::model::{Model, Scope};
use crate::project::Project;
use crate::release;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Builds the model called `name` and what it is made from, as the next run would, for `force` or
/// for all; gives `show` the difference to what is released, force by force (`None`: the whole hub),
/// with the checks that would block it; and forgets what was built. Forces without a difference are
/// left out.
pub async fn diff(
    hub: &Hub,
    name: &str,
    force: Option<&str>,
    mut show: impl AsyncFnMut(Option<&str>, &Difference, Option<String>) -> Result<()>,
) -> Result<()> {
    let model = model(&hub.project, name)?;
    let choice = Choice { select: vec![model.table()], force: force.map(str::to_string), full: false };
    let selected = plan::selected(hub, &choice)?;
    let previous = release::newest(&hub.lake).await?;
    let previous = previous.as_ref();
    let inputs = Inputs::survey(hub, &Pinned::new()).await?;
    let definitions = Definitions::new(hub, &inputs);
    let reference = reference::land(hub, &inputs, previous).await?;
    let (bases, work) = plan::work(hub, &definitions, &choice, selected.as_ref(), previous);
    let building = Building::new(hub, "", &inputs, &reference, previous, None, &|_| {});
    let before = released(hub, model, previous).await?;
    let mut built = BTreeMap::new();
    let shown = async {
        for (force, work) in work {
            let wanted = match work {
                Work::LeftOut | Work::None => continue,
                Work::Build(wanted) => wanted,
                // What a check has blocked is worth seeing again.
                Work::Blocked(_) => {
                    bases.get(&force).into_iter().flat_map(|bases| bases.keys().cloned()).collect()
                }
            };
            let made = building.built(&force, wanted).await?;
            built.insert(force, made);
        }
        match model.scope {
            Scope::Force => {
                for (force, built) in &built {
                    let Some(new) = built.tables.get(&model.table()) else { continue };
                    let old = before.as_ref().map_or_else(|| emptied(new), |b| b.of_force(force));
                    let difference = Difference::of(&hub.engine, &old, new, &model.grain)?;
                    show(Some(force), &difference, built.blocked_by()).await?;
                }
            }
            Scope::Hub => {
                let of_force = |force: &String| match built.get(force) {
                    Some(built) => Force::Built(built.tables.clone()),
                    None => Force::Same,
                };
                let forces = hub.project.forces.keys().map(|f| (f.clone(), of_force(f))).collect();
                let (definitions, inputs, forces, bases) = (&definitions, &inputs, &forces, &bases);
                let made = Made { hub, run: "", epoch: 0, inputs, definitions, previous, forces, bases };
                let wanted = hub_wanted(hub, selected.as_ref());
                let of_hub = building.built_hub(wanted, &made.tables().await?).await?;
                let shown = async {
                    let Some(new) = of_hub.tables.get(&model.table()) else { return Ok(()) };
                    let old = before.unwrap_or_else(|| emptied(new));
                    let difference = Difference::of(&hub.engine, &old, new, &model.grain)?;
                    show(None, &difference, of_hub.blocked_by()).await
                };
                let shown = shown.await;
                building.library().await?.forget(&of_hub).await;
                return shown;
            }
        }
        Ok(())
    };
    let shown: Result<()> = shown.await;
    forget(&building, &built).await?;
    shown
}

async fn forget(building: &Building<'_>, built: &BTreeMap<String, Built>) -> Result<()> {
    for built in built.values() {
        building.library().await?.forget(built).await;
    }
    Ok(())
}

fn hub_wanted(hub: &Hub, selected: Option<&BTreeSet<String>>) -> BTreeSet<String> {
    let of_hub = hub.project.models.iter().filter(|m| m.scope == Scope::Hub).map(Model::table);
    of_hub.filter(|table| selected.is_none_or(|selected| selected.contains(table))).collect()
}

fn emptied(content: &Content) -> Content {
    Content { files: Vec::new(), ..content.clone() }
}

/// The model that somebody calls `name`, with its layer or without.
pub fn model<'a>(project: &'a Project, name: &str) -> Result<&'a Model> {
    plan::model_named(project, name)
}

/// The SQL that makes the model called `name` for `force`, as a script: what each staging table is
/// the union of, which version of raw each mapping reads, and the statement itself.
pub async fn sql(hub: &Hub, name: &str, force: &str) -> Result<String> {
    let model = model(&hub.project, name)?;
    plan::selected(hub, &Choice { force: Some(force.to_string()), ..Choice::default() })?;
    let inputs = Inputs::survey(hub, &Pinned::new()).await?;
    let mut script = String::new();
    for table in model.reads.iter().filter(|table| table.starts_with("staging.")) {
        let branches = branches(hub, &inputs, table, force);
        let body = match branches.is_empty() {
            true => format!("-- no source of {force} has this entity: the table is empty"),
            false => branches.join("\nunion all by name\n"),
        };
        writeln!(script, "create view {table} as\n{body};\n").ok();
    }
    writeln!(script, "-- {}: {}\n{};", model.table(), model.file, model.sql).ok();
    Ok(script)
}

/// The mappings to a staging table, one for each source of `force`.
fn branches(hub: &Hub, inputs: &Inputs, table: &str, force: &str) -> Vec<String> {
    let mut branches = Vec::new();
    for (source, _) in inputs::sources(hub).filter(|(source, _)| source.force == force) {
        let maps = |m: &&Model| m.table() == table && m.system.as_deref() == Some(source.system.as_str());
        for mapping in hub.project.staging.iter().filter(maps) {
            let mut text = format!("-- {}: {}\n", source.name, mapping.file);
            for entity in mapping.reads.iter().filter_map(|read| read.strip_prefix("raw.")) {
                let raw = inputs::place(source, entity).table();
                match inputs.landed(&source.name, entity) {
                    Some(landed) => writeln!(text, "-- raw.{entity}: {raw}, version {}", landed.version).ok(),
                    None => writeln!(text, "-- raw.{entity}: never landed, so empty").ok(),
                };
            }
            let (source, sql) = (&source.name, &mapping.sql);
            write!(text, "select *, '{source}' as source, '{force}' as force from (\n{sql}\n)").ok();
            branches.push(text);
        }
    }
    branches
}
