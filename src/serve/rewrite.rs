//! What tools write and the engine does not read, in words that it reads: `top` and `fetch` as
//! `limit`, `convert` as `cast`, the units of `timestampadd`, the escape character of `like`.

use crate::error::{Error, Result};
use crate::idiom;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, LimitClause, Query, SetExpr, Statement, TimezoneInfo, Top, TopQuantity, Value,
    ValueWithSpan, Values, VisitMut, VisitorMut,
};
use std::mem;
use std::ops::ControlFlow;

/// Rewrites `statement` in place.
pub(super) fn rewrite(statement: &mut Statement) -> Result<()> {
    match statement.visit(&mut Rewriter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        done(limit(query))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        done(expression(expr))
    }
}

fn done(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

/// `top` and `fetch` become the query's `limit`.
fn limit(query: &mut Query) -> Result<()> {
    if let Some(Fetch { with_ties, percent, quantity }) = query.fetch.take() {
        let rows = quantity.unwrap_or_else(|| number(1));
        plain("fetch", with_ties, percent)?;
        limit_to(query, "fetch", rows)?;
    }
    match query.body.as_mut() {
        SetExpr::Select(select) => {
            let Some(Top { with_ties, percent, quantity }) = select.top.take() else { return Ok(()) };
            let rows = match quantity {
                Some(TopQuantity::Expr(rows)) => rows,
                Some(TopQuantity::Constant(rows)) => number(rows),
                None => number(1),
            };
            plain("top", with_ties, percent)?;
            limit_to(query, "top", rows)
        }
        // What limits one side of a union does not limit the whole.
        SetExpr::SetOperation { .. } => {
            set_apart(&mut query.body);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Says that a clause asks for nothing but a number of rows.
fn plain(word: &str, with_ties: bool, percent: bool) -> Result<()> {
    match (with_ties, percent) {
        (false, false) => Ok(()),
        (true, _) => Err(Error::query(format!("not supported: '{word}' with ties"))
            .hint("use rank() over (order by …) in a subquery, and filter by it")),
        (false, true) => Err(Error::query(format!("not supported: '{word}' with a percentage"))
            .hint("use ntile(100) over (order by …) in a subquery, and filter by it")),
    }
}

fn limit_to(query: &mut Query, word: &str, rows: Expr) -> Result<()> {
    let offset = match query.limit_clause.take() {
        None => None,
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => offset,
        Some(_) => {
            return Err(Error::query(format!(
                "one query is limited twice, by '{word}' and by another clause"
            ))
            .hint("use one of top, limit and fetch"));
        }
    };
    query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(rows), offset, limit_by: Vec::new() });
    Ok(())
}

/// Makes each side of a set operation that has a `top` a query of its own, which is visited next.
fn set_apart(body: &mut SetExpr) {
    let mut sides = vec![body];
    while let Some(side) = sides.pop() {
        match side {
            SetExpr::SetOperation { left, right, .. } => sides.extend([left.as_mut(), right.as_mut()]),
            SetExpr::Select(select) if select.top.is_some() => {
                let nothing = Values { explicit_row: false, value_keyword: false, rows: Vec::new() };
                let body = Box::new(mem::replace(side, SetExpr::Values(nothing)));
                *side = SetExpr::Query(Box::new(Query {
                    with: None,
                    body,
                    order_by: None,
                    limit_clause: None,
                    fetch: None,
                    locks: Vec::new(),
                    for_clause: None,
                    settings: None,
                    format_clause: None,
                    pipe_operators: Vec::new(),
                }));
            }
            _ => {}
        }
    }
}

fn number(rows: u64) -> Expr {
    Expr::value(Value::Number(rows.to_string(), false))
}

fn expression(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Convert { is_try, expr: inner, data_type: Some(data_type), charset: None, styles, .. }
            if styles.is_empty() =>
        {
            let kind = if *is_try { CastKind::TryCast } else { CastKind::Cast };
            let data_type = microseconds(odbc_type(data_type)?);
            let inner = mem::replace(inner.as_mut(), Expr::value(Value::Null));
            *expr = Expr::Cast { kind, expr: Box::new(inner), data_type, array: false, format: None };
        }
        Expr::Convert { .. } => {
            return Err(Error::query("not supported: convert with a character set or a style")
                .hint("use convert(value, type) or cast(value as type)"));
        }
        Expr::Cast { data_type, .. } => *data_type = microseconds(data_type.clone()),
        Expr::TypedString(typed) => typed.data_type = microseconds(typed.data_type.clone()),
        Expr::Function(function) => unit(function),
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            escape(pattern, escape_char);
        }
        _ => {}
    }
    Ok(())
}

