//! Sessions: what the calls of one log-in share, which is the release that they read.
//!
//! A session belongs to the bearer token, because most clients send nothing else; for clients
//! that keep cookies, to the cookie that they got when they logged in.

use super::{Service, status};
use crate::release::as_of::{self, Pin};
use crate::serve::statement::{Asker, Request, Statement};
use crate::serve::wire::Types;
use arrow_flight::PutResult;
use arrow_flight::sql::DoPutUpdateResult;
use chrono::{DateTime, Utc};
use prost::Message;
use tonic::Status;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// The cookie's name, which Arrow's own servers use.
const COOKIE: &str = "arrow_flight_session_id";
/// The header that pins one call to an instant.
const HEADER: &str = "x-muster-as-of";
/// The header with which a client says that it reads views.
const VIEWS: &str = "x-muster-views";

/// One call: who makes it, and which release it reads.
#[derive(Debug)]
pub(super) struct Call {
    /// Who.
    pub(super) asker: Asker,
    /// What is read: the header's, or else the session's.
    pub(super) pin: Pin,
    /// Whether a header of this call says what is read.
    pub(super) is_pinned: bool,
    /// The types that the client takes.
    pub(super) types: Types,
    /// Where the session's options are kept.
    pub(super) session: Session,
}

impl Call {
    /// A text without parameters, over what the call reads.
    pub(super) fn request(&self, text: impl Into<String>) -> Request {
        Request { pin: self.pin, types: self.types, ..Request::text(text) }
    }
}

/// The key of a session.
#[derive(Debug)]
pub(super) enum Session {
    /// A bearer token.
    Token(Vec<u8>),
    /// A cookie.
    Cookie(Vec<u8>),
}

/// The session in the cookies of a call.
pub(super) fn cookie(headers: &MetadataMap) -> Option<&str> {
    let texts = headers.get_all("cookie").into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.trim_matches('"'))
}

/// The header that gives `session` to a client.
pub(super) fn set_cookie(session: &str) -> Result<AsciiMetadataValue, Status> {
    AsciiMetadataValue::try_from(format!("{COOKIE}={session}"))
        .map_err(|_| Status::internal("the session cannot be sent"))
}

/// The instant in the header of a call. One that cannot be read is an error: the call would
/// otherwise be answered from today's release.
pub(super) fn header(headers: &MetadataMap) -> Result<Option<DateTime<Utc>>, Status> {
    let mut values = headers.get_all(HEADER).into_iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text =
                value.to_str().map_err(|_| Status::invalid_argument(format!("{HEADER} is not text")))?;
            as_of::instant(text).map(Some).map_err(status)
        }
        (Some(_), Some(_)) => Err(Status::invalid_argument(format!("{HEADER} was sent more than once"))),
    }
}

/// The types that a client takes: more than the plain ones only when it says so.
pub(super) fn types(headers: &MetadataMap) -> Types {
    match headers.get(VIEWS).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
        true => Types::Views,
        false => Types::Plain,
    }
}

impl Service {
    /// Applies what a statement sets to the session of `call`, before the client learns that it
    /// was planned: some send the next statement without fetching the answer.
    pub(super) async fn apply(&self, call: &Call, planned: &Statement) -> Result<(), Status> {
        let Some(pin) = planned.sets() else { return Ok(()) };
        self.settle(call, pin)?;
        planned.has_taken_effect(&call.asker.peer).await.map_err(status)
    }

    /// Makes `pin` what the session of `call` reads.
    pub(super) fn settle(&self, call: &Call, pin: Pin) -> Result<(), Status> {
        match call.is_pinned {
            false => self.gate.set(call, pin),
            true => {
                Err(Status::failed_precondition(format!("the header {HEADER} already says what is read")))
            }
        }
    }

    /// Runs a statement that a client takes for one that writes: only what is set can be.
    pub(super) async fn update(&self, call: &Call, text: &str) -> Result<PutResult, Status> {
        let planned = Statement::plan(&self.desk, &call.asker, call.request(text));
        let planned = planned.await.map_err(status)?;
        if planned.sets().is_none() {
            return Err(Status::invalid_argument("not an update: send it as a query"));
        }
        self.apply(call, &planned).await?;
        let result = DoPutUpdateResult { record_count: 0 };
        Ok(PutResult { app_metadata: result.encode_to_vec().into() })
    }
}
