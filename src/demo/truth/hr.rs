//! Questions about people, their posts and their absences.

use super::{Asked, Cell, Facts, date, decimal, int, row};
use crate::demo::calendar::{self, Day};
use crate::demo::posts::rank;
use crate::demo::world::{Absence, Employment, Leave, People, Post, Worker};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The day after everything.
const OPEN: &str = "9999-12-31";

/// A period in which the terms of an employment did not change; the end is excluded.
pub(super) struct Term<'a> {
    employment: &'a Employment,
    post: &'a Post,
    from: Day,
    to: Day,
}

/// The terms of all employments: a row that was left open ends where the next begins.
pub(super) fn terms(people: &People) -> Vec<Term<'_>> {
    let mut terms = Vec::new();
    for employment in &people.employments {
        for (n, post) in employment.posts.iter().enumerate() {
            let next = employment.posts.get(n + 1).map_or(Day::MAX, |next| next.from);
            let to = post.to.map_or(Day::MAX, |to| to + 1).min(next);
            if post.from < to {
                terms.push(Term { employment, post, from: post.from, to });
            }
        }
    }
    terms
}

impl Term<'_> {
    fn holds(&self, day: Day) -> bool {
        self.from <= day && day < self.to
    }
}

/// The token by which people are joined across forces; none for no number or a temporary one.
fn token(ni: &str) -> Option<String> {
    let ni = ni.replace(' ', "").to_uppercase();
    let lasting = !ni.is_empty() && !ni.starts_with("TN");
    lasting.then(|| format!("{:x}", Sha256::digest(ni.as_bytes())))
}

/// Asks about people, employments, strength and absences.
pub(super) fn ask(asked: &mut Asked, facts: &[Facts]) {
    people(asked, facts);
    identities(asked, facts);
    names(asked, facts);
    employments(asked, facts);
    two_posts(asked, facts);
    strength(asked, facts);
    absences(asked, facts);
}

fn by_force(facts: &[Facts], answer: impl Fn(&People) -> usize) -> Vec<Vec<Cell>> {
    facts.iter().map(|f| row([f.force.code.to_owned(), int(answer(&f.people) as i64)])).collect()
}

fn people(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "people by force",
        "select force, count(*) as people from conformed.person group by force order by force",
        by_force(facts, |p| p.people.len()),
    );
    asked.hub(
        "people who serve, by force",
        "select force, count(*) as people from conformed.person where ended_on = date '9999-12-31'
         group by force order by force",
        by_force(facts, |p| p.people.iter().filter(|p| p.ended.is_none()).count()),
    );
    let (from, to) = (calendar::day(2025, 4, 1), calendar::last_day());
    let within = |day: Option<Day>| day.is_some_and(|day| from <= day && day <= to);
    asked.hub(
        "joiners and leavers of 2025/26 by force",
        "select force,
         sum(case when started_on between date '2025-04-01' and date '2026-03-31' then 1 else 0 end) as joiners,
         sum(case when ended_on between date '2025-04-01' and date '2026-03-31' then 1 else 0 end) as leavers
         from conformed.person group by force order by force",
        facts
            .iter()
            .map(|f| {
                let people = &f.people.people;
                let joiners = people.iter().filter(|p| within(Some(p.started))).count();
                let leavers = people.iter().filter(|p| within(p.ended)).count();
                row([f.force.code.into(), int(joiners as i64), int(leavers as i64)])
            })
            .collect(),
    );
    asked.each("forces seen in people", "select distinct force from conformed.person", facts, |f| {
        vec![row([f.force.code.into()])]
    });
    asked.each("own people", "select count(*) as people from conformed.person", facts, |f| {
        vec![row([int(f.people.people.len() as i64)])]
    });
    asked.user(
        "beds",
        "people of another force",
        "select count(*) as people from conformed.person where force = 'herts'",
        vec![row([int(0)])],
    );
}

fn identities(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "people without a permanent National Insurance number, by force",
        "select force, count(*) as people from conformed.person where ni_token is null
         group by force order by force",
        by_force(facts, |p| p.people.iter().filter(|p| token(&p.identity.ni).is_none()).count()),
    );
    let mut known: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
    for f in facts {
        for person in &f.people.people {
            if let Some(token) = token(&person.identity.ni) {
                known.entry(token).or_default().push((f.force.code, &person.id));
            }
        }
    }
    known.retain(|_, at| at.len() > 1);
    let mut rows = Vec::new();
    for (token, at) in &known {
        for (n, (force, person)) in at.iter().enumerate() {
            for (other_force, other) in &at[n + 1..] {
                rows.push(row([*force, person, other_force, other, token].map(str::to_owned)));
            }
        }
    }
    rows.sort();
    asked.hub(
        "people known to two forces",
        "select one.force, one.person_id, other.force as other_force, other.person_id as other_person_id,
         one.ni_token from conformed.person as one
         inner join conformed.person as other on one.ni_token = other.ni_token and one.force < other.force
         order by one.force, one.person_id, other_force, other_person_id",
        rows,
    );
    if let Some((token, at)) = known.iter().next() {
        let sql = format!(
            "select force, person_id from conformed.person where ni_token = '{token}' order by force, person_id"
        );
        let rows = |only: Option<&str>| -> Vec<Vec<Cell>> {
            let at = at.iter().filter(|(force, _)| only.is_none_or(|only| only == *force));
            at.map(|(force, person)| row([(*force).to_owned(), (*person).to_owned()])).collect()
        };
        asked.hub("one person at two forces", &sql, rows(None));
        asked.each("one person at two forces", &sql, facts, |f| rows(Some(f.force.code)));
    }
}

