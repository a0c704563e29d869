//! Stories of a source that changes between pulls, for the loops that disturb them, and the one
//! question of all these loops: does raw hold what it should?

use crate::support::sqlite;
use datafusion::prelude::SessionContext;
use muster::hub::Hub;
use muster::lake::Lake;
use muster::lake::raw::{self, Load, Place};
use muster::lake::snapshot::SnapshotTable;
use muster::pipeline::{self, pull::Wish};
use muster::project::{self, Library};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// What the source is and how it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// A table, read whole.
    Diff,
    /// A table, read from its cursor on.
    Cursor,
    /// Files, each a whole state.
    States,
    /// Files, each with rows of its own.
    Additions,
}

/// A story being told: a project in a temporary folder.
pub struct Teller {
    story: Story,
    folder: TempDir,
}

const PROJECT: &str = r#"
[hub]
name = "faults"

[forces.beds]
name = "Bedfordshire Police"

[sources.beds_till]
force = "beds"
system = "till"
"#;

pub const COLUMNS: &str = r#"
[entities.payment.columns]
id = { type = "int", required = true }
amount = { type = "decimal(18,2)" }
payee = { type = "text" }
seen = { type = "int" }
"#;

impl Story {
    /// How often the source changes; each change is followed by a pull.
    pub fn chapters(self) -> usize {
        4
    }

    fn contract(self) -> &'static str {
        match self {
            Story::Diff => "table = \"PAYMENT\"\nkey = [\"id\"]\nmax_drop = 1.0\n",
            Story::Cursor => {
                "table = \"PAYMENT\"\nkey = [\"id\"]\nmode = \"cursor\"\ncursor = \"seen\"\nlag = 1\nsweep = \"900d\"\n"
            }
            Story::States => {
                "key = [\"id\"]\nmax_drop = 1.0\nfile = { match = \"pay_*.csv\", format = \"csv\", settle = \"0s\" }\n"
            }
            Story::Additions => {
                "key = [\"_file\", \"_row\"]\nmode = \"log\"\nmax_drop = 1.0\nfile = { match = \"pay_*.csv\", format = \"csv\", settle = \"0s\" }\n"
            }
        }
    }

    fn is_table(self) -> bool {
        matches!(self, Story::Diff | Story::Cursor)
    }

    /// A new project with this source, before the first chapter.
    pub async fn begin(self) -> Teller {
        let teller = Teller { story: self, folder: tempfile::tempdir().expect("a folder") };
        let address = if self.is_table() { "sqlite:till.db" } else { "file:drop" };
        teller.write("muster.toml", &format!("{PROJECT}address = \"{address}\"\n"));
        teller.agree(self.contract(), COLUMNS);
        std::fs::create_dir(teller.dir().join("drop")).expect("a folder");
        if self.is_table() {
            teller.sql("create table PAYMENT (ID integer, AMOUNT, PAYEE, SEEN integer)").await;
        }
        teller
    }

    /// What raw holds when nothing disturbs the story.
    pub async fn told(self) -> Vec<String> {
        let teller = self.begin().await;
        for chapter in 0..self.chapters() {
            teller.change(chapter).await;
            teller.pull().await.expect("an undisturbed pull");
        }
        teller.rows().await
    }
}

impl Teller {
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn lake(&self) -> PathBuf {
        self.dir().join("lake")
    }

    /// Gives the source another contract.
    pub fn agree(&self, contract: &str, columns: &str) {
        let connector = format!(
            "system = \"till\"\nvendor = \"Tests\"\n\n[entities.payment]\ntotals = [\"amount\"]\n{contract}{columns}"
        );
        self.write("connectors/till/connector.toml", &connector);
    }

    /// Opens the project as a new process would, without the built-in library: it is not part of
    /// the story, and reading it takes longest.
    pub async fn hub(&self, lake: Lake) -> Hub {
        let project = project::load_with(self.dir(), &Library::empty());
        let project = project.unwrap_or_else(|p| panic!("{}", muster::error::Error::from(p)));
        Hub::open_over(project, lake).await.expect("an open hub")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a written file");
    }

    pub async fn sql(&self, text: &str) {
        sqlite(&self.dir().join("till.db"), text).await;
    }

