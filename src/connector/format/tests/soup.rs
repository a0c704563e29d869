//! What readers make of any bytes at all.

use super::*;

/// A small generator: the same soups on every machine, without a dependency.
struct Soup(u64);

impl Soup {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Bytes of which most mean something to a reader.
    fn bytes(&mut self) -> Vec<u8> {
        const SPICE: &[&[u8]] = &[
            b",",
            b"\"",
            b"\n",
            b"\r",
            b"\r\n",
            b" ",
            b"T|",
            b"|",
            b"1",
            b"0",
            b".",
            b"-",
            b"(",
            b")",
            b"\0",
            b"\xff",
            b"\xc3",
            b"\xa9",
            b"\xef\xbb\xbf",
            b"\xef\xbf\xbd",
            b"ID,NAME,FTE\n",
            b"a",
            b"1,234.50-",
            b"01/04/2024",
            b"26/10/2025 01:30",
            b"\n1,a,1\n",
            b"1,a,1\n",
            b"T|1|1\n",
        ];
        let length = self.next() % 60;
        (0..length)
            .flat_map(|_| match self.next() % 8 {
                0 => vec![self.next() as u8],
                _ => SPICE[self.next() as usize % SPICE.len()].to_vec(),
            })
            .collect()
    }
}

/// Contracts over every format and encoding.
fn kinds() -> Vec<Contract> {
    let all = contract(&[
        ("id", Type::Text),
        ("name", timestamp()),
        ("fte", Type::Decimal { precision: 9, scale: 4, form: NumberForm::Ledger }),
        ("day", date()),
        ("hour", time()),
        ("n", Type::Int),
        ("b", Type::Bool),
    ]);
    vec![
        people(),
        windows(people()),
        delimited(people(), b',', b'"', false),
        delimited(all.clone(), b'|', b'"', false),
        with_trailer(people(), &["fte"]),
        with_trailer(windows(delimited(people(), b',', b'"', false)), &["fte"]),
        fixed(people(), &[1, 3, 5]),
        windows(fixed(all.clone(), &[1, 16, 9, 10, 5, 3, 1])),
        with_trailer(fixed(all, &[1, 16, 9, 10, 5, 3, 1]), &["fte", "n"]),
        utf16(people()),
        utf16(fixed(people(), &[1, 3, 5])),
    ]
}

#[test]
fn any_soup_of_bytes_gives_rows_or_an_error() {
    let contracts = kinds();
    let mut soup = Soup(42);
    let (mut read, mut rows, mut bad) = (0, 0, 0);
    for round in 0..3_000 {
        let contract = &contracts[round % contracts.len()];
        let mut input = if soup.next().is_multiple_of(2) { b"ID,NAME,FTE\n".to_vec() } else { Vec::new() };
        input.extend(soup.bytes());
        let Ok(got) = read_bytes(contract, input) else { continue };
        let shown = got.rows();
        assert_eq!(got.totals.received_rows, shown.len() as u64);
        read += 1;
        rows += shown.len();
        bad += shown.iter().filter(|row| row.split(' ').next().unwrap().ends_with('!')).count();
    }
    assert!(read > 400 && bad > 400 && rows > bad + 50, "{read} files, {rows} rows, {bad} bad");
}

#[test]
fn any_cut_into_blocks_gives_the_same_rows() {
    let told = |result: crate::error::Result<Got>| match result {
        Ok(got) => {
            let hashes = ["_key_hash", "_row_hash", "_claimed_key"].map(|column| got.hex(column));
            Ok((got.rows(), hashes, got.totals))
        }
        Err(error) => Err(format!("{error:?}")),
    };
    let contracts = kinds();
    let mut soup = Soup(7);
    let (mut read, mut refused) = (0, 0);
    for round in 0..1_500 {
        let contract = &contracts[round % contracts.len()];
        let mut input = if soup.next().is_multiple_of(2) { b"ID,NAME,FTE\n".to_vec() } else { Vec::new() };
        for _ in 0..soup.next() % 4 {
            input.extend(soup.bytes());
        }
        if layout(&mut contract.clone()).encoding == Encoding::Utf16 && !soup.next().is_multiple_of(4) {
            input = units(&String::from_utf8_lossy(&input), u16::to_le_bytes);
        }
        let expect = told(read_bytes(contract, input.clone()));
        let block = 1 + soup.next() as usize % 40;
        let got = told(read_in_blocks(contract, input.clone(), block));
        assert_eq!(got, expect, "blocks of {block} of {input:?}");
        match expect {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(read > 150 && refused > 150, "{read} read, {refused} refused");
}

#[test]
fn records_are_those_of_the_csv_crate() {
    let mut contract = delimited(contract(&[("a", Type::Text), ("b", Type::Text)]), b',', b'"', false);
    contract.columns[0].required = false;
    contract.key = LINE_KEY.map(str::to_string).to_vec();
    let mut soup = Soup(3);
    let mut compared = 0;
    for _ in 0..1_500 {
        let mut input = soup.bytes();
        input.retain(|byte| byte.is_ascii());
        let Ok(got) = read_in_blocks(&contract, input.clone(), 16) else { continue };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&input[..]);
        let records = reader.records().map(Result::unwrap);
        // Lines of nothing but delimiters are no rows, and what a quote that does not close makes of
        // the lines behind it is told apart here.
        let records = records.filter(|record| match record.len() {
            1 => !record[0].as_bytes().trim_ascii().is_empty(),
            _ => record.iter().any(|cell| !cell.is_empty()),
        });
        let told = |record: csv::StringRecord| match record.len() {
            2 => {
                let cell = |at: usize| if record[at].trim().is_empty() { "null" } else { &record[at] };
                format!(": {}, {}", cell(0), cell(1))
            }
            cells if cells > 2 && record.iter().skip(2).all(|cell| cell.trim().is_empty()) => {
                let cell = |at: usize| if record[at].trim().is_empty() { "null" } else { &record[at] };
                format!(": {}, {}", cell(0), cell(1))
            }
            cells => format!("! ragged_row row: {cells} cells instead of 2"),
        };
        let expect: Vec<String> = records.map(told).collect();
        let rows: Vec<String> = got.rows();
        if rows.iter().any(|row| row.contains("! unclosed_quote")) {
            continue;
        }
        assert_eq!(rows.len(), expect.len(), "{input:?}");
        for (row, expect) in rows.iter().zip(&expect) {
            assert!(
                row.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(expect),
                "{row}, not {expect}"
            );
            compared += 1;
        }
    }
    assert!(compared > 400, "{compared}");
}
