//! A real Flight SQL client against a real server: what is granted is answered, what is not does
//! not exist, and everything asked is recorded.

use crate::hub::{self, Served};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables, SqlInfo};
use arrow_flight::{FlightDescriptor, FlightInfo, IpcMessage};
use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use futures::TryStreamExt;
use std::sync::Arc;
use tonic::transport::Channel;

pub type Client = FlightSqlServiceClient<Channel>;

async fn connect(served: &Served) -> Client {
    FlightSqlServiceClient::new(served.channel().await)
}

/// A client of the shared server.
pub async fn log_in(user: &str) -> Client {
    let mut client = connect(hub::served()).await;
    client.handshake(user, &hub::password(user)).await.unwrap();
    client
}

/// The rows behind `info`, whose columns must be the announced ones.
pub async fn fetch(client: &mut Client, info: FlightInfo) -> Result<RecordBatch, String> {
    let announced = Arc::new(info.clone().try_decode_schema().unwrap());
    let [endpoint] = info.endpoint.as_slice() else { panic!("one endpoint") };
    assert!(endpoint.location.is_empty());
    let ticket = endpoint.ticket.clone().unwrap();
    let mut stream = client.do_get(ticket).await.map_err(|e| short(&e.to_string()))?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.try_next().await.map_err(|e| short(&e.to_string()))? {
        assert_eq!(batch.schema(), announced);
        batches.push(batch);
    }
    assert_eq!(stream.schema(), Some(&announced), "the schema comes even when no row does");
    Ok(concat_batches(&announced, &batches).unwrap())
}

pub async fn ask(client: &mut Client, sql: &str) -> Result<RecordBatch, String> {
    let info = client.execute(sql.into(), None).await.map_err(|e| short(&e.to_string()))?;
    fetch(client, info).await
}

/// The server's words, without the client's around them.
pub fn short(error: &str) -> String {
    let message = error.split("message: \"").nth(1).map_or(error, |rest| rest.split("\", ").next().unwrap());
    let message = message.split("self: \"").last().unwrap().trim_end_matches('"');
    message.split(" (hint:").next().unwrap().to_string()
}

pub fn shown(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}

async fn check(user: &str, sql: &str, expect: Expect) {
    let answer = ask(&mut log_in(user).await, sql).await;
    expect.assert_eq(&answer.map_or_else(|message| message, |batch| shown(&batch)));
}