/// Names that an old code page or a wrong width would break.
fn names(asked: &mut Asked, facts: &[Facts]) {
    for f in facts {
        let person = f.people.people.iter().find(|p| !p.identity.surname.is_ascii());
        let person = person.or_else(|| f.people.people.iter().find(|p| !p.identity.forenames.is_ascii()));
        let Some(person) = person else { continue };
        asked.hub(
            &format!("a name with an accent at {}", f.force.code),
            &format!(
                "select surname, forenames, birth_date, sex, started_on, ended_on from conformed.person
                 where force = '{}' and person_id = '{}'",
                f.force.code, person.id
            ),
            vec![row([
                person.identity.surname.to_owned(),
                person.identity.forenames.clone(),
                date(person.identity.born),
                person.identity.sex.to_string(),
                date(person.started),
                person.ended.map_or(OPEN.into(), date),
            ])],
        );
    }
}

fn employments(asked: &mut Asked, facts: &[Facts]) {
    asked.hub(
        "employments and their periods by force",
        "select force, count(distinct employment_id) as employments, count(*) as periods
         from conformed.employment group by force order by force",
        facts
            .iter()
            .map(|f| {
                let (employments, terms) = (f.people.employments.len() as i64, terms(&f.people).len() as i64);
                row([f.force.code.into(), int(employments), int(terms)])
            })
            .collect(),
    );
    asked.hub(
        "grades without a rank, by force",
        "select force, count(*) as periods from conformed.employment where rank_code = 'unmapped'
         group by force order by force",
        by_force(facts, |p| terms(p).iter().filter(|t| rank(t.post.grade) == "unmapped").count()),
    );
    asked.hub(
        "weekly hours contracted on the census day, by force",
        "select force, cast(sum(contracted_hours) as decimal(18, 4)) as hours from conformed.employment
         where valid_from <= date '2026-03-31' and valid_to > date '2026-03-31'
         group by force order by force",
        facts
            .iter()
            .map(|f| {
                let terms = terms(&f.people);
                let hours = terms.iter().filter(|t| t.holds(calendar::last_day())).map(|t| t.post.hours);
                row([f.force.code.into(), decimal(hours.sum(), 4)])
            })
            .collect(),
    );
    for f in facts {
        let Some(employment) =
            f.people.employments.iter().find(|e| e.posts.iter().any(|p| p.unit == "HQ-BACK"))
        else {
            continue;
        };
        let terms = terms(&f.people);
        let own = terms.iter().filter(|t| t.employment.id == employment.id);
        asked.hub(
            &format!("a change recorded months late at {}", f.force.code),
            &format!(
                "select valid_from, valid_to, unit_code, fte from conformed.employment
                 where force = '{}' and employment_id = '{}' order by valid_from",
                f.force.code, employment.id
            ),
            own.map(|t| {
                let to = if t.to == Day::MAX { OPEN.into() } else { date(t.to) };
                row([date(t.from), to, t.post.unit.clone(), decimal(t.post.fte, 4)])
            })
            .collect(),
        );
    }
}

fn two_posts(asked: &mut Asked, facts: &[Facts]) {
    let holders = |people: &People, matching: &dyn Fn(&BTreeSet<Worker>, usize) -> bool| -> usize {
        let mut held: BTreeMap<usize, (BTreeSet<Worker>, usize)> = BTreeMap::new();
        for term in terms(people).iter().filter(|t| t.holds(calendar::last_day())) {
            let held = held.entry(term.employment.person).or_default();
            held.0.insert(term.employment.worker);
            held.1 += 1;
        }
        held.values().filter(|(workers, posts)| matching(workers, *posts)).count()
    };
    let held = "select force, person_id, count(distinct employment_id) as posts,
                count(distinct worker_type) as worker_types from conformed.employment
                where valid_from <= date '2026-03-31' and valid_to > date '2026-03-31'
                group by force, person_id";
    asked.hub(
        "people with two posts on the census day, by force",
        &format!(
            "select force, count(*) as people from ({held}) as held where posts > 1 group by force order by force"
        ),
        by_force(facts, |p| holders(p, &|_, posts| posts > 1)),
    );
    asked.hub(
        "staff who are also special constables, by force",
        &format!(
            "select force, count(*) as people from ({held}) as held where worker_types > 1
             group by force order by force"
        ),
        by_force(facts, |p| holders(p, &|workers, _| workers.len() > 1)),
    );
}

