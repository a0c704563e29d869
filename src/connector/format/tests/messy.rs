//! Delimited files as people leave them.

use super::super::read as read_file;
use super::*;
use crate::connector::Matter;
use crate::connector::contract::{Column, Drift, Policy, Skip};
use crate::connector::testing::Got;

/// Reads a file as a pull does, lost columns and all.
fn read(contract: &Contract, input: impl Into<Vec<u8>>) -> crate::error::Result<Got> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("F.csv");
    std::fs::write(&path, input.into()).unwrap();
    let file = SourceFile { name: "F.csv".into(), tag: String::new(), sha256: String::new(), path };
    let mut batches = Vec::new();
    let mut emit = |batch| {
        batches.push(batch);
        true
    };
    let layout = contract.file.as_ref().unwrap();
    let totals = read_file(contract, layout, &file, "s.e in 'F.csv'", &mut emit)?;
    Ok(Got { batches, totals: totals.unwrap() })
}

/// The rows, and the findings as `matter column rows`.
#[track_caller]
fn finds(contract: &Contract, input: impl Into<Vec<u8>>, rows: &[&str], findings: &[&str]) {
    let got = read(contract, input).unwrap();
    assert_eq!(got.rows(), rows);
    let told = got.totals.findings.iter().map(|finding| {
        let column = finding.column.as_deref().unwrap_or("-");
        format!("{} {column} {}", finding.matter.as_str(), finding.rows)
    });
    assert_eq!(told.collect::<Vec<_>>(), findings, "{:?}", got.totals.findings);
}

fn drifting(drift: Drift) -> Contract {
    let mut contract = people();
    if drift.new == Some(Policy::Evolve) {
        contract.columns.push(Column::extra());
    }
    Contract { drift, ..contract }
}

#[test]
fn marks_blanks_and_underscores_in_names_do_not_count() {
    let mut contract = people();
    contract.columns[1].from = vec!["Full Name".into()];
    contract.columns[2].from = vec!["FTE (%)".into()];
    check(&contract, "* id,full_name,Fte %\n1,a,1\n", &["2: 1, a, 1.0000"]);
    // A lost pound sign, and what is written as declared goes before what is only like it.
    check(&contract, "ID,Full-Name,FTE (%),FTE\n1,a,1,2\n", &["2: 1, a, 1.0000"]);
}

#[test]
fn titles_above_the_header_are_no_rows() {
    let input = "select id, name\nfrom staff where fte > 0\n\nStaff report,,\nID,NAME,FTE\n1,a,1\n";
    finds(&people(), input, &["6: 1, a, 1.0000"], &["header - 4"]);
    // A quote that a title opens is not the file's.
    finds(&people(), "the \"staff\" of,\"today\nID,NAME,FTE\n1,a,1\n", &["3: 1, a, 1.0000"], &["header - 1"]);
    for block in [1, 5, 30] {
        let got = read_in_blocks(&people(), input, block).unwrap();
        assert_eq!(got.rows(), ["6: 1, a, 1.0000"]);
    }
}

#[test]
fn a_sorted_file_has_its_header_last_or_among_the_rows() {
    let rows = ["1: 1, a, 1.0000", "2: 2, b, 1.0000"];
    finds(&people(), "1,a,1\n2,b,1\nID,NAME,FTE\n\n", &rows, &["header - 2"]);
    finds(&people(), "1,a,1\r2,b,1\rID,NAME,FTE", &rows, &["header - 2"]);
    let long: String = (0..100).map(|id| format!("{id},a,1\n")).collect();
    let got = read(&utf16(people()), units(&format!("{long}ID,NAME,FTE\n"), u16::to_le_bytes)).unwrap();
    assert_eq!((got.rows().len(), got.rows()[99].as_str()), (100, "100: 99, a, 1.0000"));
    assert_eq!(got.totals.findings[0].message, "the columns are named in the last line");
    let among = ["1: 1, a, 1.0000", "3: 2, b, 1.0000"];
    finds(&people(), "1,a,1\nID,NAME,FTE\n2,b,1\n", &among, &["header - 1"]);
}

