//! Schedules: each slot of a pipeline is run once, however many schedulers share a state database,
//! whatever their clocks do. Who inserts a slot's row first runs it; nothing else decides.

mod late;
mod serve;

pub use late::look as look_for_late;
pub use serve::run;

use super::alarm::{self, Notice};
use crate::error::Result;
use crate::project::{Occasion, Pipeline, Schedule};
use crate::state::slots::Fate;
use crate::state::{Clock, State};
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use futures::future::LocalBoxFuture;
use std::time::Duration;

/// The instant that a run is scheduled for.
pub type Slot = DateTime<Utc>;

/// The most missed slots that are told one by one; of a longer absence, the newest.
const MOST_MISSED: usize = 100;

/// The longest sleep between two looks at the clock, which may be set meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// The wait of a slot whose turn has not come.
const TURN_EVERY: Duration = Duration::from_secs(2);

/// What a schedule asks for at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// The slot to run: the newest.
    pub run: Option<Slot>,
    /// Older ones that nobody has run and that nobody will; oldest first.
    pub missed: Vec<Slot>,
}

/// What is due `now`, when everything up to `last` has been dealt with. A clock that was set back
/// asks for nothing until it has caught up.
pub fn due(schedule: &Schedule, last: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    // Slots are whole minutes; the one that is now counts.
    let newest = schedule.before(now.trunc_subsecs(0) + TimeDelta::seconds(1));
    let mut slots =
        std::iter::successors(newest, |slot| schedule.before(*slot)).take_while(|slot| *slot > last);
    let run = slots.next();
    let mut missed: Vec<Slot> = slots.take(MOST_MISSED).collect();
    missed.reverse();
    Due { run, missed }
}

/// What became of a run that a schedule asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Another run is at work: ask again.
    Busy,
    /// It is over; what somebody should know of it.
    Over(Option<Notice>),
}

/// Runs a pipeline for a slot.
pub type Runner<'a> = dyn Fn(&'a Pipeline, Slot) -> LocalBoxFuture<'a, Turn> + 'a;

/// One of those who follow the schedules of a project.
pub struct Scheduler<'a> {
    state: &'a State,
    clock: Clock,
    /// Who this is, for the record of slots.
    name: String,
    /// When it began: what was due before passed while it was not there.
    began_at: DateTime<Utc>,
    runner: &'a Runner<'a>,
}

impl<'a> Scheduler<'a> {
    /// A scheduler called `name` that agrees with others in `state`.
    pub fn new(state: &'a State, name: &str, clock: Clock, runner: &'a Runner<'a>) -> Self {
        Self { state, began_at: clock(), clock, name: name.into(), runner }
    }

    /// Says that this scheduler follows the schedule of `pipeline`; once, before it looks at it.
    pub async fn follow(&self, pipeline: &Pipeline) -> Result<()> {
        match &pipeline.schedule {
            Some(schedule) => self.state.follow(&pipeline.name, &schedule.to_string(), self.began_at).await,
            None => Ok(()),
        }
    }

    /// Looks at the clock once and does what is due: tells what was missed, and runs the newest slot
    /// unless another scheduler has taken it. Gives the slot it has run.
    pub async fn look(&self, pipeline: &'a Pipeline) -> Result<Option<Slot>> {
        let Some(schedule) = &pipeline.schedule else { return Ok(None) };
        let Due { run, missed } = due(schedule, self.state.last_slot(&pipeline.name).await?, (self.clock)());
        for slot in missed {
            if self.take(pipeline, slot, Fate::Missed).await? {
                self.tell_missed(pipeline, slot, "it will not be run, because a later one is due").await;
            }
        }
        let Some(slot) = run else { return Ok(None) };
        if !self.take(pipeline, slot, Fate::Taken).await? {
            return Ok(None);
        }
        if slot < self.began_at {
            self.tell_missed(pipeline, slot, "it is run now").await;
        }
        loop {
            match (self.runner)(pipeline, slot).await {
                Turn::Busy => tokio::time::sleep(TURN_EVERY).await,
                Turn::Over(notice) => {
                    if let Some(notice) = notice {
                        alarm::raise(pipeline, &notice).await;
                    }
                    return Ok(Some(slot));
                }
            }
        }
    }

