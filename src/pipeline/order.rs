//! What a run is asked to do.

use super::limits::Limits;
use super::plan::Choice;
use super::pull::Wish;
use crate::project::Pipeline;
use chrono::{DateTime, Utc};

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The name it is recorded under: the pipeline's, or `build`.
    pub name: String,
    /// The sources to pull; none for a build of what has been landed.
    pub sources: Vec<String>,
    /// How often an entity that cannot be read is tried again.
    pub retries: u32,
    /// Which tables to build.
    pub choice: Choice,
    /// Forces built at the same time; as many as the machine has cores when absent.
    pub parallel: Option<usize>,
    /// The instant it was scheduled for; `None`: somebody asks for it.
    pub slot: Option<DateTime<Utc>>,
    /// How long it and its steps may take.
    pub limits: Limits,
    /// Go on where the last run of this name failed.
    pub resume: bool,
    /// What is asked of the pull beyond what the contracts say.
    pub wish: Wish,
}

impl Order {
    /// All that `pipeline` says.
    pub fn of(pipeline: &Pipeline) -> Self {
        Self {
            name: pipeline.name.clone(),
            sources: pipeline.sources.clone(),
            retries: pipeline.retries,
            choice: Choice { select: pipeline.build.clone(), ..Choice::default() },
            parallel: Some(pipeline.parallel),
            slot: None,
            limits: Limits { run: pipeline.timeout, step: pipeline.step_timeout },
            resume: false,
            wish: Wish::default(),
        }
    }

    /// A build of what has been landed, without a pull.
    pub fn build(choice: Choice) -> Self {
        let (sources, limits, wish) = (Vec::new(), Limits::default(), Wish::default());
        Self {
            name: "build".into(),
            sources,
            retries: 0,
            choice,
            parallel: None,
            slot: None,
            limits,
            wish,
            resume: false,
        }
    }
}
