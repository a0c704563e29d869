//! Upkeep of the lake: no answer changes, and nothing that a kept release needs is gone.

use crate::pulled::{Story, till};
use crate::support::{TestProject, ask, nightly, release};
use muster::hub::Hub;
use muster::lake::Lake;
use muster::pipeline::run::{Order, execute};
use muster::pipeline::{Choice, Event, upkeep};
use muster::policy::enforce;
use muster::policy::roles::Principal;
use muster::release::keep;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const PEOPLE: &str = "select force, person_id, surname from conformed.person order by force, person_id";
const LOADS: &str = "select * from hub.loads order by force, source, entity, load";
const QUARANTINE: &str = "select * from hub.quarantine order by force, entity, row, column_name";

/// What releases up to `newest` answer.
async fn answers(hub: &Hub, releases: &[u64]) -> Vec<String> {
    let mut answers = Vec::new();
    for release in releases {
        for sql in [PEOPLE, LOADS, QUARANTINE] {
            answers.push(ask(hub, &Principal::operator(), Some(*release), sql).await);
        }
    }
    answers
}

/// `count` releases, each with a change of beds.
async fn releases(project: &TestProject, hub: &Hub, count: u64) {
    assert_eq!(release(hub).await, 1);
    for number in 2..=count {
        let change = format!("update ITR_PERSON set SURNAME = 'Now {number}' where PERSONAL_REF = 'P1'");
        project.sql("beds", &change).await;
        if number == 3 {
            project.sql("beds", "update ITR_PERSON set GENDER = 'Q' where PERSONAL_REF = 'P2'").await;
        }
        assert_eq!(release(hub).await, number);
    }
}

fn data_files(project: &TestProject) -> Vec<PathBuf> {
    project.lake_files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect()
}

