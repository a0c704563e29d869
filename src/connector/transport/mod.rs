//! Where sources are and how they are reached; one file for each variant of [`Address`].

mod asked;
mod files;
mod http;
mod mysql;
#[cfg(feature = "odbc")]
mod odbc;
mod postgres;
mod received;
mod server;
mod sqlite;
mod table;
mod wait;

#[cfg(test)]
mod conformance;

pub use files::FileOrder;
pub use http::Heard;

use crate::connector::contract::Contract;
use crate::connector::{Bytes, Extract, Item, Listed, Offer, SourceFile, Span, Totals};
use crate::error::{Error, Result};
use crate::project::{Address, Source};
use std::path::Path;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wait::Stop;

/// How many batches wait for the one who lands them, at most.
const WAITING_BATCHES: usize = 2;

/// The sending end of an [`Extract`].
type Outlet = mpsc::Sender<Result<Item>>;

/// An opened source.
#[derive(Debug)]
pub(super) enum Session {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
    Mysql(mysql::Session),
    #[cfg(feature = "odbc")]
    Odbc(odbc::Session),
    Files(files::Session),
    Rest(http::Session),
}

/// See [`crate::connector::open`].
pub(super) async fn open(source: &Source) -> Result<Session> {
    match &source.address {
        Address::Sqlite(path) => sqlite::open(source, path).await.map(Session::Sqlite),
        Address::Postgres(server) => postgres::open(source, server).await.map(Session::Postgres),
        Address::Mysql(server) => mysql::open(source, server).await.map(Session::Mysql),
        #[cfg(feature = "odbc")]
        Address::Odbc(odbc) => odbc::open(source, odbc).await.map(Session::Odbc),
        #[cfg(not(feature = "odbc"))]
        Address::Odbc(_) => Err(Error::config("this build has no ODBC").at(&source.name)),
        Address::Folder(folder) => files::open_folder(source, folder).map(Session::Files),
        Address::Sftp(remote) => files::open_sftp(source, remote).await.map(Session::Files),
        Address::Store(url) => files::open_store(source, url).map(Session::Files),
        Address::Rest(url) => http::open(source, url).map(Session::Rest),
    }
}

impl Session {
    /// See [`crate::connector::Session::offers`].
    pub(super) async fn offers(&mut self, contract: &Contract) -> Result<Offer> {
        match self {
            Session::Files(session) => session.offers(contract).await,
            Session::Rest(session) => session.offers(contract),
            _ => Ok(Offer::Table),
        }
    }

    /// See [`crate::connector::Session::read`].
    pub(super) async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        match self {
            Session::Sqlite(session) => session.read(contract, span).await,
            Session::Postgres(session) => session.read(contract, span).await,
            Session::Mysql(session) => session.read(contract, span).await,
            #[cfg(feature = "odbc")]
            Session::Odbc(session) => session.read(contract, span).await,
            Session::Files(_) | Session::Rest(_) => Err(Error::internal("a folder was read as a table")),
        }
    }

    /// See [`crate::connector::Session::ask`].
    pub(super) async fn ask(&mut self, contract: &Contract, span: &Span) -> Result<Bytes> {
        match self {
            Session::Rest(session) => session.ask(contract, span).await,
            _ => Err(Error::internal("something that answers no questions was asked one")),
        }
    }

    /// See [`crate::connector::Session::fetch`].
    pub(super) async fn fetch(&mut self, contract: &Contract, file: &Listed) -> Result<Bytes> {
        match self {
            Session::Files(session) => session.fetch(contract, file).await,
            _ => Err(Error::internal("a file was asked for where there are none")),
        }
    }
}

/// See [`crate::connector::read_file`].
pub(super) fn read_file(source: &Source, contract: &Contract, file: &SourceFile) -> Result<Extract> {
    match source.address {
        Address::Rest(_) => http::read(source, contract, file),
        _ => files::read(source, contract, file),
    }
}

/// See [`crate::connector::heard`].
pub(super) fn heard(contract: &Contract, path: &Path) -> Result<Heard> {
    http::heard(contract, path)
}

/// See [`crate::connector::file_order`].
pub(super) fn file_order(contract: &Contract, name: &str) -> Result<FileOrder> {
    files::order(contract, name)
}

/// See [`crate::connector::read_again`].
pub(super) fn read_again(source: &Source, contract: &Contract, rows: Vec<(i64, String)>) -> Result<Extract> {
    Ok(received::read(source, contract, rows))
}

/// Runs a reader on a thread that may block. It stops at its next batch when the extract is
/// dropped; what it returns is the last item.
fn start(work: impl FnOnce(&Outlet) -> Result<Option<Totals>> + Send + 'static) -> Extract {
    let (outlet, batches) = mpsc::channel(WAITING_BATCHES);
    tokio::task::spawn_blocking(move || {
        let last = match work(&outlet) {
            Ok(Some(totals)) => Ok(Item::End(totals)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        // Nobody listens any more: nobody needs the end.
        outlet.blocking_send(last).ok();
    });
    Extract::new(batches)
}

/// Runs the reader of a table on a thread that may work for long between two waits.
fn start_table<F: Future<Output = Result<Totals, Stop>>>(
    work: impl FnOnce(Outlet) -> F + Send + 'static,
) -> Extract {
    let runtime = Handle::current();
    start(move |outlet| match runtime.block_on(work(outlet.clone())) {
        Ok(totals) => Ok(Some(totals)),
        Err(Stop::Unwanted) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    })
}

/// The place for errors: `beds_hr.position`.
fn place(source: &Source, contract: &Contract) -> String {
    format!("{}.{}", source.name, contract.entity)
}

/// The table of an entity; an error when its contract names none.
fn table_of<'a>(source: &Source, contract: &'a Contract) -> Result<&'a str> {
    contract.table.as_deref().ok_or_else(|| {
        Error::config(format!("entity '{}' of system '{}' names no table", contract.entity, contract.system))
            .at(format!("source '{}'", source.name))
            .hint("give the entity a `table`, or the source the address of a folder")
    })
}
