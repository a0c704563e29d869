//! Packages, whole and broken.

use super::bundle::{self, END};
use crate::connector::contract::{BiccLayout, Contract, FileFormat, Mode, Type};
use crate::connector::testing::*;
use crate::error::Kind;
use md5::{Digest, Md5};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Files as the lake keeps them.
fn bundled(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, file) in files {
        bytes.extend(bundle::header(name, file.len() as u64));
        bytes.extend(file);
        bytes.extend(bundle::padding(file.len() as u64));
    }
    bytes.extend(END);
    bytes
}

/// A package of these zips, whose hashes the manifest says.
fn package(zips: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let line = |(name, bytes): &(&str, Vec<u8>)| format!("{name};4711;{}\n", hex(Md5::digest(bytes)));
    let manifest: String = zips.iter().map(line).collect();
    let mut files = vec![("MANIFEST.MF", format!("PLV_KEY=FUSION_10_0\n{manifest}").into_bytes())];
    files.extend(zips.iter().cloned());
    bundled(&files)
}

fn invoices() -> Contract {
    let mut contract = contract(&[("id", Type::Int), ("amount", decimal(18, 2)), ("paid", date())]);
    contract.mode = Mode::Cursor(None);
    layout(&mut contract).format = FileFormat::Bicc(BiccLayout { pvo: "file_*_invoicepvo-batch*".into() });
    contract
}

const DATA: &str = "file_am_InvoicePVO-batch1-20240401_010203.zip";
const MORE: &str = "file_am_InvoicePVO-batch2-20240401_010203.zip";
const KEYS: &str = "file_am_InvoicePVO-batch3-20240401_010203.zip";
const OTHER: &str = "file_am_SupplierPVO-batch4-20240401_010203.zip";

#[track_caller]
fn refused(input: Vec<u8>, message: &str, hint: &str) {
    let error = read_bytes(&invoices(), input).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract, "{error}");
    assert_eq!(error.to_string(), format!("s.e in 'F.csv'{message}"));
    assert!(error.advice().unwrap_or_default().contains(hint), "{:?}", error.advice());
}

fn rows(text: &str) -> Vec<u8> {
    zip(&[("a.csv", text)])
}

#[test]
fn rows_of_all_data_zips_come_with_the_keys_that_are_left() {
    let input = package(&[
        (DATA, rows("ID,PAID,AMOUNT,EXTRA\n1,01/04/2024,1.50,x\n2,,\"2,00\",x\n")),
        (MORE, rows("AMOUNT,ID,PAID\n3.00,3,02/04/2024\n")),
        (KEYS, zip(&[("a.pecsv", "ID\n1\n2\n7\n")])),
        (OTHER, zip(&[("b.csv", "not for this entity\n")])),
    ]);
    let got = read_bytes(&invoices(), input).unwrap();
    assert_eq!(
        got.rows(),
        [
            "10000000002: 1, 1.50, 2024-04-01",
            "10000000003! not_a_number amount: \"2,00\" is not a decimal(18,2) <{\"ID\":\"2\",\"AMOUNT\":\"2,00\",\"PAID\":\"\"}>",
            "20000000002: 3, 3.00, 2024-04-02",
        ]
    );
    let keys: Vec<u128> = (got.hex("_key_hash").into_iter().flatten())
        .map(|hash| u128::from_str_radix(&hash, 16).unwrap())
        .collect();
    let alive = got.totals.alive.unwrap();
    assert!(alive.contains(keys[0]), "key 1");
    assert!(!alive.contains(keys[2]), "key 3");
}

#[test]
fn a_package_without_keys_says_nothing_of_other_rows() {
    let got = read_bytes(&invoices(), package(&[(DATA, rows("ID,PAID,AMOUNT\n1,,1\n"))])).unwrap();
    assert_eq!((got.rows(), got.totals.alive), (vec!["2: 1, 1.00, null".to_string()], None));
    let got = read_bytes(&invoices(), package(&[(OTHER, rows("x\n"))])).unwrap();
    assert_eq!((got.rows().len(), got.totals.received_rows, got.totals.alive), (0, 0, None));
}

