//! What only PostgreSQL has.

use crate::connector::contract::Type;
use crate::connector::testing::*;
use crate::connector::transport::conformance::{Bench, Case, try_read};
use crate::error;
use chrono_tz::Tz;
use futures::FutureExt;

pub(super) const CASES: &[Case] = &[
    ("native_types", |bench| native_types(bench).boxed_local()),
    ("values_that_contracts_refuse", |bench| values_that_contracts_refuse(bench).boxed_local()),
    ("schemas_views_and_partitions", |bench| schemas_views_and_partitions(bench).boxed_local()),
    ("broken_views_do_not_show_values", |bench| broken_views_do_not_show_values(bench).boxed_local()),
];

async fn native_types(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\"; drop domain if exists money_amount; drop type if exists grade;
            create domain money_amount as numeric(18, 2); create type grade as enum ('PC', 'SGT');
            create table \"E\" (id uuid, b boolean, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8,
                n numeric, a money_amount, m money, g grade, bp char(6), c \"char\", j jsonb, arr int[],
                d date, t time, tz timetz, ts timestamp, tstz timestamptz, iv interval);
            insert into \"E\" values
            ('00000000-0000-0000-0000-000000000001', true, -32768, -2147483648, -9223372036854775808, 4294967295,
                0.1, 0.1, 12345678901234567890123456789012.3456, -1234.50, '1234.5', 'SGT', 'ab', 'x',
                '{\"a\": 1}', '{1,2}', '2024-02-29', '07:05', '07:05+01', '2025-07-01 12:00',
                '2025-07-01 12:00+00', '1 day'),
            ('00000000-0000-0000-0000-000000000002', false, 32767, 2147483647, 9223372036854775807, 0,
                -1e20, 1e-7, -0.00000001, 99999999999999.99, '-1', 'PC', '', null, 'null', '{}',
                '0001-01-01', '23:59:59', '00:00-05:30', '0001-01-01 00:00', '9999-12-31 23:59:59.999999+00', '0'),
            ('00000000-0000-0000-0000-000000000003', null, null, null, null, null, null, null, null, null, null,
                null, null, null, null, null, null, null, null, null, null, null)",
        )
        .await;
    let timestamp = || Type::Timestamp { patterns: vec!["%F %T".into()], zone: Tz::Europe__London };
    let text = || Type::Text;
    let contract = contract(&[
        ("id", text()),
        ("b", Type::Bool),
        ("i2", Type::Int),
        ("i4", Type::Int),
        ("i8", Type::Int),
        ("o", Type::Int),
        ("f4", text()),
        ("f8", decimal(38, 7)),
        ("n", decimal(38, 8)),
        ("a", decimal(18, 2)),
        ("m", decimal(18, 2)),
        ("g", text()),
        ("bp", text()),
        ("c", text()),
        ("j", text()),
        ("arr", text()),
        ("d", date()),
        ("t", time()),
        ("tz", text()),
        ("ts", timestamp()),
        ("tstz", timestamp()),
        ("iv", text()),
    ]);
    let got = try_read(&bench.source(), &contract).await.unwrap();
    let id = "00000000-0000-0000-0000-00000000000";
    let expect = [
        format!(
            "1: {id}1, true, -32768, -2147483648, -9223372036854775808, 4294967295, 0.1, 0.1000000, \
             12345678901234567890123456789012.34560000, -1234.50, 1234.50, SGT, ab, x, {{\"a\": 1}}, {{1,2}}, \
             2024-02-29, 07:05:00, 07:05:00+01:00, 2025-07-01T11:00:00Z, 2025-07-01T12:00:00Z, 1 day"
        ),
        format!(
            "2: {id}2, false, 32767, 2147483647, 9223372036854775807, 0, -100000000000000000000, 0.0000001, \
             -0.00000001, 99999999999999.99, -1.00, PC, null, null, null, {{}}, 0001-01-01, 23:59:59, \
             00:00:00-05:30, 0001-01-01T00:01:15Z, 9999-12-31T23:59:59.999999Z, 00:00:00"
        ),
        format!("3: {id}3{}", ", null".repeat(21)),
    ];
    // The JSON null is a text, not a missing value; it looks the same here.
    assert_eq!(got.rows(), expect);
}