#[tokio::test]
async fn each_principal_sees_their_forces_only() {
    let sql = "select force, widget_id, price, made_on from conformed.widget order by force, widget_id";
    check(
        "hub",
        sql,
        expect![[r#"
        +-------+-----------+-------+------------+
        | force | widget_id | price | made_on    |
        +-------+-----------+-------+------------+
        | beds  | b1        | 1.50  | 2026-01-31 |
        | beds  | b2        | 2.00  | 2026-02-28 |
        | cambs | c1        | 3.25  | 2026-03-31 |
        | cambs | c2        | 0.01  |            |
        +-------+-----------+-------+------------+"#]],
    )
    .await;
    check(
        "beds",
        sql,
        expect![[r#"
        +-------+-----------+-------+------------+
        | force | widget_id | price | made_on    |
        +-------+-----------+-------+------------+
        | beds  | b1        | 1.50  | 2026-01-31 |
        | beds  | b2        | 2.00  | 2026-02-28 |
        +-------+-----------+-------+------------+"#]],
    )
    .await;
    check(
        "beds",
        "select count(*) as n from conformed.widget where force = 'cambs'",
        expect![[r#"
        +---+
        | n |
        +---+
        | 0 |
        +---+"#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_granted_does_not_exist() {
    check("narrow", "select * from conformed.gadget", expect!["table 'muster.conformed.gadget' not found"])
        .await;
    check("narrow", "select * from conformed.nothing", expect!["table 'muster.conformed.nothing' not found"])
        .await;
    check("narrow", "select * from hub.loads", expect!["table 'muster.hub.loads' not found"]).await;
    check("narrow", "select * from nowhere.gadget", expect!["table 'muster.nowhere.gadget' not found"]).await;
    check("narrow", "select * from raw.widget", expect!["table 'muster.raw.widget' not found"]).await;
    check("narrow", "select colour from conformed.widget", expect!["column 'colour' not found"]).await;
    check(
        "narrow",
        "select * from information_schema.df_settings",
        expect!["table 'muster.information_schema.df_settings' not found"],
    )
    .await;
    check(
        "narrow",
        "select * from information_schema.\"DF_SETTINGS\"",
        expect!["table 'muster.information_schema.DF_SETTINGS' not found"],
    )
    .await;
    for function in ["input_file_name", "file_row_index"] {
        let sql = format!("select {function}() from conformed.widget");
        let answer = ask(&mut log_in("narrow").await, &sql).await;
        assert_eq!(answer.unwrap_err(), format!("invalid function '{function}'"));
    }
    let tables = "select table_schema, table_name from information_schema.tables \
                  where table_schema <> 'information_schema' order by 1, 2";
    check(
        "narrow",
        tables,
        expect![[r#"
        +--------------+------------+
        | table_schema | table_name |
        +--------------+------------+
        | conformed    | widget     |
        +--------------+------------+"#]],
    )
    .await;
    check("narrow", "explain select label from conformed.widget where price > 1", expect![[r#"
        +--------------+-----------------------------------------------------------------------------------------------------------------------------+
        | plan_type    | plan                                                                                                                        |
        +--------------+-----------------------------------------------------------------------------------------------------------------------------+
        | logical_plan | Projection: conformed.widget.label                                                                                          |
        |              |   Filter: conformed.widget.price > Decimal128(1.00,18,2)                                                                    |
        |              |     TableScan: conformed.widget projection=[label, price], partial_filters=[conformed.widget.price > Decimal128(1.00,18,2)] |
        +--------------+-----------------------------------------------------------------------------------------------------------------------------+"#]]).await;
}

#[tokio::test]
async fn nothing_can_be_written() {
    check("hub", "delete from conformed.widget", expect!["'delete' is not allowed: the hub is read-only"])
        .await;
    check("hub", "create table t as select 1", expect!["'create' is not allowed: the hub is read-only"])
        .await;
    check("hub", "copy (select 1) to '/tmp/x.csv'", expect!["'copy' is not allowed: the hub is read-only"])
        .await;
    check("hub", "select 1; select 2", expect!["more than one statement"]).await;
    let mut client = log_in("hub").await;
    let update = client.execute_update("delete from conformed.widget".into(), None).await.unwrap_err();
    expect!["'delete' is not allowed: the hub is read-only"].assert_eq(&short(&update.to_string()));
    let update = client.execute_update("select 1".into(), None).await.unwrap_err();
    expect!["not an update: send it as a query"].assert_eq(&short(&update.to_string()));
    let transaction = client.begin_transaction().await.unwrap_err();
    expect!["transactions are not offered: the hub is read-only"].assert_eq(&short(&transaction.to_string()));
}

#[tokio::test]
async fn failures_name_no_value_and_no_file() {
    check(
        "beds",
        "select cast(label as int) from conformed.widget",
        expect!["a value cannot be converted to the type asked for"],
    )
    .await;
    check("beds", "select 1 / (price - price) from conformed.widget", expect!["division by zero"]).await;
    check(
        "beds",
        "selec 1",
        expect!["syntax error: expected: an SQL statement, found: selec at Line: 1, Column: 1"],
    )
    .await;
}

#[tokio::test]
async fn only_those_with_the_password_get_in() {
    let served = hub::served();
    let mut client = connect(served).await;
    let nobody = client.execute("select 1".into(), None).await.unwrap_err();
    expect!["log in first: no bearer token was sent"].assert_eq(&short(&nobody.to_string()));
    let wrong = connect(served).await.handshake("beds", "wrong").await.unwrap_err().to_string();
    let unknown = connect(served).await.handshake("nobody", "wrong").await.unwrap_err().to_string();
    expect!["unknown user or wrong password"].assert_eq(&short(&wrong));
    assert_eq!(short(&wrong), short(&unknown));
    client.set_token("made up".into());
    let forged = client.execute("select 1".into(), None).await.unwrap_err();
    expect!["log in again: the token has expired"].assert_eq(&short(&forged.to_string()));
}

#[tokio::test]
async fn a_ticket_and_a_handle_are_good_for_their_owner_only() {
    let (mut owner, mut other) = (log_in("hub").await, log_in("beds").await);
    let info = owner.execute("select * from conformed.widget".into(), None).await.unwrap();
    let stolen = fetch(&mut other, info.clone()).await.unwrap_err();
    expect!["the ticket is unknown or has expired; send the statement again"].assert_eq(&stolen);
    assert_eq!(fetch(&mut owner, info).await.unwrap().num_rows(), 4);
}

#[tokio::test]
async fn prepared_statements_take_parameters() {
    let mut client = log_in("hub").await;
    let sql =
        "select widget_id, price from conformed.widget where force = ? and price >= ? order by widget_id";
    let mut prepared = client.prepare(sql.into(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 2);
    let types: Vec<_> =
        prepared.parameter_schema().unwrap().fields().iter().map(|f| f.data_type().to_string()).collect();
    expect!["Utf8, Decimal128(18, 2)"].assert_eq(&types.join(", "));
    let unbound = prepared.execute().await.unwrap();
    expect!["2 parameters have no value"].assert_eq(&fetch(&mut client, unbound).await.unwrap_err());
    let values = |forces: Vec<&str>, prices: Vec<i64>| {
        let forces = Arc::new(StringArray::from(forces)) as Arc<dyn Array>;
        RecordBatch::try_from_iter([("1", forces), ("2", Arc::new(Int64Array::from(prices)))]).unwrap()
    };
    prepared.set_parameters(values(vec!["beds"], vec![2])).unwrap();
    let info = prepared.execute().await.unwrap();
    expect![[r#"
        +-----------+-------+
        | widget_id | price |
        +-----------+-------+
        | b2        | 2.00  |
        +-----------+-------+"#]]
    .assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    prepared.set_parameters(values(vec!["cambs", "beds"], vec![0, 2])).unwrap();
    let info = prepared.execute().await.unwrap();
    expect![[r#"
        +-----------+-------+
        | widget_id | price |
        +-----------+-------+
        | c1        | 3.25  |
        | c2        | 0.01  |
        | b2        | 2.00  |
        +-----------+-------+"#]]
    .assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    prepared.close().await.unwrap();
    let recorded = format!(
        "select parameters from hub.queries where statement = '{}' and parameters is not null order by query",
        sql.replace('\'', "''")
    );
    check(
        "hub",
        &recorded,
        expect![[r#"
        +--------------------------+
        | parameters               |
        +--------------------------+
        | [["beds",2]]             |
        | [["cambs",0],["beds",2]] |
        +--------------------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn listings_hold_what_is_granted() {
    let mut client = log_in("beds").await;
    let info = client.get_catalogs().await.unwrap();
    expect![[r#"
        +--------------+
        | catalog_name |
        +--------------+
        | muster       |
        +--------------+"#]]
    .assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    expect![[r#"
        +--------------+----------------+
        | catalog_name | db_schema_name |
        +--------------+----------------+
        | muster       | conformed      |
        | muster       | hub            |
        +--------------+----------------+"#]]
    .assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    let pattern = |schema: &str, table: &str, types: &[&str]| CommandGetTables {
        db_schema_filter_pattern: Some(schema.into()),
        table_name_filter_pattern: Some(table.into()),
        table_types: types.iter().map(ToString::to_string).collect(),
        ..CommandGetTables::default()
    };
    for (query, expect) in [
        (
            pattern("conformed", "%", &[]),
            expect![[r#"
            +--------------+----------------+------------+------------+
            | catalog_name | db_schema_name | table_name | table_type |
            +--------------+----------------+------------+------------+
            | muster       | conformed      | gadget     | TABLE      |
            | muster       | conformed      | widget     | TABLE      |
            +--------------+----------------+------------+------------+"#]],
        ),
        (
            pattern("%", "%dget", &["BASE TABLE"]),
            expect![[r#"
            +--------------+----------------+------------+------------+
            | catalog_name | db_schema_name | table_name | table_type |
            +--------------+----------------+------------+------------+
            | muster       | conformed      | gadget     | TABLE      |
            | muster       | conformed      | widget     | TABLE      |
            +--------------+----------------+------------+------------+"#]],
        ),
        (
            pattern("%", "wid_et", &["TABLE"]),
            expect![[r#"
            +--------------+----------------+------------+------------+
            | catalog_name | db_schema_name | table_name | table_type |
            +--------------+----------------+------------+------------+
            | muster       | conformed      | widget     | TABLE      |
            +--------------+----------------+------------+------------+"#]],
        ),
        (
            pattern("%", "wid\\_et", &["TABLE"]),
            expect![[r#"
            +--------------+----------------+------------+------------+
            | catalog_name | db_schema_name | table_name | table_type |
            +--------------+----------------+------------+------------+
            +--------------+----------------+------------+------------+"#]],
        ),
        (
            pattern("%", "%", &["VIEW"]),
            expect![[r#"
                +--------------+----------------+----------------+------------+
                | catalog_name | db_schema_name | table_name     | table_type |
                +--------------+----------------+----------------+------------+
                | muster       | hub            | check_failures | VIEW       |
                | muster       | hub            | checks         | VIEW       |
                | muster       | hub            | coverage       | VIEW       |
                | muster       | hub            | findings       | VIEW       |
                | muster       | hub            | lineage        | VIEW       |
                | muster       | hub            | loads          | VIEW       |
                | muster       | hub            | quarantine     | VIEW       |
                | muster       | hub            | queries        | VIEW       |
                | muster       | hub            | releases       | VIEW       |
                | muster       | hub            | runs           | VIEW       |
                | muster       | hub            | steps          | VIEW       |
                +--------------+----------------+----------------+------------+"#]],
        ),
    ] {
        let info = client.get_tables(query).await.unwrap();
        expect.assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    }
    let mut narrow = log_in("narrow").await;
    let info = narrow.get_tables(CommandGetTables::default()).await.unwrap();
    expect![[r#"
        +--------------+----------------+------------+------------+
        | catalog_name | db_schema_name | table_name | table_type |
        +--------------+----------------+------------+------------+
        | muster       | conformed      | widget     | TABLE      |
        +--------------+----------------+------------+------------+"#]]
    .assert_eq(&shown(&fetch(&mut narrow, info).await.unwrap()));
}

#[tokio::test]
async fn a_table_is_listed_with_the_columns_that_are_served() {
    let mut client = log_in("beds").await;
    let query = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = client.get_tables(query).await.unwrap();
    let tables = fetch(&mut client, info).await.unwrap();
    let names = |column: usize| tables.column(column).as_string::<i32>().clone();
    let (schemas, tables_, columns) = (names(1), names(2), tables.column(4).as_binary::<i32>().clone());
    for row in 0..tables.num_rows() {
        let listed = Schema::try_from(IpcMessage(bytes::Bytes::copy_from_slice(columns.value(row)))).unwrap();
        assert!(listed.fields().iter().all(|field| !field.metadata().is_empty()));
        let sql = format!("select * from {}.{}", schemas.value(row), tables_.value(row));
        let served = client.execute(sql, None).await.unwrap().try_decode_schema().unwrap();
        assert_eq!(listed, served, "{}", tables_.value(row));
    }
}

#[tokio::test]
async fn drivers_learn_what_the_server_can_do() {
    let mut client = log_in("narrow").await;
    let asked =
        [SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerTransaction, SqlInfo::FlightSqlServerReadOnly];
    let info = client.get_sql_info(asked.to_vec()).await.unwrap();
    expect![[r#"
        +-----------+-----------------------+
        | info_name | value                 |
        +-----------+-----------------------+
        | 0         | {string_value=Muster} |
        | 3         | {bool_value=true}     |
        | 8         | {int32_bitmask=0}     |
        +-----------+-----------------------+"#]]
    .assert_eq(&shown(&fetch(&mut client, info).await.unwrap()));
    let info = client.get_sql_info(Vec::new()).await.unwrap();
    assert!(fetch(&mut client, info).await.unwrap().num_rows() > 80);
    let info = client.get_primary_keys(CommandGetPrimaryKeys::default()).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 0);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 2);
    let info = client.get_xdbc_type_info(Default::default()).await.unwrap();
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 13);
}

#[tokio::test]
async fn get_schema_answers_like_get_flight_info() {
    let mut client = log_in("beds").await;
    let sql = "select label, price from conformed.widget";
    let info = client.execute(sql.into(), None).await.unwrap();
    let descriptor: FlightDescriptor = info.flight_descriptor.clone().unwrap();
    let mut request = tonic::Request::new(descriptor);
    let token = format!("Bearer {}", client.token().unwrap()).parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let schema = client.inner_mut().get_schema(request).await.unwrap().into_inner();
    let schema: Result<Schema, ArrowError> = (&schema).try_into();
    assert_eq!(schema.unwrap(), info.try_decode_schema().unwrap());
}

#[tokio::test]
async fn asking_for_columns_makes_no_ticket() {
    let mut client = log_in("narrow").await;
    let info = client.execute("select label from conformed.widget".into(), None).await.unwrap();
    let token = format!("Bearer {}", client.token().unwrap());
    for _ in 0..130 {
        let mut request = tonic::Request::new(info.flight_descriptor.clone().unwrap());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        client.inner_mut().get_schema(request).await.unwrap();
    }
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 2);
}

#[tokio::test]
async fn chains_are_answered_or_refused_and_never_end_the_server() {
    let mut client = log_in("beds").await;
    let from = " from conformed.widget limit 1";
    for (start, link, end) in [
        ("select price", " + price", from),
        ("select price", "::int", from),
        ("select price", " is null", from),
        ("select label", " || label", from),
        ("select price > 0", " and widget_id = 'b1'", from),
        ("select price > 9", " or widget_id = 'b1'", from),
        ("select * from conformed.widget where price = 9", " or price > label::int", " limit 1"),
        ("select 1 as n", " union all select 1", ""),
        ("select 1 as n", " union select 1", ""),
        ("select 1 as n", " union select 1 union all select 1", ""),
        ("select 1 as n", " except select 2", ""),
        ("select 1 as n", " intersect select 1", ""),
    ] {
        let sql = |links| format!("{start}{}{end}", link.repeat(links));
        for links in [95, 290, 590] {
            // A refusal is an answer too; what must not happen is that the server ends.
            ask(&mut client, &sql(links)).await.err();
            ask(&mut client, &format!("{} )", sql(links))).await.unwrap_err();
        }
        let long = ask(&mut client, &sql(1_000_000 / link.len())).await.unwrap_err();
        assert_eq!(long, "the statement has more than 600 operators in a row", "{link}");
    }
    for (start, link) in [
        ("select count(*) from conformed.widget", " join conformed.widget using (widget_id)"),
        ("select count(*) from conformed.widget", " cross join (select 1)"),
        ("select count(*) from conformed.widget where true", " and widget_id in (select 'b1')"),
    ] {
        ask(&mut client, &format!("{start}{}", link.repeat(55))).await.err();
        let long = ask(&mut client, &format!("{start}{}", link.repeat(120))).await.unwrap_err();
        assert_eq!(long, "the statement reads more than 120 tables and subqueries", "{link}");
    }
    let terms = vec!["widget_id = 'b1'"; 500].join(" or ");
    let sql = format!("select widget_id from conformed.widget where {terms}");
    assert_eq!(ask(&mut client, &sql).await.unwrap().num_rows(), 1);
}

#[tokio::test]
async fn a_long_text_is_recorded_in_part() {
    let long = format!("selec '{}'", "marker ".repeat(30_000));
    ask(&mut log_in("hub").await, &long).await.unwrap_err();
    check(
        "hub",
        "select count(*) as n, max(length(statement)) < 70000 as is_short from hub.queries \
         where statement like 'selec ''marker%'",
        expect![[r#"
            +---+----------+
            | n | is_short |
            +---+----------+
            | 1 | true     |
            +---+----------+"#]],
    )
    .await;
}

#[tokio::test]
async fn large_answers_come_in_small_messages_and_can_be_abandoned() {
    let mut client = log_in("hub").await;
    let sql = "select repeat('x', 1000) as text from generate_series(1, 20000)";
    assert_eq!(ask(&mut client, sql).await.unwrap().num_rows(), 20_000);
    let endless =
        "select a.value from generate_series(1, 1000000) a cross join generate_series(1, 1000000) b";
    let info = client.execute(endless.into(), None).await.unwrap();
    let mut stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    drop(client);
    until_recorded(endless, "cancelled").await;
}

#[tokio::test]
async fn every_statement_is_recorded() {
    let text = "select count(*) as recorded from conformed.widget";
    ask(&mut log_in("beds").await, text).await.unwrap();
    let wrong = "select recorded from conformed.widget";
    ask(&mut log_in("beds").await, wrong).await.unwrap_err();
    until_recorded(wrong, "failed").await;
    until_recorded(text, "succeeded").await;
    let sql = format!(
        "select principal, tables, forces, rows, release > 0 as pinned, peer like '127.0.0.1:%' as peer, \
         finished_at >= started_at as ended from hub.queries where statement = '{text}'"
    );
    check(
        "hub",
        &sql,
        expect![[r#"
        +-----------+------------------+--------+------+--------+------+-------+
        | principal | tables           | forces | rows | pinned | peer | ended |
        +-----------+------------------+--------+------+--------+------+-------+
        | beds      | conformed.widget | beds   | 1    | true   | true | true  |
        +-----------+------------------+--------+------+--------+------+-------+"#]],
    )
    .await;
}

/// Waits until the record of `statement` says `outcome`.
async fn until_recorded(statement: &str, outcome: &str) {
    until_recorded_at(&mut log_in("hub").await, statement, outcome).await;
}

/// The same at the server of `client`, who reads every entry.
pub async fn until_recorded_at(client: &mut Client, statement: &str, outcome: &str) {
    let quoted = statement.replace('\'', "''");
    let sql = format!("select outcome from hub.queries where statement = '{quoted}'");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let rows = ask(client, &sql).await.unwrap();
        let outcomes = rows.column(0).as_string::<i32>().clone();
        if outcomes.iter().flatten().any(|found| found == outcome) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{statement}: {outcomes:?}");
    }
}
