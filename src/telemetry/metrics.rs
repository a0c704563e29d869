//! Numbers of one process since it began. Every label is one of a few words of the program: no
//! name of a force, source, table or person, so that their count is bounded and nothing is told.

use crate::error::{Error, Result};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::LazyLock;
use std::time::Duration;

/// The words that a run can end with; any other counts as `failed`.
const RUN_OUTCOMES: [&str; 3] = ["succeeded", "partial", "failed"];

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepEnded {
    kind: &'static str,
    outcome: &'static str,
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

struct Metrics {
    registry: Registry,
    runs: Family<Ended, Counter>,
    steps: Durations<StepEnded>,
    landed: Counter,
    quarantined: Counter,
    queries: Durations<Ended>,
    memory: Gauge,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("muster");
        // From 10 ms to 44 minutes.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 4.0, 10));
        let metrics = Self {
            runs: Family::default(),
            steps: Family::new_with_constructor(seconds),
            landed: Counter::default(),
            quarantined: Counter::default(),
            queries: Family::new_with_constructor(seconds),
            memory: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("runs", "Runs that ended", metrics.runs.clone());
        registry.register_with_unit(
            "step_duration",
            "How long steps took",
            Unit::Seconds,
            metrics.steps.clone(),
        );
        registry.register("rows_landed", "Rows received in loads that were landed", metrics.landed.clone());
        registry.register(
            "rows_quarantined",
            "Rows received that break their contract",
            metrics.quarantined.clone(),
        );
        registry.register_with_unit(
            "query_duration",
            "How long statements took, to their last row",
            Unit::Seconds,
            metrics.queries.clone(),
        );
        let memory = metrics.memory.clone();
        registry.register_with_unit("memory_pool", "Reserved by queries and builds", Unit::Bytes, memory);
        Self { registry, ..metrics }
    }
}

/// Counts a run that ended.
pub fn run_ended(outcome: &str) {
    let outcome = RUN_OUTCOMES.into_iter().find(|word| *word == outcome).unwrap_or("failed");
    METRICS.runs.get_or_create(&Ended { outcome }).inc();
}

/// Counts a step that ended.
pub fn step_ended(kind: &'static str, outcome: &'static str, took: Duration) {
    METRICS.steps.get_or_create(&StepEnded { kind, outcome }).observe(took.as_secs_f64());
}

/// Counts what a pull of an entity landed.
pub fn landed(rows: u64, quarantined: u64) {
    METRICS.landed.inc_by(rows);
    METRICS.quarantined.inc_by(quarantined);
}

/// Counts a statement that ended.
pub fn query_ended(outcome: &'static str, took: Duration) {
    METRICS.queries.get_or_create(&Ended { outcome }).observe(took.as_secs_f64());
}

/// All numbers as OpenMetrics text; `memory_bytes` are reserved at the moment.
pub fn text(memory_bytes: usize) -> Result<String> {
    METRICS.memory.set(i64::try_from(memory_bytes).unwrap_or(i64::MAX));
    let mut text = String::new();
    encode(&mut text, &METRICS.registry)
        .map_err(|e| Error::internal("the metrics cannot be written").because(e))?;
    Ok(text)
}
