//! Small files of a log are landed in one commit, and nobody can tell but by the time it takes.

use crate::files::{AT_ONCE, FileProject, LOG};
use muster::lake::raw::Load;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::fs;

/// Rows are known by their own key, whichever file brings them.
const KEYED: &str = "key = [\"id\"]\nmode = \"log\"\nmax_bad = 0.5\n";

fn of_one(mode: &str) -> FileProject {
    FileProject::new(&[("beds", "address = \"file:drop\"")], mode, AT_ONCE)
}

/// How many versions the table of payments has.
fn versions(project: &FileProject) -> usize {
    let log = fs::read_dir(project.path("lake/raw/beds/beds/payment/_delta_log")).unwrap();
    log.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "json")).count()
}

/// What a load says about its file.
fn told(load: &Load) -> String {
    format!(
        "{}: {} {}, {} received, {} accepted, {} in quarantine, {} there, {} inserted, {} changed, {} gone, {:?}",
        load.load,
        load.file.as_deref().unwrap_or_default(),
        load.sha256.as_deref().unwrap_or_default(),
        load.received_rows,
        load.accepted_rows,
        load.quarantined_rows,
        load.in_quarantine_rows,
        load.inserted_rows,
        load.changed_rows,
        load.deleted_rows,
        load.sums,
    )
}

async fn all_told(project: &FileProject) -> Vec<String> {
    let mut all: Vec<String> = project.loads("beds").await.iter().map(told).collect();
    all.extend(project.rows("beds").await);
    for batch in project.raw("beds", true, &["_raw"]).await {
        all.push(format!("{} rows in quarantine", batch.num_rows()));
    }
    all
}

#[tokio::test]
async fn many_files_are_one_commit_and_a_load_each() {
    let project = of_one(LOG);
    for number in 10..60 {
        project.write(&format!("drop/pay_{number}.csv"), format!("id,amount\na{number},1.50\nb{number},2\n"));
    }
    assert!(project.pull().await.failures.is_empty());
    let loads = project.loads("beds").await;
    assert_eq!(loads.len(), 50);
    assert!(loads.iter().zip(1..).all(|(load, number)| load.load == number && load.accepted_rows == 2));
    assert_eq!(loads[7].file.as_deref(), Some("pay_17.csv"));
    assert_eq!(project.rows("beds").await.len(), 100);
    let before = versions(&project);
    assert!(before <= 2, "{before} versions of the table");

    assert!(project.pull().await.failures.is_empty());
    assert_eq!((project.loads("beds").await.len(), versions(&project)), (50, before), "nothing is news");

    project.write("drop/pay_17.csv", "id,amount\nc17,3\n");
    project.write("drop/pay_60.csv", "id,amount\na60,1\n");
    assert!(project.pull().await.failures.is_empty());
    let rows = project.rows("beds").await;
    assert_eq!(rows.len(), 100);
    assert!(rows.contains(&"pay_17.csv:2 c17".to_string()), "a file that comes again replaces its rows");
}

#[tokio::test]
async fn a_file_that_is_refused_keeps_no_other_out() {
    let project = of_one(LOG);
    for number in 1..=5 {
        let text = if number == 3 { String::new() } else { format!("id,amount\na{number},1.50\n") };
        project.write(&format!("drop/pay_{number}.csv"), text);
    }
    let failures = project.pull().await.failures;
    assert!(failures["beds"].contains("pay_3.csv"), "{failures:?}");
    assert_eq!(project.rows("beds").await.len(), 4);
    assert_eq!(project.loads("beds").await.len(), 4);
    project.write("drop/pay_3.csv", "id,amount\na3,1\n");
    assert!(project.pull().await.failures.is_empty());
    assert_eq!(project.rows("beds").await.len(), 5);
}

/// The same files, all at once and one in each pull: keys come again with other values, files are
/// copies of others, rows break their contract, and some files break it as a whole.
#[tokio::test]
async fn together_is_the_same_as_one_by_one() {
    for seed in 0..8 {
        let mut random = StdRng::seed_from_u64(seed);
        let (together, single) = (of_one(KEYED), of_one(KEYED));
        let mut texts: Vec<String> = Vec::new();
        for number in 100..112 {
            let is_copy = !texts.is_empty() && random.random_bool(0.2);
            let text = match is_copy {
                true => texts[random.random_range(0..texts.len())].clone(),
                false => (0..random.random_range(0..8)).fold("id,amount\n".to_string(), |text, _| {
                    let amount = ["1.00", "2.00", "many"][random.random_range(0..3)];
                    text + &format!("k{},{amount}\n", random.random_range(0..12))
                }),
            };
            let name = format!("drop/pay_{number}.csv");
            together.write(&name, &text);
            single.write(&name, &text);
            single.pull().await;
            texts.push(text);
        }
        together.pull().await;
        assert_eq!(all_told(&together).await, all_told(&single).await, "seed {seed}");
    }
}