#[test]
fn a_header_may_be_absent_where_the_contract_says_so() {
    let mut contract = people();
    layout(&mut contract).format =
        FileFormat::Delimited { delimiter: b',', quote: b'"', header: Header::Auto };
    finds(&contract, "1,a,1\n2,b,1\n", &["1: 1, a, 1.0000", "2: 2, b, 1.0000"], &["header - 0"]);
    finds(&contract, "NAME,FTE,ID\na,1,1\n", &["2: 1, a, 1.0000"], &[]);
    refused(&contract, "1,a\n", "the first line names none of the contract's columns", "header");
    finds(&contract, "", &[], &[]);
}

#[test]
fn marks_that_a_program_took_for_text_are_dropped() {
    let rows = ["2: 1, a, 1.0000"];
    finds(&people(), "ï»¿ID,NAME,FTE\n1,a,1\n", &rows, &[]);
    finds(&people(), "\u{feff}ï»¿ID,NAME,FTE\n1,a,1\n", &rows, &[]);
}

#[test]
fn an_encoding_may_be_told_by_the_bytes() {
    let mut contract = people();
    layout(&mut contract).encoding = Encoding::Auto;
    check(&contract, b"ID,NAME,FTE\n1,Zo\xeb,1\n".to_vec(), &["2: 1, Zoë, 1.0000"]);
    check(&contract, "ID,NAME,FTE\n1,Zoë,1\n", &["2: 1, Zoë, 1.0000"]);
    check(&contract, units("\u{feff}ID,NAME,FTE\n1,Zoë,1\n", u16::to_le_bytes), &["2: 1, Zoë, 1.0000"]);
    // The characters are cut by the pieces in which the file is looked at.
    let wide = "€".repeat(700_000);
    let got = read(&contract, format!("ID,NAME,FTE\n1,{wide},1\n")).unwrap();
    assert_eq!(got.rows(), [format!("2: 1, {wide}, 1.0000")]);
}

#[test]
fn a_quote_that_does_not_close_costs_its_line() {
    let bad = "a quote opens a cell and does not close it";
    let input = "ID,NAME,FTE\n1,\"a\r\n\",1\n2,\"b\n3,c,1\n4,\"d\",1\n5,\"e";
    let expect = [
        "2: 1, a\r\n, 1.0000".to_string(),
        format!("4! unclosed_quote row: {bad} <2,\"b>"),
        "5: 3, c, 1.0000".to_string(),
        "6: 4, d, 1.0000".to_string(),
        format!("7! unclosed_quote row: {bad} <5,\"e>"),
    ];
    for block in [1, 7, 20, 1 << 20] {
        assert_eq!(read_in_blocks(&people(), input, block).unwrap().rows(), expect);
    }
    let bare = input.replace('\r', "").replace('\n', "\r");
    assert_eq!(read_in_blocks(&people(), bare, 1 << 20).unwrap().rows().len(), 5);
}

#[test]
fn empty_cells_behind_the_last_column_do_no_harm() {
    let input = "ID,NAME,FTE,,\n1,a,1\n2,b,1,,\n3,c,1,,,, \n,,,,\n4,d,1,,,,x\n";
    let expect = [
        "2: 1, a, 1.0000",
        "3: 2, b, 1.0000",
        "4: 3, c, 1.0000",
        "6! ragged_row row: 7 cells instead of 5 <4,d,1,,,,x>",
    ];
    check(&people(), input, &expect);
    check(&people(), ",,ID,NAME,FTE\nx,,1,a,1\n", &["2: 1, a, 1.0000"]);
}

#[test]
fn a_cell_beyond_all_measure_is_a_bad_row() {
    let long = "x".repeat(10 << 20);
    let rows = read(&people(), format!("ID,NAME,FTE\n1,{long},1\n2,b,1\n")).unwrap().rows();
    assert!(rows[0].starts_with("2! too_long name: 10 MiB of text are more than the 8 of a cell <1,xx"));
    assert_eq!(rows[1], "3: 2, b, 1.0000");
}

