//! Which run checked what last.

use super::State;
use crate::error::{Error, Result};

/// A model of a force (`None`: of hub scope) and a run that checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The force's code.
    pub force: Option<String>,
    /// `layer.name`.
    pub model: String,
    /// The run; the names of runs sort by their beginning.
    pub run: String,
}

impl State {
    /// The newest run that checked each force and model.
    pub async fn last_checked(&self) -> Result<Vec<Checked>> {
        let sql = "select force, model, max(run) from checks group by force, model";
        let rows: Vec<(Option<String>, String, String)> = sqlx::query_as(sql)
            .fetch_all(self.pool())
            .await
            .map_err(|e| Error::internal("the state database cannot be read").because(e))?;
        Ok(rows.into_iter().map(|(force, model, run)| Checked { force, model, run }).collect())
    }
}
