//! One request at a time: sent, repeated where that is safe, redirected, and timed.

use crate::connector::transport::http::auth::Credentials;
use crate::error::{Error, Result};
use crate::project::{Setting, Source, TlsMode, is_loopback};
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Request, Response, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::Url;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(30);

/// How often a request is repeated, with growing and jittered waits.
const RETRIES: usize = 4;

/// The first wait between attempts, and the longest that is not the source's own wish.
const WAIT: Duration = Duration::from_millis(200);
const MOST_WAIT: Duration = Duration::from_secs(20);

/// The longest wait that a source may wish for; a later pull waits longer.
const MOST_PATIENCE: Duration = Duration::from_secs(600);

/// How often an answer may name another place.
const REDIRECTS: usize = 5;

/// The longest page that is held as a whole.
const MOST_BYTES: usize = 256 << 20;

/// A client of one source.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    credentials: Credentials,
    pub(super) base: Url,
    idle: Duration,
    whole: Duration,
}

/// Whether a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing at the source.
    Safe,
    /// Only while it has certainly not arrived.
    Unsent,
}

/// A page of an answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
}

/// Why an attempt brought nothing.
enum Failed {
    /// Another one may.
    Again {
        error: Error,
        /// When the source wishes to be asked again.
        after: Option<Duration>,
        /// Whether the request has certainly not arrived.
        unsent: bool,
    },
    /// No other one will.
    Finally(Error),
}

