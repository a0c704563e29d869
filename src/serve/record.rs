//! An entry in the record of statements, completed however the statement ends.

use crate::error::Result;
use crate::serve::statement::Rows;
use crate::state::State;
use crate::state::queries::{Outcome, Query};
use crate::telemetry::metrics;
use datafusion::arrow::array::{Array, RecordBatch};
use futures::{StreamExt, stream};
use std::time::Instant;
use tracing::{Span, info_span};

/// A statement that has been recorded and has not ended. Dropping it means that the client went
/// away.
pub(super) struct Entry {
    state: State,
    query: i64,
    began: Instant,
    span: Span,
    rows: u64,
    bytes: u64,
    is_open: bool,
}

impl Entry {
    /// Records that `query` is about to run.
    pub(super) async fn begin(state: &State, query: &Query) -> Result<Self> {
        let id = state.begin_query(query).await?;
        // Open until the last row has been sent.
        let span = info_span!(
            "query",
            db.system.name = "muster",
            db.response.returned_rows = tracing::field::Empty,
            muster.query = id,
            muster.release = query.release,
            muster.outcome = tracing::field::Empty,
        );
        let began = Instant::now();
        Ok(Self { state: state.clone(), query: id, began, span, rows: 0, bytes: 0, is_open: true })
    }

    /// Records that the statement failed.
    pub(super) async fn failed(self) -> Result<()> {
        self.finish(Outcome::Failed).await
    }

    /// Records that the statement did what it says, and has no rows.
    pub(super) async fn succeeded(self) -> Result<()> {
        self.finish(Outcome::Succeeded).await
    }

    /// Counts what passes, and completes the record before the last item is handed on.
    pub(super) fn follow(self, rows: Rows) -> Rows {
        stream::unfold(Some((rows, self)), |open| async move {
            let (mut rows, mut entry) = open?;
            match rows.next().await {
                Some(Ok(batch)) => {
                    entry.count(&batch);
                    Some((Ok(batch), Some((rows, entry))))
                }
                Some(Err(error)) => {
                    let error = entry.failed().await.err().unwrap_or(error);
                    Some((Err(error), None))
                }
                None => entry.finish(Outcome::Succeeded).await.err().map(|error| (Err(error), None)),
            }
        })
        .boxed()
    }

    fn count(&mut self, batch: &RecordBatch) {
        let bytes = batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or_default());
        self.bytes += bytes.sum::<usize>() as u64;
        self.rows += batch.num_rows() as u64;
    }

    /// Tells those who watch.
    fn ended(&self, outcome: Outcome) {
        self.span.record("db.response.returned_rows", self.rows).record("muster.outcome", outcome.word());
        metrics::query_ended(outcome.word(), self.began.elapsed());
    }

    async fn finish(mut self, outcome: Outcome) -> Result<()> {
        let done = self.state.finish_query(self.query, outcome, self.rows, self.bytes).await;
        self.ended(outcome);
        // Only now: a future dropped while it waits for the database must still be recorded.
        self.is_open = false;
        done
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.is_open, tokio::runtime::Handle::try_current()) else { return };
        self.ended(Outcome::Cancelled);
        let (state, query, rows, bytes) = (self.state.clone(), self.query, self.rows, self.bytes);
        // A destructor cannot wait for the database.
        runtime.spawn(async move {
            if let Err(error) = state.finish_query(query, Outcome::Cancelled, rows, bytes).await {
                tracing::error!(%error, query, "cancelled statement not recorded");
            }
        });
    }
}
