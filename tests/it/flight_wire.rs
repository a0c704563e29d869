//! What is announced is what is sent, in types that every client reads and messages that every
//! client accepts.

use crate::flight::{Client, ask, fetch, log_in, short};
use crate::flight_cancel::{request, ticket};
use arrow_flight::sql::CommandGetTables;
use arrow_flight::{FlightData, FlightInfo, IpcMessage};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::{MessageHeader, root_as_message};
use expect_test::{Expect, expect};
use futures::TryStreamExt;
use prost::Message;
use tonic::Streaming;

/// A statement of every kind, and a column of every type.
const STATEMENTS: [&str; 24] = [
    "select null as a, true as b, cast(1 as tinyint) as c, cast(2 as smallint) as d, cast(3 as int) as e, 4 as f",
    "select arrow_cast(1, 'UInt8') as a, arrow_cast(1, 'UInt16') as b, arrow_cast(1, 'UInt32') as c, arrow_cast(1, 'UInt64') as d",
    "select arrow_cast(1.5, 'Float16') as a, cast(1.5 as real) as b, cast(1.5 as double) as c",
    "select cast(1.50 as decimal(18, 2)) as a, arrow_cast(1.5, 'Decimal256(50, 2)') as b, arrow_cast(1.5, 'Decimal32(9, 2)') as c, arrow_cast(1.5, 'Decimal64(18, 2)') as d",
    "select 'x' as a, arrow_cast('x', 'LargeUtf8') as b, arrow_cast('x', 'Utf8View') as c, arrow_cast('x', 'Dictionary(Int32, Utf8)') as d",
    "select arrow_cast('x', 'Binary') as a, arrow_cast('x', 'LargeBinary') as b, arrow_cast('x', 'BinaryView') as c, arrow_cast(arrow_cast('xy', 'Binary'), 'FixedSizeBinary(2)') as d",
    "select date '2026-03-31' as a, arrow_cast(date '2026-03-31', 'Date64') as b, time '10:00:00' as c, arrow_cast(time '10:00:00', 'Time32(Second)') as d",
    "select timestamp '2026-03-31 10:00:00' as a, arrow_cast(timestamp '2026-03-31 10:00:00', 'Timestamp(Second, None)') as b, now() as c",
    "select interval '1 month 2 days' as a, arrow_cast(60, 'Duration(Second)') as b, arrow_cast(interval '1 month', 'Interval(MonthDayNano)') as c",
    "select [1, 2] as a, arrow_cast(['x'], 'List(Utf8View)') as b, arrow_cast(['x'], 'LargeList(LargeUtf8)') as c, arrow_cast([1, 2], 'FixedSizeList(2, Int64)') as d",
    "select named_struct('x', arrow_cast('a', 'Utf8View'), 'y', [arrow_cast('b', 'LargeUtf8')]) as a",
    "select map {'k': arrow_cast('v', 'Utf8View')} as a, map(['k'], [arrow_cast(1.5, 'Float16')]) as b",
    "select * from conformed.widget",
    "select * from conformed.widget where 1 = 0",
    "select * from conformed.widget where force = 'beds' and widget_id = 'b1'",
    "select force, count(*) as n, max(label) as l, sum(price) as p from conformed.widget group by force",
    "select w.widget_id as id, g.price, upper(w.label) as l from conformed.widget w left join conformed.gadget g using (force, widget_id)",
    "with w as (select * from conformed.widget) select label from w union all select 'x' from w",
    "select label from conformed.widget version as of 1",
    "select * from hub.queries limit 1",
    "select * from information_schema.columns limit 1",
    "show tables",
    "explain select * from conformed.widget",
    "show muster.as_of",
];

async fn asked_for(client: &mut Client, info: &FlightInfo, views: bool) -> Schema {
    let mut asked = request(client, info.flight_descriptor.clone().unwrap());
    if views {
        asked.metadata_mut().insert("x-muster-views", "true".parse().unwrap());
    }
    let schema = client.inner_mut().get_schema(asked).await.unwrap().into_inner();
    let schema: Result<Schema, ArrowError> = (&schema).try_into();
    schema.unwrap()
}

