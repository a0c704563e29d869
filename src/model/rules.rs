//! The checks that a header may ask for, and how it words them.

use super::graph;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use std::collections::BTreeSet;
use std::time::Duration;

/// A condition that a model's new rows must meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub rule: Rule,
    /// What a failure does.
    pub severity: Severity,
    /// How many rows may fail; `None`: none.
    pub threshold: Option<Threshold>,
    /// The words of the header, for reports.
    pub text: String,
}

/// What a [`Check`] looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// No two rows share these columns.
    Unique(Vec<String>),
    /// None of these columns is null.
    NotNull(Vec<String>),
    /// The expression is true (or null) for every row.
    Accept {
        /// The name of the check, usually a column.
        name: String,
        /// A boolean SQL expression over the model's columns.
        expression: String,
    },
    /// Every non-null value of a column exists in another table's column.
    Relate {
        /// The column checked.
        column: String,
        /// `layer.name` of the other table.
        table: String,
        /// The other table's column.
        other: String,
    },
    /// The table has about as many rows as are expected.
    RowCount(RowCount),
    /// The newest value of a column is recent when the run begins; a table without rows is not old.
    Fresh {
        /// A date or timestamp column.
        column: String,
        /// The oldest that the newest value may be.
        age: Duration,
    },
    /// Two expressions over the table agree.
    Reconcile {
        /// The name of the check.
        name: String,
        /// An SQL expression over all rows of the table: `sum(amount)`.
        left: String,
        /// Another one, or a subquery of one value.
        right: String,
        /// The largest difference, as decimal text; `None`: they are equal.
        within: Option<String>,
    },
}

impl Rule {
    /// The tables that the rule reads besides the model's own, as `layer.name`.
    pub fn reads(&self) -> BTreeSet<String> {
        match self {
            Rule::Relate { table, .. } => [table.clone()].into(),
            Rule::Reconcile { left, right, .. } => {
                graph::reads(&format!("select {left}, {right}")).unwrap_or_default().into_iter().collect()
            }
            Rule::Unique(_)
            | Rule::NotNull(_)
            | Rule::Accept { .. }
            | Rule::RowCount(_)
            | Rule::Fresh { .. } => BTreeSet::new(),
        }
    }

    /// Whether the rule judges rows one by one; otherwise it judges the table as a whole.
    pub fn judges_rows(&self) -> bool {
        match self {
            Rule::Unique(_) | Rule::NotNull(_) | Rule::Accept { .. } | Rule::Relate { .. } => true,
            Rule::RowCount(_) | Rule::Fresh { .. } | Rule::Reconcile { .. } => false,
        }
    }
}

/// How many rows a table should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowCount {
    /// As many as in the last release, give or take a share of them. Without such a release, or
    /// when it has none, any number.
    Within(Share),
    /// This many or more.
    AtLeast(u64),
}

/// A share, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u64);

impl Share {
    /// Whether `part` of `whole` is no more than the share.
    pub fn covers(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 <= u128::from(whole) * u128::from(self.0)
    }
}

/// How many rows may fail before a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// A share of the rows looked at.
    Share(Share),
    /// A number.
    Rows(u64),
}

/// What the failure of a check does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The force keeps its last good data.
    Block,
    /// The failure is recorded; the data is released.
    Warn,
}

impl Severity {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Block => "block",
            Severity::Warn => "warn",
        }
    }
}

const RULES: &str = "known checks: \"unique: a, b\", \"not_null: a, b\", \"accept NAME: EXPRESSION\", \
    \"relate COLUMN: layer.table.column\", \"row_count: within 20 %\", \"row_count: at least 1\", \
    \"fresh COLUMN: 40 days\", \"reconcile NAME: EXPRESSION = EXPRESSION within 0.01\"";

