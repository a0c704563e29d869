use super::*;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Every file of an estate but its databases, with the hash of its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|e| e != "db") {
                let hash = format!("{:x}", Sha256::digest(std::fs::read(&path).unwrap()));
                files.insert(path.strip_prefix(dir).unwrap().to_path_buf(), hash);
            }
        }
    }
    files
}

async fn written(staff: usize, seed: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    Estate { staff, seed }.write(dir.path(), "127.0.0.1:0", &BTreeMap::new()).await.unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_is_an_estate() {
    let (one, again, other) = (written(300, 1).await, written(300, 1).await, written(300, 2).await);
    let (one, again, other) = (files(one.path()), files(again.path()), files(other.path()));
    assert_eq!(one.len(), 2 + 3 + 4 + 6 + 3 + 6 + 3);
    assert_eq!(one, again);
    let same: Vec<_> = one.iter().filter(|(path, hash)| other.get(*path) == Some(hash)).collect();
    // The project and the lists of ledger accounts do not depend on the seed.
    assert!(same.len() <= 3, "{same:?}");
}

/// Not a test of the estate but a tool: `MUSTER_ESTATE=dir:staff cargo test --lib demo::tests::write`.
#[tokio::test(flavor = "multi_thread")]
async fn write_where_asked() {
    let Ok(wanted) = std::env::var("MUSTER_ESTATE") else { return };
    let (dir, staff) = wanted.split_once(':').unwrap();
    let began = std::time::Instant::now();
    let estate = Estate { staff: staff.parse().unwrap(), seed: 1 };
    estate.write(Path::new(dir), "127.0.0.1:32010", &BTreeMap::new()).await.unwrap();
    eprintln!("{:?}", began.elapsed());
}
