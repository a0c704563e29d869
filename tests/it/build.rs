//! What is built again, what a build would change, and where its columns come from.

use crate::support::{TestProject, analyst, ask, release};
use expect_test::expect;
use muster::hub::Hub;
use muster::pipeline::Choice;
use muster::pipeline::preview;
use muster::pipeline::run::{Order, execute};
use muster::policy::roles::Principal;
use muster::project;
use std::collections::BTreeMap;

/// The version of every table that models make.
fn versions(manifest: &muster::release::Manifest) -> BTreeMap<String, u64> {
    let made = manifest.tables.iter().filter(|(name, _)| !name.starts_with("raw/"));
    made.map(|(name, table)| (name.clone(), table.version)).collect()
}

async fn built(hub: &Hub, choice: Choice) -> muster::release::Manifest {
    execute(hub, &Order::build(choice), &|_| {}).await.unwrap().release
}

#[tokio::test]
async fn only_what_is_made_from_a_change_is_built_again() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let first = built(&hub, Choice::default()).await;
    assert_eq!(first.release, 1, "nothing has changed");
    project
        .sql("beds", "insert into ITR_ABSENCE values ('A1', '00000001', 'S', 'COLD', '01-MAY-2024', '02-MAY-2024', '8', '1', 'SELF', 'CLOSED', '01/05/2024 09:00:00')")
        .await;
    assert_eq!(release(&hub).await, 2);
    let second = muster::release::manifest(&hub.lake, 2).await.unwrap();
    let (before, after) = (versions(&first), versions(&second));
    let changed: Vec<&String> = after.keys().filter(|name| before.get(*name) != after.get(*name)).collect();
    assert_eq!(changed, ["conformed/absence"]);
    let basis = |m: &muster::release::Manifest, force: &str| {
        m.forces[force].datasets["conformed.absence"].basis.clone()
    };
    assert_eq!(basis(&first, "beds").differs(&basis(&second, "beds")), ["data"]);
    assert_eq!(basis(&first, "herts"), basis(&second, "herts"));
}

#[tokio::test]
async fn a_model_that_changes_is_built_for_every_force_and_alone_when_it_is_selected() {
    let project = TestProject::new().await;
    release(&project.open().await).await;
    let sql =
        "/*\nPeople.\ngrain: force, person_id\nscope: force\n*/\nselect person_id from conformed.person\n";
    project.write("sql/marts/people.sql", sql);
    project.write(
        "sql/marts/posts.sql",
        &sql.replace("person_id", "employment_id").replace("person", "employment"),
    );
    let hub = project.open().await;
    let selected = built(&hub, Choice { select: vec!["people".into()], ..Choice::default() }).await;
    assert!(selected.tables.contains_key("marts/people") && !selected.tables.contains_key("marts/posts"));
    let all = built(&hub, Choice::default()).await;
    assert_eq!(all.forces["beds"].datasets["marts.posts"].rows, 3);
    let unknown = Choice { select: vec!["peeple".into()], ..Choice::default() };
    let error = execute(&hub, &Order::build(unknown), &|_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no model \"peeple\"");
    assert!(error.advice().unwrap().contains("marts.people"), "{error:?}");
}

#[tokio::test]
async fn a_diff_shows_what_a_build_would_change_and_leaves_nothing_behind() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    project.add_person("beds", 4, "0.5").await;
    project.sql("beds", "delete from ITR_POSITION where PERSONAL_REF = 'P1'").await;
    project.sql("beds", "update ITR_POSITION set FTE = '0.8' where PERSONAL_REF = 'P2'").await;
    let sources: Vec<_> = hub.project.sources.values().collect();
    let wish = muster::pipeline::pull::Wish::default();
    muster::pipeline::run::pull(&hub, &sources, 0, wish, &|_| {}).await.unwrap();
    let files = project.lake_files();
    let mut shown = Vec::new();
    let show = async |force: Option<&str>,
                      difference: &muster::model::compare::Difference,
                      blocked: Option<String>| {
        let counts = difference.counts().await?;
        shown.push((force.map(str::to_string), counts.added, counts.removed, counts.changed, blocked));
        Ok(())
    };
    preview::diff(&hub, "employment", None, show).await.unwrap();
    assert_eq!(shown, [(Some("beds".to_string()), 1, 1, 1, None)]);
    let left: Vec<_> = project.lake_files().into_iter().filter(|file| !files.contains(file)).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    assert_eq!(muster::release::numbers(&hub.lake).await.unwrap(), [1]);
}

#[tokio::test]
async fn the_sql_that_runs_names_its_sources_and_versions() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let script = preview::sql(&hub, "conformed.absence", "beds").await.unwrap();
    for expected in [
        "create view staging.absence as\n-- beds_itrent: built-in/connectors/itrent/staging/absence.sql",
        "-- raw.absence: raw/beds/beds_itrent/absence, version ",
        "select *, 'beds_itrent' as source, 'beds' as force from (",
        "-- conformed.absence: built-in/sql/conformed/absence.sql",
    ] {
        assert!(script.contains(expected), "{expected}\n{script}");
    }
    assert!(preview::sql(&hub, "conformed.absence", "cambs").await.is_err());
}

#[tokio::test]
async fn lineage_is_that_of_the_release_and_of_what_is_granted() {
    let project = TestProject::new().await;
    let hub = project.open().await;
    release(&hub).await;
    let sql = "select system, column_name, from_table, from_column, how from hub.lineage \
               where table_name = 'staging.absence' and column_name = 'absence_id' and system = 'itrent'";
    expect![[r#"
        +--------+-------------+-------------+-------------+--------+
        | system | column_name | from_table  | from_column | how    |
        +--------+-------------+-------------+-------------+--------+
        | itrent | absence_id  | raw.absence | absence_id  | copied |
        +--------+-------------+-------------+-------------+--------+"#]]
    .assert_eq(&ask(&hub, &Principal::operator(), None, sql).await);
    let all = "select distinct split_part(from_table, '.', 1) as layer from hub.lineage order by layer";
    let own = ask(&hub, &analyst("beds"), None, all).await;
    assert!(own.contains("conformed") && !own.contains("raw") && !own.contains("staging"), "{own}");
}

#[tokio::test]
async fn a_column_may_change_its_type() {
    let project = TestProject::new().await;
    let model = |value: &str| {
        format!(
            "/*\nPeople.\ngrain: force, person_id\nscope: force\n*/\nselect person_id, {value} as value from conformed.person\n"
        )
    };
    project.write("sql/marts/people.sql", &model("1"));
    release(&project.open().await).await;
    project.write("sql/marts/people.sql", &model("'one'"));
    let hub = project.open().await;
    assert_eq!(release(&hub).await, 2);
    let sql = "select distinct value from marts.people";
    assert!(ask(&hub, &Principal::operator(), None, sql).await.contains("| one "));
    assert!(ask(&hub, &Principal::operator(), Some(1), sql).await.contains("| 1 "));
    assert!(project::load(project.dir()).is_ok());
}
