//! The people of one force: who serves on the census day, who left before, who joined.

use crate::demo::calendar::{self, DAY, Day, Minute};
use crate::demo::force::{Force, HrSystem, Part, stream};
use crate::demo::posts::{self, Spell};
use crate::demo::world::{Employment, Identity, People, Person, Worker};
use crate::demo::{absences, names};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The staff of an estate with the head counts in [`Force::heads`].
pub(super) const FULL_ESTATE: i64 = 8_000;

/// The people of `force` in an estate of `staff`; `shared` are also known to another force.
pub(super) fn people(force: &Force, staff: usize, seed: u64, shared: &[Identity]) -> People {
    let census = Census::of(force, staff);
    let mut maker = Maker { force, rng: stream(seed, force.index, Part::People), people: People::default() };
    maker.officers(&census, shared);
    maker.others(Worker::Pcso, census.others[0]);
    maker.others(Worker::Staff, census.others[1]);
    maker.others(Worker::Special, census.others[2]);
    let mut people = maker.people;
    absences::add(&mut people, &mut stream(seed, force.index, Part::Absences));
    people
}

/// People whom two forces know, by pairs of forces: the first of a pair and its second.
pub(super) fn shared(staff: usize, seed: u64) -> Vec<([u64; 2], Identity)> {
    let mut rng = stream(seed, 3, Part::Shared);
    (0..3 + staff / 400)
        .map(|n| {
            let forces = [[0, 1], [1, 2], [0, 2]][n % 3];
            let mut known = identity(&mut rng, 900_000 + n, true);
            // Old enough to have joined either force at any time.
            known.born = known.born.min(calendar::day(1980, 1, 1));
            (forces, known)
        })
        .collect()
}

/// How many people there are on the census day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Census {
    /// Officers.
    pub officers: usize,
    /// Their full-time equivalents in ten-thousandths.
    pub officer_fte: i64,
    /// PCSOs, staff and special constables.
    pub others: [usize; 3],
}

impl Census {
    /// The census of `force` in an estate of `staff`; exactly the published one for 8,000.
    pub(super) fn of(force: &Force, staff: usize) -> Self {
        let share = |n: i64| (n * staff as i64 + FULL_ESTATE / 2) / FULL_ESTATE;
        let fte = share(force.officer_fte);
        // As many heads per full-time equivalent as in the published census, never fewer.
        let heads = (force.heads[0] as i64 * fte + force.officer_fte / 2) / force.officer_fte;
        let heads = heads.max((fte + 99) / 100);
        let other = |n: usize, least: i64| share(force.heads[n] as i64).max(least) as usize;
        Self {
            officers: heads as usize,
            officer_fte: fte * 100,
            others: [other(1, 2), other(2, 8), other(3, 3)],
        }
    }
}

struct Maker<'a> {
    force: &'a Force,
    rng: ChaCha8Rng,
    people: People,
}

