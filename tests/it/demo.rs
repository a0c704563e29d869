//! The demo as a newcomer and as an analyst sees it: the real binary, and Python's ADBC driver
//! over TLS asking every question of `truth.json` as its user.

use crate::servers::{self, PASSWORD};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a small estate may take to be generated, consolidated and served, on any machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn muster() -> Command {
    Command::new(env!("CARGO_BIN_EXE_muster"))
}

fn demo(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = muster();
    command.args(["demo", "--staff", "300", "--flight-port", "0", "--dir"]).arg(dir).args(arguments);
    command
}

/// A served demo, stopped when dropped.
struct Served {
    process: Child,
}

impl Served {
    fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        let process =
            demo(dir, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
        let mut served = Self { process };
        let started = Instant::now();
        while !dir.join("connect.json").exists() {
            if served.process.try_wait().expect("a process").is_some() || started.elapsed() > PATIENCE {
                served.process.kill().ok();
                let mut said = String::new();
                served.process.stderr.take().expect("stderr").read_to_string(&mut said).ok();
                panic!("the demo does not serve: {said}");
            }
            std::thread::yield_now();
        }
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn succeeded(output: &Output) -> String {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn every_question_is_answered_over_tls_and_no_force_sees_another() {
    let Some(python) = std::env::var_os("MUSTER_TEST_PYTHON") else {
        // Said aloud, because a test that is not run must not look like one that passed.
        eprintln!("SKIPPED: MUSTER_TEST_PYTHON is not set; tests/run sets it");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let _served = Served::start(&dir);
    every_question(&python, &dir, &[]);
}

#[test]
fn the_full_estate_is_true_too() {
    let Some(python) = std::env::var_os("MUSTER_TEST_PYTHON") else {
        eprintln!("SKIPPED: MUSTER_TEST_PYTHON is not set; tests/run sets it");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let _served = Served::start_with(&dir, &["--estate", "full", "--rest-port", "0"]);
    // The searching looks of all fifteen bodies would take minutes.
    every_question(&python, &dir, &["cheshire", "stafford"]);
}

/// Asks the demo in `dir` every question of its truth.
fn every_question(python: &OsStr, dir: &Path, spies: &[&str]) {
    let mut asked = Command::new(python)
        .arg("tests/python/flight_truth.py")
        .arg(dir)
        .args(spies)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python");
    let lines: Vec<String> =
        BufReader::new(asked.stdout.take().expect("stdout")).lines().map_while(Result::ok).collect();
    let output = asked.wait_with_output().expect("an end");
    let said = lines.join("\n");
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(lines.last().is_some_and(|line| line.ends_with(" 0 failed")), "{said}");
}

#[test]
fn a_second_demo_continues_from_where_the_first_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let first = succeeded(&demo(&dir, &["--no-serve"]).output().expect("the binary"));
    assert!(first.contains("released 1"), "{first}");
    let landed = lake(&dir);
    let second = succeeded(&demo(&dir, &["--no-serve"]).output().expect("the binary"));
    assert!(second.contains("release 1 still holds"), "{second}");
    assert_eq!(lake(&dir), landed, "the second demo landed something");
}

#[test]
fn the_loads_balance_and_every_planted_reason_is_in_quarantine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    succeeded(&demo(&dir, &["--no-serve"]).output().expect("the binary"));
    let unbalanced = query(
        &dir,
        "select count(*) as n from hub.loads where received_rows <> accepted_rows + quarantined_rows \
         or coalesce(source_rows, received_rows) <> received_rows",
    );
    assert_eq!(unbalanced, "n\n0\n");
    let loads = query(&dir, "select count(*) > 35 as many from hub.loads");
    assert_eq!(loads, "many\ntrue\n");
    let reasons = query(&dir, "select distinct reason from hub.quarantine order by reason");
    let planted = [
        "ambiguous_time",
        "duplicate_key",
        "not_a_bool",
        "not_a_date",
        "not_a_number",
        "not_a_timestamp",
        "not_accepted",
        "ragged_row",
        "required",
        "too_many_digits",
        "undecodable",
    ];
    for reason in planted {
        assert!(reasons.lines().any(|line| line == reason), "{reason} is missing:\n{reasons}");
    }
}

#[test]
fn the_private_files_of_the_demo_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let _served = Served::start(&dir);
    for name in ["connect.json", ".passwords.json", "tls/server.key"] {
        let mode = std::fs::metadata(dir.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

fn query(dir: &Path, sql: &str) -> String {
    let output = muster().arg("--project").arg(dir).args(["query", "--format", "csv", sql]).output();
    let output = output.expect("the binary");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every object of the lake with its size, but for the record of what the demo itself asks.
fn lake(dir: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.join("lake")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true if path.ends_with("lake/audit") => {}
                true => folders.push(path),
                false => found.push((path.clone(), path.metadata().expect("a file").len())),
            }
        }
    }
    found.sort();
    found
}

/// What a finished demo answers, whatever its systems run on.
fn answers(dir: &Path) -> Vec<String> {
    [
        "select force, month_end, worker_type, headcount, fte from marts.strength order by 1, 2, 3, 4, 5",
        "select force, subjective, sum(amount) as amount from marts.spend group by force, subjective order by 1, 2",
        "select force, source, entity, received_rows, accepted_rows, quarantined_rows from hub.loads order by 1, 2, 3",
    ]
    .map(|sql| {
        let mut query = muster();
        query.arg("--project").arg(dir).args(["query", sql]).env("MUSTER_DEMO_PASSWORD", PASSWORD);
        succeeded(&query.output().expect("the binary"))
    })
    .into()
}

/// A demo whose databases are on the server at `url`.
fn demo_at(flag: &str, url: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("demo");
    let mut command = demo(&dir, &["--no-serve", flag, url]);
    // Every pull of it needs the password.
    succeeded(&command.env("MUSTER_DEMO_PASSWORD", PASSWORD).output().expect("the binary"));
    answers(&dir)
}

#[tokio::test]
async fn the_demo_says_the_same_on_database_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("demo");
    succeeded(&demo(&dir, &["--no-serve"]).output().expect("the binary"));
    let expected = answers(&dir);
    match servers::postgres().await {
        Some(server) => {
            let url = format!("postgres://owner@127.0.0.1:{}/postgres", server.port);
            assert_eq!(demo_at("--postgres", &url), expected);
        }
        None => eprintln!("skipped: PostgreSQL is not installed"),
    }
    match servers::mariadb().await {
        Some(server) => {
            servers::at_mariadb(&server, "grant all on *.* to reader").await;
            assert_eq!(
                demo_at("--mysql", &format!("mysql://reader@127.0.0.1:{}/mysql", server.port)),
                expected
            );
        }
        None => eprintln!("skipped: MariaDB is not installed"),
    }
}
