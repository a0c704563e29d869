//! Time: what was released then, asked for after a table's name, for a session, for one call and
//! on the command line; the same bytes whatever happened since.

use crate::flight::{Client, ask, short, shown};
use crate::hub::{self, password};
use arrow::array::ArrayRef;
use arrow::util::display::array_value_to_string;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetTables, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, FlightDescriptor};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use expect_test::{Expect, expect};
use futures::TryStreamExt;
use muster::pipeline::upkeep;
use muster::release;
use prost::Message;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A hub with five releases:
///
/// 1. two forces with two widgets each
/// 2. a later load: beds has another price and a third widget
/// 3. a model that gives other rows and has another column; one model less, one more
/// 4. another code list
/// 5. without cambs
struct History {
    dir: TempDir,
    authority: String,
    address: SocketAddr,
    /// When each was published.
    published: Vec<DateTime<Utc>>,
}

impl History {
    /// All of it, served.
    async fn new() -> Self {
        let (dir, authority) = begun();
        for (number, change) in CHANGES.iter().enumerate() {
            change(dir.path());
            assert_eq!(hub::release(dir.path()).await, number as u64 + 1);
        }
        let address = hub::serve_after(dir.path(), |_| async {});
        let published = published(dir.path()).await;
        Self { dir, authority, address, published }
    }

    async fn log_in(&self, user: &str) -> Client {
        log_in(self.address, &self.authority, user).await
    }

    /// The instant of a release, as a text with a zone.
    fn at(&self, release: usize) -> String {
        zoned(self.published[release - 1])
    }

    /// The answer of `user` to `sql`, in which `{1}` stands for the instant of release 1 in UTC,
    /// `{1-}` for the microsecond before it, and `{1z}` for the instant with a zone.
    async fn answer(&self, user: &str, sql: &str) -> String {
        self.answer_of(&mut self.log_in(user).await, sql).await
    }

    async fn answer_of(&self, client: &mut Client, sql: &str) -> String {
        let answer = ask(client, &self.fill(sql)).await;
        self.blank(&answer.map_or_else(|message| message, |batch| shown(&batch)))
    }

    /// The same in one line for each row, whose width does not depend on the instants in it.
    async fn lines_of(&self, client: &mut Client, sql: &str) -> String {
        let batch = match ask(client, &self.fill(sql)).await {
            Ok(batch) => batch,
            Err(message) => return self.blank(&message),
        };
        let cell = |column: &ArrayRef, row| array_value_to_string(column, row).unwrap();
        let line = |row| batch.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>().join(" | ");
        self.blank(&(0..batch.num_rows()).map(line).collect::<Vec<_>>().join("\n"))
    }

    async fn check(&self, user: &str, sql: &str, expect: Expect) {
        expect.assert_eq(&self.answer(user, sql).await);
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = text.to_string();
        for (index, instant) in self.published.iter().enumerate() {
            let number = index + 1;
            let before = *instant - TimeDelta::microseconds(1);
            filled = filled
                .replace(&format!("{{{number}}}"), &local(*instant))
                .replace(&format!("{{{number}-}}"), &local(before))
                .replace(&format!("{{{number}z}}"), &zoned(*instant));
        }
        filled
    }

    /// The other way round: instants become names.
    fn blank(&self, text: &str) -> String {
        let mut blank = text.to_string();
        for (index, instant) in self.published.iter().enumerate() {
            let number = index + 1;
            let before = *instant - TimeDelta::microseconds(1);
            blank = blank
                .replace(&zoned(*instant), &format!("{{{number}z}}"))
                .replace(&local(*instant), &format!("{{{number}}}"))
                .replace(&zoned(before), &format!("{{{number}-z}}"))
                .replace(&local(before), &format!("{{{number}-}}"));
        }
        blank
    }

    /// Runs the program in the project; gives what it prints, errors included.
    fn run(&self, args: &[&str]) -> String {
        // The program brings its own library of models; the project's must be all there is.
        let args: Vec<String> = args.iter().map(|arg| self.fill(arg)).collect();
        let done = Command::new(env!("CARGO_BIN_EXE_muster"))
            .arg("--project")
            .arg(self.dir.path())
            .args(args)
            .output()
            .unwrap();
        let printed = String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap();
        self.blank(&printed)
    }
}

