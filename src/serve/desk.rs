//! Where statements are brought, whatever the protocol: what is kept between them is kept here.

use super::answer::{Answers, Workers};
use super::lanes::{Lanes, Limits};
use super::statement::Planned;
use super::wire::Types;
use crate::error::Result;
use crate::hub::Hub;
use crate::policy::views::{Views, Visibility};
use datafusion::scalar::ScalarValue;
use quick_cache::sync::Cache;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// How many plans are kept. One takes some 100 KiB with the session that it runs in.
const PLANS: usize = 512;

/// The desk of one hub.
pub struct Desk {
    /// The hub.
    pub(super) hub: Arc<Hub>,
    pub(super) views: Views,
    pub(super) plans: Cache<Arc<Key>, Arc<Planned>>,
    pub(super) answers: Answers,
    pub(super) lanes: Lanes,
    pub(super) workers: Workers,
}

/// What decides the plan of a statement, and its answer if that is always the same: a release is
/// immutable, and a plan sees nothing but what its visibility lets it see.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) release: u64,
    pub(super) visibility: Visibility,
    pub(super) text: String,
    pub(super) rows: Vec<Vec<ScalarValue>>,
    pub(super) types: Types,
    pub(super) schema: Option<String>,
}

impl Desk {
    /// A desk at which nothing has been asked yet.
    pub fn new(hub: Arc<Hub>) -> Result<Arc<Self>> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let limits = Limits::from(hub.project.hub.limits);
        Ok(Arc::new(Self {
            hub,
            views: Views::default(),
            plans: Cache::new(PLANS),
            answers: Answers::default(),
            lanes: Lanes::new(limits),
            workers: Workers::start(cores)?,
        }))
    }

    /// The hub.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// What principals see.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Gives up the memory of what is kept for statements that come again.
    pub(super) fn forget_answers(&self) {
        self.answers.clear();
        self.plans.clear();
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("hub", &self.hub).finish_non_exhaustive()
    }
}
