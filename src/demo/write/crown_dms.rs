//! Crown DMS: fixed-width files; one record holds the plan and what was worked.

use crate::demo::calendar::Style;
use crate::demo::duty::{Claim, Holder, Shift};
use crate::demo::write::row::Row;
use crate::demo::write::store::{Received, Store};
use crate::demo::write::{Fault, Format, Layout, bad, int, number, text, twice};
use crate::error::Result;
use std::path::Path;

const LAYOUTS: &[Layout] = &[
    Layout {
        entity: "employee",
        name: "EMPLOYEE",
        trailer: None,
        columns: &[
            int("emp_no", 8),
            text("collar", 6),
            text("assignment", 8),
            text("surname", 40),
            text("from_date", 8),
            text("to_date", 8),
        ],
    },
    Layout {
        entity: "shift",
        name: "SHIFT",
        trailer: Some(&[("break_mins", 0)]),
        columns: &[
            text("collar", 6),
            text("duty_date", 8),
            int("seq", 2),
            text("shift_code", 6),
            text("rest_day", 1),
            text("plan_start", 12),
            text("plan_end", 12),
            text("act_start", 12),
            text("act_end", 12),
            int("break_mins", 4),
        ],
    },
    Layout {
        entity: "overtime",
        name: "OVERTIME",
        trailer: Some(&[("minutes", 0)]),
        columns: &[
            int("claim_no", 10),
            text("collar", 6),
            text("worked_date", 8),
            text("type", 8),
            int("minutes", 5),
            int("credited", 5),
            number("rate", 5),
            text("settle", 4),
            text("status", 1),
            text("recorded_at", 12),
        ],
    },
];

const FAULTS: &[Fault] = &[
    bad("employee", &[("emp_no", "900001"), ("from_date", "20240230")], &["not_a_date"]),
    bad("employee", &[("emp_no", "900002"), ("collar", "")], &["required"]),
    bad("employee", &[("emp_no", "900003"), ("surname", "Andr\u{e0e9}")], &["undecodable"]),
    twice("employee"),
    bad("shift", &[("collar", "0001"), ("rest_day", "J")], &["not_a_bool"]),
    bad("shift", &[("collar", "0002"), ("act_end", "202510260130")], &["ambiguous_time"]),
    bad("shift", &[("collar", "0003"), ("break_mins", "4S")], &["not_a_number"]),
    bad("shift", &[("collar", "0004"), ("plan_start", "202507012500")], &["not_a_timestamp"]),
    bad("shift", &[("collar", "0005"), ("shift_code", "")], &["required"]),
    twice("shift"),
    bad("overtime", &[("claim_no", "9000001"), ("type", "BRIBE")], &["not_accepted"]),
    bad("overtime", &[("claim_no", "9000002"), ("rate", "1.333")], &["too_many_digits"]),
    bad("overtime", &[("claim_no", "9000003"), ("worked_date", "20259999")], &["not_a_date"]),
    bad(
        "overtime",
        &[("claim_no", "9000004"), ("settle", "CASH"), ("credited", "")],
        &["required", "not_accepted"],
    ),
    twice("overtime"),
];

/// Crown DMS while it is written.
pub(in crate::demo) struct CrownDms {
    store: Store,
    row: Row,
}

impl CrownDms {
    /// Starts the force's Crown DMS.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let store = Store::open(&dir.join("crown_dms"), Format::Fixed, LAYOUTS)?;
        Ok(Self { store, row: Row::default() })
    }

    /// One holder of a collar number.
    pub(super) fn holder(&mut self, holder: &Holder) -> Result<()> {
        self.row
            .clear()
            .int(holder.number)
            .text(&holder.collar)
            .text(&holder.employment)
            .text(holder.surname)
            .day(holder.from, Style::Compact)
            .day_or(holder.to, Style::Compact, "");
        self.store.put(0, &self.row)
    }

    /// One duty.
    pub(super) fn shift(&mut self, shift: &Shift) -> Result<()> {
        let (plan_start, plan_end) = shift.plan.unzip();
        let (actual_start, actual_end) = shift.actual.unzip();
        self.row
            .clear()
            .text(&shift.collar)
            .day(shift.day, Style::Compact)
            .int(1)
            .text(shift.code)
            .flag(shift.rest)
            .minute(plan_start, Style::Compact)
            .minute(plan_end, Style::Compact)
            .minute(actual_start, Style::Compact)
            .minute(actual_end, Style::Compact)
            .int(shift.meal);
        self.store.put(1, &self.row)
    }

    /// One overtime claim.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<()> {
        let status = match claim.status {
            "authorised" => "A",
            "pending" => "P",
            _ => "R",
        };
        self.row
            .clear()
            .int(claim.number)
            .text(&claim.collar)
            .day(claim.day, Style::Compact)
            .text(claim.kind)
            .int(claim.minutes)
            .int(claim.credited)
            .decimal(claim.rate, 2)
            .text(if claim.pay { "PAY" } else { "TOIL" })
            .text(status)
            .minute(Some(claim.recorded), Style::Compact);
        self.store.put(2, &self.row)
    }

    /// Plants the bad rows and closes everything.
    pub(super) fn finish(mut self) -> Result<Vec<Received>> {
        self.store.spoil(FAULTS)?;
        self.store.finish()
    }
}
