//! Files of JSON and of NDJSON.

use super::*;
use crate::connector::contract::Type;
use crate::connector::format;
use crate::connector::testing::*;
use crate::error::Kind;

fn json(columns: &[(&str, Type)], rows: Option<&str>, count: Option<&str>) -> Contract {
    let mut contract = contract(columns);
    let (rows, count) = (rows.map(Into::into), count.map(Into::into));
    layout(&mut contract).format = FileFormat::Json { rows, count };
    for column in &mut contract.columns {
        column.from = vec![column.name.clone()];
    }
    contract
}

fn from(mut contract: Contract, column: &str, from: &str) -> Contract {
    let column = contract.columns.iter_mut().find(|known| known.name == column).unwrap();
    column.from = vec![from.into()];
    contract
}

fn read_json(contract: &Contract, text: impl AsRef<[u8]>) -> Result<Got> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("E_1.json");
    std::fs::write(&path, text).unwrap();
    let tag = "2026-04-01T00:00:00Z".to_string();
    let file = SourceFile { name: "E_1.json".into(), tag, sha256: String::new(), path };
    let mut batches = Vec::new();
    let mut emit = |batch| {
        batches.push(batch);
        true
    };
    let totals =
        format::read(contract, contract.file.as_ref().unwrap(), &file, "s.e in 'E_1.json'", &mut emit)?;
    Ok(Got { batches, totals: totals.unwrap() })
}

fn id() -> Vec<(&'static str, Type)> {
    vec![("id", Type::Text)]
}

fn told(contract: &Contract, text: impl AsRef<[u8]>) -> String {
    let error = read_json(contract, text).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract, "{error}");
    format!("{error} / {}", error.advice().unwrap_or_default())
}

#[test]
fn rows_are_where_the_path_leads() {
    let one = r#"{"items": [{"id": "a"}, {"id": "b"}], "deep": {"x": [{"row": {"id": "c"}}, {"row": {"id": "d"}}]}}"#;
    for (path, text, expect) in [
        (None, r#"[{"id": "a"}, {"id": "b"}]"#, vec!["1: a", "2: b"]),
        (None, r#"{"id": "a"}"#, vec!["1: a"]),
        (Some("$[*]"), r#" [{"id":"a"}] [ {"id":"b"} ] []"#, vec!["1: a", "2: b"]),
        (Some("$.items[*]"), one, vec!["1: a", "2: b"]),
        (Some("$.deep.x[*].row"), one, vec!["1: c", "2: d"]),
        (Some("$.items[?@.id=='b']"), one, vec!["1: b"]),
        (Some("$..row"), one, vec!["1: c", "2: d"]),
        (Some("$.items[*]"), r#"{"items": []}"#, vec![]),
        (Some("$.items[*]"), r#"{"items": null}"#, vec![]),
    ] {
        let got = read_json(&json(&id(), path, None), text).unwrap();
        assert_eq!(got.rows(), expect, "{path:?} in {text}");
    }
}

#[test]
fn columns_are_where_their_paths_lead() {
    let columns = [("id", Type::Text), ("name", Type::Text), ("mail", Type::Text), ("file", Type::Text)];
    let contract = json(&columns, None, None);
    let contract = from(from(contract, "name", "supplier.Name"), "mail", "$.contacts[?@.kind=='mail'].at");
    let contract = from(contract, "file", "_file");
    let text = r#"[{"ID": "1", "supplier": {"name": "Acme"}, "contacts": [{"kind": "phone", "at": "0"},
        {"kind": "mail", "at": "a@b.example"}]}, {"id": "2", "supplier.name": "Dotted"}]"#;
    let got = read_json(&contract, text).unwrap();
    assert_eq!(got.rows(), ["1: 1, Acme, a@b.example, E_1.json", "2: 2, Dotted, null, E_1.json"]);
}

#[test]
fn money_never_goes_through_a_float() {
    let contract = json(&[("id", Type::Text), ("amount", decimal(38, 18))], Some("$.items[?@.id]"), None);
    let text = r#"{"items": [{"id": 12345678901234567890, "amount": 12345678901234567890.123456789012345678},
        {"id": "2", "amount": 0.1}, {"id": "3", "amount": 1.5E3}]}"#;
    let got = read_json(&contract, text).unwrap();
    assert_eq!(
        got.rows(),
        [
            "1: 12345678901234567890, 12345678901234567890.123456789012345678",
            "2: 2, 0.100000000000000000",
            "3: 3, 1500.000000000000000000"
        ]
    );
}

