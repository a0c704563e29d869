//! iTrent: a database at one force, report files in Windows-1252 at another.

use crate::demo::calendar::Style;
use crate::demo::force::Force;
use crate::demo::world::{Leave, People, Worker};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Delimited, Fault, Format, Layout, bad, number, ragged, text, twice};
use crate::error::Result;
use std::path::Path;

/// What iTrent writes for "no end".
const OPEN: &str = "31-DEC-4712";

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "person",
        name: "ITR_PERSON",
        trailer: Some(&[]),
        columns: &[
            text("personal_ref", 8),
            text("ni_no", 13),
            text("title", 6),
            text("surname", 40),
            text("forenames", 40),
            text("dob", 10),
            text("gender", 1),
            text("orig_start", 11),
            text("leaving_date", 11),
            text("change_ts", 19),
        ],
    },
    Layout {
        entity: "position",
        name: "ITR_POSITION",
        trailer: Some(&[("fte", 4)]),
        columns: &[
            text("assignment_no", 8),
            text("personal_ref", 8),
            text("post_title", 40),
            text("unit_code", 8),
            text("cost_centre", 8),
            text("rank_grade", 8),
            text("worker_type", 8),
            number("contract_hours", 9),
            number("fte", 9),
            text("contract_type", 10),
            text("eff_from", 11),
            text("eff_to", 11),
            text("change_ts", 19),
        ],
    },
    Layout {
        entity: "absence",
        name: "ITR_ABSENCE",
        trailer: Some(&[("hours_lost", 2)]),
        columns: &[
            text("absence_id", 8),
            text("assignment_no", 8),
            text("type", 8),
            text("reason_l1", 40),
            text("start_date", 11),
            text("end_date", 11),
            number("hours_lost", 9),
            number("days_lost", 9),
            text("cert_type", 8),
            text("status", 10),
            text("amended_ts", 19),
        ],
    },
];

/// What a database and a file can both get wrong.
const FAULTS: &[Fault] = &[
    bad("person", &[("personal_ref", "00000901"), ("dob", "31/02/1980")], &["not_a_date"]),
    bad("person", &[("personal_ref", "00000902"), ("surname", "")], &["required"]),
    bad("person", &[("personal_ref", "00000903"), ("gender", "Q")], &["not_accepted"]),
    bad("person", &[("personal_ref", "00000904"), ("change_ts", "26/10/2025 01:30:00")], &["ambiguous_time"]),
    twice("person"),
    bad("position", &[("assignment_no", "00000911"), ("fte", "O.5")], &["not_a_number"]),
    bad("position", &[("assignment_no", "00000912"), ("contract_hours", "37.12345")], &["too_many_digits"]),
    bad("position", &[("assignment_no", "00000913"), ("eff_from", "01-FOO-2025")], &["not_a_date"]),
    bad(
        "position",
        &[("assignment_no", "00000914"), ("worker_type", "ROBOT"), ("rank_grade", "")],
        &["required", "not_accepted"],
    ),
    twice("position"),
    bad("absence", &[("absence_id", "A9000001"), ("start_date", "00/00/0000")], &["not_a_date"]),
    bad("absence", &[("absence_id", "A9000002"), ("status", "MAYBE")], &["not_accepted"]),
    bad("absence", &[("absence_id", "A9000003"), ("days_lost", "1O")], &["not_a_number"]),
    bad("absence", &[("absence_id", "A9000004"), ("amended_ts", "yesterday")], &["not_a_timestamp"]),
];

/// What only a file can get wrong.
const FILE_FAULTS: &[Fault] = &[
    ragged("person", &[("personal_ref", "00000905")], 1),
    ragged("person", &[("personal_ref", "00000906")], -1),
];

/// Writes the force's people.
pub(super) fn write(force: &Force, people: &People, dir: &Path) -> Result<Vec<Received>> {
    let database = force.code == "beds";
    let (path, format) = match database {
        true => (dir.join("itrent.db"), Format::Database),
        false => (dir.join("itrent"), REPORTS),
    };
    let mut store = Store::open(&path, format, LAYOUTS)?;
    persons(people, &mut store)?;
    positions(people, &mut store)?;
    absences(people, &mut store)?;
    store.spoil(FAULTS)?;
    if !database {
        store.spoil(FILE_FAULTS)?;
    }
    store.finish()
}

/// Report files are written on Windows.
const REPORTS: Format = Format::Delimited(Delimited {
    extension: "csv",
    delimiter: ',',
    newline: "\r\n",
    header: true,
    windows_1252: true,
    byte_order_mark: false,
});

fn persons(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for person in &people.people {
        let identity = &person.identity;
        let title = match identity.sex {
            'F' => "Ms",
            'M' => "Mr",
            _ => "Mx",
        };
        row.clear()
            .text(&person.id)
            .text(&identity.ni)
            .text(title)
            .text(identity.surname)
            .text(&identity.forenames)
            .day(identity.born, Style::Slash)
            .text(identity.sex.encode_utf8(&mut [0; 4]))
            .day(person.started, Style::Report)
            .day_or(person.ended, Style::Report, OPEN)
            .time(person.changed, Style::Slash);
        store.put(0, &row)?;
    }
    Ok(())
}

fn positions(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for employment in &people.employments {
        for post in &employment.posts {
            let grade =
                if post.sloppy { format!("{} ", post.grade.to_lowercase()) } else { post.grade.into() };
            let worker = match employment.worker {
                Worker::Officer => "OFFICER",
                Worker::Pcso => "PCSO",
                Worker::Staff => "STAFF",
                Worker::Special => "SPECIAL",
            };
            row.clear()
                .text(&employment.id)
                .text(&people.people[employment.person].id)
                .text(post.title)
                .text(&post.unit)
                .text(&post.cost_centre)
                .text(&grade)
                .text(worker)
                .decimal(post.hours, 4)
                .decimal(post.fte, 4)
                .text(if employment.worker == Worker::Special { "VOLUNTARY" } else { "PERMANENT" })
                .day(post.from, Style::Report)
                .day_or(post.to, Style::Report, OPEN)
                .time(post.changed, Style::Slash);
            store.put(1, &row)?;
        }
    }
    Ok(())
}

fn absences(people: &People, store: &mut Store) -> Result<()> {
    let mut row = Row::default();
    for absence in &people.absences {
        let kind = match absence.kind {
            Leave::Sickness => "SICK",
            Leave::Maternity => "MAT",
            Leave::Paternity => "PAT",
            Leave::Special => "SPL",
            Leave::Jury => "JURY",
        };
        let status = match (absence.cancelled, absence.to) {
            (true, _) => "CANCELLED",
            (false, Some(_)) => "CLOSED",
            (false, None) => "OPEN",
        };
        row.clear()
            .text(&absence.id)
            .text(&people.employments[absence.employment].id)
            .text(kind)
            .text(absence.reason)
            .day(absence.from, Style::Report)
            .day_or(absence.to, Style::Report, "");
        match (absence.hours, absence.days) {
            (Some(hours), Some(days)) => row.decimal(hours, 2).decimal(days, 2),
            _ => row.blank().blank(),
        };
        row.text(if absence.days > Some(700) { "MED" } else { "SELF" })
            .text(status)
            .time(absence.changed, Style::Slash);
        store.put(2, &row)?;
    }
    Ok(())
}
