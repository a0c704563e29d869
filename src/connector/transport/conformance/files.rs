//! What keepers of files do alike.

use crate::connector::contract::{Contract, FileLayout, Type};
use crate::connector::testing::*;
use crate::connector::transport::conformance::Bench;
use crate::connector::{self, Listed, Offer};
use crate::error::{Kind, Result};
use crate::project::Source;
use futures::TryStreamExt;
use std::time::Duration;

pub(super) fn id() -> Contract {
    contract(&[("id", Type::Text)])
}

fn with(change: impl FnOnce(&mut FileLayout)) -> Contract {
    let mut contract = id();
    change(layout(&mut contract));
    contract
}

pub(super) async fn offers(source: &Source, contract: &Contract) -> Result<(Vec<Listed>, Vec<String>)> {
    match connector::open(source).await?.offers(contract).await? {
        Offer::Files { ready, arriving } => Ok((ready, arriving)),
        other => panic!("{other:?} of a folder"),
    }
}

pub(super) async fn fetched(source: &Source, contract: &Contract, file: &Listed) -> Result<Vec<u8>> {
    let bytes = connector::open(source).await?.fetch(contract, file).await?;
    Ok(bytes.try_collect::<Vec<_>>().await?.concat())
}

pub(super) async fn names(bench: &Bench, contract: &Contract) -> (Vec<String>, Vec<String>) {
    let (ready, arriving) = offers(&bench.source(), contract).await.unwrap();
    (ready.into_iter().map(|file| file.name).collect(), arriving)
}

async fn write(bench: &Bench, name: &str) {
    bench.put(name, format!("ID\n{name}\n")).await;
}

pub(super) async fn matching_files_come_by_name_with_their_bytes(bench: &Bench) {
    bench.clear().await;
    assert_eq!(names(bench, &id()).await, (vec![], vec![]), "an empty folder is no error");
    for name in
        ["E_2.csv", "e_1.CSV", "E_10 (copy) £.csv", ".E_3.csv", "E_4.csv.part", "F_1.csv", "sub/E_5.csv"]
    {
        write(bench, name).await;
    }
    let (found, arriving) = offers(&bench.source(), &id()).await.unwrap();
    let found_names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(found_names, ["e_1.CSV", "E_10 (copy) £.csv", "E_2.csv"]);
    assert_eq!(arriving, [""; 0]);
    assert_eq!(found[2].size, 11);
    for file in found {
        let bytes = fetched(&bench.source(), &id(), &file).await.unwrap();
        assert_eq!(bytes, format!("ID\n{}\n", file.name).as_bytes());
    }
}

pub(super) async fn names_may_hold_odd_characters(bench: &Bench) {
    bench.clear().await;
    let mut odd = vec!["E_ä b+c&d='#%41.csv", "E_🚓.csv", "E_(1),[2];@!$.csv"];
    if bench.folder().is_some() {
        odd.extend([
            "E_ .csv",
            "E_\"'`.csv",
            "E_..csv",
            "E_\n\t\u{7f}.csv",
            "E_\\.csv",
            "E_*?.csv",
            "E_{name}.csv",
        ]);
    }
    for name in &odd {
        write(bench, name).await;
    }
    let (found, _) = offers(&bench.source(), &id()).await.unwrap();
    assert_eq!(found.len(), odd.len(), "{found:?}");
    for file in found {
        assert!(odd.contains(&file.name.as_str()), "{:?}", file.name);
        let bytes = fetched(&bench.source(), &id(), &file).await.unwrap();
        assert_eq!(bytes, format!("ID\n{}\n", file.name).as_bytes());
    }
}