/// Heads and full-time equivalents on `day`, by worker type and rank.
type Strength = BTreeMap<(&'static str, &'static str), (BTreeSet<usize>, i64)>;

fn strength_on(people: &People, day: Day) -> Strength {
    let mut strength = Strength::new();
    for term in terms(people).iter().filter(|t| t.holds(day)) {
        let key = (term.employment.worker.name(), rank(term.post.grade));
        let (heads, fte) = strength.entry(key).or_default();
        heads.insert(term.employment.person);
        *fte += term.post.fte;
    }
    strength
}

fn strength(asked: &mut Asked, facts: &[Facts]) {
    let officers = |f: &Facts, day: Day| -> (i64, i64) {
        let strength = strength_on(&f.people, day);
        let officers = strength.iter().filter(|((worker, _), _)| *worker == "police officer");
        officers.fold((0, 0), |(heads, fte), (_, (h, f))| (heads + h.len() as i64, fte + f))
    };
    asked.hub(
        "officers' full-time equivalents on 31 March 2026 by force",
        "select force, cast(sum(fte) as decimal(18, 2)) as fte from marts.strength
         where month_end = date '2026-03-31' and worker_type = 'police officer' group by force order by force",
        facts
            .iter()
            .map(|f| row([f.force.code.into(), decimal(officers(f, calendar::last_day()).1 / 100, 2)]))
            .collect(),
    );
    let sql = "select force, worker_type, rank_code, headcount, fte from marts.strength
               where month_end = date '2026-03-31' order by force, worker_type, rank_code";
    let all = |f: &Facts| -> Vec<Vec<Cell>> {
        strength_on(&f.people, calendar::last_day())
            .into_iter()
            .map(|((worker, rank), (heads, fte))| {
                let heads = int(heads.len() as i64);
                row([f.force.code.into(), worker.into(), rank.into(), heads, decimal(fte, 4)])
            })
            .collect()
    };
    asked.hub("strength on 31 March 2026", sql, facts.iter().flat_map(all).collect());
    asked.each("own strength on 31 March 2026", sql, facts, all);
    let months = calendar::months();
    asked.hub(
        "officers at the end of every month, by force",
        "select force, fin_year, month_end, sum(headcount) as headcount, cast(sum(fte) as decimal(18, 4)) as fte
         from marts.strength where worker_type = 'police officer' group by force, fin_year, month_end
         order by force, fin_year, month_end",
        facts
            .iter()
            .flat_map(|f| months.iter().map(move |m| (f, m)))
            .map(|(f, m)| {
                let (heads, fte) = officers(f, m.end);
                row([f.force.code.into(), int(m.fin_year), date(m.end), int(heads), decimal(fte, 4)])
            })
            .collect(),
    );
}

fn kind(absence: &Absence) -> &'static str {
    match absence.kind {
        Leave::Sickness => "sickness",
        Leave::Maternity => "maternity",
        Leave::Paternity | Leave::Special | Leave::Jury => "other",
    }
}

fn absences(asked: &mut Asked, facts: &[Facts]) {
    let of = |f: &Facts| -> Vec<Vec<Cell>> {
        let mut kinds: BTreeMap<&str, [i64; 3]> = BTreeMap::new();
        for absence in f.people.absences.iter().filter(|a| !a.cancelled) {
            let [absences, hours, days] = kinds.entry(kind(absence)).or_default();
            *absences += 1;
            *hours += absence.hours.unwrap_or_default();
            *days += absence.days.unwrap_or_default();
        }
        kinds
            .into_iter()
            .map(|(kind, [absences, hours, days])| {
                row([f.force.code.into(), kind.into(), int(absences), decimal(hours, 2), decimal(days, 2)])
            })
            .collect()
    };
    let sql =
        "select force, absence_type, count(*) as absences, cast(sum(hours_lost) as decimal(18, 2)) as hours,
               cast(sum(days_lost) as decimal(18, 2)) as days from conformed.absence
               group by force, absence_type order by force, absence_type";
    asked.hub("absences by force and type", sql, facts.iter().flat_map(of).collect());
    asked.each("own absences by type", sql, facts, of);
    asked.hub(
        "sickness that still lasts, by force",
        "select force, count(*) as absences from conformed.absence
         where absence_type = 'sickness' and ended_on is null group by force order by force",
        facts
            .iter()
            .filter_map(|f| {
                let absences = f.people.absences.iter();
                let lasting =
                    absences.filter(|a| !a.cancelled && a.kind == Leave::Sickness && a.to.is_none()).count();
                (lasting > 0).then(|| row([f.force.code.into(), int(lasting as i64)]))
            })
            .collect(),
    );
}
