//! The general ledger of one force: accounts, cost centres and journals.

use crate::demo::calendar::{self, DAY, Day, Minute, Month};
use crate::demo::finance::pence;
use crate::demo::force::{Force, Part, numbered, stream};
use crate::demo::names::pick;
use crate::demo::people::FULL_ESTATE;
use crate::demo::world::{Account, Ledger, Line};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Accounts and their headings, in the order of their codes. The last is mapped nowhere.
const ACCOUNTS: [(&str, &str); 31] = [
    ("Police officers", "officer_pay"),
    ("Police officers' national insurance", "officer_pay"),
    ("Police officers' pensions", "officer_pay"),
    ("Police staff", "staff_pay"),
    ("Police staff national insurance", "staff_pay"),
    ("Agency staff", "staff_pay"),
    ("PCSOs", "pcso_pay"),
    ("PCSOs' national insurance", "pcso_pay"),
    ("PCSOs' pensions", "pcso_pay"),
    ("Officers' casual overtime", "officer_overtime"),
    ("Officers' rest days worked", "officer_overtime"),
    ("Officers' public holidays", "officer_overtime"),
    ("Staff overtime", "staff_overtime"),
    ("Staff weekend working", "staff_overtime"),
    ("Staff call-out", "staff_overtime"),
    ("Rent and rates", "premises"),
    ("Repairs", "premises"),
    ("Gas and electricity", "premises"),
    ("Fuel", "transport"),
    ("Vehicle repairs", "transport"),
    ("Car allowances", "transport"),
    ("Equipment", "supplies_services"),
    ("Communications and computing", "supplies_services"),
    ("Forensic services", "supplies_services"),
    ("Collaboration", "third_party"),
    ("Other forces", "third_party"),
    ("National services", "third_party"),
    ("Special services", "income"),
    ("Grants", "income"),
    ("Training fees", "income"),
    ("Suspense", "unmapped"),
];

/// Where each part of [`ACCOUNTS`] starts: payroll first, then what is bought, then income.
const BOUGHT: std::ops::Range<usize> = 15..27;
const INCOME: std::ops::Range<usize> = 27..30;
const SUSPENSE: usize = 30;

/// Opens the accounts and posts about `wanted` lines.
pub(super) fn post(force: &Force, staff: usize, seed: u64, finances: &mut Ledger, wanted: usize) {
    finances.accounts = ACCOUNTS
        .iter()
        .enumerate()
        .map(|(n, &(name, subjective))| {
            let code = format!("{}{:03}", force.index + 1, 100 + n * 10);
            Account { code, name, subjective }
        })
        .collect();
    finances.cost_centres = (101..126).map(|n| format!("C{n}")).collect();
    let mut poster = Poster {
        force,
        rng: stream(seed, force.index, Part::Journals),
        finances,
        months: calendar::months(),
        journals: 0,
        number: 0,
    };
    poster.planted();
    poster.payroll(staff);
    poster.invoices();
    while poster.finances.lines.len() < wanted {
        poster.manual();
    }
}

struct Poster<'a> {
    force: &'a Force,
    rng: ChaCha8Rng,
    finances: &'a mut Ledger,
    months: Vec<Month>,
    journals: usize,
    number: i64,
}

