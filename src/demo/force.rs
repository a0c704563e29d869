//! The three forces, their systems and sizes, and the random numbers of each part of their worlds.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

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
