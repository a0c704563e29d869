//! What the server can do, as ODBC and JDBC drivers ask. Power BI folds only what is claimed here,
//! and what is claimed must work: the test below runs every function.

use crate::error::{Error, Result};
use crate::serve::limits;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity, SqlSupportedTransaction,
    XdbcDataType, XdbcDatetimeSubcode,
};
use std::collections::HashMap;

// In each list, the names of ODBC, and no other: drivers look for those.
const NUMERIC_FUNCTIONS: &[&str] = &[
    "ABS", "ACOS", "ASIN", "ATAN", "ATAN2", "CEILING", "COS", "COT", "DEGREES", "EXP", "FLOOR", "LOG",
    "LOG10", "MOD", "PI", "POWER", "RADIANS", "RAND", "ROUND", "SIGN", "SIN", "SQRT", "TAN", "TRUNCATE",
];
const STRING_FUNCTIONS: &[&str] = &[
    "ASCII",
    "BIT_LENGTH",
    "CHAR",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "CONCAT",
    "INSERT",
    "LCASE",
    "LEFT",
    "LENGTH",
    "LOCATE",
    "LTRIM",
    "OCTET_LENGTH",
    "POSITION",
    "REPEAT",
    "REPLACE",
    "RIGHT",
    "RTRIM",
    "SPACE",
    "SUBSTRING",
    "UCASE",
];
const SYSTEM_FUNCTIONS: &[&str] = &["CAST", "CONVERT", "DATABASE", "IFNULL", "USER"];
const DATETIME_FUNCTIONS: &[&str] = &[
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURTIME",
    "DAYNAME",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "EXTRACT",
    "HOUR",
    "MINUTE",
    "MONTH",
    "MONTHNAME",
    "NOW",
    "QUARTER",
    "SECOND",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "WEEK",
    "YEAR",
];
/// Reserved beyond the words that ODBC reserves itself.
const KEYWORDS: &[&str] = &["ANTI", "ILIKE", "LATERAL", "LIMIT", "OFFSET", "QUALIFY", "SEMI", "UNNEST"];

/// The kinds of value that `cast` converts between, all of them into one another.
const CONVERSIONS: std::ops::RangeInclusive<i32> = 0..=19;

const ALL_BITS: i32 = 0b111;

/// The answers to `GetSqlInfo`.
pub(super) fn facts() -> Result<SqlInfoData> {
    let mut facts = SqlInfoDataBuilder::new();
    server(&mut facts);
    names(&mut facts);
    functions(&mut facts);
    grammar(&mut facts);
    limits(&mut facts);
    facts.build().map_err(|e| Error::internal("the server's description cannot be made").because(e))
}

fn server(facts: &mut SqlInfoDataBuilder) {
    facts.append(SqlInfo::FlightSqlServerName, "Muster");
    facts.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(SqlInfo::FlightSqlServerArrowVersion, datafusion::arrow::ARROW_VERSION);
    facts.append(SqlInfo::FlightSqlServerReadOnly, true);
    facts.append(SqlInfo::FlightSqlServerSql, true);
    facts.append(SqlInfo::FlightSqlServerSubstrait, false);
    facts.append(SqlInfo::FlightSqlServerSubstraitMinVersion, "");
    facts.append(SqlInfo::FlightSqlServerSubstraitMaxVersion, "");
    facts.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    facts.append(SqlInfo::FlightSqlServerCancel, true);
    facts.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    facts.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    facts.append(SqlInfo::FlightSqlServerStatementTimeout, 0);
    facts.append(SqlInfo::FlightSqlServerTransactionTimeout, 0);
}

