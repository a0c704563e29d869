//! Where the rows that fail checks are kept. Append-only: a later run adds its own.

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The table for checks of force-scope models; partitioned by force.
pub const OF_FORCES: &str = "checks/failures";

/// The table for checks of hub-scope models, without partitions.
pub const OF_HUB: &str = "checks/hub_failures";

/// The columns of both, apart from the partition: the run, the model, the words of the check, what
/// a failure does, when it was found, and the row as a JSON object.
pub fn schema() -> SchemaRef {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("run"),
        text("model"),
        text("rule"),
        text("severity"),
        Field::new("failed_at", instant, true),
        text("row"),
    ]))
}
