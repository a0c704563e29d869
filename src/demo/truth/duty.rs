//! Questions about duties and overtime, answered from counts taken while they were made.

use super::{Asked, Cell, Facts, code, date, decimal, int, row};
use crate::demo::calendar::{self, DAY, Day};
use crate::demo::duty::{Claim, NOBODY, Shift, elapsed};
use crate::demo::world::People;
use std::collections::BTreeMap;

/// What is counted of the duties of one force.
#[derive(Debug, Default)]
pub(in crate::demo) struct Tally {
    shifts: i64,
    worked: i64,
    without_holder: i64,
    rest_days: i64,
    past_midnight: i64,
    planned_minutes: i64,
    worked_minutes: i64,
    /// Duties on the nights of the clock changes of 2025: count, planned and worked minutes.
    nights: BTreeMap<Day, [i64; 3]>,
    /// By collar number and its holder's employment: duties.
    collars: BTreeMap<String, BTreeMap<Option<usize>, i64>>,
    /// By month and worker type.
    months: BTreeMap<(usize, &'static str), Hours>,
    /// By status and kind: claims, minutes worked and credited.
    claims: BTreeMap<(&'static str, String), [i64; 3]>,
    recorded_late: i64,
}

/// One row of `marts.worked_hours`, in minutes.
#[derive(Debug, Default)]
struct Hours {
    planned: i64,
    worked: i64,
    rest_days: i64,
    overtime: i64,
}

impl Tally {
    /// Counts a duty.
    pub(in crate::demo) fn shift(&mut self, people: &People, shift: &Shift) {
        let planned = shift.plan.map_or(0, elapsed);
        let worked = shift.actual.map_or(0, |actual| elapsed(actual) - shift.meal);
        self.shifts += 1;
        self.worked += i64::from(shift.actual.is_some());
        self.without_holder += i64::from(shift.employment.is_none());
        self.rest_days += i64::from(shift.rest);
        self.past_midnight +=
            i64::from(shift.actual.is_some_and(|(_, end)| end >= (i64::from(shift.day) + 1) * DAY));
        self.planned_minutes += planned;
        self.worked_minutes += worked;
        if !self.collars.contains_key(&shift.collar) {
            self.collars.insert(shift.collar.clone(), BTreeMap::new());
        }
        if let Some(holders) = self.collars.get_mut(&shift.collar) {
            *holders.entry(shift.employment).or_default() += 1;
        }
        if clock_changes().contains(&shift.day) && shift.code == "N" {
            let night = self.nights.entry(shift.day).or_default();
            *night = [night[0] + 1, night[1] + planned, night[2] + worked];
        }
        let hours = self.hours(people, shift.employment, shift.day);
        hours.planned += planned;
        hours.worked += worked;
        hours.rest_days += i64::from(shift.rest && worked > 0);
    }

    /// Counts a claim.
    pub(in crate::demo) fn claim(&mut self, people: &People, claim: &Claim) {
        let counts = self.claims.entry((claim.status, claim.kind.to_lowercase())).or_default();
        *counts = [counts[0] + 1, counts[1] + claim.minutes, counts[2] + claim.credited];
        let recorded = calendar::utc(claim.recorded).div_euclid(DAY) as Day;
        self.recorded_late += i64::from(recorded > claim.day + 14);
        if claim.status == "authorised" {
            self.hours(people, claim.employment, claim.day).overtime += claim.minutes;
        }
    }

    /// Rows of `conformed.duty`.
    pub(super) fn duties(&self) -> usize {
        self.shifts as usize
    }

    /// Rows of `conformed.overtime`.
    pub(super) fn overtime(&self) -> usize {
        self.claims.values().map(|[claims, ..]| *claims as usize).sum()
    }

    fn hours(&mut self, people: &People, employment: Option<usize>, day: Day) -> &mut Hours {
        let worker = employment
            .map(|position| &people.employments[position])
            .filter(|employment| employment.within(day, day).is_some())
            .map_or("unknown", |employment| employment.worker.name());
        self.months.entry((calendar::month_of(day), worker)).or_default()
    }
}

/// The duty days of the nights on which the clocks of 2025 changed.
fn clock_changes() -> [Day; 2] {
    [calendar::day(2025, 3, 29), calendar::day(2025, 10, 25)]
}

/// Asks about duties, hours worked and overtime.
pub(super) fn ask(asked: &mut Asked, facts: &[Facts]) {
    duties(asked, facts);
    collar_numbers(asked, facts);
    clocks(asked, facts);
    worked_hours(asked, facts);
    overtime(asked, facts);
}

fn by_force(facts: &[Facts], answer: impl Fn(&Tally) -> i64) -> Vec<Vec<Cell>> {
    facts.iter().map(|f| row([f.force.code.to_owned(), int(answer(&f.duty))])).collect()
}

fn duties(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "duties by force",
        "select force, count(*) as duties from conformed.duty group by force order by force",
        by_force(facts, |t| t.shifts),
    );
    asked.hub(
        "duties that were worked, by force",
        "select force, count(*) as duties from conformed.duty where worked_start is not null
         group by force order by force",
        by_force(facts, |t| t.worked),
    );
    asked.hub(
        "minutes planned and worked by force",
        "select force, sum(planned_minutes) as planned, sum(worked_minutes) as worked
         from conformed.duty group by force order by force",
        facts
            .iter()
            .map(|f| row([f.force.code.into(), int(f.duty.planned_minutes), int(f.duty.worked_minutes)]))
            .collect(),
    );
    asked.hub(
        "rest days worked by force",
        "select force, count(*) as rest_days from conformed.duty where is_rest_day and worked_minutes > 0
         group by force order by force",
        by_force(facts, |t| t.rest_days),
    );
    let sql = "select count(*) as duties, sum(worked_minutes) as worked, count(distinct force) as forces
               from conformed.duty";
    asked.each("own duties", sql, facts, |f| {
        vec![row([int(f.duty.shifts), int(f.duty.worked_minutes), int(1)])]
    });
}

fn collar_numbers(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "duties of a collar number that nobody holds",
        &format!(
            "select force, count(*) as duties from conformed.duty
             where employment_id is null and collar_no = '{NOBODY}' group by force order by force"
        ),
        by_force(facts, |t| t.without_holder),
    );
    asked.hub(
        "collar numbers that were handed on",
        "select force, count(*) as collar_numbers from (
             select force, collar_no from conformed.duty where employment_id is not null
             group by force, collar_no having count(distinct employment_id) > 1
         ) as handed_on group by force order by force",
        by_force(facts, |t| t.collars.values().filter(|holders| holders.len() > 1).count() as i64),
    );
    let handed_on = facts.iter().filter_map(|f| {
        let (collar, holders) = f.duty.collars.iter().find(|(_, holders)| holders.len() > 1)?;
        let mut rows: Vec<_> = holders
            .iter()
            .filter_map(|(employment, duties)| {
                let employment = &f.people.employments[(*employment)?];
                Some(row([employment.id.clone(), int(*duties)]))
            })
            .collect();
        rows.sort();
        Some((f.force.code, collar, rows))
    });
    for (force, collar, rows) in handed_on.collect::<Vec<_>>() {
        asked.hub(
            &format!("whose duties they were, of a collar number handed on at {force}"),
            &format!(
                "select employment_id, count(*) as duties from conformed.duty
                 where force = '{force}' and collar_no = '{collar}' group by employment_id
                 order by employment_id"
            ),
            rows,
        );
    }
}

