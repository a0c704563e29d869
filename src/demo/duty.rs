//! Rosters, what was worked of them, and overtime claims: far too many to keep, so each is handed
//! on as soon as it is made.

use crate::demo::calendar::{self, DAY, Day, Minute};
use crate::demo::force::{Force, Part, stream};
use crate::demo::names::pick;
use crate::demo::people::office_hours;
use crate::demo::world::{Employment, People, Worker};
use crate::error::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// A collar number that is on duty but belongs to nobody.
pub(super) const NOBODY: &str = "9999";

/// Days of the shift pattern: two early, two late, two night, four rest days.
const CYCLE: [Option<Tour>; 10] =
    [Some(EARLY), Some(EARLY), Some(LATE), Some(LATE), Some(NIGHT), Some(NIGHT), None, None, None, None];
const EARLY: Tour = Tour { code: "E", start: 7 * 60, end: 17 * 60 };
const LATE: Tour = Tour { code: "L", start: 14 * 60, end: 24 * 60 };
const NIGHT: Tour = Tour { code: "N", start: 22 * 60, end: 31 * 60 };

#[derive(Debug, Clone, Copy)]
struct Tour {
    code: &'static str,
    start: Minute,
    end: Minute,
}

/// What happens in the duty system.
#[derive(Debug)]
pub(super) enum Event {
    /// Somebody is given a collar number.
    Holder(Holder),
    /// Somebody is on duty.
    Shift(Shift),
    /// Somebody claims overtime.
    Claim(Claim),
}

/// Somebody's collar number.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// The row's number in the duty system.
    pub number: i64,
    /// The collar number.
    pub collar: String,
    /// The assignment number in the HR system.
    pub employment: String,
    /// The first of the holder's first names.
    pub forename: String,
    /// The holder's surname.
    pub surname: &'static str,
    /// The holder's title.
    pub rank: &'static str,
    /// The first day.
    pub from: Day,
    /// The last day.
    pub to: Option<Day>,
}

/// One duty of one person: what was planned and what was worked.
#[derive(Debug)]
pub(super) struct Shift {
    /// The collar number.
    pub collar: String,
    /// The position of the employment, if anybody holds the collar number.
    pub employment: Option<usize>,
    /// The day on which it starts.
    pub day: Day,
    /// The shift's code.
    pub code: &'static str,
    /// Whether it is a rest day that was worked.
    pub rest: bool,
    /// The planned start and end.
    pub plan: Option<(Minute, Minute)>,
    /// The actual start and end.
    pub actual: Option<(Minute, Minute)>,
    /// Minutes of break, if it was worked.
    pub meal: i64,
}

/// One claim for overtime.
#[derive(Debug)]
pub(super) struct Claim {
    /// The claim's number.
    pub number: i64,
    /// The collar number.
    pub collar: String,
    /// The position of the employment, if anybody holds the collar number.
    pub employment: Option<usize>,
    /// The day that was worked.
    pub day: Day,
    /// The kind of claim, in capitals.
    pub kind: &'static str,
    /// Minutes worked.
    pub minutes: i64,
    /// Minutes paid for, or given back.
    pub credited: i64,
    /// Hundredths.
    pub rate: i64,
    /// Whether it is paid, not given back as time.
    pub pay: bool,
    /// `authorised`, `pending` or `rejected`.
    pub status: &'static str,
    /// When it was recorded.
    pub recorded: Minute,
}

/// Minutes between two local times by the clock of an instrument that ignores summer time.
pub(super) fn elapsed((from, to): (Minute, Minute)) -> i64 {
    calendar::utc(to) - calendar::utc(from)
}

