//! `muster query`: the same road as a client's statement, record included.
#![expect(clippy::print_stdout, reason = "a command of the command line")]

use crate::error::{Error, Result};
use crate::hub::Hub;
use crate::lake::Lake;
use crate::policy::roles::Principal;
use crate::project;
use crate::release::as_of::{self, Pin};
use crate::serve::desk::Desk;
use crate::serve::statement::{Asker, Request, Rows, Statement};
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::{self, writer::JsonArray};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches_with_schema;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `muster query`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The statement.
    pub sql: String,
    /// Ask as this user of the project, and see what they see.
    #[arg(long)]
    pub user: Option<String>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What is read.
    #[command(flatten)]
    pub when: When,
}

/// What is read.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct When {
    /// The release to read, instead of the newest.
    #[arg(long, conflicts_with = "as_of")]
    pub release: Option<u64>,
    /// Read what was released at this instant, such as 2026-03-31T17:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    pub as_of: Option<String>,
}

impl When {
    /// The release that is meant.
    pub(super) async fn pin(&self, lake: &Lake) -> Result<Pin> {
        Ok(match (&self.as_of, self.release) {
            (Some(text), _) => Pin::AsOf(as_of::current(lake, as_of::instant(text)?).await?),
            (None, Some(number)) => Pin::Release(number),
            (None, None) => Pin::Newest,
        })
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines and columns, for people.
    Table,
    /// CSV with a header.
    Csv,
    /// One JSON array of objects.
    Json,
    /// A Parquet file.
    Parquet,
}

pub(super) async fn run(folder: &Path, args: Args) -> Result<bool> {
    let hub = Arc::new(Hub::open(project::load(folder)?).await?);
    let asker = Asker { principal: principal(&hub, args.user.as_deref())?, peer: "local".into() };
    let request = Request { pin: args.when.pin(&hub.lake).await?, ..Request::text(args.sql) };
    if args.format == Format::Parquet && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::query("parquet cannot be shown").hint("use --output FILE"));
    }
    let statement = Statement::plan(&Desk::new(hub)?, &asker, request).await?;
    if statement.sets().is_some() {
        return Err(Error::query("a setting ends with the command that sets it")
            .hint("read what was released then with --as-of INSTANT"));
    }
    let schema = statement.schema();
    let rows = statement.run(&asker.peer).await?;
    let count = write(args.format, args.output.as_deref(), schema, rows).await?;
    if let Some(output) = &args.output {
        println!("{count} rows written to {}", output.display());
    }
    Ok(true)
}

pub(super) fn principal(hub: &Hub, name: Option<&str>) -> Result<Principal> {
    let Some(name) = name else { return Ok(Principal::operator()) };
    let user = hub.project.users.get(name).ok_or_else(|| {
        let known: Vec<_> = hub.project.users.keys().map(String::as_str).collect();
        Error::auth(format!("user \"{name}\" is not declared"))
            .hint(format!("known users: {}", known.join(", ")))
    })?;
    Principal::resolve(user, &hub.project.roles)
        .ok_or_else(|| Error::auth(format!("user \"{name}\" has an unknown role")))
}

/// Writes the rows as they come; gives their number.
pub(super) async fn write(
    format: Format,
    output: Option<&Path>,
    schema: SchemaRef,
    mut rows: Rows,
) -> Result<usize> {
    let mut sink = Sink::new(format, open(output)?, schema).map_err(|e| unwritten(output, e))?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows();
        sink.write(batch).map_err(|e| unwritten(output, e))?;
    }
    sink.finish().map_err(|e| unwritten(output, e))?;
    Ok(count)
}

type Output = Box<dyn Write + Send>;

fn open(output: Option<&Path>) -> Result<Output> {
    let Some(path) = output else { return Ok(Box::new(std::io::stdout())) };
    let file = File::create(path)
        .map_err(|e| Error::query("the file cannot be written").at(path.display()).because(e))?;
    Ok(Box::new(BufWriter::new(file)))
}

fn unwritten(output: Option<&Path>, error: ArrowError) -> Error {
    let place = output.map_or_else(|| "standard output".into(), |path| path.display().to_string());
    Error::query("the answer cannot be written").at(place).because(error)
}

/// An answer on its way out.
enum Sink {
    /// The widths of columns depend on all rows, so a table is kept until the end.
    Table {
        output: Output,
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
    },
    Csv(Box<csv::Writer<Output>>),
    Json(Box<json::Writer<Output, JsonArray>>),
    Parquet(Box<ArrowWriter<Output>>),
}

impl Sink {
    fn new(format: Format, output: Output, schema: SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            Format::Table => Sink::Table { output, schema, batches: Vec::new() },
            Format::Csv => {
                let mut writer = csv::Writer::new(output);
                // The header comes with the first batch, and there may be none.
                writer.write(&RecordBatch::new_empty(schema))?;
                Sink::Csv(Box::new(writer))
            }
            Format::Json => {
                Sink::Json(Box::new(json::WriterBuilder::new().with_explicit_nulls(true).build(output)))
            }
            Format::Parquet => {
                let properties =
                    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
                Sink::Parquet(Box::new(ArrowWriter::try_new(output, schema, Some(properties.build()))?))
            }
        })
    }

    fn write(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        match self {
            Sink::Table { batches, .. } => batches.push(batch),
            Sink::Csv(writer) => writer.write(&batch)?,
            Sink::Json(writer) => writer.write(&batch)?,
            Sink::Parquet(writer) => writer.write(&batch)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ArrowError> {
        match self {
            Sink::Table { mut output, schema, batches } => {
                writeln!(output, "{}", pretty_format_batches_with_schema(schema, &batches)?)?;
                output.flush()?;
            }
            Sink::Csv(writer) => writer.into_inner().flush()?,
            Sink::Json(mut writer) => {
                writer.finish()?;
                let mut output = writer.into_inner();
                writeln!(output)?;
                output.flush()?;
            }
            Sink::Parquet(writer) => writer.into_inner()?.flush()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use futures::{StreamExt, stream};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    async fn written(format: Format, batches: Vec<RecordBatch>, schema: SchemaRef) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answer");
        write(format, Some(&path), schema, stream::iter(batches.into_iter().map(Ok)).boxed()).await.unwrap();
        std::fs::read(path).unwrap()
    }

    #[tokio::test]
    async fn every_format_holds_the_rows() {
        let names = Arc::new(StringArray::from(vec![Some("a,b"), None])) as ArrayRef;
        let batch =
            RecordBatch::try_from_iter([("name", names), ("n", Arc::new(Int64Array::from(vec![1, 2])))])
                .unwrap();
        let schema = batch.schema();
        for (format, expected) in [
            (
                Format::Table,
                "+------+---+\n| name | n |\n+------+---+\n| a,b  | 1 |\n|      | 2 |\n+------+---+\n",
            ),
            (Format::Csv, "name,n\n\"a,b\",1\n,2\n"),
            (Format::Json, "[{\"name\":\"a,b\",\"n\":1},{\"name\":null,\"n\":2}]\n"),
        ] {
            let bytes = written(format, vec![batch.clone()], Arc::clone(&schema)).await;
            assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        }
        let parquet =
            bytes::Bytes::from(written(Format::Parquet, vec![batch.clone()], Arc::clone(&schema)).await);
        let read = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap().build().unwrap();
        assert_eq!(read.map(Result::unwrap).collect::<Vec<_>>(), [batch]);
        assert_eq!(written(Format::Csv, Vec::new(), Arc::clone(&schema)).await, b"name,n\n");
        assert_eq!(written(Format::Json, Vec::new(), schema).await, b"[]\n");
    }
}