#[tokio::test]
async fn what_is_announced_is_sent_by_every_path() {
    for views in [false, true] {
        let mut client = log_in("hub").await;
        if views {
            client.set_header("x-muster-views", "true");
        }
        for sql in STATEMENTS {
            let info = client.execute(sql.into(), None).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
            let announced = info.clone().try_decode_schema().unwrap();
            // Compares what is sent.
            fetch(&mut client, info.clone()).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
            let mut prepared = client.prepare(sql.into(), None).await.unwrap();
            assert_eq!(prepared.dataset_schema().unwrap(), &announced, "{sql}");
            let again = prepared.execute().await.unwrap();
            assert_eq!(asked_for(&mut client, &again, views).await, announced, "{sql}");
            fetch(&mut client, again).await.unwrap();
            prepared.close().await.unwrap();
            assert_eq!(asked_for(&mut client, &info, views).await, announced, "{sql}");
            if !views {
                announced.fields().iter().for_each(|field| plain(field.data_type(), sql));
            }
            for field in announced.fields() {
                for key in
                    ["TYPE_NAME", "IS_SEARCHABLE", "IS_CASE_SENSITIVE", "IS_READ_ONLY", "IS_AUTO_INCREMENT"]
                {
                    assert!(
                        field.metadata().contains_key(&format!("ARROW:FLIGHT:SQL:{key}")),
                        "{sql}: {field}"
                    );
                }
            }
        }
    }
}

/// Panics unless every client reads `data_type`.
fn plain(data_type: &DataType, sql: &str) {
    use DataType::*;
    match data_type {
        Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64
        | Utf8 | Binary | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) | Decimal128(..) => {}
        List(item) | LargeList(item) | FixedSizeList(item, _) | Map(item, _) => plain(item.data_type(), sql),
        Struct(fields) => fields.iter().for_each(|field| plain(field.data_type(), sql)),
        other => panic!("{sql}: {other}"),
    }
}

#[tokio::test]
async fn views_are_sent_to_those_who_ask_for_them() {
    let sql = "select arrow_cast('a text longer than twelve', 'Utf8View') as a";
    let mut client = log_in("hub").await;
    assert_eq!(ask(&mut client, sql).await.unwrap().schema().field(0).data_type(), &DataType::Utf8);
    client.set_header("x-muster-views", "true");
    let rows = ask(&mut client, sql).await.unwrap();
    assert_eq!(rows.column(0).as_string_view().value(0), "a text longer than twelve");
}

#[tokio::test]
async fn prepared_statements_keep_their_columns_when_values_are_bound() {
    let mut client = log_in("hub").await;
    let sql = "select force, label || ? as l, price from conformed.widget where force = ? and price > ?";
    let mut prepared = client.prepare(sql.into(), None).await.unwrap();
    let promised = prepared.dataset_schema().unwrap().clone();
    let values = datafusion::arrow::array::RecordBatch::try_from_iter([
        ("1", datafusion::common::ScalarValue::from("x").to_array().unwrap()),
        ("2", datafusion::common::ScalarValue::from("beds").to_array().unwrap()),
        ("3", datafusion::common::ScalarValue::from(1_i64).to_array().unwrap()),
    ]);
    prepared.set_parameters(values.unwrap()).unwrap();
    let info = prepared.execute().await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap(), promised);
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 2);
}