fn clocks(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "duties that ended after midnight, London time",
        "select force, count(*) as duties from conformed.duty
         where date_trunc('day', worked_end at time zone 'Europe/London')
             > date_trunc('day', worked_start at time zone 'Europe/London')
         group by force order by force",
        by_force(facts, |t| t.past_midnight),
    );
    for day in clock_changes() {
        let rows = facts
            .iter()
            .filter_map(|f| {
                let [duties, planned, worked] = *f.duty.nights.get(&day)?;
                Some(row([code(f.force.index as usize), int(duties), int(planned), int(worked)]))
            })
            .collect();
        asked.hub(
            &format!("minutes of the night duties of {}, when the clocks changed", date(day)),
            &format!(
                "select force, count(*) as duties, sum(planned_minutes) as planned,
                 sum(worked_minutes) as worked from conformed.duty
                 where duty_date = date '{}' and shift_code = 'N' group by force order by force",
                date(day)
            ),
            rows,
        );
    }
}

/// Minutes as hours with two digits, rounded half up.
fn hours(minutes: i64) -> String {
    decimal((minutes * 100 + 30) / 60, 2)
}

fn worked_hours(asked: &mut Asked, facts: &[Facts]) {
    let months = calendar::months();
    let of = |f: &Facts, month: Option<usize>| -> Vec<Vec<Cell>> {
        f.duty
            .months
            .iter()
            .filter(|((m, _), _)| month.is_none_or(|month| month == *m))
            .map(|((m, worker), h)| {
                row([
                    f.force.code.into(),
                    date(months[*m].end),
                    (*worker).into(),
                    hours(h.planned),
                    hours(h.worked),
                    int(h.rest_days),
                    hours(h.overtime),
                ])
            })
            .collect()
    };
    let columns =
        "force, month_end, worker_type, planned_hours, worked_hours, rest_days_worked, overtime_hours";
    asked.hub(
        "hours worked in October 2025",
        &format!(
            "select {columns} from marts.worked_hours where month_end = date '2025-10-31'
             order by force, month_end, worker_type"
        ),
        facts.iter().flat_map(|f| of(f, Some(18))).collect(),
    );
    asked.each(
        "hours worked in every month",
        &format!("select {columns} from marts.worked_hours order by force, month_end, worker_type"),
        facts,
        |f| of(f, None),
    );
    asked.hub(
        "rest days worked by force and financial year",
        "select force, case when month_end < date '2025-04-01' then 2024 else 2025 end as fin_year,
         sum(rest_days_worked) as rest_days from marts.worked_hours
         group by force, case when month_end < date '2025-04-01' then 2024 else 2025 end
         order by force, fin_year",
        facts
            .iter()
            .flat_map(|f| {
                [2024, 2025].map(|year| {
                    let months = f.duty.months.iter().filter(|((m, _), _)| (*m >= 12) == (year == 2025));
                    row([f.force.code.into(), int(year), int(months.map(|(_, h)| h.rest_days).sum::<i64>())])
                })
            })
            .collect(),
    );
    asked.hub(
        "duties of nobody in post, by month",
        "select force, month_end, planned_hours, worked_hours from marts.worked_hours
         where worker_type = 'unknown' order by force, month_end",
        facts
            .iter()
            .flat_map(|f| {
                let unknown = f.duty.months.iter().filter(|((_, worker), _)| *worker == "unknown");
                unknown.map(|((m, _), h)| {
                    row([f.force.code.into(), date(months[*m].end), hours(h.planned), hours(h.worked)])
                })
            })
            .collect(),
    );
}

