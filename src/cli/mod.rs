//! The command line: one file per command family, and the only place that prints.

pub mod audit;
pub mod backfill;
pub mod build;
pub mod check;
pub mod checks;
pub mod demo;
pub mod init;
mod invented;
pub mod new;
pub mod preview;
pub mod pull;
pub mod query;
pub mod releases;
pub mod run;
pub mod runs;
pub mod serve;
mod sketched;
pub mod status;
pub mod test;
pub mod token;
pub mod user;
pub mod vacuum;

use crate::error::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// One view of many forces' HR, finance and duty data; each force keeps control of its own.
#[derive(Debug, Parser)]
#[command(name = "muster", version, about)]
pub struct Cli {
    /// The project folder, the one that holds muster.toml.
    #[arg(long, global = true, default_value = ".", env = "MUSTER_PROJECT")]
    pub project: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every definition of the project; exit code 2 when something is wrong.
    Check(check::Args),
    /// Run the .slt files beside mappings and models; exit code 1 when one fails.
    Test(test::Args),
    /// Write a commented starter project.
    Init(init::Args),
    /// Write a first definition from real data.
    New(new::Args),
    /// Generate three forces' systems, consolidate them and serve the result.
    Demo(demo::Args),
    /// Pull and land sources, and build nothing.
    Pull(pull::PullArgs),
    /// Land the quarantined rows that a corrected contract accepts.
    Replay(pull::ReplayArgs),
    /// Pull, build, check and release.
    Run(run::Args),
    /// Pull a period of the past again, then build, check and release.
    Backfill(backfill::Args),
    /// Build, check and release what has been landed, without a pull.
    Build(build::Args),
    /// What a build would change in a model's rows, before anything is released.
    Diff(preview::DiffArgs),
    /// What a model is: its words, its checks, where its columns come from, the SQL that runs.
    Docs(preview::DocsArgs),
    /// Serve the releases over Arrow Flight SQL until stopped.
    Serve(serve::Args),
    /// Run one statement against the current release, or an earlier one.
    Query(query::Args),
    /// How fresh each force's data is.
    Status(status::StatusArgs),
    /// The rows that break their contract, with every reason.
    Quarantine(status::QuarantineArgs),
    /// What the checks found, or the rows that fail them.
    Checks(checks::Args),
    /// The releases, newest first.
    Releases(releases::Args),
    /// What ran and how it ended; with a run's name, what each of its steps did.
    Runs(runs::Args),
    /// Give up the releases that are no longer kept, and delete what only they need.
    Vacuum(vacuum::VacuumArgs),
    /// Rewrite many small files of a table into few; no answer changes.
    Compact(vacuum::CompactArgs),
    /// Whether the record of reads is whole, and what to keep elsewhere to know it.
    Audit(audit::Args),
    /// Manage the users of the project.
    User(user::Args),
    /// Manage the service tokens, for programs that log in.
    Token(token::Args),
}

impl Cli {
    /// Whether the command works on its own until it is stopped, with nobody before it.
    pub fn serves(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }
}

/// Runs the command; `Ok(false)` is a failure that has already been reported.
pub async fn run(cli: Cli) -> Result<bool> {
    let project = cli.project;
    match cli.command {
        Command::Check(args) => check::run(&project, args).await,
        Command::Test(args) => test::run(&project, args).await,
        Command::Init(args) => init::run(args).await,
        Command::New(args) => new::run(&project, args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Pull(args) => pull::pull(&project, args).await,
        Command::Replay(args) => pull::replay(&project, args).await,
        Command::Run(args) => run::run(&project, args).await,
        Command::Backfill(args) => backfill::run(&project, args).await,
        Command::Build(args) => build::run(&project, args).await,
        Command::Diff(args) => preview::diff(&project, args).await,
        Command::Docs(args) => preview::docs(&project, args).await,
        Command::Serve(args) => serve::run(&project, args).await,
        Command::Query(args) => query::run(&project, args).await,
        Command::Status(args) => status::status(&project, args).await,
        Command::Quarantine(args) => status::quarantine(&project, args).await,
        Command::Checks(args) => checks::run(&project, args).await,
        Command::Releases(args) => releases::run(&project, args).await,
        Command::Runs(args) => runs::run(&project, args).await,
        Command::Vacuum(args) => vacuum::vacuum(&project, args).await,
        Command::Compact(args) => vacuum::compact(&project, args).await,
        Command::Audit(args) => audit::run(&project, args).await,
        Command::User(args) => user::run(&project, args).await,
        Command::Token(args) => token::run(&project, args).await,
    }
}
