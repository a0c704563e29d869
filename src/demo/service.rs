//! What people ask of ten councils that share one contact centre system.

use crate::demo::calendar::{self, DAY, Minute};
use crate::demo::force::{Part, stream};
use crate::demo::names::pick;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A council.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Council {
    /// The slug.
    pub code: &'static str,
    /// The display name.
    pub name: &'static str,
    /// The ONS code.
    pub ons_code: &'static str,
    /// How the contact centre calls it.
    pub register: &'static str,
}

const fn council(
    code: &'static str,
    name: &'static str,
    ons_code: &'static str,
    register: &'static str,
) -> Council {
    Council { code, name, ons_code, register }
}

/// The councils of Staffordshire, by the three letters of the register of local authorities.
pub(super) const COUNCILS: [Council; 10] = [
    council("cannock_chase", "Cannock Chase District Council", "E07000192", "CAN"),
    council("east_staffs", "East Staffordshire Borough Council", "E07000193", "EST"),
    council("lichfield", "Lichfield District Council", "E07000194", "LIF"),
    council("newcastle", "Newcastle-under-Lyme Borough Council", "E07000195", "NEC"),
    council("south_staffs", "South Staffordshire Council", "E07000196", "SST"),
    council("stafford", "Stafford Borough Council", "E07000197", "STA"),
    council("staffordshire", "Staffordshire County Council", "E10000028", "STS"),
    council("staffs_moorlands", "Staffordshire Moorlands District Council", "E07000198", "STF"),
    council("stoke", "Stoke-on-Trent City Council", "E06000021", "STE"),
    council("tamworth", "Tamworth Borough Council", "E07000199", "TAW"),
];

/// Which of [`COUNCILS`] has its own job system, which speaks REST.
pub(super) const WITH_JOBS: usize = 5;

/// Something that is asked for: its place on the local government service list, and in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    /// The number on the list.
    pub lgsl: &'static str,
    /// In words.
    pub name: &'static str,
}

const SERVICES: [Service; 6] = [
    Service { lgsl: "524", name: "Missed bin" },
    Service { lgsl: "525", name: "Bulky waste" },
    Service { lgsl: "539", name: "Abandoned vehicle" },
    Service { lgsl: "541", name: "Fly-tipping" },
    Service { lgsl: "548", name: "Litter" },
    Service { lgsl: "560", name: "Pothole" },
];

/// How somebody asked.
pub(super) const CHANNELS: [&str; 5] = ["PHONE", "F2F", "WEB", "EMAIL", "MOBILE"];

/// Something that somebody asked for.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Counted from 1 over all councils.
    pub number: usize,
    /// Whose contact centre took it: the position in [`COUNCILS`].
    pub council: usize,
    /// Whose work it is, if it was taken for another council.
    pub behalf: Option<usize>,
    /// What.
    pub service: Service,
    /// One of [`CHANNELS`].
    pub channel: &'static str,
    /// Who asked, counted from 1 over all councils.
    pub contact: usize,
    /// When.
    pub opened: Minute,
    /// When it should be done.
    pub target: Minute,
    /// Whether it was answered at once.
    pub at_once: bool,
    /// When somebody began to work on it.
    pub started: Option<Minute>,
    /// When it was done.
    pub closed: Option<Minute>,
}

impl Request {
    /// Whether it is in the council's own job system, not in the contact centre's.
    pub(super) fn is_job(&self) -> bool {
        self.council == WITH_JOBS && matches!(self.channel, "WEB" | "MOBILE")
    }

    /// Its state in the consolidated view.
    pub(super) fn status(&self) -> &'static str {
        match (self.closed, self.started) {
            (Some(_), _) => "closed",
            (None, Some(_)) => "in progress",
            (None, None) => "open",
        }
    }
}

/// Everything that was asked of the councils in an estate of `staff`.
pub(super) fn requests(staff: usize, seed: u64) -> Vec<Request> {
    let mut rng = stream(seed, 15, Part::Shared);
    (1..=(staff / 2).max(300)).map(|number| request(&mut rng, number, staff)).collect()
}

fn request(rng: &mut ChaCha8Rng, number: usize, staff: usize) -> Request {
    let council = rng.random_range(0..COUNCILS.len());
    let day = rng.random_range(calendar::first_day()..=calendar::last_day());
    let opened = calendar::unambiguous(Minute::from(day) * DAY + rng.random_range(7 * 60..20 * 60));
    let end = Minute::from(calendar::last_day() + 1) * DAY - 1;
    let channel = pick(rng, &CHANNELS);
    // The contact centre answers most of what is asked by telephone while the caller waits.
    let at_once = matches!(channel, "PHONE" | "F2F") && rng.random_range(0..10) < 8;
    let done = |minutes: Minute| Some(calendar::unambiguous(opened + minutes)).filter(|at| *at <= end);
    let started = rng.random_range(30..3 * DAY);
    let lasted = started + rng.random_range(60..20 * DAY);
    let (started, closed) = match at_once {
        true => (None, done(5)),
        false => (done(started), done(lasted).filter(|_| !number.is_multiple_of(17))),
    };
    Request {
        number,
        council,
        behalf: number.is_multiple_of(9).then(|| (council + 3) % COUNCILS.len()),
        service: pick(rng, &SERVICES),
        channel,
        contact: rng.random_range(1..=staff.max(600) / 3),
        opened,
        target: opened + 10 * DAY,
        at_once,
        started,
        closed,
    }
}
