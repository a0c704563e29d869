//! `muster serve`.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::pipeline::schedule;
use crate::telemetry::scrape;
use crate::{project, serve};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Arguments of `muster serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The address to listen on, instead of the project's.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Serve without encryption, to this machine only.
    #[arg(long)]
    pub plaintext: bool,
    /// Leave the schedules of the pipelines to another process.
    #[arg(long)]
    pub no_schedules: bool,
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let project = project::load(folder)?;
    if !args.plaintext && project.hub.tls.is_none() {
        // Before anything is opened and said; the server would refuse as well.
        return Err(Error::config("the hub has no certificate")
            .at(folder.join(project::FILE).display())
            .hint("add [hub.tls] with certificate and key, or serve this machine only with --plaintext"));
    }
    let address = args.listen.unwrap_or_else(|| project.hub.flight.clone());
    let scheme = if args.plaintext { "grpc" } else { "grpc+tls" };
    let unusable = |e: std::io::Error| {
        Error::config(format!("cannot listen on \"{address}\""))
            .hint("choose another with --listen")
            .because(e)
    };
    let listener = TcpListener::bind(&address).await.map_err(unusable)?;
    let bound = listener.local_addr().map_err(unusable)?;
    let hub = Arc::new(Hub::open(project).await?);
    println!("serving {} at {scheme}://{bound}", hub.project.hub.name);
    let metrics = match &hub.project.hub.metrics {
        Some(address) => Some(scrape::listen(address).await?),
        None => None,
    };
    let metrics = metrics.map(|listener| {
        let engine = hub.engine.clone();
        tokio::spawn(async move { scrape::serve(listener, || engine.reserved_bytes()).await })
    });
    let schedules = (!args.no_schedules).then(|| Schedules::start(&hub));
    let served = match args.plaintext {
        true => serve::run_plaintext(Arc::clone(&hub), listener, stop()).await,
        false => serve::run(Arc::clone(&hub), listener, stop()).await,
    };
    if let Some(schedules) = schedules {
        schedules.stop().await;
    }
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    hub.audit.anchor().await;
    served?;
    println!("stopped");
    Ok(true)
}

/// The schedules of a project, followed on a thread of their own: a run that computes must not keep
/// the server from answering.
struct Schedules {
    stopping: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Schedules {
    fn start(hub: &Arc<Hub>) -> Self {
        let scheduled = hub.project.pipelines.values().filter_map(|p| Some((&p.name, p.schedule.as_ref()?)));
        for (name, schedule) in scheduled {
            println!("pipeline {name} runs at {schedule}");
        }
        let (stopping, stopped) = oneshot::channel();
        let (hub, runtime) = (Arc::clone(hub), Handle::current());
        let thread = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = schedule::run(&hub) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { stopping, thread }
    }

    /// Stops, in the middle of a run if there is one: what it has not released, nobody sees.
    async fn stop(self) {
        drop(self.stopping);
        self.thread.await.ok();
    }
}

/// Completes at Ctrl-C, or when the service manager asks to stop.
pub(super) async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            tokio::signal::ctrl_c().await.ok();
        }
    }
}
