//! The options of a session: `muster.as_of`, and the schema of names that have none.
//!
//! `arrow-flight` does not have these messages; they are declared here as in Arrow's
//! `Flight.proto`.

use super::session::{Call, Change};
use super::{Service, headers, status};
use crate::engine;
use crate::release::as_of::{self, Moment, Pin};
use arrow_flight::ActionType;
use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};
use std::collections::HashMap;
use tonic::Status;

/// Ends the session.
pub(super) const CLOSE: &str = "CloseSession";
/// Reads the options.
pub(super) const GET: &str = "GetSessionOptions";
/// Changes options.
pub(super) const SET: &str = "SetSessionOptions";

/// The instant whose release the session reads.
const AS_OF: &str = "muster.as_of";
/// The schema of names that have none.
const SCHEMA: &str = "schema";
/// What drivers set and read although there is only one.
const CATALOG: &str = "catalog";

/// The actions of sessions.
pub(super) fn actions() -> [ActionType; 3] {
    [
        (SET, "Sets options of the session: muster.as_of, schema."),
        (GET, "Reads the options of the session."),
        (CLOSE, "Ends the session."),
    ]
    .map(|(name, description)| ActionType { r#type: name.into(), description: description.into() })
}

impl Service {
    /// Sets options, all or none. An unknown name is reported in the answer; a wrong value is an
    /// error, which has room for the reason.
    pub(super) async fn set_options(&self, call: &Call, body: &Bytes) -> Result<Bytes, Status> {
        let request = SetSessionOptionsRequest::decode(body.clone()).map_err(|_| unreadable(SET))?;
        let mut errors = HashMap::new();
        let mut change = Change::default();
        for (name, Value { value }) in request.session_options {
            let text = match value {
                None => Some(String::new()),
                Some(Kind::Text(text)) => Some(text),
                Some(_) => None,
            };
            match (name.as_str(), text) {
                (AS_OF, Some(text)) if text.is_empty() => change.pin = Some(Pin::Newest),
                (AS_OF, Some(text)) => {
                    let instant = as_of::instant(&text).map_err(status)?;
                    let moment = as_of::current(&self.hub.lake, instant).await.map_err(status)?;
                    change.pin = Some(Pin::AsOf(moment));
                }
                (SCHEMA, Some(text)) if text.is_empty() => change.schema = Some(None),
                (SCHEMA, Some(text)) => change.schema = Some(Some(headers::schema(&text)?)),
                (CATALOG, Some(text)) if text.eq_ignore_ascii_case(engine::CATALOG) => {}
                (known, _) => {
                    let is_known = [AS_OF, SCHEMA, CATALOG].contains(&known);
                    let reason = if is_known { Reason::InvalidValue } else { Reason::InvalidName };
                    errors.insert(name, Problem { reason: reason.into() });
                }
            }
        }
        if errors.is_empty() && change != Change::default() {
            self.settle(call, change)?;
        }
        Ok(SetSessionOptionsResult { errors }.encode_to_vec().into())
    }

    /// The options of the session, as they are for this call.
    pub(super) fn get_options(&self, call: &Call) -> Bytes {
        let schema = call.schema.as_deref().unwrap_or(engine::SCHEMA);
        let mut options: HashMap<_, Value> = HashMap::new();
        options.insert(CATALOG.to_string(), engine::CATALOG.into());
        options.insert(SCHEMA.to_string(), schema.into());
        if let Pin::AsOf(Moment { instant, .. }) = call.pin {
            options.insert(AS_OF.to_string(), as_of::shown(instant).into());
        }
        GetSessionOptionsResult { session_options: options }.encode_to_vec().into()
    }

    /// Ends the session.
    pub(super) fn close_session(&self, call: &Call) -> Bytes {
        self.gate.close(call);
        CloseSessionResult { status: Ending::Closed.into() }.encode_to_vec().into()
    }
}

fn unreadable(action: &str) -> Status {
    Status::invalid_argument(format!("not the message that {action} takes"))
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5")]
    value: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

#[derive(Clone, PartialEq, Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value { value: Some(Kind::Text(text)) }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        text.to_string().into()
    }
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, Problem>,
}

#[derive(Clone, PartialEq, Message)]
struct Problem {
    #[prost(enumeration = "Reason", tag = "1")]
    reason: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
enum Reason {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Other = 3,
}

#[derive(Clone, PartialEq, Message)]
struct CloseSessionResult {
    #[prost(enumeration = "Ending", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
enum Ending {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}
