//! REST interfaces: an entity is a question, and its answer is received like a file.
//!
//! All pages of an answer, and for a child the answers about each parent, come one after the other
//! as one stream of bytes, which is kept before anything is read from it.

mod auth;
mod client;
mod heard;
mod paging;
mod question;
#[cfg(test)]
mod tests;

use crate::connector::contract::{Contract, FileFormat, Paging, Parent, Request};
use crate::connector::format;
use crate::connector::format::json::{self, Rows, parsed};
use crate::connector::transport::{place, start};
use crate::connector::{Bytes, Extract, Item, Offer, SourceFile, Span, Totals, cursor};
use crate::error::{Error, Result};
use crate::project::Source;
pub use heard::Heard;
pub(in crate::connector) use heard::heard;

use client::{Client, Repeat, is_page_for_people};
use futures::{StreamExt, TryStreamExt, stream};
use paging::Pager;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::time::Instant;
use url::Url;

/// How many parents are asked about at the same time.
const AT_ONCE: usize = 4;

/// A REST interface, opened.
#[derive(Debug)]
pub(in crate::connector) struct Session {
    source: Source,
    client: Arc<Client>,
}

/// Opens a REST interface. It is not asked anything yet.
pub(super) fn open(source: &Source, base: &Url) -> Result<Session> {
    let client = Client::new(source, base).map_err(|error| error.at(&source.name))?;
    Ok(Session { source: source.clone(), client: Arc::new(client) })
}

impl Session {
    /// Every entity with a request is answered.
    pub(super) fn offers(&mut self, contract: &Contract) -> Result<Offer> {
        request_of(&self.source, contract).map(|_| Offer::Answer)
    }

    /// The answer of the source about the rows of `span`.
    pub(super) async fn ask(&mut self, contract: &Contract, span: &Span) -> Result<Bytes> {
        let at = place(&self.source, contract);
        let request = request_of(&self.source, contract)?;
        let low = question::low(contract, span).map_err(|error| error.at(&at))?;
        let answer = self.answer(request, low.as_ref()).await.map_err(|error| error.at(&at))?;
        Ok(answer.map_err(move |error| if error.place().is_none() { error.at(&at) } else { error }).boxed())
    }

    async fn answer(&self, request: &Request, low: Option<&question::Low>) -> Result<Bytes> {
        let (client, deadline) = (&self.client, self.client.deadline());
        let base = &client.base;
        if let Some(parent) = &request.parent {
            return children(client, request, parent, low, deadline);
        }
        let url = question::url(base, request, None, low)?;
        if request.queue.is_some() {
            return whole(client, &url, Repeat::Unsent, deadline).await;
        }
        match request.paging {
            Paging::Single => whole(client, &url, Repeat::Safe, deadline).await,
            _ => pages(client, request, url, deadline),
        }
    }
}

/// An answer that is not cut into pages, as it comes.
async fn whole(client: &Arc<Client>, url: &Url, repeat: Repeat, deadline: Instant) -> Result<Bytes> {
    let response = client.open(url, repeat, deadline).await?;
    // What a queue has given is kept, whatever it is.
    if repeat == Repeat::Safe && is_page_for_people(response.headers()) {
        return Err(page_for_people());
    }
    let reading = (Arc::clone(client), response);
    Ok(stream::try_unfold(reading, move |(client, mut response)| async move {
        let chunk = client.next(&mut response, deadline).await?;
        Ok(chunk.map(|chunk| (chunk, (client, response))))
    })
    .boxed())
}

/// The pages of an answer, one after the other.
struct Pages {
    client: Arc<Client>,
    pager: Pager,
    next: Option<Url>,
    asked: HashSet<Url>,
    deadline: Instant,
}

fn pages(client: &Arc<Client>, request: &Request, url: Url, deadline: Instant) -> Result<Bytes> {
    let pager = Pager::new(&request.paging, rows_of(request)?)?;
    let next = Some(pager.first(url));
    let pages = Pages { client: Arc::clone(client), pager, next, asked: HashSet::new(), deadline };
    Ok(stream::try_unfold(pages, Pages::next).boxed())
}

