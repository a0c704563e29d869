//! What every transport does alike. A new transport adds a variant to [`Kind`].

use crate::connector::contract::{Contract, Type};
use crate::connector::testing::*;
use crate::connector::{self, Extract, Offer, SourceFile, Span, read_file};
use crate::error::{self, Result};
use crate::project::{Address, Source};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Sqlite,
    Files,
}

const ALL: [Kind; 2] = [Kind::Sqlite, Kind::Files];

type Texts = Vec<Option<String>>;

fn texts(cells: &[&str]) -> Texts {
    cells.iter().map(|text| Some(text.to_string())).collect()
}

/// A source that offers `rows` under `header`; rows are numbered from its first `_row`.
async fn offer(kind: Kind, dir: &TempDir, header: &[String], rows: &[Texts]) -> (Source, i64) {
    let (address, first) = match kind {
        Kind::Sqlite => {
            let path = dir.path().join("source.db");
            write_sqlite(&path, header, rows).await;
            (Address::Sqlite(path), 1)
        }
        Kind::Files => {
            let mut csv = csv::Writer::from_path(dir.path().join("E_1.csv")).unwrap();
            csv.write_record(header).unwrap();
            for row in rows {
                csv.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or(""))).unwrap();
            }
            csv.flush().unwrap();
            (Address::Folder(dir.path().into()), 2)
        }
    };
    (source(address), first)
}

fn source(address: Address) -> Source {
    let access = Default::default();
    Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address, access }
}

async fn write_sqlite(path: &std::path::Path, header: &[String], rows: &[Texts]) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let names: Vec<String> = header.iter().map(|name| format!("\"{name}\"")).collect();
    let create = format!("create table E ({})", names.join(", "));
    sqlx::query(AssertSqlSafe(create)).execute(&mut *transaction).await.unwrap();
    let marks = vec!["?"; header.len()].join(", ");
    for row in rows {
        let mut insert = sqlx::query(AssertSqlSafe(format!("insert into E values ({marks})")));
        for cell in row {
            insert = insert.bind(cell);
        }
        insert.execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    connection.close().await.unwrap();
}

/// Reads the table, or the only file.
async fn open(source: &Source, contract: &Contract) -> Result<Extract> {
    let mut session = connector::open(source).await?;
    let Offer::Files { ready, .. } = session.offers(contract).await? else {
        return session.read(contract, &Span::Whole).await;
    };
    assert_eq!(ready.len(), 1);
    let Address::Folder(folder) = &source.address else { panic!("files outside a folder") };
    let path = folder.join(&ready[0].name);
    let file = SourceFile { name: ready[0].name.clone(), tag: String::new(), sha256: String::new(), path };
    read_file(source, contract, &file)
}

async fn run(kind: Kind, contract: &Contract, header: &[String], rows: &[Texts]) -> Result<(Got, i64)> {
    let dir = tempfile::tempdir().unwrap();
    let (source, first) = offer(kind, &dir, header, rows).await;
    Ok((drain(open(&source, contract).await?).await?, first))
}

fn header(contract: &Contract) -> Vec<String> {
    contract.columns.iter().map(|column| column.from[0].clone()).collect()
}

fn every_type() -> Contract {
    contract(&[
        ("id", Type::Text),
        ("text", Type::Text),
        ("bool", Type::Bool),
        ("int", Type::Int),
        ("decimal", decimal(38, 4)),
        ("date", date()),
        ("time", time()),
        ("timestamp", timestamp()),
    ])
}

#[tokio::test]
async fn every_type_with_extremes_and_null() {
    let contract = every_type();
    let nines = format!("{}.9999", "9".repeat(34));
    let mut rows = vec![
        texts(&["max", "z", "Y", "9223372036854775807", &nines, "31/12/9999", "23:59", "31/12/9999 23:59"]),
        texts(&[
            "min",
            " ",
            "N",
            "-9223372036854775808",
            &format!("-{nines}"),
            "01/01/0001",
            "00:00",
            "01/01/0001 00:00",
        ]),
        texts(&["mid", "a,b\n\"c\"", "1", "0", "-0.5", "29/02/2024", "7:05", "01/07/2025 12:00"]),
    ];
    rows.push([vec![Some("null".to_string())], vec![None; 7]].concat());
    for kind in ALL {
        let (got, first) = run(kind, &contract, &header(&contract), &rows).await.unwrap();
        let expect = [
            format!("max, z, true, 9223372036854775807, {nines}, 9999-12-31, 23:59:00, 9999-12-31T23:59:00Z"),
            // London kept its own mean time, 75 seconds behind Greenwich, until 1847.
            format!(
                "min, null, false, -9223372036854775808, -{nines}, 0001-01-01, 00:00:00, 0001-01-01T00:01:15Z"
            ),
            "mid, a,b\n\"c\", true, 0, -0.5000, 2024-02-29, 07:05:00, 2025-07-01T11:00:00Z".to_string(),
            "null, null, null, null, null, null, null, null".to_string(),
        ];
        let values: Vec<String> =
            got.rows().iter().map(|row| row.split_once(": ").unwrap().1.to_string()).collect();
        assert_eq!(values, expect, "{kind:?}");
        assert!(got.rows()[0].starts_with(&format!("{first}: ")));
        assert_eq!(got.totals.received_rows, 4);
    }
}

