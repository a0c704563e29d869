use crate::connector::contract::{Contract, Type};
use crate::connector::testing::*;

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
