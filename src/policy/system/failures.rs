//! `hub.check_failures`: the rows that failed when each model was last checked. They may be many,
//! so they are streamed from the lake; what the principal may not see never enters the scan.

use super::{Column, Kind, View};
use crate::error::{Error, Result};
use crate::lake::failures::{OF_FORCES, OF_HUB};
use crate::lake::raw::column;
use crate::lake::snapshot::SnapshotTable;
use crate::policy::roles::Forces;
use crate::state::checks::Checked;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinType;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionContext, ident, lit};
use datafusion::scalar::ScalarValue;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const CHECK_FAILURES: &[(&str, Column)] = &[
    ("run", Column::Text),
    ("force", Column::Text),
    ("model", Column::Text),
    ("rule", Column::Text),
    ("severity", Column::Text),
    ("failed_at", Column::Instant),
    ("row", Column::Text),
];

/// Runs up to which the scan names them: more are not worth pruning for.
const NAMED_RUNS: usize = 20;

/// The plan that reads the failing rows of `forces` that the principal may see.
pub(super) async fn plan(
    view: &Arc<View>,
    forces: &Forces,
    projection: Option<&Vec<usize>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let context = view.engine.context();
    let last: BTreeMap<_, _> = view.state.last_checked().await?.into_iter().map(keyed).collect();
    let mut rows =
        context.read_batch(RecordBatch::new_empty(Kind::CheckFailures.schema())).map_err(unreadable)?;
    for table in [OF_FORCES, OF_HUB] {
        let Some(all) = stored(view, &context, forces, table).await? else { continue };
        let mut visible = newest(&all, &last).await?;
        visible.retain(|found| may_read(view, forces, found));
        if !visible.is_empty() {
            rows = these(&context, all, &visible).and_then(|these| rows.union(these)).map_err(unreadable)?;
        }
    }
    let masked = masked_column(view);
    let shown = |(name, _): &(&str, Column)| match *name {
        "row" => masked.call(vec![ident("row"), ident("model"), ident("force")]).alias("row"),
        name => ident(name),
    };
    let all: Vec<usize> = (0..CHECK_FAILURES.len()).collect();
    let columns = projection.unwrap_or(&all).iter().filter_map(|at| CHECK_FAILURES.get(*at)).map(shown);
    let planned = async { rows.select(columns.collect::<Vec<_>>())?.create_physical_plan().await };
    planned.await.map_err(unreadable)
}

fn unreadable(cause: DataFusionError) -> Error {
    Error::lake("the failing rows cannot be read").at("checks").because(cause)
}

fn keyed(checked: Checked) -> ((Option<String>, String), String) {
    ((checked.force, checked.model), checked.run)
}

/// The rows of one of the two tables in the columns of `hub.check_failures`, as far as its files
/// are those of `forces`; `None` when nothing has ever failed.
async fn stored(
    view: &View,
    context: &SessionContext,
    forces: &Forces,
    table: &str,
) -> Result<Option<DataFrame>> {
    let Some(version) = view.lake.table(table).version(None).await? else { return Ok(None) };
    let rows = context.read_table(Arc::new(SnapshotTable::of(&version, |force| forces.contains(force))));
    let column = |(name, _): &(&str, Column)| match (*name, version.by_force) {
        ("force", false) => lit(ScalarValue::Utf8(None)).alias("force"),
        (name, _) => ident(name),
    };
    let rows = rows.and_then(|rows| rows.select(CHECK_FAILURES.iter().map(column).collect::<Vec<_>>()));
    rows.map(Some).map_err(unreadable)
}

/// The newest run that each force and model of `rows` failed in, unless a later one found nothing:
/// `last` says which run checked them last, if the state database knows.
async fn newest(rows: &DataFrame, last: &BTreeMap<(Option<String>, String), String>) -> Result<Vec<Checked>> {
    let newest = [max(ident("run")).alias("run")].to_vec();
    let newest = rows.clone().aggregate(vec![ident("force"), ident("model")], newest).map_err(unreadable)?;
    let mut found = Vec::new();
    for batch in newest.collect().await.map_err(unreadable)? {
        let forces = column::<StringArray>(&batch, "force")?;
        let models = column::<StringArray>(&batch, "model")?;
        let runs = column::<StringArray>(&batch, "run")?;
        for row in 0..batch.num_rows() {
            let force = forces.is_valid(row).then(|| forces.value(row).to_string());
            let (key, run) = ((force, models.value(row).to_string()), runs.value(row).to_string());
            if last.get(&key).is_none_or(|last| *last <= run) {
                found.push(Checked { force: key.0, model: key.1, run });
            }
        }
    }
    Ok(found)
}

