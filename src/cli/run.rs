//! `muster run`: pull, build, check and release.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the command line prints")]

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::pipeline::Event;
use crate::pipeline::run::{Order, Outcome, Report};
use crate::project::Pipeline;
use crate::{pipeline, project};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// Arguments of `muster run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The pipeline, a file in pipelines/.
    #[arg(default_value = "nightly")]
    pipeline: String,
    /// Only this force: its sources are pulled and its tables built; the others stay as released.
    #[arg(long)]
    force: Option<String>,
    /// Go on where the pipeline's last run failed: what it read is not read again, and is built as
    /// it was read.
    #[arg(long)]
    resume: bool,
}

pub(super) async fn run(project: &Path, args: Args) -> Result<bool> {
    let hub = Hub::open(project::load(project)?).await?;
    let mut order = Order::of(pipeline_named(&hub, &args.pipeline)?);
    order.choice.force = args.force;
    order.resume = args.resume;
    shown(&hub, &order).await
}

/// Does what `order` asks for and prints the release.
pub(super) async fn shown(hub: &Hub, order: &Order) -> Result<bool> {
    let report = execute(hub, order).await?;
    println!("release {}", report.release.release);
    Ok(report.outcome == Outcome::Succeeded)
}

/// Runs the pipeline called `name`, showing progress on standard error.
pub(super) async fn run_pipeline(hub: &Hub, name: &str) -> Result<Report> {
    execute(hub, &Order::of(pipeline_named(hub, name)?)).await
}

pub(super) fn pipeline_named<'a>(hub: &'a Hub, name: &str) -> Result<&'a Pipeline> {
    hub.project.pipelines.get(name).ok_or_else(|| {
        let known: Vec<&str> = hub.project.pipelines.keys().map(String::as_str).collect();
        Error::config(format!("there is no pipeline \"{name}\"")).hint(format!("known: {}", known.join(", ")))
    })
}

async fn execute(hub: &Hub, order: &Order) -> Result<Report> {
    let progress = Progress::new();
    let report = pipeline::run::execute(hub, order, &|event| progress.show(&event)).await;
    progress.finish();
    report
}

/// A spinner on a terminal, plain lines otherwise.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    pub(super) fn show(&self, event: &Event) {
        let line = line(event);
        match (&self.bar, event) {
            (Some(bar), Event::Pulled { .. }) => bar.set_message(line),
            (Some(bar), _) => bar.println(line),
            (None, _) => eprintln!("{line}"),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// One line for people.
fn line(event: &Event) -> String {
    match event {
        Event::Pulled { name, rows, quarantined, landed, notes } => {
            let what = if *landed { "landed" } else { "unchanged" };
            let quarantined = match quarantined {
                0 => String::new(),
                bad => format!(", {bad} in quarantine"),
            };
            let notes: String = notes.iter().map(|note| format!("\n         {note}")).collect();
            format!("pulled   {name}: {rows} rows, {what}{quarantined}{notes}")
        }
        Event::SourceFailed { name, why, causes, hint } => {
            let causes: String = causes.iter().map(|cause| format!("\n         because: {cause}")).collect();
            let hint = hint.as_ref().map(|hint| format!("\n         hint: {hint}")).unwrap_or_default();
            // The reason may begin with the place, which is the name.
            let why = why.strip_prefix(&format!("{name}: ")).unwrap_or(why);
            format!("failed   {name}: {why}{causes}{hint}")
        }
        Event::Built { force, rows, warnings } => {
            let whose = force.as_deref().unwrap_or("the hub's tables");
            match warnings {
                0 => format!("built    {whose}: {rows} rows, all checks passed"),
                warned => format!("built    {whose}: {rows} rows, {warned} checks warn"),
            }
        }
        Event::Blocked { force, why } => {
            format!(
                "blocked  {}: {why}; the last good data is kept",
                force.as_deref().unwrap_or("the hub's tables")
            )
        }
        Event::Skipped { force } => format!("skipped  {force}: nothing has changed"),
        Event::Released { release } => format!("released {release}"),
        Event::Unchanged { release } => format!("release {release} still holds: nothing has changed"),
    }
}
