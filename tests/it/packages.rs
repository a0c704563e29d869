//! Packages of changes with the keys that are left, from the drop to raw.

use crate::files::FileProject;
use md5::{Digest, Md5};
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;

const CONTRACT: &str = r#"
system = "till"
vendor = "Tests"

[entities.payment]
key = ["id"]
mode = "cursor"
totals = ["amount"]

[entities.payment.file]
match = "MANIFEST_*.MF"
order = '_(\d+)\.mf'
format = "bicc"
pvo = "file_*paymentpvo-batch*"
settle = "0s"

[entities.payment.columns]
id = { type = "text", required = true }
amount = { type = "decimal(18,2)" }
"#;

fn project() -> FileProject {
    let project = FileProject::new(&[("beds", "address = \"file:drop\"")], "key = [\"id\"]\n", "");
    project.write("connectors/till/connector.toml", CONTRACT);
    project
}

/// The zips of package `number`: changed rows, and all keys if they are given.
fn zips(number: usize, changed: &[&str], keys: Option<&[&str]>) -> Vec<(String, Vec<u8>)> {
    let name = |batch: usize| format!("file_am_PaymentPVO-batch{number}{batch}-20240401_000000.zip");
    let packed = |member: &str, text: String| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file(member, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let rows = changed.iter().fold("ID,AMOUNT\n".to_string(), |text, id| text + id + &format!(",{number}\n"));
    let mut zips = vec![(name(1), packed("a.csv", rows))];
    if let Some(keys) = keys {
        zips.push((name(2), packed("a.pecsv", format!("ID\n{}\n", keys.join("\n")))));
    }
    zips
}

fn send(project: &FileProject, number: usize, zips: &[(String, Vec<u8>)]) {
    for (name, bytes) in zips {
        project.write(&format!("drop/{name}"), bytes);
    }
    send_manifest(project, number, zips);
}

fn send_manifest(project: &FileProject, number: usize, zips: &[(String, Vec<u8>)]) {
    let line = |(name, bytes): &(String, Vec<u8>)| {
        let hash: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{name};1;{hash}\n")
    };
    let manifest: String = zips.iter().map(line).collect();
    project.write(&format!("drop/MANIFEST_{number}.MF"), manifest);
}

async fn ids(project: &FileProject) -> Vec<String> {
    let rows = project.rows("beds").await;
    rows.into_iter().filter_map(|row| Some(row.split_once(' ')?.1.to_string())).collect()
}

#[tokio::test]
async fn changes_are_landed_and_rows_whose_keys_are_gone_are_deleted() {
    let project = project();
    send(&project, 1, &zips(1, &["a", "b", "c"], Some(&["a", "b", "c"])));
    assert_eq!(project.pull().await.failures, [].into());
    assert_eq!(ids(&project).await, ["a", "b", "c"]);

    send(&project, 2, &zips(2, &["b", "d"], Some(&["b", "d"])));
    assert_eq!(project.pull().await.failures, [].into());
    assert_eq!(project.rows("beds").await, ["MANIFEST_2.MF:2 b", "MANIFEST_2.MF:3 d"]);
    let loads = project.loads("beds").await;
    let load = loads.last().unwrap();
    assert_eq!((load.inserted_rows, load.changed_rows, load.deleted_rows, load.whole), (1, 1, 2, false));

    // Without keys nothing is known of other rows; and nothing is landed twice.
    send(&project, 3, &zips(3, &["e"], None));
    assert_eq!(project.pull().await.failures, [].into());
    assert_eq!(ids(&project).await, ["b", "d", "e"]);
    project.pull().await;
    assert_eq!(project.loads("beds").await.len(), 3);
}

#[tokio::test]
async fn a_package_that_is_not_whole_is_refused_and_lands_once_it_is() {
    let project = project();
    let sent = zips(1, &["a"], Some(&["a"]));
    send_manifest(&project, 1, &sent);
    let (data, keys) = (&sent[0], &sent[1]);
    project.write(&format!("drop/{}", data.0), &data.1);
    let failure = project.pull().await.failures.remove("beds").unwrap();
    let missing = format!("the manifest names '{}', which is not there", keys.0);
    assert!(failure.contains(&missing), "{failure}");

    project.write(&format!("drop/{}", keys.0), &data.1);
    let failure = project.pull().await.failures.remove("beds").unwrap();
    let damaged = format!("'{}' is not what the manifest says: its hash differs", keys.0);
    assert!(failure.contains(&damaged), "{failure}");
    assert!(project.loads("beds").await.is_empty());

    project.write(&format!("drop/{}", keys.0), &keys.1);
    assert_eq!(project.pull().await.failures, [].into());
    assert_eq!(ids(&project).await, ["a"]);
}

#[tokio::test]
async fn keys_that_would_delete_most_rows_are_refused() {
    let project = project();
    let all: Vec<String> = (0..120).map(|id| format!("p{id}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    send(&project, 1, &zips(1, &all, Some(&all)));
    assert_eq!(project.pull().await.failures, [].into());
    send(&project, 2, &zips(2, &["p0"], Some(&["p0"])));
    let failure = project.pull().await.failures.remove("beds").unwrap();
    assert!(failure.contains("the source shrank: 119 of 120 known rows are gone"), "{failure}");
    assert_eq!(ids(&project).await.len(), 120);
}