/// Everything that happens in the duty system of `force`, handed to `each`: holders first.
pub(super) fn duties(
    force: &Force,
    people: &People,
    seed: u64,
    each: &mut dyn FnMut(Event) -> Result<()>,
) -> Result<()> {
    let mut rng = stream(seed, force.index, Part::Duties);
    let holders = holders(people, &mut rng);
    for (holder, _) in &holders {
        each(Event::Holder(holder.clone()))?;
    }
    let mut away: HashMap<usize, Vec<(Day, Day)>> = HashMap::new();
    for absence in people.absences.iter().filter(|a| !a.cancelled) {
        let last = absence.to.unwrap_or(Day::MAX);
        away.entry(absence.employment).or_default().push((absence.from, last));
    }
    let mut rota = Rota { rng, claims: 0, each };
    let steady = holders.iter().position(|(holder, _)| holder.to.is_none());
    for (n, (holder, employment)) in holders.iter().enumerate() {
        let absences = away.get(employment).map(Vec::as_slice).unwrap_or_default();
        // The nights of both clock changes of 2025 are 210 days apart: one person works both.
        let offset = match steady == Some(n) {
            true => 4 - (calendar::day(2025, 3, 29) % 10),
            false => rota.rng.random_range(0..10),
        };
        rota.person(holder, *employment, absences, offset)?;
    }
    rota.nobody()
}

/// Who holds which collar number, in the order in which they joined, and their employments.
/// Numbers of leavers are handed on after a month.
fn holders(people: &People, rng: &mut ChaCha8Rng) -> Vec<(Holder, usize)> {
    let (first, last) = (calendar::first_day(), calendar::last_day());
    let mut rostered: Vec<(usize, &Employment)> = people
        .employments
        .iter()
        .enumerate()
        .filter(|(_, e)| e.rostered && e.within(first, last).is_some())
        .collect();
    rostered.sort_by_key(|(n, e)| (e.started, *n));
    let mut freed: Vec<(Day, Worker, String)> = Vec::new();
    let (mut given, mut reused) = ([0usize; 2], 0usize);
    let mut holders = Vec::with_capacity(rostered.len());
    for (position, employment) in rostered {
        let pcso = employment.worker == Worker::Pcso;
        let free = freed
            .iter()
            .position(|(left, worker, _)| *worker == employment.worker && left + 30 <= employment.started);
        let collar = match free {
            Some(free) if reused == 0 || rng.random_bool(0.5) => {
                reused += 1;
                freed.swap_remove(free).2
            }
            _ => {
                given[usize::from(pcso)] += 1;
                format!("{}", if pcso { 7_000 } else { 1_000 } + given[usize::from(pcso)])
            }
        };
        // One leaver is still rostered for three days after HR has let them go.
        let overrun = if employment.ended == Some(calendar::day(2025, 11, 14)) { 3 } else { 0 };
        let to = employment.ended.map(|day| day + overrun);
        if let Some(left) = to {
            freed.push((left, employment.worker, collar.clone()));
        }
        let identity = &people.people[employment.person].identity;
        let holder = Holder {
            number: 1 + holders.len() as i64,
            collar,
            employment: employment.id.clone(),
            forename: identity.forenames.split(' ').next().unwrap_or_default().to_owned(),
            surname: identity.surname,
            rank: employment.posts.last().map(|post| post.title).unwrap_or_default(),
            from: employment.started,
            to,
        };
        holders.push((holder, position));
    }
    holders
}

struct Rota<'a> {
    rng: ChaCha8Rng,
    claims: i64,
    each: &'a mut dyn FnMut(Event) -> Result<()>,
}

