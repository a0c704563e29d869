//! Leases: who may do what only one may do at a time. A lease expires, so that the work of a
//! holder who has died goes on, and has an epoch, by which a holder who was only asleep is known
//! for what it is: whatever a lease protects must be refused to an epoch that is not the newest.

use super::{State, instant, whole};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};
use std::time::Duration;

/// The answer to who wants a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is theirs.
    Held(Lease),
    /// Somebody else has it.
    Taken {
        /// The holder.
        by: String,
        /// When it expires, if it is not renewed.
        until: DateTime<Utc>,
    },
}

/// A lease that was acquired; whether it still holds, only the database knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who acquired it; no two live processes may use the same name.
    pub holder: String,
    /// Which acquisition this is: one more than the last one of this name, for ever.
    pub epoch: u64,
    /// Whether the holder before let it expire: its work may be half done.
    pub took_over: bool,
}

/// The statement that gives a lease to who asks, when it is new or `$when` holds of it.
macro_rules! give {
    ($took_over:literal, $when:literal) => {
        concat!(
            "insert into leases (name, epoch, holder, until, took_over) values ($2, 1, $3, :now + $4, 0) ",
            "on conflict (name) do update set epoch = leases.epoch + 1, holder = excluded.holder, ",
            "until = :now + $4, took_over = ",
            $took_over,
            " where leases.holder is null or leases.until <= :now",
            $when,
            " returning epoch, took_over"
        )
    };
}

// Each decision is one statement, by one clock, in the database: however two clocks differ or
// jump, a row has one holder and an epoch is given once.
const ACQUIRE: &str = give!("case when leases.holder is null then 0 else 1 end", "");
const SEIZE: &str = give!("0", " or leases.took_over = 0");
const TAKE_OVER: &str = "update leases set epoch = epoch + 1, holder = $3, until = :now + $4, took_over = 1 \
     where name = $2 and holder is not null and until <= :now returning epoch, took_over";
const HOLDER: &str = "select holder, until from leases where name = $1 and holder is not null";
const RENEW: &str =
    "update leases set until = :now + $4 where name = $2 and epoch = $3 and holder is not null";
const GIVE_BACK: &str = "update leases set holder = null where name = $1 and epoch = $2";

impl State {
    /// Asks for the lease `name` for the time `ttl`.
    pub async fn acquire(&self, name: &str, holder: &str, ttl: Duration) -> Result<Claim> {
        self.claimed(ACQUIRE, name, holder, ttl).await
    }

    /// Takes the lease `name` from whoever has it: for who knows that its holder is dead. One that
    /// was taken over from a sleeper, and is still renewed, stays where it is.
    pub async fn seize(&self, name: &str, holder: &str, ttl: Duration) -> Result<Claim> {
        self.claimed(SEIZE, name, holder, ttl).await
    }

    /// Takes the lease `name` over from a holder who let it expire; `None` when nobody has it: it
    /// is not this caller's to take.
    pub async fn take_over(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Claim>> {
        self.claim(TAKE_OVER, name, holder, ttl).await.map_err(failed)
    }

    async fn claimed(&self, sql: &'static str, name: &str, holder: &str, ttl: Duration) -> Result<Claim> {
        loop {
            // Given back between the two statements of a claim: ask again.
            if let Some(claim) = self.claim(sql, name, holder, ttl).await.map_err(failed)? {
                return Ok(claim);
            }
        }
    }

    /// Runs one decision; `None` when it gave nothing although nobody has the lease.
    async fn claim(
        &self,
        sql: &'static str,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> sqlx::Result<Option<Claim>> {
        let claim = self.timed(sql).bind(name).bind(holder).bind(micros(ttl));
        if let Some(row) = self.returned(claim).await? {
            let (epoch, took_over): (i64, i64) = (row.try_get("epoch")?, row.try_get("took_over")?);
            let (name, holder) = (name.to_string(), holder.to_string());
            let (epoch, took_over) = (epoch.unsigned_abs(), took_over != 0);
            return Ok(Some(Claim::Held(Lease { name, holder, epoch, took_over })));
        }
        let taken = sqlx::query(HOLDER).bind(name).fetch_optional(self.pool()).await?;
        let read = |row: AnyRow| Ok(Claim::Taken { by: row.try_get(0)?, until: instant(row.try_get(1)?) });
        taken.map(read).transpose()
    }

    /// Keeps `lease` for another `ttl` from now; `false`: it is lost, and what it protected must not
    /// go on. One that has expired and that nobody has taken over is not lost.
    pub async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool> {
        let renew = self.timed(RENEW).bind(&lease.name).bind(whole(lease.epoch)).bind(micros(ttl));
        let done = renew.execute(self.pool()).await.map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives `lease` back; nothing happens when it was lost.
    pub async fn give_back(&self, lease: Lease) -> Result<()> {
        let give = sqlx::query(GIVE_BACK).bind(lease.name).bind(whole(lease.epoch));
        give.execute(self.pool()).await.map(drop).map_err(failed)
    }
}

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX / 4)
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("a lease could not be asked for in the state database")
        .hint("nothing was begun; check that the state database can be reached and written")
        .because(cause)
}
