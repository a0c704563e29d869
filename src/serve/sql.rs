//! Reads one statement and makes sure that it only reads.

use crate::error::{Error, Result};
use crate::serve::dialect::SqlDialect;
use crate::serve::{chain, escape, fault, limits, rewrite};
use datafusion::sql::parser::{DFParserBuilder, ResetStatement, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    ContextModifier, Expr, ObjectName, Query, Select, Set, Statement as Ast, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use std::ops::ControlFlow;

/// The databases, for clients that ask with `show databases`: there is one.
const DATABASES: &str = "select distinct catalog_name as database_name from information_schema.schemata";
/// The schemas, for clients that ask with `show schemas`.
const SCHEMAS: &str = "select schema_name from information_schema.schemata order by schema_name";

/// The tables, without the information schema's own.
const TABLES: &str = "select table_schema, table_name, table_type from information_schema.tables \
                      where table_schema <> 'information_schema' order by table_schema, table_name";

/// Names of what a session is, which are functions without brackets in the standard.
const NAMES: [Keyword; 4] =
    [Keyword::CURRENT_CATALOG, Keyword::CURRENT_USER, Keyword::SESSION_USER, Keyword::USER];

/// How a point in time is written, for those who write it otherwise.
const TIME: &str = "right after the table's name and before its alias: \
                    for system_time as of timestamp '2026-03-31 17:00:00', or version as of 12";

/// The one setting of a session, as its parts are written.
const AS_OF: [&str; 2] = ["muster", "as_of"];

/// A statement that reads.
#[derive(Debug)]
pub enum Read {
    /// A query, or a `show` or `describe` that becomes one.
    Rows(Parsed),
    /// `explain`: the plan of the query, not its rows.
    Plan(Parsed),
    /// What is said or asked of `muster.as_of`.
    AsOf(AsOf),
}

/// What is said or asked of `muster.as_of`.
#[derive(Debug)]
pub enum AsOf {
    /// `set muster.as_of = …`: from now on the session reads what was released then.
    Set(Box<Expr>),
    /// `reset muster.as_of`: the session reads the newest release again.
    Reset,
    /// `show muster.as_of`.
    Show,
}

/// Parses `text`, which must be exactly one statement that reads. `?` becomes `$1`, `$2`, … in
/// the order of the text: the engine knows numbered parameters only.
pub fn read(text: &str) -> Result<Read> {
    if text.len() > limits::STATEMENT_BYTES {
        let most = limits::STATEMENT_BYTES;
        return Err(Error::query(format!("the statement is longer than {most} bytes"))
            .hint("bind values as parameters, or ask in several statements"));
    }
    let parsed = parse(text)?;
    if let Some(as_of) = as_of(&parsed)? {
        return Ok(Read::AsOf(as_of));
    }
    match parsed {
        Parsed::Explain(explain) if explain.options.analyze => {
            Err(Error::query("explain analyze is not offered")
                .hint("use explain: the figures of a run tell of files, not of the statement"))
        }
        Parsed::Explain(explain) => Ok(Read::Plan(only_reads(*explain.statement)?)),
        other => Ok(Read::Rows(only_reads(other)?)),
    }
}

/// What the statement says or asks of `muster.as_of`; `None` for every other statement.
fn as_of(statement: &Parsed) -> Result<Option<AsOf>> {
    let ast = match statement {
        Parsed::Reset(ResetStatement::Variable(name)) if is_as_of(name) => return Ok(Some(AsOf::Reset)),
        Parsed::Statement(ast) => ast.as_ref(),
        _ => return Ok(None),
    };
    match ast {
        Ast::Set(Set::SingleAssignment { scope, hivevar: false, variable, values }) if is_as_of(variable) => {
            match (scope, values.as_slice()) {
                (None | Some(ContextModifier::Session), [Expr::Identifier(word)])
                    if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("default") =>
                {
                    Ok(Some(AsOf::Reset))
                }
                (None | Some(ContextModifier::Session), [instant]) => {
                    Ok(Some(AsOf::Set(Box::new(instant.clone()))))
                }
                _ => Err(Error::query("muster.as_of takes one instant, for the whole session")
                    .hint("write set muster.as_of = '2026-03-31T17:00:00Z'")),
            }
        }
        Ast::ShowVariable { variable } => {
            let shown = variable.iter().map(|part| part.value.to_lowercase());
            Ok(shown.eq(AS_OF).then_some(AsOf::Show))
        }
        _ => Ok(None),
    }
}

fn is_as_of(name: &ObjectName) -> bool {
    let parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.to_lowercase()));
    parts.eq(AS_OF.map(|part| Some(part.to_string())))
}

