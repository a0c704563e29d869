//! Prepared statements: a text and, later, values for its parameters, under a handle.

use super::session::Call;
use super::{Service, actions, envelope, read_only, status};
use crate::error::Result;
use crate::serve::statement::{Request, Statement};
use crate::serve::wire;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, Command, CommandPreparedStatementQuery,
    DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor, FlightInfo, IpcMessage, PutResult, SchemaAsIpc};
use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::ipc::root_as_message;
use datafusion::arrow::ipc::writer::IpcWriteOptions;
use datafusion::scalar::ScalarValue;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use std::sync::Arc;
use tonic::{Status, Streaming};

/// Prepares a statement.
pub(super) const CREATE: &str = "CreatePreparedStatement";
/// Forgets one.
pub(super) const CLOSE: &str = "ClosePreparedStatement";

/// These actions, for the list of all.
pub(super) const ACTIONS: [(&str, &str); 2] =
    [(CREATE, "Keeps a statement under a handle."), (CLOSE, "Forgets a statement.")];

/// The most parameter values that one binding may carry.
const MAX_VALUES: usize = 100_000;
/// The most memory that the values of one binding may take.
const MAX_VALUES_BYTES: usize = 16 << 20;
/// What a client may send to bind them.
const MAX_RECEIVED_BYTES: usize = 8 << 20;
const MAX_MESSAGES: usize = 1000;

/// A text that may run many times, each time over what its session then reads.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    text: Arc<str>,
    /// The bound values. They stay under the handle that the client got first: the C++ client,
    /// and so ODBC, ignores the handle that binding returns.
    rows: Arc<Vec<Vec<ScalarValue>>>,
}

impl Service {
    /// Keeps a statement under a handle that only the caller can use.
    pub(super) async fn prepare(
        &self,
        call: &Call,
        request: ActionCreatePreparedStatementRequest,
    ) -> Result<Bytes, Status> {
        if request.transaction_id.is_some() {
            return Err(Status::unimplemented("transactions are not offered: the hub is read-only"));
        }
        let text = call.request(request.query.as_str());
        let planned = Statement::plan(&self.desk, &call.asker, text);
        let planned = planned.await.map_err(status)?;
        let prepared = Prepared { text: request.query.into(), rows: Arc::default() };
        let created = Created {
            prepared_statement_handle: self.prepared.put(&call.asker.principal.name, prepared),
            dataset_schema: ipc(&planned.schema())?,
            parameter_schema: ipc(&parameter_schema(planned.parameters()))?,
            is_update: Some(false),
        };
        Ok(envelope::pack(&created))
    }

    /// Forgets a statement, if there is one to forget.
    pub(super) fn close_prepared(&self, call: &Call, body: &Bytes) {
        if let Ok(close) = envelope::message::<ActionClosePreparedStatementRequest>(body) {
            self.prepared.remove(&call.asker.principal.name, &close.prepared_statement_handle);
        }
    }

    /// Plans a prepared statement with its values, over what the session reads now.
    pub(super) async fn prepared_info(
        &self,
        call: &Call,
        query: CommandPreparedStatementQuery,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        let request = self.prepared_request(call, &query)?;
        self.announce(call, request, descriptor).await
    }

    /// A prepared statement with its values.
    pub(super) fn prepared_request(
        &self,
        call: &Call,
        query: &CommandPreparedStatementQuery,
    ) -> Result<Request, Status> {
        let prepared = self.find(call, &query.prepared_statement_handle)?;
        Ok(Request { rows: prepared.rows.to_vec(), ..call.request(&*prepared.text) })
    }

