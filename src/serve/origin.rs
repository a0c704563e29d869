//! Which column of which table a column of an answer is, when it is one unchanged.

use crate::project::Project;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, TableScan};
use datafusion::prelude::SessionContext;

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The schema of the table: `conformed`.
    pub schema: String,
    /// The table.
    pub table: String,
    /// What its model says about the column.
    pub remarks: Option<String>,
}

impl Origin {
    fn new(project: &Project, schema: &str, table: &str, column: &str) -> Self {
        let model = project.models.iter().find(|model| model.layer.as_str() == schema && model.name == table);
        let doc = model.and_then(|model| model.columns.iter().find(|doc| doc.name == column));
        Self { schema: schema.into(), table: table.into(), remarks: doc.map(|doc| doc.text.clone()) }
    }
}

/// The origins of all columns of a table.
pub(super) fn table(project: &Project, schema: &str, table: &str, columns: &Schema) -> Vec<Option<Origin>> {
    let fields = columns.fields().iter();
    fields.map(|field| Some(Origin::new(project, schema, table, field.name()))).collect()
}

/// The origin of each column of `plan`, which must not be optimised: what the optimiser knows of
/// values would change what is announced.
pub(super) fn of(plan: &LogicalPlan, context: &SessionContext, project: &Project) -> Vec<Option<Origin>> {
    let default_schema = context.copied_config().options().catalog.default_schema.clone();
    let width = plan.schema().fields().len();
    (0..width)
        .map(|at| {
            let (scan, at) = scanned(plan, at)?;
            let name = &scan.table_name;
            // A function that gives rows has a name of its own making.
            let is_table = name.schema().is_some() || context.table_exist(name.clone()).unwrap_or(false);
            let column = scan.projected_schema.fields().get(at).filter(|_| is_table)?;
            let schema = name.schema().unwrap_or(&default_schema);
            Some(Origin::new(project, schema, name.table(), column.name()))
        })
        .collect()
}

/// Follows a column down to the scan that reads it.
fn scanned(mut plan: &LogicalPlan, mut at: usize) -> Option<(&TableScan, usize)> {
    loop {
        plan = match plan {
            LogicalPlan::TableScan(scan) => return Some((scan, at)),
            LogicalPlan::Projection(node) => {
                at = index(node.expr.get(at)?, &node.input)?;
                &node.input
            }
            LogicalPlan::Aggregate(node) => {
                at = index(node.group_expr.get(at)?, &node.input)?;
                &node.input
            }
            LogicalPlan::SubqueryAlias(node) => &node.input,
            LogicalPlan::Filter(node) => &node.input,
            LogicalPlan::Sort(node) => &node.input,
            LogicalPlan::Limit(node) => &node.input,
            LogicalPlan::Distinct(Distinct::All(input)) => input,
            LogicalPlan::Window(node) if at < node.input.schema().fields().len() => &node.input,
            LogicalPlan::Join(node) => {
                let left = node.left.schema().fields().len();
                match node.join_type {
                    JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if at >= left => {
                        at -= left;
                        &node.right
                    }
                    JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => &node.right,
                    _ => &node.left,
                }
            }
            _ => return None,
        };
        // The mark of a mark join has no column below it.
        if at >= plan.schema().fields().len() {
            return None;
        }
    }
}

/// Where the column that `expr` only names stands in `input`.
fn index(expr: &Expr, input: &LogicalPlan) -> Option<usize> {
    let column: &Column = match expr {
        Expr::Column(column) => column,
        Expr::Alias(alias) => return index(&alias.expr, input),
        _ => return None,
    };
    input.schema().maybe_index_of_column(column)
}
