//! A newcomer's way: a first contract from real data, a look at the source, a pull.

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A project without a source yet.
struct Newcomer(TempDir);

impl Newcomer {
    fn new() -> Self {
        let newcomer = Self(tempfile::tempdir().unwrap());
        newcomer.write("muster.toml", "[hub]\nname = \"new\"\n[forces.beds]\nname = \"Beds\"\n");
        newcomer
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command of the command line; what it printed, and whether it succeeded.
    fn muster(&self, args: &[&str]) -> (String, bool) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        let output = command.arg("--project").arg(self.0.path()).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (text + &String::from_utf8_lossy(&output.stderr), output.status.success())
    }

    #[track_caller]
    fn well(&self, args: &[&str]) -> String {
        let (text, succeeded) = self.muster(args);
        assert!(succeeded, "{args:?}: {text}");
        text
    }

    /// Adds the source that reads the sketched contract.
    fn with_source(&self, system: &str, address: &str) {
        let settings = format!(
            "[hub]\nname = \"new\"\n[forces.beds]\nname = \"Beds\"\n[sources.first]\nforce = \"beds\"\n\
             system = \"{system}\"\naddress = \"{address}\"\n"
        );
        self.write("muster.toml", settings);
    }

    fn contract(&self, system: &str) -> String {
        fs::read_to_string(self.0.path().join("connectors").join(system).join("connector.toml")).unwrap()
    }
}

#[test]
fn the_real_files_get_a_first_contract_that_lands_every_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/spend");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let newcomer = Newcomer::new();
    let (mut paths, mut lines) = (Vec::new(), 0);
    for path in entries.map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&path).unwrap();
        // No cell of these files holds a line break: rows are lines without the header.
        lines += String::from_utf8_lossy(&bytes).lines().filter(|line| !line.trim().is_empty()).count() - 1;
        let name = format!("drop/{}", path.file_name().unwrap().to_str().unwrap());
        paths.push(newcomer.write(&name, bytes).to_str().unwrap().to_string());
    }
    paths.sort();
    let mut args = vec!["new", "connector", "spend", "--from"];
    args.extend(paths.iter().map(String::as_str));
    newcomer.well(&args);
    let contract = newcomer.contract("spend");
    for part in [
        "match = \"oxford-*.csv\"",
        "key = [\"_file\", \"_row\"]",
        "totals = [\"amount\"]",
        "paid_date = { type = \"date\", format = \"dd/MM/yyyy\", from = \"Paid Date\" }",
        "amount = { type = \"decimal(18,2)\", from = \"Amount\" }",
        "\"caporrev\"",
        "\"Expenditure Catergory\"",
    ] {
        assert!(contract.contains(part), "{part} is not in\n{contract}");
    }
    newcomer.with_source("spend", "file:drop");
    newcomer.well(&["check"]);
    let told = newcomer.well(&["check", "--source", "first"]);
    assert!(told.contains("first.spend: as its contract says"), "{told}");
    let pulled = newcomer.well(&["pull"]);
    assert!(pulled.contains(&format!("first.spend: {lines} rows, landed")), "{pulled}");
    assert!(!pulled.contains("in quarantine"), "{pulled}");
    assert!(pulled.contains("oxford-apr-jun-2014.csv: destroyed_values paid_date: 3836 of 3836"), "{pulled}");
}

