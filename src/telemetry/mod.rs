//! What the hub tells of itself while it works: spans and events for logs, numbers for Prometheus.
//!
//! The flow, not the calls: spans `run`, `pull`, `land`, `build`, `check`, `release` and `query`,
//! with fields named as OpenTelemetry names them (`muster.run`, `muster.force`, `db.…`). Per batch,
//! never per row; no secret, no cell value and no statement in any event, span or label.

pub mod metrics;
pub mod scrape;

use tracing_subscriber::EnvFilter;

/// What is shown without `MUSTER_LOG`. delta-rs warns of every binary column that has no minimum,
/// and every raw table has hashes; sqlx warns of every read that takes a second.
const QUIET: &str = "warn,deltalake_core=error,sqlx=error";

/// The ring provider for every TLS connection, and a subscriber on standard error at `warn` for
/// the libraries and for the hub, unless `MUSTER_LOG` says otherwise (`muster=info`).
pub fn init() {
    // Fails only when a provider is installed already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let filter = EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new(QUIET));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
