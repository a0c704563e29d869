//! What databases do alike, and what servers do.

use crate::connector::contract::{Contract, Cursor, Lag, Mode, Type};
use crate::connector::testing::*;
use crate::connector::transport::conformance::servers::PASSWORD;
use crate::connector::transport::conformance::{Bench, open, proxied, quoted, read, try_read};
use crate::connector::{self, Session, Span, lowered};
use crate::error::{self, Error};
use crate::project::{Secret, Source};
use chrono_tz::Tz;
use std::time::{Duration, Instant};

/// A contract over `id` and a cursor.
fn with_cursor(ty: Type, lag: Lag) -> Contract {
    let mut contract = contract(&[("id", Type::Int), ("changed", ty)]);
    contract.mode = Mode::Cursor(Some(Cursor { column: "changed".into(), lag, sweep: None }));
    contract
}

fn moments() -> Contract {
    let patterns = vec!["%Y-%m-%d %H:%M:%S".into()];
    with_cursor(Type::Timestamp { patterns, zone: Tz::Europe__London }, Lag::Time(Duration::from_secs(60)))
}

/// The ids that a span reads, and its upper bound.
async fn ids(source: &Source, contract: &Contract, span: &Span) -> (Vec<String>, Option<String>) {
    let got = drain(read(source, contract, span).await.unwrap()).await.unwrap();
    let mut ids: Vec<String> =
        got.rows().iter().map(|row| row.split([' ', ',']).nth(1).unwrap().into()).collect();
    ids.sort();
    assert_eq!(got.totals.source_rows, Some(ids.len() as u64));
    (ids, got.totals.high)
}