#[test]
fn arrays_and_objects_are_kept_as_their_text() {
    let contract = json(&[("id", Type::Text), ("tags", Type::Text)], None, None);
    let got = read_json(&contract, r#"[{"id": 1, "tags": [ "a b", { "c" : 1.10 } ]}]"#).unwrap();
    assert_eq!(got.rows(), [r#"1: 1, ["a b",{"c":1.10}]"#]);
}

#[test]
fn the_rows_of_a_child_know_their_parent_and_when_they_arrived() {
    let at = Type::Timestamp { patterns: Vec::new(), zone: chrono_tz::Tz::UTC };
    let contract = json(&[("id", Type::Text), ("of", Type::Text), ("at", at)], Some("$.notes[*]"), None);
    let contract = from(from(contract, "of", "_parent.request.number"), "at", "_received_at");
    let text = r#"{"_parent":{"request":{"number":"F/1"}}}
{"notes":[{"id":"a"}]}{"notes":[{"id":"b"}]}
{"_parent":{"request":{"number":"F/2"}}}
{"notes":[]}
{"_parent":{"request":{"number":"F/3"}}}
{"notes":[{"id":"c"}]}"#;
    let got = read_json(&contract, text).unwrap();
    let at = "2026-04-01T00:00:00Z";
    assert_eq!(
        got.rows(),
        [format!("1: a, F/1, {at}"), format!("2: b, F/1, {at}"), format!("3: c, F/3, {at}")]
    );
}

#[test]
fn the_number_of_rows_that_the_source_names_is_compared() {
    let contract = json(&id(), Some("$.items[*]"), Some("$.total"));
    let got = read_json(&contract, r#"{"total": 2, "items": [{"id":1}]}{"total": 2, "items": [{"id":2}]}"#)
        .unwrap();
    assert_eq!(got.totals.source_rows, Some(2));
    let told_of = told(&contract, r#"{"total": 3, "items": [{"id":1}]}"#);
    assert!(told_of.contains("the source counts 3 rows, but 1 were received"), "{told_of}");
    assert!(told(&contract, r#"{"items": [{"id":1}]}"#).contains("does not say how many"));
}

#[test]
fn what_is_no_answer_is_refused_and_not_shown() {
    let contract = json(&id(), Some("$.items[*]"), None);
    for (text, expect) in [
        ("<!DOCTYPE html><html><h1>Miller</h1>", "it begins with <!DOCTYPE html>"),
        ("Miller has no rights", "it begins with 'M'"),
        ("", "nothing came"),
        ("  \n ", "nothing came"),
        (r#"{"error": "Miller has no rights"}"#, "the answer has no \"items\""),
        (r#"{"items": [{"id": "Miller"}"#, "ends in its middle"),
        (r#"{"items": [{"id": "Miller" "x": 1}]}"#, "the JSON is broken"),
        (r#"{"items": [{"id": "Miller"}]} Miller"#, "page 2: this is not JSON: it begins with 'M'"),
        (r#"{"items": [{"number": "Miller"}]}"#, "column 'id' is missing"),
    ] {
        let told = told(&contract, text);
        assert!(told.starts_with("s.e in 'E_1.json'"), "{told}");
        assert!(told.contains(expect), "{text}: {told}");
        assert!(!told.contains("Miller"), "{told}");
    }
    assert!(told(&json(&id(), Some("$[*]"), None), r#"{"error": 1}"#).contains("no array of rows"));
}

#[test]
fn depth_and_malformed_bytes_are_errors_and_not_crashes() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(told(&json(&id(), None, None), deep).contains("deeper than 100 levels"));
    assert!(told(&json(&id(), None, None), b"[{\"id\": \"\xff\"}]").contains("the JSON is broken"));
    let long = format!("{{\"items\": [{{\"id\": \"{}\"}}]}}", "x".repeat(3 << 20));
    let got = read_json(&json(&id(), Some("$.items[*]"), None), long).unwrap();
    assert_eq!(got.totals.received_rows, 1);
}

#[test]
fn many_small_texts_are_read_across_the_ends_of_what_is_read_at_once() {
    let text: String = (0..40_000).map(|at| format!("{{\"id\": \"{at:030}\"}}\n")).collect();
    let got = read_json(&json(&id(), None, None), text).unwrap();
    assert_eq!(got.totals.received_rows, 40_000);
    assert_eq!(got.rows()[39_999], format!("40000: {:030}", 39_999));
}

#[test]
fn a_broken_line_is_a_bad_row_and_no_lost_file() {
    let mut contract = json(&[("id", Type::Text), ("n", Type::Int)], None, None);
    layout(&mut contract).format = FileFormat::Ndjson;
    let text = "\u{feff}{\"id\": \"a\", \"n\": 1}\r\n\n{\"id\": \"b\", \"n\": \n[1]\n{\"id\": \"c\", \"n\": \"x\"}\n{\"id\": \"d\"}";
    let got = read_json(&contract, text).unwrap();
    let rows = got.rows();
    assert_eq!(rows[0], "1: a, 1");
    assert!(rows[1].starts_with("3! ragged_row row: broken JSON in column"), "{}", rows[1]);
    assert!(rows[2].starts_with("4! ragged_row row: not a JSON object <[1]>"), "{}", rows[2]);
    assert!(rows[3].starts_with("5! not_a_number n:"), "{}", rows[3]);
    assert_eq!(rows[4], "6: d, null");
}

#[test]
fn ambiguous_paths_are_errors() {
    assert!(Path::parse("$.items[").is_err());
    assert!(matches!(Path::parse("$.a.b[*]"), Ok(Path::Steps(steps)) if steps.len() == 3));
    assert!(matches!(Path::parse("$['a b'][*]"), Ok(Path::Query(_))));
}

#[test]
fn rows_in_rows_know_what_they_are_part_of() {
    let columns = [("id", Type::Text), ("staff", Type::Text), ("day", Type::Text)];
    let of = |rows: &str, staff: &str, day: &str| {
        from(from(json(&columns, Some(rows), None), "staff", staff), "day", day)
    };
    let text = r#"{"day": "Monday", "staff": [
        {"no": "7", "who": {"name": "Ann"}, "shifts": [{"id": "a"}, {"id": "b"}]},
        {"no": "8", "who": {"name": "Bo"}, "shifts": []},
        {"no": "9", "who": {"name": "Cy"}, "shifts": [{"id": "c"}]}]}"#;
    let got = read_json(&of("$.staff[*].shifts[*]", "_parent.no", "_parent.who.name"), text).unwrap();
    assert_eq!(got.rows(), ["1: a, 7, Ann", "2: b, 7, Ann", "3: c, 9, Cy"]);
    let got =
        read_json(&of("$.staff[*]", "no", "_parent.day"), r#"{"day": "x", "staff": [{"id": 1, "no": 2}]}"#);
    assert_eq!(got.unwrap().rows(), ["1: 1, 2, x"]);
}

#[test]
fn a_member_that_no_row_has_is_refused_unless_drift_allows_it() {
    let mut contract = json(&[("id", Type::Text), ("note", Type::Text)], None, None);
    assert!(told(&contract, r#"[{"id": "a"}, {"id": "b"}]"#).contains("column 'note' is missing"));
    assert!(read_json(&contract, "[]").is_ok(), "nothing is missing where there are no rows");
    contract.drift.missing = crate::connector::contract::Policy::Evolve;
    let got = read_json(&contract, r#"[{"id": "a"}]"#).unwrap();
    assert_eq!(
        (got.rows().as_slice(), got.totals.findings.len()),
        (["1: a, null".to_string()].as_slice(), 1)
    );
    assert!(told(&contract, r#"[{"note": "a"}]"#).contains("column 'id' is missing"), "the key is required");
}
