//! Who was away, why and for how long.

use crate::demo::calendar::{self, DAY, Day, Minute};
use crate::demo::names::pick;
use crate::demo::world::{Absence, Leave, People, Worker};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Adds the absences of everybody but special constables, who are not paid and so not missed.
pub(super) fn add(people: &mut People, rng: &mut ChaCha8Rng) {
    let (first, last) = (calendar::first_day(), calendar::last_day());
    for (position, employment) in people.employments.iter().enumerate() {
        let Some((from, to)) = employment.within(first, last) else { continue };
        if employment.worker == Worker::Special || to - from < 20 {
            continue;
        }
        let woman = people.people[employment.person].identity.sex == 'F';
        let spells = [0, 0, 0, 1, 1, 1, 2, 2, 3, 5][rng.random_range(0..10)];
        let mut next = from;
        for _ in 0..spells {
            next += rng.random_range(5..300);
            if next >= to {
                break;
            }
            let number = people.absences.len();
            let mut absence = absence(rng, woman, next, to);
            absence.id = format!("A{number:07}");
            absence.employment = position;
            next = absence.to.unwrap_or(to) + 10;
            people.absences.push(absence);
        }
    }
    // One of each kind that is rare, whatever the size of the estate.
    for (absence, kind) in people.absences.iter_mut().zip([Leave::Jury, Leave::Special, Leave::Paternity]) {
        (absence.kind, absence.reason) = (kind, "Other");
    }
    if let Some(absence) = people.absences.get_mut(4) {
        absence.cancelled = true;
    }
}

/// An absence from `from`, still lasting if it would go beyond the census day, and in any case
/// not beyond `to`, the last day of the employment.
fn absence(rng: &mut ChaCha8Rng, woman: bool, from: Day, to: Day) -> Absence {
    let (kind, days) = match rng.random_range(0..100) {
        0..4 if woman => (Leave::Maternity, rng.random_range(120..300)),
        0..4 => (Leave::Paternity, 14),
        4..9 => (Leave::Special, rng.random_range(1..6)),
        9..10 => (Leave::Jury, rng.random_range(5..12)),
        10..75 => (Leave::Sickness, rng.random_range(1..6)),
        75..93 => (Leave::Sickness, rng.random_range(6..28)),
        _ => (Leave::Sickness, rng.random_range(28..150)),
    };
    let reason = match kind {
        Leave::Sickness => pick(
            rng,
            &[
                "Cold, flu",
                "Back pain",
                "Injury on duty",
                "Stress/anxiety",
                "Migraine",
                "Surgery",
                "COVID-19",
                "",
            ],
        ),
        Leave::Maternity => "Maternity",
        Leave::Paternity | Leave::Special | Leave::Jury => "Other",
    };
    let last = from + days - 1;
    let lasting = last > calendar::last_day() && to == calendar::last_day();
    let last = last.min(to);
    let working_days = i64::from((last - from + 1 + 3) * 5 / 7).max(1);
    let recorded = last.min(calendar::last_day());
    Absence {
        id: String::new(),
        employment: 0,
        kind,
        reason,
        from,
        to: (!lasting).then_some(last),
        hours: (!lasting).then_some(working_days * 780),
        days: (!lasting).then_some(working_days * 100),
        cancelled: rng.random_bool(0.02),
        changed: Minute::from(recorded) * DAY + rng.random_range(8 * 60..18 * 60),
    }
}
