//! 4 CHECK. Gates new rows before anyone can read them: each check counts the rows that fail it,
//! or says what it expected of the table and what it found.

use super::{Check, Model, RowCount, Rule, Severity, Threshold};
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use std::collections::BTreeMap;
use std::time::Duration;

/// What checks know besides the rows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The run that checks.
    pub run: String,
    /// When it began.
    pub at: DateTime<Utc>,
    /// Whose rows are checked; `None`: those of the hub-scope models.
    pub force: Option<String>,
    /// How many of them the last release has, by `layer.name`; a table that was not in it is missing.
    pub released: BTreeMap<String, u64>,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// `layer.name` of the model.
    pub model: String,
    /// The check, in the words of the header.
    pub rule: String,
    /// What a failure does.
    pub severity: Severity,
    /// Rows that fail; 1 when the table as a whole does.
    pub failing: u64,
    /// Rows looked at; 1 when the table is looked at as a whole.
    pub checked: u64,
    /// How many may fail.
    pub threshold: Option<Threshold>,
    /// What a table that fails as a whole should have been and what it is, in words.
    pub verdict: Option<Verdict>,
}

/// What was expected of a table, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What would have passed: `8 to 12 rows`.
    pub expected: String,
    /// What is there: `3 rows`.
    pub found: String,
}

impl Finding {
    fn new(model: &Model, check: &Check, failing: u64, checked: u64) -> Self {
        Self {
            model: model.table(),
            rule: check.text.clone(),
            severity: check.severity,
            failing,
            checked,
            threshold: check.threshold,
            verdict: None,
        }
    }

    /// Whether more fails than may.
    pub fn fails(&self) -> bool {
        match self.threshold {
            None => self.failing > 0,
            Some(Threshold::Rows(most)) => self.failing > most,
            Some(Threshold::Share(most)) => !most.covers(self.failing, self.checked),
        }
    }

    /// Whether it stops the release of the force.
    pub fn blocks(&self) -> bool {
        self.fails() && self.severity == Severity::Block
    }

    /// What failed, in a sentence.
    pub fn words(&self) -> String {
        let Self { model, rule, failing, checked, .. } = self;
        match &self.verdict {
            Some(Verdict { expected, found }) => {
                format!("{model}: expected {expected}, found {found} (\"{rule}\")")
            }
            None => format!("{model}: {failing} of {checked} rows fail \"{rule}\""),
        }
    }
}

/// Runs every check of `model` on its table in `context`, where the new rows are registered.
pub async fn run(context: &SessionContext, model: &Model, facts: &Facts) -> Result<Vec<Finding>> {
    if model.checks.is_empty() {
        return Ok(Vec::new());
    }
    let survey = Survey::of(context, model).await?;
    let mut findings = Vec::with_capacity(model.checks.len());
    for (at, check) in model.checks.iter().enumerate() {
        let finding = match &check.rule {
            Rule::NotNull(_) | Rule::Accept { .. } => {
                Finding::new(model, check, survey.count(at)?, survey.rows()?)
            }
            Rule::Unique(_) | Rule::Relate { .. } => {
                let Some(sql) = counting(&model.table(), &check.rule) else { continue };
                let failing = number(first(context, model, &check.text, &sql).await?.column(0))?;
                Finding::new(model, check, failing, survey.rows()?)
            }
            Rule::RowCount(expected) => {
                whole(model, check, row_count(*expected, survey.rows()?, facts, model))
            }
            Rule::Fresh { age, .. } => whole(model, check, fresh(*age, survey.newest(at)?, &survey, facts)?),
            Rule::Reconcile { .. } => whole(model, check, reconcile(context, model, check).await?),
        };
        findings.push(finding);
    }
    Ok(findings)
}

fn whole(model: &Model, check: &Check, verdict: Option<Verdict>) -> Finding {
    Finding { verdict: verdict.clone(), ..Finding::new(model, check, u64::from(verdict.is_some()), 1) }
}

