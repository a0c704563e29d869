//! The models' SQL as it was at a release, and where its columns come from, for whoever asks later
//! what a number was made by.

use crate::error::{Error, Result};
use crate::lake::Lake;
use serde::{Deserialize, Serialize};

/// The statements of one state of the definitions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Code {
    /// Mappings first, then models in dependency order.
    pub statements: Vec<Statement>,
}

/// One SQL file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Statement {
    /// `layer.name` of the table it makes.
    pub table: String,
    /// For a mapping, the system that it maps.
    pub system: Option<String>,
    /// Where the file was.
    pub file: String,
    /// The statement.
    pub sql: String,
    /// Where the table's columns come from.
    pub lineage: Vec<Origin>,
}

/// A column of a table and one that it depends on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The column; `None` when the other decides which rows there are.
    pub column: Option<String>,
    /// The table that is read, `layer.name`.
    pub from_table: String,
    /// The column that is read.
    pub from_column: String,
    /// `copied`, `computed` or `condition`.
    pub how: String,
}

/// Keeps `code` in the lake under `hash`, once.
pub async fn keep(lake: &Lake, hash: &str, code: &Code) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(code).map_err(|e| Error::internal("the models' SQL").because(e))?;
    lake.put_if_absent(&path(hash), bytes).await.map(drop)
}

/// The code that a manifest names.
pub async fn read(lake: &Lake, hash: &str) -> Result<Code> {
    let name = path(hash);
    let bytes = lake.get(&name).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::lake("the models' SQL of a release cannot be read").at(name).because(e))
}

fn path(hash: &str) -> String {
    format!("code/{hash}.json")
}
