//! Folders of this machine; stores have a server of their own in `tests/it/store.rs`.

use super::*;
use crate::connector::contract::Type;
use crate::connector::testing::*;
use crate::error::Kind;
use crate::project::Address;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn source(folder: &Path) -> Source {
    let (address, access) = (Address::Folder(folder.into()), Default::default());
    Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address, access }
}

fn session(dir: &TempDir) -> Session {
    open_folder(&source(dir.path()), dir.path()).unwrap()
}

fn id() -> Contract {
    contract(&[("id", Type::Text)])
}

fn with(change: impl FnOnce(&mut FileLayout)) -> Contract {
    let mut contract = id();
    change(layout(&mut contract));
    contract
}

fn write(dir: &TempDir, name: &str) {
    fs::write(dir.path().join(name), format!("ID\n{name}\n")).unwrap();
}

async fn offers(dir: &TempDir, contract: &Contract) -> Result<(Vec<Listed>, Vec<String>)> {
    match session(dir).offers(contract).await? {
        Offer::Files { ready, arriving } => Ok((ready, arriving)),
        Offer::Table | Offer::Answer => panic!("a folder offers files"),
    }
}

async fn names(dir: &TempDir, contract: &Contract) -> (Vec<String>, Vec<String>) {
    let (ready, arriving) = offers(dir, contract).await.unwrap();
    (ready.into_iter().map(|file| file.name).collect(), arriving)
}

async fn fetched(dir: &TempDir, contract: &Contract, file: &Listed) -> Result<Vec<u8>> {
    let bytes = session(dir).fetch(contract, file).await?;
    Ok(bytes.try_collect::<Vec<_>>().await?.concat())
}

#[tokio::test]
async fn matching_files_come_by_name_with_their_bytes() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("E_0.csv")).unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for name in
        ["E_2.csv", "e_1.CSV", "E_10 (copy) £.csv", ".E_3.csv", "E_4.csv.part", "F_1.csv", "sub/E_5.csv"]
    {
        write(&dir, name);
    }
    let (found, arriving) = offers(&dir, &id()).await.unwrap();
    let found_names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(found_names, ["e_1.CSV", "E_10 (copy) £.csv", "E_2.csv"]);
    assert_eq!(arriving, [""; 0]);
    assert_eq!(found[2].size, 11);
    assert_eq!(fetched(&dir, &id(), &found[2]).await.unwrap(), b"ID\nE_2.csv\n");
}

#[tokio::test]
async fn a_name_may_hold_anything() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = [
        "E_ .csv",
        "E_\"'`.csv",
        "E_#1",
        "E_%41.csv",
        "E_..csv",
        "E_\n\t\u{7f}.csv",
        "E_\\.csv",
        "E_é.csv",
        "E_🚓.csv",
        "E_*?[].csv",
        "E_{name}.csv",
    ];
    for name in hostile {
        write(&dir, name);
    }
    let contract = with(|layout| layout.matching = vec!["E_*".into()]);
    let (found, _) = offers(&dir, &contract).await.unwrap();
    assert_eq!(found.len(), hostile.len());
    for file in found {
        assert!(hostile.contains(&file.name.as_str()), "{:?}", file.name);
        let bytes = fetched(&dir, &contract, &file).await.unwrap();
        assert_eq!(bytes, format!("ID\n{}\n", file.name).as_bytes());
    }
}

#[tokio::test]
async fn a_name_that_is_not_text_is_an_error_not_a_loss() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"E_\xff.csv")), "ID\n").unwrap();
    let error = offers(&dir, &id()).await.unwrap_err();
    assert_eq!(error.to_string(), r#"beds_s.e: the name of file "E_\xFF.csv" is not UTF-8"#);
}

#[tokio::test]
async fn links_lead_to_files_of_the_folder_only() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&dir, "data");
    symlink("data", dir.path().join("E_1.csv")).unwrap();
    symlink("not there yet", dir.path().join("E_2.csv")).unwrap();
    assert_eq!(names(&dir, &id()).await, (vec!["E_1.csv".into()], vec!["E_2.csv".into()]));
    let (found, _) = offers(&dir, &id()).await.unwrap();
    assert_eq!(fetched(&dir, &id(), &found[0]).await.unwrap(), b"ID\ndata\n");

    write(&other, "secret");
    fs::remove_file(dir.path().join("E_1.csv")).unwrap();
    symlink(other.path().join("secret"), dir.path().join("E_1.csv")).unwrap();
    let error = fetched(&dir, &id(), &found[0]).await.unwrap_err();
    assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file changed while it was read");
    let error = offers(&dir, &id()).await.unwrap_err();
    assert_eq!(error.to_string(), "beds_s.e: file \"E_1.csv\" is a link that leads out of the folder");
}

#[tokio::test]
async fn declared_groups_order_files_numbers_as_numbers() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["E_b_2024-10.csv", "E_a_2024-9.csv", "E_B_2024-09.csv", "E_z_2023-012.csv", "E_a_2024.csv"] {
        write(&dir, name);
    }
    let contract = with(|layout| layout.order = Some(r"e_.*_(\d{4})(?:-(\d+))?".into()));
    let (ready, _) = names(&dir, &contract).await;
    assert_eq!(
        ready,
        ["E_z_2023-012.csv", "E_a_2024.csv", "E_a_2024-9.csv", "E_B_2024-09.csv", "E_b_2024-10.csv"]
    );
    let error = {
        write(&dir, "E_new.csv");
        offers(&dir, &contract).await.unwrap_err()
    };
    assert_eq!(error.kind(), Kind::Contract);
    assert_eq!(error.to_string(), "beds_s.e: file \"E_new.csv\" has no place in the order of its entity");
}

