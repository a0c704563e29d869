//! Workbooks as they come: xlsx written here, xls and ods written by other programs.

use super::cell::{Epoch, Item, Want};
use crate::connector::contract::{Column, Contract, FileFormat, LINE_KEY, Mode, Origin, SheetLayout, Type};
use crate::connector::testing::*;
use crate::error::Kind;
use rust_xlsxwriter::{Format, Formula, Workbook};

mod refusals;

/// A cell of a test's workbook.
enum V {
    T(&'static str),
    N(f64),
    /// A number with the format of a day, or of a time of day.
    D(f64),
    H(f64),
    B(bool),
    /// A formula without a value.
    F(&'static str),
    /// Nothing.
    E,
}
use V::*;

fn book(sheets: &[(&str, &[&[V]])]) -> Vec<u8> {
    let mut book = Workbook::new();
    let (day, hour) = (Format::new().set_num_format("dd/mm/yyyy"), Format::new().set_num_format("hh:mm"));
    for (name, rows) in sheets {
        let sheet = book.add_worksheet().set_name(*name).unwrap();
        for (row, cells) in (0..).zip(*rows) {
            for (column, cell) in (0..).zip(*cells) {
                match cell {
                    T(text) => sheet.write_string(row, column, *text).map(drop),
                    N(number) => sheet.write_number(row, column, *number).map(drop),
                    D(serial) => sheet.write_number_with_format(row, column, *serial, &day).map(drop),
                    H(serial) => sheet.write_number_with_format(row, column, *serial, &hour).map(drop),
                    B(truth) => sheet.write_boolean(row, column, *truth).map(drop),
                    F(fault) => {
                        sheet.write_formula(row, column, Formula::new("=1/0").set_result(*fault)).map(drop)
                    }
                    E => Ok(()),
                }
                .unwrap();
            }
        }
    }
    book.save_to_buffer().unwrap()
}

fn sheets(mut contract: Contract, sheets: &[&str], header_rows: usize) -> Contract {
    let sheets = sheets.iter().map(|name| name.to_string()).collect();
    layout(&mut contract).format = FileFormat::Sheet(SheetLayout { sheets, header_rows });
    contract
}

fn spend() -> Contract {
    sheets(contract(&[("ref", Type::Text), ("paid", date()), ("amount", decimal(18, 2))]), &[], 1)
}

const HEADER: &[V] = &[T("Ref"), T("Paid"), T("Amount")];

#[track_caller]
fn check(contract: &Contract, input: impl Into<Vec<u8>>, expect: &[&str]) {
    assert_eq!(read_bytes(contract, input).unwrap().rows(), expect);
}

#[track_caller]
fn refused(contract: &Contract, input: impl Into<Vec<u8>>, message: &str, hint: &str) {
    let error = read_bytes(contract, input).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract, "{error}");
    assert_eq!(error.to_string(), format!("s.e in 'F.csv'{message}"));
    assert!(error.advice().unwrap_or_default().contains(hint), "{:?}", error.advice());
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connector/format/tests/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

#[test]
fn the_header_is_found_below_titles_and_rows_keep_the_numbers_of_the_sheet() {
    let rows: &[&[V]] = &[
        &[T("Spend over £500")],
        &[E, T("Amount in pounds"), E],
        &[],
        &[T("Amount"), E, T(" Net\nwork "), T("REF"), T("paid")],
        &[N(1.5), E, T("x"), T("a"), T("01/04/2023")],
        &[],
        &[E, E, T("working: 451701696.8XMA LTD")],
        &[T("Amount"), E, T("Net work"), T("Ref"), T("Paid")],
        &[T("2.50"), E, E, N(12345.0), T("02/04/2023")],
    ];
    check(&spend(), book(&[("Apr", rows)]), &["5: a, 2023-04-01, 1.50", "9: 12345, 2023-04-02, 2.50"]);
}

#[test]
fn serials_and_written_days_stand_in_one_column() {
    let rows: &[&[V]] = &[
        HEADER,
        &[T("formatted"), D(45044.0), N(1.0)],
        &[T("bare"), N(45230.0), N(1.0)],
        &[T("pasted"), T("45044"), N(1.0)],
        &[T("written"), T("28/04/2023"), N(1.0)],
        &[T("time"), D(45044.5), N(1.0)],
        &[T("year"), N(2023.0), N(1.0)],
        &[T("zero"), D(0.0), N(1.0)],
        &[T("never"), D(60.0), N(1.0)],
        &[T("first"), D(1.0), N(1.0)],
        &[T("last"), N(2958465.0), N(1.0)],
    ];
    let bad = |row: usize, name: &str, shown: &str, raw: &str| {
        format!(
            "{row}! not_a_date paid: \"{shown}\" is not a date written dd/MM/yyyy <{{\"REF\":\"{name}\",\"PAID\":{raw},\"AMOUNT\":1}}>"
        )
    };
    let (time, year) = ("2023-04-28 12:00:00", bad(7, "year", "2023", "2023"));
    let expect = [
        "2: formatted, 2023-04-28, 1.00".to_string(),
        "3: bare, 2023-10-31, 1.00".into(),
        "4: pasted, 2023-04-28, 1.00".into(),
        "5: written, 2023-04-28, 1.00".into(),
        bad(6, "time", time, &format!("\"{time}\"")),
        year,
        bad(8, "zero", "1900-01-00", "\"1900-01-00\""),
        bad(9, "never", "1900-02-29", "\"1900-02-29\""),
        "10: first, 1900-01-01, 1.00".into(),
        "11: last, 9999-12-31, 1.00".into(),
    ];
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check(&spend(), book(&[("S", rows)]), &expect);

    let mut contract = spend();
    contract.columns[1].null = vec!["1900-01-00".into()];
    check(&contract, book(&[("S", &[HEADER, &[T("zero"), N(0.0), N(1.0)]])]), &["2: zero, null, 1.00"]);
}

#[test]
fn days_written_in_digits_are_no_serials() {
    let mut contract = spend();
    contract.columns[1].ty = Type::Date { patterns: vec!["%Y%m%d".into()] };
    let rows: &[&[V]] = &[HEADER, &[T("a"), N(20230428.0), N(1.0)], &[T("b"), D(45044.0), N(1.0)]];
    check(&contract, book(&[("S", rows)]), &["2: a, 2023-04-28, 1.00", "3: b, 2023-04-28, 1.00"]);
}

#[test]
fn moments_and_times_are_read_to_the_millisecond() {
    let columns = [("ref", Type::Text), ("at", timestamp()), ("from", time())];
    let rows: &[&[V]] = &[
        &[T("ref"), T("at"), T("from")],
        &[T("a"), D(45044.354166666664), H(0.3541666666666667)],
        &[T("b"), T("28/04/2023 08:30"), T("08:30")],
        &[H(0.25), N(45044.0), E],
    ];
    check(
        &sheets(contract(&columns), &[], 1),
        book(&[("S", rows)]),
        &[
            "2: a, 2023-04-28T07:30:00Z, 08:30:00",
            "3: b, 2023-04-28T07:30:00Z, 08:30:00",
            "4: 06:00:00, 2023-04-27T23:00:00Z, null",
        ],
    );
}

#[test]
fn numbers_have_the_fifteen_digits_that_people_see() {
    let shown = |number: f64| Item::Number(number).cell(Want::Number, Epoch::Of1900).text().into_owned();
    for (number, text) in [
        (84421.84999999999, "84421.85"),
        (0.1 + 0.2, "0.3"),
        (-1191.3, "-1191.3"),
        (1e7, "10000000"),
        (9007199254740991.0, "9007199254740991"),
        (33.333333333333336, "33.3333333333333"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
    ] {
        assert_eq!(shown(number), text);
    }
    let rows: &[&[V]] =
        &[HEADER, &[T("a"), E, N(84421.84999999999)], &[T("b"), E, N(1.005)], &[N(1e7), E, T("1,000")]];
    check(
        &spend(),
        book(&[("S", rows)]),
        &[
            "2: a, null, 84421.85",
            "3! too_many_digits amount: \"1.005\" does not fit a decimal(18,2) <{\"REF\":\"b\",\"PAID\":null,\"AMOUNT\":\"1.005\"}>",
            "4! not_a_number amount: \"1,000\" is not a decimal(18,2) <{\"REF\":10000000,\"PAID\":null,\"AMOUNT\":\"1,000\"}>",
        ],
    );
}

#[test]
fn errors_are_bad_rows_and_truth_is_truth() {
    let mut contract =
        sheets(contract(&[("ref", Type::Text), ("is", Type::Bool), ("note", Type::Text)]), &[], 1);
    let rows: &[&[V]] = &[
        &[T("ref"), T("is"), T("note")],
        &[T("a"), B(true), B(false)],
        &[T("b"), N(0.0), F("#N/A")],
        &[T("c"), E, T("#REF!")],
    ];
    let bad = |row: usize, name: &str, is: &str, fault: &str| {
        format!(
            "{row}! not_accepted note: the cell shows the error {fault} <{{\"REF\":\"{name}\",\"IS\":{is},\"NOTE\":\"{fault}\"}}>"
        )
    };
    let expect = ["2: a, true, false".to_string(), bad(3, "b", "0", "#N/A"), bad(4, "c", "null", "#REF!")];
    let got = read_bytes(&contract, book(&[("S", rows)])).unwrap();
    assert_eq!(got.rows(), expect);
    contract.columns[2].null = vec!["#N/A".into(), "#REF!".into()];
    check(&contract, book(&[("S", rows)]), &["2: a, true, false", "3: b, false, null", "4: c, null, null"]);
}

#[test]
fn a_header_of_two_rows_is_joined_below_what_stands_over_it() {
    let mut contract = sheets(
        contract(&[
            ("code", Type::Text),
            ("apr", decimal(9, 2)),
            ("mar", decimal(9, 2)),
            ("next", decimal(9, 2)),
        ]),
        &[],
        2,
    );
    for (column, from) in
        contract.columns.iter_mut().zip(["Cost centre", "2017/18 Apr", "2017/18 Mar", "2018/19 Apr"])
    {
        column.from = vec![from.into()];
    }
    let rows: &[&[V]] = &[
        &[T("Budget")],
        &[E, T("2017/18"), E, T("2018/19")],
        &[T("Cost centre"), T("Apr"), T("Mar"), T("Apr")],
        &[T("C1"), N(1.0), N(2.0), N(3.0)],
    ];
    check(&contract, book(&[("S", rows)]), &["4: C1, 1.00, 2.00, 3.00"]);
    let merged: &[&[V]] = &[
        &[T("Cost centre"), T("2017/18"), E, T("2018/19")],
        &[E, T("Apr"), T("Mar"), T("Apr")],
        &[T("C1"), N(1.0), N(2.0), N(3.0)],
    ];
    check(&contract, book(&[("S", merged)]), &["3: C1, 1.00, 2.00, 3.00"]);
}

fn with_sheet(mut contract: Contract) -> Contract {
    let sheet = Column {
        name: "sheet".into(),
        from: vec!["_sheet".into()],
        origin: Origin::Sheet,
        ..contract.columns[0].clone()
    };
    let file =
        Column { name: "file".into(), from: vec!["_file".into()], origin: Origin::File, ..sheet.clone() };
    contract.columns.extend([sheet, file]);
    contract
}

#[test]
fn sheets_are_chosen_by_name_and_each_has_its_own_header() {
    let input = book(&[
        ("Apr 18", &[HEADER, &[T("a"), E, N(1.0)]]),
        (
            "Jan '24",
            &[&[T("note")], &[T("Amount"), T("Column1"), T("Ref"), T("Paid")], &[N(2.0), N(9.0), T("b")]],
        ),
        ("Notes", &[&[T("what this is")]]),
        ("APR 24", &[HEADER, &[T("c"), E, N(3.0)]]),
    ]);
    let all = [
        "10000000002: a, null, 1.00, Apr 18, F.csv",
        "20000000003: b, null, 2.00, Jan '24, F.csv",
        "40000000002: c, null, 3.00, APR 24, F.csv",
    ];
    let contract = with_sheet(spend());
    let got = read_bytes(&sheets(contract.clone(), &["*", "!notes"], 1), input.clone()).unwrap();
    assert_eq!(got.rows(), all);
    check(&sheets(contract.clone(), &["apr*"], 1), input.clone(), &[all[0], all[2]]);
    check(&sheets(contract.clone(), &["Jan '24"], 1), input.clone(), &["3: b, null, 2.00, Jan '24, F.csv"]);
    check(&contract, input.clone(), &["2: a, null, 1.00, Apr 18, F.csv"]);
    refused(
        &sheets(contract.clone(), &["*"], 1),
        input.clone(),
        " sheet 'Notes': none of the first 1 rows names the contract's columns",
        "!Notes",
    );
    refused(&sheets(contract, &["May*"], 1), input, ": no sheet is called 'May*'", "Apr 18");
}

#[test]
fn rows_of_several_sheets_never_share_a_line_key() {
    let mut contract = sheets(spend(), &["*"], 1);
    contract.columns[0].required = false;
    contract.mode = Mode::Log(None);
    contract.key = LINE_KEY.map(str::to_string).into();
    let rows: &[&[V]] = &[HEADER, &[T("a"), E, N(1.0)], &[T("a"), E, N(1.0)]];
    let got = read_bytes(&contract, book(&[("One", rows), ("Two", rows)])).unwrap();
    assert_eq!(got.rows().iter().filter(|row| row.ends_with(": a, null, 1.00")).count(), 4);
    let mut keys = got.hex("_key_hash");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[test]
fn headers_that_are_missing_or_ambiguous_are_refused() {
    let at = " sheet 'S': ";
    let missing = book(&[("S", &[&[T("Title")], &[T("Ref"), T("Amount")], &[T("a"), N(1.0)]])]);
    refused(&spend(), missing, &format!("{at}column 'PAID' is missing"), "row 2 was taken for the header");
    let two = book(&[("S", &[HEADER, &[T("a"), E, N(1.0)], &[T("Amount"), T("Ref"), T("Paid")]])]);
    refused(&spend(), two, &format!("{at}rows 1 and 3 both look like the header"), "leave one out");
    let twice = book(&[("S", &[&[T("Ref"), T("Paid"), T("Amount"), T("REF")]])]);
    refused(&spend(), twice, &format!("{at}the header names column 'REF' twice"), "nobody can tell");
    let titles: Vec<Vec<V>> = (0..60).map(|_| vec![T("title")]).collect();
    let mut titles: Vec<&[V]> = titles.iter().map(Vec::as_slice).collect();
    titles.push(HEADER);
    let late = book(&[("S", &titles)]);
    refused(&spend(), late, &format!("{at}none of the first 50 rows names the contract's columns"), "");
    refused(&spend(), book(&[("S", &[])]), ": the chosen sheets are empty", "even without rows");
    check(&spend(), book(&[("S", &[HEADER])]), &[]);
}

/// The same rows, written by other programs as xls (with days since 1904) and as ods.
#[test]
fn xls_and_ods_say_what_xlsx_says() {
    let mut contract = sheets(
        contract(&[
            ("ref", Type::Text),
            ("paid", date()),
            ("amount", decimal(18, 2)),
            ("is", Type::Bool),
            ("from", time()),
        ]),
        &["* 18"],
        1,
    );
    contract.columns[1].null = vec!["..".into()];
    contract.columns[2].null = vec!["*".into()];
    let fault = "not_accepted amount: the cell shows the error #N/A";
    let expect = |zero: &str| {
        [
            "10000000004: formatted, 2023-04-28, 1191.30, true, 08:30:00".to_string(),
            "10000000005: written, 2023-04-28, 84421.85, false, null".into(),
            format!("10000000006: {zero}"),
            "10000000008: markers, null, null, null, null".into(),
            format!(
                "10000000009! {fault} <{{\"REF\":\"fault\",\"PAID\":null,\"AMOUNT\":\"#N/A\",\"IS\":null,\"FROM\":null}}>"
            ),
        ]
    };
    let rows = |name: &str| read_bytes(&contract, fixture(name)).unwrap().rows();
    assert_eq!(rows("spend_1904.xls"), expect("bare, 2023-04-28, 2.00, null, null"));
    assert_eq!(rows("spend.ods"), expect("bare, 2023-04-28, 2.00, null, null"));
}
