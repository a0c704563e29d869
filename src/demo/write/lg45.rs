//! Oracle LG45: the views of one council as Windows-1252 files with a count at the end.

use crate::demo::calendar::Style;
use crate::demo::service::{COUNCILS, Request};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{CSV, Delimited, Format, Layout, int, text};
use crate::error::Result;
use std::collections::BTreeSet;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "contact",
        name: "LG_CONTACT",
        trailer: Some(&[]),
        columns: &[
            text("PARTY_ID", 0),
            text("COUNCIL_CODE", 0),
            text("TYPE", 0),
            text("TITLE", 0),
            text("FORENAMES", 0),
            text("SURNAME", 0),
            text("UPRN", 0),
            text("ADDRESS", 0),
            text("POSTCODE", 0),
            text("PHONE", 0),
            text("EMAIL", 0),
            text("CONSENT", 0),
        ],
    },
    Layout {
        entity: "case",
        name: "LG_CASE",
        trailer: Some(&[]),
        columns: &[
            text("CASE_NO", 0),
            text("COUNCIL_CODE", 0),
            text("ON_BEHALF_OF_COUNCIL", 0),
            text("PARTY_ID", 0),
            text("SERVICE_NAME", 0),
            text("SERVICE_CODE", 0),
            text("INTERACTION", 0),
            text("CHANNEL", 0),
            text("OPENED_TS", 0),
            text("FIRST_CONTACT_RESOLVED", 0),
            text("OWNER_TEAM", 0),
            text("TARGET_TS", 0),
            text("STATUS", 0),
            text("CLOSED_TS", 0),
            text("CLOSURE_CODE", 0),
            text("UPRN", 0),
        ],
    },
    Layout {
        entity: "case_event",
        name: "LG_EVENT",
        trailer: Some(&[]),
        columns: &[
            text("CASE_NO", 0),
            int("SEQ", 0),
            text("COUNCIL_CODE", 0),
            text("EVENT_TYPE", 0),
            text("STATUS", 0),
            text("EVENT_TS", 0),
            text("ACTOR", 0),
        ],
    },
];

const FILES: Format = Format::Delimited(Delimited { windows_1252: true, ..CSV });

/// Writes what the council at `position` sees of `requests` into `folder`.
pub(in crate::demo) fn write(position: usize, requests: &[Request], folder: &Path) -> Result<Vec<Received>> {
    let mut store = Store::open(folder, FILES, LAYOUTS)?;
    let mut contacts = BTreeSet::new();
    let mut row = Row::default();
    for request in requests.iter().filter(|r| r.council == position && !r.is_job()) {
        if contacts.insert(request.contact) {
            contact(&mut store, &mut row, request)?;
        }
        case(&mut store, &mut row, request)?;
        events(&mut store, &mut row, request)?;
    }
    store.finish()
}

/// The number of whoever asked, which differs from council to council.
fn party(request: &Request) -> String {
    format!("{}{:05}", request.council, request.contact)
}

fn number(request: &Request) -> String {
    format!("C26-{:06}", request.number)
}

fn status(request: &Request) -> &'static str {
    match request.status() {
        "closed" => "Closed",
        "open" => "Open",
        _ => "In Progress",
    }
}

fn contact(store: &mut Store, row: &mut Row, request: &Request) -> Result<()> {
    row.clear()
        .text(&party(request))
        .text(COUNCILS[request.council].register)
        .text("CITIZEN")
        .blank()
        .text("Zoë")
        .text(&format!("Caller {}", request.contact))
        .text(&format!("{:012}", 10_000_000 + request.contact))
        .blank()
        .blank()
        .blank()
        .blank()
        .flag(true);
    store.put(0, row)
}

fn case(store: &mut Store, row: &mut Row, request: &Request) -> Result<()> {
    let behalf = request.behalf.map_or("", |council| COUNCILS[council].register);
    row.clear()
        .text(&number(request))
        .text(COUNCILS[request.council].register)
        .text(behalf)
        .text(&party(request))
        .text(request.service.name)
        .text(request.service.lgsl)
        .text("8")
        .text(request.channel)
        .time(request.opened, Style::ShortReport)
        .flag(request.at_once)
        .text("Contact Centre")
        .time(request.target, Style::ShortReport)
        .text(status(request))
        .time_or(request.closed, Style::ShortReport)
        .text(if request.closed.is_some() { "RESOLVED" } else { "" })
        .blank();
    store.put(1, row)
}

fn events(store: &mut Store, row: &mut Row, request: &Request) -> Result<()> {
    let moments = [
        ("CREATED", "Open", Some(request.opened)),
        ("ASSIGNED", "Assigned", request.started),
        ("CLOSED", "Closed", request.closed),
    ];
    let happened = moments.into_iter().filter_map(|(kind, status, at)| Some((kind, status, at?)));
    for (seq, (kind, status, at)) in (1..).zip(happened) {
        row.clear()
            .text(&number(request))
            .int(seq)
            .text(COUNCILS[request.council].register)
            .text(kind)
            .text(status)
            .time(at, Style::ShortReport)
            .text("agent");
        store.put(2, row)?;
    }
    Ok(())
}
