//! Datasets that are older than a pipeline expects.

use crate::error::Result;
use crate::hub::Hub;
use crate::pipeline::alarm::{self, Notice};
use crate::project::{Occasion, Pipeline};
use crate::release::{self, Manifest};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::Duration;

/// Tells of every dataset that has become late since somebody looked, once for each age.
pub async fn look(hub: &Hub, now: DateTime<Utc>) -> Result<()> {
    let expecting = || hub.project.pipelines.values().filter(|pipeline| !pipeline.fresh.is_empty());
    if expecting().next().is_none() {
        return Ok(());
    }
    let Some(manifest) = release::newest(&hub.lake).await? else { return Ok(()) };
    for pipeline in expecting() {
        for late in late(pipeline, &manifest, now) {
            if hub.state.first_alarm(&late.key(pipeline)).await? {
                alarm::raise(pipeline, &late.notice(manifest.release)).await;
            }
        }
    }
    Ok(())
}

/// A dataset of a force whose newest data is too old.
#[derive(Debug, PartialEq, Eq)]
struct Late<'a> {
    force: &'a str,
    dataset: &'a str,
    as_of: DateTime<Utc>,
    allowed: Duration,
}

impl Late<'_> {
    /// The same for as long as no newer data comes.
    fn key(&self, pipeline: &Pipeline) -> String {
        format!("late/{}/{}/{}/{}", pipeline.name, self.force, self.dataset, self.as_of.timestamp_micros())
    }

    fn notice(&self, release: u64) -> Notice {
        let Self { force, dataset, as_of, allowed } = self;
        let text = format!(
            "{dataset} of {force} is late: its newest data is of {}, and may be {} old",
            as_of.to_rfc3339_opts(SecondsFormat::Secs, true),
            humantime::format_duration(*allowed)
        );
        Notice { occasion: Occasion::Late, slot: None, release: Some(release), text }
    }
}

fn late<'a>(pipeline: &'a Pipeline, manifest: &'a Manifest, now: DateTime<Utc>) -> Vec<Late<'a>> {
    let mut late = Vec::new();
    for (force, status) in &manifest.forces {
        for (name, allowed) in &pipeline.fresh {
            let as_of = status.datasets.get(name).and_then(|dataset| dataset.as_of);
            let Some(as_of) = as_of.and_then(DateTime::from_timestamp_micros) else { continue };
            if now.signed_duration_since(as_of).to_std().is_ok_and(|age| age > *allowed) {
                late.push(Late { force, dataset: name, as_of, allowed: *allowed });
            }
        }
    }
    late
}
