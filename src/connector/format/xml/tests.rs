use crate::connector::contract::{Contract, Encoding, FileFormat, Type, XmlLayout};
use crate::connector::testing::{Got, contract, decimal, layout};
use crate::connector::{SourceFile, format};
use crate::error::{Kind, Result};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpListener;

fn xml(columns: &[(&str, Type, &str)], rows: &str, join: Option<&str>) -> Contract {
    let named: Vec<(&str, Type)> = columns.iter().map(|(name, ty, _)| (*name, ty.clone())).collect();
    let mut contract = contract(&named);
    for (column, (_, _, from)) in contract.columns.iter_mut().zip(columns) {
        column.from = from.split('|').map(str::to_string).collect();
        // Small documents leave out what a test is not about.
        column.optional = true;
    }
    let namespaces = BTreeMap::from([("w".to_string(), "urn:w".to_string())]);
    let format = XmlLayout::new(rows, join.map(str::to_string), namespaces).unwrap();
    layout(&mut contract).format = FileFormat::Xml(format);
    contract
}

fn read_bytes(contract: &Contract, bytes: impl Into<Vec<u8>>) -> Result<Got> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("F.xml");
    std::fs::write(&path, bytes.into()).unwrap();
    let file = SourceFile { name: "F.xml".into(), tag: String::new(), sha256: String::new(), path };
    let mut batches = Vec::new();
    let mut emit = |batch| {
        batches.push(batch);
        true
    };
    let layout = contract.file.as_ref().unwrap();
    let totals = format::read(contract, layout, &file, "s.e in 'F.xml'", &mut emit)?;
    Ok(Got { batches, totals: totals.unwrap() })
}

fn workers() -> Contract {
    let columns = [
        ("id", Type::Text, "@id"),
        ("name", Type::Text, "Name/First"),
        ("fte", decimal(9, 4), "Fte"),
        ("batch", Type::Text, "../@batch"),
    ];
    xml(&columns, "/Extract/Worker", None)
}

#[track_caller]
fn check(contract: &Contract, input: impl Into<Vec<u8>>, expect: &[&str]) {
    let got = read_bytes(contract, input).unwrap();
    assert_eq!(got.rows(), expect);
    assert_eq!(got.totals.received_rows, expect.len() as u64);
}

/// The whole extract is refused; message and hint hold these words.
#[track_caller]
fn refused(contract: &Contract, input: impl Into<Vec<u8>>, words: &[&str]) {
    let error = read_bytes(contract, input).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract);
    let shown = format!("{error} / {}", error.advice().unwrap_or_default());
    assert!(shown.starts_with("s.e in 'F.xml': "), "{shown}");
    for word in words {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    assert!(!shown.contains("Miller"), "{shown}");
}

#[test]
fn rows_and_cells_are_found_by_their_paths() {
    let input =
        "<?xml version=\"1.0\"?>\n<!-- c --><?pi x?>\n<Extract batch='7'><Header><Worker id='no'/></Header>
        <Worker id=\"1\"><Name><Last>x</Last><First>Zoë</First></Name><Fte> 0.5 </Fte></Worker>
        <Worker id='2'><Other><Fte>9</Fte><Name/></Other><Fte>1</Fte><Name><First/></Name></Worker>
        <Worker id='3'/><Trailer>9</Trailer></Extract>\n<!-- end -->\n";
    check(&workers(), input, &["1: 1, Zoë, 0.5000, 7", "2: 2, null, 1.0000, 7", "3: 3, null, null, 7"]);
    check(&workers(), "<Extract/>", &[]);
}

#[test]
fn rows_are_kept_as_received() {
    let input = "<Extract batch='7'>\r\n <Worker id='1'><Fte>1.O</Fte></Worker>\n<Worker><Fte>1</Fte></Worker></Extract>";
    check(
        &workers(),
        input,
        &[
            "1! not_a_number fte: \"1.O\" is not a decimal(9,4) <<Worker id='1'><Fte>1.O</Fte></Worker>>",
            "2! required id: the value is missing <<Worker><Fte>1</Fte></Worker>>",
        ],
    );
}

#[test]
fn text_is_what_an_element_says_altogether() {
    let columns = [("id", Type::Text, "@id"), ("note", Type::Text, "Note"), ("all", Type::Text, ".")];
    let contract = xml(&columns, "/E/R", None);
    let input = "<E><R id='&lt;&#x41;&quot;'><Note>a &amp; <b>b</b>\r\nc\rd<![CDATA[ <&amp;]]>&#233;&apos;</Note>!</R></E>";
    check(&contract, input, &["1: <A\", a & b\nc\nd <&amp;é', a & b\nc\nd <&amp;é'!"]);
}