/// Refuses what does not read; gives the query that answers a `show`.
fn only_reads(mut statement: Parsed) -> Result<Parsed> {
    let Parsed::Statement(ast) = &mut statement else {
        return Err(read_only(&statement.to_string()));
    };
    match ast.as_mut() {
        Ast::Query(query) => {
            only_selects(query)?;
            rewrite::rewrite(ast)?;
        }
        Ast::ShowDatabases { .. }
        | Ast::ShowCatalogs { .. }
        | Ast::ShowSchemas { .. }
        | Ast::ShowTables { .. } => {
            return parse(listing(&ast.to_string())?);
        }
        // The planner puts the filter into a query of its own without quoting it.
        Ast::ShowFunctions { filter: Some(_), .. } => {
            return Err(Error::query("not supported: show functions with a filter")
                .hint("select from information_schema.routines where …"));
        }
        Ast::ShowColumns { .. } | Ast::ShowFunctions { .. } | Ast::ExplainTable { .. } => {}
        Ast::ShowVariable { .. } | Ast::ShowVariables { .. } => {
            return Err(Error::query("settings are not shown").hint(
                "show muster.as_of, show tables, show columns from <table> and show functions are offered",
            ));
        }
        other => return Err(read_only(&other.to_string())),
    }
    Ok(statement)
}

/// The query that answers a `show` of everything.
fn listing(show: &str) -> Result<&'static str> {
    match show {
        "SHOW DATABASES" | "SHOW CATALOGS" => Ok(DATABASES),
        "SHOW SCHEMAS" => Ok(SCHEMAS),
        "SHOW TABLES" => Ok(TABLES),
        _ => Err(Error::query("not supported: a show with conditions")
            .hint("select from information_schema.tables where …")),
    }
}

fn read_only(statement: &str) -> Error {
    let verb: String = statement.chars().take_while(char::is_ascii_alphabetic).collect();
    Error::query(format!("'{}' is not allowed: the hub is read-only", verb.to_lowercase()))
        .hint("use select, explain, describe, show tables or show columns")
}

/// Looks for what the planner would write, or would pass over in silence.
fn only_selects(query: &Query) -> Result<()> {
    match query.visit(&mut Inspector::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Default)]
struct Inspector {
    tables: usize,
}

impl Inspector {
    fn count(&mut self) -> ControlFlow<Error> {
        self.tables += 1;
        match self.tables > limits::TABLES {
            false => ControlFlow::Continue(()),
            true => ControlFlow::Break(Error::query(format!(
                "the statement reads more than {} tables and subqueries",
                limits::TABLES
            ))),
        }
    }
}

impl Visitor for Inspector {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<Error> {
        self.count()
    }

