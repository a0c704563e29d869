//! A database server in place of the demo's SQLite files: the same tables, as text, because that is
//! how old systems keep most of what they know.

use crate::error::{Error, Kind, Result};
use futures::TryStreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, MySql, QueryBuilder, Row, SqliteConnection};
use std::path::Path;
use url::Url;

/// The environment's variable that holds the password of the server's user, if it has one.
pub const PASSWORD: &str = "MUSTER_DEMO_PASSWORD";

/// The most text sent to PostgreSQL at once.
const CHUNK: usize = 1 << 20;

/// The most values of one insert into MySQL, which allows 65,535.
const VALUES: usize = 32_768;

/// Where the demo's databases are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL, by the URL of a database from which others can be made.
    Postgres(Url),
    /// MySQL or MariaDB.
    Mysql(Url),
}

/// A table of a SQLite database.
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Server {
    /// Makes the database of `source` from the SQLite database at `path`, replacing what was there,
    /// and returns its address.
    pub(super) async fn take(&self, source: &str, path: &Path) -> Result<String> {
        let mut sqlite = SqliteConnectOptions::new()
            .filename(path)
            .connect()
            .await
            .map_err(|e| Error::internal("the estate's database cannot be read").because(e))?;
        let tables = tables(&mut sqlite).await.map_err(failed)?;
        let name = format!("muster_demo_{source}");
        let mut address = match self {
            Server::Postgres(url) | Server::Mysql(url) => url.clone(),
        };
        address.set_path(&name);
        match self {
            Server::Postgres(url) => postgres(url, &address, &name, &mut sqlite, &tables).await,
            Server::Mysql(url) => mysql(url, &name, &mut sqlite, &tables).await,
        }
        .map_err(failed)?;
        sqlite.close().await.map_err(failed)?;
        Ok(address.to_string())
    }
}

async fn tables(sqlite: &mut SqliteConnection) -> sqlx::Result<Vec<Table>> {
    let names: Vec<String> =
        sqlx::query_scalar("select name from sqlite_master where type = 'table' order by name")
            .fetch_all(&mut *sqlite)
            .await?;
    let mut tables = Vec::with_capacity(names.len());
    for name in names {
        let columns = sqlx::query_scalar("select name from pragma_table_info(?) order by cid")
            .bind(&name)
            .fetch_all(&mut *sqlite)
            .await?;
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

impl Table {
    /// Everything, as text.
    fn select(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| format!("cast(\"{c}\" as text)")).collect();
        format!("select {} from \"{}\"", columns.join(", "), self.name)
    }

    fn create(&self, quote: char) -> String {
        let columns: Vec<String> = self.columns.iter().map(|c| format!("{quote}{c}{quote} text")).collect();
        format!("create table {quote}{}{quote} ({})", self.name, columns.join(", "))
    }
}

async fn postgres(
    url: &Url,
    address: &Url,
    name: &str,
    sqlite: &mut SqliteConnection,
    tables: &[Table],
) -> sqlx::Result<()> {
    let mut server = PgConnection::connect(with_password(url).as_str()).await?;
    for sql in [format!("drop database if exists {name}"), format!("create database {name}")] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await?;
    }
    server.close().await?;
    let mut database = PgConnection::connect(with_password(address).as_str()).await?;
    for table in tables {
        sqlx::raw_sql(AssertSqlSafe(table.create('"'))).execute(&mut database).await?;
        let copy = format!("copy \"{}\" from stdin", table.name);
        let mut sink = database.copy_in_raw(&copy).await?;
        let mut text = String::new();
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *sqlite);
        while let Some(row) = rows.try_next().await? {
            for at in 0..table.columns.len() {
                text.push(if at == 0 { '\n' } else { '\t' });
                match row.try_get::<Option<&str>, _>(at)? {
                    Some(cell) => escape(cell, &mut text),
                    None => text.push_str("\\N"),
                }
            }
            if text.len() > CHUNK {
                sink.send(std::mem::take(&mut text).split_off(1).into_bytes()).await?;
                text.push('\n');
            }
        }
        drop(rows);
        sink.send(text.get(1..).unwrap_or_default().as_bytes().to_vec()).await?;
        sink.finish().await?;
    }
    database.close().await
}

/// A cell as COPY's text format writes it.
fn escape(cell: &str, text: &mut String) {
    for char in cell.chars() {
        match char {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            char => text.push(char),
        }
    }
}

async fn mysql(url: &Url, name: &str, sqlite: &mut SqliteConnection, tables: &[Table]) -> sqlx::Result<()> {
    let mut server = MySqlConnection::connect(with_password(url).as_str()).await?;
    for sql in [
        format!("drop database if exists {name}"),
        format!("create database {name} character set utf8mb4"),
        format!("use {name}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await?;
    }
    for table in tables {
        sqlx::raw_sql(AssertSqlSafe(table.create('`'))).execute(&mut server).await?;
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *sqlite);
        let mut pending = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let cells = (0..table.columns.len()).map(|at| row.try_get::<Option<String>, _>(at));
            pending.push(cells.collect::<sqlx::Result<Vec<_>>>()?);
            if (pending.len() + 1) * table.columns.len() > VALUES {
                insert(&mut server, table, std::mem::take(&mut pending)).await?;
            }
        }
        if !pending.is_empty() {
            insert(&mut server, table, pending).await?;
        }
    }
    server.close().await
}

async fn insert(
    server: &mut MySqlConnection,
    table: &Table,
    rows: Vec<Vec<Option<String>>>,
) -> sqlx::Result<()> {
    let mut query = QueryBuilder::<MySql>::new(format!("insert into `{}` ", table.name));
    query.push_values(rows, |mut values, row| {
        for cell in row {
            values.push_bind(cell);
        }
    });
    query.build().execute(server).await.map(drop)
}

fn with_password(url: &Url) -> Url {
    let mut url = url.clone();
    if let Ok(password) = std::env::var(PASSWORD) {
        // Only an address without a host has no place for it, and that one cannot be reached anyway.
        url.set_password(Some(&password)).ok();
    }
    url
}

fn failed(error: sqlx::Error) -> Error {
    Error::new(Kind::Source, "the demo's databases cannot be made on the server")
        .hint(format!("the user must be able to create databases; its password is taken from {PASSWORD}"))
        .because(error)
}
