//! Arguments in, exit code out; the one place where errors are printed.

use clap::Parser;
use muster::cli::{self, Cli};
use muster::error::Error;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    muster::telemetry::init();
    // Failpoints named in FAILPOINTS; in a build that has none, nothing.
    let _failpoints = fail::FailScenario::setup();
    match Box::pin(cli::run(Cli::parse())).await {
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
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    if let Some(hint) = error.advice() {
        eprintln!("  hint: {hint}");
    }
}
