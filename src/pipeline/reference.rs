//! Code lists: CSV text of the project as tables of the lake, so that a release pins them too.

use super::inputs::Inputs;
use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::delta::{Change, Commit};
use crate::project::Reference;
use crate::release::{Manifest, RowsOf, TableVersion};
use datafusion::arrow::csv::ReaderBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use futures::stream;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Lands every code list whose text is not the released one; returns what a release pins of each.
pub(super) async fn land(
    hub: &Hub,
    inputs: &Inputs,
    previous: Option<&Manifest>,
) -> Result<BTreeMap<String, TableVersion>> {
    let mut landed = BTreeMap::new();
    for list in hub.project.reference.values() {
        let name = format!("reference/{}", list.name);
        let sha256 = inputs.lists.get(&list.name);
        let released = previous.and_then(|p| p.tables.get(&name));
        let released = released.filter(|t| t.sha256.as_ref() == sha256);
        let version = match released {
            Some(released) => released.version,
            None => write(hub, list, &name).await?,
        };
        let pinned = TableVersion { version, rows_of: RowsOf::Nobody, sha256: sha256.cloned() };
        landed.insert(list.name.clone(), pinned);
    }
    Ok(landed)
}

async fn write(hub: &Hub, list: &Reference, name: &str) -> Result<u64> {
    let failed = |e| Error::config("the code list cannot be read as CSV").at(&list.file).because(e);
    let columns = list.columns.iter().map(|column| Field::new(column, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
    let reader = ReaderBuilder::new(Arc::clone(&schema)).with_header(true).build(list.csv.as_bytes());
    let batches: Vec<_> = reader.map_err(failed)?.collect::<std::result::Result<_, _>>().map_err(failed)?;
    let table = hub.lake.table(name);
    let files = table.write(&schema, None, stream::iter(batches.into_iter().map(Ok::<_, Error>))).await?;
    let commit = Commit { change: Change::Exactly(files), transaction: None, metadata: Vec::new() };
    table.commit(&schema, false, commit).await
}
