//! Files: the first byte of an input chooses a contract, the rest is the file.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::record_batch::RecordBatch;
use muster::connector::contract::{Contract, FileFormat};
use muster::connector::{self, SourceFile};
use muster::error::Kind;
use muster::project::{self, Source};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Layouts that no built-in system has.
const ODD: &str = include_str!("../odd/connector.toml");

/// Formats that are fuzzed by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Separated cells.
    Delimited,
    /// Cells at fixed places.
    FixedWidth,
    /// Rows in XML, and invoices in XML.
    Xml,
    /// Invoices in PDF.
    Pdf,
}

impl Family {
    fn includes(self, contract: &Contract) -> bool {
        let Some(layout) = &contract.file else { return false };
        match layout.format {
            FileFormat::Delimited { .. } => self == Family::Delimited,
            FileFormat::Fixed => self == Family::FixedWidth,
            FileFormat::Xml(_) => self == Family::Xml,
            FileFormat::Invoice(_) => matches!(self, Family::Xml | Family::Pdf),
            _ => false,
        }
    }
}

/// Contracts to read files by: all built-in ones of a family, and the odd ones.
#[derive(Debug)]
pub struct Reader {
    runtime: Runtime,
    folder: TempDir,
    source: Source,
    contracts: Vec<Contract>,
}

impl Reader {
    /// A reader whose files are in the temporary folder of the process.
    pub fn new(family: Family) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (path, starter) = project::STARTER[0];
        fs::write(folder.path().join(path), starter).expect("a project");
        let odd = folder.path().join("connectors/odd");
        fs::create_dir_all(&odd).expect("a folder");
        fs::write(odd.join("connector.toml"), ODD).expect("a connector");
        let project = project::load(folder.path()).unwrap_or_else(|problems| panic!("{}", problems.plain()));
        let contracts = project.systems.into_values().flat_map(|system| system.entities.into_values());
        let contracts = contracts.filter(|contract| family.includes(contract)).collect();
        let source = project::source_at(folder.path(), "file:drop", None);
        Self {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            source: source.unwrap_or_else(|problems| panic!("{}", problems.plain())),
            folder,
            contracts,
        }
    }

    /// The contracts, by the byte that chooses them.
    pub fn contracts(&self) -> impl Iterator<Item = (u8, &Contract)> {
        (0..=u8::MAX).zip(&self.contracts)
    }

    /// Reads a file; panics when something does not hold of the rows that came.
    pub fn read(&self, input: &[u8]) {
        let Some((choice, bytes)) = input.split_first() else { return };
        let contract = &self.contracts[usize::from(*choice) % self.contracts.len()];
        let path = self.folder.path().join("F");
        fs::write(&path, bytes).expect("a file");
        self.runtime.block_on(self.drain(contract, &path));
    }

    async fn drain(&self, contract: &Contract, path: &Path) {
        let file = SourceFile {
            name: "F_20250131_2025_01.csv".into(),
            tag: String::new(),
            sha256: String::new(),
            path: path.into(),
        };
        let mut seen = Seen::default();
        let read = connector::read_file(&self.source, contract, &file);
        let mut extract = match read {
            Ok(extract) => extract,
            Err(error) => return assert_ne!(error.kind(), Kind::Internal, "{error}"),
        };
        while let Some(batch) = extract.next().await {
            match batch {
                Ok(batch) => seen.add(contract, &batch),
                Err(error) => {
                    assert_ne!(error.kind(), Kind::Internal, "{error}");
                    assert!(!error.to_string().contains("the reader stopped"), "{error}");
                    return;
                }
            }
        }
        let totals = extract.totals().expect("the extract has ended");
        assert_eq!(totals.received_rows, seen.rows, "every row that was counted came");
    }
}

#[derive(Debug, Default)]
struct Seen {
    rows: u64,
    numbers: HashSet<i64>,
    keys: HashSet<Vec<u8>>,
}

impl Seen {
    /// What [`connector::extract_schema`] promises.
    fn add(&mut self, contract: &Contract, batch: &RecordBatch) {
        assert_eq!(batch.schema(), connector::extract_schema(contract));
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        let (keys, errors) = (batch.column(2).as_binary::<i32>(), batch.column(5).as_list::<i32>());
        for row in 0..batch.num_rows() {
            self.rows += 1;
            assert!(self.numbers.insert(numbers.value(row)), "row {} came twice", numbers.value(row));
            assert!(self.keys.insert(keys.value(row).to_vec()), "two rows have one key");
            let is_good = errors.value(row).is_empty();
            assert_eq!(is_good, batch.column(6).is_null(row), "bad rows are kept as received, good ones not");
            let is_whole = || (7..batch.num_columns()).all(|column| batch.column(column).is_null(row));
            assert!(is_good || is_whole(), "a bad row has no typed values");
        }
    }
}
