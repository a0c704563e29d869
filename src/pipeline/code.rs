//! The models' SQL as it was at a release, for whoever asks later what a number was made by.

use crate::error::{Error, Result};
use crate::hub::Hub;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The statements of one state of the definitions.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Code {
    /// `layer.name` of a model, or `system/staging.entity` of a mapping → its statement.
    statements: BTreeMap<String, String>,
}

/// Keeps the statements in the lake under `hash`, once.
pub(super) async fn keep(hub: &Hub, hash: &str) -> Result<()> {
    let models = hub.project.models.iter().map(|model| (model.table(), model.sql.to_string()));
    let mappings = hub.project.staging.iter().map(|model| {
        (format!("{}/{}", model.system.as_deref().unwrap_or_default(), model.table()), model.sql.to_string())
    });
    let code = Code { statements: models.chain(mappings).collect() };
    let bytes =
        serde_json::to_vec_pretty(&code).map_err(|e| Error::internal("the models' SQL").because(e))?;
    hub.lake.put_if_absent(&format!("code/{hash}.json"), bytes).await.map(drop)
}