pub(super) async fn tables_and_columns_with_hostile_names(bench: &Bench) {
    let table = r#"E"; drop table x; --'\ é %s $1 "#.trim();
    let longest = format!("{}é", "n".repeat(61));
    let names = ["ID", r#"a"b'c\d`e"#, "sélect * from", &longest, "c.d", "%(x)s {0}"];
    let columns: Vec<String> = names.iter().map(|name| format!("{} varchar(20)", quoted(name))).collect();
    let table_name = quoted(table);
    bench
        .execute(&format!(
            "drop table if exists {table_name}; create table {table_name} ({});
            insert into {table_name} values ('1', 'a', 'b', 'c', 'd', 'e')",
            columns.join(", ")
        ))
        .await;
    let columns: Vec<(String, Type)> = (0..names.len()).map(|at| (format!("c{at}"), Type::Text)).collect();
    let columns: Vec<(&str, Type)> = columns.iter().map(|(name, ty)| (name.as_str(), ty.clone())).collect();
    let mut contract = contract(&columns);
    contract.table = Some(table.into());
    for (column, name) in contract.columns.iter_mut().zip(names) {
        column.from = vec![name.to_uppercase()];
    }
    let got = try_read(&bench.source(), &contract).await.unwrap();
    assert_eq!(got.rows(), ["1: 1, a, b, c, d, e"]);
    bench.execute(&format!("drop table {table_name}")).await;
}

pub(super) async fn optional_columns_may_be_missing(bench: &Bench) {
    bench
        .execute("drop table if exists \"E\"; create table \"E\" (id int); insert into \"E\" values (7)")
        .await;
    let mut contract = contract(&[("id", Type::Int), ("name", Type::Text), ("day", date())]);
    contract.columns[1].optional = true;
    contract.columns[2].optional = true;
    assert_eq!(try_read(&bench.source(), &contract).await.unwrap().rows(), ["1: 7, null, null"]);
}

pub(super) async fn all_tables_show_one_moment(bench: &Bench) {
    bench
        .execute(
            "drop table if exists \"E\"; drop table if exists \"F\";
            create table \"E\" (id int); create table \"F\" (id int);
            insert into \"E\" values (1); insert into \"F\" values (1)",
        )
        .await;
    let mut contracts = [contract(&[("id", Type::Int)]), contract(&[("id", Type::Int)])];
    contracts[1].table = Some("F".into());
    let source = bench.source();
    let mut session: Session = connector::open(&source).await.unwrap();
    for contract in &contracts {
        bench.execute("insert into \"E\" values (2); insert into \"F\" values (2)").await;
        let extract = session.read(contract, &Span::Whole).await.unwrap();
        assert_eq!(drain(extract).await.unwrap().rows(), ["1: 1"]);
    }
    // One that fails does not harm the next.
    contracts[0].table = Some("nowhere".into());
    let missing = session.read(&contracts[0], &Span::Whole).await.unwrap();
    assert_eq!(drain(missing).await.unwrap_err().kind(), error::Kind::Absent);
    let extract = session.read(&contracts[1], &Span::Whole).await.unwrap();
    assert_eq!(drain(extract).await.unwrap().rows(), ["1: 1"]);
    drop(session);
    assert_eq!(try_read(&source, &contracts[1]).await.unwrap().rows().len(), 3);
}

pub(super) async fn spans_of_numbers(bench: &Bench) {
    let contract = with_cursor(Type::Int, Lag::Steps(2));
    let source = bench.source();
    bench.execute("drop table if exists \"E\"; create table \"E\" (id int, changed int)").await;
    assert_eq!(ids(&source, &contract, &Span::Whole).await, (vec![], None));
    bench.execute("insert into \"E\" values (1, 8), (2, 9), (3, 9), (4, 11), (5, null)").await;
    assert_eq!(ids(&source, &contract, &Span::Whole).await.1.as_deref(), Some("11"));
    let one = Span::Between("11".into(), "11".into());
    assert_eq!(ids(&source, &contract, &one).await.1, None);
    let (read, high) = ids(&source, &contract, &Span::Since(lowered("11", Lag::Steps(2)).unwrap())).await;
    assert_eq!((read.join(" ").as_str(), high.as_deref()), ("2 3 4 5", Some("11")));
}

pub(super) async fn spans_of_moments(bench: &Bench) {
    let contract = moments();
    let ty = bench.choose(["text", "timestamp", "datetime"]);
    bench
        .execute(&format!(
            "drop table if exists \"E\"; create table \"E\" (id int, changed {ty});
            insert into \"E\" values (1, '2024-01-31 23:59:59'), (2, '2024-02-01 00:00:00'),
                (3, '2024-02-01 00:00:00'), (4, '2025-07-01 12:00:00'), (5, null), (6, '2999-01-01 00:00:00')"
        ))
        .await;
    let source = bench.source();
    let clock = || chrono::Utc::now().with_timezone(&Tz::Europe__London).naive_local();
    let before = clock();
    let (all, high) = ids(&source, &contract, &Span::Whole).await;
    assert_eq!(all.join(" "), "1 2 3 4 5 6");
    let high = high.unwrap();
    let read = chrono::NaiveDateTime::parse_from_str(&high, "%Y-%m-%d %H:%M:%S%.6f").unwrap();
    assert!(before - Duration::from_millis(1) <= read && read <= clock(), "{before} {high}");
    let since = Span::Since("2024-02-01 00:00:00.000000".into());
    assert_eq!(ids(&source, &contract, &since).await.0.join(" "), "2 3 4 5");
    let between = |low: &str, top: &str| Span::Between(format!("{low}.000000"), format!("{top}.000000"));
    let february = between("2024-01-31 23:59:59", "2024-02-01 00:00:00");
    assert_eq!(ids(&source, &contract, &february).await, (vec!["1".into(), "2".into(), "3".into()], None));
    let to_come = between("2025-07-01 12:00:00", "2999-12-31 00:00:00");
    assert_eq!(ids(&source, &contract, &to_come).await, (vec!["4".into()], None));
    let error = read_error(&source, &contract, &Span::Since("4711".into())).await;
    assert_eq!(error.kind(), error::Kind::Lake);
}

async fn read_error(source: &Source, contract: &Contract, span: &Span) -> Error {
    match read(source, contract, span).await {
        Ok(extract) => drain(extract).await.unwrap_err(),
        Err(error) => error,
    }
}

pub(super) async fn spans_of_days(bench: &Bench) {
    let day = Type::Date { patterns: vec!["%Y-%m-%d".into()] };
    let contract = with_cursor(day, Lag::Time(Duration::from_secs(86_400)));
    let ty = bench.choose(["text", "date", "date"]);
    bench
        .execute(&format!(
            "drop table if exists \"E\"; create table \"E\" (id int, changed {ty});
            insert into \"E\" values (1, '2024-01-31'), (2, '2024-02-01'), (3, null), (4, '2999-01-01')"
        ))
        .await;
    let source = bench.source();
    let both = Span::Between("2024-01-31".into(), "2024-02-01".into());
    assert_eq!(ids(&source, &contract, &both).await, (vec!["1".into(), "2".into()], None));
    let (read, high) = ids(&source, &contract, &Span::Since("2024-02-01".into())).await;
    assert_eq!(read.join(" "), "2 3");
    assert_eq!(high.unwrap(), chrono::Utc::now().format("%Y-%m-%d").to_string());
}

pub(super) async fn late_commits_come_within_the_lag(bench: &Bench) {
    let contract = moments();
    let ty = bench.choose(["text", "timestamp", "datetime(6)"]);
    bench.execute(&format!("drop table if exists \"E\"; create table \"E\" (id int, changed {ty})")).await;
    let source = bench.source();
    let (_, high) = ids(&source, &contract, &Span::Whole).await;
    let high = high.unwrap();
    // Stamped before the read, and committed after it.
    let stamp = lowered(&high, Lag::Time(Duration::from_secs(30))).unwrap();
    bench.execute(&format!("insert into \"E\" values (1, '{}')", &stamp[..19])).await;
    let again = Span::Since(lowered(&high, contract.mode.cursor().unwrap().lag).unwrap());
    assert_eq!(ids(&source, &contract, &again).await.0, ["1"]);
    assert!(ids(&source, &contract, &Span::Since(high)).await.0.is_empty());
}

pub(super) async fn a_wrong_password_is_told_and_not_shown(bench: &Bench) {
    let mut source = bench.source();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "incorrect horse").unwrap();
    source.access.password = Some(Secret::File(secret));
    let error = connector::open(&source).await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (error::Kind::Source, Some("beds_s")));
    let shown = format!("{error} {} {error:?}", error.advice().unwrap());
    assert!(shown.contains("refused user 'reader'"), "{shown}");
    assert!(!shown.contains("incorrect horse") && !shown.contains(PASSWORD), "{shown}");
}

