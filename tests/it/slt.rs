//! `muster test`: every test is run, every failure is shown with its line, what has none is named.

use crate::check::muster;
use expect_test::expect;
use std::path::Path;
use tempfile::TempDir;

/// A project with a connector of its own, models over it, and tests of some of them.
fn project() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("muster.toml", "[hub]\nname = \"tests\"\n"),
        (
            "connectors/fleetwise/connector.toml",
            r#"
system = "fleetwise"
vendor = "Fleetwise"

[entities.vehicle]
table = "VEHICLE"
key = ["reg"]
mode = "diff"

[entities.vehicle.columns]
reg      = { type = "text", required = true }
bought   = { type = "date", format = "dd/MM/yyyy", required = true }
odometer = { type = "int" }

[entities.garage]
table = "GARAGE"
key = ["garage"]
mode = "diff"

[entities.garage.columns]
garage = { type = "text", required = true }
"#,
        ),
        // The last row breaks its contract: it is not in raw.
        (
            "connectors/fleetwise/fixtures/vehicle.csv",
            "reg,bought,odometer\nAB12 CDE,01/04/2020,1200\nAB12 CDF,31/03/2021,\nAB12 CDG,31/02/2021,5\n",
        ),
        (
            "connectors/fleetwise/staging/vehicle.sql",
            "/* One row per vehicle.\ngrain: reg\n*/\nselect reg, bought as bought_on, odometer from raw.vehicle",
        ),
        (
            "connectors/fleetwise/staging/vehicle.slt",
            "query TDI rowsort\nselect reg, bought_on, odometer from staging.vehicle\n----\n\
             AB12 CDE 2020-04-01 1200\nAB12 CDF 2021-03-31 NULL\n\n\
             query I\nselect count(*) from raw.vehicle where _load = 1 and _file = 'vehicle.csv'\n----\n2\n",
        ),
        (
            "sql/conformed/vehicle.sql",
            "/* One row per vehicle.\ngrain: force, reg\n*/\nselect reg, bought_on, odometer from staging.vehicle",
        ),
        (
            "sql/conformed/vehicle.slt",
            "statement ok\ncreate table staging.vehicle as\n\
             select 'A' as reg, date '2020-04-01' as bought_on, cast(5 as bigint) as odometer\n\n\
             statement ok\nbuild conformed.vehicle\n\n\
             query TI\nselect reg, odometer from conformed.vehicle\n----\nA 6\n",
        ),
        (
            "sql/marts/fleet.sql",
            "/* How many vehicles.\ngrain: force\n*/\nselect count(*) as vehicles from conformed.vehicle",
        ),
        // The inputs of the model are not made.
        ("sql/marts/fleet.slt", "statement ok\nbuild marts.fleet\n"),
        (
            "sql/marts/mileage.sql",
            "/* How far.\ngrain: force\n*/\nselect sum(odometer) as miles from conformed.vehicle",
        ),
    ];
    for (path, text) in files {
        write(dir.path(), path, text);
    }
    dir
}

fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The exit code of `muster test` with these arguments, and what it says.
fn test(dir: &Path, args: &[&str]) -> (i32, String) {
    let output = muster(&[&["--project", dir.to_str().unwrap(), "test"], args].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn every_test_runs_and_every_failure_has_its_line() {
    let project = project();
    let (code, said) = test(project.path(), &[]);
    expect![[r#"
        ok      connectors/fleetwise/staging/vehicle.slt
        failed  sql/conformed/vehicle.slt:8: query result mismatch:
                [SQL] select reg, odometer from conformed.vehicle
                [Diff] (-expected|+actual)
                -   A 6
                +   A 5
        failed  sql/marts/fleet.slt:1: statement failed: sql/marts/fleet.sql: the model cannot be run: Error during planning: table 'muster.conformed.vehicle' not found
                [SQL] build marts.fleet
        3 tests: 1 ok, 2 failed
        1 model has no test: sql/marts/mileage.sql
        1 entity has no fixture: connectors/fleetwise: garage
    "#]].assert_eq(&said);
    assert_eq!(code, 1);
}

#[test]
fn patterns_choose_and_must_choose_something() {
    let project = project();
    let name = project.path().file_name().unwrap();
    let dir = project.path().join("..").join(name);
    let (code, said) = test(&dir, &["connectors/*/vehicle.slt"]);
    expect![[r#"
        ok      connectors/fleetwise/staging/vehicle.slt
        1 test: 1 ok, 0 failed
    "#]]
    .assert_eq(&said);
    assert_eq!(code, 0);

    write(project.path(), "sql/marts/other.slt", "statement ok\nbuild marts.flet\n");
    let (code, said) = test(&dir, &["other"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("there is no model \"marts.flet\" (did you mean \"marts.fleet\"?"), "{said}");

    let (code, said) = test(&dir, &["fleetwise", "mileage"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.starts_with("error: no test is called \"mileage\""), "{said}");
}

#[test]
fn a_test_is_sql_and_tests_something() {
    let project = tempfile::tempdir().unwrap();
    let mark = project.path().join("mark");
    let mark = mark.display();
    write(project.path(), "muster.toml", "[hub]\nname = \"tests\"\n");
    write(project.path(), "sql/marts/shell.slt", &format!("system ok\ntouch {mark}\n"));
    write(project.path(), "sql/marts/shell_behind.slt", &format!("system ok\ntouch {mark} &\n"));
    write(project.path(), "sql/marts/other.slt", "include shell.slt\n");
    write(project.path(), "sql/marts/nothing.slt", "# Nothing.\n");
    write(project.path(), "sql/marts/garbled.slt", "statement ok\nselect 1\n\nqwery\n");
    std::fs::write(project.path().join("sql/marts/bytes.slt"), b"\xff").unwrap();
    write(project.path(), "connectors/northgate_dms/staging/duty.slt", "query I\nselect 1\n----\n1\n");
    let (code, said) = test(project.path(), &[]);
    expect![[r#"
        failed  connectors/northgate_dms/staging/duty.slt: there is no mapping beside the test (a test in connectors/ is called as its mapping: connectors/northgate_dms/staging/duty.sql)
        failed  sql/marts/bytes.slt: the test cannot be read: stream did not contain valid UTF-8
        failed  sql/marts/garbled.slt:4: parse error: invalid line: "qwery"
        failed  sql/marts/nothing.slt: the file tests nothing: it has no statement and no query
        failed  sql/marts/other.slt:1: a test is one file of SQL, without "include"
        failed  sql/marts/shell.slt:1: a test is one file of SQL, without "system"
        failed  sql/marts/shell_behind.slt:1: a test is one file of SQL, without "system"
        7 tests: 0 ok, 7 failed
    "#]].assert_eq(&said);
    assert_eq!(code, 1);
    assert!(!project.path().join("mark").exists(), "a command was run");
}

#[test]
fn the_built_in_library_is_tested_as_it_was_delivered() {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "muster.toml", "[hub]\nname = \"tests\"\n");
    // Would fail the built-in test of this model, if that could see it.
    write(
        project.path(),
        "sql/marts/strength.sql",
        "/* Posts.\ngrain: force\n*/\nselect count(*) as posts from conformed.employment",
    );
    let (code, said) =
        test(project.path(), &["--all", "built-in/sql/marts/strength", "northgate_dms/staging/duty.slt"]);
    expect![[r#"
        ok      built-in/connectors/northgate_dms/staging/duty.slt
        ok      built-in/sql/marts/strength.slt
        2 tests: 2 ok, 0 failed
    "#]]
    .assert_eq(&said);
    assert_eq!(code, 0);
}

#[test]
fn a_new_project_passes() {
    let dir = tempfile::tempdir().unwrap();
    let hub = dir.path().join("hub");
    assert!(muster(&["init", hub.to_str().unwrap()]).status.success());
    let (code, said) = test(&hub, &[]);
    expect![[r#"
        ok      sql/marts/leavers.slt
        1 test: 1 ok, 0 failed
    "#]]
    .assert_eq(&said);
    assert_eq!(code, 0);
}