#[test]
fn values_around_the_rows_hold_until_the_next() {
    let columns = [
        ("id", Type::Text, "@id"),
        ("batch", Type::Text, "../@n"),
        ("day", Type::Text, "../Header/Day"),
        ("run", Type::Text, "/E/Run"),
        ("file", Type::Text, "_file"),
    ];
    let contract = xml(&columns, "/E/Batch/R", None);
    let input = "<E><Run>r1</Run><Batch n='1'><Header><Day>mon</Day></Header><R id='1'/><R id='2'/></Batch>
        <Batch><R id='3'/><Header><Day>tue</Day></Header><R id='4'/></Batch></E>";
    let expect = ["1: 1, 1, mon, r1", "2: 2, 1, mon, r1", "3: 3, null, null, r1", "4: 4, null, tue, r1"];
    check(&contract, input, &expect.map(|row| format!("{row}, F.xml")).each_ref().map(String::as_str));
}

#[test]
fn elements_that_come_again_make_a_bad_row_or_are_joined() {
    let columns = [("id", Type::Text, "@id"), ("phone", Type::Text, "Phone|Tel"), ("x", Type::Text, "X")];
    let input = "<E><R id='1'><Phone>1</Phone><X>x</X><Phone/><Tel>3</Tel></R><R id='2'><Tel>4</Tel></R></E>";
    let bad = "1! ragged_row row: column 'phone' has 3 values \
        <<R id='1'><Phone>1</Phone><X>x</X><Phone/><Tel>3</Tel></R>>";
    check(&xml(&columns, "/E/R", None), input, &[bad, "2: 2, 4, null"]);
    check(&xml(&columns, "/E/R", Some("; ")), input, &["1: 1, 1; ; 3, x", "2: 2, 4, null"]);
}

#[test]
fn prefixes_mean_nothing_unless_they_are_declared() {
    let input = "<a:E xmlns:a='urn:a' xmlns='urn:w'><R id='1'><N>w</N></R>
        <a:R id='2' xmlns:b='urn:w' b:id='3'><b:N>b</b:N></a:R></a:E>";
    let local = [("id", Type::Text, "@id"), ("n", Type::Text, "N")];
    let contract = xml(&local, "/E/R", Some("+"));
    check(&contract, input, &["1: 1, w", "2: 2+3, b"]);
    let named = [("id", Type::Text, "@id"), ("n", Type::Text, "w:N")];
    check(&xml(&named, "/E/w:R", None), input, &["1: 1, w"]);
    let attribute = [("id", Type::Text, "@w:id"), ("n", Type::Text, "w:N")];
    let bad = "1! required id: the value is missing <<R id='1'><N>w</N></R>>";
    check(&xml(&attribute, "/E/R", None), input, &[bad, "2: 3, b"]);
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    let contract = workers();
    let good = "<Extract>\n<Worker id='1'/>\n";
    for (rest, words) in [
        ("<Worker id='2'>\n<Name>Miller</Fte>", vec!["line 4 (byte 55), in row 2", "not well-formed"]),
        ("<Worker id='2'><Name>Miller", vec!["in row 2", "ends within 3 open elements", "cut"]),
        ("<Worker id='Miller", vec!["line 3 (byte 27), after row 1", "not closed"]),
        ("<Worker Miller=2/>", vec!["not well-formed", "attribute"]),
        ("<Worker id='&Miller;'/>", vec!["reference"]),
        ("<Worker><Fte>1 & 2</Fte></Worker>", vec!["line 3", "reference"]),
        ("<Worker><Fte>&nbsp;</Fte></Worker></Extract>", vec!["'&nbsp;' has no meaning"]),
        ("<Worker><Fte>&#xD800;</Fte></Worker></Extract>", vec!["reference"]),
        ("</Extract><Extract/>", vec!["outside of the root"]),
        ("</Extract>Miller", vec!["outside of the root"]),
        ("</Worker>", vec!["line 3 (byte 27)"]),
    ] {
        refused(&contract, format!("{good}{rest}"), &words);
    }
    refused(&contract, "", &["line 1 (byte 0)", "no element"]);
    refused(&contract, "ID,NAME\n1,Miller\n", &["outside of the root"]);
    refused(&contract, "<HTML><body>403</body></HTML>", &["root element is 'HTML'", "web page"]);
    refused(
        &contract,
        b"<Extract><Worker id='M\xfcller'/></Extract>".to_vec(),
        &["malformed in the encoding"],
    );
}

#[test]
fn a_row_before_an_error_is_not_complete_without_what_follows() {
    let rows: String = (0..50_000).map(|row| format!("<Worker id='{row}'/>")).collect();
    refused(&workers(), format!("<Extract>{rows}<Worker></Extract>"), &["in row 50001"]);
}

