mod messy;
mod soup;
mod utf16;

use super::read_blocks;
use crate::connector::SourceFile;
use crate::connector::contract::{Contract, Encoding, FileFormat, Header, LINE_KEY, NumberForm, Type};
use crate::connector::testing::*;
use crate::error::Kind;
use std::collections::HashSet;

fn people() -> Contract {
    contract(&[("id", Type::Text), ("name", Type::Text), ("fte", decimal(9, 4))])
}

fn delimited(mut contract: Contract, delimiter: u8, quote: u8, header: bool) -> Contract {
    let header = if header { Header::Named } else { Header::Absent };
    layout(&mut contract).format = FileFormat::Delimited { delimiter, quote, header };
    contract
}

fn windows(mut contract: Contract) -> Contract {
    layout(&mut contract).encoding = Encoding::Windows1252;
    contract
}

fn utf16(mut contract: Contract) -> Contract {
    layout(&mut contract).encoding = Encoding::Utf16;
    contract
}

fn units(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[track_caller]
fn check(contract: &Contract, input: impl Into<Vec<u8>>, expect: &[&str]) {
    let got = read_bytes(contract, input).unwrap();
    assert_eq!(got.rows(), expect);
    assert_eq!(got.totals.received_rows, expect.len() as u64);
}

/// The whole extract is refused, with this message and hint, at the file.
#[track_caller]
fn refused(contract: &Contract, input: impl Into<Vec<u8>>, message: &str, hint: &str) {
    let error = read_bytes(contract, input).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract);
    assert_eq!(error.to_string(), format!("s.e in 'F.csv': {message}"));
    assert!(error.advice().unwrap_or_default().contains(hint), "{:?}", error.advice());
}

#[test]
fn line_ends_and_blank_lines_may_be_mixed() {
    let input = "ID,NAME,FTE\r\n1,a,1\n\r\n2,b,1\r3,c,1\n   \n\n4,\"d\r\ne\",1\n5,f,1";
    let expect =
        ["2: 1, a, 1.0000", "4: 2, b, 1.0000", "5: 3, c, 1.0000", "8: 4, d\r\ne, 1.0000", "10: 5, f, 1.0000"];
    check(&people(), input, &expect);
}

#[test]
fn headers_are_compared_without_case_and_blanks() {
    check(&people(), " fte ,Extra,id, Name\n0.5,?,1,a\n", &["2: 1, a, 0.5000"]);
}

#[test]
fn headers_that_lack_or_repeat_a_column_are_refused() {
    refused(
        &people(),
        "ID,SURNAME\n1,a\n",
        "columns 'NAME', 'FTE' are missing",
        "the header has 'id', 'surname'",
    );
    refused(&people(), "ID,NAME,Name,FTE\n", "the header names column 'NAME' twice", "");
    let message = "the first line names none of the contract's columns";
    let error = read_bytes(&people(), "17,Miller,0.5\n").unwrap_err();
    assert!(!format!("{error:?}").contains("Miller"));
    refused(&people(), "17,Miller,0.5\n", message, "the header may be missing");
    refused(&people(), "<html><body>403</body></html>", "the file is a web page, not a table", "browser");
    refused(&people(), "ID;NAME;FTE\n", message, "delimiter");
    refused(&people(), "", "the file is empty", "");
    refused(&people(), "\r\n\r\n", "the file is empty", "");
}

#[test]
fn a_header_alone_is_an_empty_file() {
    check(&people(), "ID,NAME,FTE\n", &[]);
    check(&people(), "ID,NAME,FTE", &[]);
    check(&delimited(people(), b'|', b'"', false), "", &[]);
}

#[test]
fn without_a_header_the_contract_gives_the_order() {
    check(
        &delimited(people(), b'|', b'"', false),
        "1|a|1\n2|b,c|1\n",
        &["1: 1, a, 1.0000", "2: 2, b,c, 1.0000"],
    );
}

#[test]
fn quotes_and_delimiters_follow_the_layout() {
    let input = "ID;NAME;FTE\n1;'a;''b''';1\n2;\"c\";1\n";
    check(&delimited(people(), b';', b'\'', true), input, &["2: 1, a;'b', 1.0000", "3: 2, \"c\", 1.0000"]);
}

