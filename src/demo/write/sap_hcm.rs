//! SAP HCM: fixed-width infotype files.

use crate::demo::calendar::Style;
use crate::demo::force::Force;
use crate::demo::posts::{self, UNMAPPED_GRADE};
use crate::demo::world::{Leave, People, Worker};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Fault, Format, Layout, bad, number, text, twice};
use crate::error::Result;
use std::path::Path;

/// What SAP writes for "no end".
const OPEN: &str = "99991231";

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "person",
        name: "PA0002",
        trailer: Some(&[]),
        columns: &[
            text("pernr", 8),
            text("ni_no", 9),
            text("surname", 40),
            text("forenames", 40),
            text("dob", 8),
            text("gender", 1),
            text("start_date", 8),
            text("leave_date", 8),
            text("changed_at", 14),
        ],
    },
    Layout {
        entity: "assignment",
        name: "PA0001",
        trailer: Some(&[("fte", 4)]),
        columns: &[
            text("asnum", 8),
            text("pernr", 8),
            text("title", 40),
            text("orgeh", 8),
            text("kostl", 10),
            text("persk", 6),
            text("persg", 1),
            number("hours", 8),
            number("fte", 7),
            text("begda", 8),
            text("endda", 8),
            text("changed_at", 14),
        ],
    },
    Layout {
        entity: "absence",
        name: "PA2001",
        trailer: Some(&[("hours", 2)]),
        columns: &[
            text("docnr", 10),
            text("asnum", 8),
            text("subty", 4),
            text("reason", 30),
            text("begda", 8),
            text("endda", 8),
            number("hours", 9),
            number("days", 9),
            text("status", 1),
            text("changed_at", 14),
        ],
    },
];

const FAULTS: &[Fault] = &[
    bad("person", &[("pernr", "00000901"), ("dob", "19800231")], &["not_a_date"]),
    bad("person", &[("pernr", "00000902"), ("forenames", "")], &["required"]),
    bad("person", &[("pernr", "00000903"), ("gender", "7")], &["not_accepted"]),
    bad("person", &[("pernr", "00000904"), ("surname", "Andr\u{e0e9}")], &["undecodable"]),
    twice("person"),
    bad("assignment", &[("asnum", "00000911"), ("fte", "O.5")], &["not_a_number"]),
    bad("assignment", &[("asnum", "00000912"), ("hours", "37.12345")], &["too_many_digits"]),
    bad("assignment", &[("asnum", "00000913"), ("begda", "20251301")], &["not_a_date"]),
    bad("assignment", &[("asnum", "00000914"), ("persg", "5"), ("persk", "")], &["required", "not_accepted"]),
    bad("assignment", &[("asnum", "00000915"), ("changed_at", "20251026013000")], &["ambiguous_time"]),
    twice("assignment"),
    bad("absence", &[("docnr", "9000000001"), ("begda", "00000000")], &["not_a_date"]),
    bad("absence", &[("docnr", "9000000002"), ("status", "?")], &["not_accepted"]),
    bad("absence", &[("docnr", "9000000003"), ("days", "1O")], &["not_a_number"]),
    bad("absence", &[("docnr", "9000000004"), ("changed_at", "20250101256000")], &["not_a_timestamp"]),
];

/// Writes the force's people.
pub(super) fn write(_: &Force, people: &People, dir: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(&dir.join("sap_hcm"), Format::Fixed, LAYOUTS)?;
    persons(people, &mut store)?;
    assignments(people, &mut store)?;
    absences(people, &mut store)?;
    store.spoil(FAULTS)?;
    store.finish()
}

fn persons(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for person in &people.people {
        let identity = &person.identity;
        let gender = match identity.sex {
            'M' => "1",
            'F' => "2",
            _ => "9",
        };
        row.clear()
            .text(&person.id)
            .text(&identity.ni)
            .text(identity.surname)
            .text(&identity.forenames)
            .day(identity.born, Style::Compact)
            .text(gender)
            .day(person.started, Style::Compact)
            .day_or(person.ended, Style::Compact, OPEN)
            .time(person.changed, Style::Compact);
        store.put(0, &row)?;
    }
    Ok(())
}

fn assignments(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for employment in &people.employments {
        let group = match employment.worker {
            Worker::Officer => "1",
            Worker::Pcso => "2",
            Worker::Staff => "3",
            Worker::Special => "4",
        };
        for post in &employment.posts {
            row.clear()
                .text(&employment.id)
                .text(&people.people[employment.person].id)
                .text(post.title)
                .text(&post.unit)
                .text(&post.cost_centre)
                .text(&grade(post.grade))
                .text(group)
                .decimal(post.hours, 4)
                .decimal(post.fte, 4)
                .day(post.from, Style::Compact)
                .day_or(post.to, Style::Compact, OPEN)
                .time(post.changed, Style::Compact);
            store.put(1, &row)?;
        }
    }
    Ok(())
}

/// The employee subgroup of a grade.
fn grade(grade: &str) -> String {
    if grade == UNMAPPED_GRADE {
        return "S99".into();
    }
    match posts::rank(grade) {
        "constable" => "P1".into(),
        "sergeant" => "P2".into(),
        "inspector" => "P3".into(),
        "chief_inspector" => "P4".into(),
        "superintendent" => "P5".into(),
        "chief_superintendent" => "P6".into(),
        "chief_officer" => "P7".into(),
        "community_support_officer" => "C1".into(),
        "special_constable" => "V1".into(),
        // A to M.
        _ => format!("S{:02}", grade.bytes().next().map_or(0, |letter| letter - b'A' + 1)),
    }
}

fn absences(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for absence in &people.absences {
        let subtype = match absence.kind {
            Leave::Sickness => "0200",
            Leave::Maternity => "0500",
            Leave::Paternity | Leave::Special => "0600",
            Leave::Jury => "0700",
        };
        let status = match (absence.cancelled, absence.to) {
            (true, _) => "X",
            (false, Some(_)) => "C",
            (false, None) => "O",
        };
        row.clear()
            .text(&absence.id)
            .text(&people.employments[absence.employment].id)
            .text(subtype)
            .text(absence.reason)
            .day(absence.from, Style::Compact)
            .day_or(absence.to, Style::Compact, "");
        match (absence.hours, absence.days) {
            (Some(hours), Some(days)) => row.decimal(hours, 2).decimal(days, 2),
            _ => row.blank().blank(),
        };
        row.text(status).time(absence.changed, Style::Compact);
        store.put(2, &row)?;
    }
    Ok(())
}
