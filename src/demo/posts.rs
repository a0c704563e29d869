//! The posts that an employment goes through, and the calibration of officers' full-time
//! equivalents to the published census.

use crate::demo::calendar::{self, DAY, Day, Minute};
use crate::demo::names::pick;
use crate::demo::people::office_hours;
use crate::demo::world::{Employment, FULL, Post, Worker};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// A grade that is on nobody's list.
pub(super) const UNMAPPED_GRADE: &str = "SO1";

/// Full-time equivalents of part-timers; whole hundredths, so that the census can be met exactly.
const PART_TIME: [i64; 7] = [5_000, 6_000, 7_000, 7_500, 8_000, 8_500, 9_000];

const UNITS: [&str; 8] = ["RESP-N", "RESP-S", "NPT-EAST", "NPT-WEST", "CID", "PPU", "ROADS", "HQ"];

/// Share of each rank among officers, in ten-thousandths, from the top; the rest are constables.
const PYRAMID: [(&[&str], usize); 6] = [
    (&["CC", "DCC", "ACC"], 26),
    (&["CHSUPT"], 29),
    (&["SUPT", "DSUPT"], 79),
    (&["CI", "DCI"], 180),
    (&["INSP", "DI"], 432),
    (&["PS", "DS"], 1_382),
];

/// An employment before its history is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spell {
    /// The first day.
    pub started: Day,
    /// The last day.
    pub ended: Option<Day>,
    /// The kind of worker.
    pub worker: Worker,
    /// The latest grade.
    pub grade: &'static str,
    /// The latest full-time equivalent.
    pub fte: i64,
}

/// Full-time equivalents of `heads` officers that add up to `target`.
pub(super) fn census_fte(rng: &mut ChaCha8Rng, heads: usize, target: i64) -> Vec<i64> {
    let mut fte = vec![FULL; heads];
    let mut order: Vec<usize> = (0..heads).collect();
    order.shuffle(rng);
    let mut spare = heads as i64 * FULL - target;
    for n in order {
        // The last part-timer takes what is left.
        let less = if spare <= 5_000 { spare } else { FULL - pick(rng, &PART_TIME) };
        fte[n] -= less;
        spare -= less;
    }
    fte
}

/// Full time, or with a chance of `percent` a part-time equivalent.
pub(super) fn some_fte(rng: &mut ChaCha8Rng, percent: u32) -> i64 {
    // 32 hours of 37.
    let uneven = 8_649;
    match rng.random_range(0..100) {
        n if n >= percent => FULL,
        0 => uneven,
        _ => pick(rng, &PART_TIME),
    }
}

/// The grade of the `n`th of `heads` officers, from the top.
pub(super) fn officer_grade(rng: &mut ChaCha8Rng, n: usize, heads: usize) -> &'static str {
    let mut before = 0;
    for (grades, share) in PYRAMID {
        let count = (heads * share + 5_000) / 10_000;
        if n < before + count {
            // There is one chief constable and one deputy; a quarter of the other ranks are detectives.
            let plain = grades.len() == 3 || n == before || rng.random_bool(0.75);
            let place = if grades.len() == 3 { n - before } else { usize::from(!plain) };
            return grades[place.min(grades.len() - 1)];
        }
        before += count;
    }
    match rng.random_range(0..100) {
        0..80 => "PC",
        80..96 => "DC",
        _ => "TDC",
    }
}

/// A grade for somebody who is not an officer.
pub(super) fn grade(rng: &mut ChaCha8Rng, worker: Worker) -> &'static str {
    match worker {
        Worker::Officer => "PC",
        Worker::Pcso => "PCSO",
        Worker::Special => "SC",
        Worker::Staff => pick(rng, &["A", "B", "C", "C", "D", "D", "E", "E", "F", "G", "H", "I", "J", "M"]),
    }
}

/// Whether officers of the grade work shifts.
pub(super) fn works_shifts(grade: &str) -> bool {
    matches!(grade, "PC" | "DC" | "TDC" | "PS" | "DS" | "INSP")
}