/// The query that counts the rows of `table` that fail `rule`.
fn counting(table: &str, rule: &Rule) -> Option<String> {
    match rule {
        // Without the join that finds the rows themselves.
        Rule::Unique(columns) => Some(format!(
            "select coalesce(sum(n), 0) from (select count(*) as n from {table} group by {} having count(*) > 1)",
            columns.join(", ")
        )),
        rule => failing_rows(table, rule).map(|failing| format!("select count(*) from ({failing})")),
    }
}

/// The query for the rows of `table` that fail `rule`; `None` when it judges the table as a whole.
pub(super) fn failing_rows(table: &str, rule: &Rule) -> Option<String> {
    Some(match rule {
        Rule::Unique(columns) => {
            let same: Vec<String> =
                columns.iter().map(|c| format!("(t.{c} is not distinct from d.{c})")).collect();
            let columns = columns.join(", ");
            format!(
                "select t.* from {table} as t join (select {columns} from {table} group by {columns} \
                 having count(*) > 1) as d on {}",
                same.join(" and ")
            )
        }
        Rule::NotNull(_) | Rule::Accept { .. } => {
            format!("select t.* from {table} as t where {}", failing_row(rule)?)
        }
        Rule::Relate { column, table: other, other: key } => format!(
            "select t.* from {table} as t left anti join {other} as o on t.{column} = o.{key} \
             where t.{column} is not null"
        ),
        Rule::RowCount(_) | Rule::Fresh { .. } | Rule::Reconcile { .. } => return None,
    })
}

/// The condition of a row that fails, for rules that need nothing but the row.
fn failing_row(rule: &Rule) -> Option<String> {
    match rule {
        Rule::NotNull(columns) => {
            let nulls: Vec<String> = columns.iter().map(|c| format!("{c} is null")).collect();
            Some(nulls.join(" or "))
        }
        // On a line of its own, so that a comment in the expression ends with it.
        Rule::Accept { expression, .. } => Some(format!("not ({expression}\n)")),
        _ => None,
    }
}

/// The query whose only row says whether a reconciliation holds, and its two sides.
pub(crate) fn reconciliation(table: &str, left: &str, right: &str, within: Option<&str>) -> String {
    let agree = match within {
        None => "(l is not distinct from r)".to_string(),
        Some(within) => format!("coalesce(abs(l - r) <= {within}, l is null and r is null)"),
    };
    format!(
        "select {agree} as agree, cast(l as varchar) as found, cast(r as varchar) as expected \
             from (select {left} as l, {right} as r from {table})"
    )
}

/// What one reading of the table tells all those checks that need no other table: a query for
/// each would cost more than reading the rows.
struct Survey(RecordBatch);

impl Survey {
    async fn of(context: &SessionContext, model: &Model) -> Result<Self> {
        let mut columns = vec!["count(*) as n".to_string()];
        for (at, check) in model.checks.iter().enumerate() {
            match (&check.rule, failing_row(&check.rule)) {
                (_, Some(fails)) => columns.push(format!("count(*) filter (where {fails}) as c{at}")),
                (Rule::Fresh { column, .. }, None) => columns.push(format!("max({column}) as c{at}")),
                _ => {}
            }
        }
        let sql = format!("select {} from {}", columns.join(", "), model.table());
        first(context, model, "all checks of its rows", &sql).await.map(Self)
    }

    fn rows(&self) -> Result<u64> {
        number(self.0.column(0))
    }

    fn column(&self, check: usize) -> Result<&ArrayRef> {
        let found = self.0.column_by_name(&format!("c{check}"));
        found.ok_or_else(|| Error::internal("a check was not counted"))
    }

    fn count(&self, check: usize) -> Result<u64> {
        number(self.column(check)?)
    }

