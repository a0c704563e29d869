//! What only MySQL and MariaDB have.

use crate::connector::contract::Type;
use crate::connector::testing::*;
use crate::connector::transport::conformance::{Bench, Case, try_read};
use chrono_tz::Tz;
use futures::FutureExt;

pub(super) const CASES: &[Case] = &[
    ("native_types", |bench| native_types(bench).boxed_local()),
    ("values_that_contracts_refuse", |bench| values_that_contracts_refuse(bench).boxed_local()),
];

async fn native_types(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\";
            create table \"E\" (id varchar(9) collate utf8mb4_bin, b tinyint(1), t1 tinyint(1), i1 tinyint unsigned,
                i2 smallint, i3 mediumint unsigned, i8 bigint, u8 bigint unsigned, f float, g double,
                n decimal(38, 8), bt bit(3), e enum('PC', 'SGT'), s set('a', 'b'), j json, bp char(6), y year,
                d date, t time, dt datetime(6), ts timestamp null, lt longtext);
            insert into \"E\" values
            ('max', true, 2, 255, 32767, 16777215, 9223372036854775807, 18446744073709551615, 0.1, 1e-7,
                999999999999999999999999999999.99999999, b'101', 'SGT', 'a,b', '{\"a\": 1}', 'ab', 2024,
                '9999-12-31', '23:59:59', '2025-07-01 12:00:00.123456', '2025-07-01 12:00:00', 'Zoë 😀'),
            ('min', false, 0, 0, -32768, 0, -9223372036854775808, 0, -1, 0.1,
                -999999999999999999999999999999.99999999, b'0', 'PC', '', 'null', '', 1901,
                '1000-01-01', '00:00:00', '1000-01-01', '1970-01-01 00:00:01', '')",
        )
        .await;
    let timestamp = || Type::Timestamp { patterns: vec!["%F %T".into()], zone: Tz::Europe__London };
    let text = || Type::Text;
    let contract = contract(&[
        ("id", text()),
        ("b", Type::Bool),
        ("t1", Type::Int),
        ("i1", Type::Int),
        ("i2", Type::Int),
        ("i3", Type::Int),
        ("i8", Type::Int),
        ("u8", decimal(20, 0)),
        ("f", text()),
        ("g", decimal(38, 7)),
        ("n", decimal(38, 8)),
        ("bt", Type::Int),
        ("e", text()),
        ("s", text()),
        ("j", text()),
        ("bp", text()),
        ("y", Type::Int),
        ("d", date()),
        ("t", time()),
        ("dt", timestamp()),
        ("ts", timestamp()),
        ("lt", text()),
    ]);
    let got = try_read(&bench.source(), &contract).await.unwrap();
    assert_eq!(
        got.rows(),
        [
            "1: max, true, 2, 255, 32767, 16777215, 9223372036854775807, 18446744073709551615, 0.1, 0.0000001, \
             999999999999999999999999999999.99999999, 5, SGT, a,b, {\"a\": 1}, ab, 2024, 9999-12-31, 23:59:59, \
             2025-07-01T11:00:00.123456Z, 2025-07-01T12:00:00Z, Zoë 😀",
            "2: min, false, 0, 0, -32768, 0, -9223372036854775808, 0, -1, 0.1000000, \
             -999999999999999999999999999999.99999999, 0, PC, null, null, null, 1901, 1000-01-01, 00:00:00, \
             1000-01-01T00:01:15Z, 1970-01-01T00:00:01Z, null",
        ]
    );
}

async fn values_that_contracts_refuse(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\";
            create table \"E\" (id int, d date, dt datetime, t time, u bigint unsigned, raw blob, b tinyint(1));
            insert into \"E\" values
            (1, '0000-00-00', '0000-00-00 00:00:00', '-00:00:01', 18446744073709551615, x'ff00', 2),
            (2, '2024-00-00', '2025-10-26 01:30:00', '838:59:59', 1, null, 1),
            (3, '2024-02-31', '2025-03-30 01:30:00', null, null, null, null),
            (4, '1900-01-01', null, null, null, null, null)",
        )
        .await;
    let mut contract = contract(&[
        ("id", Type::Int),
        ("d", date()),
        ("dt", Type::Timestamp { patterns: vec!["%F %T".into()], zone: Tz::Europe__London }),
        ("t", time()),
        ("u", Type::Int),
        ("raw", Type::Text),
        ("b", Type::Bool),
    ]);
    contract.columns[1].null = vec!["01/01/1900".into()];
    let rows = |got: Got| -> Vec<String> {
        got.rows().iter().map(|row| row.split(" <").next().unwrap().into()).collect()
    };
    let got = rows(try_read(&bench.source(), &contract).await.unwrap());
    assert_eq!(
        got[0],
        "1! not_a_date d: \"0000-00-00\" is not a date written dd/MM/yyyy; \
         not_a_timestamp dt: \"0000-00-00\" is not a timestamp written yyyy-MM-dd HH:mm:ss; \
         not_a_time t: \"-00:00:01\" is not a time written HH:mm; \
         too_many_digits u: \"18446744073709551615\" does not fit a whole number of 64 bits; \
         undecodable raw: 2 bytes of binary data are not text; \
         not_a_bool b: \"2\" is not Y/N, 1/0, T/F, true/false or yes/no"
    );
    for part in ["not_a_date d: \"2024-00-00\"", "happens twice", "not_a_time t: \"838:59:59\""] {
        assert!(got[1].contains(part), "{part}: {}", got[1]);
    }
    for part in ["not_a_date d: \"2024-02-31\"", "never happens"] {
        assert!(got[2].contains(part), "{part}: {}", got[2]);
    }
    assert_eq!(got[3], "4: 4, null, null, null, null, null, null");
    contract.columns[1].null.push("0000-00-00".into());
    let got = rows(try_read(&bench.source(), &contract).await.unwrap());
    assert!(got[0].starts_with("1! not_a_timestamp dt"), "{}", got[0]);
}
