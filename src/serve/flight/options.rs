//! The options of a session, of which there is one: `muster.as_of`.
//!
//! `arrow-flight` does not have these messages; they are declared here as in Arrow's
//! `Flight.proto`.

use super::session::Call;
use super::{Service, status};
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
/// Options that drivers set and read, whose only value is the one that the hub has anyway.
const FIXED: [(&str, &str); 2] = [("catalog", "muster"), ("schema", "conformed")];

/// The actions of sessions.
pub(super) fn actions() -> [ActionType; 3] {
    [
        (SET, "Sets options of the session: muster.as_of."),
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
        let mut pin = None;
        for (name, Value { value }) in request.session_options {
            let fixed = FIXED.iter().find(|(fixed, _)| *fixed == name);
            match (name.as_str(), value) {
                (AS_OF, None) => pin = Some(Pin::Newest),
                (AS_OF, Some(Kind::Text(text))) if text.is_empty() => pin = Some(Pin::Newest),
                (AS_OF, Some(Kind::Text(text))) => {
                    let instant = as_of::instant(&text).map_err(status)?;
                    pin = Some(Pin::AsOf(as_of::current(&self.hub.lake, instant).await.map_err(status)?));
                }
                (_, Some(Kind::Text(text))) if fixed.is_some_and(|(_, only)| *only == text) => {}
                _ => {
                    let known = name == AS_OF || fixed.is_some();
                    let reason = if known { Reason::InvalidValue } else { Reason::InvalidName };
                    errors.insert(name, Problem { reason: reason.into() });
                }
            }
        }
        if let (Some(pin), true) = (pin, errors.is_empty()) {
            self.settle(call, pin)?;
        }
        Ok(SetSessionOptionsResult { errors }.encode_to_vec().into())
    }

    /// The options of the session, as they are for this call.
    pub(super) fn get_options(&self, call: &Call) -> Bytes {
        let mut options: HashMap<_, _> = FIXED.map(|(name, only)| (name.to_string(), only.into())).into();
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
