//! A project in a temporary folder, with a real iTrent database behind it.

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use muster::hub::Hub;
use muster::pipeline::run::{Outcome, Report, run};
use muster::policy::enforce;
use muster::policy::roles::{Principal, Role};
use muster::{pipeline::Event, project};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::TempDir;

/// Two forces, each with an iTrent database.
pub struct TestProject {
    _folder: TempDir,
    dir: PathBuf,
}

pub const TABLES: &str = "
create table ITR_PERSON (PERSONAL_REF, NI_NO, TITLE, SURNAME, FORENAMES, DOB, GENDER, ORIG_START, LEAVING_DATE, CHANGE_TS);
create table ITR_POSITION (ASSIGNMENT_NO, PERSONAL_REF, POST_TITLE, UNIT_CODE, COST_CENTRE, RANK_GRADE, WORKER_TYPE,
    CONTRACT_HOURS, FTE, CONTRACT_TYPE, EFF_FROM, EFF_TO, CHANGE_TS);
create table ITR_ABSENCE (ABSENCE_ID, ASSIGNMENT_NO, TYPE, REASON_L1, START_DATE, END_DATE, HOURS_LOST, DAYS_LOST,
    CERT_TYPE, STATUS, AMENDED_TS);
";

impl TestProject {
    /// A project whose forces `beds` and `herts` have three people each.
    pub async fn new() -> Self {
        Self::named("project").await
    }

    /// The same in a folder called `name`.
    pub async fn named(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join(name);
        std::fs::create_dir(&dir).expect("a folder");
        let project = Self { _folder: folder, dir };
        let text = r#"
[hub]
name = "tests"

[forces.beds]
name = "Bedfordshire Police"

[forces.herts]
name = "Hertfordshire Constabulary"

[sources.beds_itrent]
force = "beds"
system = "itrent"
address = "sqlite:beds.db"

[sources.herts_itrent]
force = "herts"
system = "itrent"
address = "sqlite:herts.db"
"#;
        std::fs::write(project.dir().join("muster.toml"), text).expect("a written file");
        for force in ["beds", "herts"] {
            project.sql(force, TABLES).await;
            for number in 1..=3 {
                project.add_person(force, number, "1").await;
            }
        }
        project
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs statements in the database of `force`.
    pub async fn sql(&self, force: &str, sql: &str) {
        sqlite(&self.dir().join(format!("{force}.db")), sql).await;
    }

    /// A person with one open post of `fte`, as the vendor writes it.
    pub async fn add_person(&self, force: &str, number: u32, fte: &str) {
        self.sql(
            force,
            &format!(
                "insert into ITR_PERSON values ('P{number}', 'AB12345{number}C', 'Mx', '{force} {number}', 'Alex',
                    '01/02/1980', 'X', '01-APR-2020', '31-DEC-4712', '01/04/2024 09:00:00');
                 insert into ITR_POSITION values ('0000000{number}', 'P{number}', 'Response', 'U1', 'C1', 'PC', 'OFFICER',
                    40, '{fte}', 'P', '01-APR-2020', '31-DEC-4712', '01/04/2024 09:00:00');"
            ),
        )
        .await;
    }

    /// Opens the project as a new process would.
    pub async fn open(&self) -> Hub {
        let project =
            project::load(self.dir()).unwrap_or_else(|p| panic!("{}", muster::error::Error::from(p)));
        Hub::open(project).await.expect("an open project")
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a written file");
    }

    /// The files below the lake, without logs' temporary ones.
    pub fn lake_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir().join("lake")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

/// Runs statements in the database at `path`, making it when it is missing.
pub async fn sqlite(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.expect("a database");
    let statements = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_string()));
    statements.execute(&mut connection).await.expect("SQL of the test");
    connection.close().await.expect("a closed database");
}

/// Runs the nightly pipeline and returns its report and what happened.
pub async fn nightly(hub: &Hub) -> (Report, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let pipeline = &hub.project.pipelines["nightly"];
    let report = run(hub, pipeline, &|event| events.lock().expect("a lock").push(event)).await;
    (report.expect("a run"), events.into_inner().expect("events"))
}

/// Runs the nightly pipeline, which must succeed, and returns the release's number.
pub async fn release(hub: &Hub) -> u64 {
    let (report, events) = nightly(hub).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{events:#?}");
    report.release.release
}

/// A principal who reads every table of `force`.
pub fn analyst(force: &str) -> Principal {
    let tables = ["conformed.*", "marts.*", "reference.*", "hub.*"].map(str::to_string).to_vec();
    let forces = muster::policy::roles::Forces::Only([force.to_string()].into());
    Principal { name: force.to_string(), roles: vec![Role { name: force.into(), forces, tables }] }
}

/// The answer to `sql` for `principal`, drawn as a table.
pub async fn ask(hub: &Hub, principal: &Principal, release: Option<u64>, sql: &str) -> String {
    let pinned = enforce::session(hub, principal, release).await.expect("a session");
    let batches: Vec<RecordBatch> =
        pinned.context.sql(sql).await.expect("a plan").collect().await.expect("an answer");
    pretty_format_batches(&batches).expect("a table").to_string()
}
