//! The whole path: a source's rows into raw, through models and checks, into a release.

use crate::support::{TestProject, analyst, ask, nightly, release};
use expect_test::expect;
use muster::pipeline::run::Outcome;
use muster::policy::roles::Principal;
use muster::release::Status;

const PEOPLE: &str = "select force, person_id, surname from conformed.person order by force, person_id";
const LOADS: &str = "select force, entity, load, received_rows as received, accepted_rows as accepted, \
    quarantined_rows as bad, inserted_rows as ins, changed_rows as chg, deleted_rows as del \
    from hub.loads where entity = 'person' order by force, load";

#[tokio::test]
async fn rows_of_two_forces_come_out_of_one_release() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 1);
    expect![[r#"
        +-------+-----------+---------+
        | force | person_id | surname |
        +-------+-----------+---------+
        | beds  | P1        | beds 1  |
        | beds  | P2        | beds 2  |
        | beds  | P3        | beds 3  |
        | herts | P1        | herts 1 |
        | herts | P2        | herts 2 |
        | herts | P3        | herts 3 |
        +-------+-----------+---------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, PEOPLE).await);
}

#[tokio::test]
async fn a_second_run_lands_nothing_and_releases_nothing() {
    let project = TestProject::new().await;
    assert_eq!(release(&project.open().await).await, 1);
    let files = project.lake_files();
    assert_eq!(release(&project.open().await).await, 1);
    assert_eq!(project.lake_files(), files);
}

#[tokio::test]
async fn changes_and_deletions_are_landed_once_and_old_releases_stay() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let before = ask(&hub, &Principal::operator(), Some(1), PEOPLE).await;
    project
        .sql(
            "beds",
            "update ITR_PERSON set SURNAME = 'Changed' where PERSONAL_REF = 'P1';
        delete from ITR_PERSON where PERSONAL_REF = 'P2'",
        )
        .await;
    project.add_person("beds", 4, "0.5").await;
    assert_eq!(release(&hub).await, 2);
    expect![[r#"
        +-------+-----------+---------+
        | force | person_id | surname |
        +-------+-----------+---------+
        | beds  | P1        | Changed |
        | beds  | P3        | beds 3  |
        | beds  | P4        | beds 4  |
        | herts | P1        | herts 1 |
        | herts | P2        | herts 2 |
        | herts | P3        | herts 3 |
        +-------+-----------+---------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, PEOPLE).await);
    assert_eq!(ask(&hub, &Principal::operator(), Some(1), PEOPLE).await, before);
    expect![[r#"
        +-------+--------+------+----------+----------+-----+-----+-----+-----+
        | force | entity | load | received | accepted | bad | ins | chg | del |
        +-------+--------+------+----------+----------+-----+-----+-----+-----+
        | beds  | person | 1    | 3        | 3        | 0   | 3   | 0   | 0   |
        | beds  | person | 2    | 3        | 3        | 0   | 1   | 1   | 1   |
        | herts | person | 1    | 3        | 3        | 0   | 3   | 0   | 0   |
        +-------+--------+------+----------+----------+-----+-----+-----+-----+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, LOADS).await);
}

