//! Tracing set-up: the flow, not the calls. Six spans named after the stages; per batch, never
//! per row; no secret and no cell value in any event.

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
