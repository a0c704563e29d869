//! Lines of the record of reads, kept beside it: if they are not in it any more, it was cut off or
//! written anew. Nothing here is ever replaced by an earlier line or by another writer's.

use super::{State, whole};
use crate::error::{Error, Result};
use chrono::Utc;
use sqlx::Row;

const MINUTE_MICROS: i64 = 60_000_000;

impl State {
    /// Keeps the line `seq` with its `hash`, of those of `writer` the newest one in each minute.
    pub async fn keep_head(&self, writer: &str, seq: u64, hash: &str) -> Result<()> {
        let now = Utc::now().timestamp_micros();
        let insert = sqlx::query(
            "insert into audit_heads (writer, minute, seq, hash, kept_at) values ($1, $2, $3, $4, $5) \
             on conflict (writer, minute) do update set seq = excluded.seq, hash = excluded.hash, \
             kept_at = excluded.kept_at where excluded.seq > audit_heads.seq",
        );
        let bound =
            insert.bind(writer).bind(now.div_euclid(MINUTE_MICROS)).bind(whole(seq)).bind(hash).bind(now);
        bound.execute(self.pool()).await.map(drop).map_err(|e| {
            Error::internal("a head of the record of reads could not be kept in the state database")
                .because(e)
        })
    }

    /// Every line that was kept, by its number, with its hash.
    pub async fn heads(&self) -> Result<Vec<(u64, String)>> {
        let read = async || -> sqlx::Result<_> {
            let rows = sqlx::query("select seq, hash from audit_heads order by seq, hash");
            let rows = rows.fetch_all(self.pool()).await?;
            rows.iter().map(|row| Ok((row.try_get::<i64, _>(0)?.unsigned_abs(), row.try_get(1)?))).collect()
        };
        read().await.map_err(|e| {
            Error::internal("the heads of the record of reads could not be read from the state database")
                .because(e)
        })
    }
}