pub(super) async fn declared_groups_order_files(bench: &Bench) {
    bench.clear().await;
    for name in ["E_b_2024-10.csv", "E_a_2024-9.csv", "E_B_2024-09.csv", "E_z_2023-12.csv"] {
        write(bench, name).await;
    }
    let contract = with(|layout| layout.order = Some(r"e_.*_(\d{4})-(\d+)".into()));
    let (ready, _) = names(bench, &contract).await;
    assert_eq!(ready, ["E_z_2023-12.csv", "E_a_2024-9.csv", "E_B_2024-09.csv", "E_b_2024-10.csv"]);
}

pub(super) async fn a_file_that_grows_is_left_and_a_young_one_waited_for(bench: &Bench) {
    bench.clear().await;
    // Keepers tell whole seconds.
    let contract = with(|layout| layout.settle = Duration::from_secs(2));
    write(bench, "E_1.csv").await;
    let growing = async {
        for line in 1.. {
            bench.put("E_2.csv", "x".repeat(line)).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    let listed = tokio::select! {
        () = growing => panic!("writing never ends"),
        listed = names(bench, &contract) => listed,
    };
    assert_eq!(listed, (vec!["E_1.csv".into()], vec!["E_2.csv".into()]));
}

pub(super) async fn a_file_is_complete_when_its_marker_is_there(bench: &Bench) {
    bench.clear().await;
    for name in ["E_1.csv", "e_1.CSV.Done", "E_2.csv", "E_3.csv.done"] {
        write(bench, name).await;
    }
    let contract = with(|layout| {
        (layout.matching, layout.done) = (vec!["E_*".into()], Some("{name}.done".into()));
        layout.settle = Duration::from_secs(3600);
    });
    assert_eq!(names(bench, &contract).await, (vec!["E_1.csv".into()], vec!["E_2.csv".into()]));
    write(bench, "E_2.csv.done").await;
    assert_eq!(names(bench, &contract).await.0, ["E_1.csv", "E_2.csv"]);
}

pub(super) async fn a_tag_stays_until_the_file_changes(bench: &Bench) {
    bench.clear().await;
    write(bench, "E_1.csv").await;
    let listed = async || offers(&bench.source(), &id()).await.unwrap().0.remove(0);
    let first = listed().await;
    assert_eq!(listed().await.tag, first.tag);
    bench.put("E_1.csv", "ID\nother bytes\n").await;
    assert_ne!(listed().await.tag, first.tag);
    let told = "beds_s.e in 'E_1.csv': the file changed while it was read";
    let error = fetched(&bench.source(), &id(), &first).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Source, told));
    bench.remove("E_1.csv").await;
    let error = fetched(&bench.source(), &id(), &first).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Source, told));
}

pub(super) async fn bytes_of_a_file_that_changes_end_with_an_error(bench: &Bench) {
    bench.clear().await;
    bench.put("E_1.csv", vec![b'x'; 48 << 20]).await;
    let source = bench.source();
    let (found, _) = offers(&source, &id()).await.unwrap();
    let mut session = connector::open(&source).await.unwrap();
    let mut bytes = session.fetch(&id(), &found[0]).await.unwrap();
    assert!(bytes.try_next().await.unwrap().is_some());
    bench.put("E_1.csv", vec![b'y'; 47 << 20]).await;
    let error = bytes.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (Kind::Source, Some("beds_s.e in 'E_1.csv'")));
    bench.clear().await;
}

pub(super) async fn large_files_come_whole(bench: &Bench) {
    bench.clear().await;
    // Of no size that any buffer has, and every part of it different.
    let large: Vec<u8> = (0..3_000_017_u32).flat_map(u32::to_le_bytes).collect();
    bench.put("E_1.csv", large.clone()).await;
    let (found, _) = offers(&bench.source(), &id()).await.unwrap();
    assert!(fetched(&bench.source(), &id(), &found[0]).await.unwrap() == large);
    bench.put("E_1.csv", "").await;
    let (found, _) = offers(&bench.source(), &id()).await.unwrap();
    assert_eq!(fetched(&bench.source(), &id(), &found[0]).await.unwrap(), b"");
}
