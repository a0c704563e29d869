//! What database servers have in common: how they are entered, and how their errors are told.

use crate::connector::cursor::INSTANT;
use crate::error::{Error, Result};
use crate::project::{Server, Source};
use chrono::{DateTime, NaiveDateTime, Utc};
use std::time::Duration;

/// A server that does not greet by then is down.
pub(super) const CONNECT: Duration = Duration::from_secs(30);

/// What an error of a server means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The user, the password or the client's address was refused.
    Refused,
    /// The user may not do this.
    Denied,
    /// The query was stopped for its time, or by somebody.
    Stopped,
    /// Somebody holds a lock on the table.
    Locked,
    /// The server ended the connection.
    Cut,
    /// A value broke the query; the server's message may show it, and so is not kept.
    Data,
    /// Anything else.
    Other,
}

/// What an error of a database says: its meaning and its code.
pub(super) type Judge = fn(&dyn sqlx::error::DatabaseError) -> (Fault, String);

/// A server, as errors speak of it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) source: Source,
    pub(super) server: Server,
    judge: Judge,
}

impl Host {
    pub(super) fn new(source: &Source, server: &Server, judge: Judge) -> Self {
        Self { source: source.clone(), server: server.clone(), judge }
    }

    /// Waits for a connection.
    pub(super) async fn entered<C>(
        &self,
        at: &str,
        connecting: impl Future<Output = sqlx::Result<C>>,
    ) -> Result<C> {
        let Server { host, port, .. } = &self.server;
        let limit = CONNECT.min(self.source.access.idle_timeout);
        let doing = format!("the server at {host}:{port} could not be entered");
        match tokio::time::timeout(limit, connecting).await {
            Ok(entered) => entered.map_err(|error| self.failed(at, &doing, error)),
            Err(_) => Err(Error::source(doing).at(at).hint(format!(
                "it did not answer within {}; see whether it runs and can be reached from here",
                humantime::format_duration(limit)
            ))),
        }
    }

    /// The password, if the source has one.
    pub(super) fn password(&self, at: &str) -> Result<String> {
        match &self.source.access.password {
            Some(secret) => secret.read().map_err(|error| error.at(at)),
            None => Ok(String::new()),
        }
    }

    /// The server's clock, which it `said` in UTC.
    pub(super) fn clock(&self, said: &str) -> Result<DateTime<Utc>> {
        let read = NaiveDateTime::parse_from_str(said, INSTANT).map(|said| said.and_utc());
        read.map_err(|error| {
            Error::source("the server's clock cannot be read").at(&self.source.name).because(error)
        })
    }

    /// The error about `doing`, a fragment that says what could not be done.
    pub(super) fn failed(&self, at: &str, doing: &str, error: sqlx::Error) -> Error {
        let Server { host, port, user, database } = &self.server;
        let (fault, cause) = match error {
            sqlx::Error::Database(error) => {
                let (fault, code) = (self.judge)(error.as_ref());
                let cause = match fault {
                    Fault::Data => format!("error {code} of the server"),
                    _ => format!("error {code} of the server: {}", error.message()),
                };
                (fault, cause)
            }
            sqlx::Error::Io(error) => (Fault::Cut, error.to_string()),
            error => (Fault::Other, error.to_string()),
        };
        let limit = humantime::format_duration(self.source.access.timeout);
        let hint = match fault {
            Fault::Refused => format!(
                "the server refused user '{user}' for database '{database}'; \
                 see `address` and `password` of the source"
            ),
            Fault::Denied => format!("user '{user}' needs the right to select"),
            Fault::Stopped => {
                format!("the query was stopped, by somebody or after the source's `timeout` of {limit}")
            }
            Fault::Locked => "somebody works on the table; a later pull takes it".into(),
            Fault::Cut => format!("the connection to {host}:{port} was cut or never came about"),
            Fault::Data => "a value of the table breaks a view or a conversion of the server".into(),
            Fault::Other => format!("see whether database '{database}' at {host}:{port} can be read"),
        };
        Error::source(doing).at(at).hint(hint).because(cause)
    }
}