#[tokio::test]
async fn a_bad_row_is_kept_with_all_its_reasons_and_leaves_the_last_good_version_current() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project
        .sql("beds", "update ITR_PERSON set DOB = '1980-02-01', GENDER = 'Q' where PERSONAL_REF = 'P1'")
        .await;
    assert_eq!(release(&hub).await, 2);
    let quarantine = "select force, entity, column_name, reason from hub.quarantine order by column_name";
    expect![[r#"
        +-------+--------+-------------+--------------+
        | force | entity | column_name | reason       |
        +-------+--------+-------------+--------------+
        | beds  | person | dob         | not_a_date   |
        | beds  | person | gender      | not_accepted |
        +-------+--------+-------------+--------------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, quarantine).await);
    let p1 = "select surname, birth_date from conformed.person where force = 'beds' and person_id = 'P1'";
    expect![[r#"
        +---------+------------+
        | surname | birth_date |
        +---------+------------+
        | beds 1  | 1980-02-01 |
        +---------+------------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, p1).await);

    // The same bad row does not come again; once mended, it leaves the quarantine, but not that of
    // the releases in which it was bad.
    assert_eq!(release(&hub).await, 2);
    let before = ask(&hub, &Principal::operator(), Some(2), quarantine).await;
    project
        .sql("beds", "update ITR_PERSON set DOB = '02/02/1980', GENDER = 'F' where PERSONAL_REF = 'P1'")
        .await;
    assert_eq!(release(&hub).await, 3);
    let left = ask(&hub, &Principal::operator(), None, "select count(*) as n from hub.quarantine").await;
    assert!(left.contains("| 0 |"), "{left}");
    assert_eq!(ask(&hub, &Principal::operator(), Some(2), quarantine).await, before);
    let loads = "select max(load) as n from hub.loads where force = 'beds' and entity = 'person'";
    let at_first = ask(&hub, &Principal::operator(), Some(1), loads).await;
    assert!(at_first.contains("| 1 |"), "{at_first}");
    expect![[r#"
        +---------+------------+
        | surname | birth_date |
        +---------+------------+
        | beds 1  | 1980-02-02 |
        +---------+------------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, p1).await);
}

#[tokio::test]
async fn a_force_that_fails_a_check_keeps_its_last_good_data_and_the_others_move_on() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "7").await;
    project.add_person("herts", 4, "1").await;
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!(report.release.release, 2);
    assert_eq!(report.release.forces["beds"].status, Status::Failed);
    assert_eq!(report.release.forces["herts"].status, Status::Fresh);
    let count = "select force, count(*) as people from conformed.person group by force order by force";
    expect![[r#"
        +-------+--------+
        | force | people |
        +-------+--------+
        | beds  | 3      |
        | herts | 4      |
        +-------+--------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, count).await);

    // Failing again in the same way is not a new release; mending it is.
    let (again, _) = nightly(&hub).await;
    assert_eq!(again.release.release, 2);
    project.sql("beds", "update ITR_POSITION set FTE = '1' where FTE = '7'").await;
    assert_eq!(release(&hub).await, 3);
}

#[tokio::test]
async fn a_source_that_is_down_fails_alone() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    std::fs::write(project.dir().join("beds.db"), "not a database").expect("a written file");
    project.add_person("herts", 4, "1").await;
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["beds"].status, Status::Stale);
    assert_eq!(report.release.forces["herts"].status, Status::Fresh);
    let rows = report.release.forces["beds"].datasets["conformed.person"].rows;
    assert_eq!(rows, 3, "the last good data is kept");
}

#[tokio::test]
async fn an_empty_answer_never_replaces_what_is_known() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.sql("beds", "delete from ITR_PERSON").await;
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["beds"].status, Status::Stale);
    assert_eq!(report.release.forces["beds"].datasets["conformed.person"].rows, 3);
}

#[tokio::test]
async fn a_force_user_finds_no_trace_of_another_force() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let beds = analyst("beds");
    for sql in [
        PEOPLE,
        "select * from hub.loads",
        "select * from hub.coverage",
        "select * from hub.releases",
        "select * from hub.runs",
        "select * from hub.steps",
        "select * from hub.checks",
        "select * from hub.queries",
        "select * from information_schema.tables",
        "explain verbose select force, count(*) from conformed.employment group by force",
        "explain select * from conformed.person where force = 'other'",
    ] {
        let answer = ask(&hub, &beds, None, sql).await;
        assert!(!answer.contains("herts"), "{sql}\n{answer}");
    }
    let count =
        ask(&hub, &beds, None, "select count(*) as n from conformed.person where force <> 'beds'").await;
    assert!(count.contains("| 0 |"), "{count}");
}