    /// The source before the pull of `chapter`: new, changed, deleted, bad and repaired rows.
    pub async fn change(&self, chapter: usize) {
        let row = |id: usize, amount: &str, seen: usize| format!("{id},{amount},payee {id},{seen}");
        let states: [Vec<String>; 4] = [
            (1..=40).map(|id| row(id, "1.25", 10)).collect(),
            (1..=60).map(|id| row(id, if id % 9 == 0 { "oops" } else { "1.25" }, 10 + id / 30)).collect(),
            (5..=60).map(|id| row(id, "2.50", 20)).collect(),
            (5..=70).map(|id| row(id, if id == 70 { "x" } else { "2.50" }, 20 + id / 65)).collect(),
        ];
        let rows = &states[chapter];
        match self.story {
            Story::Diff | Story::Cursor => {
                let row = |row: &String| {
                    let cells: Vec<&str> = row.split(',').collect();
                    format!("({}, '{}', '{}', {})", cells[0], cells[1], cells[2], cells[3])
                };
                let rows: Vec<String> = rows.iter().map(row).collect();
                self.sql(&format!("delete from PAYMENT; insert into PAYMENT values {}", rows.join(", ")))
                    .await;
            }
            Story::States | Story::Additions => {
                // The third chapter sends the second file again, corrected.
                let number = if chapter == 2 { 1 } else { chapter };
                // Small additions that are new are landed together.
                let parts = if self.story == Story::Additions && [0, 3].contains(&chapter) { 2 } else { 1 };
                for (part, rows) in rows.chunks(rows.len().div_ceil(parts)).enumerate() {
                    let text = format!("id,amount,payee,seen\n{}\n", rows.join("\n"));
                    self.write(&format!("drop/pay_{number}_{part}.csv"), &text);
                }
            }
        }
    }

    /// Pulls into the project's own lake.
    pub async fn pull(&self) -> Result<(), String> {
        let lake = Lake::open(&self.lake()).expect("a lake");
        self.pull_into(lake).await
    }

    /// Pulls once, without retries; why it failed.
    pub async fn pull_into(&self, lake: Lake) -> Result<(), String> {
        self.pull_with(lake, Wish::default()).await
    }

    /// The same with a wish.
    pub async fn pull_with(&self, lake: Lake, wish: Wish) -> Result<(), String> {
        let hub = self.hub(lake).await;
        let sources: Vec<_> = hub.project.sources.values().collect();
        match pipeline::run::pull(&hub, &sources, 0, wish, &|_| {}).await {
            Ok(failures) if failures.is_empty() => Ok(()),
            Ok(failures) => Err(failures.into_values().collect::<Vec<_>>().join("; ")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The loads so far, newest first.
    pub async fn loads(&self) -> Vec<Load> {
        let lake = Lake::open(&self.lake()).expect("a lake");
        raw::loads(&lake, &till(), None).await.expect("records")
    }

    /// Every row of raw but for its instant, sorted.
    pub async fn rows(&self) -> Vec<String> {
        let lake = Lake::open(&self.lake()).expect("a lake");
        let table = lake.table("raw/beds/beds_till/payment");
        let Some(version) = table.version(None).await.expect("a readable log") else { return Vec::new() };
        let context = SessionContext::new();
        context.register_table("r", Arc::new(SnapshotTable::of(&version, |_| true))).expect("a table");
        let sql = "select _load, _op, _row, _file, encode(_key_hash, 'hex') as k, encode(_row_hash, 'hex') as h, \
                   _errors, _raw, id, amount, payee, seen from r order by _load, k, _op";
        let batches = context.sql(sql).await.expect("a plan").collect().await.expect("readable files");
        let text = datafusion::arrow::util::pretty::pretty_format_batches(&batches).expect("a table");
        text.to_string().lines().map(str::to_string).collect()
    }
}

/// Where raw keeps the source's only entity.
pub fn till() -> Place {
    Place { force: "beds".into(), source: "beds_till".into(), entity: "payment".into() }
}

/// What is wrong with raw, compared with the rows it should hold.
pub async fn violations(teller: &Teller, expected: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let rows = teller.rows().await;
    if rows != expected {
        let missing = expected.iter().filter(|row| !rows.contains(row)).count();
        let extra = rows.iter().filter(|row| !expected.contains(row)).count();
        found.push(format!("raw differs: {missing} lines missing, {extra} lines too many"));
    }
    let lake = Lake::open(&teller.lake()).expect("a lake");
    let place = till();
    let loads = teller.loads().await;
    let numbers: Vec<i64> = loads.iter().rev().map(|load| load.load).collect();
    let contiguous: Vec<i64> = (1..=numbers.len() as i64).collect();
    if numbers != contiguous {
        found.push(format!("the loads are numbered {numbers:?}"));
    }
    let version = lake.table(&place.table()).version(None).await.expect("a log").expect("a table");
    let named: Vec<String> = version.files.iter().map(|file| file.path.clone()).collect();
    for path in files_below(&teller.lake()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let orphan = name.ends_with(".parquet") && !name.contains("checkpoint") && !named.contains(&name);
        if orphan || name.contains('#') || path.to_string_lossy().contains("/incoming/") {
            found.push(format!("left behind: {}", path.display()));
        }
    }
    found
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}