    /// Follows the schedule of `pipeline` for ever.
    async fn watch(&self, pipeline: &'a Pipeline, schedule: &Schedule) {
        while let Err(error) = self.follow(pipeline).await {
            tracing::error!(pipeline = pipeline.name, %error, "schedule not followed");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        loop {
            if let Err(error) = self.look(pipeline).await {
                tracing::error!(pipeline = pipeline.name, %error, "slot not run");
            }
            tokio::time::sleep(until_next(schedule, (self.clock)())).await;
        }
    }

    async fn take(&self, pipeline: &Pipeline, slot: Slot, fate: Fate) -> Result<bool> {
        self.state.take_slot(&pipeline.name, slot, fate, &self.name).await
    }

    async fn tell_missed(&self, pipeline: &Pipeline, slot: Slot, what_now: &str) {
        let when = slot.to_rfc3339_opts(SecondsFormat::Secs, true);
        let text = format!("nobody was there to run pipeline \"{}\" at {when}; {what_now}", pipeline.name);
        let notice = Notice { occasion: Occasion::Missed, slot: Some(slot), release: None, text };
        alarm::raise(pipeline, &notice).await;
    }
}

/// The time to sleep before the next look at the clock.
fn until_next(schedule: &Schedule, now: DateTime<Utc>) -> Duration {
    let next = schedule.after(now).and_then(|next| next.signed_duration_since(now).to_std().ok());
    next.map_or(LOOK_EVERY, |wait| wait.min(LOOK_EVERY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;
    use rand::{Rng, SeedableRng};

    const EXPRESSIONS: [&str; 9] = [
        "0 2 * * *",
        "30 1 * * *",
        "30 2 * * *",
        "*/15 * * * *",
        "0 1,13 * * *",
        "5 0-4 * * mon-fri",
        "0 6 1 * *",
        "59 23 31 12 *",
        "0 0 29 2 *",
    ];
    const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__London, Tz::Australia__Lord_Howe, Tz::America__St_Johns];

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// All slots of a span, one after another.
    fn forwards(schedule: &Schedule, last: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Slot> {
        let slots = std::iter::successors(schedule.after(last), |slot| schedule.after(*slot));
        slots.take_while(|slot| *slot <= now).collect()
    }

    #[test]
    fn what_is_due_is_every_slot_of_the_span_and_nothing_else() {
        const TRIALS: usize = 3000;
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let (mut slots, mut quiet) = (0, 0);
        for _ in 0..TRIALS {
            let expression = EXPRESSIONS[random.random_range(0..EXPRESSIONS.len())];
            let zone = ZONES[random.random_range(0..ZONES.len())];
            let schedule = Schedule::new(expression, zone).unwrap();
            // Around the changes of 2026 in these zones, where it is easiest to be wrong.
            let change = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"]
                [random.random_range(0..6)];
            let day = at(&format!("{change}T00:00:00Z"));
            let last = day + TimeDelta::milliseconds(random.random_range(-200_000_000..100_000_000));
            let now = last + TimeDelta::milliseconds(random.random_range(-50_000_000..300_000_000));
            let mut expected = forwards(&schedule, last, now);
            let run = expected.pop();
            expected.drain(..expected.len().saturating_sub(MOST_MISSED));
            slots += expected.len();
            quiet += usize::from(run.is_none());
            assert_eq!(
                due(&schedule, last, now),
                Due { run, missed: expected },
                "{expression} {zone} from {last} to {now}"
            );
            if let Some(run) = run {
                assert_eq!(due(&schedule, run, now), Due::default(), "{expression} {zone}: {run} twice");
            }
        }
        eprintln!("{TRIALS} spans, {slots} missed slots, {quiet} without any");
        assert!(slots > TRIALS && quiet > TRIALS / 10);
    }

    #[test]
    fn a_clock_that_is_set_back_asks_for_nothing_twice() {
        let schedule = Schedule::new("0 * * * *", Tz::UTC).unwrap();
        let last = at("2026-01-01T05:00:00Z");
        assert_eq!(due(&schedule, last, at("2026-01-01T02:30:00Z")), Due::default());
        assert_eq!(due(&schedule, last, at("2026-01-01T05:00:00.5Z")), Due::default());
        let forward = due(&schedule, last, at("2026-01-01T08:00:00Z"));
        assert_eq!(forward.run, Some(at("2026-01-01T08:00:00Z")));
        assert_eq!(forward.missed, [at("2026-01-01T06:00:00Z"), at("2026-01-01T07:00:00Z")]);
    }

    #[test]
    fn a_long_absence_is_told_in_part() {
        let schedule = Schedule::new("* * * * *", Tz::UTC).unwrap();
        let now = at("2026-01-01T00:00:30Z");
        let due = due(&schedule, now - TimeDelta::days(3650), now);
        assert_eq!(due.missed.len(), MOST_MISSED);
        assert_eq!(due.missed.last().copied(), Some(at("2025-12-31T23:59:00Z")));
        assert_eq!(due.run, Some(at("2026-01-01T00:00:00Z")));
    }
}
