//! The record of reads: whatever happens to the process, the disk or the files, what was read is in
//! it, or it shows that somebody has been at it.
//!
//! `MUSTER_CRASH_SEEDS=1000 tests/run audit::` kills more often.

use crate::{hub as small, support};
use expect_test::{Expect, expect};
use futures::future::{FutureExt, join_all};
use muster::audit::chain::Head;
use muster::audit::entry::{Outcome, Query, is_harmful};
use muster::audit::read::{Found, Recorded, Statements};
use muster::audit::verify::{self, Report, verify};
use muster::audit::{FOLDER, Log};
use muster::hub::Hub;
use muster::policy::roles::Principal;
use muster::project::{Access, Address};
use muster::serve::desk::Desk;
use muster::serve::statement::{Asker, Request, Statement};
use muster::state::State;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Files of a few lines.
const SMALL: u64 = 2000;

async fn log(folder: &Path) -> Log {
    let address = Address::Sqlite(folder.join("state.db"));
    let state = State::open(&address, &Access::default()).await.unwrap();
    Log::with_segments(folder.join(FOLDER), state, SMALL)
}

fn query(principal: &str, statement: impl Into<String>) -> Query {
    Query {
        principal: principal.into(),
        peer: "10.0.0.7:50312".into(),
        statement: statement.into(),
        parameters: None,
        release: 1,
        tables: vec!["marts.spend".into()],
        forces: vec!["beds".into()],
    }
}

fn statements(folder: &Path) -> Vec<Recorded> {
    let found = Statements::open(folder, None).unwrap().map(|found| found.unwrap());
    let statement = |found| match found {
        Found::Statement(it) => *it,
        Found::Unreadable => panic!("an unreadable line"),
    };
    found.map(statement).collect()
}

/// The report on a record that must be whole.
fn whole(folder: &Path, heads: &[Head]) -> Report {
    let report = verify(folder, heads).unwrap();
    assert!(report.problems.is_empty(), "{:#?}", report.problems);
    report
}

