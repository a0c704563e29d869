use super::*;
use crate::demo::calendar::last_day;
use crate::demo::world::Worker;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use std::collections::BTreeSet;
use std::path::PathBuf;

async fn written(staff: usize, seed: u64) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (hashes, extent) = (BTreeMap::new(), Extent::Forces);
    let setting = Setting { flight: "127.0.0.1:0", rest: "", password_hashes: &hashes, server: None };
    Estate { extent, staff, seed }.write(dir.path(), setting).await.unwrap();
    dir
}

/// Every file of an estate by its path, with the hash of its bytes or, of a database, of its rows.
async fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = match path.extension().is_some_and(|e| e == "db") {
                true => rows(&path).await,
                false => std::fs::read(&path).unwrap(),
            };
            let name = path.strip_prefix(dir).unwrap().to_path_buf();
            files.insert(name, format!("{:x}", Sha256::digest(bytes)));
        }
    }
    files
}

/// The rows of a database, table by table.
async fn rows(path: &Path) -> Vec<u8> {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let tables = "select name, (select group_concat('quote(' || name || ')', '||') from pragma_table_info(t.name)) \
                  from sqlite_master as t order by name";
    let mut text = Vec::new();
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let (name, columns): (String, String) = (table.get(0), table.get(1));
        let sql = format!("select {columns} from {name}");
        for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap() {
            text.extend_from_slice(row.get::<String, _>(0).as_bytes());
        }
    }
    assert!(!text.is_empty());
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_is_an_estate() {
    let (one, again, other) = (written(300, 1).await, written(300, 1).await, written(300, 2).await);
    let (one, again) = (files(one.path()).await, files(again.path()).await);
    let other = files(other.path()).await;
    assert_eq!(one.len(), 2 + 3 + 4 + 9 + 12);
    assert_eq!(one, again);
    let same: Vec<_> = one
        .iter()
        .filter(|(path, hash)| other.get(*path) == Some(hash))
        .map(|(path, _)| path.clone())
        .collect();
    // The accounts are those of the forces, whatever the seed.
    let expect = ["muster.toml", "systems/cambs/agresso/aglaccounts_20260401.csv"];
    assert_eq!(same.len(), 3, "{same:?}");
    assert!(expect.iter().all(|name| same.contains(&PathBuf::from(name))), "{same:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn control_records_balance() {
    let dir = written(200, 1).await;
    let lines = |name: &str| -> (Vec<String>, String) {
        let bytes = std::fs::read(dir.path().join("systems").join(name)).unwrap();
        let text = encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let trailer = lines.pop().unwrap();
        (lines, trailer)
    };
    let (bookings, trailer) = lines("beds/northgate_dms/DM_BOOKING_20260401.csv");
    let meals: i64 = bookings.iter().filter_map(|l| l.split(',').nth(5)?.parse::<i64>().ok()).sum();
    assert_eq!(trailer, format!("T|{}|{meals}", bookings.len() - 1));
    let (shifts, trailer) = lines("herts/crown_dms/SHIFT_20260401.txt");
    let breaks: i64 = shifts.iter().filter_map(|l| l[l.len() - 4..].trim().parse::<i64>().ok()).sum();
    assert_eq!(trailer, format!("T|{}|{breaks}", shifts.len()));
    let (journal, trailer) = lines("herts/oracle_ebs/GL_JE_LINES_20260401.dat");
    let pence = |column: usize| -> i64 {
        let cells = journal.iter().filter_map(|l| l.split('|').nth(column));
        cells.filter_map(|c| c.replace('.', "").parse::<i64>().ok()).sum()
    };
    let pounds = |pence: i64| write::decimal_text(pence, 2);
    assert_eq!(trailer, format!("T|{}|{}|{}", journal.len(), pounds(pence(9)), pounds(pence(10))));
}

#[test]
fn officers_are_those_of_the_census() {
    for (force, census) in FORCES.iter().zip([13_958_300, 16_447_100, 22_391_800]) {
        let shared: Vec<Identity> =
            people::shared(8_000, 1).into_iter().map(|(_, identity)| identity).collect();
        let people = people::people(force, 8_000, 1, &shared);
        let serving: Vec<_> =
            people.employments.iter().filter(|e| e.within(last_day(), last_day()).is_some()).collect();
        let officers = serving.iter().filter(|e| e.worker == Worker::Officer);
        let fte: i64 = officers.clone().map(|e| e.posts.last().unwrap().fte).sum();
        assert_eq!((fte, officers.count()), (census, force.heads[0]));
        assert!(people.employments.iter().all(|e| (1..=3).contains(&e.posts.len())));
        assert!(people.employments.iter().all(|e| e.posts.windows(2).all(|p| p[0].from < p[1].from)));
    }
    let heads: usize = FORCES.iter().flat_map(|force| force.heads).sum();
    assert_eq!(heads, 8_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_has_a_place_in_a_small_estate() {
    let dir = tempfile::tempdir().unwrap();
    let mut reasons = BTreeSet::new();
    for force in &FORCES {
        let path = dir.path().join(force.code);
        let estate = Estate { extent: Extent::Forces, staff: 200, seed: 3 };
        let facts =
            tokio::task::spawn_blocking(move || estate.generate(&path, force)).await.unwrap().unwrap();
        for (source, received) in &facts.received {
            for entity in received {
                assert!(entity.rows > entity.bad.len() as u64, "{source}.{}", entity.entity);
            }
            reasons.extend(received.iter().flat_map(|r| &r.bad).copied().flatten().copied());
        }
        let posts = || facts.people.employments.iter().flat_map(|e| &e.posts);
        assert!(posts().any(|p| posts::rank(p.grade) == "unmapped"));
        assert!(posts().any(|p| p.unit == "HQ-BACK"));
        assert!(facts.people.people.iter().any(|p| p.identity.ni.starts_with("TN")));
        assert!(facts.ledger.payments.iter().any(|p| p.void));
    }
    let expect = [
        "ambiguous_time",
        "duplicate_key",
        "not_a_bool",
        "not_a_date",
        "not_a_number",
        "not_a_timestamp",
        "not_accepted",
        "ragged_row",
        "required",
        "too_many_digits",
        "undecodable",
    ];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truth_covers_every_table() {
    let dir = written(200, 5).await;
    let text = std::fs::read_to_string(dir.path().join("truth.json")).unwrap();
    let truth: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(truth.len() >= 50, "{}", truth.len());
    let names: BTreeSet<_> = truth.iter().map(|q| (q["user"].as_str(), q["name"].as_str())).collect();
    assert_eq!(names.len(), truth.len());
    for table in [
        "person",
        "employment",
        "absence",
        "supplier",
        "purchase_order",
        "invoice",
        "payment",
        "journal_line",
        "duty",
        "overtime",
        "strength",
        "spend",
        "worked_hours",
        "supplier_overlap",
        "quarantine",
        "loads",
        "coverage",
    ] {
        let asks = |q: &serde_json::Value| {
            q["sql"].as_str().unwrap().contains(&format!(".{table} ")) && !q["rows"][0][0].is_null()
                || q["sql"].as_str().unwrap().ends_with(&format!(".{table}"))
        };
        assert!(truth.iter().any(asks), "{table}");
    }
    // Every planted special case has an answer, in the smallest estate too.
    for question in truth.iter().filter(|q| q["user"] == "hub") {
        assert!(!question["rows"].as_array().unwrap().is_empty(), "{question}");
    }
}
