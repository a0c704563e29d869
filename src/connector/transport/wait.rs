//! Waiting for a server: no longer than agreed, and only while somebody wants the answer.

use crate::connector::transport::Outlet;
use crate::error::Error;
use crate::project::Source;
use std::time::Duration;
use tokio::time::Instant;

/// Why a read ends before the end of its table.
#[derive(Debug)]
pub(super) enum Stop {
    /// The extract was dropped.
    Unwanted,
    /// The table cannot be read.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// How long the source of one entity is waited for.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    at: String,
    outlet: Outlet,
    idle: Duration,
    whole: Duration,
    deadline: Instant,
}

impl Wait {
    /// Starts the clock of a read.
    pub(super) fn new(source: &Source, at: &str, outlet: &Outlet) -> Self {
        let (idle, whole) = (source.access.idle_timeout, source.access.timeout);
        Self { at: at.into(), outlet: outlet.clone(), idle, whole, deadline: Instant::now() + whole }
    }

    /// Waits for bytes that a working source sends at once.
    pub(super) async fn bytes<T>(&self, answer: impl Future<Output = T>) -> Result<T, Stop> {
        self.until((Instant::now() + self.idle).min(self.deadline), answer).await
    }

    /// Waits for an answer that the source may have to read a whole table for.
    pub(super) async fn answer<T>(&self, answer: impl Future<Output = T>) -> Result<T, Stop> {
        self.until(self.deadline, answer).await
    }

    async fn until<T>(&self, moment: Instant, answer: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            () = self.outlet.closed() => Err(Stop::Unwanted),
            () = tokio::time::sleep_until(moment) => Err(Stop::Failed(self.given_up())),
        }
    }

    fn given_up(&self) -> Error {
        let shown = humantime::format_duration;
        match Instant::now() < self.deadline {
            true => Error::source(format!("the source has sent nothing for {}", shown(self.idle)))
                .hint("it may be overloaded or locked; `idle_timeout` of the source sets the limit"),
            false => Error::source(format!("the table was not read within {}", shown(self.whole)))
                .hint("`timeout` of the source sets the limit"),
        }
        .at(&self.at)
    }
}
