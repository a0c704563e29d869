//! Arguments in, exit code out; the one place where errors are printed.

use clap::Parser;
use muster::cli::{self, Cli};
use muster::error::Error;
use muster::telemetry::Shown;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    muster::telemetry::init(if cli.serves() { Shown::InTheLog } else { Shown::ByTheCommand });
    // Failpoints named in FAILPOINTS; in a build that has none, nothing.
    let _failpoints = fail::FailScenario::setup();
    match Box::pin(cli::run(cli)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Prints the error, its chain of causes and what to do next, on standard error.
#[expect(clippy::print_stderr, reason = "the one place where errors are printed")]
fn print(error: &Error) {
    eprintln!("error: {error}");
    for cause in error.causes() {
        eprintln!("  because: {cause}");
    }
    if let Some(hint) = error.advice() {
        eprintln!("  hint: {hint}");
    }
}
