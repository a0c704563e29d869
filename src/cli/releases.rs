//! `muster releases`: what was released when, and what changed.

use super::query::{self, Format};
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::policy::roles::Principal;
use crate::project;
use crate::release::{self, Manifest, change};
use crate::serve::compare::{self, Difference};
use crate::serve::desk::Desk;
use crate::serve::statement::{Asker, Request, Statement};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int64Type, Schema};
use futures::{StreamExt, TryStreamExt, stream};
use std::path::Path;
use std::sync::Arc;

/// One line for each release that the user may see of.
const LIST: &str = "select release, published_at, run, \
    count(*) filter (where status = 'fresh') as fresh, count(*) filter (where status = 'stale') as stale, \
    count(*) filter (where status = 'failed') as failed, count(*) filter (where status = 'missing') as missing \
    from hub.releases group by release, published_at, run order by release desc";

/// Arguments of `muster releases`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    view: View,
}

/// Who looks, and in what form.
#[derive(Debug, clap::Args)]
struct View {
    /// See what this user of the project sees.
    #[arg(long, global = true)]
    user: Option<String>,
    /// The form of the answer.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The rows that were added, removed and changed from one release to another, by table and
    /// force, and why.
    Diff {
        /// The earlier release.
        before: u64,
        /// The later release.
        after: u64,
        /// Only this table, such as marts.spend.
        #[arg(long)]
        table: Option<String>,
    },
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let hub = Arc::new(Hub::open(project::load(folder)?).await?);
    let asker = Asker { principal: query::principal(&hub, args.view.user.as_deref())?, peer: "local".into() };
    let answer = match args.command {
        None => list(&Desk::new(Arc::clone(&hub))?, &asker).await?,
        Some(Command::Diff { before, after, table }) => {
            let found =
                compare::releases(&Desk::new(Arc::clone(&hub))?, &asker, before, after, table.as_deref())
                    .await?;
            differences(&found)?
        }
    };
    let rows = stream::iter([Ok(answer.clone())]).boxed();
    query::write(args.view.format, None, answer.schema(), rows).await?;
    hub.audit.anchor().await;
    Ok(true)
}

/// The releases, and what each changed.
async fn list(desk: &Arc<Desk>, asker: &Asker) -> Result<RecordBatch> {
    let hub = desk.hub();
    let statement = Statement::plan(desk, asker, Request::text(LIST)).await?;
    let schema = statement.schema();
    let batches: Vec<RecordBatch> = statement.run(&asker.peer).await?.try_collect().await?;
    let releases = concat_batches(&schema, &batches).map_err(unfit)?;
    let mut changed = Vec::new();
    let mut newer: Option<Manifest> = None;
    for number in releases.column(0).as_primitive::<Int64Type>().values() {
        let manifest = release::published(&hub.lake, number.unsigned_abs()).await?;
        if let Some(newer) = newer.replace(manifest.clone()) {
            changed.push(summary(&asker.principal, &manifest, &newer));
        }
    }
    changed.extend(newer.map(|oldest| if oldest.release == 1 { "everything" } else { "" }.to_string()));
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("changed", arrow::datatypes::DataType::Utf8, true));
    let columns =
        releases.columns().iter().cloned().chain([Arc::new(StringArray::from(changed)) as ArrayRef]);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.collect()).map_err(unfit)
}

/// What a release changed, as far as the principal may read it.
fn summary(principal: &Principal, before: &Manifest, after: &Manifest) -> String {
    change::summary(before, after, |table, force| match force {
        Some(force) => principal.forces_for(table).is_some_and(|granted| granted.contains(force)),
        None => principal.may_read_hub_table(table),
    })
}

fn differences(found: &[Difference]) -> Result<RecordBatch> {
    let text = |get: fn(&Difference) -> Option<String>| -> ArrayRef {
        Arc::new(found.iter().map(get).collect::<StringArray>())
    };
    let count =
        |get: fn(&Difference) -> i64| -> ArrayRef { Arc::new(found.iter().map(get).collect::<Int64Array>()) };
    RecordBatch::try_from_iter_with_nullable([
        ("table", text(|d| Some(d.table.clone())), true),
        ("force", text(|d| d.force.clone()), true),
        ("added", count(|d| d.added), true),
        ("removed", count(|d| d.removed), true),
        ("changed", count(|d| d.changed), true),
        ("columns", text(|d| Some(d.columns.clone())), true),
        ("why", text(|d| Some(d.why.join(", "))), true),
    ])
    .map_err(unfit)
}

fn unfit(error: arrow::error::ArrowError) -> Error {
    Error::internal("an answer does not fit its columns").because(error)
}
