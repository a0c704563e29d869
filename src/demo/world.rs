//! What is true in the three forces, before any system has written it down.

use crate::demo::calendar::{Day, Minute};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A full-time equivalent of one, in the units of [`Post::fte`].
pub(super) const FULL: i64 = 10_000;

/// One force, its systems and its size in an estate of 8,000 staff.
#[derive(Debug)]
pub(super) struct Force {
    /// The slug.
    pub code: &'static str,
    /// The display name.
    pub name: &'static str,
    /// The ONS police force area code.
    pub ons_code: &'static str,
    /// 0 to 2: the place of the force in number ranges and random streams.
    pub index: u64,
    /// Which HR system it has; the duty system goes with it.
    pub hr: HrSystem,
    /// Officers' full-time equivalents on the census day, in hundredths.
    pub officer_fte: i64,
    /// Officers, PCSOs, staff and special constables on the census day.
    pub heads: [usize; 4],
    /// The size of its finances, in percent of the middle force.
    pub finances: usize,
    /// How its finance system numbers things.
    pub numbers: Numbers,
}

/// The HR products in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HrSystem {
    /// iTrent, beside CARM.
    Itrent,
    /// SAP HCM, beside Crown DMS.
    SapHcm,
}

/// A prefix and the digits behind it.
pub(super) type Number = (&'static str, usize);

/// How a finance system numbers things. All numbers of a kind have the same length, so that they
/// sort as text in the order in which they were given.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Suppliers.
    pub supplier: Number,
    /// Purchase orders.
    pub order: Number,
    /// Invoices.
    pub invoice: Number,
    /// Payments.
    pub payment: Number,
    /// Journals.
    pub journal: Number,
}

/// `n` in a number range.
pub(super) fn numbered((prefix, digits): Number, n: usize) -> String {
    format!("{prefix}{n:0digits$}")
}

/// The three forces. Officers are those of the Home Office's census of 31 March 2022.
pub(super) const FORCES: [Force; 3] = [
    Force {
        code: "beds",
        name: "Bedfordshire Police",
        ons_code: "E23000026",
        index: 0,
        hr: HrSystem::Itrent,
        officer_fte: 139_583,
        heads: [1411, 51, 615, 110],
        finances: 80,
        numbers: Numbers {
            supplier: ("S", 5),
            order: ("PO", 6),
            invoice: ("D", 7),
            payment: ("P", 7),
            journal: ("", 8),
        },
    },
    Force {
        code: "cambs",
        name: "Cambridgeshire Constabulary",
        ons_code: "E23000023",
        index: 1,
        hr: HrSystem::Itrent,
        officer_fte: 164_471,
        heads: [1671, 30, 494, 129],
        finances: 100,
        numbers: Numbers {
            supplier: ("1", 5),
            order: ("5", 7),
            invoice: ("3", 7),
            payment: ("4", 7),
            journal: ("6", 7),
        },
    },
    Force {
        code: "herts",
        name: "Hertfordshire Constabulary",
        ons_code: "E23000027",
        index: 2,
        hr: HrSystem::SapHcm,
        officer_fte: 223_918,
        heads: [2267, 206, 836, 180],
        finances: 125,
        numbers: Numbers {
            supplier: ("7", 5),
            order: ("8", 6),
            invoice: ("5", 6),
            payment: ("6", 6),
            journal: ("9", 6),
        },
    },
];

/// A part of the world with its own stream of random numbers, so that a change to one part does
/// not disturb another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// People and their posts.
    People,
    /// Absences.
    Absences,
    /// Suppliers.
    Suppliers,
    /// Orders, invoices and payments.
    Purchasing,
    /// Journals.
    Journals,
    /// Duties and claims.
    Duties,
    /// What the forces have in common.
    Shared,
}

/// The random numbers of one part of one force.
pub(super) fn stream(seed: u64, force: u64, part: Part) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(force * 16 + part as u64 + 1);
    rng
}

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
