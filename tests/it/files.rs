//! Folders of files, from the drop to raw.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Decimal128Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use muster::hub::Hub;
use muster::lake::raw::{self, Load, Place};
use muster::pipeline::{self, Event, pull::Wish};
use muster::project::{self, Library};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

/// A project whose forces keep their payments in files.
pub struct FileProject {
    folder: TempDir,
    library: Library,
}

/// What a pull did.
#[derive(Debug, Default)]
pub struct Pulled {
    /// Why sources failed, by source.
    pub failures: BTreeMap<String, String>,
    /// What the reader was told, by source and entity.
    pub notes: BTreeMap<String, Vec<String>>,
}

/// Each file holds rows of its own.
pub const LOG: &str = "key = [\"_file\", \"_row\"]\nmode = \"log\"\n";

/// Each file is the whole state.
const DIFF: &str = "key = [\"id\"]\n";

/// Taken as soon as it is there.
pub const AT_ONCE: &str = "settle = \"0s\"";

impl FileProject {
    /// A project with these sources, by name and address, each in a force of its own; `mode` and
    /// `file` are parts of the contract.
    pub fn new(sources: &[(&str, &str)], mode: &str, file: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), library: Library::empty() };
        let contract = format!(
            "system = \"till\"\nvendor = \"Tests\"\n\n[entities.payment]\n{mode}totals = [\"amount\"]\n\n\
             [entities.payment.file]\nmatch = \"pay_*\"\nformat = \"csv\"\n{file}\n\n[entities.payment.columns]\n\
             id = {{ type = \"text\", required = true }}\namount = {{ type = \"decimal(18,2)\" }}\n"
        );
        project.write("connectors/till/connector.toml", contract);
        project.settings("till", sources);
        project
    }

    /// A project with one force, `beds`, whose drop folder is `drop`.
    fn of_one(mode: &str, file: &str) -> Self {
        Self::new(&[("beds", "address = \"file:drop\"")], mode, file)
    }

    fn settings(&self, system: &str, sources: &[(&str, &str)]) {
        let mut settings = "[hub]\nname = \"files\"\n".to_string();
        for (force, rest) in sources {
            settings += &format!(
                "[forces.{force}]\nname = \"{force}\"\n[sources.{force}]\nforce = \"{force}\"\nsystem = \"{system}\"\n{rest}\n"
            );
        }
        self.write("muster.toml", settings);
        fs::create_dir_all(self.path("drop")).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    pub async fn open(&self) -> Hub {
        let project = project::load_with(self.folder.path(), &self.library);
        let project = project.unwrap_or_else(|p| panic!("{}", muster::error::Error::from(p)));
        Hub::open(project).await.unwrap()
    }

    /// Pulls every source once, as a new process would.
    pub async fn pull(&self) -> Pulled {
        let hub = self.open().await;
        let sources: Vec<_> = hub.project.sources.values().collect();
        let events = Mutex::new(Vec::new());
        let report = |event| events.lock().unwrap().push(event);
        let failures = pipeline::run::pull(&hub, &sources, 0, Wish::default(), &report).await.unwrap();
        let mut pulled = Pulled { failures, ..Pulled::default() };
        for event in events.into_inner().unwrap() {
            if let Event::Pulled { name, notes, .. } = event {
                pulled.notes.insert(name, notes);
            }
        }
        pulled
    }

    /// Pulls every source once; none may fail.
    async fn pull_well(&self) -> Vec<String> {
        let pulled = self.pull().await;
        assert_eq!(pulled.failures, BTreeMap::new());
        pulled.notes.into_values().flatten().collect()
    }

    fn place(source: &str) -> Place {
        Place { force: source.into(), source: source.into(), entity: "payment".into() }
    }

    /// The loads of a source, oldest first.
    pub async fn loads(&self, source: &str) -> Vec<Load> {
        let hub = self.open().await;
        let mut loads = raw::loads(&hub.lake, &Self::place(source), None).await.unwrap();
        loads.reverse();
        loads
    }

    /// The files of the loads of `beds`, oldest first.
    async fn landed(&self) -> Vec<String> {
        self.loads("beds").await.into_iter().filter_map(|load| load.file).collect()
    }

    /// The current rows of a source, or those in quarantine.
    pub async fn raw(&self, source: &str, quarantined: bool, columns: &[&str]) -> Vec<RecordBatch> {
        let hub = self.open().await;
        let version = hub.lake.table(&Self::place(source).table()).version(None).await.unwrap().unwrap();
        let rows = raw::rows(&SessionContext::new(), &version, quarantined).unwrap();
        rows.select_columns(columns).unwrap().collect().await.unwrap()
    }

    /// The current rows of a source as `file:line id`, sorted.
    pub async fn rows(&self, source: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for batch in self.raw(source, false, &["_file", "_row", "id"]).await {
            let batch = [0, 1, 2].map(|at| {
                datafusion::arrow::compute::cast(
                    batch.column(at),
                    &datafusion::arrow::datatypes::DataType::Utf8,
                )
                .unwrap()
            });
            let [file, row, id] = [0, 1, 2].map(|at| batch[at].as_string::<i32>());
            rows.extend(
                (0..id.len()).map(|at| format!("{}:{} {}", file.value(at), row.value(at), id.value(at))),
            );
        }
        rows.sort();
        rows
    }

    /// The names of the files that the lake keeps of a source, half-received ones included.
    pub fn kept(&self, source: &str) -> Vec<String> {
        let folder = self.path("lake/files").join(source).join(source);
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => names.extend(
                    fs::read_dir(path).unwrap().map(|e| format!("incoming/{:?}", e.unwrap().file_name())),
                ),
                false => names.push(path.file_name().unwrap().to_str().unwrap().to_string()),
            }
        }
        names.sort();
        names
    }
}