fn local(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn zoned(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

pub async fn log_in(address: SocketAddr, authority: &str, user: &str) -> Client {
    let mut client = FlightSqlServiceClient::new(hub::channel(address, authority).await);
    client.handshake(user, &password(user)).await.unwrap();
    client
}

/// When each release was published.
async fn published(dir: &Path) -> Vec<DateTime<Utc>> {
    let lake = hub::open(dir).await.lake;
    let mut instants = Vec::new();
    for number in release::numbers(&lake).await.unwrap() {
        let manifest = release::manifest(&lake, number).await.unwrap();
        instants.push(DateTime::from_timestamp_micros(manifest.published_at).unwrap());
    }
    instants
}

/// A project before its first release.
fn begun() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let authority = hub::write(dir.path());
    (dir, authority)
}

/// What makes each release differ from the one before.
const CHANGES: [fn(&Path); 5] = [
    |dir| {
        write(dir, "sql/reference/shade.csv", "code,name\none,pale\ntwo,dark\nsecret,grey\n");
        write(dir, "sql/conformed/shaded.sql", SHADED);
    },
    |dir| {
        let rows = "id,label,price,made_on\nb1,one,1.50,2026-01-31\nb2,two,2.50,2026-02-28\nb3,one,9.00,\n";
        write(dir, "drop/beds/widget_2.csv", rows);
    },
    |dir| {
        let sql = dir.join("sql/conformed/widget.sql");
        let text = fs::read_to_string(&sql).unwrap();
        let text = text.replace("    label,\n    price,", "    upper(label) as label,\n    price,");
        fs::write(sql, text.replace("    made_on\n", "    made_on,\n    price > 2 as is_dear\n")).unwrap();
        fs::remove_file(dir.join("sql/conformed/gadget.sql")).unwrap();
        write(dir, "sql/conformed/gizmo.sql", GIZMO);
    },
    |dir| write(dir, "sql/reference/shade.csv", "code,name\none,white\ntwo,dark\nsecret,grey\n"),
    |dir| {
        let settings = fs::read_to_string(dir.join("muster.toml")).unwrap();
        let kept = settings
            .split("\n\n")
            .filter(|part| !part.contains("[forces.cambs]") && !part.contains("[sources.cambs_acme]"));
        fs::write(dir.join("muster.toml"), kept.collect::<Vec<_>>().join("\n\n")).unwrap();
    },
];

fn write(dir: &Path, name: &str, text: &str) {
    let path: PathBuf = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const SHADED: &str = r#"/*
One row per widget.
grain: force, widget_id
scope: force
checks:
  unique: force, widget_id
*/
select
    widget.widget_id,
    shade.name as shade
from staging.widget as widget
join reference.shade as shade
    on shade.code = widget.label
"#;

const GIZMO: &str = r#"/*
One row per widget.
grain: force, widget_id
scope: force
checks:
  unique: force, widget_id
*/
select
    widget_id
from staging.widget
"#;

/// Statements over everything that a release holds.
const STATEMENTS: [&str; 7] = [
    "select * from conformed.widget order by force, widget_id",
    "select * from conformed.gadget order by force, widget_id",
    "with dear as (select force, widget_id from conformed.widget where price > 1) \
     select dear.*, shade from dear join conformed.shaded using (force, widget_id) order by 1, 2",
    "select force, sum(price) as price from conformed.widget group by force order by force",
    "select * from hub.coverage order by force, dataset",
    "select * from hub.loads order by force, source, entity, load",
    "select table_schema, table_name, column_name, data_type from information_schema.columns order by 1, 2, 3",
];

/// Every byte of an answer as the server sends it, its columns included.
async fn bytes(client: &mut Client, headers: &[(&str, &str)], sql: &str) -> Vec<u8> {
    let token = format!("Bearer {}", client.token().unwrap());
    let with_headers = |metadata: &mut tonic::metadata::MetadataMap| {
        metadata.insert("authorization", token.parse().unwrap());
        for (name, value) in headers {
            let name = tonic::metadata::AsciiMetadataKey::from_bytes(name.as_bytes()).unwrap();
            metadata.insert(name, value.parse().unwrap());
        }
    };
    let query = CommandStatementQuery { query: sql.into(), transaction_id: None };
    let mut request = tonic::Request::new(FlightDescriptor::new_cmd(query.as_any().encode_to_vec()));
    with_headers(request.metadata_mut());
    let info = client.inner_mut().get_flight_info(request).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let info = info.into_inner();
    let mut request = tonic::Request::new(info.endpoint[0].ticket.clone().unwrap());
    with_headers(request.metadata_mut());
    let mut messages = client.inner_mut().do_get(request).await.unwrap().into_inner();
    let mut bytes = info.schema.to_vec();
    while let Some(message) = messages.try_next().await.unwrap() {
        bytes.extend_from_slice(&message.data_header);
        bytes.extend_from_slice(&message.data_body);
    }
    bytes
}

#[tokio::test]
async fn past_answers_stay_byte_for_byte() {
    let (dir, authority) = begun();
    CHANGES[0](dir.path());
    assert_eq!(hub::release(dir.path()).await, 1);
    let first = hub::serve_after(dir.path(), |_| async {});
    let mut then = Vec::new();
    for user in ["hub", "beds"] {
        let mut client = log_in(first, &authority, user).await;
        for sql in STATEMENTS {
            then.push((user, sql, bytes(&mut client, &[], sql).await));
        }
    }
    let at = published(dir.path()).await[0];
    let now = zoned(Utc::now());
    for (number, change) in CHANGES.iter().enumerate().skip(1) {
        change(dir.path());
        assert_eq!(hub::release(dir.path()).await, number as u64 + 1);
        same(first, &authority, &then, &zoned(at)).await;
    }
    let many = kept_up(dir.path()).await;
    same(first, &authority, &then, &zoned(at)).await;
    let restarted = hub::serve_after(dir.path(), |_| async {});
    for instant in [zoned(at), now] {
        same(restarted, &authority, &then, &instant).await;
    }
    let mut client = log_in(restarted, &authority, "hub").await;
    let (_, _, before) = &then[0];
    let clause = format!(
        "select * from conformed.widget for system_time as of timestamp '{}' order by force, widget_id",
        local(at)
    );
    assert_eq!(bytes(&mut client, &[], &clause).await, *before);
    assert_ne!(bytes(&mut client, &[], STATEMENTS[0]).await, *before, "the newest release differs");
    let given_up = format!("select * from conformed.widget version as of {}", many - 1);
    let error = ask(&mut client, &given_up).await.unwrap_err();
    assert!(error.contains(" was given up by vacuum 1 on "), "{error}");
    ask(&mut client, &format!("set muster.as_of = '{}'", zoned(at))).await.unwrap();
    assert_eq!(bytes(&mut client, &[], STATEMENTS[0]).await, *before);
}

/// Many later loads, a compaction, and a vacuum that keeps no release but the newest, which it
/// tells, and the first, which is held.
async fn kept_up(dir: &Path) -> u64 {
    let mut newest = 0;
    for price in 3..=10 {
        write(
            dir,
            &format!("drop/beds/widget_{price}.csv"),
            &format!("id,label,price,made_on\nb1,one,{price},\n"),
        );
        newest = hub::release(dir).await;
    }
    let settings = fs::read_to_string(dir.join("muster.toml")).unwrap();
    fs::write(dir.join("muster.toml"), settings + "\n[keep]\nreleases = 1\n\n[keep.holds]\naudit = [1]\n")
        .unwrap();
    let hub = hub::open(dir).await;
    let compacted = upkeep::compact(&hub, None).await.unwrap();
    assert!(compacted.iter().any(|(table, _)| table == "raw/beds/beds_acme/widget"), "{compacted:?}");
    // What is younger than a day is left alone.
    age(&dir.join("lake"));
    let vacuum = upkeep::vacuum(&hub, "test", false).await.unwrap();
    assert!(vacuum.total().files > 0, "{vacuum:?}");
    newest
}

fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => age(&path),
            false => {
                let past = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
                fs::File::options().append(true).open(path).unwrap().set_modified(past).unwrap();
            }
        }
    }
}