fn may_read(view: &View, forces: &Forces, found: &Checked) -> bool {
    let principal = &view.principal;
    match &found.force {
        Some(force) => {
            let granted = principal.forces_for(&found.model);
            forces.contains(force) && granted.is_some_and(|granted| granted.contains(force))
        }
        None => principal.may_read_hub_table(&found.model),
    }
}

/// The rows of `all` that are of a force, model and run among `visible`.
fn these(
    context: &SessionContext,
    all: DataFrame,
    visible: &[Checked],
) -> Result<DataFrame, DataFusionError> {
    let runs: BTreeSet<&str> = visible.iter().map(|found| found.run.as_str()).collect();
    let all = match runs.len() <= NAMED_RUNS {
        true => all.filter(ident("run").in_list(runs.into_iter().map(lit).collect(), false))?,
        false => all,
    };
    // A hub-scope model has no force: a text that no force has stands for it.
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![text("of_force"), text("of_model"), text("of_run")]));
    let texts = |of: fn(&Checked) -> &str| -> ArrayRef {
        Arc::new(visible.iter().map(|found| Some(of(found))).collect::<StringArray>())
    };
    let columns = vec![
        texts(|found| found.force.as_deref().unwrap_or_default()),
        texts(|found| &found.model),
        texts(|found| &found.run),
    ];
    let visible = context.read_batch(RecordBatch::try_new(schema, columns)?)?;
    let coalesce = datafusion::functions::expr_fn::coalesce(vec![ident("force"), lit("")]);
    let on = [
        coalesce.eq(ident("of_force")),
        ident("model").eq(ident("of_model")),
        ident("run").eq(ident("of_run")),
    ];
    all.join_on(visible, JoinType::LeftSemi, on)
}

/// [`masked`] as a function of the columns `row`, `model` and `force`.
fn masked_column(view: &Arc<View>) -> ScalarUDF {
    let view = Arc::clone(view);
    let mask = move |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [rows, models, forces] = arrays.as_slice() else {
            return Err(DataFusionError::Internal("masked takes three columns".into()));
        };
        let (rows, models, forces) =
            (rows.as_string::<i32>(), models.as_string::<i32>(), forces.as_string::<i32>());
        let shown = (0..rows.len()).map(|at| {
            let force = forces.is_valid(at).then(|| forces.value(at));
            (rows.is_valid(at) && models.is_valid(at))
                .then(|| masked(&view, rows.value(at), models.value(at), force))
                .flatten()
        });
        let shown: ArrayRef = Arc::new(shown.collect::<StringArray>());
        Ok(ColumnarValue::Array(shown))
    };
    let text = || DataType::Utf8;
    create_udf("masked", vec![text(), text(), text()], text(), Volatility::Immutable, Arc::new(mask))
}

/// A failing row of `model` as the principal may see it: columns that can point to a person are
/// null unless the principal may read the model's rows of that force. Today whoever sees the row
/// may; a role that masks columns is to be heard here.
fn masked(view: &View, row: &str, model: &str, force: Option<&str>) -> Option<String> {
    let readable = match force {
        Some(force) => view.principal.forces_for(model).is_some_and(|granted| granted.contains(force)),
        None => view.principal.may_read_hub_table(model),
    };
    if readable {
        return Some(row.to_string());
    }
    // Of a model that the project no longer has, nobody knows which columns these are.
    let tagged = view.pii.get(model)?;
    let mut row: serde_json::Map<String, Value> = serde_json::from_str(row).ok()?;
    for (_, value) in row.iter_mut().filter(|(name, _)| tagged.contains(*name)) {
        *value = Value::Null;
    }
    serde_json::to_string(&row).ok()
}