#[test]
fn ragged_rows_are_bad_rows() {
    let input = "ID,NAME,FTE\n1,a\n2,b,1\n3,c,1,x\n";
    let expect = [
        "2! ragged_row row: 2 cells instead of 3 <1,a>",
        "3: 2, b, 1.0000",
        "4! ragged_row row: 4 cells instead of 3 <3,c,1,x>",
    ];
    check(&people(), input, &expect);
}

#[test]
fn rows_are_kept_as_received() {
    let input = "ID,NAME,FTE\r\n1,\"a \"\"x\"\"\", 1.O \r\n";
    let expect = ["2! not_a_number fte: \"1.O\" is not a decimal(9,4) <1,\"a \"\"x\"\"\", 1.O >"];
    check(&people(), input, &expect);
}

#[test]
fn utf8_with_a_mark_and_malformed_bytes() {
    check(&people(), "\u{feff}ID,NAME,FTE\n1,Zoë,1\n", &["2: 1, Zoë, 1.0000"]);
    let expect = [
        "2! undecodable name: \"M\\xFCller\" has malformed bytes <1,M\\xFCller,1>",
        "3: 2, \u{fffd}, 1.0000",
        "4! undecodable id: \"\\xC3\" has malformed bytes; undecodable name: \"\\xA9\" has malformed bytes <\u{e9}>",
    ];
    let mut input = b"ID,NAME,FTE\n1,M\xfcller,1\n2,\xef\xbf\xbd,1\n".to_vec();
    input.extend_from_slice(b"\xc3,\xa9,1\n");
    let mut expect = expect.map(str::to_string);
    expect[2] = expect[2].replace("<\u{e9}>", "<\\xC3,\\xA9,1>");
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check(&people(), input, &expect);
}

#[test]
fn malformed_bytes_in_columns_outside_the_contract_do_no_harm() {
    check(&people(), b"ID,NAME,FTE,NOTE\n1,a,1,\xff\n".to_vec(), &["2: 1, a, 1.0000"]);
}

#[test]
fn windows_1252_decodes_every_byte() {
    let input = b"ID,NAME,FTE\n1,Zo\xeb \x80\x92\x81,1\n".to_vec();
    check(&windows(people()), input, &["2: 1, Zoë €’\u{81}, 1.0000"]);
    check(&windows(people()), "\u{feff}ID,NAME,FTE\n1,a,1\n", &["2: 1, a, 1.0000"]);
    let bad = b"ID,NAME,FTE\n1,Zo\xeb,\xa3\n".to_vec();
    check(&windows(people()), bad, &["2! not_a_number fte: \"£\" is not a decimal(9,4) <1,Zoë,£>"]);
}

#[test]
fn trailers_agree_or_the_file_is_refused() {
    let contract = with_trailer(people(), &["fte"]);
    let got = read_bytes(&contract, "ID,NAME,FTE\n1,a,1\n2,b,-0.5\nT|000002|0.50\n\r\n  \n").unwrap();
    assert_eq!(got.rows(), ["2: 1, a, 1.0000", "3: 2, b, -0.5000"]);
    assert_eq!((got.totals.source_rows, got.totals.received_rows), (Some(2), 2));
    let sum = &got.totals.sums["fte"];
    assert_eq!((sum.source.as_deref(), sum.received.as_str(), sum.unreadable), (Some("0.5000"), "0.5000", 0));

    let rows = "the source counts 3 rows, but 2 were received";
    refused(&contract, "ID,NAME,FTE\n1,a,1\n2,b,1\nT|3|2\n", rows, "cut");
    let sum = "the sum of column 'fte' is 3.0000 at the source, but 2.0000 was received";
    refused(&contract, "ID,NAME,FTE\n1,a,1\n2,b,1\nT|2|3\n", sum, "cut");
    let missing = "the last line is not the trailer 'T|{rows}|{sum:fte}'";
    for input in [
        "",
        "ID,NAME,FTE\n1,a,1\n",
        "ID,NAME,FTE\nT|x|1\n",
        "ID,NAME,FTE\nT||1\n",
        "ID,NAME,FTE\nT|+1|1\n",
        "ID,NAME,FTE\nT|1|\n",
        "ID,NAME,FTE\nT|1|1|1\n",
        "ID,NAME,FTE\nT|1\n",
        "ID,NAME,FTE\nt|0|0\n",
        "ID,NAME,FTE\nT|0|0.00001\n",
        "ID,NAME,FTE\nT|99999999999999999999|0\n",
        "ID,NAME,FTE\nT|0|0\nlate,row,1\n",
    ] {
        refused(&contract, input, missing, "cut");
    }
}

