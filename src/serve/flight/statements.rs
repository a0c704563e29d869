//! Statements: planned and announced by `GetFlightInfo`, run by `DoGet`.

use super::session::Call;
use super::{Service, TICKET_IDLE, envelope, status};
use crate::error::Result;
use crate::serve::statement::{Request, Rows, Statement};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, TicketStatementQuery};
use arrow_flight::{FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

/// The size aimed at for a message. Clients refuse more than 4 MiB, and a batch whose texts are
/// uneven is cut into messages that are uneven too.
const MESSAGE_BYTES: usize = 1 << 20;

/// How long a statement may run, the time that its client takes to read included.
const LIMIT: Duration = Duration::from_secs(600);

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
        let handle = self.tickets.put(&call.asker.principal.name, Arc::new(planned));
        let ticket = envelope::pack(&TicketStatementQuery { statement_handle: handle });
        let mut info = info(&schema, ticket, descriptor)?;
        let expires = chrono::Utc::now().timestamp().saturating_add_unsigned(TICKET_IDLE.as_secs());
        for endpoint in &mut info.endpoint {
            endpoint.expiration_time.get_or_insert_default().seconds = expires;
        }
        Ok(info)
    }

    /// Runs the statement behind a ticket. The ticket is good for the one who got it, whose roles
    /// must still be what they were when the plan was made.
    pub(super) async fn redeem(
        &self,
        call: &Call,
        ticket: &TicketStatementQuery,
    ) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
        let planned = self.tickets.get(&call.asker.principal.name, &ticket.statement_handle);
        let planned = planned.filter(|planned| planned.is_for(&call.asker.principal)).ok_or_else(|| {
            Status::not_found("the ticket is unknown or has expired; send the statement again")
        })?;
        let rows = planned.run_within(&call.asker.peer, LIMIT).await.map_err(status)?;
        Ok(encode(planned.schema(), rows))
    }
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

/// The messages for `rows`: the schema first, even when no row follows. Rows are read as the
/// client takes messages, so a slow client holds one batch and a client that leaves ends the run.
pub(super) fn encode(schema: SchemaRef, rows: Rows) -> BoxStream<'static, Result<FlightData, Status>> {
    let rows = rows.map_err(|error| FlightError::Tonic(Box::new(status(error))));
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_max_flight_data_size(MESSAGE_BYTES)
        .build(rows)
        .map_err(Status::from)
        .boxed()
}
