//! What every transport does alike, at its real server. A new one adds a variant to [`Bench`].

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

use crate::connector::contract::Contract;
use crate::connector::testing::*;
use crate::connector::{self, Extract, Offer, SourceFile, Span, read_file};
use crate::error::{self, Result};
use crate::project::{Address, Source};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, TryStreamExt};
use keepers::{SftpServer, Store};
use servers::Running;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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
    database::a_silent_server_is_given_up_on,
    database::a_dropped_extract_stops_the_query,
    database::a_killed_connection_is_an_error,
    database::a_cut_wire_is_an_error,
    database::columns_are_locked_while_they_are_read,
];

/// A place where tests put a source.
#[derive(Debug)]
enum Bench {
    Sqlite(TempDir),
    Files(TempDir),
    Postgres(Running),
    Mariadb(Running),
    Sftp(SftpServer),
    Store(Store),
    /// One of the databases, through a driver.
    #[cfg(feature = "odbc")]
    Odbc(Box<Bench>),
    Rest(rest::Rest),
}

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
    match keepers::proftpd("password").await {
        Some(server) => check(&Bench::Sftp(server), [ALL, FILES].concat()).await,
        None => eprintln!("skipped: ProFTPD is not installed"),
    }
}

#[tokio::test]
async fn passwords_of_sftp_servers() {
    for methods in ["password", "keyboard-interactive", "publickey password"] {
        match keepers::proftpd(methods).await {
            Some(server) => sftp::passwords_let_in(server).await,
            None => eprintln!("skipped: ProFTPD is not installed"),
        }
    }
}

#[tokio::test]
async fn s3_store() {
    if let Some(store) = keepers::s3().await {
        check(&Bench::Store(store), [ALL, FILES, stores::CASES, stores::GUARDED].concat()).await;
    }
}

#[tokio::test]
async fn azure_store() {
    if let Some(store) = keepers::azure(None).await {
        check(&Bench::Store(store), [ALL, FILES, stores::CASES, stores::GUARDED].concat()).await;
    }
}

