//! `muster check` and `muster init`: every mistake is found, told where it is, and told at once.

use expect_test::expect_file;
use muster::error::{Error, Kind};
use muster::project::{Library, Problems, load, load_with};
use std::path::Path;
use std::process::{Command, Output};

/// What is wrong with the project that holds one of every mistake. It stands alone, so that the
/// built-in library can grow without changing what is expected.
fn broken() -> Problems {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/broken");
    load_with(&dir, &Library::empty()).expect_err("the project is wrong")
}

pub(crate) fn muster(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster")).args(args).output().unwrap()
}

#[test]
fn one_of_every_mistake() {
    let problems = broken();
    expect_file!["golden/check.plain.txt"].assert_eq(&problems.plain());
    expect_file!["golden/check.txt"].assert_eq(&problems.pretty(false));
}

#[test]
fn no_secret_is_ever_shown() {
    let problems = broken();
    for text in [problems.plain(), problems.pretty(true), Error::from(problems.clone()).to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(problems.iter().all(|problem| !problem.text().contains("hunter2")));
}

#[test]
fn problems_become_one_error_that_lists_them() {
    let error = Error::from(broken());
    assert_eq!(error.kind(), Kind::Config);
    let text = error.to_string();
    let lines = text.lines().count();
    assert!(text.starts_with(&format!("{} problems in the project:\n", lines - 1)), "{text}");
}

#[test]
fn check_fails_with_code_2_and_without_colour() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("muster.toml"), "[hub]\nnam = \"x\"\n").unwrap();
    let output = muster(&["--project", dir.path().to_str().unwrap(), "check"]);
    assert_eq!(output.status.code(), Some(2));
    let (shown, error) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(shown.contains("unknown key \"nam\" in [hub]") && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(error, "error: 2 problems in the project\n");
}

#[test]
fn what_init_writes_is_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let hub = dir.path().join("hub");
    let hub = hub.to_str().unwrap();
    assert!(muster(&["init", hub]).status.success());
    let project = load(Path::new(hub)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(project.sources.keys().collect::<Vec<_>>(), ["beds_itrent"]);
    let output = muster(&["--project", hub, "check"]);
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"the project is in order: 1 force, 1 source, "));

    let again = muster(&["init", hub]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("the folder is not empty"));
}

#[test]
fn a_file_of_the_project_replaces_the_built_in_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("muster.toml", "[hub]\nname = \"Ours\"\n");
    let marts = || {
        let project = load(dir.path()).unwrap_or_else(|problems| panic!("{problems}"));
        let marts = project.models.into_iter().filter(|model| model.table() == "marts.strength");
        marts.map(|model| (model.file, model.columns.len())).collect::<Vec<_>>()
    };
    let built_in = marts();
    assert_eq!(built_in[0].0, "built-in/sql/marts/strength.sql");
    write(
        "sql/marts/people/strength.sql",
        "/* Posts.\ngrain: force\n*/\nselect count(*) as posts from conformed.employment",
    );
    assert_eq!(marts(), [("sql/marts/people/strength.sql".to_string(), 0)]);
}
