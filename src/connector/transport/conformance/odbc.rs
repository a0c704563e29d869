//! Databases through the drivers of this machine.

use crate::connector::contract::Type;
use crate::connector::testing::*;
use crate::connector::transport::conformance::*;
use crate::error::Kind;
use crate::project::{Odbc, Product};
use arrow_odbc::odbc_api::environment;

/// Whether a driver is installed; says so if it is not.
fn has_driver(name: &str) -> bool {
    let drivers = environment().unwrap().drivers().unwrap_or_default();
    let is_there = drivers.iter().any(|driver| driver.description == name);
    if !is_there {
        eprintln!("skipped: the ODBC driver {name} is not installed");
    }
    is_there
}

fn behind(attributes: String, user: Option<String>) -> Address {
    Address::Odbc(Odbc { attributes, user, product: None })
}

/// The source of a bench, through its driver.
pub(super) fn source(base: &Bench) -> Source {
    let mut source = base.source();
    let port = |driver: &str, server: crate::project::Server| {
        let crate::project::Server { host, port, user, database } = server;
        behind(format!("Driver={{{driver}}};Server={host};Port={port};Database={database}"), Some(user))
    };
    source.address = match source.address {
        Address::Postgres(server) => port("PostgreSQL Unicode", server),
        Address::Mysql(server) => port("MariaDB Unicode", server),
        Address::Sqlite(path) => behind(format!("Driver=SQLite3;Database={}", path.display()), None),
        other => other,
    };
    source
}

#[tokio::test]
async fn sqlite() {
    if has_driver("SQLite3") {
        let bench = Bench::Odbc(Box::new(Bench::Sqlite(tempfile::tempdir().unwrap())));
        let mut cases = [ALL, DATABASES].concat();
        // The driver commits between two tables, and does not find a name with a quote and an accent.
        let beyond = ["all_tables_show_one_moment", "tables_and_columns_with_hostile_names"];
        cases.retain(|(name, _)| !beyond.contains(name));
        check(&bench, cases).await;
    }
}

#[tokio::test]
async fn postgres_server() {
    if has_driver("PostgreSQL Unicode")
        && let Some(server) = servers::postgres().await
    {
        let bench = Bench::Odbc(Box::new(Bench::Postgres(server)));
        check(&bench, [ALL, DATABASES, TYPES, THROUGH_DRIVERS].concat()).await;
    }
}

#[tokio::test]
async fn mariadb_server() {
    if has_driver("MariaDB Unicode")
        && let Some(server) = servers::mariadb().await
    {
        let bench = Bench::Odbc(Box::new(Bench::Mariadb(server)));
        let cases = [ALL, DATABASES, TYPES, THROUGH_DRIVERS].concat();
        // Releases of the driver before 3.1.17 take in whole results before they give the first row: what
        // happens to the server later is not seen, and silence before it only when `timeout` is over.
        let streamed = [
            "a_million_rows_come_in_bounded_batches_and_flat_memory",
            "a_silent_server_is_given_up_on",
            "a_killed_connection_is_an_error",
        ];
        check(&bench, cases.into_iter().filter(|(name, _)| !streamed.contains(name)).collect()).await;
    }
}

const TYPES: &[Case] = &[("typed_columns", |bench| typed_columns(bench).boxed_local())];

async fn typed_columns(bench: &Bench) {
    let noon = bench.choose(["", "'2025-07-01 12:00:00+00'", "'2025-07-01 12:00:00'"]);
    let [bytes, instant, fraction] = [
        bench.choose(["blob", "bytea", "blob"]),
        bench.choose(["", "timestamptz", "timestamp null"]),
        bench.choose(["", "timestamp", "datetime(6)"]),
    ];
    let long = "Zoë 😀 ".repeat(5_000);
    bench
        .execute(&format!(
            "drop table if exists \"E\";
            create table \"E\" (id int, n numeric(38, 8), big bigint, f double precision, d date, t time, ts {fraction},
                tz {instant}, b {bytes}, note text, code char(4), flag boolean);
            insert into \"E\" values
            (1, 123456789012345678901234567890.12345678, 9223372036854775807, 0.1, '2024-02-29', '07:05:00',
                '2025-07-01 12:00:00.123456', {noon}, null, '{long}', 'ab', true),
            (2, -0.00000001, -1, 1e-7, '9999-12-31', '23:59:00', '1900-01-01 00:00:00', null, null, '', null, false),
            (3, null, null, null, null, null, null, null, 'ab', null, null, null)"
        ))
        .await;
    let timestamp =
        || Type::Timestamp { patterns: vec!["%F %T".into()], zone: chrono_tz::Tz::Europe__London };
    let mut contract = contract(&[
        ("id", Type::Int),
        ("n", decimal(38, 8)),
        ("big", Type::Int),
        ("f", decimal(18, 8)),
        ("d", date()),
        ("t", time()),
        ("ts", timestamp()),
        ("tz", timestamp()),
        ("b", Type::Text),
        ("note", Type::Text),
        ("code", Type::Text),
        ("flag", Type::Bool),
    ]);
    contract.totals = vec!["n".into(), "big".into()];
    let got = try_read(&bench.source(), &contract).await.unwrap();
    let rows = got.rows();
    assert_eq!(
        rows[0],
        format!(
            "1: 1, 123456789012345678901234567890.12345678, 9223372036854775807, 0.10000000, 2024-02-29, 07:05:00, \
             2025-07-01T11:00:00.123456Z, 2025-07-01T12:00:00Z, null, {long}, ab, true"
        )
    );
    assert_eq!(
        rows[1],
        "2: 2, -0.00000001, -1, 0.00000010, 9999-12-31, 23:59:00, 1900-01-01T00:00:00Z, null, null, null, null, false"
    );
    assert!(rows[2].starts_with("3! undecodable b: 2 bytes of binary data are not text"), "{}", rows[2]);
    let sum = &got.totals.sums["n"];
    assert_eq!(sum.source.as_deref(), Some("123456789012345678901234567890.12345677"));
    assert_eq!(got.totals.sums["big"].source.as_deref(), Some("9223372036854775806"));
}

#[tokio::test]
async fn what_cannot_be_entered_is_told() {
    let told = async |attributes: &str, product| {
        let address = Address::Odbc(Odbc { attributes: attributes.into(), user: None, product });
        let error = connector::open(&local(address)).await.unwrap_err();
        assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s")));
        format!("{error} / {}", error.advice().unwrap())
    };
    let unknown = told("Driver={Nobody};Server=127.0.0.1", None).await;
    assert!(unknown.contains("could not be entered") && unknown.contains("drivers"), "{unknown}");
    let source = told("DSN=nowhere", Some(Product::Oracle)).await;
    assert!(source.contains("see `address`"), "{source}");
    if has_driver("FreeTDS") {
        let tds = "Driver={FreeTDS};Server=127.0.0.1;Port=1;TDS_Version=7.4";
        let refused = told(tds, Some(Product::SqlServer)).await;
        assert!(refused.contains("127.0.0.1"), "{refused}");
    }
}