    /// Takes parameter values, and what a client takes for an update; everything else that can be
    /// put would write.
    pub(super) async fn put(
        &self,
        call: &Call,
        mut data: Streaming<FlightData>,
    ) -> Result<PutResult, Status> {
        let first = data.message().await?.ok_or_else(|| Status::invalid_argument("nothing was sent"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor =
            descriptor.ok_or_else(|| Status::invalid_argument("the first message has no command"))?;
        let query = match envelope::command(&descriptor.cmd)? {
            Command::CommandPreparedStatementQuery(query) => query,
            Command::CommandStatementUpdate(update) => return self.update(call, &update.query).await,
            Command::CommandPreparedStatementUpdate(update) => {
                let prepared = self.find(call, &update.prepared_statement_handle)?;
                return self.update(call, &prepared.text).await;
            }
            Command::CommandStatementSubstraitPlan(_) => return Err(actions::no_substrait()),
            Command::CommandStatementIngest(_) => return Err(read_only("ingest")),
            _ => return Err(read_only("put")),
        };
        let prepared = self.find(call, &query.prepared_statement_handle)?;
        let rows = Arc::new(values(first, data).await?);
        let handle = query.prepared_statement_handle;
        self.prepared
            .replace(&call.asker.principal.name, &handle, Prepared { rows, ..prepared })
            .ok_or_else(unknown)?;
        let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
        Ok(PutResult { app_metadata: result.encode_to_vec().into() })
    }

    fn find(&self, call: &Call, handle: &[u8]) -> Result<Prepared, Status> {
        self.prepared.get(&call.asker.principal.name, handle).ok_or_else(unknown)
    }
}

/// `ActionCreatePreparedStatementResult` with the field that `arrow-flight` does not have yet.
#[derive(Clone, PartialEq, Message)]
struct Created {
    #[prost(bytes = "bytes", tag = "1")]
    prepared_statement_handle: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    parameter_schema: Bytes,
    /// Said aloud: every statement answers with rows, `set muster.as_of` too, so that a driver
    /// which knows only queries can send it.
    #[prost(bool, optional, tag = "4")]
    is_update: Option<bool>,
}

impl ProstMessageExt for Created {
    fn type_url() -> &'static str {
        ActionCreatePreparedStatementResult::type_url()
    }

    fn as_any(&self) -> Any {
        Any { type_url: Self::type_url().into(), value: self.encode_to_vec().into() }
    }
}

fn unknown() -> Status {
    Status::not_found("the prepared statement is unknown or has expired; prepare it again")
}

/// Reads rows of parameter values.
async fn values(first: FlightData, rest: Streaming<FlightData>) -> Result<Vec<Vec<ScalarValue>>, Status> {
    let mut allowance = Allowance { messages: MAX_MESSAGES, bytes: MAX_RECEIVED_BYTES };
    let messages = stream::iter([Ok(first)])
        .chain(rest)
        .map(move |data| data.and_then(|data| allowance.admit(data)))
        .map_err(|status| FlightError::Tonic(Box::new(status)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    let mut rows: Vec<Vec<ScalarValue>> = Vec::new();
    let (mut count, mut bytes) = (0_usize, 0_usize);
    while let Some(batch) = batches.try_next().await? {
        count = count.saturating_add(batch.num_rows().saturating_mul(batch.num_columns().max(1)));
        if count > MAX_VALUES {
            return Err(Status::invalid_argument(format!("more than {MAX_VALUES} parameter values")));
        }
        for row in 0..batch.num_rows() {
            let values = values_of(&batch, row)?;
            bytes += values.iter().map(ScalarValue::size).sum::<usize>();
            if bytes > MAX_VALUES_BYTES {
                return Err(Status::invalid_argument("the parameter values are too large"));
            }
            rows.push(values);
        }
    }
    Ok(rows)
}

/// What a client may still send.
struct Allowance {
    messages: usize,
    bytes: usize,
}

impl Allowance {
    /// Hands `data` on unless it is too much, or says that it is small and becomes large.
    fn admit(&mut self, data: FlightData) -> Result<FlightData, Status> {
        let size = data.data_header.len() + data.data_body.len() + data.app_metadata.len();
        match (self.messages.checked_sub(1), self.bytes.checked_sub(size)) {
            (Some(messages), Some(bytes)) => (self.messages, self.bytes) = (messages, bytes),
            _ => return Err(Status::invalid_argument("too many messages with parameter values")),
        }
        match is_compressed(&data) {
            // The decoder allocates whatever length the message claims.
            true => Err(Status::invalid_argument("compressed parameter values are not accepted")),
            false => Ok(data),
        }
    }
}

fn is_compressed(data: &FlightData) -> bool {
    // What is no message is the decoder's to refuse.
    let Ok(message) = root_as_message(&data.data_header) else { return false };
    let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let batch = message.header_as_record_batch().or(dictionary);
    batch.is_some_and(|batch| batch.compression().is_some())
}

fn values_of(batch: &RecordBatch, row: usize) -> Result<Vec<ScalarValue>, Status> {
    let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row).map(unwrapped));
    values
        .collect::<Result<_, _>>()
        .map_err(|_| Status::invalid_argument("a parameter has a type that is not offered"))
}

/// The value in a union: clients whose parameters have no types send one for each.
fn unwrapped(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Union(Some((_, value)), _, _) => *value,
        ScalarValue::Union(None, _, _) => ScalarValue::Null,
        plain => plain,
    }
}