fn names(facts: &mut SqlInfoDataBuilder) {
    facts.append(SqlInfo::SqlDdlCatalog, false);
    facts.append(SqlInfo::SqlDdlSchema, false);
    facts.append(SqlInfo::SqlDdlTable, false);
    facts.append(SqlInfo::SqlIdentifierCase, SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32);
    facts.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    // A quoted name is taken as it is written. The enumeration has no better word for that.
    facts.append(
        SqlInfo::SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
    );
    facts.append(SqlInfo::SqlAllTablesAreSelectable, true);
    facts.append(SqlInfo::SqlNullOrdering, SqlNullOrdering::SqlNullsSortedHigh as i32);
    facts.append(SqlInfo::SqlKeywords, KEYWORDS);
    facts.append(SqlInfo::SqlSearchStringEscape, "\\");
    facts.append(SqlInfo::SqlExtraNameCharacters, "");
    facts.append(SqlInfo::SqlSchemaTerm, "schema");
    facts.append(SqlInfo::SqlProcedureTerm, "");
    facts.append(SqlInfo::SqlCatalogTerm, "catalog");
    facts.append(SqlInfo::SqlCatalogAtStart, true);
    facts.append(SqlInfo::SqlSchemasSupportedActions, ALL_BITS);
    facts.append(SqlInfo::SqlCatalogsSupportedActions, ALL_BITS);
}

fn functions(facts: &mut SqlInfoDataBuilder) {
    facts.append(SqlInfo::SqlNumericFunctions, NUMERIC_FUNCTIONS);
    facts.append(SqlInfo::SqlStringFunctions, STRING_FUNCTIONS);
    facts.append(SqlInfo::SqlSystemFunctions, SYSTEM_FUNCTIONS);
    facts.append(SqlInfo::SqlDatetimeFunctions, DATETIME_FUNCTIONS);
    let all: Vec<i32> = CONVERSIONS.collect();
    let matrix: HashMap<i32, Vec<i32>> = CONVERSIONS.map(|from| (from, all.clone())).collect();
    facts.append(SqlInfo::SqlSupportsConvert, matrix);
}

fn grammar(facts: &mut SqlInfoDataBuilder) {
    for supported in [
        SqlInfo::SqlSupportsColumnAliasing,
        SqlInfo::SqlNullPlusNullIsNull,
        SqlInfo::SqlSupportsTableCorrelationNames,
        SqlInfo::SqlSupportsExpressionsInOrderBy,
        SqlInfo::SqlSupportsOrderByUnrelated,
        SqlInfo::SqlSupportsLikeEscapeClause,
        SqlInfo::SqlSupportsNonNullableColumns,
        SqlInfo::SqlCorrelatedSubqueriesSupported,
    ] {
        facts.append(supported, true);
    }
    for missing in [
        SqlInfo::SqlSupportsDifferentTableCorrelationNames,
        SqlInfo::SqlSupportsIntegrityEnhancementFacility,
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlMaxRowSizeIncludesBlobs,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlDataDefinitionsInTransactionsIgnored,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlNamedParametersSupported,
        SqlInfo::SqlLocatorsUpdateCopy,
        SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported,
    ] {
        facts.append(missing, false);
    }
    // Bit masks; bit 0 of the grouping is "unrelated to the selected columns".
    facts.append(SqlInfo::SqlSupportedGroupBy, 0b1);
    facts.append(SqlInfo::SqlSupportedGrammar, ALL_BITS);
    facts.append(SqlInfo::SqlAnsi92SupportedLevel, 0b100);
    facts.append(SqlInfo::SqlOuterJoinsSupportLevel, 0b100);
    facts.append(SqlInfo::SqlSupportedPositionedCommands, 0);
    facts.append(SqlInfo::SqlSupportedSubqueries, 0b1111);
    facts.append(SqlInfo::SqlSupportedUnions, 0b11);
    facts.append(SqlInfo::SqlDefaultTransactionIsolation, 0);
    facts.append(SqlInfo::SqlSupportedTransactionsIsolationLevels, 0);
    facts.append(SqlInfo::SqlSupportedResultSetTypes, 0b10);
    facts.append(SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0);
    facts.append(SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10);
    facts.append(SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0);
    facts.append(SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0);
}

