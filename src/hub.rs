//! An open project: its definitions, its lake and its state database.

use crate::audit::{self, Log};
use crate::engine::Engine;
use crate::error::Result;
use crate::lake::Lake;
use crate::project::Project;
use crate::state::State;

/// An open project. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Hub {
    /// The checked definitions.
    pub project: Project,
    /// Where the tables are.
    pub lake: Lake,
    /// What all sessions share.
    pub engine: Engine,
    /// Runs, checks, leases and schedules.
    pub state: State,
    /// The record of reads.
    pub audit: Log,
}

impl Hub {
    /// Opens the lake and the state database of `project`, making them when they are missing.
    pub async fn open(project: Project) -> Result<Self> {
        let lake = Lake::open(&project.hub.lake)?;
        Self::open_over(project, lake).await
    }

    /// The same over a lake that is open already.
    pub async fn open_over(project: Project, lake: Lake) -> Result<Self> {
        let state = State::open(&project.hub.state, &project.hub.state_access).await?;
        let engine = Engine::new()?;
        let audit = Log::new(lake.root().join(audit::FOLDER), state.clone());
        Ok(Self { project, lake, engine, state, audit })
    }
}