#[tokio::test]
async fn compaction_changes_no_answer_of_any_release() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    releases(&project, &hub, 9).await;
    let all: Vec<u64> = (1..=9).collect();
    let before = answers(&hub, &all).await;
    let files = data_files(&project);
    let done = upkeep::compact(&hub, None).await.unwrap();
    let names: Vec<(&str, usize, usize)> =
        done.iter().map(|(name, c)| (name.as_str(), c.before, c.after)).collect();
    assert_eq!(names, [("raw/beds/beds_itrent/person", 9, 1)], "the others have one file each");
    assert!(files.iter().all(|file| file.is_file()), "old releases keep their files");
    assert_eq!(upkeep::compact(&hub, None).await.unwrap(), [], "nothing is left to do");

    // A new process, over the same lake: nothing has changed, so nothing is built or released.
    let hub = project.open().await;
    assert_eq!(answers(&hub, &all).await, before);
    let (report, events) = nightly(&hub).await;
    assert_eq!(report.release.release, 9, "{events:#?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Built { .. })), "{events:#?}");

    // Made anew from the compacted table, the rows are the same.
    let order = Order::build(Choice { full: true, ..Choice::default() });
    execute(&hub, &order, &|_| {}).await.unwrap();
    assert_eq!(ask(&hub, &Principal::operator(), None, PEOPLE).await, before[8 * 3]);

    // And the next load goes on from it.
    project.sql("beds", "update ITR_PERSON set SURNAME = 'Later' where PERSONAL_REF = 'P1'").await;
    let (report, _) = nightly(&hub).await;
    let load = "select load, inserted_rows, changed_rows, deleted_rows, in_quarantine_rows from hub.loads \
        where force = 'beds' and entity = 'person' order by load desc limit 1";
    let newest = ask(&hub, &Principal::operator(), None, load).await;
    assert!(
        newest.contains("| 10   | 0             | 1            | 0            | 1                  |"),
        "{newest}"
    );
    let pinned = report.release.tables["raw/beds/beds_itrent/person"].version;
    let version = hub.lake.version("raw/beds/beds_itrent/person", pinned).await.unwrap();
    assert_eq!(version.files.len(), 2, "the compacted file and the new load");
    assert_eq!(answers(&hub, &all).await, before, "the past is still what it was");
}

#[tokio::test]
async fn what_a_crash_left_is_told_from_what_compaction_replaced() {
    let teller = Story::Diff.begin().await;
    teller.agree("table = \"PAYMENT\"\nkey = [\"id\"]\nmax_drop = 1.0\n", crate::pulled::COLUMNS);
    teller.sql("insert into PAYMENT values (1,1,'a',1), (2,1,'b',2), (3,'x','c',3)").await;
    for amount in 2..=9 {
        teller.sql(&format!("update PAYMENT set AMOUNT = {amount} where ID = 1")).await;
        teller.pull().await.unwrap();
    }
    let (rows, loads) = (teller.rows().await, teller.loads().await.len());
    let table = teller.lake().join(till().table());
    let parquet = || {
        let entries = std::fs::read_dir(&table).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect::<Vec<_>>()
    };
    let replaced = parquet();
    assert_eq!((replaced.len(), loads), (8, 8));
    let hub = teller.hub(Lake::open(&teller.lake()).unwrap()).await;
    let done = upkeep::compact(&hub, Some("raw/beds/beds_till/payment")).await.unwrap();
    assert_eq!(done.iter().map(|(_, c)| (c.before, c.after)).collect::<Vec<_>>(), [(8, 1)]);
    assert_eq!((teller.rows().await, teller.loads().await.len()), (rows, loads));
    teller.pull().await.unwrap();
    assert_eq!(teller.loads().await.len(), loads, "every row is known");

    let orphan = table.join("part-00000-left-behind.parquet");
    std::fs::write(&orphan, "half a file").unwrap();
    // What a run writes that took the turn over while this one was asleep is younger than the turn.
    let successors = table.join("part-00000-not-yet-committed.parquet");
    std::fs::write(&successors, "half a file").unwrap();
    let later = SystemTime::now() + Duration::from_secs(3600);
    File::options().write(true).open(&successors).unwrap().set_modified(later).unwrap();
    teller.sql("update PAYMENT set AMOUNT = 10 where ID = 1").await;
    teller.pull().await.unwrap();
    assert!(!orphan.exists() && replaced.iter().all(|file| file.is_file()));
    assert!(successors.is_file(), "another run's file is not this run's to delete");
    let error = upkeep::compact(&hub, Some("raw/beds/beds_till/payments")).await.unwrap_err();
    assert!(error.advice().unwrap().contains("did you mean \"raw/beds/beds_till/payment\"?"), "{error:?}");
}

/// Makes every file of the lake two days old.
fn age(project: &TestProject) {
    let then = SystemTime::now() - Duration::from_secs(2 * 86_400);
    for path in data_files(project) {
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
}

fn keep_two(project: &TestProject) {
    let path = project.dir().join("muster.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}\n[keep]\nreleases = 2\n\n[keep.holds]\n\"audit 2025\" = [2]\n"))
        .unwrap();
}

#[tokio::test]
async fn vacuum_gives_up_what_no_rule_keeps_and_nothing_else() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    releases(&project, &hub, 5).await;
    let all = data_files(&project);
    assert!(upkeep::vacuum(&hub, "tests", false).await.unwrap().is_empty(), "without [keep] all is kept");
    keep_two(&project);
    let hub = project.open().await;
    let kept = answers(&hub, &[2, 4, 5]).await;
    let young = upkeep::vacuum(&hub, "tests", true).await.unwrap();
    assert_eq!((young.releases.clone(), young.total().files), ([1, 3].into(), 0), "files of today stay");

    age(&project);
    let planned = upkeep::vacuum(&hub, "tests", true).await.unwrap();
    assert_eq!(data_files(&project), all, "a dry run deletes nothing");
    assert!(keep::vacuums(&hub.lake).await.unwrap().is_empty(), "nor does it record anything");
    assert_eq!(answers(&hub, &[1]).await.len(), 3);
    let done = upkeep::vacuum(&hub, "tests", false).await.unwrap();
    assert_eq!((&done.releases, &done.tables), (&planned.releases, &planned.tables));
    assert!(done.tables["conformed/person"].files >= 2 && done.tables.keys().all(|t| !t.starts_with("raw")));
    assert_eq!(data_files(&project).len() as u64, all.len() as u64 - done.total().files);
    let recorded = keep::vacuums(&hub.lake).await.unwrap();
    assert_eq!(recorded, [done]);
    assert_eq!((recorded[0].by.as_str(), recorded[0].rules.releases), ("tests", Some(2)));

    assert_eq!(answers(&hub, &[2, 4, 5]).await, kept, "what is kept answers as before");
    for release in [1, 3] {
        let refused = enforce::session(&hub, &Principal::operator(), Some(release)).await.err().unwrap();
        let text = refused.to_string();
        assert!(text.starts_with(&format!("release {release} was given up by vacuum 1 on 20")), "{text}");
    }
    let listed = "select count(distinct release) as n from hub.releases";
    assert!(ask(&hub, &Principal::operator(), None, listed).await.contains("| 5 |"));
    assert!(upkeep::vacuum(&hub, "tests", false).await.unwrap().is_empty(), "once");

    // Given up is given up, whatever the rules say later; and the next run goes on.
    let text = std::fs::read_to_string(project.dir().join("muster.toml")).unwrap();
    project.write("muster.toml", &text.replace("releases = 2", "releases = 99"));
    let hub = project.open().await;
    assert!(enforce::session(&hub, &Principal::operator(), Some(1)).await.is_err());
    project.add_person("beds", 4, "1").await;
    assert_eq!(release(&hub).await, 6);
    assert_eq!(answers(&hub, &[2, 4, 5]).await, kept);
}

#[tokio::test]
async fn a_vacuum_that_is_cut_short_is_finished_by_the_next() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    releases(&project, &hub, 4).await;
    keep_two(&project);
    age(&project);
    let hub = project.open().await;
    let kept = answers(&hub, &[2, 3, 4]).await;
    let files = data_files(&project);
    fail::cfg("vacuum::after-record", "return").unwrap();
    upkeep::vacuum(&hub, "tests", false).await.unwrap_err();
    fail::remove("vacuum::after-record");
    assert_eq!(data_files(&project), files, "recorded, and nothing deleted yet");
    assert!(enforce::session(&hub, &Principal::operator(), Some(1)).await.is_err(), "but given up");
    let rest = upkeep::vacuum(&hub, "tests", false).await.unwrap();
    assert_eq!((rest.vacuum, rest.releases.len()), (2, 0));
    assert!(rest.total().files > 0);
    assert_eq!(data_files(&project).len() as u64, files.len() as u64 - rest.total().files);
    assert_eq!(answers(&hub, &[2, 3, 4]).await, kept);
}
