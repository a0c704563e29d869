//! What sources of every kind do alike.

use crate::connector::contract::{Contract, Type};
use crate::connector::testing::*;
use crate::connector::transport::conformance::{Bench, Texts, header, open, run, texts};
use crate::error;

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

pub(super) async fn every_type_with_extremes_and_null(bench: &Bench) {
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
    let (got, first) = run(bench, &contract, &header(&contract), &rows).await.unwrap();
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
    assert_eq!(values, expect);
    assert!(got.rows()[0].starts_with(&format!("{first}: ")));
    assert_eq!(got.totals.received_rows, 4);
}

pub(super) async fn the_same_row_has_the_same_hashes_everywhere(bench: &Bench) {
    let contract = every_type();
    let row = texts(&["k", "x", "Y", "1", "1.5", "01/04/2024", "07:05", "01/07/2025 12:00"]);
    let mut hashes = Vec::new();
    for bench in [bench, &Bench::files()] {
        let (got, _) = run(bench, &contract, &header(&contract), std::slice::from_ref(&row)).await.unwrap();
        hashes.push((got.hex("_key_hash"), got.hex("_row_hash")));
    }
    assert_eq!(hashes[0], hashes[1]);
}

pub(super) async fn unicode(bench: &Bench) {
    let contract = contract(&[("id", Type::Text), ("name", Type::Text)]);
    let rows = [texts(&["1", "Zoë O’Brien-Łukasz"]), texts(&["2", "李 😀 e\u{301}"])];
    let (got, first) = run(bench, &contract, &header(&contract), &rows).await.unwrap();
    let expect = [format!("{first}: 1, Zoë O’Brien-Łukasz"), format!("{}: 2, 李 😀 e\u{301}", first + 1)];
    assert_eq!(got.rows(), expect);
}

pub(super) async fn an_empty_source_is_complete(bench: &Bench) {
    let contract = every_type();
    let (got, _) = run(bench, &contract, &header(&contract), &[]).await.unwrap();
    assert_eq!(got.rows(), Vec::<String>::new());
    assert_eq!(got.totals.received_rows, 0);
    assert_eq!(got.totals.source_rows, bench.is_database().then_some(0));
}

pub(super) async fn two_hundred_columns_in_any_order_and_case_with_others_between(bench: &Bench) {
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
    let (got, first) = run(bench, &contract, &header, std::slice::from_ref(&row)).await.unwrap();
    assert_eq!(got.rows(), [format!("{first}: {}", expect.join(", "))]);
}

pub(super) async fn a_million_rows_come_in_bounded_batches_and_flat_memory(bench: &Bench) {
    let mut contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("name", Type::Text)]);
    contract.totals = vec!["amount".into(), "id".into()];
    let source = bench.offer_many(1_000_000).await;
    let before = reset_peak();
    let mut extract = open(&source, &contract).await.unwrap();
    let mut rows = 0;
    while let Some(batch) = extract.next().await {
        let batch = batch.unwrap();
        assert!(batch.num_rows() <= 65_536);
        rows += batch.num_rows();
    }
    let totals = extract.totals().unwrap();
    assert_eq!((rows, totals.received_rows), (1_000_000, 1_000_000));
    assert_eq!(totals.sums["amount"].received, "250000.00");
    assert_eq!(totals.sums["id"].received, "499999500000");
    if bench.is_server() {
        assert_eq!(totals.sums["amount"].source.as_deref(), Some("250000.00"));
        assert_eq!(totals.source_rows, Some(1_000_000));
    }
    if bench.has_greedy_driver() {
        return;
    }
    // The text of a table alone has 300 MB.
    let growth = peak().saturating_sub(before) >> 20;
    assert!(growth < 200, "reading took {growth} MiB");
}

/// The bytes of memory in use; the peak begins anew.
fn reset_peak() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").ok();
    status("VmRSS:")
}

fn peak() -> u64 {
    status("VmHWM:")
}

fn status(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    value.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

pub(super) async fn a_dropped_extract_stops_its_reader(bench: &Bench) {
    let contract = contract(&[("id", Type::Int)]);
    let rows: Vec<Texts> = (0..200_000).map(|at| texts(&[&at.to_string()])).collect();
    let (source, _) = bench.offer(&header(&contract), &rows).await;
    let mut extract = open(&source, &contract).await.unwrap();
    assert!(extract.next().await.unwrap().is_ok());
    drop(extract);
    // The test's runtime waits for blocking threads when it ends: a reader that went on would hang it.
}

pub(super) async fn the_totals_of_an_unfinished_extract_are_refused(bench: &Bench) {
    let contract = contract(&[("id", Type::Int)]);
    let (source, _) = bench.offer(&header(&contract), &[texts(&["1"])]).await;
    let mut extract = open(&source, &contract).await.unwrap();
    assert!(extract.next().await.unwrap().is_ok());
    assert_eq!(extract.totals().unwrap_err().kind(), error::Kind::Internal);
}

pub(super) async fn missing_columns_are_named(bench: &Bench) {
    let contract = contract(&[("id", Type::Text), ("name", Type::Text), ("fte", Type::Text)]);
    let error =
        run(bench, &contract, &["ID".into(), "OTHER".into()], &[texts(&["1", "Miller"])]).await.unwrap_err();
    assert_eq!(error.kind(), error::Kind::Contract);
    let shown = format!("{error} / {}", error.advice().unwrap());
    assert!(shown.starts_with("beds_s.e"), "{shown}");
    assert!(shown.contains("columns 'NAME', 'FTE' are missing"), "{shown}");
    assert!(shown.to_uppercase().contains("OTHER"), "{shown}");
    assert!(!shown.contains("Miller"), "{shown}");
}

pub(super) async fn bad_rows_are_kept_with_all_reasons_and_claim_their_key(bench: &Bench) {
    let contract = contract(&[("id", Type::Text), ("n", Type::Int), ("day", date())]);
    let rows = [
        texts(&["a", "1", "01/04/2024"]),
        texts(&["b", "1.O", "31/02/2025"]),
        texts(&["a", "2", ""]),
        texts(&["", "x", ""]),
        texts(&["", "x", ""]),
    ];
    let (got, first) = run(bench, &contract, &header(&contract), &rows).await.unwrap();
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
    assert_eq!(reasons, expect);
    let (keys, claims) = (got.hex("_key_hash"), got.hex("_claimed_key"));
    assert_eq!(claims[2], keys[0], "the duplicate claims the key of the first");
    assert!(claims[0].is_none() && claims[1].is_some() && claims[3].is_none() && claims[4].is_none());
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "no two rows share a key hash");
    let rows = got.hex("_row_hash");
    assert_eq!(rows[3], rows[4], "what was received is the same");
}

pub(super) async fn entities_that_a_transport_cannot_find_are_config_errors(bench: &Bench) {
    let mut contract = contract(&[("id", Type::Text)]);
    (contract.table, contract.file, contract.http) = (None, None, None);
    let (source, _) = bench.offer(&header(&contract), &[]).await;
    let error = open(&source, &contract).await.unwrap_err();
    assert_eq!(error.kind(), error::Kind::Config);
}