/// Reads one check; what is wrong with it and what would be right.
pub(super) fn check(text: &str) -> Result<Check, (String, &'static str)> {
    let (words, qualifiers) = qualified(text);
    let rule = rule(words).ok_or_else(|| (format!("\"{words}\" is not a check"), RULES))?;
    let mut check = Check { rule, severity: Severity::Block, threshold: None, text: words.into() };
    for qualifier in qualifiers {
        let Some(most) = qualifier.strip_prefix("<=") else {
            check.severity = Severity::Warn;
            continue;
        };
        let hint = "a share of the rows or a number of them: (<= 0.1 %), (warn, <= 5 rows)";
        let threshold =
            threshold(most.trim()).ok_or_else(|| (format!("\"{qualifier}\" is not a threshold"), hint))?;
        if !check.rule.judges_rows() {
            let hint = "leave the threshold out: nothing of the check is a row";
            return Err(("a threshold counts rows, and this check judges the whole table".into(), hint));
        }
        check.threshold = Some(threshold);
        check.text = format!("{words} ({qualifier})");
    }
    Ok(check)
}

/// The words of a check, and what stands in brackets behind them: `warn` and a threshold.
fn qualified(text: &str) -> (&str, Vec<&str>) {
    let bracket = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    let Some((words, inside)) = bracket else { return (text, Vec::new()) };
    let qualifiers: Vec<&str> = inside.split(',').map(str::trim).collect();
    // Brackets of an expression hold something else.
    match qualifiers.iter().all(|word| *word == "warn" || word.starts_with("<=")) {
        true => (words.trim_end(), qualifiers),
        false => (text, Vec::new()),
    }
}

fn threshold(text: &str) -> Option<Threshold> {
    if text.ends_with('%') {
        return share(text).filter(|share| share.0 <= 1_000_000).map(Threshold::Share);
    }
    let rows = text.strip_suffix("rows").or_else(|| text.strip_suffix("row"))?;
    rows.trim().parse().ok().map(Threshold::Rows)
}

/// A share in percent, exactly; no finer than a millionth.
fn share(text: &str) -> Option<Share> {
    let number = text.strip_suffix('%')?.trim();
    let (whole, parts) = number.split_once('.').unwrap_or((number, "0"));
    if parts.len() > 4 || !decimal(number) {
        return None;
    }
    let millionths: u64 = format!("{parts:0<4}").parse().ok()?;
    Some(Share(whole.parse::<u64>().ok()?.checked_mul(10_000)?.checked_add(millionths)?))
}

/// Whether the text is a number without sign or exponent.
fn decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').map_or(digits(text), |(whole, parts)| digits(whole) && digits(parts))
}

fn rule(text: &str) -> Option<Rule> {
    let (head, rest) = text.split_once(':')?;
    let rest = rest.trim();
    let (kind, name) = head.split_once(' ').map_or((head, ""), |(kind, name)| (kind, name.trim()));
    match (kind, name.is_empty()) {
        ("unique", true) => Some(Rule::Unique(some(list(rest))?)),
        ("not_null", true) => Some(Rule::NotNull(some(list(rest))?)),
        ("accept", false) if !rest.is_empty() => {
            Some(Rule::Accept { name: name.into(), expression: rest.into() })
        }
        ("relate", false) => {
            let (table, other) = rest.rsplit_once('.')?;
            let (layer, table_name) = table.split_once('.')?;
            let named = [name, layer, table_name, other].into_iter().all(is_name);
            named.then(|| Rule::Relate { column: name.into(), table: table.into(), other: other.into() })
        }
        ("row_count", true) => row_count(rest).map(Rule::RowCount),
        ("fresh", false) if is_name(name) => {
            Some(Rule::Fresh { column: name.into(), age: humantime::parse_duration(rest).ok()? })
        }
        ("reconcile", false) => reconcile(name, rest),
        _ => None,
    }
}

fn row_count(text: &str) -> Option<RowCount> {
    match text.strip_prefix("within ") {
        Some(within) => share(within.trim()).map(RowCount::Within),
        None => text.strip_prefix("at least ")?.trim().parse().ok().map(RowCount::AtLeast),
    }
}

fn reconcile(name: &str, text: &str) -> Option<Rule> {
    let (equation, within) = match text.rsplit_once(" within ") {
        Some((equation, within)) if decimal(within.trim()) => (equation, Some(within.trim().to_string())),
        _ => (text, None),
    };
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(equation).ok()?;
    let Ok(Expr::BinaryOp { left, op: BinaryOperator::Eq, right }) = parser.parse_expr() else { return None };
    let (left, right) = (left.to_string(), right.to_string());
    (parser.peek_token().token == Token::EOF).then(|| Rule::Reconcile {
        name: name.into(),
        left,
        right,
        within,
    })
}

