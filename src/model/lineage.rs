//! Which columns a model's columns come from, read off its logical plan.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::utils::expr_to_columns;
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One column of a model and one that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// The model's column; `None` when the other decides which rows there are.
    pub column: Option<String>,
    /// The table that the model reads, `layer.name`.
    pub from_table: String,
    /// The column of that table.
    pub from_column: String,
    /// How the one becomes the other.
    pub how: How,
}

/// How a column depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Taken over as it is.
    Copied,
    /// Computed from it and perhaps from others.
    Computed,
    /// Rows are kept, joined or grouped by it.
    Condition,
}

impl How {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Copied => "copied",
            How::Computed => "computed",
            How::Condition => "condition",
        }
    }
}

/// A column of a table that the statement reads.
type Origin = (String, String);

/// Where the values of one column come from.
type Origins = BTreeMap<Origin, How>;

/// The lineage of every column of `plan`, which must not be optimised: the optimiser takes columns
/// away that decide nothing for it.
pub fn trace(plan: &LogicalPlan) -> Result<Vec<Trace>> {
    let mut traces = BTreeSet::new();
    for (field, origins) in plan.schema().fields().iter().zip(columns(plan)?) {
        let column = Some(field.name().clone());
        traces.extend(origins.into_iter().map(|((from_table, from_column), how)| Trace {
            column: column.clone(),
            from_table,
            from_column,
            how,
        }));
    }
    for (from_table, from_column) in conditions(plan)? {
        traces.insert(Trace { column: None, from_table, from_column, how: How::Condition });
    }
    Ok(traces.into_iter().collect())
}

/// The origins of each output column of `plan`, in order.
fn columns(plan: &LogicalPlan) -> Result<Vec<Origins>> {
    let inputs = plan.inputs();
    let width = plan.schema().fields().len();
    Ok(match plan {
        LogicalPlan::TableScan(scan) => {
            let table =
                format!("{}.{}", scan.table_name.schema().unwrap_or_default(), scan.table_name.table());
            let of = |name: &String| Origins::from([((table.clone(), name.clone()), How::Copied)]);
            scan.projected_schema.fields().iter().map(|field| of(field.name())).collect()
        }
        LogicalPlan::Projection(node) => of_exprs(&node.expr, &node.input)?,
        LogicalPlan::Aggregate(node) => {
            let exprs: Vec<Expr> = node.group_expr.iter().chain(&node.aggr_expr).cloned().collect();
            let mut outputs = of_exprs(&exprs, &node.input)?;
            // Grouping sets have a column of their own.
            outputs.resize_with(width, Origins::new);
            outputs
        }
        LogicalPlan::Window(node) => {
            let mut outputs = columns(&node.input)?;
            outputs.extend(of_exprs(&node.window_expr, &node.input)?);
            outputs
        }
        LogicalPlan::Union(node) => {
            let mut outputs = vec![Origins::new(); width];
            for input in &node.inputs {
                for (output, origins) in outputs.iter_mut().zip(columns(input)?) {
                    merge(output, origins);
                }
            }
            outputs
        }
        LogicalPlan::Join(node) => {
            let sides = columns(&node.left)?.into_iter().chain(columns(&node.right)?).collect::<Vec<_>>();
            // Semi and anti joins show one side only; a mark join adds its mark.
            match sides.len() {
                both if both == width => sides,
                _ if node.left.schema().fields().len() == width => columns(&node.left)?,
                _ if node.right.schema().fields().len() == width => columns(&node.right)?,
                _ => everything(&inputs, width)?,
            }
        }
        // Nodes that let every column pass.
        _ => match inputs.as_slice() {
            [input] if input.schema().fields().len() == width => columns(input)?,
            _ => everything(&inputs, width)?,
        },
    })
}

/// For a node that is not known: every column may come from everything below.
fn everything(inputs: &[&LogicalPlan], width: usize) -> Result<Vec<Origins>> {
    let mut all = Origins::new();
    for input in inputs {
        columns(input)?.into_iter().for_each(|origins| merge(&mut all, computed(origins)));
    }
    Ok(vec![all; width])
}