#[test]
fn an_untidy_file_gets_a_contract_and_its_drift_is_told() {
    let newcomer = Newcomer::new();
    let rows: String = (1..=40)
        .map(|n| format!("{n:05};{:02}.04.2024;\"1.234,50\";(1,2{n:02}.50);Caf\u{e9} {n}\r", 1 + n % 28))
        .collect();
    let text = format!("Payments made\r\rPay No;Paid On;Note;Amount (\u{a3});Supplier\r{rows}");
    let latin: Vec<u8> = text.chars().map(|letter| letter as u8).collect();
    let path = newcomer.write("drop/paid_1.csv", latin);
    newcomer.well(&["new", "connector", "till", "--from", path.to_str().unwrap()]);
    let contract = newcomer.contract("till");
    for part in [
        "encoding = \"windows-1252\"",
        "delimiter = \";\"",
        "match = \"paid_*.csv\"",
        "key = [\"pay_no\"]",
        "pay_no = { type = \"text\", from = \"Pay No\", required = true }",
        "paid_on = { type = \"date\", format = \"dd.MM.yyyy\", from = \"Paid On\" }",
        "amount = { type = \"decimal(18,2)\", form = \"ledger\", from = \"Amount (\u{a3})\" }",
        "supplier = { type = \"text\", from = \"Supplier\" }",
    ] {
        assert!(contract.contains(part), "{part} is not in\n{contract}");
    }
    newcomer.with_source("till", "file:drop");
    let pulled = newcomer.well(&["pull"]);
    assert!(pulled.contains("first.till: 40 rows, landed"), "{pulled}");
    assert!(pulled.contains("header: the columns are named in line 3"), "{pulled}");

    newcomer.write("drop/paid_2.csv", "Pay No;Paid On;Amount;Supplier;Grade\n1;01.04.2024;x;a;b\n");
    let (told, succeeded) = newcomer.muster(&["check", "--source", "first"]);
    assert!(!succeeded, "{told}");
    assert!(told.contains("wrong  missing_column note"), "{told}");
    assert!(told.contains("wrong  not_a_number amount: 1 of 1 rows"), "{told}");
    assert!(told.contains("note   new_column: column 'grade' is not in the contract"), "{told}");
    let (told, succeeded) = newcomer.muster(&["new", "connector", "till", "--from", path.to_str().unwrap()]);
    assert!(!succeeded && told.contains("there is a connector of this name"), "{told}");
}

/// A sketch of a file of another format: it has these parts, and what it describes lands and has a
/// fixture that it reads.
#[track_caller]
fn sketched(name: &str, bytes: impl AsRef<[u8]>, rows: usize, parts: &[&str]) {
    let newcomer = Newcomer::new();
    let path = newcomer.write(&format!("drop/{name}"), bytes);
    newcomer.well(&["new", "connector", "crew", "--from", path.to_str().unwrap()]);
    let contract = newcomer.contract("crew");
    for part in parts {
        assert!(contract.contains(part), "{part} is not in\n{contract}");
    }
    newcomer.with_source("crew", "file:drop");
    newcomer.well(&["check"]);
    let told = newcomer.well(&["check", "--source", "first"]);
    assert!(told.contains("first.crew: as its contract says"), "{told}");
    let pulled = newcomer.well(&["pull"]);
    assert!(pulled.contains(&format!("first.crew: {rows} rows, landed")), "{pulled}");
    assert!(!pulled.contains("in quarantine"), "{pulled}");
    let fixtures = newcomer.0.path().join("connectors/crew/fixtures");
    let fixture = fs::read_dir(&fixtures).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir_all(newcomer.0.path().join("drop")).unwrap();
    let fixture = newcomer.write(&format!("drop/{name}"), fs::read(fixture).unwrap());
    let told = newcomer.well(&["check", "--source", "first"]);
    assert!(told.contains("first.crew: as its contract says"), "{}: {told}", fixture.display());
}