#[test]
fn a_column_that_was_lost_is_one_finding() {
    let contract = contract(&[("id", Type::Text), ("paid_on", date()), ("n", Type::Int)]);
    let lost: String = (0..40).map(|id| format!("{id},00:00:00,1\n")).collect();
    let got = read(&contract, format!("ID,PAID_ON,N\n{lost}40,01/04/2024,x\n41,,2\n")).unwrap();
    let rows = got.rows();
    assert_eq!((rows[0].as_str(), rows[39].as_str()), ("2: 0, null, 1", "41: 39, null, 1"));
    assert!(rows[40].starts_with("42! not_a_number n"), "{}", rows[40]);
    assert_eq!(rows[41], "43: 41, null, 2");
    let [finding] = got.totals.findings.as_slice() else { panic!("{:?}", got.totals.findings) };
    assert_eq!((finding.matter, finding.rows), (Matter::DestroyedValues, 40));
    assert_eq!(finding.message, "40 of 40 values are \"00:00:00\": they are read as no value");

    // Neither a few, nor different ones, nor what must be there.
    let few = read(&contract, "ID,PAID_ON,N\n1,00:00:00,1\n2,01/04/2024,1\n3,00:00:00,1\n").unwrap();
    assert_eq!(few.rows().iter().filter(|row| row.contains("not_a_date")).count(), 2);
    let mut required = contract.clone();
    required.columns[1].required = true;
    let rows = read(&required, format!("ID,PAID_ON,N\n{lost}")).unwrap().rows();
    assert!(rows.iter().all(|row| row.contains("not_a_date paid_on")));
}

#[test]
fn a_column_of_another_type_is_met_as_the_contract_says() {
    let changed: String = (0..40).map(|id| format!("{id},a,{id} days\n")).collect();
    let input = format!("ID,NAME,FTE\n{changed}");
    let of = |changed| drifting(Drift { changed, ..Drift::default() });
    let got = read(&of(Policy::Evolve), input.clone()).unwrap();
    assert!(got.rows().iter().all(|row| row.contains("not_a_number fte")));
    assert_eq!(got.totals.findings[0].matter, Matter::ChangedType);
    let got = read(&of(Policy::Discard), input.clone()).unwrap();
    assert_eq!(got.rows()[0], "2: 0, a, null");
    assert_eq!((got.totals.findings[0].matter, got.totals.findings[0].rows), (Matter::ChangedType, 40));
    let error = read(&of(Policy::Freeze), input).unwrap_err();
    assert!(error.to_string().ends_with("40 of 40 values of column 'fte' cannot be read"), "{error}");
}

#[test]
fn new_and_missing_columns_are_met_as_the_contract_says() {
    let more = "ID,NAME,FTE,Grade,\n1,a,1,PC,x\n2,b,1,,\n";
    let of = |new| drifting(Drift { new, ..Drift::default() });
    finds(&of(None), more, &["2: 1, a, 1.0000", "3: 2, b, 1.0000"], &[]);
    finds(&of(Some(Policy::Discard)), more, &["2: 1, a, 1.0000", "3: 2, b, 1.0000"], &["new_column - 0"]);
    let kept = ["2: 1, a, 1.0000, {\"column 5\":\"x\",\"grade\":\"PC\"}", "3: 2, b, 1.0000, null"];
    finds(&of(Some(Policy::Evolve)), more, &kept, &["new_column - 0"]);
    refused(&of(Some(Policy::Freeze)), more, "column 'grade' is not in the contract", "evolve");

    let fewer = "ID,NAME\n1,a\n";
    let of = |missing| drifting(Drift { missing, ..Drift::default() });
    refused(&of(Policy::Freeze), fewer, "column 'FTE' is missing", "the header has 'id', 'name'");
    finds(&of(Policy::Evolve), fewer, &["2: 1, a, null"], &["missing_column fte 0"]);
    finds(&of(Policy::Discard), fewer, &["2: 1, a, null"], &[]);
    // What is required is never done without.
    refused(&of(Policy::Discard), "NAME,FTE\na,1\n", "column 'ID' is missing", "");
}

#[test]
fn rows_that_the_contract_leaves_out_are_counted() {
    let mut contract = with_trailer(people(), &["fte"]);
    contract.skip =
        vec![Skip { column: "name".into(), matches: "(?i)^(sub)?total".into(), label: "subtotals".into() }];
    let input = |rows| format!("ID,NAME,FTE\n1,a,1\n,Subtotal,1\n2,b,2\n, TOTAL,3\nT|{rows}|3\n");
    for rows in [2, 4] {
        let got = read(&contract, input(rows)).unwrap();
        assert_eq!(got.rows(), ["2: 1, a, 1.0000", "4: 2, b, 2.0000"]);
        assert_eq!((got.totals.source_rows, got.totals.received_rows), (Some(2), 2));
        let finding = &got.totals.findings[0];
        assert_eq!((finding.rows, finding.message.as_str()), (2, "2 rows left out: subtotals"));
    }
    refused(&contract, input(3), "the source counts 3 rows, but 2 were received", "cut");
}
