//! What checks know besides the rows: the run, and how many rows the last release has.

use crate::error::Result;
use crate::hub::Hub;
use crate::model::Scope;
use crate::model::check::Facts;
use crate::release::Manifest;
use chrono::Utc;
use std::collections::BTreeMap;

/// For the checks of a force.
pub(super) fn of_force(run: &str, previous: Option<&Manifest>, force: &str) -> Facts {
    let datasets = previous.and_then(|p| p.forces.get(force)).map(|status| &status.datasets);
    let rows = |(name, dataset): (&String, &crate::release::Dataset)| (name.clone(), dataset.rows);
    let released = datasets.into_iter().flatten().map(rows).collect();
    Facts { run: run.to_string(), at: Utc::now(), force: Some(force.to_string()), released }
}

/// For the checks of the hub-scope models.
pub(super) async fn of_hub(hub: &Hub, run: &str, previous: Option<&Manifest>) -> Result<Facts> {
    let mut released = BTreeMap::new();
    for model in hub.project.models.iter().filter(|model| model.scope == Scope::Hub) {
        let name = format!("{}/{}", model.layer.as_str(), model.name);
        let Some(pinned) = previous.and_then(|p| p.tables.get(&name)) else { continue };
        let version = hub.lake.version(&name, pinned.version).await?;
        released.insert(model.table(), version.files.iter().map(|file| file.rows).sum());
    }
    Ok(Facts { run: run.to_string(), at: Utc::now(), force: None, released })
}
