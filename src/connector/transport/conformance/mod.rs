//! What every transport does alike, at its real server. A new one adds a variant to [`Bench`].

mod bench;
mod buckets;
mod cases;
mod database;
mod files;
mod keepers;
mod mariadb;
#[cfg(feature = "odbc")]
mod odbc;
mod postgres;
mod rest;
mod servers;
mod sftp;
mod stores;
mod wire;

use crate::connector::contract::Contract;
use crate::connector::testing::*;
use crate::connector::{self, Extract, Offer, SourceFile, Span, read_file};
use crate::error::{self, Result};
use crate::project::{Address, Source};
use bench::Bench;
use futures::future::LocalBoxFuture;
use futures::{FutureExt, TryStreamExt};
use tempfile::TempDir;
use wire::proxied;

type Texts = Vec<Option<String>>;

/// A case, by its name.
type Case = (&'static str, for<'a> fn(&'a Bench) -> LocalBoxFuture<'a, ()>);

macro_rules! cases {
    ($($module:ident::$case:ident,)*) => {
        &[$((stringify!($case), |bench| $module::$case(bench).boxed_local()),)*]
    };
}

/// Cases of every kind.
const ALL: &[Case] = cases![
    cases::every_type_with_extremes_and_null,
    cases::the_same_row_has_the_same_hashes_everywhere,
    cases::unicode,
    cases::an_empty_source_is_complete,
    cases::two_hundred_columns_in_any_order_and_case_with_others_between,
    cases::a_dropped_extract_stops_its_reader,
    cases::the_totals_of_an_unfinished_extract_are_refused,
    cases::missing_columns_are_named,
    cases::bad_rows_are_kept_with_all_reasons_and_claim_their_key,
    cases::entities_that_a_transport_cannot_find_are_config_errors,
    cases::a_million_rows_come_in_bounded_batches_and_flat_memory,
];

/// Cases of every keeper of files.
const FILES: &[Case] = cases![
    files::matching_files_come_by_name_with_their_bytes,
    files::names_may_hold_odd_characters,
    files::declared_groups_order_files,
    files::a_file_that_grows_is_left_and_a_young_one_waited_for,
    files::a_file_is_complete_when_its_marker_is_there,
    files::a_tag_stays_until_the_file_changes,
    files::bytes_of_a_file_that_changes_end_with_an_error,
    files::large_files_come_whole,
];

/// Cases of every database.
const DATABASES: &[Case] = cases![
    database::tables_and_columns_with_hostile_names,
    database::optional_columns_may_be_missing,
    database::all_tables_show_one_moment,
    database::spans_of_numbers,
    database::spans_of_moments,
    database::spans_of_days,
    database::late_commits_come_within_the_lag,
];

/// Cases of every database server.
const SERVERS: &[Case] = cases![
    database::a_wrong_password_is_told_and_not_shown,
    database::tables_that_may_not_be_read,
    database::a_slow_table_is_given_up_on,
    database::a_silent_server_is_given_up_on,
    database::a_dropped_extract_stops_the_query,
    database::a_killed_connection_is_an_error,
    database::a_cut_wire_is_an_error,
    database::columns_are_locked_while_they_are_read,
    database::tables_that_change_after_the_snapshot_are_refused,
];

/// Those of them that hold through every driver.
#[cfg(feature = "odbc")]
const THROUGH_DRIVERS: &[Case] = cases![
    database::a_wrong_password_is_told_and_not_shown,
    database::tables_that_may_not_be_read,
    database::a_slow_table_is_given_up_on,
    database::a_dropped_extract_stops_the_query,
    database::a_killed_connection_is_an_error,
    database::a_cut_wire_is_an_error,
    database::columns_are_locked_while_they_are_read,
    // The last one: a driver that is given up keeps its connection, and the server the locks of it.
    database::a_silent_server_is_given_up_on,
];

#[tokio::test]
async fn sqlite() {
    let bench = Bench::Sqlite(tempfile::tempdir().unwrap());
    check(&bench, [ALL, DATABASES].concat()).await;
}

#[tokio::test]
async fn files() {
    check(&Bench::files(), [ALL, FILES].concat()).await;
}

#[tokio::test]
async fn openssh_server() {
    match keepers::openssh().await {
        Some(server) => check(&Bench::Sftp(server), [ALL, FILES, sftp::CASES].concat()).await,
        None => eprintln!("skipped: OpenSSH's server is not installed"),
    }
}

#[tokio::test]
async fn proftpd_server() {
    match keepers::proftpd().await {
        Some(server) => check(&Bench::Sftp(server), [ALL, FILES].concat()).await,
        None => eprintln!("skipped: ProFTPD is not installed"),
    }
}

#[tokio::test]
async fn passwords_of_sftp_servers() {
    match keepers::proftpd().await {
        Some(server) => sftp::passwords_let_in(server).await,
        None => eprintln!("skipped: ProFTPD is not installed"),
    }
}

#[tokio::test]
async fn s3_store() {
    if let Some(store) = buckets::s3().await {
        check(&Bench::Store(store), [ALL, FILES, stores::CASES, stores::GUARDED].concat()).await;
    }
}

#[tokio::test]
async fn azure_store() {
    if let Some(store) = buckets::azure(None).await {
        check(&Bench::Store(store), [ALL, FILES, stores::CASES, stores::GUARDED].concat()).await;
    }
}

#[tokio::test]
async fn gcs_store() {
    if let Some(store) = buckets::gcs().await {
        check(&Bench::Store(store), [ALL, FILES, stores::CASES].concat()).await;
    }
}

#[tokio::test]
async fn rest_server() {
    check(&Bench::Rest(rest::Rest::start().await), ALL.to_vec()).await;
}

#[tokio::test]
async fn postgres_server() {
    match servers::postgres().await {
        Some(server) => {
            let bench = Bench::Postgres(server);
            check(&bench, [ALL, DATABASES, SERVERS, postgres::CASES].concat()).await;
        }
        None => eprintln!("skipped: PostgreSQL is not installed"),
    }
}

#[tokio::test]
async fn mariadb_server() {
    match servers::mariadb().await {
        Some(server) => {
            let bench = Bench::Mariadb(server);
            check(&bench, [ALL, DATABASES, SERVERS, mariadb::CASES].concat()).await;
        }
        None => eprintln!("skipped: MariaDB is not installed"),
    }
}

/// Runs the cases one after the other; `MUSTER_CASE` chooses one by a part of its name.
async fn check(bench: &Bench, cases: Vec<Case>) {
    let wanted = std::env::var("MUSTER_CASE").unwrap_or_default();
    for (name, case) in cases.into_iter().filter(|(name, _)| name.contains(&wanted)) {
        let started = std::time::Instant::now();
        eprintln!("case {name} …");
        case(bench).await;
        eprintln!("case {name}: {:?}", started.elapsed());
    }
}

fn texts(cells: &[&str]) -> Texts {
    cells.iter().map(|text| Some(text.to_string())).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn local(address: Address) -> Source {
    let access = Default::default();
    Source { name: "beds_s".into(), force: "beds".into(), system: "s".into(), address, access }
}

thread_local! {
    /// Where the files of a test are received; it ends with the test's thread.
    static RECEIVED: TempDir = tempfile::tempdir().unwrap();
}

/// Reads the table, or the only file.
async fn open(source: &Source, contract: &Contract) -> Result<Extract> {
    read(source, contract, &Span::Whole).await
}

async fn read(source: &Source, contract: &Contract, span: &Span) -> Result<Extract> {
    let mut session = connector::open(source).await?;
    let ready = match session.offers(contract).await? {
        Offer::Table => return session.read(contract, span).await,
        Offer::Answer => return rest::answered(source, contract, session.ask(contract, span).await?).await,
        Offer::Files { ready, .. } => ready,
    };
    assert_eq!(ready.len(), 1);
    let path = RECEIVED.with(|folder| folder.path().join("E_1.csv"));
    let mut received = std::fs::File::create(&path).unwrap();
    let mut bytes = session.fetch(contract, &ready[0]).await?;
    while let Some(chunk) = bytes.try_next().await? {
        std::io::Write::write_all(&mut received, &chunk).unwrap();
    }
    let file = SourceFile { name: ready[0].name.clone(), tag: String::new(), sha256: String::new(), path };
    read_file(source, contract, &file)
}

/// Reads to the end, or to the first error, wherever it shows.
async fn try_read(source: &Source, contract: &Contract) -> Result<Got> {
    drain(open(source, contract).await?).await
}

async fn run(bench: &Bench, contract: &Contract, header: &[String], rows: &[Texts]) -> Result<(Got, i64)> {
    let (source, first) = bench.offer(header, rows).await;
    Ok((try_read(&source, contract).await?, first))
}

fn header(contract: &Contract) -> Vec<String> {
    contract.columns.iter().map(|column| column.from[0].clone()).collect()
}

#[tokio::test]
async fn unreachable_sources_are_source_errors() {
    let contract = contract(&[("id", crate::connector::contract::Type::Text)]);
    let nobody = crate::project::Server {
        host: "127.0.0.1".into(),
        port: 1,
        user: "reader".into(),
        database: "source".into(),
    };
    let (host, folder) = ("127.0.0.1".into(), "/drop".into());
    let nowhere = crate::project::Remote { host, port: 1, user: "reader".into(), folder };
    for address in [
        Address::Sqlite("/nowhere/at/all.db".into()),
        Address::Folder("/nowhere/at/all".into()),
        Address::Postgres(nobody.clone()),
        Address::Mysql(nobody),
        Address::Sftp(nowhere),
        Address::Rest("http://127.0.0.1:1/api".parse().unwrap()),
    ] {
        let mut source = local(address);
        source.access.known_hosts = Some("/dev/null".into());
        let error = try_read(&source, &contract).await.unwrap_err();
        assert_eq!(error.kind(), error::Kind::Source);
        assert!(error.place().unwrap().starts_with("beds_s"));
    }
}