impl Maker<'_> {
    fn officers(&mut self, census: &Census, shared: &[Identity]) {
        let heads = census.officers;
        let fte = posts::census_fte(&mut self.rng, heads, census.officer_fte);
        for (n, fte) in fte.into_iter().enumerate() {
            let grade = posts::officer_grade(&mut self.rng, n, heads);
            let newest = n + 1 == heads;
            let started = if newest { calendar::day(2025, 1, 6) } else { self.start(Worker::Officer) };
            let identity = shared.get(heads - 1 - n).cloned();
            let person = self.person(Worker::Officer, started, None, identity);
            let spell = Spell { started, ended: None, worker: Worker::Officer, grade, fte };
            self.employ(person, spell, newest);
        }
        for n in 0..(heads * 14 / 100).max(2) {
            let ended = match n {
                0 => calendar::day(2024, 9, 30),
                1 => calendar::day(2025, 11, 14),
                _ => self.end(),
            };
            let started = self.start_before(ended);
            let grade = posts::officer_grade(&mut self.rng, heads, heads);
            let person = self.person(Worker::Officer, started, Some(ended), None);
            let fte = posts::some_fte(&mut self.rng, 12);
            let spell = Spell { started, ended: Some(ended), worker: Worker::Officer, grade, fte };
            self.employ(person, spell, n < 2);
        }
    }

    fn others(&mut self, worker: Worker, heads: usize) {
        for n in 0..heads + (heads * 15 / 100).max(1) {
            let ended = (n >= heads).then(|| self.end());
            let started = match ended {
                Some(ended) => self.start_before(ended),
                None => self.start(worker),
            };
            let person = self.person(worker, started, ended, None);
            let mut grade = posts::grade(&mut self.rng, worker);
            let mut fte = posts::some_fte(&mut self.rng, 30);
            match worker {
                Worker::Special => fte = 0,
                Worker::Staff if n % 40 == 1 => fte = 5_000,
                Worker::Staff if n % 200 == 3 => grade = posts::UNMAPPED_GRADE,
                _ => {}
            }
            let spell = Spell { started, ended, worker, grade, fte };
            self.employ(person, spell, worker == Worker::Pcso);
            if worker == Worker::Staff {
                self.second(person, n, &spell);
            }
        }
    }

    /// A second post for some of the staff, another staff post or a special constable's, and a
    /// temporary National Insurance number or a back-dated change for one of them.
    fn second(&mut self, person: usize, n: usize, first: &Spell) {
        match n % 40 {
            0 if n == 0 => {
                let holder = &mut self.people.people[person].identity;
                holder.ni = temporary_ni(holder.born, holder.sex);
            }
            1 => self.employ(person, Spell { fte: 4_000, grade: "C", ..*first }, false),
            2 | 32 => {
                let special = Spell { worker: Worker::Special, fte: 0, grade: "SC", ..*first };
                self.employ(person, special, false);
            }
            4 => self.people.employments.iter_mut().rev().take(1).for_each(posts::back_date),
            _ => {}
        }
    }

    fn person(&mut self, worker: Worker, started: Day, ended: Option<Day>, known: Option<Identity>) -> usize {
        let number = self.people.people.len();
        let western = self.force.hr == Some(HrSystem::Itrent);
        let serial = self.force.index as usize * 300_000 + number * 7_919 % 300_000;
        let mut identity = known.unwrap_or_else(|| identity(&mut self.rng, serial, western));
        // Nobody joins before 18; a shared identity keeps its own birthday.
        identity.born = identity.born.min(started - 18 * 366);
        if worker != Worker::Officer && self.rng.random_bool(0.01) {
            identity.ni = temporary_ni(identity.born, identity.sex);
        } else if worker != Worker::Officer && self.rng.random_bool(0.005) {
            identity.ni.clear();
        } else if self.rng.random_bool(0.02) {
            identity.ni = sloppy_ni(&identity.ni, western);
        }
        let changed = office_hours(&mut self.rng, ended.unwrap_or(started.max(calendar::first_day())));
        let id = format!("{}{number:07}", self.force.index + 1);
        self.people.people.push(Person { id, identity, started, ended, changed });
        number
    }

    fn employ(&mut self, person: usize, spell: Spell, must_be_rostered: bool) {
        let number = (self.force.index as usize + 1) * 100_000 + self.people.employments.len();
        let posts = posts::history(&mut self.rng, &spell);
        let on_shifts = spell.worker == Worker::Officer && posts::works_shifts(spell.grade);
        let rostered = must_be_rostered || (on_shifts && self.rng.random_bool(0.46));
        self.people.employments.push(Employment {
            id: format!("{number:08}"),
            person,
            worker: spell.worker,
            started: spell.started,
            ended: spell.ended,
            posts,
            rostered,
        });
    }

    /// The first day of somebody who serves on the census day.
    fn start(&mut self, worker: Worker) -> Day {
        let recent = if worker == Worker::Special { 0.3 } else { 0.17 };
        if self.rng.random_bool(recent) {
            self.rng.random_range(calendar::first_day()..calendar::last_day() - 14)
        } else {
            self.start_before(calendar::first_day())
        }
    }

    fn start_before(&mut self, day: Day) -> Day {
        self.rng.random_range(calendar::day(1998, 4, 1)..day - 60)
    }

    /// The last day of somebody who left within the two years.
    fn end(&mut self) -> Day {
        self.rng.random_range(calendar::first_day() + 4..calendar::last_day())
    }
}

/// Somebody new. `serial` makes the National Insurance number unique across the forces.
fn identity(rng: &mut ChaCha8Rng, serial: usize, western: bool) -> Identity {
    let sex = match rng.random_range(0..1000) {
        0..3 => 'X',
        3..420 => 'F',
        _ => 'M',
    };
    let letters = ["A", "B", "C", "E", "G", "H", "J", "K", "L", "M", "P", "R", "S", "W", "X", "Y", "Z"];
    let (a, b, c) = (names::pick(rng, &letters), names::pick(rng, &letters), rng.random_range(0..4));
    let suffix = ["A", "B", "C", "D"][c];
    Identity {
        ni: format!("{a}{b}{serial:06}{suffix}"),
        surname: names::surname(rng, western),
        forenames: names::forenames(rng, sex),
        sex,
        born: rng.random_range(calendar::day(1963, 1, 1)..calendar::day(2006, 1, 1)),
    }
}

/// What an HR department types for somebody who has no number yet: `TN010180M`.
fn temporary_ni(born: Day, sex: char) -> String {
    let date = calendar::date(born);
    format!("TN{}{}", date.format("%d%m%y"), if sex == 'F' { 'F' } else { 'M' })
}

/// The number as some people type it. Only iTrent has room for blanks.
fn sloppy_ni(ni: &str, roomy: bool) -> String {
    if roomy && ni.len() == 9 {
        format!("{} {} {} {} {}", &ni[..2], &ni[2..4], &ni[4..6], &ni[6..8], &ni[8..])
    } else {
        ni.to_lowercase()
    }
}

/// A time during office hours within ten days from `day`, not after the census day.
pub(super) fn office_hours(rng: &mut impl Rng, day: Day) -> Minute {
    let day = (day + rng.random_range(0..10)).min(calendar::last_day());
    Minute::from(day) * DAY + rng.random_range(8 * 60..18 * 60)
}
