//! Tables of a SQLite database, filled in one transaction with inserts of many rows.

use crate::demo::write::Layout;
use crate::demo::write::row::Row;
use crate::error::{Error, Result};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments, AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use std::path::Path;
use tokio::runtime::Handle;

/// Values bound by one insert; SQLite allows 32,766.
const VALUES: usize = 4_096;

/// An open database. Used from a blocking thread of the runtime.
pub(super) struct Database {
    connection: SqliteConnection,
    runtime: Handle,
    tables: Vec<Table>,
}

struct Table {
    name: &'static str,
    columns: usize,
    /// The insert of a full batch.
    insert: String,
    pending: SqliteArguments,
    rows: usize,
}

impl Database {
    /// Creates the database and its tables, replacing what was there.
    pub(super) fn create(path: &Path, layouts: &'static [Layout]) -> Result<Self> {
        let runtime = Handle::try_current()
            .map_err(|e| Error::internal("the estate is written outside a runtime").because(e))?;
        if path.exists() {
            std::fs::remove_file(path).map_err(failed)?;
        }
        // A crash leaves a useless file either way: the estate is generated again.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off);
        let mut connection = runtime.block_on(options.connect()).map_err(failed)?;
        for layout in layouts {
            run(&runtime, &mut connection, create_table(layout))?;
        }
        run(&runtime, &mut connection, "begin".into())?;
        let tables = layouts.iter().map(Table::new).collect();
        Ok(Self { connection, runtime, tables })
    }

    /// Adds a row to the table of the layout at position `table`.
    pub(super) fn put(&mut self, table: usize, row: &Row) -> Result<()> {
        let table = &mut self.tables[table];
        for cell in row.cells() {
            let value = (!cell.is_empty()).then(|| cell.to_owned());
            table.pending.add(value).map_err(|e| Error::internal("cannot bind a value").because(e))?;
        }
        table.rows += 1;
        if (table.rows + 1) * table.columns > VALUES {
            table.flush(&self.runtime, &mut self.connection)?;
        }
        Ok(())
    }

    /// Writes what is pending and commits.
    pub(super) fn finish(mut self) -> Result<()> {
        for table in &mut self.tables {
            if table.rows > 0 {
                table.flush(&self.runtime, &mut self.connection)?;
            }
        }
        run(&self.runtime, &mut self.connection, "commit".into())?;
        self.runtime.block_on(self.connection.close()).map_err(failed)
    }
}

impl Table {
    fn new(layout: &'static Layout) -> Self {
        let columns = layout.columns.len();
        let insert = insert(layout.name, columns, VALUES / columns);
        Self { name: layout.name, columns, insert, pending: SqliteArguments::default(), rows: 0 }
    }

    fn flush(&mut self, runtime: &Handle, connection: &mut SqliteConnection) -> Result<()> {
        let sql = match self.rows == VALUES / self.columns {
            true => self.insert.clone(),
            false => insert(self.name, self.columns, self.rows),
        };
        let pending = std::mem::take(&mut self.pending);
        self.rows = 0;
        let query = sqlx::query_with(AssertSqlSafe(sql), pending);
        runtime.block_on(query.execute(connection)).map_err(failed)?;
        Ok(())
    }
}

fn insert(table: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    format!("insert into {table} values {}", vec![row.as_str(); rows].join(","))
}

fn create_table(layout: &Layout) -> String {
    let columns: Vec<String> =
        layout.columns.iter().map(|c| format!("{} {}", c.name, Layout::affinity(c.kind))).collect();
    format!("create table {} ({})", layout.name, columns.join(", "))
}

fn run(runtime: &Handle, connection: &mut SqliteConnection, sql: String) -> Result<()> {
    runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection)).map_err(failed)?;
    Ok(())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("cannot write a database of the estate").because(error)
}
