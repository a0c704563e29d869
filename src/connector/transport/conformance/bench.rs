//! The places where tests put a source.

use super::buckets::Store;
use super::keepers::SftpServer;
#[cfg(feature = "odbc")]
use super::odbc;
use super::servers::{self, Running};
use super::{Texts, local, quoted, rest};
use crate::project::{Address, Source};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::PathBuf;
use tempfile::TempDir;

/// A place where tests put a source.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in each test")]
pub(super) enum Bench {
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

impl Bench {
    pub(super) fn files() -> Self {
        Bench::Files(tempfile::tempdir().unwrap())
    }

    /// What it is, however it is reached.
    pub(super) fn base(&self) -> &Self {
        match self {
            #[cfg(feature = "odbc")]
            Bench::Odbc(base) => base,
            base => base,
        }
    }

    /// Whether it is read through a driver that holds whole tables.
    pub(super) fn has_greedy_driver(&self) -> bool {
        !std::ptr::eq(self.base(), self) && !matches!(self.base(), Bench::Postgres(_))
    }

    pub(super) fn is_server(&self) -> bool {
        matches!(self.base(), Bench::Postgres(_) | Bench::Mariadb(_))
    }

    pub(super) fn is_database(&self) -> bool {
        self.is_server() || matches!(self.base(), Bench::Sqlite(_))
    }

    /// What a source is that holds what was offered last.
    pub(super) fn source(&self) -> Source {
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
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match self {
            Bench::Files(folder) => Some(folder.path().into()),
            Bench::Sftp(server) => Some(server.drop()),
            _ => None,
        }
    }

    /// Writes a file, or other bytes into one.
    pub(super) async fn put(&self, name: &str, bytes: impl Into<Vec<u8>>) {
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

    pub(super) async fn remove(&self, name: &str) {
        match (self, self.folder()) {
            (Bench::Store(store), _) => store.remove(Some(name)).await,
            (_, Some(folder)) => std::fs::remove_file(folder.join(name)).unwrap(),
            (other, None) => panic!("{other:?} keeps no files"),
        }
    }

    /// Removes every file.
    pub(super) async fn clear(&self) {
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
    pub(super) async fn offer(&self, header: &[String], rows: &[Texts]) -> (Source, i64) {
        if let Bench::Rest(server) = self {
            server.offer(header, rows);
            return (self.source(), 1);
        }
        if !self.is_database() {
            let mut csv = csv::Writer::from_writer(Vec::new());
            csv.write_record(header).unwrap();
            for row in rows {
                csv.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or(""))).unwrap();
            }
            self.put("E_1.csv", csv.into_inner().unwrap()).await;
            return (self.source(), 2);
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
    pub(super) async fn offer_many(&self, rows: u32) -> Source {
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
    pub(super) async fn execute(&self, script: &str) -> Vec<String> {
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
    pub(super) fn choose<'a>(&self, texts: [&'a str; 3]) -> &'a str {
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