#[tokio::test]
async fn both_give_the_same_hashes_for_the_same_rows() {
    let contract = every_type();
    let row = texts(&["k", "x", "Y", "1", "1.5", "01/04/2024", "07:05", "01/07/2025 12:00"]);
    let mut hashes = Vec::new();
    for kind in ALL {
        let (got, _) = run(kind, &contract, &header(&contract), std::slice::from_ref(&row)).await.unwrap();
        hashes.push((got.hex("_key_hash"), got.hex("_row_hash")));
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn unicode() {
    let contract = contract(&[("id", Type::Text), ("name", Type::Text)]);
    let rows = [texts(&["1", "Zoë O’Brien-Łukasz"]), texts(&["2", "李 😀 e\u{301}"])];
    for kind in ALL {
        let (got, first) = run(kind, &contract, &header(&contract), &rows).await.unwrap();
        let expect = [format!("{first}: 1, Zoë O’Brien-Łukasz"), format!("{}: 2, 李 😀 e\u{301}", first + 1)];
        assert_eq!(got.rows(), expect, "{kind:?}");
    }
}

#[tokio::test]
async fn an_empty_source_is_complete() {
    let contract = every_type();
    for kind in ALL {
        let (got, _) = run(kind, &contract, &header(&contract), &[]).await.unwrap();
        assert_eq!(got.rows(), Vec::<String>::new(), "{kind:?}");
        assert_eq!(got.totals.received_rows, 0);
        assert_eq!(got.totals.source_rows, (kind == Kind::Sqlite).then_some(0));
    }
}

#[tokio::test]
async fn two_hundred_columns_in_any_order_and_case_with_others_between() {
    let names: Vec<String> = (0..200).map(|at| format!("c{at}")).collect();
    let columns: Vec<(&str, Type)> = names.iter().map(|name| (name.as_str(), Type::Int)).collect();
    let contract = contract(&columns);
    let mut header: Vec<String> = names.iter().rev().map(|name| name.to_uppercase()).collect();
    header[7] = header[7].to_lowercase();
    header.insert(100, "EXTRA".into());
    let mut row: Vec<String> = (0..200).rev().map(|at| at.to_string()).collect();
    row.insert(100, "not a number".into());
    let row: Texts = row.into_iter().map(Some).collect();
    let expect: Vec<String> = (0..200).map(|at| at.to_string()).collect();
    for kind in ALL {
        let (got, first) = run(kind, &contract, &header, std::slice::from_ref(&row)).await.unwrap();
        assert_eq!(got.rows(), [format!("{first}: {}", expect.join(", "))], "{kind:?}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_rows_come_in_bounded_batches() {
    let mut contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2))]);
    contract.totals = vec!["amount".into(), "id".into()];
    let rows: Vec<Texts> = (0..100_000).map(|at| texts(&[&at.to_string(), "0.25"])).collect();
    for kind in ALL {
        let (got, first) = run(kind, &contract, &header(&contract), &rows).await.unwrap();
        assert_eq!(got.totals.received_rows, 100_000, "{kind:?}");
        assert_eq!(got.totals.sums["amount"].received, "25000.00");
        assert_eq!(got.totals.sums["id"].received, "4999950000");
        assert!(got.batches.len() > 1);
        assert!(got.batches.iter().all(|batch| batch.num_rows() <= 65_536));
        assert_eq!(got.rows().last().unwrap(), &format!("{}: 99999, 0.25", 99_999 + first));
    }
}

