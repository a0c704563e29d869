//! Arrow Flight SQL: what ADBC, JDBC, ODBC and Power BI speak.
//!
//! The calls of the protocol are answered here and handed on by command; `arrow-flight`'s own
//! `FlightSqlService` is not used because it answers `GetSchema` and `PollFlightInfo` for everyone
//! with "unimplemented".

mod actions;
mod auth;
mod backoff;
mod cancel;
mod envelope;
mod messages;
mod metadata;
mod options;
mod prepared;
mod session;
mod shelf;
mod sql_info;
mod statements;

use crate::error::{Error, Kind, Result};
use crate::hub::Hub;
use crate::serve::desk::Desk;
use crate::serve::statement::Statement;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use auth::Gate;
use bytes::Bytes;
use cancel::{Announced, Running};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use prepared::Prepared;
use session::Call;
use shelf::Shelf;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

/// A ticket that is not redeemed for this long is forgotten; its release may be gone by then.
const TICKET_IDLE: Duration = Duration::from_secs(600);
const TICKETS_PER_USER: usize = 128;
/// A prepared statement that is not used for this long is forgotten.
const PREPARED_IDLE: Duration = Duration::from_secs(3600);
const PREPARED_PER_USER: usize = 256;

/// The Flight SQL service of one hub.
pub struct Service {
    hub: Arc<Hub>,
    gate: Gate,
    desk: Arc<Desk>,
    tickets: Shelf<Arc<Announced>>,
    running: Running,
    prepared: Shelf<Prepared>,
    sql_info: SqlInfoData,
    types: XdbcTypeInfoData,
}

impl Service {
    /// A service without log-ins, tickets or prepared statements.
    pub fn new(desk: Arc<Desk>) -> Result<Self> {
        let hub = Arc::clone(desk.hub());
        Ok(Self {
            gate: Gate::new(Arc::clone(&hub))?,
            hub,
            desk,
            tickets: Shelf::new(TICKET_IDLE, TICKETS_PER_USER),
            running: Running::default(),
            prepared: Shelf::new(PREPARED_IDLE, PREPARED_PER_USER),
            sql_info: sql_info::facts()?,
            types: sql_info::types()?,
        })
    }

    async fn info(&self, call: &Call, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        use arrow_flight::sql::Command::{CommandPreparedStatementQuery, CommandStatementQuery};
        match envelope::command(&descriptor.cmd)? {
            CommandStatementQuery(query) => self.statement_info(call, query, descriptor).await,
            CommandPreparedStatementQuery(query) => self.prepared_info(call, query, descriptor).await,
            command => self.metadata_info(&command, descriptor),
        }
    }

    /// The columns of an answer, as an IPC message: without a ticket, because nobody asked for one.
    async fn columns(&self, call: &Call, descriptor: FlightDescriptor) -> Result<Bytes, Status> {
        use arrow_flight::sql::Command::{CommandPreparedStatementQuery, CommandStatementQuery};
        let request = match envelope::command(&descriptor.cmd)? {
            CommandStatementQuery(query) => statements::request(call, query)?,
            CommandPreparedStatementQuery(query) => self.prepared_request(call, &query)?,
            command => return Ok(self.metadata_info(&command, descriptor)?.schema),
        };
        let planned = Statement::plan(&self.desk, &call.asker, request).await.map_err(status)?;
        prepared::ipc(&planned.schema())
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let auth::LogIn { token, cookie } = self.gate.handshake(&request).await?;
        let header = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Status::internal("the token cannot be sent"))?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response = Response::new(stream::iter([Ok(answer)]).boxed());
        response.metadata_mut().insert("authorization", header);
        response.metadata_mut().insert("set-cookie", session::set_cookie(&cookie)?);
        Ok(response)
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.gate.call(&request).await?;
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let call = self.gate.call(&request).await?;
        Ok(Response::new(self.info(&call, request.into_inner()).await?))
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let call = self.gate.call(&request).await?;
        let info = self.info(&call, request.into_inner()).await?;
        let expiration_time = info.endpoint.first().and_then(|endpoint| endpoint.expiration_time);
        // Complete at once: without a descriptor the client has nothing left to poll.
        let polled = PollInfo { info: Some(info), progress: Some(1.0), flight_descriptor: None, expiration_time };
        Ok(Response::new(polled))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let call = self.gate.call(&request).await?;
        Ok(Response::new(SchemaResult { schema: self.columns(&call, request.into_inner()).await? }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let deadline = cancel::deadline(request.metadata());
        let call = self.gate.call(&request).await?;
        let stream = match envelope::command(&request.get_ref().ticket)? {
            arrow_flight::sql::Command::TicketStatementQuery(ticket) => {
                self.redeem(&call, &ticket, deadline).await?
            }
            command => self.metadata(&call, command).await?,
        };
        Ok(Response::new(stream))
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        let call = self.gate.call(&request).await?;
        let result = self.put(&call, request.into_inner()).await?;
        Ok(Response::new(stream::iter([Ok(result)]).boxed()))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.gate.call(&request).await?;
        Err(read_only("exchange"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let call = match self.gate.call(&request).await {
            Ok(call) => call,
            // A driver closes what it prepared after its log-in has ended, and cannot stand an error.
            Err(_) if actions::never_fails(request.get_ref()) => {
                return Ok(Response::new(stream::empty().boxed()));
            }
            Err(refused) => return Err(refused),
        };
        let result = self.act(&call, request.into_inner()).await?;
        Ok(Response::new(stream::iter(result.map(Ok)).boxed()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        self.gate.call(&request).await?;
        Ok(Response::new(stream::iter(actions::all().map(Ok)).boxed()))
    }
}

/// The answer to everything that would write, however it is sent.
fn read_only(what: &str) -> Status {
    Status::invalid_argument(format!("'{what}' is not allowed: the hub is read-only"))
}

/// What a client is told of an error. Only errors of the caller's own making keep their text.
fn status(error: Error) -> Status {
    let text = match error.advice() {
        Some(hint) => format!("{error} (hint: {hint})"),
        None => error.to_string(),
    };
    match error.kind() {
        Kind::Query => Status::invalid_argument(text),
        Kind::Auth => Status::permission_denied(text),
        Kind::Busy => Status::unavailable(text),
        _ => {
            tracing::error!(%error, cause = ?std::error::Error::source(&error), "call failed");
            Status::internal("the hub could not answer; its log has the reason")
        }
    }
}