/// Documents that attack whoever reads them.
#[test]
fn nothing_that_a_document_declares_is_expanded_or_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/e", listener.local_addr().unwrap());
    let laughs: String =
        (1..10).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let long = "a".repeat(50_000);
    for dtd in [
        format!("<!DOCTYPE Extract [<!ENTITY l0 \"lol\">{laughs}]><Extract><Worker id='&l9;'/></Extract>"),
        format!("<!DOCTYPE Extract [<!ENTITY a \"{long}\">]><Extract>{}</Extract>", "&a;".repeat(50_000)),
        format!("<!DOCTYPE Extract SYSTEM \"{url}\"><Extract/>"),
        format!("<!DOCTYPE Extract PUBLIC \"-//x//x\" \"{url}\"><Extract/>"),
        format!("<!DOCTYPE Extract [<!ENTITY x SYSTEM \"{url}\">]><Extract><Worker>&x;</Worker></Extract>"),
        format!("<!DOCTYPE Extract [<!ENTITY % x SYSTEM \"{url}\"> %x;]><Extract/>"),
        "<!DOCTYPE Extract [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Extract>&x;</Extract>".into(),
        "<!doctype Extract []><Extract/>".into(),
    ] {
        refused(&workers(), dtd, &["DTD, which is not read", "<!DOCTYPE"]);
    }
    for stray in ["<!ENTITY x \"y\"><Extract/>", "<Extract><!ENTITY x SYSTEM 'u'></Extract>"] {
        refused(&workers(), stray, &["not well-formed"]);
    }
    // A schema and a style sheet are only names.
    let names =
        format!("<?xml-stylesheet href='{url}'?><Extract xmlns:x='{url}' x:schemaLocation='u {url}'/>");
    check(&workers(), names, &[]);
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Ok((mut caller, _)) => {
            let mut said = String::new();
            caller.read_to_string(&mut said).ok();
            panic!("somebody came for {said}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
    }
}

#[test]
fn depth_attributes_texts_and_rows_have_limits() {
    let contract = workers();
    let deep = |depth: usize| format!("<Extract>{}{}</Extract>", "<a>".repeat(depth), "</a>".repeat(depth));
    check(&contract, deep(255), &[]);
    refused(&contract, deep(256), &["256 deep"]);
    refused(&contract, "<a>".repeat(1_000_000), &["root element is 'a'"]);
    let many = |count: usize| {
        let attributes: String = (0..count).map(|at| format!(" a{at}=''")).collect();
        format!("<Extract><Worker id='1'{attributes}/></Extract>")
    };
    check(&contract, many(999), &["1: 1, null, null, null"]);
    refused(&contract, many(1_000), &["more than 1000 attributes", "in row 1"]);
    let text = |mib: usize| format!("<Name><First>{}</First></Name>", "x".repeat(mib << 20));
    refused(&contract, format!("<Extract><Worker>{}</Worker></Extract>", text(17)), &["longer than 16 MiB"]);
    let filler = format!("<a>{}</a>", "x".repeat(1 << 20));
    let row = format!("<Extract><Worker><Other>{}</Other></Worker></Extract>", filler.repeat(65));
    refused(&contract, row, &["longer than 64 MiB", "in row 1", "row path"]);
    let comment = format!("<Extract><!--{}--></Extract>", "x".repeat(65 << 20));
    refused(&contract, comment, &["longer than 64 MiB"]);
}

#[test]
fn documents_say_their_encoding() {
    let contract = workers();
    let document = |declared: &str| format!("{declared}<Extract><Worker id='Zoë'/></Extract>");
    let expect = &["1: Zoë, null, null, null"][..];
    let units =
        |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let latin = |text: String| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    check(&contract, document(""), expect);
    check(&contract, document("\u{feff}<?xml version='1.0' encoding='windows-1252'?>"), expect);
    for declared in ["encoding=\"windows-1252\"", "encoding = 'ISO-8859-1' standalone='yes'"] {
        check(&contract, latin(document(&format!("<?xml version='1.0' {declared}?>"))), expect);
    }
    // As some systems write it: UTF-16 when it was a text, UTF-8 when it became a file.
    check(&contract, document("<?xml version='1.0' encoding='utf-16'?>"), expect);
    for mark in ["", "\u{feff}"] {
        let text = document(&format!("{mark}<?xml version='1.0' encoding='UTF-16'?>"));
        check(&contract, units(&text, u16::to_le_bytes), expect);
        check(&contract, units(&text, u16::to_be_bytes), expect);
    }
    let mut silent = workers();
    layout(&mut silent).encoding = Encoding::Windows1252;
    check(&silent, latin(document("")), expect);
    check(&silent, document("<?xml version='1.0' encoding='utf-8'?>"), expect);
    refused(
        &contract,
        "<?xml version='1.0' encoding='klingon'?><Extract/>",
        &["unknown encoding \"klingon\""],
    );
    let mut cut = units("<Extract><Worker id='", u16::to_le_bytes);
    cut.extend([0, 0xd8]);
    cut.extend(units("'/></Extract>", u16::to_le_bytes));
    refused(&contract, cut, &["malformed in the encoding"]);
}