#[tokio::test]
async fn a_crash_before_the_manifest_leaves_the_old_release_and_the_next_run_makes_the_new_one() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let old = ask(&hub, &Principal::operator(), None, PEOPLE).await;
    project.add_person("beds", 4, "1").await;
    assert_eq!(release(&hub).await, 2);
    let new = ask(&hub, &Principal::operator(), None, PEOPLE).await;

    // What a crash leaves behind that comes after all commits and before the manifest.
    let manifest = project.dir().join("lake/releases/00000000000000000002.json");
    std::fs::remove_file(manifest).expect("the manifest");
    let hub = project.open().await;
    assert_eq!(ask(&hub, &Principal::operator(), None, PEOPLE).await, old);

    // Meanwhile another force changes too: the unreleased commits must not leak into the release.
    project.sql("herts", "delete from ITR_PERSON where PERSONAL_REF = 'P3'").await;
    assert_eq!(release(&hub).await, 2);
    let expected = new.lines().filter(|line| !line.contains("herts 3")).collect::<Vec<_>>().join("\n");
    assert_eq!(ask(&hub, &Principal::operator(), None, PEOPLE).await, expected);
}

/// A person file as the vendor's report writes it, with its control record.
fn person_file(surnames: &[&str], rows_said: usize) -> String {
    let mut text =
        "PERSONAL_REF,NI_NO,TITLE,SURNAME,FORENAMES,DOB,GENDER,ORIG_START,LEAVING_DATE,CHANGE_TS\r\n"
            .to_string();
    for (n, surname) in surnames.iter().enumerate() {
        text += &format!("P{n},,Mx,{surname},Alex,01/02/1980,X,01-APR-2020,,01/04/2024 09:00:00\r\n");
    }
    text + &format!("T|{rows_said}\r\n")
}

#[tokio::test]
async fn files_are_landed_once_in_the_order_of_their_names_and_only_when_they_balance() {
    let project = TestProject::new().await;
    let text = std::fs::read_to_string(project.dir().join("muster.toml")).expect("the project");
    project.write("muster.toml", &text.replace("sqlite:beds.db", "file:drop"));
    project.write("drop/ITR_PERSON_20260401.csv", &person_file(&["Ash", "Birch"], 2));
    project.write("drop/ITR_PERSON_20260402.csv", &person_file(&["Ash", "Cedar"], 2));
    let hub = project.open().await;
    release(&hub).await;
    let names = "select string_agg(surname, ' ' order by surname) as names from conformed.person where force = 'beds'";
    let landed = |answer: String, expected: &str| assert!(answer.contains(expected), "{answer}");
    landed(ask(&hub, &Principal::operator(), None, names).await, "| Ash Cedar |");

    // The same bytes under a new name are no news.
    project.write("drop/ITR_PERSON_20260403.csv", &person_file(&["Ash", "Cedar"], 2));
    assert_eq!(nightly(&hub).await.0.release.release, 1);

    // A control record that disagrees, then a file from the past: refused, and the last good data stays.
    project.write("drop/ITR_PERSON_20260404.csv", &person_file(&["Ash", "Doug"], 3));
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["beds"].status, Status::Stale);
    landed(ask(&hub, &Principal::operator(), None, names).await, "| Ash Cedar |");
    std::fs::remove_file(project.dir().join("drop/ITR_PERSON_20260404.csv")).expect("the file");
    project.write("drop/ITR_PERSON_20260301.csv", &person_file(&["Elm"], 1));
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["beds"].status, Status::Fresh);
    landed(ask(&hub, &Principal::operator(), None, names).await, "| Ash Cedar |");
    let notes = "select count(*) as n from hub.steps where message like '%20260301%is older than%'";
    landed(ask(&hub, &Principal::operator(), None, notes).await, "| 1 |");

    // A state that comes back is news, whatever its bytes were once before.
    project.write("drop/ITR_PERSON_20260405.csv", &person_file(&["Ash", "Birch"], 2));
    release(&hub).await;
    landed(ask(&hub, &Principal::operator(), None, names).await, "| Ash Birch |");

    // Every file is kept as it was received: the two that were landed, the one whose control
    // record disagrees and the one from the past, as evidence.
    let kept =
        project.lake_files().iter().filter(|path| path.to_string_lossy().contains("lake/files/beds")).count();
    assert_eq!(kept, 4);
}

