//! The DataFusion session: settings, memory, and the types that the lake can keep.

use crate::error::{Error, Result};
use crate::idiom;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::config::SpillCompression;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The catalog that clients see.
pub const CATALOG: &str = "muster";

/// The schema of names that have none, unless a client chooses another.
pub const SCHEMA: &str = "conformed";

/// The memory all queries and builds of one process may use together before they spill.
const MEMORY_BYTES: usize = 4 << 30;

/// The memory for the footers of Parquet files: those of a whole lake, so that a file that is read
/// again is opened without reading its end first.
const FOOTER_BYTES: usize = 256 << 20;

/// What every session of a process shares: memory, spill space, file metadata cache.
#[derive(Debug, Clone)]
pub struct Engine {
    runtime: Arc<RuntimeEnv>,
    /// A session without a catalog: to make its functions and rules anew takes longer than to plan
    /// a small statement.
    template: Arc<SessionState>,
}

impl Engine {
    /// An engine with the default limits.
    pub fn new() -> Result<Self> {
        let consumers = NonZeroUsize::new(5).ok_or_else(|| Error::internal("zero consumers"))?;
        let pool = TrackConsumersPool::new(FairSpillPool::new(MEMORY_BYTES), consumers);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_metadata_cache_limit(FOOTER_BYTES)
            .build_arc()
            .map_err(|e| Error::internal("the query engine cannot be started").because(e))?;
        let template = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_create_default_catalog_and_schema(false))
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features();
        let template = idiom::teach(template, CATALOG).build();
        Ok(Self { runtime, template: Arc::new(template) })
    }

    /// What sessions share.
    pub fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    /// The bytes that queries and builds have reserved at the moment.
    pub fn reserved_bytes(&self) -> usize {
        self.runtime.memory_pool.reserved()
    }

    /// A session without any table: catalog [`CATALOG`], information schema, UTC, plain strings.
    ///
    /// Strings are read as Utf8 and not as views, so that a schema is the same in a plan, in a
    /// file and on the wire.
    pub fn context(&self) -> SessionContext {
        self.context_of(SessionConfig::new())
    }

    /// The same for plans that run beside others: each in `partitions` streams.
    pub fn context_beside(&self, partitions: usize) -> SessionContext {
        self.context_of(SessionConfig::new().with_target_partitions(partitions.max(1)))
    }

    fn context_of(&self, config: SessionConfig) -> SessionContext {
        let mut config = config
            .with_information_schema(true)
            .with_create_default_catalog_and_schema(true)
            .with_default_catalog_and_schema(CATALOG, SCHEMA);
        let options = config.options_mut();
        options.execution.time_zone = Some("+00:00".into());
        options.execution.parquet.schema_force_view_types = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        options.optimizer.prefer_hash_join = true;
        options.execution.spill_compression = SpillCompression::Lz4Frame;
        let state = SessionStateBuilder::new_from_existing(SessionState::clone(&self.template))
            .with_config(config)
            .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
            .build();
        SessionContext::new_with_state(state)
    }
}

/// `schema` in the types that Delta keeps and every client reads: no views, dictionaries or large
/// types; timestamps in UTC microseconds; all columns nullable. An error names the columns whose
/// type has no equal.
pub fn lake_schema(schema: &Schema) -> Result<SchemaRef> {
    let mut refused = Vec::new();
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let kept = lake_type(field.data_type());
            if kept.is_none() {
                refused.push(format!("{} ({})", field.name(), field.data_type()));
            }
            Field::new(field.name(), kept.unwrap_or(DataType::Utf8), true)
        })
        .collect();
    if refused.is_empty() {
        return Ok(Arc::new(Schema::new(fields)));
    }
    Err(Error::model(format!("columns of a type the lake cannot keep: {}", refused.join(", ")))
        .hint("cast to text, bigint, decimal, double, boolean, date or timestamp"))
}

fn lake_type(from: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Dictionary,
        FixedSizeBinary, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8, List,
        Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    Some(match from {
        Utf8 | Utf8View | LargeUtf8 => Utf8,
        Binary | BinaryView | LargeBinary | FixedSizeBinary(_) => Binary,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Int64,
        Timestamp(..) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) => Decimal128(*p, *s),
        Date32 | Date64 => Date32,
        Float32 | Float64 => Float64,
        Boolean => Boolean,
        Dictionary(_, value) => lake_type(value)?,
        List(item) => List(Arc::new(Field::new("item", lake_type(item.data_type())?, true))),
        _ => return None,
    })
}

/// `batch` cast to `schema`, column by column in order.
pub fn to_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<_, _>>()
        .map_err(|e| Error::model("a column could not be brought to its type in the lake").because(e))?;
    RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|e| Error::internal("a batch does not fit its own schema").because(e))
}
