//! The forces, their systems and sizes, and the random numbers of each part of their worlds.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// One force, its systems and its size in an estate of 8,000 staff.
#[derive(Debug, Clone, Copy)]
pub(super) struct Force {
    /// The slug.
    pub code: &'static str,
    /// The display name.
    pub name: &'static str,
    /// The ONS police force area code.
    pub ons_code: &'static str,
    /// The place of the force in number ranges and random streams.
    pub index: u64,
    /// Which HR system it has; the duty system goes with it. `None`: the estate has only its finances.
    pub hr: Option<HrSystem>,
    /// Officers' full-time equivalents on the census day, in hundredths.
    pub officer_fte: i64,
    /// Officers, PCSOs, staff and special constables on the census day.
    pub heads: [usize; 4],
    /// Whether its ledger is adjusted in a thirteenth period.
    pub has_adjustments: bool,
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
#[derive(Debug, Clone, Copy)]
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
        hr: Some(HrSystem::Itrent),
        officer_fte: 139_583,
        heads: [1411, 51, 615, 110],
        has_adjustments: true,
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
        hr: Some(HrSystem::Itrent),
        officer_fte: 164_471,
        heads: [1671, 30, 494, 129],
        has_adjustments: true,
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
        hr: Some(HrSystem::SapHcm),
        officer_fte: 223_918,
        heads: [2267, 206, 836, 180],
        has_adjustments: false,
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

/// Cheshire's finances, in the numbers of the Oracle E-Business Suite that it shared with others.
pub(super) static CHESHIRE: Force = Force {
    code: "cheshire",
    name: "Cheshire Constabulary",
    ons_code: "E23000006",
    index: 3,
    hr: None,
    officer_fte: 0,
    heads: [2199, 204, 1611, 201],
    has_adjustments: false,
    finances: 100,
    numbers: Numbers {
        supplier: ("4", 5),
        order: ("2", 6),
        invoice: ("3", 6),
        payment: ("1", 6),
        journal: ("8", 6),
    },
};

/// The numbers of the Unit4 Business World that replaced it.
pub(super) static CHESHIRE_SINCE: Numbers =
    Numbers { supplier: ("2", 5), order: ("7", 7), invoice: ("9", 7), payment: ("8", 7), journal: ("5", 7) };

/// The Home Office's finances, in the numbers of Adelphi.
pub(super) static HOME_OFFICE: Force = Force {
    code: "home_office",
    name: "Home Office",
    // No force area; the government's register of organisations calls it D16.
    ons_code: "D16",
    index: 4,
    hr: None,
    officer_fte: 0,
    heads: [0, 0, 2900, 0],
    has_adjustments: false,
    finances: 150,
    numbers: Numbers {
        supplier: ("6", 5),
        order: ("4", 6),
        invoice: ("7", 6),
        payment: ("5", 6),
        journal: ("3", 6),
    },
};

/// The numbers of Metis, which replaced it.
pub(super) static HOME_OFFICE_SINCE: Numbers = Numbers {
    supplier: ("30000", 5),
    order: ("30040", 6),
    invoice: ("30010", 6),
    payment: ("30020", 6),
    journal: ("30030", 7),
};

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
