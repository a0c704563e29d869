use super::*;
use crate::connector::testing::*;
use datafusion::arrow::array::{BooleanArray, Int64Array, LargeStringArray, StringArray, StringViewArray};
use std::collections::HashSet;
use std::sync::Arc;

fn three() -> Contract {
    contract(&[("a", Type::Text), ("b", Type::Text), ("n", Type::Int)])
}

type Row<'a> = (Option<&'a str>, Option<&'a str>, Option<i64>);

fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let a: StringArray = rows.iter().map(|row| row.0).collect();
    let b: StringArray = rows.iter().map(|row| row.1).collect();
    let n: Int64Array = rows.iter().map(|row| row.2).collect();
    RecordBatch::try_from_iter([
        ("a", Arc::new(a) as ArrayRef),
        ("b", Arc::new(b) as ArrayRef),
        ("n", Arc::new(n) as ArrayRef),
    ])
    .unwrap()
}

fn hex(hashes: &[u128]) -> Vec<String> {
    hashes.iter().map(|hash| format!("{hash:032x}")).collect()
}

#[test]
fn the_recipe_never_changes_unnoticed() {
    let batch = batch(&[(Some("a"), None, Some(-1))]);
    assert_eq!(hex(&rows(&three(), &batch).unwrap()), [ROW]);
    assert_eq!(hex(&keys(&three(), &batch).unwrap()), [KEY]);
    assert_eq!(recipe(&three()), "2; key a; row a 1, b 1, n 3");
    let decimals = contract(&[("z", decimal(9, 2)), ("a", date())]);
    assert_eq!(recipe(&decimals), "2; key z; row a 5, z 4.2");
}

#[test]
fn a_column_more_keeps_the_hashes_and_a_column_fewer_does_not() {
    let two = recipe(&contract(&[("a", Type::Text), ("n", Type::Int)]));
    let three = recipe(&three());
    assert!(extends(&three, &three) && extends(&two, &three) && !extends(&three, &two));
    let retyped = recipe(&contract(&[("a", Type::Text), ("b", Type::Int), ("n", Type::Int)]));
    assert!(!extends(&three, &retyped));
    let mut keyed = self::three();
    keyed.key = vec!["b".into()];
    assert!(!extends(&three, &recipe(&keyed)), "another key");
    assert!(!extends("", &three), "before hashes had a recipe");
}

const ROW: &str = "d6029fbc8379d73bab29489d434c06cf";
const KEY: &str = "d06618e07379523c11280f7d3e70b449";

#[test]
fn neighbours_do_not_run_together() {
    let all = [
        (Some("ab"), Some("c"), None),
        (Some("a"), Some("bc"), None),
        (Some("abc"), None, None),
        (None, Some("abc"), None),
        (Some("abc"), Some(""), None),
        (Some("abc"), None, Some(0)),
        (Some("c"), Some("ab"), None),
        (None, None, None),
    ];
    let hashes: HashSet<u128> = rows(&three(), &batch(&all)).unwrap().into_iter().collect();
    assert_eq!(hashes.len(), all.len());
}

#[test]
fn only_key_columns_make_the_key() {
    let batch = batch(&[(Some("k"), Some("x"), Some(1)), (Some("k"), Some("y"), None)]);
    let (keys, rows) = (keys(&three(), &batch).unwrap(), rows(&three(), &batch).unwrap());
    assert_eq!(keys[0], keys[1]);
    assert_ne!(rows[0], rows[1]);
    assert_ne!(keys[0], rows[0]);
}

#[test]
fn a_new_column_only_changes_the_rows_that_have_a_value_in_it() {
    let batch = batch(&[(Some("k"), Some("x"), Some(1)), (Some("k"), Some("y"), None)]);
    let mut before = three();
    before.columns.pop();
    let (before, after) = (rows(&before, &batch).unwrap(), rows(&three(), &batch).unwrap());
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    // A batch that was landed before the column came.
    let landed = batch.project(&[0, 1]).unwrap();
    assert_eq!(rows(&three(), &landed).unwrap(), before);
}

#[test]
fn the_order_of_columns_does_not_count() {
    let batch = batch(&[(Some("k"), Some("x"), Some(1))]);
    let mut turned = three();
    turned.columns.reverse();
    assert_eq!(rows(&three(), &batch).unwrap(), rows(&turned, &batch).unwrap());
    let turned = batch.project(&[2, 0, 1]).unwrap();
    assert_eq!(rows(&three(), &batch).unwrap(), rows(&three(), &turned).unwrap());
}

#[test]
fn every_layout_of_text_hashes_alike_and_other_types_are_refused() {
    let one = contract(&[("a", Type::Text)]);
    let of = |array: ArrayRef| rows(&one, &RecordBatch::try_from_iter([("a", array)]).unwrap());
    let expect = of(Arc::new(StringArray::from(vec![Some("x"), None]))).unwrap();
    assert_eq!(of(Arc::new(StringViewArray::from(vec![Some("x"), None]))).unwrap(), expect);
    assert_eq!(of(Arc::new(LargeStringArray::from(vec![Some("x"), None]))).unwrap(), expect);
    assert!(of(Arc::new(BooleanArray::from(vec![true]))).is_err());
}

#[test]
fn arrays_hash_as_the_values_that_were_read() {
    let all = contract(&[
        ("id", Type::Text),
        ("d", decimal(9, 4)),
        ("day", date()),
        ("hour", time()),
        ("at", timestamp()),
        ("n", Type::Int),
        ("b", Type::Bool),
    ]);
    for key in ["id", "d", "day", "hour", "at", "n", "b"] {
        let mut contract = all.clone();
        contract.key = vec![key.into()];
        let input = "ID,D,DAY,HOUR,AT,N,B\nx,-1.5,01/04/2024,7:05,01/07/2025 12:00,-7,Y\n";
        let got = read_bytes(&contract, input).unwrap();
        let found = hex(&keys(&contract, &got.batches[0]).unwrap());
        assert_eq!(got.hex("_key_hash"), [Some(found[0].clone())], "{key}");
        let found = hex(&rows(&contract, &got.batches[0]).unwrap());
        assert_eq!(got.hex("_row_hash"), [Some(found[0].clone())], "{key}");
    }
}

#[test]
fn lines_are_keys_by_file_and_row() {
    let mut contract = three();
    contract.key = LINE_KEY.map(str::to_string).to_vec();
    let got = read_bytes(&contract, "A,B,N\nx,y,1\nx,y,1\n").unwrap();
    assert_eq!(got.rows(), ["2: x, y, 1", "3: x, y, 1"]);
    let found: Vec<_> = hex(&keys(&contract, &got.batches[0]).unwrap()).into_iter().map(Some).collect();
    assert_eq!(got.hex("_key_hash"), found);
    assert_ne!(found[0], found[1]);
}

#[test]
fn bad_rows_never_share_a_key() {
    let bad = bad_row(b"x");
    assert_ne!(bad_key(bad, 1), bad_key(bad, 2));
    assert_ne!(bad_row(b"x"), bad_row(b"y"));
}
