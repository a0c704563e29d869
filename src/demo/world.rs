//! What is true in the three forces, before any system has written it down.

use crate::demo::calendar::{Day, Minute};

/// A full-time equivalent of one, in the units of [`Post::fte`].
pub(super) const FULL: i64 = 10_000;

/// What kind of worker holds a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worker {
    /// A police officer.
    Officer,
    /// A police community support officer.
    Pcso,
    /// A member of police staff.
    Staff,
    /// A special constable.
    Special,
}

impl Worker {
    /// The word in the consolidated view.
    pub(super) fn name(self) -> &'static str {
        match self {
            Worker::Officer => "police officer",
            Worker::Pcso => "pcso",
            Worker::Staff => "police staff",
            Worker::Special => "special constable",
        }
    }
}

/// Who somebody is, whichever force they work for.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The National Insurance number as typed into the HR system; may be temporary or empty.
    pub ni: String,
    /// The surname.
    pub surname: &'static str,
    /// The forenames.
    pub forenames: String,
    /// `F`, `M` or `X`.
    pub sex: char,
    /// The day of birth.
    pub born: Day,
}

/// Somebody on the HR system of one force.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// The person's number at this force.
    pub id: String,
    /// Who it is.
    pub identity: Identity,
    /// The first day.
    pub started: Day,
    /// The last day, if they have left.
    pub ended: Option<Day>,
    /// When the record was last changed.
    pub changed: Minute,
}

/// An employment: a person may have two at a time.
#[derive(Debug, Clone)]
pub(super) struct Employment {
    /// The assignment number.
    pub id: String,
    /// The position of the holder in [`People::people`].
    pub person: usize,
    /// The kind of worker; it never changes within an employment.
    pub worker: Worker,
    /// The first day.
    pub started: Day,
    /// The last day, if it has ended.
    pub ended: Option<Day>,
    /// Its history, oldest first.
    pub posts: Vec<Post>,
    /// Whether its holder works shifts.
    pub rostered: bool,
}

impl Employment {
    /// The part of the two financial years in which the employment was in force.
    pub(super) fn within(&self, from: Day, to: Day) -> Option<(Day, Day)> {
        let (from, to) = (self.started.max(from), self.ended.unwrap_or(Day::MAX).min(to));
        (from <= to).then_some((from, to))
    }
}

/// One effective-dated row of an employment.
#[derive(Debug, Clone)]
pub(super) struct Post {
    /// The title.
    pub title: &'static str,
    /// The unit.
    pub unit: String,
    /// The cost centre.
    pub cost_centre: String,
    /// The grade in iTrent's words; SAP's differ.
    pub grade: &'static str,
    /// Whether the grade was typed in small letters with a blank behind it.
    pub sloppy: bool,
    /// Weekly hours in ten-thousandths.
    pub hours: i64,
    /// The full-time equivalent in ten-thousandths.
    pub fte: i64,
    /// The first day.
    pub from: Day,
    /// The last day as the system has it: a back-dated change leaves it open.
    pub to: Option<Day>,
    /// When the row was last changed.
    pub changed: Minute,
}

/// An absence.
#[derive(Debug, Clone)]
pub(super) struct Absence {
    /// Its number.
    pub id: String,
    /// The position of the employment in [`People::employments`].
    pub employment: usize,
    /// What it is.
    pub kind: Leave,
    /// The reason, in words.
    pub reason: &'static str,
    /// The first day.
    pub from: Day,
    /// The last day; `None` while it lasts.
    pub to: Option<Day>,
    /// Hours lost in hundredths; `None` while it lasts.
    pub hours: Option<i64>,
    /// Days lost in hundredths; `None` while it lasts.
    pub days: Option<i64>,
    /// Whether it was entered by mistake.
    pub cancelled: bool,
    /// When the record was last changed.
    pub changed: Minute,
}

/// What an absence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Sickness.
    Sickness,
    /// Maternity leave.
    Maternity,
    /// Paternity leave.
    Paternity,
    /// Special leave.
    Special,
    /// Jury service, whose code is on nobody's list.
    Jury,
}

/// The people of one force.
#[derive(Debug, Default)]
pub(super) struct People {
    /// Everybody who served in the two years.
    pub people: Vec<Person>,
    /// Their employments.
    pub employments: Vec<Employment>,
    /// Their absences.
    pub absences: Vec<Absence>,
}

/// A supplier.
#[derive(Debug, Clone)]
pub(super) struct Supplier {
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its postcode.
    pub postcode: String,
    /// Its VAT number as typed; may be empty.
    pub vat: String,
    /// `active`, `held` or `closed`.
    pub status: &'static str,
    /// When it was created.
    pub created: Day,
}

/// A purchase order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// Its number.
    pub id: String,
    /// The position of the supplier.
    pub supplier: usize,
    /// When it was placed.
    pub ordered: Day,
    /// Pence.
    pub net: i64,
    /// `open`, `closed` or `cancelled`.
    pub status: &'static str,
}

/// An invoice or credit note; the amounts of a credit note are negative.
#[derive(Debug, Clone)]
pub(super) struct Invoice {
    /// Its number.
    pub id: String,
    /// The position of the supplier.
    pub supplier: usize,
    /// The supplier's own number.
    pub reference: String,
    /// Whether it is a credit note.
    pub credit: bool,
    /// The date on it.
    pub dated: Day,
    /// When it arrived.
    pub received: Day,
    /// When it was registered, matched and approved.
    pub stages: [Option<Minute>; 3],
    /// When it is due.
    pub due: Day,
    /// Pence.
    pub net: i64,
    /// Pence.
    pub vat: i64,
    /// The position of the order.
    pub order: Option<usize>,
    /// `registered`, `matched`, `queried`, `approved`, `paid` or `cancelled`.
    pub status: &'static str,
}

impl Invoice {
    /// Pence.
    pub(super) fn gross(&self) -> i64 {
        self.net + self.vat
    }
}

/// What a payment pays of an invoice.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    /// The payment's number; a payment may pay several invoices.
    pub id: String,
    /// The position of the invoice.
    pub invoice: usize,
    /// When.
    pub paid: Day,
    /// Pence; negative for a credit note.
    pub amount: i64,
    /// `BACS`, `CHQ`, `CHAPS`, `DD` or `PCARD`.
    pub method: &'static str,
    /// Whether it was stopped.
    pub void: bool,
}

/// One line of a journal.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The journal's number.
    pub journal: String,
    /// The line's number within the journal.
    pub number: i64,
    /// The year in which the financial year starts.
    pub fin_year: i32,
    /// 1 to 13.
    pub period: u32,
    /// When it was posted.
    pub posted: Minute,
    /// The transaction's date.
    pub dated: Day,
    /// The position in [`Ledger::accounts`].
    pub account: usize,
    /// The position in [`Ledger::cost_centres`].
    pub cost_centre: usize,
    /// Pence, debit positive.
    pub amount: i64,
    /// `JN`, `PI`, `PC`, `PAY` or `ACC`.
    pub source: &'static str,
    /// What it is for.
    pub narrative: String,
}

/// An account of the general ledger.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: &'static str,
    /// The subjective heading in the consolidated view; `unmapped` for one that nobody mapped.
    pub subjective: &'static str,
}

/// The finances of one force.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Cost centres.
    pub cost_centres: Vec<String>,
    /// Suppliers.
    pub suppliers: Vec<Supplier>,
    /// Purchase orders.
    pub orders: Vec<Order>,
    /// Invoices.
    pub invoices: Vec<Invoice>,
    /// Payments.
    pub payments: Vec<Payment>,
    /// Journal lines.
    pub lines: Vec<Line>,
}
