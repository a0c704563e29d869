//! Messages: the rows of an answer, encoded for the wire and sent at the pace of their reader.

use super::cancel::Ends;
use super::status;
use crate::serve::pieces;
use crate::serve::statement::Rows;
use arrow_flight::{FlightData, SchemaAsIpc};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use std::panic::AssertUnwindSafe;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// The size aimed at for a message: large enough that its frame costs nothing, small enough that
/// the first rows are there at once.
const MESSAGE_BYTES: usize = 2 << 20;

/// The messages that are made before their reader asks for them.
const AHEAD: usize = 2;

/// The messages of an answer.
pub(super) type Messages = BoxStream<'static, Result<FlightData, Status>>;

/// The messages for `rows`: the schema first, even when no row follows; then batches, none of
/// them empty. Rows are read as messages are taken.
///
/// `arrow-flight` has an encoder, which makes every message of a batch at once and cuts it into
/// equal numbers of rows, so that one with uneven texts becomes more than clients accept.
pub(super) fn encode(schema: SchemaRef, rows: Rows) -> Messages {
    let options = IpcWriteOptions::default();
    let first = FlightData::from(SchemaAsIpc::new(&schema, &options));
    let mut encoder =
        Encoder { options, tracker: DictionaryTracker::new(true), context: IpcWriteContext::default() };
    let rest = rows
        .map_ok(|batch| stream::iter(pieces::cut(&batch, MESSAGE_BYTES)).map(Ok))
        .try_flatten()
        .map(move |piece| encoder.encode(&piece.map_err(status)?));
    stream::iter([Ok(first)]).chain(rest).boxed()
}

struct Encoder {
    options: IpcWriteOptions,
    tracker: DictionaryTracker,
    context: IpcWriteContext,
}

impl Encoder {
    fn encode(&mut self, batch: &RecordBatch) -> Result<FlightData, Status> {
        let encoded =
            IpcDataGenerator::default().encode(batch, &mut self.tracker, &self.options, &mut self.context);
        // There are no dictionaries: they are not among the types that every client reads.
        let (_, batch) = encoded.map_err(|error| {
            tracing::error!(%error, "batch cannot be encoded");
            Status::internal("the answer cannot be encoded")
        })?;
        Ok(batch.into())
    }
}

/// Sends `messages` from a task of its own, so that they can end while nobody reads: with the last
/// of them, when the reader goes away, or as `ends` says. Then what made them is dropped with
/// `held`, however slowly the reader takes what is left.
pub(super) fn send(messages: Messages, ends: Ends, held: impl Send + 'static) -> Messages {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let ended = tokio::select! {
            biased;
            status = ends.reached() => Some(status),
            () = sender.closed() => None,
            // A panic must not look like the end of the rows.
            done = AssertUnwindSafe(forward(messages, &sender)).catch_unwind() => {
                done.err().map(|_| Status::internal("the hub could not answer; its log has the reason"))
            }
        };
        drop(held);
        if let Some(status) = ended {
            sender.send(Err(status)).await.ok();
        }
    });
    ReceiverStream::new(receiver).boxed()
}

async fn forward(mut messages: Messages, sender: &mpsc::Sender<Result<FlightData, Status>>) {
    while let Some(message) = messages.next().await {
        let is_last = message.is_err();
        if sender.send(message).await.is_err() || is_last {
            return;
        }
    }
}