/// 0 stands for "no limit, or none that is known".
fn limits(facts: &mut SqlInfoDataBuilder) {
    for unlimited in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxUsernameLength,
    ] {
        facts.append(unlimited, 0_i64);
    }
    for (limit, most) in [
        (SqlInfo::SqlMaxStatementLength, limits::STATEMENT_BYTES),
        (SqlInfo::SqlMaxTablesInSelect, limits::TABLES),
    ] {
        facts.append(limit, i64::try_from(most).unwrap_or(0));
    }
}

/// The answers to `GetXdbcTypeInfo`: the types that columns have, under the names that
/// [`crate::serve::wire`] gives them.
pub(super) fn types() -> Result<XdbcTypeInfoData> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, code, size) in [
        ("BIGINT", XdbcDataType::XdbcBigint, 19),
        ("INTEGER", XdbcDataType::XdbcInteger, 10),
        ("SMALLINT", XdbcDataType::XdbcSmallint, 5),
        ("TINYINT", XdbcDataType::XdbcTinyint, 3),
    ] {
        types.append(XdbcTypeInfo {
            unsigned_attribute: Some(false),
            num_prec_radix: Some(10),
            ..described(name, code, size)
        });
    }
    types.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".into(), "scale".into()]),
        unsigned_attribute: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        num_prec_radix: Some(10),
        ..described("DECIMAL", XdbcDataType::XdbcDecimal, 38)
    });
    for (name, code, size) in [("DOUBLE", XdbcDataType::XdbcDouble, 15), ("REAL", XdbcDataType::XdbcReal, 7)]
    {
        types.append(XdbcTypeInfo {
            unsigned_attribute: Some(false),
            num_prec_radix: Some(10),
            ..described(name, code, size)
        });
    }
    types.append(described("BOOLEAN", XdbcDataType::XdbcBit, 1));
    types.append(XdbcTypeInfo {
        case_sensitive: true,
        ..quoted(described("VARCHAR", XdbcDataType::XdbcVarchar, 32_767))
    });
    types.append(described("VARBINARY", XdbcDataType::XdbcVarbinary, 32_767));
    for (name, code, size, subcode, digits) in [
        // The subcodes of ODBC: 1 date, 2 time, 3 timestamp.
        ("DATE", XdbcDataType::XdbcDate, 10, XdbcDatetimeSubcode::XdbcSubcodeYear, 0),
        ("TIME", XdbcDataType::XdbcTime, 15, XdbcDatetimeSubcode::XdbcSubcodeTime, 6),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 26, XdbcDatetimeSubcode::XdbcSubcodeTimestamp, 6),
    ] {
        types.append(XdbcTypeInfo {
            minimum_scale: Some(0),
            maximum_scale: Some(digits),
            sql_data_type: XdbcDataType::XdbcDatetime,
            datetime_subcode: Some(subcode),
            ..quoted(described(name, code, size))
        });
    }
    types.build().map_err(|e| Error::internal("the server's types cannot be described").because(e))
}

fn described(name: &str, code: XdbcDataType, size: i32) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.into(),
        data_type: code,
        column_size: Some(size),
        literal_prefix: None,
        literal_suffix: None,
        create_params: None,
        nullable: Nullable::NullabilityNullable,
        case_sensitive: false,
        searchable: Searchable::Full,
        unsigned_attribute: None,
        fixed_prec_scale: false,
        auto_increment: Some(false),
        local_type_name: Some(name.into()),
        minimum_scale: None,
        maximum_scale: None,
        sql_data_type: code,
        datetime_subcode: None,
        num_prec_radix: None,
        interval_precision: None,
    }
}