#[tokio::test]
async fn gcs_store() {
    if let Some(store) = keepers::gcs().await {
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

impl Bench {
    fn files() -> Self {
        Bench::Files(tempfile::tempdir().unwrap())
    }

    /// What it is, however it is reached.
    fn base(&self) -> &Self {
        match self {
            #[cfg(feature = "odbc")]
            Bench::Odbc(base) => base,
            base => base,
        }
    }

    fn is_server(&self) -> bool {
        matches!(self.base(), Bench::Postgres(_) | Bench::Mariadb(_))
    }

    fn is_database(&self) -> bool {
        self.is_server() || matches!(self.base(), Bench::Sqlite(_))
    }

    /// What a source is that holds what was offered last.
    fn source(&self) -> Source {
        match self {
            Bench::Sqlite(folder) => local(Address::Sqlite(folder.path().join("source.db"))),
            Bench::Files(folder) => local(Address::Folder(folder.path().into())),
            Bench::Postgres(server) => server.source(Address::Postgres),
            Bench::Mariadb(server) => server.source(Address::Mysql),
            Bench::Sftp(server) => server.source(),
            Bench::Store(store) => store.source(),
            Bench::Rest(server) => local(server.address()),
            #[cfg(feature = "odbc")]
            Bench::Odbc(base) => odbc::source(base),
        }
    }

    /// The folder of the source, where it is one of this machine.
    fn folder(&self) -> Option<PathBuf> {
        match self {
            Bench::Files(folder) => Some(folder.path().into()),
            Bench::Sftp(server) => Some(server.drop()),
            _ => None,
        }
    }

    /// Writes a file, or other bytes into one.
    async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        match (self, self.folder()) {
            (Bench::Store(store), _) => store.put(name, bytes.into()).await,
            (_, Some(folder)) => {
                let path = folder.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes.into()).unwrap();
            }
            (other, None) => panic!("{other:?} keeps no files"),
        }
    }

    async fn remove(&self, name: &str) {
        match (self, self.folder()) {
            (Bench::Store(store), _) => store.remove(Some(name)).await,
            (_, Some(folder)) => std::fs::remove_file(folder.join(name)).unwrap(),
            (other, None) => panic!("{other:?} keeps no files"),
        }
    }

    /// Removes every file.
    async fn clear(&self) {
        if let Bench::Store(store) = self {
            return store.remove(None).await;
        }
        for entry in std::fs::read_dir(self.folder().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() && !path.is_symlink() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false => std::fs::remove_file(path).unwrap(),
            }
        }
    }

    /// A source that offers `rows` of text under `header`; rows are numbered from its first `_row`.
    async fn offer(&self, header: &[String], rows: &[Texts]) -> (Source, i64) {
        if !self.is_database() {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(header).unwrap();
            for row in rows {
                csv.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or(""))).unwrap();
            }
            self.put("E_1.csv", csv.into_inner().unwrap()).await;
            return (self.source(), 2);
        }
        if let Bench::Rest(server) = self {
            server.offer(header, rows);
            return (self.source(), 1);
        }
        let columns: Vec<String> = header.iter().map(|name| format!("{} text", quoted(name))).collect();
        let mut script = format!("drop table if exists \"E\"; create table \"E\" ({});", columns.join(", "));
        for rows in rows.chunks(10_000) {
            let cell = |cell: &Option<String>| match cell {
                Some(text) => format!("'{}'", text.replace('\'', "''")),
                None => "null".into(),
            };
            let row = |row: &Texts| format!("({})", row.iter().map(cell).collect::<Vec<_>>().join(", "));
            let rows: Vec<String> = rows.iter().map(row).collect();
            script += &format!("insert into \"E\" values {};", rows.join(", "));
        }
        self.execute(&script).await;
        (self.source(), 1)
    }

    /// A source with that many rows: a number from 0, 0.25, and 300 letters (in files 30).
    async fn offer_many(&self, rows: u32) -> Source {
        let name = "x".repeat(if self.is_database() { 300 } else { 30 });
        let script = match self.base() {
            Bench::Files(_) | Bench::Sftp(_) | Bench::Store(_) => {
                let mut file = b"ID,AMOUNT,NAME\n".to_vec();
                for row in 0..rows {
                    std::io::Write::write_fmt(&mut file, format_args!("{row},0.25,{name}\n")).unwrap();
                }
                self.put("E_1.csv", file).await;
                return self.source();
            }
            Bench::Rest(server) => {
                server.offer_many(rows, &name);
                return self.source();
            }
            Bench::Sqlite(_) => format!(
                "create table \"E\" (\"ID\", \"AMOUNT\", \"NAME\");
                with recursive n(n) as (select 0 union all select n + 1 from n where n + 1 < {rows})
                insert into \"E\" select n, '0.25', '{name}' from n"
            ),
            Bench::Postgres(_) => format!(
                "create table \"E\" (\"ID\" int8, \"AMOUNT\" numeric(18, 2), \"NAME\" text);
                insert into \"E\" select n, 0.25, '{name}' from generate_series(0, {rows} - 1) n"
            ),
            _ => format!(
                "create table \"E\" (\"ID\" bigint, \"AMOUNT\" decimal(18, 2), \"NAME\" varchar(300));
                insert into \"E\" select seq, 0.25, '{name}' from seq_0_to_{}",
                rows - 1
            ),
        };
        self.execute(&format!("drop table if exists \"E\"; {script}")).await;
        self.source()
    }

    /// Runs a script at the database; gives the first column of all its answers.
    async fn execute(&self, script: &str) -> Vec<String> {
        match self.base() {
            Bench::Sqlite(folder) => {
                let options = SqliteConnectOptions::new()
                    .filename(folder.path().join("source.db"))
                    .create_if_missing(true);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                connection.execute("pragma journal_mode = wal").await.unwrap();
                connection.execute(AssertSqlSafe(script.to_string())).await.unwrap();
                connection.close().await.unwrap();
                Vec::new()
            }
            Bench::Postgres(server) => servers::at_postgres(server, script).await,
            Bench::Mariadb(server) => servers::at_mariadb(server, script).await,
            _ => panic!("only databases run scripts"),
        }
    }

    /// The first of three texts for SQLite, the second for PostgreSQL, the third for MariaDB.
    fn choose<'a>(&self, texts: [&'a str; 3]) -> &'a str {
        match self {
            // Through a driver, columns have the types that they declare.
            #[cfg(feature = "odbc")]
            Bench::Odbc(base) if matches!(**base, Bench::Sqlite(_)) => texts[1],
            bench => match bench.base() {
                Bench::Postgres(_) => texts[1],
                Bench::Mariadb(_) => texts[2],
                _ => texts[0],
            },
        }
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

/// Passes bytes on to the server of `source`, and stops after some: with an end, or in silence.
async fn proxied(source: &Source, bytes: usize, is_cut: bool) -> Source {
    let mut source = source.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap().port();
    let to = match &mut source.address {
        Address::Postgres(server) | Address::Mysql(server) => std::mem::replace(&mut server.port, ours),
        Address::Sftp(remote) => std::mem::replace(&mut remote.port, ours),
        Address::Odbc(odbc) => {
            let (before, behind) = odbc.attributes.split_once("Port=").unwrap();
            let (port, behind) = behind.split_once(';').unwrap();
            let port: u16 = port.parse().unwrap();
            odbc.attributes = format!("{before}Port={ours};{behind}");
            port
        }
        other => panic!("{other:?} is no server"),
    };
    if let (Some(known), Address::Sftp(remote)) = (&mut source.access.known_hosts, &source.address) {
        // The host is known by its port, too.
        let text = std::fs::read_to_string(&*known).unwrap();
        *known = RECEIVED.with(|folder| folder.path().join("known_hosts"));
        std::fs::write(known, text.replace(&format!("]:{to} "), &format!("]:{} ", remote.port))).unwrap();
    }
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, TcpStream::connect(("127.0.0.1", to)).await.unwrap(), bytes, is_cut));
        }
    });
    source
}

async fn pass(client: TcpStream, server: TcpStream, mut bytes: usize, is_cut: bool) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await.ok() });
    let mut buffer = vec![0; 16 << 10];
    while bytes > 0 {
        match from_server.read(&mut buffer).await {
            Ok(read) if read > 0 && to_client.write_all(&buffer[..read]).await.is_ok() => {
                bytes = bytes.saturating_sub(read);
            }
            _ => return,
        }
    }
    if !is_cut {
        // In silence until the client goes.
        asking.await.ok();
    }
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
