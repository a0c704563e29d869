//! What a model's header says of how its rows are told apart, and of the rows that they belong to.

use super::{Model, Rule, Scope, Severity};
use crate::lake::delta::FORCE;

/// Columns whose values are looked up in another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The column of the model.
    pub column: String,
    /// The other table, `layer.name`.
    pub table: String,
    /// Its column.
    pub other: String,
    /// Whether the rows of one force are looked up among those of that force.
    pub by_force: bool,
    /// Whether a value without a row there stops a release.
    pub is_enforced: bool,
}

impl Model {
    /// The grain, if a check makes sure that no two rows share it: with the force first where the
    /// model runs for each force, because the check then looks at one force's rows.
    pub fn key(&self) -> Option<Vec<String>> {
        let by_force = self.scope == Scope::Force;
        let own = |columns: &[String]| -> Vec<String> {
            columns.iter().filter(|column| !(by_force && *column == FORCE)).cloned().collect()
        };
        let grain = own(&self.grain);
        let unique = self.checks.iter().any(|check| match &check.rule {
            Rule::Unique(columns) if check.severity == Severity::Block && check.threshold.is_none() => {
                own(columns).iter().all(|column| grain.contains(column))
            }
            _ => false,
        });
        let force = by_force.then(|| FORCE.to_string());
        unique.then(|| force.into_iter().chain(grain).collect())
    }

    /// The columns whose values are looked up in other tables.
    pub fn references(&self) -> impl Iterator<Item = Reference> {
        self.checks.iter().filter_map(move |check| match &check.rule {
            Rule::Relate { column, table, other } => Some(Reference {
                column: column.clone(),
                table: table.clone(),
                other: other.clone(),
                by_force: self.scope == Scope::Force,
                is_enforced: check.severity == Severity::Block && check.threshold.is_none(),
            }),
            _ => None,
        })
    }
}