pub(super) async fn tables_that_may_not_be_read(bench: &Bench) {
    bench.execute("drop table if exists \"E\"; create table \"E\" (id int)").await;
    let (revoke, grant) = match bench.base() {
        Bench::Mariadb(_) => (
            "revoke select on source.* from reader; grant select on source.\"F\" to reader",
            "grant select on source.* to reader; revoke select on source.\"F\" from reader",
        ),
        _ => ("revoke all on \"E\" from reader", "grant select on \"E\" to reader"),
    };
    bench.execute(revoke).await;
    let error = try_read(&bench.source(), &contract(&[("id", Type::Int)])).await;
    bench.execute(grant).await;
    let error = error.unwrap_err();
    let shown = format!("{error} / {}", error.advice().unwrap());
    // MariaDB does not show tables that may not be read.
    let is_missing = shown.contains("is missing") && shown.contains("may read");
    assert!(shown.contains("needs the right to select") || is_missing, "{shown}");
}

/// A view that gives its only row after half a minute.
async fn slow(bench: &Bench) -> (Source, Contract) {
    bench
        .execute(bench.choose([
            "",
            "create or replace view slow as select (1 + length(pg_sleep(30)::text))::int as id",
            "create or replace view slow as select 1 + sleep(30) as id",
        ]))
        .await;
    let mut contract = contract(&[("id", Type::Int)]);
    contract.table = Some("slow".into());
    (bench.source(), contract)
}

/// How many queries of the reader run.
async fn running(bench: &Bench) -> usize {
    let rows = bench
        .execute(bench.choose([
            "",
            "select 'x' from pg_stat_activity where application_name = 'muster' and state = 'active'",
            "select 'x' from information_schema.processlist where user = 'reader' and command in ('Query', 'Execute')",
        ]))
        .await;
    rows.len()
}

async fn is_quiet_soon(bench: &Bench) {
    let started = Instant::now();
    while running(bench).await > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the query goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn a_slow_table_is_given_up_on(bench: &Bench) {
    let (mut source, contract) = slow(bench).await;
    source.access.timeout = Duration::from_secs(1);
    let started = Instant::now();
    let error = try_read(&source, &contract).await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (error::Kind::Source, Some("beds_s.e")));
    let shown = format!("{error} / {}", error.advice().unwrap());
    assert!(shown.contains("1s") && shown.contains("`timeout`"), "{shown}");
    assert!(started.elapsed() < Duration::from_secs(10));
    is_quiet_soon(bench).await;
}

