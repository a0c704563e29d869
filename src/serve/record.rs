//! An entry in the record of reads, completed however the statement ends.

use crate::audit::entry::{Outcome, Query};
use crate::audit::{Log, Open};
use crate::error::Result;
use crate::serve::statement::Rows;
use crate::telemetry::metrics;
use datafusion::arrow::array::{Array, RecordBatch};
use futures::{StreamExt, stream};
use std::time::Instant;
use tracing::{Span, info_span};

/// A statement that has been recorded and has not ended. Dropping it means that the client went
/// away.
pub(super) struct Entry {
    /// Until the end has been handed over.
    open: Option<Open>,
    began: Instant,
    span: Span,
    rows: u64,
    bytes: u64,
}

impl Entry {
    /// Records that `query` is about to run.
    pub(super) async fn begin(log: &Log, query: &Query) -> Result<Self> {
        let open = log.begin(query).await?;
        // Open until the last row has been sent.
        let span = info_span!(
            "query",
            db.system.name = "muster",
            db.response.returned_rows = tracing::field::Empty,
            muster.query = open.seq(),
            muster.release = query.release,
            muster.outcome = tracing::field::Empty,
        );
        Ok(Self { open: Some(open), began: Instant::now(), span, rows: 0, bytes: 0 })
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

    /// The statement ends: tells those who watch, and gives what remains to be recorded.
    fn close(&mut self, outcome: Outcome) -> Option<Open> {
        let open = self.open.take()?;
        self.span.record("db.response.returned_rows", self.rows).record("muster.outcome", outcome.word());
        metrics::query_ended(outcome.word(), self.began.elapsed());
        Some(open)
    }

    async fn finish(mut self, outcome: Outcome) -> Result<()> {
        match self.close(outcome) {
            Some(open) => open.end(outcome, self.rows, self.bytes).await,
            None => Ok(()),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(open) = self.close(Outcome::Cancelled) {
            open.abandon(self.rows, self.bytes);
        }
    }
}
