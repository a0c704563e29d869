//! Which scheduled instants have been taken and which alarms raised, so that each one is run or
//! raised once, by whoever is first.

use super::{State, instant};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use sqlx::{Row, any::AnyRow};

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Somebody runs it, or has.
    Taken,
    /// It passed while nobody was there.
    Missed,
}

impl Fate {
    /// The word in the database and in alarms.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Taken => "taken",
            Fate::Missed => "missed",
        }
    }
}

impl State {
    /// Says that `schedule` is the one of `pipeline`, at the start of whoever follows it. A new one
    /// begins `now`: slots before that are nobody's.
    pub async fn follow(&self, pipeline: &str, schedule: &str, now: DateTime<Utc>) -> Result<()> {
        let follow = "insert into schedules (pipeline, schedule, since) values ($1, $2, $3) \
                      on conflict (pipeline) do update set schedule = excluded.schedule, since = excluded.since \
                      where schedules.schedule <> excluded.schedule";
        let follow = sqlx::query(follow).bind(pipeline).bind(schedule).bind(now.timestamp_micros());
        follow.execute(self.pool()).await.map(drop).map_err(failed)
    }

    /// The last slot of `pipeline`, or when its schedule began: only what comes after is due.
    pub async fn last_slot(&self, pipeline: &str) -> Result<DateTime<Utc>> {
        let last = "select since, (select max(slot) from slots where slots.pipeline = $1) as last \
                    from schedules where pipeline = $1";
        let row = sqlx::query(last).bind(pipeline).fetch_one(self.pool()).await.map_err(failed)?;
        let read = |row: AnyRow| -> sqlx::Result<_> {
            let (since, last): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            Ok(instant(last.map_or(since, |last| last.max(since))))
        };
        read(row).map_err(failed)
    }

    /// Takes `slot` of `pipeline`, or marks it as missed; `false`: somebody was first.
    pub async fn take_slot(
        &self,
        pipeline: &str,
        slot: DateTime<Utc>,
        fate: Fate,
        scheduler: &str,
    ) -> Result<bool> {
        let take = "insert into slots (pipeline, slot, outcome, scheduler, recorded_at) values ($1, $2, $3, $4, $5) \
                    on conflict (pipeline, slot) do nothing";
        let take = sqlx::query(take)
            .bind(pipeline)
            .bind(slot.timestamp_micros())
            .bind(fate.word())
            .bind(scheduler)
            .bind(Utc::now().timestamp_micros());
        let done = take.execute(self.pool()).await.map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether nobody has raised this alarm before.
    pub async fn first_alarm(&self, alarm: &str) -> Result<bool> {
        let raise = "insert into alarms (alarm, raised_at) values ($1, $2) on conflict (alarm) do nothing";
        let raise = sqlx::query(raise).bind(alarm).bind(Utc::now().timestamp_micros());
        Ok(raise.execute(self.pool()).await.map_err(failed)?.rows_affected() == 1)
    }
}

fn failed(cause: sqlx::Error) -> Error {
    Error::internal("a slot or an alarm could not be recorded in the state database").because(cause)
}