impl Client {
    /// Makes a client; no request is sent.
    pub(super) fn new(source: &Source, base: &Url) -> Result<Self> {
        let access = &source.access;
        check_options(source, base)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT.min(access.idle_timeout));
        if access.tls == TlsMode::Require {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(ca) = &access.ca {
            let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
                Error::config("the certificate authority cannot be read").at(ca.display()).because(error)
            };
            let pem = std::fs::read(ca).map_err(|error| unreadable(error.into()))?;
            let known = Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.into()))?;
            builder = builder.tls_certs_only(known);
        }
        let http = builder.build();
        let http = http.map_err(|e| Error::internal("the HTTP client cannot be made").because(told(e)))?;
        let credentials = Credentials::new(access.auth.clone());
        let (idle, whole) = (access.idle_timeout, access.timeout);
        Ok(Self { http, credentials, base: base.clone(), idle, whole })
    }

    /// When an answer that is asked for now must have come.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.whole
    }

    /// The answer at `url`, held as a whole.
    pub(super) async fn page(&self, url: &Url, deadline: Instant) -> Result<Page> {
        let attempt = || async {
            let mut response = self.attempt(url, deadline).await?;
            let headers = std::mem::take(response.headers_mut());
            let mut body = BytesMut::new();
            while let Some(chunk) = self.chunk(&mut response, deadline).await? {
                body.extend_from_slice(&chunk);
                if body.len() > MOST_BYTES {
                    let message = format!("a page is longer than {} MiB", MOST_BYTES >> 20);
                    return Err(Failed::Finally(Error::source(message).hint("ask for smaller pages")));
                }
            }
            Ok(Page { body: body.freeze(), headers })
        };
        self.repeated(Repeat::Safe, deadline, attempt).await
    }

    /// The answer at `url`, of which nothing has been read yet.
    pub(super) async fn open(&self, url: &Url, repeat: Repeat, deadline: Instant) -> Result<Response> {
        self.repeated(repeat, deadline, || self.attempt(url, deadline)).await
    }

    /// The next bytes of an answer.
    pub(super) async fn next(&self, response: &mut Response, deadline: Instant) -> Result<Option<Bytes>> {
        self.chunk(response, deadline).await.map_err(|failed| match failed {
            Failed::Again { error, .. } | Failed::Finally(error) => error,
        })
    }

    async fn repeated<T, F>(&self, repeat: Repeat, deadline: Instant, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(WAIT)
            .with_max_delay(MOST_WAIT)
            .with_max_times(RETRIES)
            .with_jitter()
            .build();
        loop {
            let (error, after, unsent) = match attempt().await {
                Ok(done) => return Ok(done),
                Err(Failed::Finally(error)) => return Err(error),
                Err(Failed::Again { error, after, unsent }) => (error, after, unsent),
            };
            let Some(wait) = waits.next().filter(|_| repeat == Repeat::Safe || unsent) else {
                return Err(error);
            };
            let wait = after.unwrap_or(wait);
            if wait > MOST_PATIENCE || Instant::now() + wait > deadline {
                return Err(error);
            }
            tracing::info!(%error, ?wait, "asking again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks once, wherever the source sends the question, and once more when a token was not
    /// accepted any longer.
    async fn attempt(&self, url: &Url, deadline: Instant) -> Result<Response, Failed> {
        let response = self.followed(url, deadline).await?;
        let response = match response.status() == StatusCode::UNAUTHORIZED && self.credentials.renew().await {
            true => self.followed(url, deadline).await?,
            false => response,
        };
        let status = response.status();
        match status.is_success() {
            true => Ok(response),
            false => Err(refused(status, response.headers())),
        }
    }

    async fn followed(&self, url: &Url, deadline: Instant) -> Result<Response, Failed> {
        let (mut url, mut asked) = (url.clone(), Vec::new());
        loop {
            let response = self.once(&url, deadline).await?;
            let place = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(place) = place else { return Ok(response) };
            let next = place.to_str().ok().and_then(|place| url.join(place).ok());
            let next = next.filter(|next| next.scheme() == url.scheme() || next.scheme() == "https");
            let Some(next) = next else {
                return Err(Failed::Finally(
                    Error::source("the source redirects to a place that cannot be asked")
                        .hint("see the `address` of the source"),
                ));
            };
            asked.push(std::mem::replace(&mut url, next));
            if asked.contains(&url) || asked.len() > REDIRECTS {
                let way = if asked.contains(&url) { "in a circle" } else { "again and again" };
                return Err(Failed::Finally(
                    Error::source(format!("the source redirects {way}"))
                        .hint("see whether it wants another `address`, or does not accept who asks"),
                ));
            }
        }
    }

    async fn once(&self, url: &Url, deadline: Instant) -> Result<Response, Failed> {
        let mut request = Request::new(Method::GET, url.clone());
        request.headers_mut().insert(ACCEPT, "application/json, */*;q=0.5".parse().map_err(unforeseen)?);
        // Whoever the source sends us to is not shown what the source is shown.
        if url.origin() == self.base.origin() {
            let shown = timeout(self.patience(deadline), self.credentials.show(&self.http, &mut request));
            shown.await.map_err(|_| self.silent(deadline))?.map_err(Failed::of)?;
        }
        let sent = timeout(self.patience(deadline), self.http.execute(request)).await;
        sent.map_err(|_| self.silent(deadline))?.map_err(unreached)
    }

    async fn chunk(&self, response: &mut Response, deadline: Instant) -> Result<Option<Bytes>, Failed> {
        let chunk = timeout(self.patience(deadline), response.chunk()).await;
        chunk.map_err(|_| self.silent(deadline))?.map_err(|error| Failed::Again {
            error: Error::source("the answer was cut").because(told(error)),
            after: None,
            unsent: false,
        })
    }

    fn patience(&self, deadline: Instant) -> Duration {
        self.idle.min(deadline.saturating_duration_since(Instant::now()))
    }

    fn silent(&self, deadline: Instant) -> Failed {
        let shown = humantime::format_duration;
        if deadline <= Instant::now() {
            return Failed::Finally(
                Error::source(format!("the answer had not come within {}", shown(self.whole)))
                    .hint("`timeout` of the source sets the limit"),
            );
        }
        Failed::Finally(
            Error::source(format!("the source said nothing for {}", shown(self.idle)))
                .hint("see whether it hangs; if it is only slow, raise the source's `idle_timeout`"),
        )
    }
}

impl Failed {
    fn of(error: Error) -> Self {
        Failed::Finally(error)
    }
}

fn unforeseen(error: impl std::error::Error + Send + Sync + 'static) -> Failed {
    Failed::Finally(Error::internal("a header could not be written").because(error))
}

/// Plain text stays on this machine, unless the source says that it may not.
fn check_options(source: &Source, base: &Url) -> Result<()> {
    let mut allowed = false;
    for (name, value) in &source.access.options {
        match (name.as_str(), value) {
            ("allow_http", Setting::Plain(text)) => allowed = text == "true",
            _ => {
                return Err(Error::config(format!("unknown option \"{name}\" of a REST interface"))
                    .hint("known options: allow_http"));
            }
        }
    }
    let loopback = base.host_str().is_some_and(is_loopback);
    match base.scheme() == "http" && !loopback && !allowed {
        true => Err(Error::config("the source would be read over plain http")
            .hint("use https, or set allow_http = \"true\" in the source's options")),
        false => Ok(()),
    }
}

/// The error about a request that was not answered.
fn unreached(error: reqwest::Error) -> Failed {
    let unsent = error.is_connect();
    let cause = told(error);
    // The same certificate comes again.
    if let Some((_, why)) = cause.split_once("invalid peer certificate: ") {
        return Failed::Finally(
            Error::source(format!("the server's certificate is not accepted: {why}"))
                .hint("`ca` of the source names the authority that signs it")
                .because(cause.clone()),
        );
    }
    let error =
        Error::source(if unsent { "the source cannot be reached" } else { "the source did not answer" })
            .hint("see whether it runs and can be reached from here: its `address`")
            .because(cause);
    Failed::Again { error, after: None, unsent }
}

/// The error about an answer that is none.
fn refused(status: StatusCode, headers: &HeaderMap) -> Failed {
    let error = Error::source(format!("the source answered {status}"));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failed::Finally(
            Error::source(format!("the source refused who asks: {status}"))
                .hint("see [sources.<name>.auth], and what its user may read"),
        ),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            Failed::Finally(error.hint("see the `address` of the source and the `path` of the entity"))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => again(error, headers),
        status if status.is_server_error() => again(error, headers),
        _ => Failed::Finally(error.hint("see `path`, `query` and `paging` of the entity")),
    }
}

fn again(error: Error, headers: &HeaderMap) -> Failed {
    let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()).and_then(patience);
    let hint = match after.filter(|after| *after > MOST_PATIENCE) {
        Some(after) => format!("it wishes to be asked again in {}", humantime::format_duration(after)),
        None => "it has too much to do, or a fault of its own; a later pull asks again".into(),
    };
    Failed::Again { error: error.hint(hint), after, unsent: false }
}

/// The time of a header `Retry-After`: seconds, or a date.
fn patience(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

/// Whether an answer says that it is a page for people.
pub(super) fn is_page_for_people(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().contains("html")
}

/// An error of the client with its causes, without the address: that may hold a key.
pub(super) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_seconds_or_a_date() {
        assert_eq!(patience("17"), Some(Duration::from_secs(17)));
        assert_eq!(patience("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon =
            (Utc::now() + chrono::TimeDelta::seconds(90)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let wait = patience(&soon).unwrap();
        assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(90), "{wait:?}");
        assert_eq!(patience("soon"), None);
    }
}