async fn same(address: SocketAddr, authority: &str, then: &[(&str, &str, Vec<u8>)], instant: &str) {
    for (user, sql, before) in then {
        let mut client = log_in(address, authority, user).await;
        let again = bytes(&mut client, &[("x-muster-as-of", instant)], sql).await;
        assert!(again == *before, "{user} {sql} at {instant}: {} bytes, now {}", before.len(), again.len());
    }
}

#[tokio::test]
async fn a_table_is_read_as_it_was() {
    let hub = History::new().await;
    let count = "select count(*) as n from conformed.widget";
    for (clause, rows) in [
        ("", 3),
        ("for system_time as of timestamp '{1}'", 4),
        ("for system_time as of timestamp '{2-}'", 4),
        ("for system_time as of timestamp '{2}'", 5),
        ("for system_time as of '{2z}'", 5),
        ("for system_time as of timestamp '{2}' - interval '1 microsecond'", 4),
        ("for system_time as of now()", 3),
        ("for system_time as of current_timestamp", 3),
        ("timestamp as of timestamp '{1}'", 4),
        ("version as of 2", 5),
        ("version as of 5", 3),
    ] {
        let answer = hub.answer("hub", &format!("{count} {clause}")).await;
        assert!(answer.contains(&format!("| {rows} |")), "{clause}: {answer}");
    }
    hub.check(
        "hub",
        "select old.widget_id, old.label as was, new.label as is, old.price as cost, new.price as costs, is_dear \
         from conformed.widget as new join conformed.widget for system_time as of timestamp '{1}' as old \
         using (force, widget_id) order by 1",
        expect![[r#"
            +-----------+-----+-----+------+-------+---------+
            | widget_id | was | is  | cost | costs | is_dear |
            +-----------+-----+-----+------+-------+---------+
            | b1        | one | ONE | 1.50 | 1.50  | false   |
            | b2        | two | TWO | 2.00 | 2.50  | true    |
            +-----------+-----+-----+------+-------+---------+"#]],
    )
    .await;
    hub.check(
        "hub",
        "with old as (select * from conformed.widget version as of 1), \
         gone as (select widget_id, conformed.widget.price from conformed.widget for system_time as of \
           timestamp '{2}' where not exists (select 1 from conformed.widget as now where now.widget_id = \
           conformed.widget.widget_id)) \
         select (select count(*) from old) as old, (select max(price) from widget version as of 3) as dearest, \
         gone.* from gone where widget_id in (select widget_id from conformed.gadget version as of 2) \
         union all select 0, 0, name, 0 from reference.shade for system_time as of timestamp '{4-}' \
         where code = 'one' order by 1",
        expect![[r#"
            +-----+---------+-----------+-------+
            | old | dearest | widget_id | price |
            +-----+---------+-----------+-------+
            | 0   | 0.00    | pale      | 0.00  |
            | 4   | 9.00    | c1        | 3.25  |
            +-----+---------+-----------+-------+"#]],
    )
    .await;
    hub.check(
        "hub",
        "explain select label from conformed.widget version as of 1",
        expect![[r#"
        +--------------+-----------------------------------------------------------+
        | plan_type    | plan                                                      |
        +--------------+-----------------------------------------------------------+
        | logical_plan | SubqueryAlias: conformed.widget                           |
        |              |   TableScan: muster@1.conformed.widget projection=[label] |
        +--------------+-----------------------------------------------------------+"#]],
    )
    .await;
    hub.check(
        "hub",
        "select dataset, force, rows, release from hub.coverage for system_time as of timestamp '{1}' order by 1, 2",
        expect![[r#"
            +------------------+-------+------+---------+
            | dataset          | force | rows | release |
            +------------------+-------+------+---------+
            | conformed.gadget | beds  | 2    | 1       |
            | conformed.gadget | cambs | 1    | 1       |
            | conformed.shaded | beds  | 2    | 1       |
            | conformed.shaded | cambs | 2    | 1       |
            | conformed.widget | beds  | 2    | 1       |
            | conformed.widget | cambs | 2    | 1       |
            +------------------+-------+------+---------+"#]],
    )
    .await;
    hub.check(
        "hub",
        "select distinct muster.conformed.widget.label from muster.conformed.widget version as of 1 order by 1",
        expect![[r#"
            +--------+
            | label  |
            +--------+
            | one    |
            | secret |
            | two    |
            +--------+"#]],
    )
    .await;
    hub.check(
        "hub",
        "select tables, release, count(*) > 0 as recorded from hub.queries where tables like '%@%' \
         group by tables, release order by 1",
        expect![[r#"
            +----------------------------------------------------------------------------------------------------------------+---------+----------+
            | tables                                                                                                         | release | recorded |
            +----------------------------------------------------------------------------------------------------------------+---------+----------+
            | conformed.gadget@2,conformed.widget,conformed.widget@1,conformed.widget@2,conformed.widget@3,reference.shade@3 | 5       | true     |
            | conformed.widget,conformed.widget@1                                                                            | 5       | true     |
            | conformed.widget@1                                                                                             | 5       | true     |
            | conformed.widget@2                                                                                             | 5       | true     |
            | conformed.widget@5                                                                                             | 5       | true     |
            | hub.coverage@1                                                                                                 | 5       | true     |
            +----------------------------------------------------------------------------------------------------------------+---------+----------+"#]],
    )
    .await;
}

#[tokio::test]
async fn the_past_is_under_the_same_policy() {
    let hub = History::new().await;
    hub.check(
        "beds",
        "select distinct force from conformed.widget version as of 1",
        expect![[r#"
        +-------+
        | force |
        +-------+
        | beds  |
        +-------+"#]],
    )
    .await;
    hub.check(
        "beds",
        "select force, entity from hub.loads version as of 1",
        expect![[r#"
        +-------+--------+
        | force | entity |
        +-------+--------+
        | beds  | widget |
        +-------+--------+"#]],
    )
    .await;
    let found = |table: &str| format!("table 'muster.{table}' not found");
    for (user, table, release) in [
        ("narrow", "conformed.gadget", 1),
        ("narrow", "conformed.gizmo", 1),
        ("narrow", "hub.coverage", 1),
        ("beds", "reference.shade", 1),
        ("hub", "conformed.gizmo", 2),
        ("hub", "conformed.gadget", 3),
        ("hub", "hub.nothing", 1),
        ("hub", "raw.widget", 1),
        ("hub", "information_schema.tables", 1),
        ("hub", "information_schema.df_settings", 1),
    ] {
        let sql = format!("select * from {table} version as of {release}");
        assert_eq!(hub.answer(user, &sql).await, found(table), "{user}");
    }
    // The name of a table as it was is no name in SQL, even while it is read.
    for name in ["\"muster@1\".conformed.widget", "\"muster@1.conformed\".widget", "\"muster@1\".widget"] {
        for sql in [
            format!("select * from {name}"),
            format!("select * from {name}, conformed.widget version as of 1 as other"),
            format!(
                "select * from conformed.widget version as of 1 as other where 1 in (select 1 from {name})"
            ),
            format!("select * from {name} version as of 1"),
            format!("describe {name}"),
            format!("show columns from {name}"),
        ] {
            let answer = hub.answer("hub", &sql).await;
            assert!(answer.ends_with("not found"), "{sql}: {answer}");
        }
    }
    hub.check(
        "hub",
        "select distinct table_catalog from information_schema.tables, conformed.widget version as of 1",
        expect![[r#"
            +---------------+
            | table_catalog |
            +---------------+
            | muster        |
            +---------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn what_cannot_be_resolved_is_refused() {
    let hub = History::new().await;
    let from = "select * from conformed.widget as w, conformed.widget";
    for (clause, expect) in [
        ("for system_time as of timestamp '{1-}'", expect!["nothing had been released at {1-z}"]),
        ("for system_time as of '2999-01-01T00:00:00Z'", expect!["2999-01-01T00:00:00Z is in the future"]),
        (
            "for system_time as of '2026-03-31 17:00:00'",
            expect!["'2026-03-31 17:00:00' is not an instant with a time zone"],
        ),
        ("for system_time as of date '2026-03-31'", expect!["'DATE '2026-03-31'' is not an instant"]),
        ("for system_time as of 1", expect!["'1' is not an instant"]),
        ("for system_time as of null", expect!["'NULL' is not an instant"]),
        (
            "for system_time as of $1",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        ),
        (
            "for system_time as of ?",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        ),
        (
            "for system_time as of w.made_on",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        ),
        (
            "for system_time as of (select now())",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        ),
        (
            "for system_time as of random()",
            expect!["a point in time must be constant: no column, no parameter, no subquery"],
        ),
        (
            "for system_time from timestamp '{1}' to timestamp '{2}'",
            expect![
                "syntax error: expected: one of UPDATE or SHARE, found: system_time at Line: 1, Column: 59"
            ],
        ),
        (
            "for system_time between timestamp '{1}' and timestamp '{2}'",
            expect![
                "syntax error: expected: one of UPDATE or SHARE, found: system_time at Line: 1, Column: 59"
            ],
        ),
        (
            "for system_time all",
            expect![
                "syntax error: expected: one of UPDATE or SHARE, found: system_time at Line: 1, Column: 59"
            ],
        ),
        (
            "for system_version as of 1",
            expect![
                "syntax error: expected: one of UPDATE or SHARE, found: system_version at Line: 1, Column: 59"
            ],
        ),
        (
            "as v for system_time as of timestamp '{1}'",
            expect![
                "syntax error: expected: one of UPDATE or SHARE, found: system_time at Line: 1, Column: 64"
            ],
        ),
        ("version as of 99", expect!["there is no release 99"]),
        ("version as of 0", expect!["there is no release 0"]),
        ("version as of 1.5", expect!["'1.5' is not a release"]),
        ("version as of $1", expect!["'$1' is not a release"]),
        ("at(timestamp => '{1z}')", expect!["not supported: 'at(timestamp => '{1z}')' after a table's name"]),
        (
            "before(timestamp => '{1z}')",
            expect!["not supported: 'before(timestamp => '{1z}')' after a table's name"],
        ),
        (
            "changes(information => default) at(timestamp => '{1z}')",
            expect![
                "not supported: 'changes(information => default) at(timestamp => '{1z}')' after a table's name"
            ],
        ),
        ("version as of 1 tablesample (1 rows)", expect!["not supported: tablesample"]),
        // Both are called conformed.widget.
        (
            "version as of 1 join conformed.widget using (widget_id)",
            expect!["schema contains duplicate qualified field name conformed.widget.force"],
        ),
    ] {
        hub.check("hub", &format!("{from} {clause}"), expect).await;
    }
    let tomorrow = hub.answer("hub", &format!("{from} for system_time as of now() + interval '1 day'")).await;
    assert!(tomorrow.ends_with(" is in the future"), "{tomorrow}");
    for (sql, expect) in [
        (
            "with w as (select 1 as x) select * from w version as of 1",
            expect!["'w' is a subquery and has no past"],
        ),
        (
            "select * from (with w as (select 1 as x) select * from w version as of 1) as v",
            expect!["'w' is a subquery and has no past"],
        ),
        (
            "select * from (select * from conformed.widget) version as of 1",
            expect!["syntax error: expected: end of statement, found: as at Line: 1, Column: 56"],
        ),
        (
            "select * from generate_series(1, 2) version as of 1",
            expect!["syntax error: expected: end of statement, found: as at Line: 1, Column: 45"],
        ),
        (
            "select * from generate_series version as of 1 (1, 2)",
            expect!["'generate_series' is a function and has no past"],
        ),
        ("select * from hub.queries version as of 1", expect!["hub.queries is the same in every release"]),
        (
            "table conformed.widget version as of 1",
            expect!["syntax error: expected: an SQL statement, found: table at Line: 1, Column: 1"],
        ),
        (
            "describe conformed.widget version as of 1",
            expect!["syntax error: expected: end of statement, found: version at Line: 1, Column: 27"],
        ),
    ] {
        hub.check("hub", sql, expect).await;
    }
    let mut client = hub.log_in("hub").await;
    let sql = "select * from conformed.widget for system_time as of ?".to_string();
    let error = client.prepare(sql, None).await.map(drop).unwrap_err().to_string();
    expect!["a point in time must be constant: no column, no parameter, no subquery"]
        .assert_eq(&short(&error));
}

/// Sends an action of sessions; gives the answer's bytes.
pub async fn act(
    client: &mut Client,
    headers: &[(&'static str, &str)],
    name: &str,
    body: Vec<u8>,
) -> Result<Vec<u8>, String> {
    let mut request = tonic::Request::new(Action::new(name, body));
    let token = format!("Bearer {}", client.token().unwrap());
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let sent = client.inner_mut().do_action(request).await.map_err(|e| e.message().to_string())?;
    let results: Vec<_> = sent.into_inner().try_collect().await.map_err(|e| e.message().to_string())?;
    Ok(results[0].body.to_vec())
}

/// Options with one text each, in Arrow's message.
#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, Text>,
}

#[derive(Clone, PartialEq, Message)]
struct Text {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
}

pub fn options(pairs: &[(&str, Option<&str>)]) -> Vec<u8> {
    let pairs = pairs.iter().map(|(name, text)| (name.to_string(), Text { text: text.map(str::to_string) }));
    Options { options: pairs.collect() }.encode_to_vec()
}

const SHOW: &str = "show muster.as_of";
const COUNT: &str = "select count(*) as n, release from conformed.widget, \
    (select max(release) as release from hub.releases) group by release";

#[tokio::test]
async fn a_session_reads_what_was_released_then() {
    let hub = History::new().await;
    let (mut client, mut other) = (hub.log_in("hub").await, hub.log_in("hub").await);
    let mut said = Vec::new();
    for sql in [
        SHOW,
        "set muster.as_of = '{1z}'",
        SHOW,
        COUNT,
        "select count(*) as n from conformed.widget version as of 2",
        "select count(*) as n from conformed.gizmo",
        "select name from reference.shade order by name",
        "set muster.as_of = '{1-}Z'",
        "set muster.as_of = 'yesterday'",
        "set muster.as_of = made_on",
        COUNT,
        "set muster.as_of = timestamp '{2}'",
        COUNT,
        "reset muster.as_of",
        SHOW,
        COUNT,
    ] {
        said.push(format!("{sql}\n    {}", hub.lines_of(&mut client, sql).await));
    }
    expect![[r#"
        show muster.as_of
             | 5
        set muster.as_of = '{1z}'
            {1z} | 1
        show muster.as_of
            {1z} | 1
        select count(*) as n, release from conformed.widget, (select max(release) as release from hub.releases) group by release
            4 | 1
        select count(*) as n from conformed.widget version as of 2
            5
        select count(*) as n from conformed.gizmo
            table 'muster.conformed.gizmo' not found
        select name from reference.shade order by name
            dark
        grey
        pale
        set muster.as_of = '{1-}Z'
            nothing had been released at {1-z}
        set muster.as_of = 'yesterday'
            'yesterday' is not an instant with a time zone
        set muster.as_of = made_on
            a point in time must be constant: no column, no parameter, no subquery
        select count(*) as n, release from conformed.widget, (select max(release) as release from hub.releases) group by release
            4 | 1
        set muster.as_of = timestamp '{2}'
            {2z} | 2
        select count(*) as n, release from conformed.widget, (select max(release) as release from hub.releases) group by release
            5 | 2
        reset muster.as_of
             | 5
        show muster.as_of
             | 5
        select count(*) as n, release from conformed.widget, (select max(release) as release from hub.releases) group by release
            3 | 5"#]].assert_eq(&said.join("\n"));
    // Planned when its session read release 2; what it answers was fixed then.
    ask(&mut client, &hub.fill("set muster.as_of = '{2z}'")).await.unwrap();
    let info = client.execute(COUNT.into(), None).await.unwrap();
    let mut prepared = client.prepare(COUNT.into(), None).await.unwrap();
    client.execute_update("reset muster.as_of".into(), None).await.unwrap();
    let fetched: Vec<_> =
        client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().try_collect().await.unwrap();
    expect![[r#"
        +---+---------+
        | n | release |
        +---+---------+
        | 5 | 2       |
        +---+---------+"#]]
    .assert_eq(&shown(&fetched[0]));
    assert_eq!(client.execute_update(hub.fill("set muster.as_of = '{1z}'"), None).await.unwrap(), 0);
    let info = prepared.execute().await.unwrap();
    let fetched: Vec<_> =
        client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().try_collect().await.unwrap();
    expect![[r#"
        +---+---------+
        | n | release |
        +---+---------+
        | 4 | 1       |
        +---+---------+"#]]
    .assert_eq(&shown(&fetched[0]));
    let listing =
        CommandGetTables { db_schema_filter_pattern: Some("conformed".into()), ..Default::default() };
    let info = client.get_tables(listing).await.unwrap();
    let fetched: Vec<_> =
        client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap().try_collect().await.unwrap();
    expect![[r#"
        +--------------+----------------+------------+------------+
        | catalog_name | db_schema_name | table_name | table_type |
        +--------------+----------------+------------+------------+
        | muster       | conformed      | gadget     | TABLE      |
        | muster       | conformed      | shaded     | TABLE      |
        | muster       | conformed      | widget     | TABLE      |
        +--------------+----------------+------------+------------+"#]]
    .assert_eq(&shown(&fetched[0]));
    // To prepare, to ask for columns and to explain set nothing.
    let mut reset = client.prepare("reset muster.as_of".into(), None).await.unwrap();
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 4 | 1 "));
    reset.execute().await.unwrap();
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 3 | 5 "));
    assert!(hub.answer_of(&mut other, COUNT).await.contains("| 3 | 5 "), "another log-in is another session");
    let recorded = "select statement, release, tables, outcome from hub.queries \
                    where statement like 'set %' or statement like 'reset %' order by query";
    expect![[r#"
        set muster.as_of = '{1z}' | 5 |  | succeeded
        set muster.as_of = '{1-}Z' | 1 |  | failed
        set muster.as_of = 'yesterday' | 1 |  | failed
        set muster.as_of = made_on | 1 |  | failed
        set muster.as_of = timestamp '{2}' | 1 |  | succeeded
        reset muster.as_of | 2 |  | succeeded
        set muster.as_of = '{2z}' | 5 |  | succeeded
        reset muster.as_of | 2 |  | succeeded
        set muster.as_of = '{1z}' | 5 |  | succeeded
        reset muster.as_of | 1 |  | succeeded"#]]
    .assert_eq(&hub.lines_of(&mut other, recorded).await);
}

#[tokio::test]
async fn drivers_set_options_and_headers() {
    let hub = History::new().await;
    let mut client = hub.log_in("hub").await;
    let set = async |client: &mut Client, pairs: &[(&str, Option<&str>)]| {
        act(client, &[], "SetSessionOptions", options(pairs)).await
    };
    assert_eq!(set(&mut client, &[("muster.as_of", Some(&hub.at(1)))]).await, Ok(Vec::new()));
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 4 | 1 "));
    let read = act(&mut client, &[], "GetSessionOptions", Vec::new()).await.unwrap();
    let read = Options::decode(read.as_slice()).unwrap().options;
    assert_eq!(read["muster.as_of"].text.as_deref(), Some(hub.at(1).as_str()));
    assert_eq!(read["catalog"].text.as_deref(), Some("muster"));
    for wrong in ["yesterday", "2999-01-01T00:00:00Z"] {
        set(&mut client, &[("muster.as_of", Some(wrong))]).await.unwrap_err();
    }
    // All or nothing: an option that is not known keeps the others from being set.
    let answer = set(&mut client, &[("muster.as_of", None), ("nonsense", Some("1"))]).await.unwrap();
    assert_ne!(answer, Vec::<u8>::new());
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 4 | 1 "));
    assert_eq!(
        set(&mut client, &[("catalog", Some("muster")), ("schema", Some("conformed"))]).await,
        Ok(Vec::new())
    );
    assert_eq!(set(&mut client, &[("muster.as_of", None)]).await, Ok(Vec::new()));
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 3 | 5 "));

    let mut pinned = hub.log_in("hub").await;
    pinned.set_header("x-muster-as-of", hub.at(2));
    assert!(hub.answer_of(&mut pinned, COUNT).await.contains("| 5 | 2 "));
    hub_says(
        &hub,
        &mut pinned,
        "set muster.as_of = '{1z}'",
        expect!["the header x-muster-as-of already says what is read"],
    )
    .await;
    pinned.set_header("x-muster-as-of", "2026-01-01");
    hub_says(&hub, &mut pinned, COUNT, expect!["'2026-01-01' is not an instant with a time zone"]).await;
    pinned.set_header("x-muster-as-of", "");
    hub_says(&hub, &mut pinned, COUNT, expect!["'' is not an instant with a time zone"]).await;
    pinned.set_header("x-muster-as-of", zoned(hub.published[0] - TimeDelta::microseconds(1)));
    hub_says(&hub, &mut pinned, COUNT, expect!["nothing had been released at {1-z}"]).await;

    set(&mut client, &[("muster.as_of", Some(&hub.at(1)))]).await.unwrap();
    assert_eq!(act(&mut client, &[], "CloseSession", Vec::new()).await, Ok(vec![8, 1]));
    hub_says(&hub, &mut client, COUNT, expect!["log in again: the token has expired"]).await;
}

async fn hub_says(hub: &History, client: &mut Client, sql: &str, expect: Expect) {
    expect.assert_eq(&hub.answer_of(client, sql).await);
}

/// Logs in as drivers that keep cookies do; gives the token and the cookie.
async fn log_in_with_cookie(hub: &History, user: &str) -> (Client, String) {
    let mut client = log_in(hub.address, &hub.authority, user).await;
    let token = format!("Bearer {}", client.token().unwrap());
    let hello = futures::stream::iter([arrow_flight::HandshakeRequest::default()]);
    let mut request = tonic::Request::new(hello);
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let response = client.inner_mut().handshake(request).await.unwrap();
    let cookie = response.metadata().get("set-cookie").unwrap().to_str().unwrap().to_string();
    (client, cookie)
}

#[tokio::test]
async fn a_cookie_is_a_session_of_its_own() {
    let hub = History::new().await;
    let (mut client, cookie) = log_in_with_cookie(&hub, "hub").await;
    let body = options(&[("muster.as_of", Some(&hub.at(1)))]);
    act(&mut client, &[("cookie", &cookie)], "SetSessionOptions", body).await.unwrap();
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 3 | 5 "), "the token has another session");
    client.set_header("cookie", format!("other=1; {cookie}"));
    assert!(hub.answer_of(&mut client, COUNT).await.contains("| 4 | 1 "));

    let (mut thief, own) = log_in_with_cookie(&hub, "beds").await;
    thief.set_header("cookie", cookie.as_str());
    hub_says(&hub, &mut thief, COUNT, expect!["log in again: the session has expired"]).await;
    thief.set_header("cookie", "arrow_flight_session_id=made-up");
    hub_says(&hub, &mut thief, COUNT, expect!["log in again: the session has expired"]).await;
    thief.set_header("cookie", own.as_str());
    assert!(hub.answer_of(&mut thief, COUNT).await.contains("| 3 | 5 "));

    act(&mut client, &[("cookie", &cookie)], "CloseSession", Vec::new()).await.unwrap();
    hub_says(&hub, &mut client, COUNT, expect!["log in again: the session has expired"]).await;
}

#[tokio::test]
async fn a_real_driver_reads_the_past_in_every_way_it_has() {
    let Some(python) = std::env::var_os("MUSTER_TEST_PYTHON") else {
        // Said aloud, because a test that is not run must not look like one that passed.
        eprintln!("skipped: MUSTER_TEST_PYTHON is not set; tests/run sets it");
        return;
    };
    let hub = History::new().await;
    let authority = hub.dir.path().join("authority.pem");
    fs::write(&authority, &hub.authority).unwrap();
    let asked = Command::new(python)
        .arg("tests/python/flight_time.py")
        .arg(format!("grpc+tls://localhost:{}", hub.address.port()))
        .args(["hub", &password("hub"), "conformed.widget"])
        .arg(authority)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.trim_end().ends_with(" 0 failed"), "{said}");
}

#[tokio::test]
async fn the_command_line_reads_the_past() {
    let hub = History::new().await;
    let count = "select count(*) as n from conformed.widget";
    for (args, expect) in [
        (
            vec!["query", count, "--as-of", "{1z}"],
            expect![[r#"
            +---+
            | n |
            +---+
            | 4 |
            +---+
        "#]],
        ),
        (
            vec!["query", count, "--release", "2"],
            expect![[r#"
            +---+
            | n |
            +---+
            | 5 |
            +---+
        "#]],
        ),
        (
            vec!["query", "show muster.as_of", "--as-of", "{1z}", "--format", "csv"],
            expect![[r#"
            as_of,release
            {1z},1
        "#]],
        ),
        (
            vec!["query", count, "--as-of", "{1}"],
            expect![[r#"
            error: '{1}' is not an instant with a time zone
              because: premature end of input
              hint: write it like '2026-03-31T17:00:00Z' or '2026-03-31T18:00:00+01:00'
        "#]],
        ),
        (
            vec!["query", "set muster.as_of = '{1z}'"],
            expect![[r#"
            error: a setting ends with the command that sets it
              hint: read what was released then with --as-of INSTANT
        "#]],
        ),
    ] {
        expect.assert_eq(&hub.run(&args));
    }
    let status = hub.run(&["status", "--as-of", "{1z}", "--format", "csv"]);
    assert_eq!(status.matches(",1,\n").count(), 6, "six tables of release 1:\n{status}");
    let both = hub.run(&["query", count, "--release", "1", "--as-of", "{1z}"]);
    assert!(both.contains("cannot be used with"), "{both}");
}

#[tokio::test]
async fn releases_say_what_changed() {
    let hub = History::new().await;
    let list = hub.run(&["releases", "--format", "csv"]);
    // The run's name and the time are the machine's.
    let lines = list.lines().map(|line| {
        let cells: Vec<&str> = line.splitn(4, ',').collect();
        format!("{},{}", cells[0], cells[3])
    });
    expect![[r#"
        release,fresh,stale,failed,missing,changed
        5,1,0,0,0,3 tables of 1 force: data
        4,2,0,0,0,1 table of 2 forces: reference
        3,2,0,0,0,3 tables of 2 forces: sql
        2,2,0,0,0,3 tables of 1 force: data
        1,2,0,0,0,everything"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    for (args, expect) in [
        (
            vec!["releases", "diff", "1", "2"],
            expect![[r#"
            +------------------+-------+-------+---------+---------+---------+------+
            | table            | force | added | removed | changed | columns | why  |
            +------------------+-------+-------+---------+---------+---------+------+
            | conformed.gadget | beds  | 2     | 1       | 0       |         | data |
            | conformed.shaded | beds  | 1     | 0       | 0       |         | data |
            | conformed.widget | beds  | 1     | 0       | 1       |         | data |
            +------------------+-------+-------+---------+---------+---------+------+
        "#]],
        ),
        (
            vec!["releases", "diff", "2", "3"],
            expect![[r#"
            +------------------+-------+-------+---------+---------+----------+-----+
            | table            | force | added | removed | changed | columns  | why |
            +------------------+-------+-------+---------+---------+----------+-----+
            | conformed.gadget | beds  | 0     | 3       | 0       |          | sql |
            | conformed.gadget | cambs | 0     | 1       | 0       |          | sql |
            | conformed.gizmo  | beds  | 3     | 0       | 0       |          | sql |
            | conformed.gizmo  | cambs | 2     | 0       | 0       |          | sql |
            | conformed.widget | beds  | 0     | 0       | 3       | +is_dear | sql |
            | conformed.widget | cambs | 0     | 0       | 2       | +is_dear | sql |
            +------------------+-------+-------+---------+---------+----------+-----+
        "#]],
        ),
        (
            vec!["releases", "diff", "3", "4"],
            expect![[r#"
            +------------------+-------+-------+---------+---------+---------+-----------+
            | table            | force | added | removed | changed | columns | why       |
            +------------------+-------+-------+---------+---------+---------+-----------+
            | conformed.shaded | beds  | 0     | 0       | 2       |         | reference |
            | reference.shade  |       | 1     | 1       | 0       |         | reference |
            +------------------+-------+-------+---------+---------+---------+-----------+
        "#]],
        ),
        (
            vec!["releases", "diff", "4", "5", "--format", "csv"],
            expect![[r#"
            table,force,added,removed,changed,columns,why
            conformed.gizmo,cambs,0,2,0,,data
            conformed.shaded,cambs,0,2,0,,data
            conformed.widget,cambs,0,2,0,,data
        "#]],
        ),
        (
            vec!["releases", "diff", "5", "1", "--table", "conformed.widget"],
            expect![[r#"
            +------------------+-------+-------+---------+---------+----------+-----------+
            | table            | force | added | removed | changed | columns  | why       |
            +------------------+-------+-------+---------+---------+----------+-----------+
            | conformed.widget | beds  | 0     | 1       | 2       | -is_dear | data, sql |
            | conformed.widget | cambs | 2     | 0       | 0       | -is_dear | data      |
            +------------------+-------+-------+---------+---------+----------+-----------+
        "#]],
        ),
        (
            vec!["releases", "diff", "1", "5", "--user", "narrow"],
            expect![[r#"
            +------------------+-------+-------+---------+---------+----------+-----------+
            | table            | force | added | removed | changed | columns  | why       |
            +------------------+-------+-------+---------+---------+----------+-----------+
            | conformed.widget | beds  | 1     | 0       | 2       | +is_dear | data, sql |
            +------------------+-------+-------+---------+---------+----------+-----------+
        "#]],
        ),
        (
            vec!["releases", "diff", "1", "2", "--user", "narrow", "--table", "conformed.gadget"],
            expect![[r#"
            error: table 'muster.conformed.gadget' not found
        "#]],
        ),
        (
            vec!["releases", "diff", "2", "2"],
            expect![[r#"
            +-------+-------+-------+---------+---------+---------+-----+
            | table | force | added | removed | changed | columns | why |
            +-------+-------+-------+---------+---------+---------+-----+
            +-------+-------+-------+---------+---------+---------+-----+
        "#]],
        ),
    ] {
        expect.assert_eq(&hub.run(&args));
    }
    let unknown = hub.run(&["releases", "diff", "1", "9"]);
    assert!(unknown.starts_with("error: there is no release 9\n"), "{unknown}");
}
