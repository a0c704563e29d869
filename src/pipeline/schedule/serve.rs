//! The schedules of an open project, followed until the process ends.

use super::{LOOK_EVERY, Scheduler, Slot, Turn, late};
use crate::error::Result;
use crate::hub::Hub;
use crate::pipeline::alarm::Notice;
use crate::pipeline::run::{self, Order, Outcome, Report};
use crate::project::{Occasion, Pipeline};
use crate::release::Status;
use chrono::Utc;
use futures::FutureExt;
use futures::future::{join, join_all};
use std::sync::Arc;

/// Follows every schedule of the project and watches how old its data grows; never ends.
pub async fn run(hub: &Hub) {
    let name = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
    let runner = |pipeline, slot| turn(hub, pipeline, slot).boxed_local();
    let scheduler = Scheduler::new(&hub.state, &name, Arc::new(Utc::now), &runner);
    let scheduled = hub.project.pipelines.values().filter_map(|p| Some((p, p.schedule.as_ref()?)));
    let watches = scheduled.map(|(pipeline, schedule)| scheduler.watch(pipeline, schedule));
    join(join_all(watches), watch_ages(hub)).await;
}

async fn watch_ages(hub: &Hub) {
    loop {
        if let Err(error) = late::look(hub, Utc::now()).await {
            tracing::error!(%error, "ages not looked at");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn turn(hub: &Hub, pipeline: &Pipeline, slot: Slot) -> Turn {
    let order = Order { slot: Some(slot), ..Order::of(pipeline) };
    match run::attempt(hub, &order, &|_| {}).await.transpose() {
        None => Turn::Busy,
        Some(ended) => Turn::Over(notice(pipeline, slot, ended)),
    }
}

/// What somebody should know of how a run ended.
fn notice(pipeline: &Pipeline, slot: Slot, ended: Result<Report>) -> Option<Notice> {
    let slot = Some(slot);
    match ended {
        Ok(Report { outcome: Outcome::Succeeded, .. }) => None,
        Ok(Report { outcome: Outcome::Partial, release }) => {
            let behind = release.forces.iter().filter(|(_, force)| force.status != Status::Fresh);
            let behind: Vec<&str> = behind.map(|(force, _)| force.as_str()).collect();
            let text = format!(
                "pipeline \"{}\" left some of the data at its last good state; forces behind: {}",
                pipeline.name,
                if behind.is_empty() { "none".into() } else { behind.join(", ") }
            );
            Some(Notice { occasion: Occasion::Partial, slot, release: Some(release.release), text })
        }
        Err(error) => {
            let text = format!("pipeline \"{}\" failed: {error}", pipeline.name);
            Some(Notice { occasion: Occasion::Failed, slot, release: None, text })
        }
    }
}
