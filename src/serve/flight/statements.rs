//! Statements: planned and announced by `GetFlightInfo`, run by `DoGet`.

use super::cancel::{Announced, Ends};
use super::messages::{self, Messages};
use super::session::Call;
use super::{Service, TICKET_IDLE, envelope, status};
use crate::error::Result;
use crate::policy::access::Grant;
use crate::serve::statement::{Request, Statement};
use arrow_flight::sql::{CommandStatementQuery, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use datafusion::arrow::datatypes::Schema;
use futures::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::Status;

/// How much longer its reader is waited for: a run looks at its limit only when it is asked for
/// rows.
const GRACE: Duration = Duration::from_secs(5);

impl Service {
    /// Plans a statement and keeps the plan under a ticket.
    pub(super) async fn statement_info(
        &self,
        call: &Call,
        query: CommandStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        self.announce(call, request(call, query)?, descriptor).await
    }

    /// Plans a request and keeps the plan under a ticket.
    pub(super) async fn announce(
        &self,
        call: &Call,
        request: Request,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let planned = Statement::plan(&self.desk, &call.asker, request).await.map_err(status)?;
        self.apply(call, &planned).await?;
        let schema = planned.schema();
        let owner = &call.asker.principal.name;
        let announced = Arc::new(Announced::new(planned));
        let handle = self.tickets.put(owner, Arc::clone(&announced));
        self.running.add(owner, &handle, &announced);
        let ticket = envelope::pack(&TicketStatementQuery { statement_handle: handle });
        let mut info = info(&schema, ticket, descriptor)?;
        info.endpoint.iter_mut().for_each(expire);
        Ok(info)
    }

    /// Runs the statement behind a ticket, until its last row or the `deadline` of the call.
    pub(super) async fn redeem(
        &self,
        call: &Call,
        ticket: &TicketStatementQuery,
        deadline: Option<Instant>,
    ) -> Result<Messages, Status> {
        let announced = self.announced(call, ticket)?;
        let limit = self.hub.project.hub.limits.timeout;
        let ends = Ends::of(&announced, deadline, limit + GRACE);
        let rows = tokio::select! {
            biased;
            ended = ends.reached() => return Err(ended),
            begun = announced.statement.run_within(&call.asker.peer, limit) => begun.map_err(status)?,
        };
        let mut grant = Grant::new(Arc::clone(&self.gate.access), call.asker.principal.clone());
        let messages = messages::encode(announced.statement.schema(), rows);
        let messages = messages.map(move |message| match grant.stands() {
            true => message,
            false => {
                Err(Status::permission_denied("what you may read has changed; send the statement again"))
            }
        });
        Ok(messages::send(messages.boxed(), ends, announced))
    }

    /// What a ticket announced. It is good for the one who got it, whose roles must still be what
    /// they were when the plan was made.
    pub(super) fn announced(
        &self,
        call: &Call,
        ticket: &TicketStatementQuery,
    ) -> Result<Arc<Announced>, Status> {
        let principal = &call.asker.principal;
        let found = self.tickets.get(&principal.name, &ticket.statement_handle);
        found.filter(|announced| announced.statement.is_for(principal)).ok_or_else(unknown)
    }
}

/// The answer to a ticket that is not the caller's, or nobody's.
pub(super) fn unknown() -> Status {
    Status::not_found("the ticket is unknown or has expired; send the statement again")
}

/// Says of an endpoint when its ticket will be forgotten, used from now on by nobody.
pub(super) fn expire(endpoint: &mut FlightEndpoint) {
    let expires = chrono::Utc::now().timestamp().saturating_add_unsigned(TICKET_IDLE.as_secs());
    endpoint.expiration_time.get_or_insert_default().seconds = expires;
}

/// The request in a command.
pub(super) fn request(call: &Call, query: CommandStatementQuery) -> Result<Request, Status> {
    match query.transaction_id {
        None => Ok(call.request(query.query)),
        Some(_) => Err(Status::unimplemented("transactions are not offered: the hub is read-only")),
    }
}

/// What a client needs to fetch an answer of `schema`: one endpoint, at the server that it
/// already talks to. The Arrow ODBC driver takes an empty list of locations for that, and nothing
/// else.
pub(super) fn info(
    schema: &Schema,
    ticket: Bytes,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .with_descriptor(descriptor)
        .with_endpoint(endpoint)
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(true);
    info.try_with_schema(schema).map_err(|_| Status::internal("the answer's columns cannot be described"))
}