#[test]
fn json_gets_a_contract() {
    let row = |n: usize| {
        format!(
            r#"{{"staff": {{"no": "{n:04}", "name": "Zoë {n}"}}, "on": "2026-04-{:02}", "pay": {n}.50, "tags": ["a"]}}"#,
            1 + n % 28
        )
    };
    let rows: Vec<String> = (1..=40).map(row).collect();
    let parts = [
        "format = \"json\"",
        "rows = \"$.data.crew[*]\"",
        "key = [\"staff_no\"]",
        "staff_no = { type = \"text\", from = \"staff.no\", required = true }",
        "on = { type = \"date\", format = \"yyyy-MM-dd\", from = \"on\" }",
        "pay = { type = \"decimal(18,2)\", from = \"pay\" }",
    ];
    sketched(
        "crew_1.json",
        format!(r#"{{"page": {{"of": [1, 2]}}, "data": {{"crew": [{}]}}}}"#, rows.join(",\n")),
        40,
        &parts,
    );
    sketched("crew_1.ndjson", rows.join("\n"), 40, &["format = \"ndjson\"", parts[3]]);
    sketched("crew_1.json", format!("[{}]", rows.join(",")), 40, &["format = \"json\"\n\n", parts[3]]);
}

#[test]
fn xml_gets_a_contract() {
    let row = |n: usize| {
        format!(
            "<g:Worker id='W{n}'><g:Name><g:Last>O&apos;Neill {n}</g:Last></g:Name><g:Day>{:02}/04/2026</g:Day>\
             <g:Pay>{n}.25</g:Pay><g:Tag>a</g:Tag><g:Tag>b</g:Tag></g:Worker>\n",
            1 + n % 28
        )
    };
    let rows: String = (1..=40).map(row).collect();
    sketched(
        "crew_1.xml",
        format!(
            "<?xml version='1.0'?>\n<g:Export xmlns:g='urn:g'><g:Day>x</g:Day><g:Staff>{rows}</g:Staff></g:Export>"
        ),
        40,
        &[
            "format = \"xml\"",
            "rows = \"/Export/Staff/Worker\"",
            "join = \"; \"",
            "key = [\"id\"]",
            "id = { type = \"text\", from = \"@id\", required = true }",
            "from = \"Name/Last\"",
            "day = { type = \"date\", format = \"dd/MM/yyyy\", from = \"Day\" }",
            "pay = { type = \"decimal(18,2)\", from = \"Pay\" }",
        ],
    );
}

#[test]
fn a_workbook_gets_a_contract() {
    use rust_xlsxwriter::{Format, Workbook};
    let mut book = Workbook::new();
    let day = Format::new().set_num_format("dd/mm/yyyy");
    for (month, name) in ["Apr", "May"].iter().enumerate() {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        sheet.write_string(0, 0, "Leave taken").unwrap();
        for (column, heading) in ["Staff No", "From", "Hours (h)", "Kind"].iter().enumerate() {
            sheet.write_string(2, column as u16, *heading).unwrap();
        }
        for n in 0..20_u32 {
            let row = 3 + n;
            sheet.write_string(row, 0, format!("{:04}", 100 * month as u32 + n)).unwrap();
            sheet.write_number_with_format(row, 1, f64::from(46_113 + n), &day).unwrap();
            sheet.write_number(row, 2, 7.5 + f64::from(n)).unwrap();
            sheet.write_string(row, 3, if n % 2 == 0 { "AL" } else { "TOIL" }).unwrap();
        }
    }
    sketched(
        "crew_1.xlsx",
        book.save_to_buffer().unwrap(),
        40,
        &[
            "format = \"sheet\"",
            "sheets = \"*\"",
            "rows above the columns' names",
            "key = [\"staff_no\"]",
            "from = { type = \"date\", format = \"yyyy-MM-dd\", from = \"From\" }",
            "hours_h = { type = \"decimal(18,2)\", from = \"Hours (h)\" }",
        ],
    );
}

#[tokio::test]
async fn a_table_gets_a_contract_and_its_drift_is_told() {
    let newcomer = Newcomer::new();
    let path = newcomer.0.path().join("hr.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let made = "create table STAFF_POST (POST_NO text, STARTS text, FTE numeric, GRADE text);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 30)
        insert into STAFF_POST select printf('%06d', i), date('2024-01-01', i || ' days'), i / 40.0, 'PC' from n";
    sqlx::raw_sql(made).execute(&mut database).await.unwrap();
    newcomer.well(&["new", "connector", "hr", "--from", "sqlite:hr.db", "--table", "STAFF_POST"]);
    let contract = newcomer.contract("hr");
    for part in [
        "table = \"STAFF_POST\"",
        "key = [\"post_no\"]",
        "post_no = { type = \"text\", from = \"POST_NO\", required = true }",
        "starts = { type = \"date\", format = \"yyyy-MM-dd\", from = \"STARTS\" }",
        "fte = { type = \"decimal(18,3)\", from = \"FTE\" }",
    ] {
        assert!(contract.contains(part), "{part} is not in\n{contract}");
    }
    newcomer.with_source("hr", "sqlite:hr.db");
    let pulled = newcomer.well(&["pull"]);
    assert!(pulled.contains("first.staff_post: 30 rows, landed"), "{pulled}");
    let changed = "alter table STAFF_POST add column TEAM text; alter table STAFF_POST drop column GRADE";
    sqlx::raw_sql(changed).execute(&mut database).await.unwrap();
    let (told, succeeded) = newcomer.muster(&["check", "--source", "first"]);
    assert!(!succeeded, "{told}");
    assert!(told.contains("missing_column grade: 'GRADE' is missing"), "{told}");
    assert!(told.contains("note   new_column: 1 not in the contract: 'TEAM'"), "{told}");
}

#[test]
fn docs_show_what_a_mapping_may_feed() {
    let newcomer = Newcomer::new();
    let all = newcomer.well(&["docs"]);
    let line = |table: &str| all.lines().find(|line| line.starts_with(&format!("{table} "))).unwrap();
    assert!(line("staging.absence").ends_with("from itrent, sap_hcm"), "{all}");
    assert!(line("conformed.absence").len() > "conformed.absence  ".len(), "{all}");

    let absence = newcomer.well(&["docs", "staging.absence"]);
    for expected in [
        "staging.absence  (the union of 2 mappings)\n",
        "read by: conformed.absence\n",
        "  built-in/connectors/itrent/staging/absence.sql  ",
        "\n  absence_id\n    from itrent: raw.absence.absence_id (copied)\n",
    ] {
        assert!(absence.contains(expected), "{expected}\n{absence}");
    }
    // A mapping of one's own stands beside the built-in ones; one that nobody reads is told.
    newcomer.write("connectors/lists/connector.toml", LISTS);
    newcomer.write("connectors/lists/fixtures/code.csv", "code\nA\n");
    newcomer.write(
        "connectors/lists/staging/lost_code.sql",
        "/*\nOne row per code.\ngrain: code\n*/\nselect code, 'GBP' as currency from raw.code\n",
    );
    let lost = newcomer.well(&["docs", "staging.lost_code"]);
    assert!(lost.contains("read by: no model"), "{lost}");
    let checked = newcomer.well(&["check"]);
    let note = "note   connectors/lists/staging/lost_code.sql: no model reads staging.lost_code;";
    assert_eq!(checked.matches("note ").count(), 1, "{checked}");
    assert!(checked.contains(note), "{checked}");
    let (unknown, succeeded) = newcomer.muster(&["docs", "staging.paymnt"]);
    assert!(!succeeded && unknown.contains("no mapping feeds \"staging.paymnt\""), "{unknown}");
    assert!(unknown.contains("did you mean \"staging.payment\"?"), "{unknown}");
}

/// A connector with one list.
const LISTS: &str = r#"
system = "lists"
vendor = "Lists"

[entities.code]
key = ["code"]

[entities.code.file]
match = "code*.csv"
format = "csv"

[entities.code.columns]
code = { type = "text", required = true }
"#;

#[tokio::test]
async fn a_source_that_cannot_be_opened_is_told_once_with_its_cause() {
    let newcomer = Newcomer::new();
    newcomer.with_source("itrent", "file:drop/itrent");
    let (told, succeeded) = newcomer.muster(&["pull"]);
    assert!(!succeeded);
    let folder = newcomer.0.path().join("drop/itrent");
    let expected = format!(
        "0 sources pulled, 1 failed\nfailed   first: the folder could not be read\n         \
         because: No such file or directory (os error 2)\n         \
         hint: see whether '{}' exists and can be read\n",
        folder.display()
    );
    assert_eq!(told, expected);
    // Whoever asks later sees it of every entity.
    let options = SqliteConnectOptions::new().filename(newcomer.0.path().join("state.db"));
    let mut state = SqliteConnection::connect_with(&options).await.unwrap();
    let failed = "select count(*) from steps where outcome = 'failed' and name like 'first.%'";
    let failed: i64 = sqlx::query_scalar(failed).fetch_one(&mut state).await.unwrap();
    assert_eq!(failed, 8);
}
