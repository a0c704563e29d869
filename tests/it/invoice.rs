//! Invoice documents, from a folder to raw: one folder, five entities.

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use muster::hub::Hub;
use muster::lake::raw::{self, Place};
use muster::pipeline::{self, pull::Wish};
use muster::project::{self, Library};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const SETTINGS: &str = r#"
[hub]
name = "invoices"
[forces.beds]
name = "beds"
[sources.post]
force = "beds"
system = "invoice_documents"
address = "file:drop"
"#;

/// A project whose only source is a folder with these documents.
fn project(documents: &[PathBuf]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("muster.toml"), SETTINGS).unwrap();
    let drop = folder.path().join("drop");
    fs::create_dir(&drop).unwrap();
    for document in documents {
        let copy = drop.join(document.file_name().unwrap());
        fs::copy(document, &copy).unwrap();
        // Long settled.
        let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(&copy).unwrap().set_modified(an_hour_ago).unwrap();
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

async fn pulled(folder: &TempDir) -> Hub {
    let project = project::load_with(folder.path(), &project::builtin());
    let hub =
        Hub::open(project.unwrap_or_else(|p| panic!("{}", muster::error::Error::from(p)))).await.unwrap();
    let sources: Vec<_> = hub.project.sources.values().collect();
    let failures = pipeline::run::pull(&hub, &sources, 0, Wish::default(), &|_| {}).await.unwrap();
    assert_eq!(failures, BTreeMap::new());
    hub
}

/// What a query over `raw`, the current rows of the five entities, brings.
async fn asked(hub: &Hub, sql: &str) -> String {
    let context = SessionContext::new();
    for entity in ["document", "line", "vat", "field", "rule"] {
        let place = Place { force: "beds".into(), source: "post".into(), entity: entity.into() };
        let version = hub.lake.table(&place.table()).version(None).await.unwrap().unwrap();
        for (quarantined, suffix) in [(false, ""), (true, "_bad")] {
            let rows = raw::rows(&context, &version, quarantined).unwrap();
            context.register_table(format!("{entity}{suffix}"), rows.into_view()).unwrap();
        }
    }
    let rows = context.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

#[tokio::test]
async fn one_folder_feeds_five_entities_and_keeps_each_file_once() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors/invoice_documents/fixtures");
    let folder = project(&files(&fixtures));
    let hub = pulled(&folder).await;
    let documents = asked(
        &hub,
        "select _file, status, syntax, number, type_code, gross_total, verdict, failed_rules, confidence \
         from document order by _file",
    );
    let expect = "\
+------------------------------+------------+--------+-----------+-----------+-------------+---------+--------------+------------+
| _file                        | status     | syntax | number    | type_code | gross_total | verdict | failed_rules | confidence |
+------------------------------+------------+--------+-----------+-----------+-------------+---------+--------------+------------+
| brook_signs.pdf              | read       | text   | BS-0077   | 380       | 1440.00     | pass    | 0            | 0.850      |
| marsh_lane_fencing.xml       | read       | ubl    | MLF-20417 | 380       | 1210.00     | pass    | 0            | 1.000      |
| minutes.xml                  | unreadable |        |           |           |             |         |              |            |
| ouse_valley_credit_note.pdf  | read       | cii    | OVL/C-12  | 381       | 120.01      | pass    | 0            | 1.000      |
| ouse_valley_laboratories.xml | read       | cii    | OVL/881   | 380       | 120.10      | fail    | 1            | 1.000      |
+------------------------------+------------+--------+-----------+-----------+-------------+---------+--------------+------------+";
    assert_eq!(documents.await, expect);
    let kept = files(&folder.path().join("lake/files/beds/post")).into_iter().filter(|path| path.is_file());
    assert_eq!(kept.count(), 5);
    let counts = asked(
        &hub,
        "select (select count(*) from line) as lines, (select count(*) from vat) as rates, \
         (select count(*) from rule where verdict = 'fail') as failed, \
         (select count(distinct document_id) from field) as with_fields, \
         (select count(*) from field where confidence < 1) > 8 as some_unsure",
    );
    let expect = "\
+-------+-------+--------+-------------+-------------+
| lines | rates | failed | with_fields | some_unsure |
+-------+-------+--------+-------------+-------------+
| 4     | 4     | 1      | 4           | true        |
+-------+-------+--------+-------------+-------------+";
    assert_eq!(counts.await, expect);
}

#[tokio::test]
async fn every_real_document_lands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/invoices");
    if !folder.is_dir() {
        return eprintln!("skipped: {} is not there", folder.display());
    }
    let documents: Vec<_> =
        ["cii", "facturx", "peppol", "ubl"].iter().flat_map(|kind| files(&folder.join(kind))).collect();
    let folder = project(&documents);
    let hub = pulled(&folder).await;
    let landed = asked(
        &hub,
        "select status, syntax, count(*) as documents, count(gross_total) as grosses, sum(line_count) as lines, \
         count(*) filter (where verdict = 'fail') as failing \
         from document group by status, syntax order by syntax",
    );
    let expect = "\
+--------+--------+-----------+---------+-------+---------+
| status | syntax | documents | grosses | lines | failing |
+--------+--------+-----------+---------+-------+---------+
| read   | cii    | 15        | 15      | 72    | 4       |
| read   | ubl    | 15        | 15      | 58    | 3       |
+--------+--------+-----------+---------+-------+---------+";
    assert_eq!(landed.await, expect);
    let bad = asked(
        &hub,
        "select (select count(*) from document_bad) + (select count(*) from line_bad) + (select count(*) from vat_bad) \
         + (select count(*) from field_bad) + (select count(*) from rule_bad) as bad, (select count(*) from line) as lines",
    );
    let expect = "\
+-----+-------+
| bad | lines |
+-----+-------+
| 0   | 130   |
+-----+-------+";
    assert_eq!(bad.await, expect);
}

#[test]
fn a_field_that_no_invoice_has_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let contract = "system = \"post\"\nvendor = \"Tests\"\n\n[entities.invoice]\nkey = [\"_file\", \"_row\"]\nmode = \"log\"\n\n\
         [entities.invoice.file]\nmatch = [\"*.xml\", \"*.pdf\"]\nformat = \"invoice\"\npart = \"document\"\n\n\
         [entities.invoice.columns]\nnumber = { type = \"text\" }\ntotal = { type = \"decimal(18,2)\", from = \"gross_totals\" }\n";
    fs::create_dir_all(folder.path().join("connectors/post")).unwrap();
    fs::write(folder.path().join("connectors/post/connector.toml"), contract).unwrap();
    fs::write(folder.path().join("muster.toml"), "[hub]\nname = \"invoices\"\n").unwrap();
    let problems = project::load_with(folder.path(), &Library::empty()).unwrap_err();
    let problems = problems.plain();
    assert!(
        problems.contains("this part has no field \"gross_totals\"") && problems.contains("gross_total\""),
        "{problems}"
    );
}