#[test]
fn numbers_of_any_length_are_compared() {
    let contract = with(|layout| layout.order = Some("_(.*)_".into()));
    let at = |name| order(&contract, name).unwrap();
    let long = format!("E_1{}_", "0".repeat(60));
    assert!(at("E_000_") < at("E_7_") && at("E_7_") < at(&long) && at(&long) < at("E_a_"));
}

#[tokio::test]
async fn a_young_file_is_waited_for_and_one_that_grows_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let contract = with(|layout| layout.settle = Duration::from_millis(300));
    write(&dir, "E_1.csv");
    fs::write(dir.path().join("E_empty.csv"), "").unwrap();
    let growing = dir.path().join("E_2.csv");
    let writer = tokio::spawn(async move {
        for line in 0.. {
            fs::write(&growing, "x".repeat(line)).unwrap();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    tokio::task::yield_now().await;
    let started = Instant::now();
    let (ready, arriving) = names(&dir, &contract).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!((ready, arriving), (vec!["E_1.csv".into(), "E_empty.csv".into()], vec!["E_2.csv".into()]));
    writer.abort();
}

#[tokio::test]
async fn what_settles_too_late_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "E_1.csv");
    let contract = with(|layout| layout.settle = Duration::from_secs(3600));
    let started = Instant::now();
    assert_eq!(names(&dir, &contract).await, (vec![], vec!["E_1.csv".into()]));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_clock_that_runs_ahead_delays_a_file_but_does_not_hold_it() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "E_1.csv");
    let ahead = std::time::SystemTime::now() + Duration::from_secs(86_400);
    fs::File::options().write(true).open(dir.path().join("E_1.csv")).unwrap().set_modified(ahead).unwrap();
    let contract = with(|layout| layout.settle = Duration::from_millis(200));
    let started = Instant::now();
    assert_eq!(names(&dir, &contract).await, (vec!["E_1.csv".into()], vec![]));
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_file_is_complete_when_its_marker_is_there() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["E_1.csv", "e_1.CSV.Done", "E_2.csv", "E_3.csv.done"] {
        write(&dir, name);
    }
    let contract = with(|layout| {
        (layout.matching, layout.done) = (vec!["E_*".into()], Some("{name}.done".into()));
        layout.settle = Duration::from_secs(3600);
    });
    assert_eq!(names(&dir, &contract).await, (vec!["E_1.csv".into()], vec!["E_2.csv".into()]));
    write(&dir, "E_2.csv.done");
    assert_eq!(names(&dir, &contract).await.0, ["E_1.csv", "E_2.csv"]);
}

#[tokio::test]
async fn the_tag_differs_whenever_the_bytes_may() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "E_1.csv");
    let path = dir.path().join("E_1.csv");
    let tag = async || offers(&dir, &id()).await.unwrap().0[0].tag.clone();
    let first = tag().await;
    assert_eq!(tag().await, first);
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    fs::write(&path, "ID\nother!!\n").unwrap();
    // The same size, and the time set back.
    fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
    assert_ne!(tag().await, first);
}

#[tokio::test]
async fn bytes_of_a_file_that_changes_end_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("E_1.csv");
    fs::write(&path, vec![b'x'; 3 << 20]).unwrap();
    let (found, _) = offers(&dir, &id()).await.unwrap();
    let mut bytes = session(&dir).fetch(&id(), &found[0]).await.unwrap();
    assert!(bytes.try_next().await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(20)).await;
    fs::write(&path, vec![b'y'; 3 << 20]).unwrap();
    let error = bytes.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Source);
    assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file changed while it was read");
    fs::remove_file(&path).unwrap();
    let error = fetched(&dir, &id(), &found[0]).await.unwrap_err();
    assert_eq!(error.to_string(), "beds_s.e in 'E_1.csv': the file changed while it was read");
}

#[tokio::test]
async fn an_empty_folder_is_no_error_and_a_missing_one_is() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(names(&dir, &id()).await, (vec![], vec![]));
    let missing = dir.path().join("missing");
    let error = open_folder(&source(&missing), &missing).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Source, "beds_s: the folder could not be read")
    );
}

#[tokio::test]
async fn stores_say_what_is_wrong_with_their_options() {
    let open = |url: &str, options: &[(&str, &str)]| {
        let mut source = source(Path::new("/"));
        let setting = |text: &str| crate::project::Setting::Plain(text.to_string());
        source.access.options = options.iter().map(|(k, v)| (k.to_string(), setting(v))).collect();
        open_store(&source, &Url::parse(url).unwrap()).map(|_| ()).map_err(|error| error.to_string())
    };
    let plain = Err("beds_s: the store would be read over plain http".to_string());
    assert_eq!(open("http://files.example/drop", &[]), plain);
    assert_eq!(
        open("http://files.example/drop", &[("allow_http", "true"), ("user", "a"), ("password", "b")]),
        Ok(())
    );
    assert_eq!(open("https://files.example/drop", &[("token", "a")]), Ok(()));
    assert_eq!(open("s3://bucket/drop", &[("endpoint", "http://127.0.0.1:1")]), plain);
    let known = [
        ("Endpoint", "http://127.0.0.1:1"),
        ("allow_http", "true"),
        ("region", "x"),
        ("access_key_id", "a"),
        ("secret_access_key", "b"),
    ];
    assert_eq!(open("s3://bucket/drop", &known), Ok(()));
    assert_eq!(
        open("s3://bucket/drop", &[("acces_key", "a")]),
        Err("beds_s: unknown option \"acces_key\" of the store".into())
    );
    assert_eq!(open("az://container/drop", &[("account_name", "a"), ("access_key", "YQ==")]), Ok(()));
    assert_eq!(
        open("az://container/drop", &[]),
        Err("beds_s: the store's options do not fit together".into())
    );
}
