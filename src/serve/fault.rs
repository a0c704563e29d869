//! What a client may learn of an error: what is wrong with the statement, and nothing of the hub,
//! of cell values, or of tables that are not granted.

use crate::error::{Error, Kind};
use crate::serve::chain;
use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// The longest message a client receives: a plan can be quoted in one.
const MAX_MESSAGE_CHARS: usize = 300;

/// An error met before the first row: it may quote the statement, because nothing else was read.
pub fn planning(error: &DataFusionError) -> Error {
    match root(error) {
        DataFusionError::SQL(parser, _) => syntax(parser),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } => {
                Error::query(format!("column '{}' not found", field.flat_name()))
                    .hint("names in double quotes are case-sensitive; other names are lowercase")
            }
            other => Error::query(clean(&other.to_string())),
        },
        DataFusionError::Plan(message) => Error::query(clean(message)),
        DataFusionError::NotImplemented(message) => {
            Error::query(format!("not supported: {}", clean(message)))
        }
        other => running(other),
    }
}

/// An error met while rows were read: it never quotes the engine, whose messages hold cell values
/// and file names.
pub fn running(error: &DataFusionError) -> Error {
    if fail::eval("plant::error-text", |_| ()).is_some() {
        return Error::query(error.to_string());
    }
    match root(error) {
        DataFusionError::ArrowError(arrow, _) => arithmetic(arrow),
        DataFusionError::Execution(_) => Error::query("a function cannot work with one of its values"),
        DataFusionError::ResourcesExhausted(_) => {
            Error::query("the statement needs more memory than it may use")
                .hint("select fewer columns or rows, or group by fewer values")
        }
        DataFusionError::NotImplemented(_) => Error::query("the statement uses something not supported"),
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(own) if matches!(own.kind(), Kind::Query | Kind::Auth) => {
                Error::new(own.kind(), own.to_string())
            }
            _ => unexpected(error),
        },
        _ => unexpected(error),
    }
}

fn unexpected(error: &DataFusionError) -> Error {
    // The text may name files, so it goes to the hub's own log only.
    tracing::error!(%error, "statement failed");
    Error::internal("the hub could not answer the statement").hint("the hub's log has the reason")
}

fn arithmetic(error: &ArrowError) -> Error {
    match error {
        ArrowError::DivideByZero => Error::query("division by zero").hint("use nullif(divisor, 0)"),
        ArrowError::ArithmeticOverflow(_) => Error::query("a number is too large for its type"),
        ArrowError::CastError(_) | ArrowError::ParseError(_) | ArrowError::InvalidArgumentError(_) => {
            Error::query("a value cannot be converted to the type asked for")
                .hint("try_cast gives null for such a value")
        }
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => running(inner),
            None => Error::query("a value cannot be computed"),
        },
        _ => Error::query("a value cannot be computed"),
    }
}

/// A text that is not SQL.
pub fn syntax(error: &ParserError) -> Error {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            Error::query(format!("syntax error: {}", clean(text)))
        }
        ParserError::RecursionLimitExceeded => chain::too_deep(),
    }
}

/// The innermost error, without the layers that only add words.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(all) => all.first().map_or(error, root),
        DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => root(inner),
            None => error,
        },
        other => other,
    }
}

/// One line, without the engine's suggestions of other names.
fn clean(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split("Did you mean").next().unwrap_or_default();
    let line = line.trim().trim_end_matches(['.', ':']);
    let mut chars = line.chars();
    let lower: String = chars.next().into_iter().flat_map(char::to_lowercase).chain(chars).collect();
    lower.chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::prelude::SessionContext;
    use expect_test::{Expect, expect};

    async fn check(sql: &str, expect: Expect) {
        let context = SessionContext::new();
        context.sql("create table person as select 1 as id, 'Smith' as surname").await.unwrap();
        let error = match context.sql(sql).await {
            Err(error) => planning(&error),
            Ok(frame) => running(&frame.collect().await.unwrap_err()),
        };
        expect.assert_eq(&error.to_string());
    }

    #[tokio::test]
    async fn messages_quote_the_statement_only() {
        check(
            "selec 1",
            expect!["syntax error: expected: an SQL statement, found: selec at Line: 1, Column: 1"],
        )
        .await;
        check("select * from people", expect!["table 'datafusion.public.people' not found"]).await;
        check("select * from x.people", expect!["table 'datafusion.x.people' not found"]).await;
        check("select idd from person", expect!["column 'idd' not found"]).await;
        check(
            "select cast(surname as int) from person",
            expect!["a value cannot be converted to the type asked for"],
        )
        .await;
        check("select id / (id - 1) from person", expect!["division by zero"]).await;
        check("select summ(id) from person", expect!["invalid function 'summ'"]).await;
    }
}
