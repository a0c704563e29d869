//! What the hub tells of itself while it works: spans and events for logs, numbers for Prometheus.
//!
//! The flow, not the calls: spans `run`, `pull`, `land`, `build`, `check`, `release` and `query`,
//! with fields named as OpenTelemetry names them (`muster.run`, `muster.force`, `db.…`). Per batch,
//! never per row; no secret, no cell value and no statement in any event, span or label.

pub mod metrics;
pub mod scrape;

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What is shown without `MUSTER_LOG`. delta-rs warns of every binary column that has no minimum,
/// and every raw table has hashes; sqlx warns of every read that takes a second.
const QUIET: &str = "warn,deltalake_core=error,sqlx=error";

/// Where failed pulls and builds are told, and files that were passed over.
const TOLD: &str =
    "muster::pipeline::pull=error,muster::pipeline::files=error,muster::pipeline::forces=error";

/// Who tells people that a pull or a build has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The log, there being nobody else.
    InTheLog,
    /// The command itself, so the log does not say it once more.
    ByTheCommand,
}

/// The ring provider for every TLS connection, and a subscriber on standard error at `warn` for
/// the libraries and for the hub, unless `MUSTER_LOG` says otherwise (`muster=info`).
pub fn init(failures: Shown) {
    // Fails only when a provider is installed already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let quiet = match failures {
        Shown::InTheLog => QUIET.to_string(),
        Shown::ByTheCommand => format!("{QUIET},{TOLD}"),
    };
    let filter = EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(colours).with_target(false).init();
}