#[tokio::test]
async fn a_dropped_extract_stops_its_reader() {
    let contract = contract(&[("id", Type::Int)]);
    let rows: Vec<Texts> = (0..200_000).map(|at| texts(&[&at.to_string()])).collect();
    for kind in ALL {
        let dir = tempfile::tempdir().unwrap();
        let (source, _) = offer(kind, &dir, &header(&contract), &rows).await;
        let mut extract = open(&source, &contract).await.unwrap();
        assert!(extract.next().await.unwrap().is_ok());
        drop(extract);
        // The test's runtime waits for blocking threads when it ends: a reader that went on would hang it.
    }
}

#[tokio::test]
async fn the_totals_of_an_unfinished_extract_are_refused() {
    let contract = contract(&[("id", Type::Int)]);
    for kind in ALL {
        let dir = tempfile::tempdir().unwrap();
        let (source, _) = offer(kind, &dir, &header(&contract), &[texts(&["1"])]).await;
        let mut extract = open(&source, &contract).await.unwrap();
        assert!(extract.next().await.unwrap().is_ok());
        assert_eq!(extract.totals().unwrap_err().kind(), error::Kind::Internal);
    }
}

#[tokio::test]
async fn missing_columns_are_named() {
    let contract = contract(&[("id", Type::Text), ("name", Type::Text), ("fte", Type::Text)]);
    for kind in ALL {
        let error = run(kind, &contract, &["ID".into(), "OTHER".into()], &[texts(&["1", "Miller"])])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), error::Kind::Contract, "{kind:?}");
        let shown = format!("{error} / {}", error.advice().unwrap());
        assert!(shown.starts_with("beds_s.e"), "{shown}");
        assert!(shown.contains("columns 'NAME', 'FTE' are missing"), "{shown}");
        assert!(shown.to_uppercase().contains("OTHER"), "{shown}");
        assert!(!shown.contains("Miller"), "{shown}");
    }
}

#[tokio::test]
async fn bad_rows_are_kept_with_all_reasons_and_claim_their_key() {
    let contract = contract(&[("id", Type::Text), ("n", Type::Int), ("day", date())]);
    let rows = [
        texts(&["a", "1", "01/04/2024"]),
        texts(&["b", "1.O", "31/02/2025"]),
        texts(&["a", "2", ""]),
        texts(&["", "x", ""]),
        texts(&["", "x", ""]),
    ];
    for kind in ALL {
        let (got, first) = run(kind, &contract, &header(&contract), &rows).await.unwrap();
        let reasons: Vec<String> =
            got.rows().iter().map(|row| row.split(" <").next().unwrap().to_string()).collect();
        let bad = |row: i64, text: &str| format!("{}! {text}", first + row);
        let keyless = "required id: the value is missing; not_a_number n: \"x\" is not a whole number";
        let expect = [
            format!("{first}: a, 1, 2024-04-01"),
            bad(
                1,
                "not_a_number n: \"1.O\" is not a whole number; \
                 not_a_date day: \"31/02/2025\" is not a date written dd/MM/yyyy",
            ),
            bad(2, &format!("duplicate_key id: row {first} has the same key")),
            bad(3, keyless),
            bad(4, keyless),
        ];
        assert_eq!(reasons, expect, "{kind:?}");
        let (keys, claims) = (got.hex("_key_hash"), got.hex("_claimed_key"));
        assert_eq!(claims[2], keys[0], "the duplicate claims the key of the first");
        assert!(claims[0].is_none() && claims[1].is_some() && claims[3].is_none() && claims[4].is_none());
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "no two rows share a key hash");
        let rows = got.hex("_row_hash");
        assert_eq!(rows[3], rows[4], "what was received is the same");
    }
}

#[tokio::test]
async fn unreachable_sources_are_source_errors() {
    let contract = contract(&[("id", Type::Text)]);
    for address in [Address::Sqlite("/nowhere/at/all.db".into()), Address::Folder("/nowhere/at/all".into())] {
        let source = source(address);
        let error = match open(&source, &contract).await {
            Ok(extract) => drain(extract).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), error::Kind::Source);
        assert_eq!(error.place(), Some("beds_s.e"));
    }
}

#[tokio::test]
async fn entities_that_a_transport_cannot_find_are_config_errors() {
    let mut contract = contract(&[("id", Type::Text)]);
    (contract.table, contract.file) = (None, None);
    for kind in ALL {
        let dir = tempfile::tempdir().unwrap();
        let (source, _) = offer(kind, &dir, &header(&contract), &[]).await;
        let error = open(&source, &contract).await.unwrap_err();
        assert_eq!(error.kind(), error::Kind::Config, "{kind:?}");
    }
}