fn outcomes(folder: &Path) -> BTreeMap<String, usize> {
    let mut outcomes = BTreeMap::new();
    for it in statements(folder) {
        let outcome = it.ended.map_or("running", |ended| ended.outcome.word());
        *outcomes.entry(outcome.to_string()).or_default() += 1;
    }
    outcomes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_at_once_are_one_chain() {
    const TASKS: usize = 32;
    const EACH: usize = 40;
    let dir = tempfile::tempdir().unwrap();
    // As two processes would.
    let logs = [log(dir.path()).await, log(dir.path()).await];
    let task = async |number: usize| {
        let (log, mut last) = (&logs[number % 2], 0);
        for turn in 0..EACH {
            let open = log.begin(&query(&format!("p{number}"), format!("select {turn}"))).await.unwrap();
            assert!(open.seq() > last, "a later statement has a lower number");
            last = open.seq();
            match turn % 4 {
                0 => drop(open),
                1 => open.abandon(7, 70),
                2 => open.end(Outcome::Failed, 0, 0).await.unwrap(),
                _ => open.end(Outcome::Succeeded, 1, 8).await.unwrap(),
            }
        }
    };
    join_all((0..TASKS).map(task)).await;
    logs[0].anchor().await;
    logs[1].anchor().await;
    let folder = logs[0].folder();
    assert_eq!(whole(folder, &[]).entries, 2 * (TASKS * EACH) as u64);
    assert!(files(folder).len() > 100);
    let quarter = TASKS * EACH / 4;
    let expected = [("cancelled", 2 * quarter), ("failed", quarter), ("succeeded", quarter)];
    assert_eq!(outcomes(folder), expected.map(|(word, n)| (word.to_string(), n)).into());
    for number in 0..TASKS {
        let mut own: Vec<_> =
            statements(folder).into_iter().filter(|it| it.query.principal == format!("p{number}")).collect();
        own.sort_by_key(|it| it.number);
        let texts: Vec<_> = own.iter().map(|it| it.query.statement.clone()).collect();
        assert_eq!(texts, (0..EACH).map(|turn| format!("select {turn}")).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_whose_client_goes_away_is_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    // Gone before the record was durable, and before anybody else has written.
    for turn in 0..20 {
        assert!(log.begin(&query("anna", format!("select {turn}"))).now_or_never().is_none());
    }
    drop(log.begin(&query("anna", "select 20")).await.unwrap());
    let folder = log.folder().to_path_buf();
    let last = log.begin(&query("anna", "select 21")).await.unwrap();
    last.end(Outcome::Succeeded, 2, 16).await.unwrap();
    // The ends of those that were dropped may come after it.
    while outcomes(&folder).contains_key("running") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let expected = [("cancelled".to_string(), 21), ("succeeded".to_string(), 1)];
    assert_eq!(outcomes(&folder), expected.into());
    whole(&folder, &[]);
}

/// Not a test by itself: the process that `a_killed_process_leaves_a_whole_chain` kills.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_records() {
    let Some(dir) = std::env::var_os("MUSTER_TEST_RECORD").map(PathBuf::from) else { return };
    let (log, round) = (log(&dir).await, std::process::id());
    let task = async |number: usize| {
        for turn in 0.. {
            let text = format!("{round}-{number}-{turn}");
            // Long ones are written in several parts.
            let long = format!("{text} {}", "x".repeat(turn % 50 * 1000));
            let open = log.begin(&query("anna", long)).await.unwrap();
            println!("begun {text}");
            open.end(Outcome::Succeeded, 1, 8).await.unwrap();
            println!("ended {text}");
        }
    };
    join_all((0..16).map(task)).await;
}

#[tokio::test]
async fn a_killed_process_leaves_a_whole_chain() {
    let seeds = std::env::var("MUSTER_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12_u64);
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(FOLDER);
    let (mut said, mut kills) = (Vec::new(), 0);
    for seed in 0..seeds {
        let mut random = StdRng::seed_from_u64(seed);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audit::a_process_that_records", "--nocapture"])
            .env("MUSTER_TEST_RECORD", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // From here on it is in the middle of writing.
        let first = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("begun"));
        said.push(first.unwrap_or_else(|| panic!("seed {seed}: nothing was recorded")));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
        process.kill().unwrap();
        said.extend(lines.map_while(Result::ok));
        kills += u32::from(!process.wait().unwrap().success());
        let report = whole(&folder, &[]);
        eprintln!("seed {seed}: {} entries, {} bytes torn", report.entries, report.unfinished_bytes);
    }
    assert!(kills > 0, "no process was killed in time");
    let recorded: BTreeMap<String, bool> = statements(&folder)
        .into_iter()
        .map(|it| (it.query.statement.split(' ').next().unwrap().to_string(), it.ended.is_some()))
        .collect();
    for line in said {
        match line.split_once(' ') {
            Some(("begun", text)) => assert!(recorded.contains_key(text), "{text} ran without a record"),
            Some(("ended", text)) => assert_eq!(recorded.get(text), Some(&true), "the end of {text} is lost"),
            _ => {}
        }
    }
    let log = log(dir.path()).await;
    log.begin(&query("anna", "after")).await.unwrap().end(Outcome::Succeeded, 0, 0).await.unwrap();
    whole(&folder, &[]);
}

/// A record of twenty statements in some files, and its newest line.
async fn sample() -> (TempDir, Head) {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    for turn in 0..20 {
        let open = log.begin(&query("anna", format!("select {turn}"))).await.unwrap();
        open.end(Outcome::Succeeded, turn, 8 * turn).await.unwrap();
    }
    let head = verify::head(log.folder()).unwrap().unwrap();
    assert_eq!(whole(log.folder(), &[head]).heads, 1);
    (dir, head)
}

/// Changes the lines of one file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    change(&mut lines);
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// Writes the chain anew with other content, as somebody would who knows how it is made.
fn forge(files: &[PathBuf]) {
    let mut hash = "0".repeat(64);
    for path in files {
        change(path, |lines| {
            for line in lines {
                let json = line[65..].replace("anna", "zara");
                hash = Sha256::digest(format!("{hash}{json}"))
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                *line = format!("{hash} {json}");
            }
        });
    }
}

#[tokio::test]
async fn tampering_is_found_and_named() {
    let mut told = String::new();
    let mut attempt = async |name: &str, tamper: &dyn Fn(&[PathBuf])| {
        let (dir, head) = sample().await;
        let folder = dir.path().join(FOLDER);
        tamper(&files(&folder));
        let report = verify(&folder, &[head]).unwrap();
        told += &format!("{name}\n");
        for problem in &report.problems {
            told += &format!("    {}\n", problem.to_string().replace(&head.to_string(), "40:…"));
        }
    };
    attempt("nothing", &|_| ()).await;
    attempt("one byte", &|files| {
        change(&files[1], |lines| {
            lines[2] = lines[2].replace("local", "l0cal").replace("10.0.0.7", "10.0.0.8")
        })
    })
    .await;
    attempt("one digit of a hash", &|files| {
        change(&files[1], |lines| {
            let digit = if lines[2].starts_with('0') { "1" } else { "0" };
            lines[2].replace_range(..1, digit);
        })
    })
    .await;
    attempt("two lines far apart", &|files| {
        change(&files[0], |lines| lines[1] = lines[1].replace("\"rows\":0", "\"rows\":9"));
        change(&files[2], |lines| lines[1].truncate(20));
    })
    .await;
    attempt("a line deleted", &|files| change(&files[0], |lines| drop(lines.remove(3)))).await;
    attempt("three lines deleted", &|files| change(&files[1], |lines| drop(lines.drain(1..4)))).await;
    attempt("two lines swapped", &|files| change(&files[1], |lines| lines.swap(2, 3))).await;
    attempt("a line repeated", &|files| change(&files[1], |lines| lines.insert(2, lines[1].clone()))).await;
    attempt("a line moved", &|files| {
        change(&files[1], |lines| {
            let line = lines.remove(1);
            lines.insert(4, line);
        })
    })
    .await;
    attempt("a line added", &|files| change(&files[0], |lines| lines.insert(2, "select 1".into()))).await;
    attempt("the end of a file cut off", &|files| change(&files[1], |lines| lines.truncate(3))).await;
    attempt("a file cut in the middle of a line", &|files| {
        let text = fs::read_to_string(&files[0]).unwrap();
        fs::write(&files[0], &text[..text.len() - 30]).unwrap();
    })
    .await;
    attempt("the last lines cut off", &|files| change(files.last().unwrap(), |lines| lines.truncate(1)))
        .await;
    attempt("the last file deleted", &|files| fs::remove_file(files.last().unwrap()).unwrap()).await;
    attempt("a file deleted", &|files| fs::remove_file(&files[1]).unwrap()).await;
    attempt("the first file deleted", &|files| fs::remove_file(&files[0]).unwrap()).await;
    attempt("everything deleted", &|files| files.iter().for_each(|path| fs::remove_file(path).unwrap()))
        .await;
    attempt("two files exchanged", &|files| {
        let (one, two) = (fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
        fs::write(&files[0], two).unwrap();
        fs::write(&files[1], one).unwrap();
    })
    .await;
    attempt("the chain written anew", &forge).await;
    expect![[r#"
        nothing
        one byte
            00000000000000000011.log line 3: edited
        one digit of a hash
            00000000000000000011.log line 3: edited
        two lines far apart
            00000000000000000001.log line 2: edited
            00000000000000000021.log lines 2 to 3: edited
        a line deleted
            00000000000000000001.log line 4: entry 4 is missing before it
        three lines deleted
            00000000000000000011.log line 2: entries 12 to 14 are missing before it
        two lines swapped
            00000000000000000011.log lines 3 to 5: out of order, or there twice
        a line repeated
            00000000000000000011.log line 3: out of order, or there twice
        a line moved
            00000000000000000011.log line 2: entry 12 is missing before it
            00000000000000000011.log lines 5 to 6: out of order, or there twice
        a line added
            00000000000000000001.log line 3: edited
        the end of a file cut off
            00000000000000000021.log line 1: entries 14 to 20 are missing before it
        a file cut in the middle of a line
            00000000000000000001.log line 10: edited
            00000000000000000011.log line 1: entry 10 is missing before it
        the last lines cut off
            head 40:…: the record ends at entry 31; the entries after it were cut off
        the last file deleted
            head 40:…: the record ends at entry 30; the entries after it were cut off
        a file deleted
            00000000000000000021.log line 1: entries 11 to 20 are missing before it
        the first file deleted
            00000000000000000011.log line 1: entries 1 to 10 are missing before it
        everything deleted
            head 40:…: the record ends at entry 0; the entries after it were cut off
        two files exchanged
            00000000000000000001.log line 1: entries 1 to 10 are missing before it
            00000000000000000011.log lines 1 to 10: out of order, or there twice
            00000000000000000021.log line 1: entries 11 to 20 are missing before it
        the chain written anew
            head 40:…: not in the record; entry 40 or one before it was rewritten
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn no_byte_can_be_changed_and_none_cut_off() {
    let (dir, head) = sample().await;
    let folder = dir.path().join(FOLDER);
    let found = |what: &str| {
        let report = verify(&folder, &[head]).unwrap();
        assert!(!report.problems.is_empty(), "{what} was not found");
    };
    for path in files(&folder) {
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(3) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            found(&format!("{}: a change of byte {at}", path.display()));
            if at % 7 == 0 {
                fs::write(&path, &bytes[..at]).unwrap();
                found(&format!("{}: a cut at byte {at}", path.display()));
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    whole(&folder, &[head]);
}

#[tokio::test]
async fn heads_are_kept_while_it_lives_and_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let first = log(dir.path()).await;
    first.anchor().await;
    first.begin(&query("anna", "select 1")).await.unwrap().end(Outcome::Succeeded, 1, 8).await.unwrap();
    let address = Address::Sqlite(dir.path().join("state.db"));
    let state = State::open(&address, &Access::default()).await.unwrap();
    // By itself, after a while.
    while state.heads().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.begin(&query("anna", "select 2")).await.unwrap().end(Outcome::Succeeded, 1, 8).await.unwrap();
    first.anchor().await;
    let head = verify::head(first.folder()).unwrap().unwrap();
    let kept = state.heads().await.unwrap();
    assert_eq!(kept.last(), Some(&(4, head.hash.to_string())), "{kept:?}");
}

#[tokio::test]
async fn what_is_asked_cannot_spoil_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path()).await;
    let hash = "0".repeat(64);
    let texts = [
        "select 1\r\n".to_string(),
        format!("select 1\n{hash} {{\"seq\":2,\"kind\":\"end\",\"of\":1}}\n"),
        "select '\u{202e}drop\u{2066}\u{200f}' -- \u{1b}[2J\u{9b}1m\u{7f}\u{8}".to_string(),
        "select '\0'\u{2028}\u{2029}\u{85}\u{feff}\u{e0041}".to_string(),
        "select \"\\u0000\\\" -- \"} \\".to_string(),
        "\u{1}".repeat(64 << 10),
        String::new(),
    ];
    for text in &texts {
        let nasty = Query { parameters: Some(text.clone()), peer: text.clone(), ..query(text, text) };
        log.begin(&nasty).await.unwrap().end(Outcome::Failed, 0, 0).await.unwrap();
    }
    assert_eq!(whole(log.folder(), &[]).entries, 2 * texts.len() as u64);
    for path in files(log.folder()) {
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.lines().all(|line| line.starts_with(|c: char| c.is_ascii_hexdigit()) && line.ends_with('}'))
        );
        assert!(!text.chars().any(|c| c != '\n' && is_harmful(c)));
    }
    for (it, text) in statements(log.folder()).iter().zip(&texts) {
        assert_eq!((&it.query.statement, &it.query.principal), (text, text));
        assert_eq!(it.query.parameters.as_ref(), Some(text));
    }
}

/// A small hub with a release.
async fn released() -> (TempDir, Arc<Hub>) {
    let dir = tempfile::tempdir().unwrap();
    small::write(dir.path());
    small::release(dir.path()).await;
    let hub = small::open(dir.path()).await;
    (dir, Arc::new(hub))
}

/// How many processes have kept a line in the state database: each keeps one for every minute.
async fn writers_kept(project: &Path) -> i64 {
    let options = SqliteConnectOptions::new().filename(project.join("state.db")).read_only(true);
    let mut database = options.connect().await.unwrap();
    let count = sqlx::query_scalar("select count(distinct writer) from audit_heads");
    count.fetch_one(&mut database).await.unwrap()
}

async fn run(hub: &Arc<Hub>, text: &str) -> Result<(), String> {
    let asker = Asker { principal: Principal::operator(), peer: "local".into() };
    let ran = async {
        let statement = Statement::plan(&Desk::new(Arc::clone(hub))?, &asker, Request::text(text)).await?;
        futures::TryStreamExt::try_collect::<Vec<_>>(statement.run("local").await?).await
    };
    ran.await.map(drop).map_err(|error| error.to_string())
}

const REFUSED: &str = "the statement was refused because it cannot be recorded";

#[tokio::test]
async fn what_cannot_be_recorded_does_not_run() {
    let (dir, hub) = released().await;
    let folder = hub.audit.folder().to_path_buf();
    assert!(!folder.exists(), "only statements are recorded");
    // Nobody can write into this one, not even root.
    fs::write(&folder, "").unwrap();
    for text in ["select count(*) from conformed.widget", "select wrong"] {
        assert_eq!(run(&hub, text).await, Err(REFUSED.into()));
    }
    fs::remove_file(&folder).unwrap();
    run(&hub, "select count(*) from conformed.widget").await.expect("the folder can be written again");
    assert_eq!(whole(&folder, &[]).entries, 2);
    // A server must not go on as if nothing had happened.
    let file = files(&folder).remove(0);
    change(&file, |lines| drop(lines.pop()));
    assert_eq!(run(&hub, "select 1").await, Err(REFUSED.into()));
    drop(dir);
}

#[tokio::test]
async fn a_full_disk_refuses_statements_and_spoils_nothing() {
    let (dir, hub) = released().await;
    let folder = hub.audit.folder().to_path_buf();
    fs::create_dir(&folder).unwrap();
    let mounted = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    };
    if !mounted("size=256k") {
        eprintln!("skipped: a small file system can only be mounted by root");
        return;
    }
    let long = format!("select length('{}')", "x".repeat(10_000));
    let mut ran = Vec::new();
    for _ in 0..40 {
        ran.push(run(&hub, &long).await);
    }
    let full = verify(&folder, &[]).unwrap();
    let grown = mounted("remount,size=4m");
    let after = run(&hub, &long).await;
    let healed = verify(&folder, &[]).unwrap();
    Command::new("umount").arg(&folder).status().expect("umount");
    let begun = ran.iter().take_while(|ran| ran.is_ok()).count();
    assert!((5..39).contains(&begun), "{begun} of 40 fitted");
    assert!(ran.iter().skip(begun + 1).all(|ran| *ran == Err(REFUSED.into())), "{ran:?}");
    assert!(grown, "the disk could not be enlarged");
    assert!(after.is_ok(), "{after:?}");
    assert_eq!((full.problems, healed.problems), (Vec::new(), Vec::new()));
    assert!(healed.entries == full.entries + 2, "{} after {}", healed.entries, full.entries);
    drop(dir);
}

async fn shown(hub: &Hub, principal: &Principal, expected: Expect) {
    let sql = "select query, principal, statement, outcome, rows, bytes, duration_ms >= 0 as timed, \
               finished_at >= started_at as ended, tables, forces, release, parameters \
               from hub.queries order by principal, query";
    expected.assert_eq(&support::ask(hub, principal, None, sql).await);
}

#[tokio::test]
async fn auditors_read_it_by_sql_and_others_their_own() {
    let (_dir, hub) = released().await;
    shown(
        &hub,
        &Principal::operator(),
        expect![[r#"
        ++
        ++"#]],
    )
    .await;
    for (principal, statement) in
        [("zara", "select 1"), ("beds", "select\n2"), ("zara", "select 3"), ("beds", "select 4")]
    {
        let open = hub.audit.begin(&query(principal, statement)).await.unwrap();
        open.end(Outcome::Succeeded, 3, 24).await.unwrap();
    }
    let running = hub.audit.begin(&query("beds", "select 5")).await.unwrap();
    shown(&hub, &support::analyst("beds"), expect![[r#"
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+
        | query | principal | statement | outcome   | rows | bytes | timed | ended | tables      | forces | release | parameters |
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+
        | 1     | beds      | select    | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        |       |           | 2         |           |      |       |       |       |             |        |         |            |
        | 2     | beds      | select 4  | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        | 3     | beds      | select 5  |           |      |       |       |       | marts.spend | beds   | 1       |            |
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+"#]]).await;
    shown(&hub, &Principal::operator(), expect![[r#"
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+
        | query | principal | statement | outcome   | rows | bytes | timed | ended | tables      | forces | release | parameters |
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+
        | 1     | beds      | select    | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        |       |           | 2         |           |      |       |       |       |             |        |         |            |
        | 2     | beds      | select 4  | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        | 3     | beds      | select 5  |           |      |       |       |       | marts.spend | beds   | 1       |            |
        | 1     | zara      | select 1  | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        | 2     | zara      | select 3  | succeeded | 3    | 24    | true  | true  | marts.spend | beds   | 1       |            |
        +-------+-----------+-----------+-----------+------+-------+-------+-------+-------------+--------+---------+------------+"#]]).await;
    // A spoiled line is shown to auditors, and tells others nothing.
    let file = files(hub.audit.folder()).remove(0);
    change(&file, |lines| lines[0].truncate(70));
    let sql = "select outcome, count(*) as n, count(query) as numbered from hub.queries group by outcome order by outcome";
    let all = support::ask(&hub, &Principal::operator(), None, sql).await;
    expect![[r#"
        +------------+---+----------+
        | outcome    | n | numbered |
        +------------+---+----------+
        | succeeded  | 3 | 3        |
        | unreadable | 1 | 0        |
        |            | 1 | 1        |
        +------------+---+----------+"#]]
    .assert_eq(&all);
    let own = support::ask(&hub, &support::analyst("beds"), None, sql).await;
    assert!(!own.contains("unreadable"), "{own}");
    let few = support::ask(&hub, &Principal::operator(), None, "select query from hub.queries limit 1").await;
    assert_eq!(few.lines().count(), 5, "{few}");
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_verifies_what_processes_write_side_by_side() {
    let (dir, hub) = released().await;
    let muster = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.arg("--project").arg(dir.path()).args(words).stderr(Stdio::null());
        command
    };
    let told = |words: &[&str]| {
        let output = muster(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(told(&["audit", "head"]).0, Some(1));
    assert_eq!(
        told(&["audit", "verify"]),
        (
            Some(0),
            "0 entries in 0 files\n0 heads kept elsewhere, 0 of them in the record\nthe record is whole\n"
                .into()
        )
    );
    let processes: Vec<_> = (0..3)
        .map(|n| muster(&["query", &format!("select {n}")]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for turn in 0..50 {
        run(&hub, &format!("select {turn}")).await.unwrap();
    }
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    hub.audit.anchor().await;
    let (_, head) = told(&["audit", "head"]);
    let head = head.trim();
    assert!(head.starts_with("106:"), "{head}");
    let (code, text) = told(&["audit", "verify", "--head", head]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.starts_with("106 entries in 1 file, from 20") && text.ends_with("the record is whole\n"),
        "{text}"
    );
    // Each process kept what it had written.
    assert_eq!(writers_kept(dir.path()).await, 4);
    change(&files(hub.audit.folder())[0], |lines| lines.truncate(100));
    let (code, text) = told(&["audit", "verify"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("wrong: head {head}: the record ends at entry 100")), "{text}");
    assert_eq!(told(&["audit", "verify", "--head", "1:x"]).0, Some(2));
}
