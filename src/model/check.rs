//! 4 CHECK. Gates new rows before anyone can read them: each check counts the rows that fail it.

use super::{Check, Model, Rule, Severity};
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, Int64Array};
use datafusion::prelude::SessionContext;

/// What a check found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// `layer.name` of the model.
    pub model: String,
    /// The check, in the words of the header.
    pub rule: String,
    /// What a failure does.
    pub severity: Severity,
    /// Rows that fail.
    pub failing: u64,
    /// Rows looked at.
    pub checked: u64,
}

impl Finding {
    /// Whether it stops the release of the force.
    pub fn blocks(&self) -> bool {
        self.failing > 0 && self.severity == Severity::Block
    }
}

/// Runs every check of `model` on its table in `context`, where the new rows are registered.
pub async fn run(context: &SessionContext, model: &Model) -> Result<Vec<Finding>> {
    let checked = count(context, model, &format!("select count(*) from {}", model.table())).await?;
    let mut findings = Vec::with_capacity(model.checks.len());
    for check in &model.checks {
        let failing = count(context, model, &failing_rows(&model.table(), check)).await?;
        let (model, rule) = (model.table(), check.text.clone());
        findings.push(Finding { model, rule, severity: check.severity, failing, checked });
    }
    Ok(findings)
}

/// The statement that counts the rows of `table` failing `check`.
fn failing_rows(table: &str, check: &Check) -> String {
    match &check.rule {
        Rule::Unique(columns) => format!(
            "select coalesce(sum(n), 0) from (select count(*) as n from {table} group by {} having count(*) > 1)",
            columns.join(", ")
        ),
        Rule::NotNull(columns) => {
            let nulls: Vec<String> = columns.iter().map(|c| format!("{c} is null")).collect();
            format!("select count(*) from {table} where {}", nulls.join(" or "))
        }
        Rule::Accept { expression, .. } => format!("select count(*) from {table} where not ({expression})"),
        Rule::Relate { column, table: other, other: key } => format!(
            "select count(*) from {table} as t left anti join {other} as o on t.{column} = o.{key} \
             where t.{column} is not null"
        ),
    }
}

async fn count(context: &SessionContext, model: &Model, sql: &str) -> Result<u64> {
    let failed = |e| Error::model("a check cannot be run").at(&model.file).because(e);
    let batches = context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)?;
    let value = batches.first().and_then(|b| b.column(0).as_any().downcast_ref::<Int64Array>());
    let value = value.filter(|v| !v.is_empty()).map(|v| v.value(0));
    value.and_then(|v| u64::try_from(v).ok()).ok_or_else(|| Error::internal("a check counted nothing"))
}