    fn pre_visit_statement(&mut self, statement: &Ast) -> ControlFlow<Error> {
        ControlFlow::Break(read_only(&statement.to_string()))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        match &select.into {
            Some(_) => ControlFlow::Break(read_only("into")),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Error> {
        self.count()?;
        match table {
            // The planner would answer as if it were not there.
            TableFactor::Table { sample: Some(_), .. } => {
                ControlFlow::Break(Error::query("not supported: tablesample"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn parse(text: &str) -> Result<Parsed> {
    let dialect = SqlDialect::default();
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| fault::syntax(&ParserError::from(e)))?;
    let mut tokens = escape::translate(tokens)?;
    chain::check(&tokens)?;
    call_names(&mut tokens);
    number_parameters(&mut tokens)?;
    let names_time = tokens.iter().any(|token| is_system_time(&token.token));
    let mut parsed = DFParserBuilder::new(tokens)
        .with_dialect(&dialect)
        .with_recursion_limit(limits::DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|e| match names_time {
            true => fault::planning(&e).hint(TIME),
            false => fault::planning(&e),
        })?;
    let first = parsed.pop_front().ok_or_else(|| Error::query("the statement is empty"))?;
    match parsed.is_empty() {
        true => Ok(first),
        false => Err(Error::query("more than one statement").hint("send one statement at a time")),
    }
}

fn is_system_time(token: &Token) -> bool {
    let names = ["system_time", "system_version"];
    matches!(token, Token::Word(word) if names.iter().any(|name| word.value.eq_ignore_ascii_case(name)))
}

/// Lets `user()` be called, which the parser reads as a name without brackets only.
fn call_names(tokens: &mut [TokenWithSpan]) {
    let mut name: Option<usize> = None;
    for at in 0..tokens.len() {
        match (&tokens[at].token, name) {
            (Token::Whitespace(_), _) => {}
            (Token::LParen, Some(name)) => {
                if let Token::Word(word) = &mut tokens[name].token {
                    word.keyword = Keyword::NoKeyword;
                }
            }
            (Token::Word(word), _) if NAMES.contains(&word.keyword) => name = Some(at),
            _ => name = None,
        }
    }
}

/// Numbers the parameters written `?`.
fn number_parameters(tokens: &mut [TokenWithSpan]) -> Result<()> {
    let (mut marks, mut numbered) = (0, false);
    for token in tokens.iter_mut() {
        if let Token::Placeholder(name) = &mut token.token {
            match name.as_str() {
                "?" => {
                    marks += 1;
                    *name = format!("${marks}");
                }
                _ => numbered = true,
            }
        }
    }
    match numbered && marks > 0 {
        true => {
            Err(Error::query("parameters are written both '?' and '$1'").hint("use one way of writing them"))
        }
        false => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Compares the query that `text` is read as, or the error, with what is expected.
    pub(in crate::serve) fn check_rows(text: &str, expect: Expect) {
        let shown = match read(text) {
            Ok(Read::Rows(statement)) => statement.to_string(),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&shown);
    }

    fn check(text: &str, expect: Expect) {
        let shown = match read(text) {
            Ok(Read::Rows(statement)) => format!("rows: {statement}"),
            Ok(Read::Plan(statement)) => format!("plan: {statement}"),
            Ok(Read::AsOf(as_of)) => match as_of {
                AsOf::Set(instant) => format!("set: {instant}"),
                AsOf::Reset => "reset".into(),
                AsOf::Show => "show".into(),
            },
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn reads_are_allowed() {
        check("select 1;", expect!["rows: SELECT 1"]);
        check("with a as (select 1) select * from a", expect!["rows: WITH a AS (SELECT 1) SELECT * FROM a"]);
        check("values (1)", expect!["rows: VALUES (1)"]);
        check("explain select 1", expect!["plan: SELECT 1"]);
        check(
            "show databases",
            expect![[
                r#"rows: SELECT DISTINCT catalog_name AS database_name FROM information_schema.schemata"#
            ]],
        );
        check("show columns from marts.spend", expect!["rows: SHOW COLUMNS FROM marts.spend"]);
        check("describe marts.spend", expect!["rows: DESCRIBE marts.spend"]);
        check(
            "show schemas",
            expect!["rows: SELECT schema_name FROM information_schema.schemata ORDER BY schema_name"],
        );
    }

    #[test]
    fn writes_are_refused() {
        for text in [
            "insert into a values (1)",
            "update a set b = 1",
            "delete from a",
            "merge into a using b on a.x = b.x when matched then delete",
            "create table a (b int)",
            "create view a as select 1",
            "drop table a",
            "truncate table a",
            "copy a to 'file.csv'",
            "create external table a stored as csv location '/etc/passwd'",
            "set datafusion.execution.batch_size = 1",
            "reset datafusion.execution.batch_size",
            "begin",
            "prepare p as select 1",
            "explain insert into a values (1)",
            "with a as (select 1) insert into b select * from a",
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.ends_with("the hub is read-only"), "{text}: {message}");
        }
    }

    #[test]
    fn the_rest_is_refused_with_its_reason() {
        check("", expect!["the statement is empty"]);
        check("select 1; drop table a", expect!["more than one statement"]);
        check("select * into b from a", expect!["'into' is not allowed: the hub is read-only"]);
        check("explain analyze select 1", expect!["explain analyze is not offered"]);
        check("explain (analyze) select 1", expect!["explain analyze is not offered"]);
        check("show tables like 'a%'", expect!["not supported: a show with conditions"]);
        check("show all", expect!["settings are not shown"]);
        for filter in ["like 'a%'", "like '%''; drop'", "where 1 = 1", "like 'x"] {
            assert!(read(&format!("show functions {filter}")).is_err(), "{filter}");
        }
        check("show functions like 'a%'", expect!["not supported: show functions with a filter"]);
        for (start, link) in [("select 1 from a", ", a"), ("select 1 where true", " and 1 in (select 1)")] {
            check(
                &format!("{start}{}", link.repeat(120)),
                expect!["the statement reads more than 120 tables and subqueries"],
            );
        }
        check("select * from a tablesample (10 rows)", expect!["not supported: tablesample"]);
        check("select 'a", expect!["syntax error: unterminated string literal at Line: 1, Column: 8"]);
    }

    #[test]
    fn a_chain_as_long_as_a_statement_is_refused_and_not_followed() {
        for (start, link) in [
            ("select 1", "+1"),
            ("select 1", "::int"),
            ("select 1", " union all select 1"),
            ("select 1", " and 1"),
            ("select 1", " or 1"),
            ("select 1", " is null"),
            ("", "explain "),
            ("select cast(1 as ", "array<"),
        ] {
            for end in ["", " )", " selec"] {
                let links = (limits::STATEMENT_BYTES - start.len() - end.len()) / link.len();
                let text = format!("{start}{}{end}", link.repeat(links));
                let message = read(&text).unwrap_err().to_string();
                assert_eq!(message, "the statement has more than 600 operators in a row", "{link}");
            }
        }
    }

    #[test]
    fn the_setting_is_read_and_no_other() {
        let instant = "'2026-03-31T17:00:00Z'";
        check(&format!("set muster.as_of = {instant}"), expect!["set: '2026-03-31T17:00:00Z'"]);
        check(&format!("SET SESSION Muster.AS_OF TO {instant}"), expect!["set: '2026-03-31T17:00:00Z'"]);
        check("set muster.as_of = now() - interval '1 day'", expect!["set: now() - INTERVAL '1 day'"]);
        check("set muster.as_of = default", expect!["reset"]);
        check("reset muster.as_of", expect!["reset"]);
        check("show muster.as_of;", expect!["show"]);
        let refused = "muster.as_of takes one instant, for the whole session";
        for text in ["set muster.as_of = '1', '2'", "set local muster.as_of = '1'"] {
            assert_eq!(read(text).unwrap_err().to_string(), refused);
        }
        for text in ["set muster.as_off = '1'", "set as_of = '1'", "set a.muster.as_of = '1'", "reset as_of"]
        {
            assert!(read(text).unwrap_err().to_string().ends_with("the hub is read-only"), "{text}");
        }
        for text in ["show muster.asof", "show as_of", "show muster.as_of.x"] {
            check(text, expect!["settings are not shown"]);
        }
        assert!(read("explain set muster.as_of = '1'").is_err());
    }

    #[test]
    fn other_spellings_of_time_are_told_the_right_one() {
        for clause in
            ["for system_time all", "as b for system_time as of now()", "for system_version as of 1"]
        {
            let error = read(&format!("select * from a {clause}")).unwrap_err();
            assert!(error.to_string().starts_with("syntax error"), "{error}");
            assert_eq!(error.advice(), Some(TIME));
        }
    }

    #[test]
    fn parameters_are_numbered_in_the_order_of_the_text() {
        check(
            "select ? from a where b = ? and c = '?' limit ?",
            expect!["rows: SELECT $1 FROM a WHERE b = $2 AND c = '?' LIMIT $3"],
        );
        check("select $2, $1", expect!["rows: SELECT $2, $1"]);
        check("select ?, $1", expect!["parameters are written both '?' and '$1'"]);
    }
}
