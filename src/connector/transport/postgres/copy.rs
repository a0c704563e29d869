//! Copies out of PostgreSQL, in chunks, at the speed of the one who reads them.

use crate::connector::transport::postgres::Reading;
use crate::connector::transport::postgres::link::Link;
use crate::connector::transport::wait::Stop;
use crate::error::{Error, Result};
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;

/// The bytes of a chunk: many rows, because every chunk wakes a thread.
const CHUNK_BYTES: usize = 256 << 10;

/// How many chunks wait for the one who decodes them, at most.
const WAITING_CHUNKS: usize = 4;

/// A row, or a value in it, that no database of people and money holds.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The number of the statement, and whole rows of its answer.
type Chunk = (usize, Vec<u8>);

/// Starts the statements, each over its own connection; the first one's is there already.
pub(super) fn start(
    reading: &Reading,
    link: Link,
    copies: &[String],
) -> mpsc::Receiver<Result<Chunk, Stop>> {
    let (sender, chunks) = mpsc::channel(WAITING_CHUNKS);
    let mut link = Some(link);
    for (part, copy) in copies.iter().enumerate() {
        let part = Part { part, copy: copy.clone(), chunks: sender.clone(), reading: reading.clone() };
        tokio::spawn(part.run(link.take()));
    }
    chunks
}

/// One of the statements.
#[derive(Debug)]
struct Part {
    part: usize,
    copy: String,
    chunks: mpsc::Sender<Result<Chunk, Stop>>,
    reading: Reading,
}

impl Part {
    async fn run(self, link: Option<Link>) {
        let link = match link {
            Some(link) => Ok(link),
            None => Link::open(&self.reading).await,
        };
        let stopped = match link {
            Err(stop) => Err(stop),
            Ok(mut link) => {
                let copied = self.copy(&mut link).await;
                if copied.is_err() {
                    link.cancel(&self.reading).await;
                }
                copied
            }
        };
        if let Err(stop) = stopped {
            // Nobody listens any more: nobody needs the reason.
            self.chunks.send(Err(stop)).await.ok();
        }
    }

    async fn copy(&self, link: &mut Link) -> Result<(), Stop> {
        let (reading, wait) = (&self.reading, &self.reading.wait);
        let failed = |error| Stop::from(reading.failed(error));
        let mut answer = wait.answer(link.connection.copy_out_raw(&self.copy)).await?.map_err(failed)?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        loop {
            // What is there is taken without a look at the clock.
            let message = match answer.next().now_or_never() {
                Some(message) => message,
                None => wait.bytes(answer.next()).await?,
            };
            let Some(message) = message.transpose().map_err(failed)? else { break };
            if message.len() > MAX_MESSAGE_BYTES {
                let error = Error::contract(format!("a row is longer than {} MiB", MAX_MESSAGE_BYTES >> 20));
                return Err(error.at(&reading.at).into());
            }
            if chunk.len() + message.len() > CHUNK_BYTES && !chunk.is_empty() {
                self.send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_BYTES))).await?;
            }
            chunk.extend_from_slice(&message);
        }
        drop(answer);
        self.check(link).await?;
        self.send(chunk).await
    }

    async fn send(&self, chunk: Vec<u8>) -> Result<(), Stop> {
        self.chunks.send(Ok((self.part, chunk))).await.map_err(|_| Stop::Unwanted)
    }

    /// Refuses a table that was truncated or rewritten after the snapshot was taken: it shows no
    /// rows then, and no error (<https://www.postgresql.org/docs/current/mvcc-caveats.html>).
    /// From its first look on, this transaction's locks prevent that.
    async fn check(&self, link: &mut Link) -> Result<(), Stop> {
        const REWRITTEN: &str = "select exists (
            select from pg_catalog.pg_locks l left join pg_catalog.pg_class c on c.oid = l.relation
            where l.pid = pg_backend_pid() and l.locktype = 'relation' and (c.oid is null
                or c.relkind in ('r', 'm') and c.relfilenode <> 0
                and c.relfilenode is distinct from pg_relation_filenode(c.oid)))";
        let reading = &self.reading;
        let asked = sqlx::query_scalar(REWRITTEN).fetch_one(&mut link.connection);
        let is_rewritten: bool = reading.wait.bytes(asked).await?.map_err(|error| reading.failed(error))?;
        if !is_rewritten {
            return Ok(());
        }
        let message = format!("table '{}' was emptied or rewritten while it was to be read", reading.table);
        let hint = "its rows at the session's moment are gone; a later pull reads the new ones";
        Err(Error::source(message).at(&reading.at).hint(hint).into())
    }
}
