//! What the server can do, as ODBC and JDBC drivers ask. Power BI folds only what is claimed here,
//! and what is claimed must work: functions are listed under names that the engine knows.

use crate::error::{Error, Result};
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlSupportedCaseSensitivity, SqlSupportedTransaction,
    XdbcDataType, XdbcDatetimeSubcode,
};
use std::collections::HashMap;

const NUMERIC_FUNCTIONS: &[&str] = &[
    "ABS", "ACOS", "ASIN", "ATAN", "ATAN2", "COS", "COT", "DEGREES", "EXP", "FLOOR", "LOG10", "PI", "POWER",
    "RADIANS", "ROUND", "SIN", "SQRT", "TAN",
];
const STRING_FUNCTIONS: &[&str] = &[
    "ASCII",
    "BIT_LENGTH",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "CONCAT",
    "LEFT",
    "LENGTH",
    "LTRIM",
    "OCTET_LENGTH",
    "POSITION",
    "REPEAT",
    "REPLACE",
    "RIGHT",
    "RTRIM",
    "SUBSTRING",
];
const SYSTEM_FUNCTIONS: &[&str] = &["CAST", "IFNULL"];
const DATETIME_FUNCTIONS: &[&str] = &["CURRENT_DATE", "CURRENT_TIME", "EXTRACT", "NOW"];
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
    facts.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    facts.append(SqlInfo::FlightSqlServerCancel, false);
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
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
    ] {
        facts.append(unlimited, 0_i64);
    }
    facts.append(
        SqlInfo::SqlMaxStatementLength,
        i64::try_from(crate::serve::sql::MAX_STATEMENT_BYTES).unwrap_or(0),
    );
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

    #[tokio::test]
    async fn functions_that_are_claimed_exist() {
        use datafusion::prelude::SessionContext;
        let state = SessionContext::new().state();
        // Grammar, not functions.
        let special = ["CAST", "EXTRACT", "POSITION"];
        for name in [NUMERIC_FUNCTIONS, STRING_FUNCTIONS, SYSTEM_FUNCTIONS, DATETIME_FUNCTIONS].concat() {
            let known = state.scalar_functions().contains_key(&name.to_lowercase());
            assert!(known || special.contains(&name), "{name}");
        }
    }
}