#[test]
fn trailers_count_bad_rows_and_sum_what_is_a_number() {
    let contract = with_trailer(people(), &["fte"]);
    let got = read_bytes(&contract, "ID,NAME,FTE\n1,a,1\n,b,1\n3,c,\nT|3|2\n").unwrap();
    assert_eq!(got.totals.sums["fte"].received, "2.0000");
    for unreadable in ["1.O", "0.00001", "1,1"] {
        let input = format!("ID,NAME,FTE\n1,a,1\n2,b,{unreadable}\nT|2|99\n");
        let totals = read_bytes(&contract, input).unwrap().totals;
        assert_eq!((totals.sums["fte"].unreadable, totals.received_rows), (1, 2), "{unreadable}");
    }
}

#[test]
fn a_trailer_alone() {
    let contract = with_trailer(people(), &["fte"]);
    refused(&contract, "T|0|0\n", "the file is empty", "header");
    check(&with_trailer(delimited(people(), b'|', b'"', false), &["fte"]), "T|0|0\n", &[]);
}

#[test]
fn ledgers_may_write_plain_or_ledger_trailers() {
    let ledger = Type::Decimal { precision: 18, scale: 2, form: NumberForm::Ledger };
    let contract = with_trailer(contract(&[("id", Type::Text), ("amount", ledger)]), &["amount"]);
    for trailer in ["T|2|-1234.50", "T|2|1,234.50-"] {
        let input = format!("ID,AMOUNT\n1,\"1,234.50-\"\n2,(0.00)\n{trailer}\n");
        check(&contract, input, &["2: 1, -1234.50", "3: 2, 0.00"]);
    }
}

#[test]
fn fixed_width_is_counted_in_characters() {
    let contract = with_trailer(fixed(people(), &[3, 5, 6]), &["fte"]);
    let input = "  1Zoë    1.00\r\n2  Łuk\n\n3  o\u{301}oooo1.5     \r4  abcde  1.00x\nT|4|2.5\n";
    let expect = [
        "1: 1, Zoë, 1.0000",
        "2: 2, Łuk, null",
        "4: 3, o\u{301}ooo, null",
        "5! ragged_row row: text behind character 14 <4  abcde  1.00x>",
    ];
    let got = read_bytes(&contract, input);
    let got = got.unwrap();
    let mut expect = expect.map(str::to_string);
    expect[2] = "4! not_a_number fte: \"o1.5\" is not a decimal(9,4) <3  o\u{301}oooo1.5     >".to_string();
    assert_eq!(got.rows(), expect);
}

#[test]
fn fixed_width_keeps_cells_in_place_around_malformed_bytes() {
    let contract = fixed(people(), &[2, 6, 4]);
    let expect =
        ["1! undecodable name: \"M\u{fffd}ller\" has malformed bytes <1 M\\xFCller 1.5>", "2: 2, b, 1.5000"];
    check(&contract, b"1 M\xfcller 1.5\n2 b      1.5\n".to_vec(), &expect);
    check(&windows(contract), b"1 M\xfcller 1.5\n".to_vec(), &["1: 1, Müller, 1.5000"]);
}

#[test]
fn fixed_width_without_places_is_a_wrong_definition() {
    let mut contract = people();
    layout(&mut contract).format = FileFormat::Fixed;
    assert_eq!(read_bytes(&contract, "x").unwrap_err().kind(), Kind::Config);
}

#[test]
fn hostile_cells() {
    let long = "x".repeat(1 << 20);
    let got = read_bytes(&people(), format!("ID,NAME,FTE\n\0,{long},1\n2,\"{long}\",{long}\n")).unwrap();
    let rows = got.rows();
    assert_eq!(rows[0], format!("2: \0, {long}, 1.0000"));
    let shortened = "x".repeat(80);
    assert!(rows[1].starts_with(&format!("3! not_a_number fte: \"{shortened}…\" is not a decimal(9,4) <2,")));
}

#[test]
fn wide_rows_make_short_batches() {
    let long = "x".repeat(1 << 20);
    let mut input = "ID,NAME,FTE\n".to_string();
    for row in 0..40 {
        input.push_str(&format!("{row},{long},1\n"));
    }
    let got = read_bytes(&people(), input).unwrap();
    let rows: Vec<usize> = got.batches.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(rows.iter().sum::<usize>(), 40);
    assert!(rows.iter().all(|rows| *rows <= 16), "{rows:?}");
}

