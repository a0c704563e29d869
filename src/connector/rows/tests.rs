use super::*;
use crate::connector::batch::MAX_ROWS;
use crate::connector::contract::{Contract, Type};
use crate::connector::testing::*;
use crate::connector::value::Cell;
use datafusion::arrow::array::{Array, AsArray};
use std::collections::BTreeSet;

fn pairs() -> Contract {
    let mut contract = contract(&[("a", Type::Text), ("b", Type::Text), ("n", decimal(9, 2))]);
    contract.key = vec!["b".into(), "a".into()];
    contract.columns[1].required = true;
    contract
}

#[test]
fn the_second_and_later_rows_of_a_key_are_bad() {
    let got = read_bytes(&pairs(), "A,B,N\n1,1,1\n1,2,1\n1,1,2\n1,1,x\n2,1,1\n").unwrap();
    let expect = [
        "2: 1, 1, 1.00",
        "3: 1, 2, 1.00",
        "4! duplicate_key a,b: row 2 has the same key <1,1,2>",
        "5! not_a_number n: \"x\" is not a decimal(9,2); duplicate_key a,b: row 2 has the same key <1,1,x>",
        "6: 2, 1, 1.00",
    ];
    assert_eq!(got.rows(), expect);
}

#[test]
fn a_key_that_cannot_be_read_is_not_claimed() {
    let got = read_bytes(&pairs(), "A,B,N\n1,,1\n1,,1\n1,1,x\n").unwrap();
    let claims = got.hex("_claimed_key");
    assert_eq!((claims[0].is_some(), claims[1].is_some(), claims[2].is_some()), (false, false, true));
    let good = read_bytes(&pairs(), "A,B,N\n1,1,1\n").unwrap();
    assert_eq!(claims[2], good.hex("_key_hash")[0]);
}

#[test]
fn only_the_values_count_not_how_they_are_written() {
    let one = read_bytes(&pairs(), "A,B,N\n1,1,1.5\n2,2,x\n").unwrap();
    let two = read_bytes(&pairs(), "N,B,X,A\r\n 1.50 ,\"1\",?,1\r\n").unwrap();
    assert_eq!(one.hex("_row_hash")[0], two.hex("_row_hash")[0]);
    assert_eq!(one.hex("_key_hash")[0], two.hex("_key_hash")[0]);
    let again = read_bytes(&pairs(), "A,B,N\r\n2,2,x\r\n").unwrap();
    assert_eq!(one.hex("_row_hash")[1], again.hex("_row_hash")[0], "a bad row is known again elsewhere");
    assert_eq!(one.hex("_key_hash")[1], again.hex("_key_hash")[0]);
}

#[test]
fn the_order_of_the_key_in_the_contract_does_not_count() {
    let mut turned = pairs();
    turned.key.reverse();
    let input = "A,B,N\n1,2,1\n";
    let (one, two) = (read_bytes(&pairs(), input).unwrap(), read_bytes(&turned, input).unwrap());
    assert_eq!(one.hex("_key_hash"), two.hex("_key_hash"));
}

#[test]
fn sums_of_the_contract_need_no_trailer() {
    let mut contract = pairs();
    contract.totals = vec!["n".into()];
    let got = read_bytes(&contract, "A,B,N\n1,1,1.25\n2,1,-3\n3,1,\n4,1,x\n5,1\n").unwrap();
    let sum = &got.totals.sums["n"];
    assert_eq!((sum.source.as_deref(), sum.received.as_str(), sum.unreadable), (None, "-1.75", 2));
    assert_eq!(sum.accepted, "-1.75");
}

#[test]
fn what_bad_rows_hold_is_received_and_not_accepted() {
    let mut contract = pairs();
    contract.totals = vec!["n".into()];
    let got = read_bytes(&contract, "A,B,N\n1,1,1.25\n1,1,7\n,1,0.25\n3,,0.50\n").unwrap();
    let sum = &got.totals.sums["n"];
    assert_eq!((sum.received.as_str(), sum.accepted.as_str()), ("9.00", "1.25"));
}

#[test]
fn sums_that_cannot_be_kept_are_refused() {
    let mut contract = contract(&[("id", Type::Text), ("n", decimal(38, 0))]);
    contract.totals = vec!["n".into()];
    let nines = "9".repeat(38);
    let error = read_bytes(&contract, format!("ID,N\n1,{nines}\n2,{nines}\n")).unwrap_err();
    assert_eq!(error.to_string(), "s.e in 'F.csv': the sum of column 'n' has more than 38 digits");
}

#[test]
fn definitions_that_do_not_hold_together_are_refused() {
    let mut contract = pairs();
    contract.totals = vec!["a".into()];
    assert_eq!(read_bytes(&contract, "").unwrap_err().kind(), crate::error::Kind::Config);
    contract.totals = vec!["z".into()];
    assert_eq!(read_bytes(&contract, "").unwrap_err().kind(), crate::error::Kind::Config);
    contract.totals.clear();
    contract.key = vec!["z".into()];
    let error = read_bytes(&contract, "").unwrap_err();
    assert_eq!(error.advice(), Some("its columns are a, b, n"));
}

