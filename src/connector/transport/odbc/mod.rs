//! Databases behind an ODBC driver of this machine: the road to Oracle and SQL Server.
//!
//! All tables of a session are read over one connection, one after the other, in a transaction that
//! shows one moment wherever the product has such transactions ([`dialect`]). A read waits for the
//! extract before it to end or to be dropped. Values come as text: no number passes a float.

mod dialect;
mod drivers;
mod fault;
mod kind;
mod link;
mod page;
mod plan;

use crate::connector::contract::Contract;
use crate::connector::cursor::INSTANT;
use crate::connector::transport::server::{CONNECT, Fault};
use crate::connector::transport::table::Feed;
use crate::connector::transport::wait::{Stop, Wait};
use crate::connector::transport::{Outlet, place, start_table, table_of};
use crate::connector::{Extract, Span, Totals};
use crate::error::{Error, Result, known};
use crate::project::{Odbc, Source};
use chrono::{DateTime, NaiveDateTime, Utc};
use dialect::Dialect;
use fault::Broken;
use link::{Entrance, Link};
use page::Query;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

/// A query that cannot be stopped by then is left alone, and the connection with it.
const STOP: Duration = Duration::from_secs(10);

/// How many pages wait between the driver's thread and ours.
const WAITING_PAGES: usize = 1;

/// A database, at one moment.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    moment: Arc<Moment>,
}

/// What all tables of a session show.
struct Moment {
    source: Source,
    entrance: Entrance,
    dialect: &'static Dialect,
    /// The connection that shows it; `None` once it is lost.
    link: Mutex<Option<Link>>,
    /// The database's name for the connection, by which a query can be stopped from outside.
    number: Option<String>,
    /// The source's clock when the snapshot was taken, or a little before.
    now: DateTime<Utc>,
}

/// Without the entrance, which knows the password.
impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment").field("source", &self.source.name).field("now", &self.now).finish()
    }
}

/// Opens the database and takes the snapshot.
pub(super) async fn open(source: &Source, odbc: &Odbc) -> Result<Session> {
    let limit = CONNECT.min(source.access.idle_timeout);
    let opened = tokio::time::timeout(limit.saturating_mul(2), enter(source, odbc));
    opened.await.unwrap_or_else(|_| {
        Err(Error::source("the database could not be entered").at(&source.name).hint(format!(
            "it did not answer within {}; see whether it runs and can be reached from here",
            humantime::format_duration(limit)
        )))
    })
}