/// A timestamp has microseconds unless it says otherwise, as the columns have: in nanoseconds the
/// engine has no year 9999, which many systems write for "no end".
fn microseconds(data_type: DataType) -> DataType {
    match data_type {
        DataType::Timestamp(None, zone) => DataType::Timestamp(Some(6), zone),
        other => other,
    }
}

/// The type that `convert` names; ODBC has names of its own.
fn odbc_type(named: &DataType) -> Result<DataType> {
    let DataType::Custom(name, modifiers) = named else { return Ok(named.clone()) };
    let name = name.to_string().to_ascii_uppercase();
    let Some(short) = name.strip_prefix("SQL_").filter(|_| modifiers.is_empty()) else {
        return Ok(named.clone());
    };
    Ok(match short {
        "BIGINT" => DataType::BigInt(None),
        "INTEGER" => DataType::Integer(None),
        "SMALLINT" => DataType::SmallInt(None),
        "TINYINT" => DataType::TinyInt(None),
        "DECIMAL" | "NUMERIC" => DataType::Decimal(ExactNumberInfo::None),
        "DOUBLE" | "FLOAT" => DataType::DoublePrecision,
        "REAL" => DataType::Real,
        "BIT" => DataType::Boolean,
        "CHAR" | "VARCHAR" | "LONGVARCHAR" | "WCHAR" | "WVARCHAR" | "WLONGVARCHAR" => DataType::Varchar(None),
        "BINARY" | "VARBINARY" | "LONGVARBINARY" => DataType::Bytea,
        "DATE" | "TYPE_DATE" => DataType::Date,
        "TIME" | "TYPE_TIME" => DataType::Time(None, TimezoneInfo::None),
        "TIMESTAMP" | "TYPE_TIMESTAMP" => DataType::Timestamp(None, TimezoneInfo::None),
        _ => {
            return Err(Error::query(format!("not supported: convert to {name}"))
                .hint("use SQL_VARCHAR, SQL_BIGINT, SQL_DECIMAL, SQL_DOUBLE, SQL_DATE or SQL_TIMESTAMP"));
        }
    })
}

/// The unit of `timestampadd(month, …)` is a word; the engine would look for a column.
fn unit(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(first))) = list.args.first_mut() else { return };
    if let Expr::Identifier(word) = first
        && word.quote_style.is_none()
        && idiom::takes_unit(&function.name.to_string())
    {
        *first = Expr::value(Value::SingleQuotedString(word.value.clone()));
    }
}

/// The engine knows one escape character, the backslash: another one is replaced by it.
fn escape(pattern: &mut Expr, escape_char: &mut Option<ValueWithSpan>) {
    let Some(ValueWithSpan { value: Value::SingleQuotedString(escape), .. }) = escape_char else { return };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = pattern else { return };
    let mut chars = escape.chars();
    let (Some(escape), None) = (chars.next(), chars.next()) else { return };
    if escape == '\\' {
        return;
    }
    let (mut translated, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        match c {
            c if c == escape => {
                translated.push('\\');
                translated.extend(chars.next());
            }
            '\\' => translated.push_str("\\\\"),
            c => translated.push(c),
        }
    }
    *text = translated;
    *escape_char = None;
}