#[tokio::test]
async fn a_force_that_leaves_the_project_leaves_the_release() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let text = std::fs::read_to_string(project.dir().join("muster.toml")).expect("the project");
    let without = text.replace("[forces.herts]\nname = \"Hertfordshire Constabulary\"\n", "");
    let end = without.find("[sources.herts_itrent]").expect("the source");
    project.write("muster.toml", &without[..end]);
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 2);
    let forces = ask(&hub, &Principal::operator(), None, "select distinct force from conformed.person").await;
    assert!(forces.contains("beds") && !forces.contains("herts"), "{forces}");
}

#[tokio::test]
async fn a_folder_with_any_name_will_do() {
    let project = TestProject::named("é ~#[x]").await;
    let hub = project.open().await;
    release(&hub).await;
    let count =
        ask(&hub, &Principal::operator(), None, "select count(surname) as n from conformed.person").await;
    assert!(count.contains("| 6 |"), "{count}");
    let loads = ask(&hub, &Principal::operator(), None, "select count(*) as n from hub.loads").await;
    assert!(!loads.contains("| 0 |"), "{loads}");
}

#[tokio::test]
async fn a_force_without_rows_does_not_make_a_new_release_every_night() {
    let project = TestProject::new().await;
    let text = std::fs::read_to_string(project.dir().join("muster.toml")).expect("the project");
    project.write("muster.toml", &(text + "\n[forces.cambs]\nname = \"Cambridgeshire Constabulary\"\n"));
    assert_eq!(release(&project.open().await).await, 1);
    assert_eq!(release(&project.open().await).await, 1);
}

#[tokio::test]
async fn what_a_source_sent_is_shown_to_those_with_the_grant_only() {
    let project = TestProject::new().await;
    project.sql("beds", "update ITR_PERSON set DOB = 'soon' where PERSONAL_REF = 'P1'").await;
    let hub = project.open().await;
    release(&hub).await;
    let rows = "select reason, raw is null as hidden from hub.quarantine";
    let without = ask(&hub, &analyst("beds"), None, rows).await;
    assert!(without.contains("| not_a_date | true   |"), "{without}");
    let mut granted = analyst("beds");
    granted.roles[0].tables.push("quarantine.person".into());
    let with = ask(&hub, &granted, None, rows).await;
    assert!(with.contains("| not_a_date | false  |"), "{with}");
}

#[tokio::test]
async fn a_table_that_is_not_granted_is_in_no_list_of_checks_and_steps() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let mut narrow = analyst("beds");
    narrow.roles[0].tables = vec!["conformed.person".into(), "hub.*".into()];
    for sql in ["select * from hub.checks", "select * from hub.steps", "select * from hub.coverage"] {
        let answer = ask(&hub, &narrow, None, sql).await;
        assert!(!answer.contains("marts.") && !answer.contains("conformed.employment"), "{sql}\n{answer}");
    }
}

#[tokio::test]
async fn two_runs_at_once_do_not_mix() {
    let project = TestProject::new().await;
    let (one, two) = (project.open().await, project.open().await);
    let pipeline = &one.project.pipelines["nightly"];
    let quiet = |_| {};
    let (first, second) = tokio::join!(
        muster::pipeline::run::run(&one, pipeline, &quiet),
        muster::pipeline::run::run(&two, pipeline, &quiet),
    );
    let refused = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].to_string().contains("another run is working"), "{}", refused[0]);
    assert_eq!(release(&one).await, 1);
}
