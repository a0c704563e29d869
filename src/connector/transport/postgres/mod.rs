//! PostgreSQL. One transaction keeps a snapshot for the whole session; every table is read over
//! connections of its own that show the same snapshot, so that one that fails harms no other.

mod copy;
mod decode;
mod link;
mod plan;

use crate::connector::contract::Contract;
use crate::connector::transport::server::Host;
use crate::connector::transport::table::Feed;
use crate::connector::transport::wait::{Stop, Wait};
use crate::connector::transport::{Outlet, place, start_table, table_of};
use crate::connector::{Extract, Span, Totals};
use crate::error::{Error, Result};
use crate::project::{Server, Source};
use chrono::{DateTime, Utc};
use link::Link;
use sqlx::{PgConnection, Row};
use std::sync::Arc;

/// A database, at one moment.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    moment: Arc<Moment>,
}

/// What all tables of a session show.
#[derive(Debug)]
struct Moment {
    host: Host,
    snapshot: String,
    /// The source's clock when the snapshot was taken, or a little before.
    now: DateTime<Utc>,
    /// Holds the snapshot open, for as long as anything is read.
    _keeper: PgConnection,
}

/// Opens the database and takes the snapshot.
pub(super) async fn open(source: &Source, server: &Server) -> Result<Session> {
    let host = Host::new(source, server, link::judge);
    let mut keeper = link::connect(&host, &source.name).await?;
    let failed = |error| host.failed(&source.name, "a snapshot could not be taken", error);
    link::begin(&mut keeper, None).await.map_err(failed)?;
    // The start of the transaction: what is committed later, but stamped before, is left to the lag.
    let taken = "select pg_export_snapshot(), to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";
    let row = sqlx::query(taken).fetch_one(&mut keeper).await.map_err(failed)?;
    let (snapshot, clock): (String, String) =
        (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    let now = host.clock(&clock)?;
    Ok(Session { moment: Arc::new(Moment { host, snapshot, now, _keeper: keeper }) })
}

impl Session {
    /// Starts reading the entity's table.
    pub(super) async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        let moment = Arc::clone(&self.moment);
        let source = &moment.host.source;
        let table = table_of(source, contract)?.to_string();
        let (at, contract, span) = (place(source, contract), contract.clone(), span.clone());
        Ok(start_table(move |outlet| async move {
            let wait = Wait::new(&moment.host.source, &at, &outlet);
            let reading = Reading { moment, contract, table, at, wait };
            reading.run(&span, &outlet).await
        }))
    }
}

/// One table on its way.
#[derive(Debug, Clone)]
struct Reading {
    moment: Arc<Moment>,
    contract: Contract,
    /// As the contract names it.
    table: String,
    at: String,
    wait: Wait,
}

impl Reading {
    async fn run(&self, span: &Span, outlet: &Outlet) -> Result<Totals, Stop> {
        let mut link = Link::open(self).await?;
        let planned = plan::plan(self, &mut link, span).await;
        let plan = match planned {
            Ok(plan) => plan,
            Err(stop) => {
                link.cancel(self).await;
                return Err(stop);
            }
        };
        let mut feed = Feed::new(&self.contract, &self.at, plan.control.clone(), outlet)?;
        let mut decoders: Vec<_> = plan.copies.iter().map(|_| decode::Decoder::new(&plan.kinds)).collect();
        let mut chunks = copy::start(self, link, &plan.copies);
        while let Some(chunk) = chunks.recv().await {
            let (part, bytes) = chunk?;
            let decoder = &mut decoders[part];
            decoder.take_in(bytes);
            while decoder.next_row().map_err(|error| error.at(&self.at))? {
                if let Some(batch) = feed.push(&|at| decoder.cell(at))? {
                    feed.send(batch).await?;
                }
            }
        }
        if !decoders.iter().all(decode::Decoder::is_done) {
            return Err(Error::source("the table was cut before its end").at(&self.at).into());
        }
        feed.finish(plan.high).await
    }

    fn failed(&self, error: sqlx::Error) -> Error {
        self.moment.host.failed(&self.at, &format!("table '{}' could not be read", self.table), error)
    }
}