/// A type whose literals are written in quotes.
fn quoted(info: XdbcTypeInfo) -> XdbcTypeInfo {
    XdbcTypeInfo { literal_prefix: Some("'".into()), literal_suffix: Some("'".into()), ..info }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_for_is_everything_and_unknown_ids_are_left_out() {
        let facts = facts().unwrap();
        let all = facts.record_batch([]).unwrap();
        assert_eq!(all.schema().as_ref(), SqlInfoDataBuilder::schema());
        assert!(all.num_rows() > 80);
        assert_eq!(facts.record_batch([0, 8, 999_999]).unwrap().num_rows(), 2);
    }

    #[test]
    fn every_type_has_a_row() {
        assert_eq!(types().unwrap().record_batch(None).unwrap().num_rows(), 13);
    }

    #[test]
    fn every_fact_is_answered() {
        let facts = facts().unwrap();
        for id in (0..=11).chain(100..=101).chain(500..=576) {
            assert_eq!(facts.record_batch([id]).unwrap().num_rows(), 1, "{id}");
        }
    }

    /// Every claim, and a call whose answer is known.
    const CALLS: &[(&str, &str, &str)] = &[
        ("ABS", "{fn abs(-2)}", "2"),
        ("ACOS", "{fn acos(1)}", "0.0"),
        ("ASIN", "{fn asin(0)}", "0.0"),
        ("ATAN", "{fn atan(0)}", "0.0"),
        ("ATAN2", "{fn atan2(0, 1)}", "0.0"),
        ("CEILING", "{fn ceiling(1.5)}", "2.0"),
        ("COS", "{fn cos(0)}", "1.0"),
        ("COT", "{fn round({fn cot(1)}, 3)}", "0.642"),
        ("DEGREES", "{fn degrees(0)}", "0.0"),
        ("EXP", "{fn exp(0)}", "1.0"),
        ("FLOOR", "{fn floor(1.5)}", "1.0"),
        ("LOG", "{fn round({fn log(100)}, 3)}", "4.605"),
        ("LOG10", "{fn log10(100)}", "2.0"),
        ("MOD", "{fn mod(-7, 3)}", "-1"),
        ("PI", "{fn round({fn pi()}, 3)}", "3.142"),
        ("POWER", "{fn power(2, 10)}", "1024.0"),
        ("RADIANS", "{fn radians(0)}", "0.0"),
        ("RAND", "{fn floor({fn rand()})}", "0.0"),
        ("ROUND", "{fn round(1.255, 1)}", "1.3"),
        ("SIGN", "{fn sign(-2.5)}", "-1.0"),
        ("SIN", "{fn sin(0)}", "0.0"),
        ("SQRT", "{fn sqrt(4)}", "2.0"),
        ("TAN", "{fn tan(0)}", "0.0"),
        ("TRUNCATE", "{fn truncate(1.29, 1)}", "1.2"),
        ("ASCII", "{fn ascii('A')}", "65"),
        ("BIT_LENGTH", "{fn bit_length('ab')}", "16"),
        ("CHAR", "{fn char(65)}", "A"),
        ("CHARACTER_LENGTH", "{fn character_length('é')}", "1"),
        ("CHAR_LENGTH", "{fn char_length('é')}", "1"),
        ("CONCAT", "{fn concat('a', 'b')}", "ab"),
        ("INSERT", "{fn insert('abcdef', 2, 3, 'xy')}", "axyef"),
        ("LCASE", "{fn lcase('AB')}", "ab"),
        ("LEFT", "{fn left('abc', 2)}", "ab"),
        ("LENGTH", "{fn length('abc')}", "3"),
        ("LOCATE", "{fn locate('b', 'abcb', 3)} * 10 + {fn locate('b', 'abcb')}", "42"),
        ("LTRIM", "{fn ltrim('  a')}", "a"),
        ("OCTET_LENGTH", "{fn octet_length('é')}", "2"),
        ("POSITION", "{fn position('b' in 'abc')}", "2"),
        ("REPEAT", "{fn repeat('ab', 2)}", "abab"),
        ("REPLACE", "{fn replace('abc', 'b', 'x')}", "axc"),
        ("RIGHT", "{fn right('abc', 2)}", "bc"),
        ("RTRIM", "{fn rtrim('a  ')} || '.'", "a."),
        ("SPACE", "'<' || {fn space(2)} || '>'", "<  >"),
        ("SUBSTRING", "{fn substring('abcd', 2, 2)}", "bc"),
        ("UCASE", "{fn ucase('ab')}", "AB"),
        ("CAST", "cast('12' as integer)", "12"),
        ("CONVERT", "{fn convert('12', SQL_INTEGER)} + {fn convert(1.5, SQL_BIGINT)}", "13"),
        ("DATABASE", "{fn database()}", "muster"),
        ("IFNULL", "{fn ifnull(null, 'x')}", "x"),
        ("USER", "{fn user()} || user || current_user || session_user ()", "annannannann"),
        ("CURDATE", "{fn curdate()} = current_date", "true"),
        ("CURRENT_DATE", "{fn current_date()} = curdate()", "true"),
        ("CURRENT_TIME", "{fn current_time()} = curtime()", "true"),
        ("CURRENT_TIMESTAMP", "{fn current_timestamp()} = now()", "true"),
        ("CURTIME", "{fn curtime()} = current_time", "true"),
        ("DAYNAME", "{fn dayname({d '2026-03-31'})}", "Tuesday"),
        ("DAYOFMONTH", "{fn dayofmonth({d '2026-03-31'})}", "31"),
        ("DAYOFWEEK", "{fn dayofweek({d '2026-03-29'})} * 10 + {fn dayofweek({d '2026-04-04'})}", "17"),
        ("DAYOFYEAR", "{fn dayofyear({d '2026-03-31'})}", "90"),
        ("EXTRACT", "{fn extract(year from {d '2026-03-31'})}", "2026"),
        ("HOUR", "{fn hour({ts '2026-03-31 17:05:09'})} + {fn hour({t '05:00:00'})}", "22"),
        ("MINUTE", "{fn minute({ts '2026-03-31 17:05:09'})}", "5"),
        ("MONTH", "{fn month({ts '9999-12-31 23:59:59'})}", "12"),
        ("MONTHNAME", "{fn monthname({ts '2026-03-31 17:05:09'})}", "March"),
        ("NOW", "{fn now()} = current_timestamp", "true"),
        ("QUARTER", "{fn quarter({d '2026-03-31'})}", "1"),
        ("SECOND", "{fn second({ts '2026-03-31 17:05:09.9'})}", "9"),
        ("TIMESTAMPADD", "{fn timestampadd(SQL_TSI_MONTH, 1, {d '2026-01-31'})}", "2026-02-28T00:00:00"),
        ("TIMESTAMPDIFF", "{fn timestampdiff(SQL_TSI_DAY, {d '2026-01-31'}, {d '2026-03-01'})}", "29"),
        ("WEEK", "{fn week({d '2026-12-31'})}", "53"),
        ("YEAR", "{fn year('2026-03-31')}", "2026"),
    ];

    #[tokio::test]
    async fn functions_that_are_claimed_exist() {
        use crate::engine::Engine;
        use crate::serve::sql::{Read, read};
        use datafusion::arrow::util::display::array_value_to_string;
        let context = Engine::new().unwrap().context();
        context.register_udf(crate::idiom::user("ann"));
        let claimed = [NUMERIC_FUNCTIONS, STRING_FUNCTIONS, SYSTEM_FUNCTIONS, DATETIME_FUNCTIONS].concat();
        assert_eq!(CALLS.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), claimed);
        let mut wrong = Vec::new();
        for (name, call, expected) in CALLS {
            let answer = async {
                let Read::Rows(parsed) = read(&format!("select {call}")).map_err(|e| e.to_string())? else {
                    return Err("no rows".to_string());
                };
                let plan = context.state().statement_to_plan(parsed).await.map_err(|e| e.to_string())?;
                let frame = context.execute_logical_plan(plan).await.map_err(|e| e.to_string())?;
                let rows = frame.collect().await.map_err(|e| e.to_string())?;
                array_value_to_string(rows[0].column(0), 0).map_err(|e| e.to_string())
            };
            let answer = answer.await.unwrap_or_else(|error| error);
            if answer != *expected {
                wrong.push(format!("{name}: {answer}, not {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
