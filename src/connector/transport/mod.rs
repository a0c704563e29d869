//! Where sources are and how they are reached; one file for each variant of [`Address`].

mod files;
mod sqlite;

#[cfg(test)]
mod conformance;

use crate::connector::contract::Contract;
use crate::connector::{Extract, Item, Snapshot, Totals};
use crate::error::Result;
use crate::project::{Address, Source};
use tokio::sync::mpsc;

/// How many batches wait for the one who lands them, at most.
const WAITING_BATCHES: usize = 2;

/// The sending end of an [`Extract`].
type Outlet = mpsc::Sender<Result<Item>>;

/// See [`crate::connector::discover`].
pub(super) async fn discover(source: &Source, contract: &Contract) -> Result<Vec<Snapshot>> {
    match &source.address {
        Address::Sqlite(_) => sqlite::discover(source, contract),
        Address::Folder(folder) => files::discover(source, contract, folder).await,
    }
}

/// See [`crate::connector::read`].
pub(super) fn read(source: &Source, contract: &Contract, snapshot: Snapshot) -> Result<Extract> {
    match &source.address {
        Address::Sqlite(path) => sqlite::read(source, contract, path),
        Address::Folder(_) => files::read(source, contract, snapshot),
    }
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

/// The place for errors: `beds_hr.position`.
fn place(source: &Source, contract: &Contract) -> String {
    format!("{}.{}", source.name, contract.entity)
}