fn csv(ids: &[&str]) -> String {
    ids.iter().fold("id,amount\n".to_string(), |text, id| text + id + ",1.50\n")
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_same_file_again_is_nothing_and_changed_bytes_are_a_new_load() {
    for mode in [LOG, DIFF] {
        let project = FileProject::of_one(mode, AT_ONCE);
        project.write("drop/pay_1.csv", csv(&["a", "b"]));
        project.pull_well().await;
        assert_eq!(project.rows("beds").await, ["pay_1.csv:2 a", "pay_1.csv:3 b"]);
        project.pull_well().await;
        // A copy: another time, the same bytes.
        fs::remove_file(project.path("drop/pay_1.csv")).unwrap();
        project.write("drop/pay_1.csv", csv(&["a", "b"]));
        project.pull_well().await;
        assert_eq!(project.loads("beds").await.len(), 1, "{mode}");

        project.write("drop/pay_1.csv", csv(&["a", "c"]));
        project.pull_well().await;
        assert_eq!(project.landed().await, ["pay_1.csv", "pay_1.csv"]);
        assert_eq!(project.rows("beds").await, ["pay_1.csv:2 a", "pay_1.csv:3 c"], "{mode}");

        // Both versions are kept byte for byte, and nothing half-received.
        let mut versions = [sha256(csv(&["a", "b"])), sha256(csv(&["a", "c"]))];
        versions.sort();
        assert_eq!(project.kept("beds"), versions);
        let kept = project.path("lake/files/beds/beds").join(sha256(csv(&["a", "c"])));
        assert_eq!(fs::read(kept).unwrap(), csv(&["a", "c"]).as_bytes());

        // What has been landed stays when the sender tidies up.
        fs::remove_file(project.path("drop/pay_1.csv")).unwrap();
        project.pull_well().await;
        assert_eq!((project.loads("beds").await.len(), project.rows("beds").await.len()), (2, 2));
    }
}

#[tokio::test]
async fn a_file_that_is_being_written_waits_and_holds_nobody_up() {
    let project = FileProject::of_one(LOG, "settle = \"1s\"");
    project.write("drop/pay_1.csv", csv(&["a"]));
    let growing = project.path("drop/pay_2.csv");
    let writer = tokio::spawn(async move {
        let mut text = csv(&[]);
        loop {
            text += "b,1.50\n";
            fs::write(&growing, &text).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(project.pull_well().await, ["still arriving: pay_2.csv"]);
    assert_eq!(project.rows("beds").await, ["pay_1.csv:2 a"]);
    writer.abort();
    project.write("drop/pay_2.csv", csv(&["b"]));
    assert_eq!(project.pull_well().await, [""; 0]);
    assert_eq!(project.rows("beds").await, ["pay_1.csv:2 a", "pay_2.csv:2 b"]);
}

#[tokio::test]
async fn many_files_land_in_declared_order_one_load_each() {
    let project = FileProject::of_one(LOG, &format!("{AT_ONCE}\norder = '(\\d+)_(\\d+)'"));
    let names = ["pay_9_2023.csv", "pay_10_2023.csv", "pay_010_2024.csv", "pay_1_2025.csv"];
    for (at, name) in names.iter().enumerate().rev() {
        project.write(&format!("drop/{name}"), csv(&[&format!("id {at}")]));
    }
    project.pull_well().await;
    assert_eq!(
        project.landed().await,
        ["pay_1_2025.csv", "pay_9_2023.csv", "pay_10_2023.csv", "pay_010_2024.csv"]
    );
    project.write("drop/pay_new.csv", csv(&["late"]));
    let failures = project.pull().await.failures;
    assert_eq!(
        failures["beds"],
        "beds.payment: file \"pay_new.csv\" has no place in the order of its entity"
    );
}

#[tokio::test]
async fn states_are_passed_over_in_the_declared_order() {
    let project = FileProject::of_one(DIFF, &format!("{AT_ONCE}\norder = '_(\\d+)'"));
    project.write("drop/pay_10.csv", csv(&["a", "b"]));
    project.pull_well().await;
    // By name alone, the ninth would come after the tenth.
    project.write("drop/pay_9.csv", csv(&["old"]));
    assert_eq!(
        project.pull_well().await,
        ["file \"pay_9.csv\" is older than \"pay_10.csv\", which is landed"]
    );
    assert_eq!(project.rows("beds").await, ["pay_10.csv:2 a", "pay_10.csv:3 b"]);
}

#[tokio::test]
async fn a_marker_says_that_a_file_is_complete() {
    let project = FileProject::of_one(LOG, "settle = \"1h\"\ndone = \"{name}.done\"");
    project.write("drop/pay_1.csv", csv(&["a"]));
    assert_eq!(project.pull_well().await, ["still arriving: pay_1.csv"]);
    project.write("drop/pay_1.csv.done", "");
    assert_eq!(project.pull_well().await, [""; 0]);
    assert_eq!(project.landed().await, ["pay_1.csv"]);
}

#[tokio::test]
async fn any_name_that_a_folder_can_hold_is_kept() {
    let project = FileProject::of_one(LOG, AT_ONCE);
    let names = [
        "pay_ a b",
        "pay_\"'",
        "pay_#1",
        "pay_%2e%2F",
        "pay_..",
        "pay_\n\t",
        "pay_é🚓",
        "pay_\\",
        "pay_*?[]",
    ];
    fs::create_dir(project.path("drop/pay_folder.csv")).unwrap();
    for name in names {
        // Quoted, whatever is in it.
        let cell = name.replace('"', "\"\"");
        project.write(&format!("drop/{name}"), format!("id,amount\n\"{cell}\",1.50\n"));
    }
    project.pull_well().await;
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name}:2 {name}")).collect();
    expected.sort();
    assert_eq!(project.rows("beds").await, expected);
    assert_eq!(project.loads("beds").await.len(), names.len());
}

#[tokio::test]
async fn a_link_out_of_the_folder_fails_its_source_alone() {
    let sources = [("beds", "address = \"file:drop\""), ("herts", "address = \"file:herts\"")];
    let project = FileProject::new(&sources, LOG, AT_ONCE);
    project.write("herts/pay_1.csv", csv(&["secret of herts"]));
    std::os::unix::fs::symlink(project.path("herts/pay_1.csv"), project.path("drop/pay_1.csv")).unwrap();
    let pulled = project.pull().await;
    let why = "beds.payment: file \"pay_1.csv\" is a link that leads out of the folder";
    assert_eq!(pulled.failures, BTreeMap::from([("beds".to_string(), why.to_string())]));
    assert_eq!(project.loads("beds").await.len(), 0);
    assert_eq!(project.rows("herts").await, ["pay_1.csv:2 secret of herts"]);
}

#[tokio::test]
async fn an_empty_file_is_refused_by_name() {
    let project = FileProject::of_one(LOG, AT_ONCE);
    project.write("drop/pay_1.csv", "");
    let failures = project.pull().await.failures;
    assert_eq!(failures["beds"], "beds.payment in 'pay_1.csv': the file is empty");
}

/// Lands files of published spend through the built-in contract.
async fn published(files: &[(String, PathBuf)]) -> FileProject {
    let project = FileProject { folder: tempfile::tempdir().unwrap(), library: project::builtin() };
    project.settings("spend_over_500", &[("beds", "address = \"file:drop\"")]);
    for (name, path) in files {
        project.write(&format!("drop/{name}"), fs::read(path).unwrap());
    }
    project.pull_well().await;
    project
}

/// Current rows and the sum of their amounts in pence.
async fn spent(project: &FileProject) -> (u64, i128) {
    let (mut rows, mut pence) = (0, 0);
    for batch in project.raw("beds", false, &["amount"]).await {
        rows += batch.num_rows() as u64;
        pence += batch.column(0).as_primitive::<Decimal128Type>().iter().flatten().sum::<i128>();
    }
    (rows, pence)
}

#[tokio::test]
async fn published_spend_of_any_year_lands_through_one_contract() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors/spend_over_500/fixtures");
    let files = [("2014", "payment_2014.csv"), ("2015", "payment_2015.csv"), ("2017", "payment.csv")];
    let files = files.map(|(year, file)| (format!("spend-{year}.csv"), folder.join(file)));
    let project = published(&files).await;
    // 1500 + 653.50 - 98.04; 2 × 1068.60; -0.01 + 8151.90 - 1000.
    assert_eq!(spent(&project).await, (8, 205_546 + 213_720 + 715_189));
    let loads = project.loads("beds").await;
    let counts: Vec<_> =
        loads.iter().map(|l| (l.received_rows, l.accepted_rows, l.quarantined_rows)).collect();
    assert_eq!(counts, [(3, 3, 0), (2, 2, 0), (5, 3, 2)]);
    let mut bad = Vec::new();
    for batch in project.raw("beds", true, &["_row", "_errors"]).await {
        let (rows, errors) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_list::<i32>());
        for at in 0..batch.num_rows() {
            let reasons = datafusion::arrow::util::display::array_value_to_string(errors, at).unwrap();
            bad.push(format!("{} {reasons}", rows.value(at)));
        }
    }
    bad.sort();
    assert!(
        bad[0].starts_with("5 [not_a_date paid_on") && bad[1].starts_with("6 [not_a_number amount"),
        "{bad:?}"
    );
}

#[tokio::test]
async fn every_line_of_the_real_files_is_accounted_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/spend");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.map(|p| (p.file_name().unwrap().to_str().unwrap().to_string(), p)).collect();
    assert_eq!(files.len(), 6);
    let project = published(&files).await;

    let (mut all_rows, mut all_pence) = (0, 0);
    let loads = project.loads("beds").await;
    assert_eq!(loads.len(), 6);
    for load in loads {
        let name = load.file.clone().unwrap();
        let (lines, pence) = counted(&folder.join(&name));
        assert_eq!(load.received_rows, lines, "{name}");
        assert_eq!((load.accepted_rows, load.quarantined_rows), (lines, 0), "{name}");
        let written = format!("{}.{:02}", pence / 100, pence % 100);
        assert_eq!(load.sums[0].received, written, "{name}");
        assert_eq!(load.sums[0].accepted, written, "{name}");
        (all_rows, all_pence) = (all_rows + lines, all_pence + i128::from(pence));
    }
    assert_eq!(spent(&project).await, (all_rows, all_pence));
    // What a spreadsheet lost in one of them is one finding, and nothing else is to be said.
    let found: Vec<_> = (project.loads("beds").await.into_iter())
        .flat_map(|load| load.findings.into_iter().map(move |finding| (load.file.clone(), finding)))
        .map(|(file, finding)| (file.unwrap(), finding.rows, finding.to_string()))
        .collect();
    let lost = "destroyed_values paid_on: 3836 of 3836 values are \"00:00:00\": they are read as no value";
    assert_eq!(found, [("oxford-apr-jun-2014.csv".to_string(), 3836, lost.to_string())]);
    // The second pull knows all of them.
    project.pull_well().await;
    assert_eq!(project.loads("beds").await.len(), 6);
}

/// The lines of a file without its header and blank ones, and the sum of their amounts in pence;
/// found without the hub's own readers: no cell of these files holds a line break.
fn counted(path: &Path) -> (u64, i64) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let amount = cells(lines.next().unwrap()).iter().position(|name| name == "Amount").unwrap();
    lines.fold((0, 0), |(count, sum), line| (count + 1, sum + pence(&cells(line)[amount])))
}

/// The cells of a line; quotes may surround a cell and are doubled within.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => cells.last_mut().unwrap().push(letter),
        }
    }
    cells
}

fn pence(amount: &str) -> i64 {
    let (pounds, rest) = amount.split_once('.').unwrap_or((amount, ""));
    let pence = format!("{pounds}{rest:0<2}");
    assert!(rest.len() <= 2, "{amount}");
    pence.parse().unwrap()
}