async fn check_facts(sql: &str, expect: Expect) {
    let mut client = log_in("hub").await;
    let announced = client.execute(sql.into(), None).await.unwrap().try_decode_schema().unwrap();
    let lines = announced.fields().iter().map(|field| {
        let fact =
            |key: &str| field.metadata().get(&format!("ARROW:FLIGHT:SQL:{key}")).map_or("-", String::as_str);
        let place =
            ["CATALOG_NAME", "SCHEMA_NAME", "DB_SCHEMA_NAME", "TABLE_NAME", "REMARKS"].map(fact).join(" | ");
        format!("{}: {place}", field.name())
    });
    expect.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn a_column_tells_its_table_when_it_comes_straight_from_one() {
    check_facts(
        "select w.widget_id as id, w.force, upper(w.label) as l, g.price, 1 as one \
         from conformed.widget w join gadget g using (force, widget_id) where w.price > 1 order by 1 limit 9",
        expect![[r#"
            id: muster | conformed | conformed | widget | the number on the box
            force: muster | conformed | conformed | widget | -
            l: - | - | - | - | -
            price: muster | conformed | conformed | gadget | -
            one: - | - | - | - | -"#]],
    )
    .await;
    check_facts(
        "with widget as (select value as widget_id from generate_series(1, 2)) select widget_id from widget",
        expect!["widget_id: - | - | - | - | -"],
    )
    .await;
    check_facts(
        "select widget_id, count(*) as n from conformed.widget version as of 1 group by widget_id",
        expect![[r#"
            widget_id: muster | conformed | conformed | widget | the number on the box
            n: - | - | - | - | -"#]],
    )
    .await;
}

#[tokio::test]
async fn the_columns_of_a_listed_table_tell_their_table() {
    let mut client = log_in("hub").await;
    let query = CommandGetTables {
        table_name_filter_pattern: Some("widget".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(query).await.unwrap();
    let tables = fetch(&mut client, info).await.unwrap();
    let bytes = bytes::Bytes::copy_from_slice(tables.column(4).as_binary::<i32>().value(0));
    let listed = Schema::try_from(IpcMessage(bytes)).unwrap();
    assert_eq!(listed.field(1).metadata()["ARROW:FLIGHT:SQL:REMARKS"], "the number on the box");
    assert!(listed.fields().iter().all(|field| field.metadata()["ARROW:FLIGHT:SQL:TABLE_NAME"] == "widget"));
}

/// The messages of an answer as they are sent.
async fn messages(client: &mut Client, sql: &str) -> Result<Vec<FlightData>, String> {
    let info = client.execute(sql.into(), None).await.unwrap();
    let asked = request(client, ticket(&info));
    let stream: Streaming<FlightData> = client.inner_mut().do_get(asked).await.unwrap().into_inner();
    stream.try_collect().await.map_err(|status| short(&format!("message: \"{}\", ", status.message())))
}

fn header(message: &FlightData) -> MessageHeader {
    root_as_message(&message.data_header).unwrap().header_type()
}

#[tokio::test]
async fn messages_are_small_and_none_is_empty() {
    let mut client = log_in("hub").await;
    for (sql, rows) in [
        ("select * from conformed.widget where 1 = 0", 0),
        ("select 1 as a where false", 0),
        ("select value from generate_series(1, 1000000)", 1_000_000),
        ("select repeat('x', 3000000) as a from generate_series(1, 5)", 5),
        (
            "select repeat('x', case when value % 1000 = 7 then 3000000 else 10 end) as a from generate_series(1, 5000)",
            5000,
        ),
        ("select repeat('x', value) as a, [repeat('y', value)] as b from generate_series(1, 5000)", 5000),
        ("select 1 as a from conformed.widget union all select 2 from conformed.widget", 8),
    ] {
        let sent = messages(&mut client, sql).await.unwrap();
        let (first, rest) = sent.split_first().unwrap();
        assert_eq!(header(first), MessageHeader::Schema, "{sql}");
        let mut count = 0;
        for message in rest {
            let size = message.encoded_len();
            assert!(size < 4 << 20, "{sql}: a message of {size} bytes");
            assert_eq!(header(message), MessageHeader::RecordBatch, "{sql}");
            let length =
                root_as_message(&message.data_header).unwrap().header_as_record_batch().unwrap().length();
            assert!(length > 0, "{sql}: an empty message");
            count += length;
        }
        assert_eq!(count, rows, "{sql}");
    }
}

#[tokio::test]
async fn a_row_that_fits_no_message_is_refused_by_the_name_of_its_column() {
    let mut client = log_in("hub").await;
    let told = messages(&mut client, "select 1 as a, repeat('x', 5000000) as narrative").await.unwrap_err();
    expect!["a row is too large to be sent: its column 'narrative' has 5000008 bytes"].assert_eq(&told);
}

#[tokio::test]
async fn an_answer_without_columns_is_an_answer() {
    let mut client = log_in("hub").await;
    match ask(&mut client, "select from conformed.widget").await {
        Ok(rows) => assert_eq!((rows.num_columns(), rows.num_rows()), (0, 4)),
        Err(refused) => assert!(refused.starts_with("syntax error"), "{refused}"),
    }
    let rows = ask(&mut client, "select * from (select 1 as a) except select 1 as a").await.unwrap();
    assert_eq!(rows.num_rows(), 0);
}