/// The parameters as a schema: `1`, `2`, …
fn parameter_schema(parameters: &[DataType]) -> Schema {
    let fields = parameters.iter().enumerate().map(|(n, t)| Field::new((n + 1).to_string(), t.clone(), true));
    wire::schema(&Schema::new(fields.collect::<Vec<_>>())).as_ref().clone()
}

/// The schema as an IPC message: never empty, even for no fields, because clients crash on that.
pub(super) fn ipc(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &options));
    message.map(|IpcMessage(bytes)| bytes).map_err(|_| Status::internal("the columns cannot be described"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use datafusion::arrow::array::DictionaryArray;
    use datafusion::arrow::datatypes::Int32Type;
    use datafusion::arrow::ipc::CompressionType;

    const ALLOWANCE: Allowance = Allowance { messages: 8, bytes: 10_000 };

    async fn messages(compression: Option<CompressionType>) -> Vec<FlightData> {
        let texts: DictionaryArray<Int32Type> = std::iter::repeat_n("beds", 1000).collect();
        let batch = RecordBatch::try_from_iter([("1", Arc::new(texts) as _)]).unwrap();
        let encoder = FlightDataEncoderBuilder::new()
            .with_options(IpcWriteOptions::default().try_with_compression(compression).unwrap())
            .with_dictionary_handling(DictionaryHandling::Resend);
        encoder.build(stream::iter([Ok(batch)])).try_collect().await.unwrap()
    }

    fn admitted(mut allowance: Allowance, messages: Vec<FlightData>) -> Vec<Result<(), String>> {
        let admit = |data| allowance.admit(data).map(drop).map_err(|status| status.message().to_string());
        messages.into_iter().map(admit).collect()
    }

    #[tokio::test]
    async fn compressed_values_are_refused() {
        assert_eq!(admitted(ALLOWANCE, messages(None).await), [Ok(()), Ok(()), Ok(())]);
        for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
            let refused = || Err("compressed parameter values are not accepted".to_string());
            let found = admitted(ALLOWANCE, messages(Some(compression)).await);
            assert_eq!(found, [Ok(()), refused(), refused()]);
        }
    }

    #[tokio::test]
    async fn what_a_client_sends_is_bounded() {
        let refused = || Err("too many messages with parameter values".to_string());
        let few = Allowance { messages: 2, ..ALLOWANCE };
        assert_eq!(admitted(few, messages(None).await), [Ok(()), Ok(()), refused()]);
        let small = Allowance { bytes: 2000, ..ALLOWANCE };
        assert_eq!(admitted(small, messages(None).await), [Ok(()), Ok(()), refused()]);
    }
}