#[test]
fn missing_and_damaged_zips_are_named() {
    let data = rows("ID,PAID,AMOUNT\n1,,1\n");
    let whole = [(DATA, data.clone()), (KEYS, zip(&[("a.pecsv", "ID\n1\n")]))];
    let manifest = |hash: &str| format!("{DATA};1;{hash}\n").into_bytes();
    let without = bundled(&[("m.mf", manifest(&hex(Md5::digest(&data))))]);
    refused(without, &format!(": the manifest names '{DATA}', which is not there"), "not complete");
    let wrong = bundled(&[("m.mf", manifest(&"0".repeat(32))), (DATA, data.clone())]);
    refused(wrong, &format!(": '{DATA}' is not what the manifest says: its hash differs"), "sent again");
    let sha256 = hex(sha2::Sha256::digest(&data)).to_uppercase();
    let newer = bundled(&[("m.mf", manifest(&sha256)), (DATA, data.clone())]);
    assert_eq!(read_bytes(&invoices(), newer).unwrap().rows(), ["2: 1, 1.00, null"]);
    for text in ["what\n", "a;b;c\n", "../x.zip;1;d41d8cd98f00b204e9800998ecf8427e\n", "\u{0}\u{1}"] {
        let broken = bundled(&[("m.mf", text.as_bytes().to_vec())]);
        refused(broken, ": the manifest cannot be read: line 1 is not name;document;hash", "manifests only");
    }
    assert_eq!(read_bytes(&invoices(), package(&whole)).unwrap().rows(), ["2: 1, 1.00, null"]);
}

#[test]
fn keys_that_cannot_be_read_are_refused() {
    let with_keys =
        |keys: &str| package(&[(DATA, rows("ID,PAID,AMOUNT\n1,,1\n")), (KEYS, zip(&[("a.pecsv", keys)]))]);
    let at = " member 'a.pecsv': ";
    refused(with_keys("ID\n1\nx\n"), &format!("{at}line 3 has a key that cannot be read"), "compare the key");
    refused(with_keys("ID\n1\n\"\"\n"), &format!("{at}line 3 has a key that cannot be read"), "");
    refused(with_keys("INVOICE\n1\n"), &format!("{at}column 'ID' is missing"), "");
    refused(with_keys(""), &format!("{at}the file is empty"), "header");
    let none = read_bytes(&invoices(), with_keys("ID\n")).unwrap();
    assert_eq!(none.totals.alive, Some(crate::connector::Keys::default()));
}

#[test]
fn metadata_is_compared_with_the_contract() {
    let with_metadata = |metadata: &str| {
        package(&[(DATA, rows("ID,PAID,AMOUNT\n1,,1\n")), (MORE, zip(&[("a.mdcsv", metadata)]))])
    };
    let at = " member 'a.mdcsv': ";
    let whole = "COLUMN_NAME,DATA_TYPE,SIZE\nId,NUMBER,18\nAmount,NUMBER,\nPaid,DATE,\nNew,VARCHAR2,10\n";
    assert_eq!(read_bytes(&invoices(), with_metadata(whole)).unwrap().rows(), ["2: 1, 1.00, null"]);
    refused(
        with_metadata("Name,Type\nID,NUMBER\nPAID,DATE\n"),
        &format!("{at}column 'AMOUNT' is missing"),
        "the package has 'id', 'paid'",
    );
    refused(
        with_metadata("Name,Type\nID,NUMBER\nPAID,DATE\nAMOUNT,VARCHAR2\n"),
        &format!("{at}column 'AMOUNT' is of type VARCHAR2, the contract says otherwise"),
        "a type that can hold it",
    );
}

#[test]
fn a_bundle_is_a_tar_that_keeps_names_and_bytes() {
    let long = format!("file_{}.zip", "x".repeat(150));
    let bytes = bundled(&[("a", b"1".to_vec()), (&long, vec![7; 513]), ("empty", Vec::new())]);
    assert_eq!(bytes.len() % 512, 0);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let entries = bundle::entries(&mut file).unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", &long, "empty"]);
    let mut read = Vec::new();
    std::io::Read::read_to_end(&mut entries[1].open(&file).unwrap(), &mut read).unwrap();
    assert_eq!(read, vec![7; 513]);
    let cut = &bytes[..bytes.len() - 1024];
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(cut).unwrap();
    assert_eq!(bundle::entries(&mut file).unwrap_err().to_string(), "the file could not be read");
}