/// Reads numbers as keys, with memory for so many hashes.
fn read_keys(memory: usize, expected: Option<u64>, keys: impl Iterator<Item = Option<i64>>) -> Got {
    let mut contract = contract(&[("k", Type::Int), ("n", Type::Int)]);
    contract.totals = vec!["n".into()];
    let control = Control { rows: expected, ..Control::default() };
    let mut rows = Rows::new(&contract, "s.e", None, false, control).unwrap();
    rows.book = rows.book.with_memory_for(memory);
    let (mut batches, mut row) = (Vec::new(), 0);
    for key in keys {
        row += 1;
        let cell = |at| if at == 0 { key.map_or(Cell::Null, Cell::Int) } else { Cell::Int(1) };
        rows.push(row, Received::Cells, &cell).unwrap();
        batches.extend(rows.full_batch().unwrap());
    }
    while let Some(batch) = rows.last_batch().unwrap() {
        assert!(batch.num_rows() <= 2 * MAX_ROWS);
        batches.push(batch);
    }
    Got { batches, totals: rows.totals().unwrap() }
}

/// Every row as the tests see it, with all its hashes, in an order of its own.
fn all(got: &Got) -> BTreeSet<String> {
    let columns = ["_key_hash", "_row_hash", "_claimed_key"].map(|column| got.hex(column));
    let shown = got.rows().into_iter().enumerate();
    shown.map(|(at, row)| format!("{row} {:?}", columns.each_ref().map(|c| c[at].clone()))).collect()
}

#[test]
fn little_memory_gives_the_same_rows() {
    let random = |seed: u64, below: u64| {
        let mut state = seed;
        move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match (state >> 33) % below {
                0 => None,
                key => Some(key as i64),
            }
        }
    };
    for (seed, rows, below) in [(1, 700, 500), (2, 700, 30), (3, 300, 2), (4, 300, 1 << 30), (5, 9, 3)] {
        let keys = || (0..rows).map(random(seed, below));
        let expect = read_keys(1 << 20, None, keys());
        for (memory, known) in [(5, false), (60, true), (200, false), (1_000, true)] {
            let got = read_keys(memory, known.then_some(rows), keys());
            assert_eq!(got.rows().len() as u64, rows);
            assert_eq!(all(&got), all(&expect), "{rows} rows of {below} keys with memory for {memory}");
            assert_eq!(got.totals.sums, expect.totals.sums);
        }
    }
}

#[test]
fn rows_that_wait_are_not_forgotten() {
    let contract = contract(&[("k", Type::Int)]);
    let mut rows = Rows::new(&contract, "s.e", None, false, Control::default()).unwrap();
    rows.book = rows.book.with_memory_for(1);
    for row in 1..=3 {
        rows.push(row, Received::Cells, &|_| Cell::Int(row % 2)).unwrap();
    }
    assert!(rows.last_batch().unwrap().is_some());
    assert_eq!(rows.totals().unwrap_err().kind(), crate::error::Kind::Internal);
}

#[test]
fn two_million_keys_and_a_few_twice() {
    let keys = (0..2_000_000).map(|row| Some(if row % 250_000 == 249_999 { 7 } else { row }));
    let got = read_keys(500_000, None, keys);
    let bad: Vec<String> = bad_rows(&got);
    let expect: Vec<String> = (1..=8)
        .map(|n| n * 250_000)
        .map(|row| format!("{row}! duplicate_key k: row 8 has the same key <{{\"K\":7,\"N\":1}}>"))
        .collect();
    assert_eq!(bad, expect);
    assert_eq!(got.totals.received_rows, 2_000_000);
    assert_eq!(got.batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2_000_000);
    assert_eq!(got.totals.sums["n"].accepted, (2_000_000 - 8).to_string());
}

#[test]
fn one_key_in_every_row() {
    let got = read_keys(1_000, None, (0..20_000).map(|row| Some(row.min(2_000))));
    assert_eq!(bad_rows(&got).len(), 17_999);
    let keys: BTreeSet<_> = got.hex("_key_hash").into_iter().collect();
    assert_eq!(keys.len(), 20_000, "no two rows share a key hash");
}

fn bad_rows(got: &Got) -> Vec<String> {
    let is_bad = |batch: &&RecordBatch| batch.column(6).null_count() < batch.num_rows();
    let of_bad = got.batches.iter().filter(is_bad).flat_map(|batch| {
        let errors = batch.column(5).as_list::<i32>();
        let bad = (0..batch.num_rows()).filter(|at| errors.value_length(*at) > 0);
        bad.map(|at| shown(batch, at)).collect::<Vec<_>>()
    });
    of_bad.collect()
}