    /// The newest value of a date or timestamp column; midnight for a date.
    fn newest(&self, check: usize) -> Result<Option<Newest>> {
        let unfit = |e| Error::model("the newest value cannot be read").because(e);
        Ok(match ScalarValue::try_from_array(self.column(check)?, 0).map_err(unfit)? {
            ScalarValue::Date32(Some(days)) => {
                NaiveDate::default().checked_add_signed(TimeDelta::days(days.into())).map(Newest::Day)
            }
            ScalarValue::TimestampMicrosecond(Some(micros), _) => {
                DateTime::from_timestamp_micros(micros).map(|at| Newest::Instant(at.naive_utc()))
            }
            other if other.is_null() => None,
            other => return Err(Error::internal(format!("{} is not a time", other.data_type()))),
        })
    }
}

/// The newest value of a column.
#[derive(Clone, Copy)]
enum Newest {
    Day(NaiveDate),
    Instant(NaiveDateTime),
}

fn row_count(expected: RowCount, rows: u64, facts: &Facts, model: &Model) -> Option<Verdict> {
    let expected = match expected {
        RowCount::AtLeast(least) if rows < least => format!("at least {least} rows"),
        RowCount::AtLeast(_) => return None,
        RowCount::Within(share) => {
            let before = facts.released.get(&model.table()).copied().filter(|before| *before > 0)?;
            if share.covers(rows.abs_diff(before), before) {
                return None;
            }
            let most = u64::try_from(u128::from(before) * u128::from(share.0) / 1_000_000).unwrap_or(before);
            format!("{} to {} rows", before.saturating_sub(most), before.saturating_add(most))
        }
    };
    Some(Verdict { expected, found: format!("{rows} rows") })
}

fn fresh(age: Duration, newest: Option<Newest>, survey: &Survey, facts: &Facts) -> Result<Option<Verdict>> {
    let age_allowed = TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
    let (found, is_old) = match newest {
        // An empty table has nothing that could be old; `row_count` is for those.
        None if survey.rows()? == 0 => return Ok(None),
        None => ("no value at all".to_string(), true),
        // A day is as old as the calendar says, whatever the hour.
        Some(Newest::Day(day)) => {
            let today = facts.at.date_naive().and_time(NaiveTime::MIN);
            (day.to_string(), today - day.and_time(NaiveTime::MIN) > age_allowed)
        }
        Some(Newest::Instant(at)) => (at.to_string(), facts.at.naive_utc() - at > age_allowed),
    };
    let expected = match age.as_secs() {
        secs if secs % 86_400 == 0 => format!("a value at most {} days old", secs / 86_400),
        _ => format!("a value at most {} old", humantime::format_duration(age)),
    };
    Ok(is_old.then_some(Verdict { expected, found }))
}

async fn reconcile(context: &SessionContext, model: &Model, check: &Check) -> Result<Option<Verdict>> {
    let Rule::Reconcile { left, right, within, .. } = &check.rule else { return Ok(None) };
    let sql = reconciliation(&model.table(), left, right, within.as_deref());
    let row = first(context, model, &check.text, &sql).await?;
    let value = |at: usize| {
        let value = ScalarValue::try_from_array(row.column(at), 0);
        value.map_err(|e| Error::internal("a reconciliation without a result").because(e))
    };
    if value(0)? == ScalarValue::Boolean(Some(true)) {
        return Ok(None);
    }
    Ok(Some(Verdict { expected: value(2)?.to_string(), found: value(1)?.to_string() }))
}

/// The first row of the answer to `sql`.
async fn first(context: &SessionContext, model: &Model, what: &str, sql: &str) -> Result<RecordBatch> {
    let failed = |e| Error::model(format!("a check cannot be run: \"{what}\"")).at(&model.file).because(e);
    let batches = context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)?;
    let row = batches.into_iter().find(|batch| batch.num_rows() > 0);
    row.ok_or_else(|| Error::internal("a check counted nothing").at(&model.file))
}

fn number(column: &ArrayRef) -> Result<u64> {
    match ScalarValue::try_from_array(column, 0) {
        Ok(ScalarValue::Int64(Some(number))) => {
            u64::try_from(number).map_err(|e| Error::internal("a check counted backwards").because(e))
        }
        _ => Err(Error::internal("a check counted nothing")),
    }
}