/// The rank of a grade in the consolidated view.
pub(super) fn rank(grade: &str) -> &'static str {
    match grade {
        "PC" | "DC" | "TDC" => "constable",
        "PS" | "DS" => "sergeant",
        "INSP" | "DI" => "inspector",
        "CI" | "DCI" => "chief_inspector",
        "SUPT" | "DSUPT" => "superintendent",
        "CHSUPT" => "chief_superintendent",
        "ACC" | "DCC" | "CC" => "chief_officer",
        "PCSO" => "community_support_officer",
        "SC" => "special_constable",
        UNMAPPED_GRADE => "unmapped",
        _ => "police_staff",
    }
}

fn title(grade: &str) -> &'static str {
    match grade {
        "PC" => "Police Constable",
        "DC" | "TDC" => "Detective Constable",
        "PS" => "Sergeant",
        "DS" => "Detective Sergeant",
        "INSP" => "Inspector",
        "DI" => "Detective Inspector",
        "CI" | "DCI" => "Chief Inspector",
        "SUPT" | "DSUPT" => "Superintendent",
        "CHSUPT" => "Chief Superintendent",
        "ACC" | "DCC" | "CC" => "Chief Officer",
        "PCSO" => "Police Community Support Officer",
        "SC" => "Special Constable",
        "A" | "B" => "Administrator",
        "C" | "D" => "Enquiry Officer",
        "E" | "F" => "Control Room Operator",
        _ => "Analyst",
    }
}

/// The effective-dated rows of an employment, oldest first: at most three.
pub(super) fn history(rng: &mut ChaCha8Rng, spell: &Spell) -> Vec<Post> {
    let mut starts = vec![spell.started];
    let from = (spell.started + 30).max(calendar::day(2022, 4, 1));
    let to = spell.ended.unwrap_or(calendar::last_day()) - 10;
    let changes = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2][rng.random_range(0..10)];
    if from < to {
        starts.extend((0..changes).map(|_| rng.random_range(from..to)));
    }
    starts.sort_unstable();
    starts.dedup();
    let mut posts = Vec::with_capacity(starts.len());
    for (n, &from) in starts.iter().enumerate() {
        let next = starts.get(n + 1).copied();
        // The latest row is as the census has it; those before differ.
        let (grade, fte) = match next {
            None => (spell.grade, spell.fte),
            Some(_) => (before(rng, spell.grade), if spell.fte == 0 { 0 } else { some_fte(rng, 10) }),
        };
        let mut to = next.map(|next| next - 1).or(spell.ended);
        let mut changed = office_hours(rng, from);
        if next.is_some() && rng.random_bool(0.06) {
            // The change after this row was recorded late, and this row was left as it was.
            (to, changed) = (spell.ended, office_hours(rng, from + 45));
        }
        posts.push(post(rng, spell.worker, grade, fte, from, to, changed));
    }
    posts
}

/// Gives an employment that goes on a change that was recorded months later, with the row before
/// left open.
pub(super) fn back_date(employment: &mut Employment) {
    let day = calendar::day(2025, 2, 1).max(employment.started + 1);
    employment.posts.truncate(1);
    let Some(first) = employment.posts.last_mut().filter(|_| employment.ended.is_none()) else { return };
    first.to = None;
    let mut next = first.clone();
    next.from = day;
    next.unit = "HQ-BACK".into();
    next.changed = Minute::from((day + 90).min(calendar::last_day())) * DAY + 10 * 60;
    employment.posts.push(next);
}

fn post(
    rng: &mut ChaCha8Rng,
    worker: Worker,
    grade: &'static str,
    fte: i64,
    from: Day,
    to: Option<Day>,
    changed: Minute,
) -> Post {
    let week = if worker == Worker::Officer { 40 } else { 37 };
    Post {
        title: title(grade),
        unit: pick(rng, &UNITS).to_owned(),
        cost_centre: format!("C{}", rng.random_range(101..126)),
        grade,
        sloppy: rng.random_bool(0.005),
        hours: fte * week,
        fte,
        from,
        to,
        changed,
    }
}

/// A grade that may come before `grade`.
fn before(rng: &mut ChaCha8Rng, grade: &'static str) -> &'static str {
    let lower = match grade {
        "PS" | "DS" => "PC",
        "INSP" | "DI" => "PS",
        "CI" | "DCI" => "INSP",
        "SUPT" | "DSUPT" => "CI",
        "CHSUPT" => "SUPT",
        "ACC" => "CHSUPT",
        "DC" => "TDC",
        "D" | "E" => "C",
        "F" | "G" => "D",
        _ => return grade,
    };
    if rng.random_bool(0.4) { lower } else { grade }
}
