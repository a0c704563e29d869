//! A newcomer's way: a first contract from real data, a look at the source, a pull.

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

#[tokio::test]
async fn a_table_gets_a_contract_and_its_drift_is_told() {
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
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