fn of_exprs(exprs: &[Expr], input: &LogicalPlan) -> Result<Vec<Origins>> {
    let below = columns(input)?;
    exprs.iter().map(|expr| of_expr(expr, input.schema(), &below)).collect()
}

fn of_expr(expr: &Expr, schema: &DFSchema, below: &[Origins]) -> Result<Origins> {
    match expr {
        Expr::Alias(alias) => of_expr(&alias.expr, schema, below),
        Expr::Column(column) => Ok(origins_of(column, schema, below)),
        _ => {
            let mut found = Origins::new();
            let mut read = HashSet::new();
            expr_to_columns(expr, &mut read)?;
            read.iter().for_each(|column| merge(&mut found, origins_of(column, schema, below)));
            expr.apply(|part| {
                if let Some(subquery) = subquery(part) {
                    columns(subquery)?.into_iter().for_each(|origins| merge(&mut found, origins));
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
            Ok(computed(found))
        }
    }
}

fn subquery(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(&subquery.subquery),
        Expr::InSubquery(found) => Some(&found.subquery.subquery),
        Expr::Exists(found) => Some(&found.subquery.subquery),
        _ => None,
    }
}

fn origins_of(column: &Column, schema: &DFSchema, below: &[Origins]) -> Origins {
    let at = schema.maybe_index_of_column(column);
    at.and_then(|at| below.get(at)).cloned().unwrap_or_default()
}

fn computed(origins: Origins) -> Origins {
    origins.into_keys().map(|origin| (origin, How::Computed)).collect()
}

fn merge(into: &mut Origins, other: Origins) {
    for (origin, how) in other {
        let known = into.entry(origin).or_insert(how);
        *known = (*known).max(how);
    }
}

/// The columns that decide which rows there are: filters, joins and groups, at any depth.
fn conditions(plan: &LogicalPlan) -> Result<BTreeSet<Origin>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        let exprs: Vec<Expr> = match node {
            LogicalPlan::Filter(filter) => vec![filter.predicate.clone()],
            LogicalPlan::Join(join) => {
                join.on.iter().flat_map(|(l, r)| [l.clone(), r.clone()]).chain(join.filter.clone()).collect()
            }
            LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.clone(),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        for input in node.inputs() {
            let below = columns(input)?;
            for expr in &exprs {
                found.extend(of_expr(expr, input.schema(), &below)?.into_keys());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::SessionContext;
    use expect_test::{Expect, expect};

    async fn check(sql: &str, expected: Expect) {
        let context = SessionContext::new();
        for ddl in [
            "create schema conformed",
            "create table conformed.line (id int, account text, amount int, posted text)",
            "create table conformed.account (code text, name text)",
        ] {
            context.sql(ddl).await.unwrap().collect().await.unwrap();
        }
        let plan = context.sql(sql).await.unwrap().into_unoptimized_plan();
        let shown: Vec<String> = trace(&plan)
            .unwrap()
            .iter()
            .map(|t| {
                let column = t.column.as_deref().unwrap_or("(rows)");
                format!("{column} <- {}.{} {}", t.from_table, t.from_column, t.how.as_str())
            })
            .collect();
        expected.assert_eq(&shown.join("\n"));
    }

    #[tokio::test]
    async fn columns_are_followed_through_joins_groups_and_ctes() {
        check(
            "with named as (
                select l.id, a.name as account_name, l.amount from conformed.line l
                join conformed.account a on a.code = l.account where l.posted = 'y')
             select account_name, sum(amount) * 2 as total, count(*) as n from named group by account_name",
            expect![[r#"
                (rows) <- conformed.account.code condition
                (rows) <- conformed.account.name condition
                (rows) <- conformed.line.account condition
                (rows) <- conformed.line.posted condition
                account_name <- conformed.account.name copied
                total <- conformed.line.amount computed"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn unions_windows_and_subqueries_are_followed() {
        check(
            "select id, row_number() over (partition by account order by posted) as nth from conformed.line
             union all select 1, (select max(amount) from conformed.line)",
            expect![[r#"
                id <- conformed.line.id copied
                nth <- conformed.line.account computed
                nth <- conformed.line.amount computed
                nth <- conformed.line.posted computed"#]],
        )
        .await;
    }
}
