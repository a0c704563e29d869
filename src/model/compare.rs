//! Two states of a table, row by row: what appeared, vanished and changed.

use super::content::Content;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lake::delta::FORCE;
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlanBuilder, Operator, binary_expr};
use datafusion::prelude::{DataFrame, Expr, SessionContext, col, ident, lit};

/// The rows of a table that two states do not share. Each frame has a column `change` (`+` appeared,
/// `-` vanished, `~` changed) and then the columns that both states have.
#[derive(Debug)]
pub struct Difference {
    /// Rows that only the new state has.
    pub added: DataFrame,
    /// Rows that only the old state has.
    pub removed: DataFrame,
    /// Rows that both have, by the grain, with other values: as they are now.
    pub changed: DataFrame,
}

/// How many rows two states do not share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that only the new state has.
    pub added: u64,
    /// Rows that only the old state has.
    pub removed: u64,
    /// Rows with other values.
    pub changed: u64,
}

impl Difference {
    /// Compares `old` with `new`, which are told apart by `grain`. Columns that only one of them has
    /// are left out.
    pub fn of(engine: &Engine, old: &Content, new: &Content, grain: &[String]) -> Result<Self> {
        let context = engine.context();
        let compared = || -> std::result::Result<Self, DataFusionError> {
            let shared = shared_columns(old, new);
            let keys: Vec<String> = shared.iter().filter(|c| is_key(c, grain, new)).cloned().collect();
            let (now, before) = (side(&context, new, &shared, "")?, side(&context, old, &shared, OLD)?);
            let added = join(&now, &before, &keys, ("", OLD), JoinType::LeftAnti)?;
            let removed = join(
                &side(&context, old, &shared, "")?,
                &side(&context, new, &shared, OLD)?,
                &keys,
                ("", OLD),
                JoinType::LeftAnti,
            )?;
            let both = join(&now, &before, &keys, ("", OLD), JoinType::Inner)?;
            let others = shared.iter().filter(|column| !keys.contains(column));
            let differ = others.map(|column| {
                binary_expr(ident(column), Operator::IsDistinctFrom, ident(format!("{OLD}{column}")))
            });
            let changed = both.filter(differ.reduce(Expr::or).unwrap_or_else(|| lit(false)))?;
            Ok(Self {
                added: marked(added, "+", &shared)?,
                removed: marked(removed, "-", &shared)?,
                changed: marked(changed, "~", &shared)?,
            })
        };
        compared().map_err(failed)
    }

    /// Counts the rows.
    pub async fn counts(&self) -> Result<Counts> {
        let count = async |frame: &DataFrame| frame.clone().count().await.map(|n| n as u64).map_err(failed);
        Ok(Counts {
            added: count(&self.added).await?,
            removed: count(&self.removed).await?,
            changed: count(&self.changed).await?,
        })
    }
}

/// What the old state's columns begin with, so that they can stand beside the new state's.
const OLD: &str = "before ";

fn shared_columns(old: &Content, new: &Content) -> Vec<String> {
    let force = (old.by_force && new.by_force).then(|| FORCE.to_string());
    let names = new.schema.fields().iter().map(|field| field.name());
    let shared = names.filter(|name| old.schema.field_with_name(name).is_ok()).cloned();
    force.into_iter().chain(shared).collect()
}

fn is_key(column: &str, grain: &[String], content: &Content) -> bool {
    grain.iter().any(|name| name == column) || (content.by_force && column == FORCE)
}

fn side(
    context: &SessionContext,
    content: &Content,
    columns: &[String],
    prefix: &str,
) -> std::result::Result<DataFrame, DataFusionError> {
    let renamed = columns.iter().map(|column| ident(column).alias(format!("{prefix}{column}")));
    context.read_table(content.table())?.select(renamed.collect::<Vec<_>>())
}

/// A join on `keys`, in which null equals null.
fn join(
    left: &DataFrame,
    right: &DataFrame,
    keys: &[String],
    (left_prefix, right_prefix): (&str, &str),
    kind: JoinType,
) -> std::result::Result<DataFrame, DataFusionError> {
    let named = |prefix: &str| -> Vec<Column> {
        keys.iter().map(|key| Column::new_unqualified(format!("{prefix}{key}"))).collect()
    };
    let (state, left) = left.clone().into_parts();
    let plan = LogicalPlanBuilder::from(left)
        .join_detailed(
            right.clone().into_unoptimized_plan(),
            kind,
            (named(left_prefix), named(right_prefix)),
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()?;
    Ok(DataFrame::new(state, plan))
}

fn marked(
    frame: DataFrame,
    mark: &str,
    columns: &[String],
) -> std::result::Result<DataFrame, DataFusionError> {
    let columns = columns.iter().map(|column| col(Column::new_unqualified(column)));
    frame.select(std::iter::once(lit(mark).alias("change")).chain(columns).collect::<Vec<_>>())
}

fn failed(cause: DataFusionError) -> Error {
    Error::model("two states of a table cannot be compared").because(cause)
}