fn overtime(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "overtime claims by force, status and kind",
        "select force, status, claim_type, count(*) as claims, sum(minutes_worked) as worked,
         sum(minutes_credited) as credited from conformed.overtime
         group by force, status, claim_type order by force, status, claim_type",
        facts
            .iter()
            .flat_map(|f| {
                f.duty.claims.iter().map(|((status, kind), [claims, worked, credited])| {
                    row([
                        f.force.code.into(),
                        (*status).into(),
                        kind.clone(),
                        int(*claims),
                        int(*worked),
                        int(*credited),
                    ])
                })
            })
            .collect(),
    );
    asked.hub(
        "overtime claims recorded more than two weeks after the day",
        "select force, count(*) as claims from conformed.overtime
         where cast(recorded_at as date) > worked_on + interval '14 days' group by force order by force",
        by_force(facts, |t| t.recorded_late),
    );
    asked.hub(
        "overtime of a collar number that nobody holds",
        "select force, collar_no, sum(minutes_worked) as worked from conformed.overtime
         where employment_id is null group by force, collar_no order by force, collar_no",
        facts.iter().map(|f| row([f.force.code.into(), NOBODY.into(), int(60)])).collect(),
    );
    let sql = "select force, count(*) as claims from conformed.overtime group by force";
    asked.each("own overtime claims", sql, facts, |f| {
        let claims = f.duty.claims.values().map(|[claims, ..]| claims).sum::<i64>();
        vec![row([f.force.code.into(), int(claims)])]
    });
}
