//! A connector's fixtures as raw would hold them: read by the connector, by its contract.

use crate::connector::contract::{Contract, Encoding, FileFormat, FileLayout, Header, Member};
use crate::connector::{self, Listed, Offer, SourceFile};
use crate::error::{Error, Result};
use crate::model::staging::raw_columns;
use crate::project::{Access, Address, Source};
use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, new_null_array};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::record_batch::RecordBatch;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// When fixtures arrive.
const ARRIVAL: &str = "2026-01-01T00:00:00Z";

/// The good rows of an entity's fixtures; none if it has no fixture.
pub(super) async fn rows(folder: &Path, contract: &Contract) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let source = source(folder, contract);
    let (contract, ready) = found(&source, folder, contract).await?;
    let schema = Arc::new(raw_columns(&contract));
    let mut rows = Vec::new();
    for Listed { name, .. } in ready {
        let path = folder.join(&name);
        let file = SourceFile { name, tag: ARRIVAL.into(), sha256: String::new(), path };
        let mut extract = connector::read_file(&source, &contract, &file)?;
        while let Some(batch) = extract.next().await {
            rows.push(raw(&batch?, &schema)?);
        }
    }
    Ok((schema, rows))
}

/// Whether an entity has a fixture in the folder.
pub(super) async fn has(folder: &Path, contract: &Contract) -> Result<bool> {
    let source = source(folder, contract);
    Ok(!found(&source, folder, contract).await?.1.is_empty())
}

fn source(folder: &Path, contract: &Contract) -> Source {
    Source {
        name: "fixtures".into(),
        force: "test".into(),
        system: contract.system.clone(),
        address: Address::Folder(folder.to_path_buf()),
        access: Access::default(),
    }
}

/// The fixtures of one entity, and the contract by which they are read: the file that is named
/// after it, or else the files that its layout matches.
async fn found(source: &Source, folder: &Path, contract: &Contract) -> Result<(Contract, Vec<Listed>)> {
    let matching = contract.file.as_ref().map(|layout| layout.matching.clone());
    let mut contract = Contract { file: Some(layout(folder, contract)), ..contract.clone() };
    let mut ready = offered(source, &contract).await?;
    // Documents that several entities read have the names that their own patterns match.
    if ready.is_empty()
        && let (Some(layout), Some(own)) = (&mut contract.file, matching)
    {
        layout.matching = own;
        ready = offered(source, &contract).await?;
    }
    Ok((contract, ready))
}

async fn offered(source: &Source, contract: &Contract) -> Result<Vec<Listed>> {
    match connector::open(source).await?.offers(contract).await? {
        Offer::Files { ready, .. } => Ok(ready),
        Offer::Table | Offer::Answer => Err(Error::internal("a folder that offers tables")),
    }
}

/// The layout of a fixture: that of the entity's answers if it is JSON, that of its files, or plain
/// CSV if it only has a table. It is named after its entity, not as the vendor names files, and
/// nobody is still writing to it.
fn layout(folder: &Path, contract: &Contract) -> FileLayout {
    let plain = || FileLayout {
        member: Member::Only,
        matching: Vec::new(),
        format: FileFormat::Delimited { delimiter: b',', quote: b'"', header: Header::Named },
        encoding: Encoding::Utf8,
        trailer: None,
        order: None,
        settle: Duration::ZERO,
        done: None,
    };
    let is_answer = folder.join(format!("{}.json", contract.entity)).is_file();
    let answer = contract.http.as_ref().filter(|_| is_answer).map(|request| request.layout.clone());
    FileLayout {
        matching: vec![format!("{}.*", contract.entity)],
        order: None,
        settle: Duration::ZERO,
        done: None,
        ..answer.or(contract.file.clone()).unwrap_or_else(plain)
    }
}

/// The good rows of `batch` with the columns of raw; they were landed by load 1, at no time.
fn raw(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let failed = |e: ArrowError| Error::internal("the rows of a fixture do not fit raw").because(e);
    let errors = batch.column_by_name("_errors").and_then(|column| column.as_list_opt::<i32>());
    let errors = errors.ok_or_else(|| Error::internal("an extract without reasons"))?;
    let good: BooleanArray = (0..batch.num_rows()).map(|row| Some(errors.value_length(row) == 0)).collect();
    let batch = filter_record_batch(batch, &good).map_err(failed)?;
    let column = |name: &str| -> Option<ArrayRef> {
        match name {
            "_load" => Some(Arc::new(Int64Array::from(vec![1; batch.num_rows()]))),
            name => batch.column_by_name(name).map(Arc::clone),
        }
    };
    let columns = schema.fields().iter().map(|field| {
        column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).map_err(failed)
}