impl Rota<'_> {
    fn person(&mut self, holder: &Holder, employment: usize, away: &[(Day, Day)], offset: Day) -> Result<()> {
        let from = holder.from.max(calendar::first_day());
        let to = holder.to.unwrap_or(Day::MAX).min(calendar::last_day());
        for day in from..=to {
            let absent = away.iter().any(|&(first, last)| first <= day && day <= last);
            let shift = |code, rest, plan, actual, meal| Shift {
                collar: holder.collar.clone(),
                employment: Some(employment),
                day,
                code,
                rest,
                plan,
                actual,
                meal,
            };
            let midnight = Minute::from(day) * DAY;
            match CYCLE[(day + offset).rem_euclid(10) as usize] {
                None if !absent && self.rng.random_range(0..1000) < 12 => {
                    let length = 60 * self.rng.random_range(4..10);
                    let actual = (midnight + 9 * 60, midnight + 9 * 60 + length);
                    let worked = length - 30;
                    (self.each)(Event::Shift(shift("RD", true, None, Some(actual), 30)))?;
                    let kind = pick(&mut self.rng, &["RDW_LT15", "RDW_LT15", "RDW"]);
                    self.claim(&holder.collar, Some(employment), day, kind, worked, 150)?;
                }
                None => {}
                Some(tour) => {
                    let plan = (midnight + tour.start, midnight + tour.end);
                    // Annual leave is not an absence in the HR system.
                    if absent || self.rng.random_range(0..100) < 11 {
                        (self.each)(Event::Shift(shift(tour.code, false, Some(plan), None, 0)))?;
                        continue;
                    }
                    let (actual, over) = self.worked(plan);
                    (self.each)(Event::Shift(shift(tour.code, false, Some(plan), Some(actual), 45)))?;
                    if over >= 30 {
                        self.overrun(holder, employment, day, over)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// When somebody started and ended, and the minutes of overtime behind the planned end.
    fn worked(&mut self, (start, end): (Minute, Minute)) -> ((Minute, Minute), i64) {
        match self.rng.random_range(0..100) {
            0..78 => ((start, end), 0),
            78..88 => ((calendar::unambiguous(start - 10), end), 0),
            88..93 => {
                let early = calendar::unambiguous(end - 15 * self.rng.random_range(1..5));
                ((start, early), 0)
            }
            _ => {
                let late = calendar::unambiguous(end + 15 * self.rng.random_range(1..9));
                ((start, late), late - end)
            }
        }
    }

    fn overrun(&mut self, holder: &Holder, employment: usize, day: Day, minutes: i64) -> Result<()> {
        let holiday = matches!(calendar::iso(day).get(5..), Some("12-25" | "12-26" | "01-01"));
        let (kind, rate) = match self.rng.random_range(0..20) {
            _ if holiday => ("PH", 200),
            0..14 => ("CASUAL", 133),
            14..18 => ("PLANNED", 133),
            18 => ("RECALL", 133),
            _ => ("ONCALL", 100),
        };
        // Completed quarters of an hour only.
        self.claim(&holder.collar, Some(employment), day, kind, minutes / 15 * 15, rate)
    }

    fn claim(
        &mut self,
        collar: &str,
        employment: Option<usize>,
        day: Day,
        kind: &'static str,
        minutes: i64,
        rate: i64,
    ) -> Result<()> {
        self.claims += 1;
        let status = match self.rng.random_range(0..100) {
            0..86 => "authorised",
            86..96 => "pending",
            _ => "rejected",
        };
        let wait = if self.rng.random_bool(0.1) { self.rng.random_range(20..90) } else { 1 };
        let claim = Claim {
            number: 1_000_000 + self.claims,
            collar: collar.to_owned(),
            employment,
            day,
            kind,
            minutes,
            credited: (minutes * rate + 50) / 100,
            rate,
            pay: self.rng.random_bool(0.7),
            status: if employment.is_none() { "authorised" } else { status },
            recorded: office_hours(&mut self.rng, day + wait),
        };
        (self.each)(Event::Claim(claim))
    }

    /// A collar number that nobody holds works a week, and claims for it.
    fn nobody(&mut self) -> Result<()> {
        let monday = calendar::day(2025, 7, 7);
        for day in monday..monday + 6 {
            let midnight = Minute::from(day) * DAY;
            let hours = (midnight + EARLY.start, midnight + EARLY.end);
            (self.each)(Event::Shift(Shift {
                collar: NOBODY.to_owned(),
                employment: None,
                day,
                code: EARLY.code,
                rest: false,
                plan: Some(hours),
                actual: Some(hours),
                meal: 45,
            }))?;
        }
        self.claim(NOBODY, None, monday, "CASUAL", 60, 133)
    }
}
