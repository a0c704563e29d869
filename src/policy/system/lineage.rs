//! `hub.lineage`: where the columns of a release come from, as its own code says.

use super::rows::{Cell, batch};
use super::{Column, Kind, View};
use crate::error::Result;
use crate::policy::roles::Forces;
use crate::release::code;
use datafusion::arrow::record_batch::RecordBatch;

pub(super) const LINEAGE: &[(&str, Column)] = &[
    ("table_name", Column::Text),
    ("system", Column::Text),
    ("column_name", Column::Text),
    ("from_table", Column::Text),
    ("from_column", Column::Text),
    ("how", Column::Text),
];

/// The lineage between tables that the principal may read; that of mappings and of what is made
/// from them, which tells what systems there are, for those who read every force.
pub(super) async fn lineage(view: &View, forces: &Forces) -> Result<RecordBatch> {
    if view.manifest.code.is_empty() {
        return batch(Kind::Lineage, &[]);
    }
    let code = code::read(&view.lake, &view.manifest.code).await?;
    let visible = |table: &str| match table.split('.').next() {
        Some("raw" | "staging") => *forces == Forces::All,
        _ => view.principal.forces_for(table).is_some(),
    };
    let mut rows = Vec::new();
    for statement in code.statements.iter().filter(|statement| visible(&statement.table)) {
        for origin in statement.lineage.iter().filter(|origin| visible(&origin.from_table)) {
            rows.push(vec![
                Cell::from(statement.table.as_str()),
                Cell::Text(statement.system.clone()),
                Cell::Text(origin.column.clone()),
                Cell::from(origin.from_table.as_str()),
                Cell::from(origin.from_column.as_str()),
                Cell::from(origin.how.as_str()),
            ]);
        }
    }
    batch(Kind::Lineage, &rows)
}