async fn values_that_contracts_refuse(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\";
            create table \"E\" (id int, n numeric, f float8, d date, t time, ts timestamp, raw bytea);
            insert into \"E\" values
            (1, 'NaN', 'Infinity', 'infinity', '24:00', 'infinity', null),
            (2, 1e300, 0.1::float8 + 0.2, '0001-01-01 BC', '07:05:00.25', '2025-10-26 01:30', '\\xff00'),
            (3, 0.00001, 0, '10000-01-01', null, '2025-03-30 01:30', null),
            (4, 1, 1, '4712-12-31', null, null, null)",
        )
        .await;
    let mut contract = contract(&[
        ("id", Type::Int),
        ("n", decimal(18, 2)),
        ("f", decimal(18, 2)),
        ("d", date()),
        ("t", time()),
        ("ts", Type::Timestamp { patterns: vec!["%F %T".into()], zone: Tz::Europe__London }),
        ("raw", Type::Text),
    ]);
    contract.columns[3].open_ended = vec!["31/12/4712".into(), "infinity".into()];
    let got = try_read(&bench.source(), &contract).await.unwrap();
    let rows: Vec<String> = got.rows().iter().map(|row| row.split(" <").next().unwrap().into()).collect();
    assert_eq!(
        rows[0],
        "1! not_a_number n: \"NaN\" is not a decimal(18,2); not_a_number f: \"Infinity\" is not a decimal(18,2); \
         not_a_time t: \"24:00:00\" is not a time written HH:mm; \
         not_a_timestamp ts: \"infinity\" is not a timestamp written yyyy-MM-dd HH:mm:ss"
    );
    assert!(rows[1].starts_with("2! too_many_digits n: \"1000000"), "{}", rows[1]);
    for part in [
        "too_many_digits f: \"0.30000000000000004\"",
        "not_a_date d: \"0000-01-01\"",
        "not_a_time t: \"07:05:00.250000\"",
        "ambiguous_time ts: \"2025-10-26 01:30:00\" happens twice",
        "undecodable raw: 2 bytes",
    ] {
        assert!(rows[1].contains(part), "{part}: {}", rows[1]);
    }
    for part in ["too_many_digits n: \"0.00001\"", "not_a_date d: \"+10000-01-01\"", "never happens"] {
        assert!(rows[2].contains(part), "{part}: {}", rows[2]);
    }
    assert_eq!(rows[3], "4: 4, 1.00, 1.00, 9999-12-31, null, null, null");
}

async fn schemas_views_and_partitions(bench: &Bench) {
    bench
        .execute(
            "drop schema if exists \"Hr\" cascade; create schema \"Hr\"; grant usage on schema \"Hr\" to reader;
            create table \"Hr\".\"Position\" (id int, name text) partition by range (id);
            create table \"Hr\".low partition of \"Hr\".\"Position\" for values from (0) to (10);
            create table \"Hr\".rest partition of \"Hr\".\"Position\" default;
            insert into \"Hr\".\"Position\" values (1, 'a'), (11, 'b');
            create view \"Hr\".v as select * from \"Hr\".\"Position\" where id > 10;
            create table \"Hr\".twice (id int, name text, \"NAME\" text);
            create materialized view \"Hr\".m as select 7 as id, 'm' as name;
            grant select on all tables in schema \"Hr\" to reader",
        )
        .await;
    let mut contract = contract(&[("id", Type::Int), ("name", Type::Text)]);
    for (table, expect) in [
        ("hr.position", &["1: 1, a", "2: 11, b"][..]),
        ("Hr.Position", &["1: 1, a", "2: 11, b"]),
        ("HR.V", &["1: 11, b"]),
        ("hr.m", &["1: 7, m"]),
    ] {
        contract.table = Some(table.into());
        assert_eq!(try_read(&bench.source(), &contract).await.unwrap().rows(), expect, "{table}");
    }
    contract.table = Some("position".into());
    let error = try_read(&bench.source(), &contract).await.unwrap_err();
    assert_eq!(error.to_string(), "beds_s.e: table 'position' is missing");
    contract.table = Some("hr.twice".into());
    assert_eq!(try_read(&bench.source(), &contract).await.unwrap().rows(), Vec::<String>::new());
    contract.columns[1].from = vec!["Name".into()];
    let error = try_read(&bench.source(), &contract).await.unwrap_err();
    assert_eq!(error.kind(), error::Kind::Contract);
    assert!(error.advice().unwrap().contains("name, NAME"));
}

async fn broken_views_do_not_show_values(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\" cascade; create table \"E\" (id text); insert into \"E\" values ('Miller');
            create or replace view broken as select id::int as id from \"E\"",
        )
        .await;
    let mut contract = contract(&[("id", Type::Int)]);
    contract.table = Some("broken".into());
    let error = try_read(&bench.source(), &contract).await.unwrap_err();
    assert_eq!(error.kind(), error::Kind::Source);
    assert!(format!("{error:?}").contains("22P02") && !format!("{error:?}").contains("Miller"), "{error:?}");
    bench.execute("drop view broken").await;
}
