//! Checks: every kind on both sides of its boundary, what blocks, and who sees the failing rows.

use crate::support::{TestProject, analyst, ask, nightly, release};
use expect_test::expect;
use muster::pipeline::Event;
use muster::pipeline::run::Outcome;
use muster::policy::roles::{Forces, Principal, Role};
use muster::release::Status;
use std::process::Command;

/// A mart with one row per post and these checks.
fn probe(project: &TestProject, scope: &str, checks: &[&str]) {
    let (force, grain) = if scope == "hub" { ("force as home, ", "home") } else { ("", "force") };
    let checks: String = checks.iter().map(|check| format!("  {check}\n")).collect();
    project.write(
        "sql/marts/probe.sql",
        &format!(
            "/*\nOne row per post.\ngrain: {grain}, employment_id\nscope: {scope}\ncolumns:\n  \
             person_id: who holds it  [pii]\nchecks:\n{checks}*/\n\
             select {force}employment_id, person_id, unit_code, fte, valid_from, cast(null as varchar) as note\n\
             from conformed.employment\n"
        ),
    );
}

const FOUND: &str = "select force, rule, severity as sev, failing as bad, checked as n from hub.checks \
    where model = 'marts.probe' and run = (select max(run) from hub.checks) order by force, rule";

const FAILING: &str =
    "select force, model, rule, row from hub.check_failures order by force, model, rule, row";