#[cfg(test)]
mod tests {
    use crate::serve::sql::tests::check_rows as check;
    use expect_test::expect;

    #[test]
    fn top_and_fetch_are_limits() {
        check("select top 1000 a from b order by c", expect![[r#"SELECT a FROM b ORDER BY c LIMIT 1000"#]]);
        check(
            "select distinct top (10) a from b offset 5",
            expect![[r#"SELECT DISTINCT a FROM b LIMIT 10 OFFSET 5"#]],
        );
        check(
            "select a from (select top 3 a from b order by a) as c",
            expect![[r#"SELECT a FROM (SELECT a FROM b ORDER BY a LIMIT 3) AS c"#]],
        );
        check(
            "select top 1 a from b union all select a from c union all select top 2 a from d order by 1",
            expect![[
                r#"(SELECT a FROM b LIMIT 1) UNION ALL SELECT a FROM c UNION ALL (SELECT a FROM d LIMIT 2) ORDER BY 1"#
            ]],
        );
        check("select a from b fetch first 5 rows only", expect![[r#"SELECT a FROM b LIMIT 5"#]]);
        check(
            "select a from b order by a offset 10 rows fetch next 5 rows only",
            expect![[r#"SELECT a FROM b ORDER BY a LIMIT 5 OFFSET 10 ROWS"#]],
        );
        check("select a from b fetch first row only", expect![[r#"SELECT a FROM b LIMIT 1"#]]);
        check(
            "select top 5 a from b limit 3",
            expect![[r#"one query is limited twice, by 'top' and by another clause"#]],
        );
        check(
            "select a from b limit 3 fetch first 5 rows only",
            expect![[r#"one query is limited twice, by 'fetch' and by another clause"#]],
        );
        check("select top 5 percent a from b", expect![[r#"not supported: 'top' with a percentage"#]]);
        check("select top 5 with ties a from b order by a", expect![[r#"not supported: 'top' with ties"#]]);
        check(
            "select a from b order by a fetch first 5 percent rows only",
            expect![[r#"not supported: 'fetch' with a percentage"#]],
        );
        check(
            "select a from b order by a fetch first 5 rows with ties",
            expect![[r#"not supported: 'fetch' with ties"#]],
        );
    }

    #[test]
    fn words_of_odbc_become_words_of_the_engine() {
        check(
            "select convert(a, SQL_VARCHAR), convert(a, decimal(10, 2))",
            expect![[r#"SELECT CAST(a AS VARCHAR), CAST(a AS DECIMAL(10,2))"#]],
        );
        check(
            "select convert(a, SQL_INTERVAL_DAY)",
            expect![[r#"not supported: convert to SQL_INTERVAL_DAY"#]],
        );
        check(
            "select convert(a using utf8)",
            expect![[r#"not supported: convert with a character set or a style"#]],
        );
        check(
            "select timestampadd(SQL_TSI_MONTH, 1, a), TimestampDiff(day, a, b)",
            expect![[r#"SELECT timestampadd('SQL_TSI_MONTH', 1, a), TimestampDiff('day', a, b)"#]],
        );
        check(
            "select dateadd('day', 1, a), datediff(\"day\", a, b), other(day)",
            expect![[r#"SELECT dateadd('day', 1, a), datediff("day", a, b), other(day)"#]],
        );
        check(
            "select cast(a as timestamp), timestamp '2026-01-01', cast(a as timestamp(3))",
            expect![[
                r#"SELECT CAST(a AS TIMESTAMP(6)), TIMESTAMP(6) '2026-01-01', CAST(a AS TIMESTAMP(3))"#
            ]],
        );
        check(
            r"select 1 where a like '!_\!!%' escape '!' or b not like 'x\%' escape '\'",
            expect![[r#"SELECT 1 WHERE a LIKE '\_\\\!%' OR b NOT LIKE 'x\%' ESCAPE '\'"#]],
        );
    }
}