async fn enter(source: &Source, odbc: &Odbc) -> Result<Session> {
    let failed = |broken| failed(source, &source.name, "the database could not be entered", &broken);
    let password = source.access.password.as_ref().map(|secret| secret.read()).transpose();
    let mut entrance = Entrance {
        attributes: odbc.attributes.clone(),
        user: odbc.user.clone(),
        password: password.map_err(|error| error.at(&source.name))?,
        seconds: u32::try_from(CONNECT.min(source.access.idle_timeout).as_secs()).unwrap_or(1).max(1),
    };
    let (mut link, product) = match odbc.product {
        Some(product) => {
            entrance.add(Dialect::of(product).attributes);
            (Link::open(entrance.clone()).await.map_err(failed)?.0, product)
        }
        None => {
            let (link, name) = Link::open(entrance.clone()).await.map_err(failed)?;
            (link, dialect::detected(&name))
        }
    };
    let dialect = Dialect::of(product);
    if odbc.product.is_none() && !dialect.attributes.is_empty() {
        entrance.add(dialect.attributes);
        link = Link::open(entrance.clone()).await.map_err(failed)?.0;
    }
    let one = async |query: &str| {
        let rows = link.ask(query.into(), None).await?;
        Ok::<_, Broken>(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    };
    let prepared = async {
        for setting in (dialect.settings)(&source.access) {
            one(&setting).await?;
        }
        let number = match dialect.stop {
            Some((number, _)) => one(number).await?,
            None => None,
        };
        let clock = if dialect.clock.is_empty() { None } else { one(dialect.clock).await? };
        if dialect.has_transactions {
            link.run(|connection| connection.set_autocommit(false)).await??;
        }
        for begin in dialect.begin {
            one(begin).await?;
        }
        Ok((number, clock))
    };
    let (number, clock) = prepared
        .await
        .map_err(|broken| self::failed(source, &source.name, "a snapshot could not be taken", &broken))?;
    let now = match clock {
        Some(clock) => NaiveDateTime::parse_from_str(&clock, INSTANT).map(|said| said.and_utc()),
        None => Ok(Utc::now()),
    };
    let now = now.map_err(|error| {
        Error::source("the database's clock cannot be read").at(&source.name).because(error)
    })?;
    let link = Mutex::new(Some(link));
    let moment = Moment { source: source.clone(), entrance, dialect, link, number, now };
    Ok(Session { moment: Arc::new(moment) })
}

impl Entrance {
    /// Adds attributes, before which those of the address count.
    fn add(&mut self, attributes: &str) {
        let given = self.attributes.to_lowercase();
        for attribute in attributes.split(';').filter(|attribute| !attribute.is_empty()) {
            let key = attribute.split('=').next().unwrap_or_default().to_lowercase();
            if !given.split(';').any(|given| given.split('=').next().unwrap_or_default().trim() == key) {
                self.attributes += &format!(";{attribute}");
            }
        }
    }
}

impl Session {
    /// Starts reading the entity's table.
    pub(super) async fn read(&mut self, contract: &Contract, span: &Span) -> Result<Extract> {
        let moment = Arc::clone(&self.moment);
        let source = &moment.source;
        let table = table_of(source, contract)?.to_string();
        let (at, contract, span) = (place(source, contract), contract.clone(), span.clone());
        Ok(start_table(move |outlet| async move {
            let wait = Wait::new(&moment.source, &at, &outlet);
            let reading = Reading { moment: Arc::clone(&moment), contract, table, at, wait };
            let mut link = moment.link.lock().await;
            reading.run(&mut link, &span, &outlet).await
        }))
    }
}

/// One table on its way.
#[derive(Debug)]
struct Reading {
    moment: Arc<Moment>,
    contract: Contract,
    /// As the contract names it.
    table: String,
    at: String,
    wait: Wait,
}

impl Reading {
    async fn run(&self, shared: &mut Option<Link>, span: &Span, outlet: &Outlet) -> Result<Totals, Stop> {
        let Some(link) = shared else {
            let error = Error::source("the connection was lost with the table before this one");
            return Err(error.at(&self.at).hint("a later pull takes a new snapshot").into());
        };
        let read = self.read(link, span, outlet).await;
        if read.is_err() && !self.stopped(link).await {
            *shared = None;
        }
        read
    }

    async fn read(&self, link: &Link, span: &Span, outlet: &Outlet) -> Result<Totals, Stop> {
        let plan = plan::plan(self, link, span).await?;
        let mut feed = Feed::new(&self.contract, &self.at, plan.control, outlet)?;
        let (inlet, mut pages) = mpsc::channel(WAITING_PAGES);
        let pieces = self.moment.dialect.pieces;
        let query = Query { select: plan.select, columns: plan.columns, seconds: self.seconds(), pieces };
        let started = link.start(move |connection| query.send(connection, &inlet));
        started.map_err(|broken| self.failed(&broken))?;
        // The first rows may take as long as the database needs to find them.
        let mut next = self.wait.answer(pages.recv()).await?;
        while let Some(page) = next {
            let page = page.map_err(|broken| self.failed(&broken))?;
            for row in 0..page.rows {
                if let Some(batch) = feed.push(&|column| page.cell(row, column))? {
                    feed.send(batch).await?;
                }
            }
            next = self.wait.bytes(pages.recv()).await?;
        }
        feed.finish(plan.high).await
    }

    /// Waits for an answer that the database may have to read a whole table for.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, Broken>>) -> Result<T, Stop> {
        Ok(self.wait.answer(answer).await?.map_err(|broken| self.failed(&broken))?)
    }

    /// The limit of a query, for drivers that must be told.
    fn seconds(&self) -> Option<usize> {
        let limit = self.moment.source.access.timeout.as_secs().max(1);
        self.moment.dialect.has_driver_timeout.then(|| usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Stops the query from outside, so that the snapshot can show the next table; whether it can.
    async fn stopped(&self, link: &Link) -> bool {
        let is_idle = async |limit| {
            let idle = link.run(|_| ());
            tokio::time::timeout(limit, idle).await.is_ok_and(|idle| idle.is_ok())
        };
        // A query that has ended has nothing to stop.
        if is_idle(Duration::from_millis(200)).await {
            return true;
        }
        let stopped = async {
            if let (Some((_, stop)), Some(number)) = (self.moment.dialect.stop, &self.moment.number)
                && let Ok((other, _)) = Link::open(self.moment.entrance.clone()).await
            {
                other.ask(stop(number), None).await.ok();
            }
        };
        tokio::time::timeout(STOP, stopped).await.ok();
        is_idle(STOP).await
    }

    fn failed(&self, broken: &Broken) -> Error {
        if let Broken::TooLong { column } = broken {
            let name = &self.contract.columns[*column].name;
            return Error::source(format!(
                "a value of column '{name}' is longer than all were when it was counted"
            ))
            .at(&self.at)
            .hint("the table was changed while it was read; pull it again");
        }
        failed(&self.moment.source, &self.at, &format!("table '{}' could not be read", self.table), broken)
    }
}

/// The error about `doing`, a fragment that says what could not be done.
fn failed(source: &Source, at: &str, doing: &str, broken: &Broken) -> Error {
    let crate::project::Address::Odbc(odbc) = &source.address else {
        return Error::internal("a source without a driver was read through one");
    };
    let user = odbc.user.as_deref().unwrap_or("of the data source");
    let (fault, cause) = broken.judged();
    let limit = humantime::format_duration(source.access.timeout);
    let hint = match fault {
        Fault::Refused => {
            format!("the database refused user '{user}'; see `address`, `user` and `password` of the source")
        }
        Fault::Denied => format!("user '{user}' needs the right to select"),
        Fault::Stopped => {
            format!("the query was stopped, by somebody or after the source's `timeout` of {limit}")
        }
        Fault::Locked => "somebody works on the table; a later pull takes it".into(),
        Fault::Cut => format!("the connection to \"{}\" was cut or never came about", odbc.attributes),
        Fault::Data => "a value of the table breaks a view or a conversion of the database".into(),
        Fault::Other if ["IM002", "IM003", "Can't open lib"].iter().any(|word| cause.contains(word)) => {
            let names = drivers::names();
            format!("see `address`; {}", known("drivers", &odbc.attributes, names.iter().map(String::as_str)))
        }
        Fault::Other => format!("see whether \"{}\" can be read", odbc.attributes),
    };
    Error::source(doing).at(at).hint(hint).because(cause)
}