impl Poster<'_> {
    /// Starts another journal.
    fn journal(&mut self) {
        self.journals += 1;
        self.number = 0;
    }

    fn line(&mut self, at: At, account: usize, amount: i64, narrative: &str) {
        self.number += 1;
        let cost_centre = self.rng.random_range(0..self.finances.cost_centres.len());
        self.finances.lines.push(Line {
            journal: numbered(self.force.numbers.journal, self.journals),
            number: self.number,
            fin_year: at.fin_year,
            period: at.period,
            posted: at.posted,
            dated: at.dated,
            account,
            cost_centre,
            amount,
            source: at.source,
            narrative: narrative.to_owned(),
        });
    }

    fn at(&self, month: usize, dated: Day, posted: Minute, source: &'static str) -> At {
        let Month { fin_year, period, .. } = self.months[month];
        At { fin_year, period, dated, posted, source }
    }

    /// What every estate has, whatever its size: suspense, a late posting, one that is late by
    /// the clock on the wall but not in UTC, and adjustments after the end of the year.
    fn planted(&mut self) {
        let june = self.months[2].end;
        self.journal();
        for n in 0..5 {
            let at = self.at(n * 4, self.months[n * 4].start + 9, noon(self.months[n * 4].start + 9), "JN");
            self.line(at, SUSPENSE, 12_345 + n as i64, "To be identified");
        }
        self.journal();
        let late = self.at(2, june, noon(june + 6), "JN");
        self.line(late, BOUGHT.start, 250_000, "Late utility bill");
        let half_past_midnight = Minute::from(june + 6) * DAY + 30;
        let not_late = self.at(2, june, half_past_midnight, "JN");
        self.line(not_late, BOUGHT.start, 77_700, "Posted after midnight, summer time");
        if self.force.has_adjustments {
            self.journal();
            let (dated, posted) = (calendar::day(2025, 3, 31), noon(calendar::day(2025, 5, 12)));
            let at = At { fin_year: 2024, period: 13, dated, posted, source: "JN" };
            for account in BOUGHT {
                let amount = pence(&mut self.rng) - 150_000;
                self.line(at, account, amount, "Year-end adjustment");
            }
        }
    }

    /// Pay, month by month and cost centre by cost centre.
    fn payroll(&mut self, staff: usize) {
        let centres = self.finances.cost_centres.len() as i64;
        let heads = self.force.heads.map(|n| n as i64 * staff as i64 / FULL_ESTATE);
        for month in 0..self.months.len() {
            let posted = noon(self.months[month].end - 2);
            let at = self.at(month, self.months[month].end - 2, posted, "PAY");
            self.journal();
            for _ in 0..centres {
                for (account, monthly) in [
                    (0, heads[0] * 390_000),
                    (1, heads[0] * 52_000),
                    (3, heads[2] * 270_000),
                    (6, heads[1] * 240_000),
                    (9, heads[0] * 14_000),
                    (12, heads[2] * 4_000),
                ] {
                    let percent = self.rng.random_range(88..113);
                    self.line(at, account, monthly * percent / 100 / centres, "Monthly payroll");
                }
            }
        }
    }

    /// The net amounts of invoices, split over one to three accounts.
    fn invoices(&mut self) {
        for position in 0..self.finances.invoices.len() {
            let invoice = &self.finances.invoices[position];
            let (received, net, reference) = (invoice.received, invoice.net, invoice.reference.clone());
            let (Some(registered), "registered" | "matched" | "approved" | "paid") =
                (invoice.stages[0], invoice.status)
            else {
                continue;
            };
            if position % 20 == 0 {
                self.journal();
            }
            let month = calendar::month_of(received);
            let posted = self.perhaps_late(month, registered);
            let at = self.at(month, received, posted, "PI");
            let parts = self.rng.random_range(1..4);
            let mut left = net;
            for part in 1..=parts {
                let amount = if part == parts { left } else { left / 3 };
                left -= amount;
                let account = self.rng.random_range(BOUGHT);
                self.line(at, account, amount, &reference);
            }
        }
    }

    /// Purchase cards, corrections, accruals with their reversal, income.
    fn manual(&mut self) {
        self.journal();
        let month = self.rng.random_range(0..self.months.len());
        let Month { start, end, .. } = self.months[month];
        let dated = self.rng.random_range(start..=end);
        let posted = noon(dated) + self.rng.random_range(-200..200);
        let posted = self.perhaps_late(month, posted);
        let lines = self.rng.random_range(4..40);
        match self.rng.random_range(0..10) {
            0..5 => {
                let at = self.at(month, dated, posted, "PC");
                for _ in 0..lines {
                    let (account, amount) =
                        (self.rng.random_range(BOUGHT), self.rng.random_range(100..90_000));
                    self.line(at, account, amount, "Purchase card");
                }
            }
            5..7 => {
                let at = self.at(month, dated, posted, "JN");
                for _ in 0..lines {
                    let (account, amount) = (self.rng.random_range(INCOME), pence(&mut self.rng));
                    self.line(at, account, -amount, "Invoice to customer");
                }
            }
            7..9 => {
                let at = self.at(month, dated, posted, "JN");
                for _ in 0..lines / 2 {
                    let amount = pence(&mut self.rng);
                    let (from, to) = (self.rng.random_range(BOUGHT), self.rng.random_range(BOUGHT));
                    let narrative = pick(&mut self.rng, &["Miscoding", "Recharge", "Correction; see e-mail"]);
                    self.line(at, from, -amount, narrative);
                    self.line(at, to, amount, narrative);
                }
            }
            _ => self.accruals(month, lines),
        }
    }

    /// Accruals at the end of a month, reversed on the first day of the next.
    fn accruals(&mut self, month: usize, lines: i32) {
        if month + 1 >= self.months.len() {
            return;
        }
        let (end, next) = (self.months[month].end, self.months[month + 1].start);
        let accrual = self.at(month, end, noon(end), "ACC");
        let reversal = self.at(month + 1, next, noon(next), "ACC");
        for _ in 0..lines / 2 {
            let (account, amount) = (self.rng.random_range(BOUGHT), pence(&mut self.rng));
            self.line(accrual, account, amount, "Accrual");
            self.line(reversal, account, -amount, "Reversal of accrual");
        }
    }

    /// `posted`, or with a small chance a time one to four weeks after the month has closed.
    fn perhaps_late(&mut self, month: usize, posted: Minute) -> Minute {
        let late = self.months[month].end + self.rng.random_range(6..28);
        if late <= calendar::last_day() && self.rng.random_bool(0.02) { noon(late) } else { posted }
    }
}

/// When a line belongs.
#[derive(Debug, Clone, Copy)]
struct At {
    fin_year: i32,
    period: u32,
    dated: Day,
    posted: Minute,
    source: &'static str,
}

fn noon(day: Day) -> Minute {
    Minute::from(day) * DAY + 12 * 60
}

/// Whether a line was posted, in UTC, more than five days after its month had ended.
pub(super) fn is_late(line: &Line, months: &[Month]) -> bool {
    let Some(month) = months.iter().find(|m| m.fin_year == line.fin_year && m.period == line.period) else {
        return false;
    };
    calendar::utc(line.posted).div_euclid(DAY) as Day > month.end + 5
}