#[test]
fn many_rows_come_in_their_order() {
    let rows: String =
        (0..60_000).map(|row| format!("<Worker id='{row}'><Fte>0.25</Fte></Worker>\n")).collect();
    let mut contract = workers();
    contract.totals = vec!["fte".into()];
    let got = read_bytes(&contract, format!("<Extract batch='b'>\n{rows}</Extract>")).unwrap();
    assert_eq!(got.totals.sums["fte"].received, "15000.0000");
    let shown = got.rows();
    assert_eq!(shown.len(), 60_000);
    assert!(shown.iter().enumerate().all(|(at, row)| *row == format!("{}: {at}, null, 0.2500, b", at + 1)));
}

/// A small generator: the same soups on every machine.
struct Soup(u64);

impl Soup {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next() % from.len()]
    }
}

/// Text of which most means something to a reader.
const SPICE: &[&str] = &[
    "<Worker id='1'>",
    "</Worker>",
    "<Name>",
    "</Name>",
    "<First>",
    "</First>",
    "<Fte>1</Fte>",
    "<Fte/>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?",
    "?>",
    "&amp;",
    "&#",
    ";",
    "&",
    "<",
    ">",
    "'",
    "\"",
    "=",
    "/",
    "!",
    "x",
    "\r\n",
    "\0",
    "é",
    "</Extract>",
    "<Extract batch='1'>",
    "<!DOCTYPE",
    "[",
    "]",
    "<Worker id='2'/>",
];

#[test]
fn any_soup_gives_rows_or_an_error() {
    let contracts =
        [workers(), xml(&[("id", Type::Text, "@id"), ("n", Type::Text, ".")], "/Extract/Worker", Some(" "))];
    let mut soup = Soup(42);
    let (mut read, mut rows, mut refused) = (0, 0, 0);
    for round in 0..6_000 {
        let mut input = String::from("<Extract>");
        let mut ends = Vec::new();
        for _ in 0..soup.next() % 12 {
            match soup.next() % 5 {
                0 => input += soup.pick(SPICE),
                1 => input += "<Worker id='1'/>",
                2 => ends.push("</Worker>"),
                _ => {
                    let (open, close) =
                        [("<Worker id='3'>", "</Worker>"), ("<Name>", "</Name>")][soup.next() % 2];
                    input += open;
                    input += soup.pick(&["", "x", "<First>y</First>", "<Fte>1</Fte>"]);
                    input += close;
                }
            }
        }
        ends.truncate(soup.next() % 2);
        let input = input + &ends.concat() + "</Extract>";
        match read_bytes(&contracts[round % 2], input) {
            Ok(got) => {
                assert_eq!(got.totals.received_rows, got.rows().len() as u64);
                (read, rows) = (read + 1, rows + got.rows().len());
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Contract);
                refused += 1;
            }
        }
    }
    assert!(read > 500 && rows > 1_000 && refused > 500, "{read} read, {rows} rows, {refused} refused");
}

#[test]
fn a_document_that_has_lost_its_rows_or_a_column_is_refused() {
    let columns = [("id", Type::Text, "@id"), ("name", Type::Text, "Name")];
    let mut contract = xml(&columns, "/Extract/Staff/Worker", None);
    contract.columns[1].optional = false;
    check(&contract, "<Extract><Staff/></Extract>", &[]);
    let renamed = "<Extract><People><Worker id='1'><Name>A</Name></Worker></People></Extract>";
    refused(&contract, renamed, &["no element '/Extract/Staff'", "renamed"]);
    let unnamed = "<Extract><Staff><Worker id='1'><Called>A</Called></Worker></Staff></Extract>";
    refused(&contract, unnamed, &["column 'Name' is missing", "no row has it", "optional"]);
    contract.columns[1].optional = true;
    check(&contract, unnamed, &["1: 1, null"]);
    let foreign = "<w:Extract xmlns:w='urn:other'/>";
    let spaced = xml(&[("id", Type::Text, "@id")], "/w:Extract/w:Worker", None);
    refused(&spaced, foreign, &["the root element is '{urn:other}Extract' and not '{urn:w}Extract'"]);
}
