//! Prepared statements: a text and, later, values for its parameters, under a handle.

use super::{Service, envelope, status};
use crate::error::Result;
use crate::serve::statement::{Asker, Request, Statement};
use crate::serve::wire;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Command, CommandPreparedStatementQuery,
    DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, FlightData, FlightDescriptor, FlightInfo, IpcMessage, PutResult, SchemaAsIpc,
};
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::ipc::writer::IpcWriteOptions;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use tonic::{Status, Streaming};

const CREATE: &str = "CreatePreparedStatement";
const CLOSE: &str = "ClosePreparedStatement";

/// The most parameter values that one binding may carry.
const MAX_VALUES: usize = 100_000;

/// A text that may run many times, each time over the newest release.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    text: Arc<str>,
    /// The bound values. They stay under the handle that the client got first: the C++ client,
    /// and so ODBC, ignores the handle that binding returns.
    rows: Arc<Vec<Vec<ScalarValue>>>,
}

/// The actions that the service offers.
pub(super) fn actions() -> [ActionType; 2] {
    let describe =
        |name: &str, description: &str| ActionType { r#type: name.into(), description: description.into() };
    [describe(CREATE, "Keeps a statement under a handle."), describe(CLOSE, "Forgets a statement.")]
}

impl Service {
    /// Answers an action.
    pub(super) async fn act(
        &self,
        asker: &Asker,
        action: Action,
    ) -> Result<Option<arrow_flight::Result>, Status> {
        match action.r#type.as_str() {
            CREATE => self.prepare(asker, envelope::message(&action.body)?).await.map(Some),
            CLOSE => {
                // Never fails: the ODBC driver closes in a destructor.
                if let Ok(close) = envelope::message::<ActionClosePreparedStatementRequest>(&action.body) {
                    self.prepared.remove(&asker.principal.name, &close.prepared_statement_handle);
                }
                Ok(None)
            }
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => {
                Err(Status::unimplemented("transactions are not offered: the hub is read-only"))
            }
            _ => Err(Status::unimplemented("this action is not offered")),
        }
    }

    async fn prepare(
        &self,
        asker: &Asker,
        request: ActionCreatePreparedStatementRequest,
    ) -> Result<arrow_flight::Result, Status> {
        if request.transaction_id.is_some() {
            return Err(Status::unimplemented("transactions are not offered: the hub is read-only"));
        }
        let planned = Statement::plan(Arc::clone(&self.hub), asker, Request::text(request.query.as_str()));
        let planned = planned.await.map_err(status)?;
        let prepared = Prepared { text: request.query.into(), rows: Arc::default() };
        let result = ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.prepared.put(&asker.principal.name, prepared),
            dataset_schema: ipc(&planned.schema())?,
            parameter_schema: ipc(&parameter_schema(planned.parameters()))?,
        };
        Ok(arrow_flight::Result { body: envelope::pack(&result) })
    }

    /// Plans a prepared statement with its values, over the release that is newest now.
    pub(super) async fn prepared_info(
        &self,
        asker: &Asker,
        query: CommandPreparedStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let prepared = self.find(asker, &query.prepared_statement_handle)?;
        let request = Request { rows: prepared.rows.to_vec(), ..Request::text(&*prepared.text) };
        self.announce(asker, request, descriptor).await
    }

    /// Takes parameter values; everything else that a client can put would write.
    pub(super) async fn put(
        &self,
        asker: &Asker,
        mut data: Streaming<FlightData>,
    ) -> Result<PutResult, Status> {
        let first = data.message().await?.ok_or_else(|| Status::invalid_argument("nothing was sent"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor =
            descriptor.ok_or_else(|| Status::invalid_argument("the first message has no command"))?;
        let Command::CommandPreparedStatementQuery(query) = envelope::command(&descriptor.cmd)? else {
            return Err(Status::invalid_argument("not allowed: the hub is read-only"));
        };
        let prepared = self.find(asker, &query.prepared_statement_handle)?;
        let rows = Arc::new(values(first, data).await?);
        let handle = query.prepared_statement_handle;
        self.prepared
            .replace(&asker.principal.name, &handle, Prepared { rows, ..prepared })
            .ok_or_else(unknown)?;
        let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
        Ok(PutResult { app_metadata: encode(&result) })
    }

    fn find(&self, asker: &Asker, handle: &[u8]) -> Result<Prepared, Status> {
        self.prepared.get(&asker.principal.name, handle).ok_or_else(unknown)
    }
}

fn unknown() -> Status {
    Status::not_found("the prepared statement is unknown or has expired; prepare it again")
}

/// Reads rows of parameter values.
async fn values(first: FlightData, rest: Streaming<FlightData>) -> Result<Vec<Vec<ScalarValue>>, Status> {
    let messages =
        stream::iter([Ok(first)]).chain(rest).map_err(|status| FlightError::Tonic(Box::new(status)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut rows = Vec::new();
    let mut count = 0;
    while let Some(batch) = batches.try_next().await? {
        count += batch.num_rows().saturating_mul(batch.num_columns().max(1));
        if count > MAX_VALUES {
            return Err(Status::invalid_argument(format!("more than {MAX_VALUES} parameter values")));
        }
        for row in 0..batch.num_rows() {
            rows.push(values_of(&batch, row)?);
        }
    }
    Ok(rows)
}

fn values_of(batch: &RecordBatch, row: usize) -> Result<Vec<ScalarValue>, Status> {
    let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
    values
        .collect::<Result<_, _>>()
        .map_err(|_| Status::invalid_argument("a parameter has a type that is not offered"))
}

/// The parameters as a schema: `1`, `2`, …
fn parameter_schema(parameters: &[DataType]) -> Schema {
    let fields = parameters.iter().enumerate().map(|(n, t)| Field::new((n + 1).to_string(), t.clone(), true));
    wire::schema(&Schema::new(fields.collect::<Vec<_>>())).as_ref().clone()
}

/// The schema as an IPC message: never empty, even for no fields, because clients crash on that.
fn ipc(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &options));
    message.map(|IpcMessage(bytes)| bytes).map_err(|_| Status::internal("the columns cannot be described"))
}

fn encode<M: ProstMessageExt>(message: &M) -> Bytes {
    message.encode_to_vec().into()
}
