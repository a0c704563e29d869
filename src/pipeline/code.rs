//! What a release remembers of the definitions it was made by.

use crate::error::Result;
use crate::hub::Hub;
use crate::model::Model;
use crate::release::code::{self, Code, Origin, Statement};

/// Keeps the project's statements in the lake under `hash`, once.
pub(super) async fn keep(hub: &Hub, hash: &str) -> Result<()> {
    let models = hub.project.staging.iter().chain(&hub.project.models);
    code::keep(&hub.lake, hash, &Code { statements: models.map(statement).collect() }).await
}

fn statement(model: &Model) -> Statement {
    let origins = model.lineage.iter().map(|trace| Origin {
        column: trace.column.clone(),
        from_table: trace.from_table.clone(),
        from_column: trace.from_column.clone(),
        how: trace.how.as_str().to_string(),
    });
    Statement {
        table: model.table(),
        system: model.system.clone(),
        file: model.file.clone(),
        sql: model.sql.to_string(),
        lineage: origins.collect(),
    }
}
