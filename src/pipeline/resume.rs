//! Resuming a run: its failed steps onward, from the inputs that it had pinned.

use super::inputs::Pinned;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::release;
use crate::state::runs::RunRow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a run records after its pulls, before it builds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Pins {
    /// The sources that were read.
    pub(super) read: BTreeSet<String>,
    /// The versions of raw that it builds from.
    pub(super) raw: Pinned,
}

/// Where a run goes on from: the run it resumes and what that one had done.
#[derive(Debug, Clone)]
pub(super) struct Resumed {
    /// The run.
    pub(super) run: String,
    /// What it had done.
    pub(super) pins: Pins,
}

/// What a run of `pipeline` resumes: the newest one, if it did not succeed. An error when there is
/// nothing to resume, or when another run has released meanwhile: its inputs would bring back the
/// past.
pub(super) async fn resumed(hub: &Hub, pipeline: &str) -> Result<Resumed> {
    let failed = hub.state.last_failed_run(pipeline).await?.ok_or_else(|| {
        Error::config(format!("the last run of \"{pipeline}\" succeeded: there is nothing to resume"))
            .hint(format!("`muster run {pipeline}` begins a new run"))
    })?;
    if let Some(newest) = release::newest(&hub.lake).await?
        && newest.run != failed.run
        && newest.published_at > failed.started_at.timestamp_micros()
    {
        return Err(Error::config(format!(
            "the run {} cannot be resumed: release {} has been published since",
            failed.run, newest.release
        ))
        .hint(format!("`muster run {pipeline}` begins a new run")));
    }
    let pins = pins(&failed)?;
    Ok(Resumed { run: failed.run, pins })
}

fn pins(run: &RunRow) -> Result<Pins> {
    let Some(pinned) = &run.pinned else { return Ok(Pins::default()) };
    serde_json::from_str(pinned)
        .map_err(|e| Error::internal("what a run had pinned cannot be read").at(&run.run).because(e))
}