impl Pages {
    async fn next(mut self) -> Result<Option<(bytes::Bytes, Self)>> {
        let Some(url) = self.next.take() else { return Ok(None) };
        let number = self.asked.len() + 1;
        let page = self.client.page(&url, self.deadline).await?;
        if is_page_for_people(&page.headers) {
            return Err(page_for_people());
        }
        let numbered = |error: Error| match error.advice().map(str::to_string) {
            Some(hint) => Error::new(error.kind(), format!("page {number}: {error}")).hint(hint),
            None => Error::new(error.kind(), format!("page {number}: {error}")),
        };
        self.next = self.pager.next(&url, &page).map_err(numbered)?;
        self.asked.insert(url);
        if self.next.as_ref().is_some_and(|next| self.asked.contains(next)) {
            return Err(Error::source("the pages lead in a circle").hint("see `paging` of the entity"));
        }
        Ok(Some((page.body, self)))
    }
}

/// The answers about each row of the parent, each behind a line that says whose they are.
fn children(
    client: &Arc<Client>,
    request: &Request,
    parent: &Parent,
    low: Option<&question::Low>,
    deadline: Instant,
) -> Result<Bytes> {
    // A child that cannot be asked for what has changed is asked about the parents that have.
    let (low_of_parent, low) = if request.since.is_some() { (None, low) } else { (low, None) };
    let url = question::url(&client.base, &parent.request, None, low_of_parent)?;
    let parents = pages(client, &parent.request, url, deadline)?;
    let rows = rows_of(&parent.request)?;
    let (client, request, low) = (Arc::clone(client), request.clone(), low.cloned());
    let asked = parents
        .map_ok(move |page| stream::iter(each(&rows, &page)))
        .try_flatten()
        .map_ok(move |row| {
            let (client, request, low) = (Arc::clone(&client), request.clone(), low.clone());
            async move { child(&client, &request, &row, low.as_ref(), deadline).await }
        })
        .try_buffered(AT_ONCE);
    Ok(asked.map_ok(|answer| stream::iter(answer.into_iter().map(Ok))).try_flatten().boxed())
}

/// The rows of a page.
fn each(rows: &Rows, page: &[u8]) -> Vec<Result<Box<RawValue>>> {
    let found = || -> Result<Vec<Box<RawValue>>> {
        if page.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        Ok(rows.of(parsed(page)?)?.into_iter().map(ToOwned::to_owned).collect())
    };
    match found() {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// The answer about one parent.
async fn child(
    client: &Arc<Client>,
    request: &Request,
    parent: &RawValue,
    low: Option<&question::Low>,
    deadline: Instant,
) -> Result<Vec<bytes::Bytes>> {
    let url = question::url(&client.base, request, Some(parent), low)?;
    let whose = format!("{{\"{}\":{}}}\n", json::PARENT, parent.get());
    let mut answer = vec![bytes::Bytes::from(whose)];
    answer.extend(pages(client, request, url, deadline)?.try_collect::<Vec<_>>().await?);
    answer.push(bytes::Bytes::from_static(b"\n"));
    Ok(answer)
}

fn page_for_people() -> Error {
    Error::source("the source answered with a web page instead of JSON")
        .hint("it may be down, or want somebody to log in: see `address` and `auth` of the source")
}

fn rows_of(request: &Request) -> Result<Rows> {
    match &request.layout.format {
        FileFormat::Json { rows, .. } => Rows::parse(rows.as_deref()),
        _ => Err(Error::internal("an answer that is no JSON")),
    }
}

/// Starts reading an answer that is kept.
pub(super) fn read(source: &Source, contract: &Contract, file: &SourceFile) -> Result<Extract> {
    let layout = request_of(source, contract)?.layout.clone();
    let (at, contract) = (format!("{} in '{}'", place(source, contract), file.name), contract.clone());
    let file = file.clone();
    Ok(start(move |outlet| {
        let mut highest = cursor::Highest::new(&contract);
        let mut emit = |batch| {
            highest.see(&batch);
            outlet.blocking_send(Ok(Item::Batch(batch))).is_ok()
        };
        let totals = format::read(&contract, &layout, &file, &at, &mut emit)?;
        Ok(totals.map(|totals| Totals { high: highest.written(), ..totals }))
    }))
}

fn request_of<'a>(source: &Source, contract: &'a Contract) -> Result<&'a Request> {
    contract.http.as_ref().ok_or_else(|| {
        Error::config(format!("entity '{}' of system '{}' has no request", contract.entity, contract.system))
            .at(format!("source '{}'", source.name))
            .hint("give the entity an `http`, or the source the address of a database or a folder")
    })
}
