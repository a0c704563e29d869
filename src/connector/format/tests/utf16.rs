//! Files in UTF-16, of either byte order, with a mark or without.

use super::*;

#[test]
fn utf16_of_either_order() {
    let text = "ID,NAME,FTE\r\n1,Zoë 🦀,1\r\n2,\"b\n,Ċഊ\",x\n";
    let expect =
        ["2: 1, Zoë 🦀, 1.0000", "3! not_a_number fte: \"x\" is not a decimal(9,4) <2,\"b\n,Ċഊ\",x>"];
    let marked = format!("\u{feff}{text}");
    for input in [
        units(text, u16::to_le_bytes),
        units(&marked, u16::to_le_bytes),
        units(&marked, u16::to_be_bytes),
        marked.clone().into_bytes(),
    ] {
        check(&utf16(people()), input.clone(), &expect);
        let got = read_in_blocks(&utf16(people()), input, 7).unwrap();
        assert_eq!(got.rows(), expect);
    }
    let plain = "first line names none";
    let error = read_bytes(&people(), units(text, u16::to_le_bytes)).unwrap_err();
    assert!(error.to_string().contains(plain), "{error}");
}

#[test]
fn malformed_utf16_is_a_bad_row() {
    let mut input = units("ID,NAME,FTE\n1,a", u16::to_le_bytes);
    input.extend([0x00, 0xd8]);
    input.extend(units("b,1\n2,c,1\n3,d,1", u16::to_le_bytes));
    input.push(b'0');
    let expect = [
        "2! undecodable name: \"a\\xFFb\" has malformed bytes <1,a\\xFFb,1>",
        "3: 2, c, 1.0000",
        "4! undecodable fte: \"1\\xFF\" has malformed bytes <3,d,1\\xFF>",
    ];
    check(&utf16(people()), input, &expect);
}

#[test]
fn trailers_are_found_in_every_encoding() {
    let contract = with_trailer(utf16(people()), &["fte"]);
    let rows: String = (0..900).map(|row| format!("{row},Zoë,1\n")).collect();
    for mark in ["\u{feff}", ""] {
        let text = format!("{mark}ID,NAME,FTE\n{rows}T|900|900\r\n \n");
        let got = read_bytes(&contract, units(&text, u16::to_le_bytes)).unwrap();
        assert_eq!((got.totals.source_rows, got.totals.received_rows), (Some(900), 900));
    }
    let text = format!("\u{feff}ID,NAME,FTE\n{rows}T|900|900");
    assert!(read_bytes(&contract, units(&text, u16::to_be_bytes)).is_ok());
    let blank = " ".repeat(10_000);
    let text = format!("ID,NAME,FTE\n{rows}T|900|900\n{blank}\n");
    assert!(read_bytes(&with_trailer(people(), &["fte"]), text).is_ok());
}