#[test]
fn rows_beyond_all_measure_are_refused() {
    let mut input = b"ID,NAME,FTE\n1,\"".to_vec();
    input.resize(65 << 20, b'x');
    refused(&people(), input, "the quote that opens in line 2 is not closed within 64 MiB", "cut");
    let mut input = b"ID,NAME,FTE\n\n1,a,1\n\r\n2,".to_vec();
    input.resize(65 << 20, b'\0');
    refused(&people(), input, "row 5 is longer than 64 MiB", "encoding");
}

#[test]
fn quotes_within_cells_are_text() {
    let input = "ID,NAME,FTE\n1,5\" pipe,1\n2,\"a\"b\"c,1\n3,\"\"\"\",1\n4,\"\",1\n";
    check(
        &people(),
        input,
        &["2: 1, 5\" pipe, 1.0000", "3: 2, ab\"c, 1.0000", "4: 3, \", 1.0000", "5: 4, null, 1.0000"],
    );
}

#[test]
fn columns_may_have_other_names_or_be_missing() {
    let mut contract = people();
    contract.columns[1].from = vec!["NAME".into(), "Full Name".into()];
    contract.columns[2].optional = true;
    check(&contract, "FULL NAME,ID\na,1\n", &["2: 1, a, null"]);
    check(&contract, "name,ID,FTE\na,1,1\n", &["2: 1, a, 1.0000"]);
    let both = "the header has both 'name' and 'full name' for column 'name'";
    refused(&contract, "ID,Name,Full Name\n1,a,b\n", both, "");
    refused(&contract, "ID,Name,NAME\n1,a,b\n", "the header names column 'NAME' twice", "");
    refused(&contract, "ID,FTE\n1,1\n", "column 'NAME' or 'Full Name' is missing", "");
    let mut all = people();
    all.columns.iter_mut().for_each(|column| column.optional = true);
    refused(&all, "1,a,1\n", "the first line names none of the contract's columns", "");
}

#[test]
fn blocks_may_begin_with_the_character_of_the_mark() {
    let input = "\u{feff}ID,NAME,FTE\n1,a,1\n\u{feff}2,b,1\n\u{feff}3,c,1\n";
    let expect = ["2: 1, a, 1.0000", "3: \u{feff}2, b, 1.0000", "4: \u{feff}3, c, 1.0000"];
    for block in [1, 8, 20, 1 << 20] {
        assert_eq!(read_in_blocks(&people(), input, block).unwrap().rows(), expect);
    }
}

#[test]
fn nobody_listens_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("F.csv");
    let rows: String = (0..5_000).map(|row| format!("{row},a,1\n")).collect();
    std::fs::write(&path, format!("ID,NAME,FTE\n{rows}")).unwrap();
    let file = SourceFile { name: "F.csv".into(), tag: String::new(), sha256: String::new(), path };
    let (contract, mut heard) = (people(), 0);
    let mut emit = |_| {
        heard += 1;
        heard < 3
    };
    let totals = read_blocks(&contract, contract.file.as_ref().unwrap(), &file, "s.e", 100, &mut emit);
    assert_eq!((totals.unwrap(), heard), (None, 3));
}

#[test]
fn a_column_of_another_type_from_row_a_million_costs_its_rows_and_no_other() {
    let contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2))]);
    let mut text = String::from("ID,AMOUNT\n");
    for id in 0..1_000_000 {
        text += &format!("{id},1.50\n");
    }
    for id in 1_000_000..1_000_500 {
        text += &format!("{id},late\n");
    }
    let got = read_bytes(&contract, text).unwrap();
    assert_eq!(got.totals.received_rows, 1_000_500);
    // Rows whose key may have come before are told last.
    let (mut bad, good): (Vec<_>, Vec<_>) = got.rows().into_iter().partition(|row| row.contains('!'));
    assert_eq!(good.iter().collect::<HashSet<_>>().len(), 1_000_000);
    assert!(good.contains(&"1000001: 999999, 1.50".to_string()));
    bad.sort_unstable();
    assert_eq!(bad.len(), 500);
    for (row, number) in bad.iter().zip(1_000_002..) {
        assert!(row.starts_with(&format!("{number}! not_a_number amount")), "{row}");
    }
}
