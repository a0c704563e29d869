//! Sessions: what the calls of one log-in share, which is the release that they read and the
//! schema of names that have none.
//!
//! A session belongs to the bearer token of a log-in, because most clients send nothing else; for
//! clients that keep cookies, to the cookie that they got when they logged in. A service token has
//! none of its own: the programs that share it must not change what the others read.

use super::headers::Properties;
use super::{Service, status};
use crate::release::as_of::Pin;
use crate::serve::statement::{Asker, Request, Statement};
use arrow_flight::PutResult;
use arrow_flight::sql::DoPutUpdateResult;
use prost::Message;
use tonic::Status;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// The cookie's name, which Arrow's own servers use.
const COOKIE: &str = "arrow_flight_session_id";

/// One call: who makes it, and what it reads.
#[derive(Debug)]
pub(super) struct Call {
    /// Who.
    pub(super) asker: Asker,
    /// Which release is read: the header's, or else the session's.
    pub(super) pin: Pin,
    /// The schema of names that have none: the header's, or else the session's.
    pub(super) schema: Option<String>,
    /// What the headers of this call say.
    pub(super) headers: Properties,
    /// Where the session's options are kept.
    pub(super) session: Session,
    /// The session's options.
    pub(super) kept: Settings,
}

impl Call {
    /// A text without parameters, over what the call reads.
    pub(super) fn request(&self, text: impl Into<String>) -> Request {
        let (pin, schema, types) = (self.pin, self.schema.clone(), self.headers.types);
        Request { pin, schema, types, ..Request::text(text) }
    }
}

/// The key of a session.
#[derive(Debug)]
pub(super) enum Session {
    /// The bearer token of a log-in.
    Token(Vec<u8>),
    /// A cookie.
    Cookie(Vec<u8>),
    /// None: nothing is kept from one call to the next.
    None,
}

/// What a session keeps.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// Which release is read.
    pub(super) pin: Pin,
    /// The schema of names that have none, if it is not the usual one.
    pub(super) schema: Option<String>,
}

/// What a client changes of its session; `None` stays as it is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Which release is read.
    pub(super) pin: Option<Pin>,
    /// The schema of names that have none.
    pub(super) schema: Option<Option<String>>,
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

impl Service {
    /// Applies what a statement sets to the session of `call`, before the client learns that it
    /// was planned: some send the next statement without fetching the answer.
    pub(super) async fn apply(&self, call: &Call, planned: &Statement) -> Result<(), Status> {
        let Some(pin) = planned.sets() else { return Ok(()) };
        self.settle(call, Change { pin: Some(pin), ..Change::default() })?;
        planned.has_taken_effect(&call.asker.peer).await.map_err(status)
    }

    /// Makes `change` to the session of `call`.
    pub(super) fn settle(&self, call: &Call, change: Change) -> Result<(), Status> {
        let said = |header: &str| {
            Status::failed_precondition(format!("the header {header} already says what is read"))
        };
        match &call.headers {
            Properties { as_of: Some((header, _)), .. } if change.pin.is_some() => Err(said(header)),
            Properties { schema: Some(_), .. } if change.schema.is_some() => Err(said("schema")),
            _ => {
                let Settings { pin, schema } = call.kept.clone();
                let (pin, schema) = (change.pin.unwrap_or(pin), change.schema.unwrap_or(schema));
                self.gate.set(call, Settings { pin, schema })
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
