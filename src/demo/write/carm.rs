//! Northgate duty management (CARM): a database at one force, report files in Windows-1252 at
//! another; the plan and what was worked are apart.

use crate::demo::calendar::Style;
use crate::demo::duty::{Claim, Holder, Shift};
use crate::demo::force::Force;
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Delimited, Fault, Format, Layout, bad, int, number, ragged, text, twice};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "person",
        name: "DM_PERSON",
        trailer: None,
        columns: &[
            int("dm_person_id", 0),
            text("collar_no", 0),
            text("payroll_no", 0),
            text("forename", 0),
            text("surname", 0),
            text("rank", 0),
            text("joined", 0),
            text("left_on", 0),
        ],
    },
    Layout {
        entity: "roster",
        name: "DM_ROSTER",
        trailer: Some(&[]),
        columns: &[
            text("collar_no", 0),
            text("duty_date", 0),
            int("segment", 0),
            int("version", 0),
            text("shift_code", 0),
            text("plan_start", 0),
            text("plan_end", 0),
            text("is_rest_day", 0),
            text("published_ts", 0),
        ],
    },
    Layout {
        entity: "booking",
        name: "DM_BOOKING",
        trailer: Some(&[("meal_mins", 0)]),
        columns: &[
            text("collar_no", 0),
            text("duty_date", 0),
            int("segment", 0),
            text("actual_start", 0),
            text("actual_end", 0),
            int("meal_mins", 0),
            text("confirmed", 0),
            text("booked_ts", 0),
        ],
    },
    Layout {
        entity: "compensation",
        name: "DM_COMPENSATION",
        trailer: Some(&[("mins_worked", 0)]),
        columns: &[
            int("claim_id", 0),
            text("collar_no", 0),
            text("duty_date", 0),
            text("claim_type", 0),
            int("mins_worked", 0),
            int("mins_credit", 0),
            number("rate", 0),
            text("pay_or_toil", 0),
            text("status", 0),
            text("recorded_ts", 0),
        ],
    },
];

const FAULTS: &[Fault] = &[
    bad("person", &[("dm_person_id", "900001"), ("joined", "30/02/2024")], &["not_a_date"]),
    bad("person", &[("dm_person_id", "900002"), ("collar_no", "")], &["required"]),
    twice("person"),
    bad("roster", &[("collar_no", "0001"), ("is_rest_day", "J")], &["not_a_bool"]),
    bad("roster", &[("collar_no", "0002"), ("plan_end", "26/10/2025 01:30")], &["ambiguous_time"]),
    bad("roster", &[("collar_no", "0003"), ("version", "O1")], &["not_a_number"]),
    bad("roster", &[("collar_no", "0004"), ("plan_start", "01/07/2025 25:00")], &["not_a_timestamp"]),
    twice("roster"),
    bad("booking", &[("collar_no", "0001"), ("actual_end", "")], &["required"]),
    bad("booking", &[("collar_no", "0002"), ("actual_end", "26/10/2025 01:30")], &["ambiguous_time"]),
    bad("booking", &[("collar_no", "0003"), ("meal_mins", "4S")], &["not_a_number"]),
    twice("booking"),
    bad("compensation", &[("claim_id", "9000001"), ("claim_type", "BRIBE")], &["not_accepted"]),
    bad("compensation", &[("claim_id", "9000002"), ("rate", "1.333")], &["too_many_digits"]),
    bad("compensation", &[("claim_id", "9000003"), ("duty_date", "99/99/2025")], &["not_a_date"]),
    twice("compensation"),
];

/// What only a file can get wrong.
const FILE_FAULTS: &[Fault] =
    &[ragged("person", &[("dm_person_id", "900003")], 1), ragged("roster", &[("collar_no", "0005")], -1)];

const REPORTS: Format = Format::Delimited(Delimited {
    extension: "csv",
    delimiter: ',',
    newline: "\r\n",
    header: true,
    windows_1252: true,
    byte_order_mark: false,
});

/// CARM while it is written.
pub(in crate::demo) struct Carm {
    store: Store,
    row: Row,
    files: bool,
}

impl Carm {
    /// Starts the force's CARM.
    pub(super) fn open(force: &Force, dir: &Path) -> Result<Self> {
        let files = force.code == "beds";
        let store = match files {
            true => Store::open(&dir.join("northgate_dms"), REPORTS, LAYOUTS)?,
            false => Store::open(&dir.join("northgate_dms.db"), Format::Database, LAYOUTS)?,
        };
        Ok(Self { store, row: Row::default(), files })
    }

    /// One holder of a collar number.
    pub(super) fn holder(&mut self, holder: &Holder) -> Result<()> {
        self.row
            .clear()
            .int(holder.number)
            .text(&holder.collar)
            .text(&holder.employment)
            .text(&holder.forename)
            .text(holder.surname)
            .text(holder.rank)
            .day(holder.from, Style::Slash)
            .day_or(holder.to, Style::Slash, "");
        self.store.put(0, &self.row)
    }

    /// One duty: a line of the roster, and a booking if it was worked.
    pub(super) fn shift(&mut self, shift: &Shift) -> Result<()> {
        let (start, end) = shift.plan.unzip();
        self.row
            .clear()
            .text(&shift.collar)
            .day(shift.day, Style::Slash)
            .int(1)
            .int(1 + i64::from(shift.day % 9 == 0))
            .text(shift.code)
            .minute(start, Style::Slash)
            .minute(end, Style::Slash)
            .flag(shift.rest)
            .blank();
        self.store.put(1, &self.row)?;
        let Some((start, end)) = shift.actual else { return Ok(()) };
        self.row
            .clear()
            .text(&shift.collar)
            .day(shift.day, Style::Slash)
            .int(1)
            .minute(Some(start), Style::Slash)
            .minute(Some(end), Style::Slash)
            .int(shift.meal)
            .flag(shift.day % 50 != 0)
            .blank();
        self.store.put(2, &self.row)
    }

    /// One overtime claim.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<()> {
        let status = match claim.status {
            "authorised" => "AUTH",
            "pending" => "PENDING",
            _ => "REJECTED",
        };
        self.row
            .clear()
            .int(claim.number)
            .text(&claim.collar)
            .day(claim.day, Style::Slash)
            .text(claim.kind)
            .int(claim.minutes)
            .int(claim.credited)
            .decimal(claim.rate, 2)
            .text(if claim.pay { "PAY" } else { "TOIL" })
            .text(status)
            .minute(Some(claim.recorded), Style::Slash);
        self.store.put(3, &self.row)
    }

    /// Plants the bad rows and closes everything.
    pub(super) fn finish(mut self) -> Result<Vec<Received>> {
        self.store.spoil(FAULTS)?;
        if self.files {
            self.store.spoil(FILE_FAULTS)?;
        }
        self.store.finish()
    }
}