#[tokio::test]
async fn every_kind_passes_and_fails_and_a_warning_blocks_nothing() {
    let project = TestProject::new().await;
    project.add_person("beds", 4, "0.5").await;
    let checks = [
        "unique: employment_id",
        "unique: unit_code  (warn)",
        "not_null: employment_id, fte",
        "not_null: employment_id, note  (warn)",
        "accept whole: fte <= 1",
        "accept half: fte > 0.5 -- not the half ones\n    (warn)",
        "relate person_id: conformed.person.person_id",
        "relate unit_code: reference.rank.code  (warn)",
        "row_count: at least 3",
        "row_count: at least 5  (warn)",
        "row_count: within 0 %",
        "fresh valid_from: 36500 days",
        "fresh valid_from: 40 days  (warn)",
        "reconcile posts: count(*) = (select count(*) from conformed.employment)",
        "reconcile people: sum(fte) = (select count(*) from conformed.person) within 0.49  (warn)",
        "reconcile nearly: sum(fte) = (select count(*) from conformed.person) within 0.5",
    ];
    probe(&project, "force", &checks);
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 1, "warnings release");
    let beds = analyst("beds");
    expect![[r#"
        +-------+----------------------------------------------------------------------------------+-------+-----+---+
        | force | rule                                                                             | sev   | bad | n |
        +-------+----------------------------------------------------------------------------------+-------+-----+---+
        | beds  | accept half: fte > 0.5 -- not the half ones                                      | warn  | 1   | 4 |
        | beds  | accept whole: fte <= 1                                                           | block | 0   | 4 |
        | beds  | fresh valid_from: 36500 days                                                     | block | 0   | 1 |
        | beds  | fresh valid_from: 40 days                                                        | warn  | 1   | 1 |
        | beds  | not_null: employment_id, fte                                                     | block | 0   | 4 |
        | beds  | not_null: employment_id, note                                                    | warn  | 4   | 4 |
        | beds  | reconcile nearly: sum(fte) = (select count(*) from conformed.person) within 0.5  | block | 0   | 1 |
        | beds  | reconcile people: sum(fte) = (select count(*) from conformed.person) within 0.49 | warn  | 1   | 1 |
        | beds  | reconcile posts: count(*) = (select count(*) from conformed.employment)          | block | 0   | 1 |
        | beds  | relate person_id: conformed.person.person_id                                     | block | 0   | 4 |
        | beds  | relate unit_code: reference.rank.code                                            | warn  | 4   | 4 |
        | beds  | row_count: at least 3                                                            | block | 0   | 1 |
        | beds  | row_count: at least 5                                                            | warn  | 1   | 1 |
        | beds  | row_count: within 0 %                                                            | block | 0   | 1 |
        | beds  | unique: employment_id                                                            | block | 0   | 4 |
        | beds  | unique: unit_code                                                                | warn  | 4   | 4 |
        +-------+----------------------------------------------------------------------------------+-------+-----+---+"#]].assert_eq(&ask(&hub, &beds, None, FOUND).await);
    let kept = "select rule, count(*) as rows, min(row) as first from hub.check_failures \
        where model = 'marts.probe' group by rule order by rule";
    expect![[r#"
        +----------------------------------------------------------------------------------+------+----------------------------------------------------------------------------------------------------------------------------------+
        | rule                                                                             | rows | first                                                                                                                            |
        +----------------------------------------------------------------------------------+------+----------------------------------------------------------------------------------------------------------------------------------+
        | accept half: fte > 0.5 -- not the half ones                                      | 1    | {"force":"beds","employment_id":"00000004","person_id":"P4","unit_code":"U1","fte":0.5000,"valid_from":"2020-04-01","note":null} |
        | fresh valid_from: 40 days                                                        | 1    | {"expected":"a value at most 40 days old","found":"2020-04-01"}                                                                  |
        | not_null: employment_id, note                                                    | 4    | {"force":"beds","employment_id":"00000001","person_id":"P1","unit_code":"U1","fte":1.0000,"valid_from":"2020-04-01","note":null} |
        | reconcile people: sum(fte) = (select count(*) from conformed.person) within 0.49 | 1    | {"expected":"4","found":"3.5000"}                                                                                                |
        | relate unit_code: reference.rank.code                                            | 4    | {"force":"beds","employment_id":"00000001","person_id":"P1","unit_code":"U1","fte":1.0000,"valid_from":"2020-04-01","note":null} |
        | row_count: at least 5                                                            | 1    | {"expected":"at least 5 rows","found":"4 rows"}                                                                                  |
        | unique: unit_code                                                                | 4    | {"force":"beds","employment_id":"00000001","person_id":"P1","unit_code":"U1","fte":1.0000,"valid_from":"2020-04-01","note":null} |
        +----------------------------------------------------------------------------------+------+----------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&ask(&hub, &beds, None, kept).await);
}

#[tokio::test]
async fn up_to_its_threshold_a_check_records_and_does_not_block() {
    let project = TestProject::new().await;
    project.add_person("beds", 4, "0.5").await;
    probe(&project, "force", &["accept share: fte >= 1 (<= 25 %)", "accept rows: fte >= 1 (<= 1 row)"]);
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 1);
    expect![[r#"
        +-------+----------------------------------+-------+-----+---+
        | force | rule                             | sev   | bad | n |
        +-------+----------------------------------+-------+-----+---+
        | beds  | accept rows: fte >= 1 (<= 1 row) | block | 1   | 4 |
        | beds  | accept share: fte >= 1 (<= 25 %) | block | 1   | 4 |
        +-------+----------------------------------+-------+-----+---+"#]]
    .assert_eq(&ask(&hub, &analyst("beds"), None, FOUND).await);
    expect![[r#"
        +-------+-------------+----------------------------------+----------------------------------------------------------------------------------------------------------------------------------+
        | force | model       | rule                             | row                                                                                                                              |
        +-------+-------------+----------------------------------+----------------------------------------------------------------------------------------------------------------------------------+
        | beds  | marts.probe | accept rows: fte >= 1 (<= 1 row) | {"force":"beds","employment_id":"00000004","person_id":"P4","unit_code":"U1","fte":0.5000,"valid_from":"2020-04-01","note":null} |
        | beds  | marts.probe | accept share: fte >= 1 (<= 25 %) | {"force":"beds","employment_id":"00000004","person_id":"P4","unit_code":"U1","fte":0.5000,"valid_from":"2020-04-01","note":null} |
        +-------+-------------+----------------------------------+----------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&ask(&hub, &analyst("beds"), None, FAILING).await);

    // One more: 40 % and two rows.
    project.add_person("beds", 5, "0.5").await;
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.outcome, Outcome::Partial);
    let why = report.release.forces["beds"].why.clone().unwrap();
    assert_eq!(
        why,
        "marts.probe: 2 of 5 rows fail \"accept share: fte >= 1 (<= 25 %)\"; \
         marts.probe: 2 of 5 rows fail \"accept rows: fte >= 1 (<= 1 row)\""
    );
}

#[tokio::test]
async fn what_blocks_a_force_is_shown_to_its_own_people_only() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let (beds, herts) = (analyst("beds"), analyst("herts"));
    let count = "select count(*) as n from hub.check_failures where model = 'conformed.employment'";
    let clean = ask(&hub, &beds, None, count).await;
    assert!(clean.contains("| 0 |"), "{clean}");
    project.add_person("beds", 4, "7").await;
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["beds"].status, Status::Failed);
    let failing = "select force, rule, severity, row from hub.check_failures where rule like 'accept fte%'";
    expect![[r#"
        +-------+-----------------------------------+----------+---------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+
        | force | rule                              | severity | row                                                                                                                                                                                                                                                                                                           |
        +-------+-----------------------------------+----------+---------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+
        | beds  | accept fte: fte between 0 and 1.5 | block    | {"force":"beds","employment_id":"00000004","person_id":"P4","post_title":"Response","unit_code":"U1","cost_centre":"C1","worker_type":"police officer","rank_code":"constable","grade":"PC","contracted_hours":40.0000,"fte":7.0000,"valid_from":"2020-04-01","valid_to":"9999-12-31","source":"beds_itrent"} |
        +-------+-----------------------------------+----------+---------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&ask(&hub, &beds, None, failing).await);
    let others = ask(&hub, &herts, None, "select * from hub.check_failures").await;
    assert!(!others.contains("beds"), "{others}");

    // Nor to those of the force who may not read the model.
    let role = Role { tables: vec!["marts.*".into(), "hub.*".into()], ..beds.roles[0].clone() };
    let elsewhere = Principal { name: "marts".into(), roles: vec![role] };
    let none = ask(&hub, &elsewhere, None, count).await;
    assert!(none.contains("| 0 |"), "{none}");

    // Mended, it fails no more; what failed stays in the lake.
    project.sql("beds", "update ITR_POSITION set FTE = '1' where FTE = '7'").await;
    release(&hub).await;
    assert_eq!(ask(&hub, &beds, None, count).await, clean);
    assert!(hub.lake.table("checks/failures").version(None).await.unwrap().unwrap().files.len() == 1);
}

#[tokio::test]
async fn rows_of_a_hub_scope_model_are_shown_with_its_grant() {
    let project = TestProject::new().await;
    probe(
        &project,
        "hub",
        &["accept first: employment_id > '00000001'  (warn)", "row_count: at least 7  (warn)"],
    );
    let hub = project.open().await;
    release(&hub).await;
    expect![[r#"
        +-------+-------------+------------------------------------------+----------------------------------------------------------------------------------------------------------------------------------+
        | force | model       | rule                                     | row                                                                                                                              |
        +-------+-------------+------------------------------------------+----------------------------------------------------------------------------------------------------------------------------------+
        |       | marts.probe | accept first: employment_id > '00000001' | {"home":"beds","employment_id":"00000001","person_id":"P1","unit_code":"U1","fte":1.0000,"valid_from":"2020-04-01","note":null}  |
        |       | marts.probe | accept first: employment_id > '00000001' | {"home":"herts","employment_id":"00000001","person_id":"P1","unit_code":"U1","fte":1.0000,"valid_from":"2020-04-01","note":null} |
        |       | marts.probe | row_count: at least 7                    | {"expected":"at least 7 rows","found":"6 rows"}                                                                                  |
        +-------+-------------+------------------------------------------+----------------------------------------------------------------------------------------------------------------------------------+"#]].assert_eq(&ask(&hub, &Principal::operator(), None, FAILING).await);
    let count = "select count(*) as n from hub.check_failures where model = 'marts.probe'";
    let none = ask(&hub, &analyst("beds"), None, count).await;
    assert!(none.contains("| 0 |"), "marts.* of one force does not reach a hub-scope table: {none}");
    let forces = Forces::Only(["beds".to_string()].into());
    let role = Role { name: "named".into(), forces, tables: vec!["marts.probe".into(), "hub.*".into()] };
    let named = Principal { name: "named".into(), roles: vec![role] };
    let all = ask(&hub, &named, None, count).await;
    assert!(all.contains("| 3 |"), "{all}");
}

#[tokio::test]
async fn a_row_count_is_held_against_the_last_release() {
    let project = TestProject::new().await;
    probe(&project, "force", &["row_count: within 34 %"]);
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 1, "nothing to compare with");
    project.add_person("beds", 4, "1").await;
    assert_eq!(release(&hub).await, 2, "one more than 3 is 33 %");
    for number in 5..=6 {
        project.add_person("beds", number, "1").await;
    }
    let (report, _) = nightly(&hub).await;
    assert_eq!(report.release.forces["herts"].status, Status::Fresh);
    let why = report.release.forces["beds"].why.clone().unwrap();
    assert_eq!(why, "marts.probe: expected 3 to 5 rows, found 6 rows (\"row_count: within 34 %\")");
    let count = "select count(*) as n from marts.probe where force = 'beds'";
    let kept = ask(&hub, &Principal::operator(), None, count).await;
    assert!(kept.contains("| 4 |"), "the last good rows stay: {kept}");
}

#[tokio::test]
async fn data_that_nobody_sends_any_more_grows_old() {
    let project = TestProject::new().await;
    probe(
        &project,
        "force",
        &["fresh valid_from: 40 days  (warn)", "accept first: employment_id > '00000001'  (warn)"],
    );
    let hub = project.open().await;
    release(&hub).await;
    let runs = "select count(distinct run) as runs, count(*) as findings from hub.checks \
        where force = 'beds' and model = 'marts.probe'";
    let first = ask(&hub, &analyst("beds"), None, runs).await;
    assert!(first.contains("| 1    | 2        |"), "{first}");
    let failing = ask(&hub, &analyst("beds"), None, FAILING).await;

    // Nothing has changed and nothing is built or released, but the day may have come.
    let (report, events) = nightly(&hub).await;
    assert_eq!(report.release.release, 1);
    let checked = |event: &Event| matches!(event, Event::Built { force: Some(_), rows: 0, warnings: 2 });
    assert_eq!(events.iter().filter(|event| checked(event)).count(), 2, "{events:#?}");
    let second = ask(&hub, &analyst("beds"), None, runs).await;
    assert!(second.contains("| 2    | 4        |"), "{second}");
    assert_eq!(ask(&hub, &analyst("beds"), None, FAILING).await, failing, "each failing row is shown once");
}

#[tokio::test]
async fn all_failing_rows_are_kept_however_many() {
    const MANY: usize = 20_000;
    let project = TestProject::new().await;
    let many = format!(
        "with recursive n(i) as (select 100 union all select i + 1 from n where i < {})
         insert into ITR_POSITION select printf('%08d', i), 'P1', 'Response', 'U1', 'C1', 'PC', 'OFFICER',
             40, '1', 'P', '01-APR-2020', '31-DEC-4712', '01/04/2024 09:00:00' from n",
        MANY + 99
    );
    project.sql("beds", &many).await;
    probe(&project, "force", &["not_null: note  (warn)"]);
    let hub = project.open().await;
    release(&hub).await;
    let count =
        "select count(*) as n, count(distinct row) as d from hub.check_failures where model = 'marts.probe'";
    let all = ask(&hub, &analyst("beds"), None, count).await;
    assert!(all.contains(&format!("| {} | {} |", MANY + 3, MANY + 3)), "{all}");
}

#[tokio::test]
async fn the_command_line_lists_findings_and_failing_rows() {
    let project = TestProject::new().await;
    probe(&project, "force", &["accept first: employment_id > '00000001'  (warn)"]);
    release(&project.open().await).await;
    let muster = |args: &[&str]| {
        let dir = project.dir().to_str().unwrap();
        let args = [&["--project", dir, "checks", "--format", "csv"], args].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_muster")).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let findings = muster(&["--force", "herts"]);
    assert!(
        findings.contains("herts,marts.probe,accept first: employment_id > '00000001',warn,1,3,"),
        "{findings}"
    );
    assert!(!findings.contains("beds"), "{findings}");
    let failures = muster(&["--failures", "marts.probe"]);
    assert_eq!(failures.lines().count(), 3, "{failures}");
    assert!(failures.contains(r#"""employment_id"":""00000001"""#), "{failures}");
}
