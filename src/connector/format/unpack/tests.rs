//! What comes out of archives, and what is refused.

use crate::connector::contract::{Contract, Member, Type};
use crate::connector::testing::*;
use crate::error::Kind;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

const ROWS: &str = "ID,NAME\n1,a\n2,b\n";

fn people() -> Contract {
    contract(&[("id", Type::Text), ("name", Type::Text)])
}

fn choosing(member: Member) -> Contract {
    let mut contract = people();
    layout(&mut contract).member = member;
    contract
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        match name.ends_with('/') {
            true => zip.add_directory(*name, SimpleFileOptions::default()).unwrap(),
            false => {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
    }
    zip.finish().unwrap().into_inner()
}

#[track_caller]
fn check(contract: &Contract, input: Vec<u8>, expect: &[&str]) {
    assert_eq!(read_bytes(contract, input).unwrap().rows(), expect);
}

#[track_caller]
fn refused(contract: &Contract, input: Vec<u8>, message: &str, hint: &str) {
    let error = read_bytes(contract, input).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract, "{error}");
    assert_eq!(error.to_string(), format!("s.e in 'F.csv'{message}"));
    assert!(error.advice().unwrap_or_default().contains(hint), "{:?}", error.advice());
}

#[test]
fn rows_come_out_of_gzip_and_zip_whatever_the_name() {
    let expect = ["2: 1, a", "3: 2, b"];
    check(&people(), gzip(ROWS.as_bytes()), &expect);
    let (head, tail) = ROWS.split_at(9);
    check(&people(), [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat(), &expect);
    check(&people(), zip(&[("data.csv", ROWS.as_bytes())]), &expect);
    let of_a_mac: [(&str, &[u8]); 3] =
        [("x/", b""), ("x/e.csv", ROWS.as_bytes()), ("__MACOSX/x/._e.csv", b"?")];
    check(&people(), zip(&of_a_mac), &expect);
}

#[test]
fn members_are_chosen_by_name() {
    let input =
        zip(&[("a/ONE.CSV", b"ID,NAME\n1,a\n"), ("two.csv", b"NAME,ID\nb,2\n"), ("readme.txt", b"hello")]);
    let one = |pattern: &str| choosing(Member::One(pattern.into()));
    check(&one("one*"), input.clone(), &["2: 1, a"]);
    refused(
        &people(),
        input.clone(),
        ": the archive has several members that may be meant",
        "a/ONE.CSV, two.csv, readme.txt",
    );
    refused(&one("*.csv"), input.clone(), ": the archive has several members that may be meant", "members");
    refused(&one("*.dat"), input.clone(), ": the archive has no such member", "readme.txt");
    let all = choosing(Member::All("*.csv".into()));
    check(&all, input.clone(), &["10000000002: 1, a", "20000000002: 2, b"]);
    let again = zip(&[("1.csv", ROWS.as_bytes()), ("2.csv", b"ID,NAME\n2,c\n")]);
    let got = read_bytes(&all, again).unwrap().rows();
    assert_eq!(got[2], "20000000002! duplicate_key id: row 10000000003 has the same key <2,c>");
    let other = zip(&[("1.csv", ROWS.as_bytes()), ("2.csv", b"ID,SURNAME\n2,c\n")]);
    refused(&all, other, " member '2.csv': column 'NAME' is missing", "surname");
}

#[test]
fn trailers_of_all_members_add_up() {
    let mut contract = with_trailer(choosing(Member::All("*".into())), &[]);
    let members: [(&str, &[u8]); 2] = [("1", b"ID,NAME\n1,a\nT|1\n"), ("2", b"ID,NAME\n2,b\n3,c\nT|2\n")];
    assert_eq!(read_bytes(&contract, zip(&members)).unwrap().totals.source_rows, Some(3));
    let cut: [(&str, &[u8]); 2] = [members[0], ("2", b"ID,NAME\n2,b\nT|2\n")];
    refused(&contract, zip(&cut), ": the source counts 3 rows, but 2 were received", "cut or edited");
    layout(&mut contract).member = Member::Only;
    check(&contract, gzip(members[1].1), &["2: 2, b", "3: 3, c"]);
}

#[test]
fn names_in_archives_lead_nowhere() {
    // Nothing is ever written under a name that an archive gives: what a member is called only
    // says whether it is wanted.
    for name in [
        "../../../../tmp/muster-slip.csv",
        "/tmp/muster-slip.csv",
        "..\\..\\muster-slip.csv",
        "C:\\muster-slip.csv",
    ] {
        check(&people(), zip(&[(name, ROWS.as_bytes())]), &["2: 1, a", "3: 2, b"]);
    }
    assert!(!std::path::Path::new("/tmp/muster-slip.csv").exists());
}

#[test]
fn cut_and_damaged_archives_are_refused() {
    let rows: String = (0..5000).map(|id| format!("{id},{}\n", id * 7919 % 1009)).collect();
    let rows = format!("ID,NAME\n{rows}");
    let packed = gzip(rows.as_bytes());
    let cut = ": the archive is cut: it ends before its content does";
    refused(&people(), packed[..packed.len() / 2].into(), cut, "ask for the file again");
    refused(&people(), packed[..packed.len() - 3].into(), cut, "");
    let damaged = "the archive is damaged: its checksum or its bytes are wrong";
    let mut wrong = packed.clone();
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    refused(&people(), wrong, &format!(": {damaged}"), "");

    let packed = zip(&[("e.csv", rows.as_bytes())]);
    refused(&people(), packed[..packed.len() / 2].into(), ": the archive is damaged or cut", "");
    let stored = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("e.csv", options).unwrap();
        zip.write_all(ROWS.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let at = stored.windows(4).position(|bytes| bytes == b"1,a\n").unwrap();
    let mut wrong = stored;
    wrong[at + 2] = b'z';
    refused(&people(), wrong, &format!(" member 'e.csv': {damaged}"), "");
}

#[test]
fn bombs_archives_in_archives_and_workbooks_are_refused() {
    let zeros = vec![b'0'; 100 << 20];
    let packed = gzip(&zeros);
    let bomb =
        format!(": the archive is a bomb: more than 200 times its {} bytes come out of it", packed.len());
    refused(&people(), packed, &bomb, "ask whoever sent it");
    let error = read_bytes(&people(), zip(&[("e.csv", &zeros)])).unwrap_err();
    assert!(error.to_string().starts_with("s.e in 'F.csv' member 'e.csv': the archive is a bomb"), "{error}");

    let nested = "the archive holds another archive";
    refused(&people(), gzip(&gzip(ROWS.as_bytes())), &format!(": {nested}"), "packed once is enough");
    let inner = zip(&[("e.csv", ROWS.as_bytes())]);
    refused(&people(), zip(&[("e.zip", &inner)]), &format!(" member 'e.zip': {nested}"), "");
    let mut book = rust_xlsxwriter::Workbook::new();
    book.add_worksheet().write_string(0, 0, "ID").unwrap();
    let book = book.save_to_buffer().unwrap();
    refused(&people(), book.clone(), ": the file is a workbook", "format = \"sheet\"");
    refused(&people(), gzip(&book), ": the archive holds a workbook", "format = \"sheet\"");
}

#[test]
fn encrypted_and_empty_archives_are_refused() {
    // The flag that says that a member is encrypted, in its own header and in the directory.
    let mut packed = zip(&[("e.csv", ROWS.as_bytes())]);
    packed[6] |= 1;
    let directory = packed.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    packed[directory + 8] |= 1;
    refused(&people(), packed, " member 'e.csv': the archive is encrypted", "without a password");
    refused(&people(), zip(&[]), ": the archive has no such member", "it is empty");
    refused(&people(), zip(&[("x/", b"")]), ": the archive has no such member", "it is empty");
}