fn some(names: Vec<String>) -> Option<Vec<String>> {
    (!names.is_empty() && names.iter().all(|name| is_name(name))).then_some(names)
}

/// Names between commas.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
}

/// Whether the text is a plain name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_with_what_stands_behind_it() {
        let read = |text: &str| check(text).map(|check| (check.rule, check.severity, check.threshold));
        let (block, warn) = (Severity::Block, Severity::Warn);
        let unique = Rule::Unique(vec!["a".into(), "b".into()]);
        let tenth = Some(Threshold::Share(Share(1_000)));
        assert_eq!(read("unique: a, b"), Ok((unique.clone(), block, None)));
        assert_eq!(read("unique: a, b (warn)"), Ok((unique.clone(), warn, None)));
        assert_eq!(read("unique: a, b  (<= 0.1 %)"), Ok((unique.clone(), block, tenth)));
        assert_eq!(read("unique: a, b (warn, <= 5 rows)"), Ok((unique, warn, Some(Threshold::Rows(5)))));
        let accept = |expression: &str| Rule::Accept { name: "a".into(), expression: expression.into() };
        assert_eq!(read("accept a: a in (1, 2)"), Ok((accept("a in (1, 2)"), block, None)));
        assert_eq!(read("accept a: a in (1, 2) (<=1%)").unwrap().2, Some(Threshold::Share(Share(10_000))));
        assert_eq!(check("accept a: a > 0 (warn, <= 1 row)").unwrap().text, "accept a: a > 0 (<= 1 row)");
        let within = Rule::RowCount(RowCount::Within(Share(200_000)));
        assert_eq!(read("row_count: within 20 %"), Ok((within.clone(), block, None)));
        assert_eq!(read("row_count: within 20% (warn)"), Ok((within, warn, None)));
        assert_eq!(read("row_count: at least 1").unwrap().0, Rule::RowCount(RowCount::AtLeast(1)));
        let age = Duration::from_secs(40 * 86_400);
        assert_eq!(
            read("fresh posted_on: 40 days").unwrap().0,
            Rule::Fresh { column: "posted_on".into(), age }
        );
        let reconcile = |left: &str, right: &str, within: Option<&str>| Rule::Reconcile {
            name: "total".into(),
            left: left.into(),
            right: right.into(),
            within: within.map(str::to_string),
        };
        let sums = "reconcile total: sum(amount) = (select sum(amount) from conformed.journal_line)";
        let right = "(SELECT sum(amount) FROM conformed.journal_line)";
        assert_eq!(read(sums).unwrap().0, reconcile("sum(amount)", right, None));
        let near = read(&format!("{sums} within 0.01 (warn)")).unwrap();
        assert_eq!((near.0.clone(), near.1), (reconcile("sum(amount)", right, Some("0.01")), warn));
        assert_eq!(near.0.reads(), ["conformed.journal_line".to_string()].into());
    }

    #[test]
    fn what_is_no_check_is_told_apart() {
        let fault = |text: &str| check(text).unwrap_err().0;
        assert_eq!(fault("unique: a (<= many rows)"), "\"<= many rows\" is not a threshold");
        assert_eq!(fault("unique: a (<= 101 %)"), "\"<= 101 %\" is not a threshold");
        assert_eq!(fault("unique: a (<= 0.00001 %)"), "\"<= 0.00001 %\" is not a threshold");
        assert_eq!(
            fault("row_count: at least 1 (<= 5 rows)"),
            "a threshold counts rows, and this check judges the whole table"
        );
        for text in [
            "unique",
            "unique a: b",
            "row_count: within twenty %",
            "row_count: 20",
            "fresh posted_on: some days",
            "fresh: 40 days",
            "reconcile total: sum(a)",
            "reconcile total: sum(a) = sum(b) and true",
            "reconcile total: sum(a) = sum(b) within reach",
        ] {
            assert_eq!(fault(text), format!("\"{text}\" is not a check"));
        }
    }
}