pub(super) async fn a_silent_server_is_given_up_on(bench: &Bench) {
    let contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("name", Type::Text)]);
    let mut source = proxied(&bench.offer_many(100_000).await, 1_000_000, false).await;
    source.access.idle_timeout = Duration::from_secs(1);
    let error = try_read(&source, &contract).await.unwrap_err();
    let shown = format!("{error} / {}", error.advice().unwrap());
    assert_eq!(error.kind(), error::Kind::Source);
    assert!(shown.contains("sent nothing for 1s") && shown.contains("`idle_timeout`"), "{shown}");
}

pub(super) async fn a_dropped_extract_stops_the_query(bench: &Bench) {
    let (source, contract) = slow(bench).await;
    let mut extract = open(&source, &contract).await.unwrap();
    let started = Instant::now();
    while running(bench).await == 0 {
        assert!(started.elapsed() < Duration::from_secs(8), "the query does not start");
        tokio::time::timeout(Duration::from_millis(50), extract.next()).await.ok();
    }
    drop(extract);
    is_quiet_soon(bench).await;
}

pub(super) async fn a_killed_connection_is_an_error(bench: &Bench) {
    let contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("name", Type::Text)]);
    let source = bench.offer_many(500_000).await;
    let mut extract = open(&source, &contract).await.unwrap();
    assert!(extract.next().await.unwrap().is_ok());
    let kill = bench.choose([
        "",
        "select pg_terminate_backend(pid)::text from pg_stat_activity where application_name = 'muster'",
        "kill user reader",
    ]);
    bench.execute(kill).await;
    let error = drain(extract).await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (error::Kind::Source, Some("beds_s.e")));
}

pub(super) async fn a_cut_wire_is_an_error(bench: &Bench) {
    let contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("name", Type::Text)]);
    let direct = bench.offer_many(100_000).await;
    for bytes in [10, 5_000, 1_000_000, 10_000_000] {
        let source = proxied(&direct, bytes, true).await;
        let error = try_read(&source, &contract).await.map(|got| got.totals).unwrap_err();
        assert_eq!(error.kind(), error::Kind::Source, "{bytes}");
        assert!(error.advice().unwrap().contains("127.0.0.1"), "{bytes}: {}", error.advice().unwrap());
    }
}

pub(super) async fn columns_are_locked_while_they_are_read(bench: &Bench) {
    let contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("name", Type::Text)]);
    let source = bench.offer_many(500_000).await;
    let mut extract = open(&source, &contract).await.unwrap();
    assert!(extract.next().await.unwrap().is_ok());
    let alter = bench.choose([
        "",
        "do $$ begin set local lock_timeout = '300ms'; alter table \"E\" drop column \"NAME\";
            raise 'altered'; exception when lock_not_available then null; end $$",
        "begin not atomic declare continue handler for 1205 set @refused = 1;
            set lock_wait_timeout = 1; alter table \"E\" drop column \"NAME\"; end",
    ]);
    bench.execute(alter).await;
    let rest = drain(extract).await.unwrap();
    assert_eq!(rest.totals.received_rows, 500_000);
    assert!(rest.batches.iter().all(|batch| batch.column_by_name("name").unwrap().null_count() == 0));
}

pub(super) async fn tables_that_change_after_the_snapshot_are_refused(bench: &Bench) {
    let contract = contract(&[("id", Type::Int), ("name", Type::Text)]);
    let retype =
        bench.choose(["", "alter table \"E\" alter id type int8", "alter table \"E\" modify id bigint"]);
    let swap =
        "drop table \"E\"; create table \"E\" (id int, name varchar(9)); insert into \"E\" values (1, 'b')";
    let rename = "alter table \"E\" rename column name to title";
    for (change, kinds) in [
        ("truncate table \"E\"", [error::Kind::Source, error::Kind::Source]),
        (retype, [error::Kind::Source, error::Kind::Source]),
        (swap, [error::Kind::Source, error::Kind::Absent]),
        (rename, [error::Kind::Source, error::Kind::Contract]),
    ] {
        bench.execute(&format!("drop table if exists \"E\"; {}", &swap[15..])).await;
        let mut session = connector::open(&bench.source()).await.unwrap();
        bench.execute(change).await;
        let extract = session.read(&contract, &Span::Whole).await.unwrap();
        let error = drain(extract).await.expect_err(change);
        assert!(kinds.contains(&error.kind()), "{change}: {error}");
    }
}
