//! What ends a statement before its last row: its owner, who cancels it by the `FlightInfo` that
//! announced it, or the deadline of the call that reads it.

use super::session::Call;
use super::{Service, envelope, shelf, statements};
use crate::serve::statement::Statement;
use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, Command, TicketStatementQuery};
use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint, FlightInfo,
    RenewFlightEndpointRequest,
};
use bytes::Bytes;
use prost::Message;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// Cancels a statement.
pub(super) const CANCEL: &str = "CancelFlightInfo";
/// The same as older clients ask for it.
pub(super) const CANCEL_QUERY: &str = "CancelQuery";
/// Keeps a ticket for longer.
pub(super) const RENEW: &str = "RenewFlightEndpoint";

/// These actions, for the list of all.
pub(super) const ACTIONS: [(&str, &str); 3] = [
    (CANCEL, "Ends a statement that runs or waits, and forgets its ticket."),
    (CANCEL_QUERY, "The same as CancelFlightInfo, for older clients."),
    (RENEW, "Keeps the ticket of an endpoint for longer."),
];

/// A statement that has been announced to a client.
#[derive(Debug)]
pub(super) struct Announced {
    /// The plan.
    pub(super) statement: Statement,
    /// Tells every run of it to end.
    stop: CancellationToken,
}

impl Announced {
    /// A statement that nobody has cancelled.
    pub(super) fn new(statement: Statement) -> Self {
        Self { statement, stop: CancellationToken::new() }
    }
}

/// The statements that wait for their reader or have one, by ticket. A ticket can be pushed off
/// its shelf by others while its statement still runs, so they are found here.
#[derive(Debug, Default)]
pub(super) struct Running {
    announced: Mutex<HashMap<[u8; 32], Owned>>,
}

#[derive(Debug)]
struct Owned {
    owner: String,
    /// Alive as long as a shelf or a run holds the statement.
    announced: Weak<Announced>,
}

impl Running {
    /// Takes note of what `owner` may cancel by `handle`.
    pub(super) fn add(&self, owner: &str, handle: &[u8], announced: &Arc<Announced>) {
        let mut all = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| known.announced.strong_count() > 0);
        all.insert(shelf::hash(handle), Owned { owner: owner.into(), announced: Arc::downgrade(announced) });
    }

    /// Ends every run of the statement behind `handle`. False when there is none that is `owner`'s:
    /// nobody learns of another's statement.
    fn cancel(&self, owner: &str, handle: &[u8]) -> bool {
        let mut all = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        let key = shelf::hash(handle);
        let mine = all.get(&key).filter(|known| known.owner == owner);
        let Some(announced) = mine.and_then(|known| known.announced.upgrade()) else { return false };
        all.remove(&key);
        announced.stop.cancel();
        true
    }
}

/// What ends one run of a statement early.
pub(super) struct Ends {
    stop: CancellationToken,
    deadline: Option<Instant>,
    limit: Instant,
}

impl Ends {
    /// Ends a run of `announced` when its owner says so, at the `deadline` of the call, and after
    /// `limit`.
    pub(super) fn of(announced: &Announced, deadline: Option<Instant>, limit: Duration) -> Self {
        Self { stop: announced.stop.clone(), deadline, limit: Instant::now() + limit }
    }

    /// Completes when the run must end, with what its reader is told.
    pub(super) async fn reached(&self) -> Status {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Status::cancelled("the statement was cancelled"),
            () = at(self.deadline) => Status::deadline_exceeded("the deadline of the call has passed"),
            () = sleep_until(self.limit) => Status::deadline_exceeded(
                "the statement has run for longer than it may (hint: select fewer rows, or read the answer faster)",
            ),
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// When the client gives up, from the header that gRPC has for it. The transport looks at it only
/// until the answer begins.
pub(super) fn deadline(headers: &MetadataMap) -> Option<Instant> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    Instant::now().checked_add(timeout(text)?)
}

/// A timeout as gRPC writes it: at most eight digits and a unit.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

impl Service {
    /// Cancels the statement that a `FlightInfo` announced.
    pub(super) fn cancel_flight_info(&self, call: &Call, body: &Bytes) -> Result<Bytes, Status> {
        let request = CancelFlightInfoRequest::decode(body.clone()).map_err(|_| unreadable(CANCEL))?;
        let status = self.cancel(call, &request.info.unwrap_or_default())?;
        Ok(CancelFlightInfoResult { status: status.into() }.encode_to_vec().into())
    }

    /// The same in the words of before `CancelFlightInfo`.
    pub(super) fn cancel_query(&self, call: &Call, body: &Bytes) -> Result<Bytes, Status> {
        let request: ActionCancelQueryRequest = envelope::message(body)?;
        let info = FlightInfo::decode(request.info).map_err(|_| unreadable(CANCEL_QUERY))?;
        // The protocol gives the results of both actions the same numbers.
        let result = self.cancel(call, &info)?.into();
        Ok(envelope::pack(&ActionCancelQueryResult { result }))
    }

    fn cancel(&self, call: &Call, info: &FlightInfo) -> Result<CancelStatus, Status> {
        let [endpoint] = info.endpoint.as_slice() else { return Err(unreadable(CANCEL)) };
        let Some(ticket) = statement_of(endpoint)? else { return Ok(CancelStatus::NotCancellable) };
        let owner = &call.asker.principal.name;
        let is_known = self.running.cancel(owner, &ticket.statement_handle);
        self.tickets.remove(owner, &ticket.statement_handle);
        match is_known {
            true => Ok(CancelStatus::Cancelled),
            false => Err(statements::unknown()),
        }
    }

    /// Keeps the ticket of an endpoint for as long again as a new one.
    pub(super) fn renew(&self, call: &Call, body: &Bytes) -> Result<Bytes, Status> {
        let request = RenewFlightEndpointRequest::decode(body.clone()).map_err(|_| unreadable(RENEW))?;
        let mut endpoint = request.endpoint.ok_or_else(|| unreadable(RENEW))?;
        // The ticket of a listing does not expire.
        if let Some(ticket) = statement_of(&endpoint)? {
            self.announced(call, &ticket)?;
            statements::expire(&mut endpoint);
        }
        Ok(endpoint.encode_to_vec().into())
    }
}

/// The statement whose ticket an endpoint has; `None` for a listing's.
fn statement_of(endpoint: &FlightEndpoint) -> Result<Option<TicketStatementQuery>, Status> {
    let ticket =
        endpoint.ticket.as_ref().ok_or_else(|| Status::invalid_argument("the endpoint has no ticket"))?;
    match envelope::command(&ticket.ticket)? {
        Command::TicketStatementQuery(ticket) => Ok(Some(ticket)),
        Command::Unknown(_) => Err(statements::unknown()),
        _ => Ok(None),
    }
}

fn unreadable(action: &str) -> Status {
    Status::invalid_argument(format!("not the message that {action} takes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(timeout("10S"), Some(Duration::from_secs(10)));
        assert_eq!(timeout("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(timeout("7u"), Some(Duration::from_micros(7)));
        assert_eq!(timeout("7n"), Some(Duration::from_nanos(7)));
        assert_eq!(timeout("7M"), Some(Duration::from_secs(420)));
        for wrong in ["", "S", "10", "10s", "-1S", "+1S", "123456789S", "1é", "1 S"] {
            assert_eq!(timeout(wrong), None, "{wrong}");
        }
    }
}
