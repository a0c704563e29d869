//! What has crashed drivers, one test for each: the Arrow ODBC driver reads without looking.

use crate::flight::{Client, ask, fetch, log_in, short};
use crate::flight_cancel::{act, request, ticket};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, Any, CommandGetTables,
    CommandPreparedStatementQuery, CommandStatementIngest, CommandStatementUpdate,
    DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, IpcMessage, PutResult};
use bytes::Bytes;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::ipc::{MessageHeader, root_as_message};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use std::sync::Arc;
use tonic::{Code, Request, Status};

/// The answer to `CreatePreparedStatement`, field by field as it is on the wire.
#[derive(Clone, PartialEq, Message)]
struct Created {
    #[prost(bytes = "bytes", tag = "1")]
    handle: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    dataset_schema: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    parameter_schema: Bytes,
    #[prost(bool, optional, tag = "4")]
    is_update: Option<bool>,
}

async fn prepare(client: &mut Client, sql: &str) -> Result<Created, Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.into(), transaction_id: None };
    let answers = act(client, "CreatePreparedStatement", request.as_any().encode_to_vec()).await?;
    Ok(Created::decode(Any::decode(answers[0].clone()).unwrap().value).unwrap())
}

fn close(handle: &Bytes) -> Vec<u8> {
    let request = ActionClosePreparedStatementRequest { prepared_statement_handle: handle.clone() };
    request.as_any().encode_to_vec()
}

#[tokio::test]
async fn trap_1_every_field_of_a_table_schema_has_metadata() {
    let mut client = log_in("hub").await;
    let query = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = client.get_tables(query).await.unwrap();
    let tables = fetch(&mut client, info).await.unwrap();
    assert!(tables.num_rows() > 10);
    for bytes in tables.column(4).as_binary::<i32>().iter() {
        let listed = Schema::try_from(IpcMessage(Bytes::copy_from_slice(bytes.unwrap()))).unwrap();
        for field in listed.fields() {
            assert!(field.metadata().contains_key("ARROW:FLIGHT:SQL:TYPE_NAME"), "{field}");
        }
    }
}

#[tokio::test]
async fn trap_2_schemas_are_never_empty_bytes() {
    let mut client = log_in("hub").await;
    for sql in ["select 1 as a", "select ? as a", "show tables", "show muster.as_of", "reset muster.as_of"] {
        let created = prepare(&mut client, sql).await.unwrap();
        assert!(!created.dataset_schema.is_empty() && !created.parameter_schema.is_empty(), "{sql}");
        let columns = Schema::try_from(IpcMessage(created.dataset_schema)).unwrap();
        assert!(!columns.fields().is_empty(), "{sql}");
        assert_eq!(created.is_update, Some(false), "{sql}");
        let command = CommandPreparedStatementQuery { prepared_statement_handle: created.handle };
        let asked = request(&client, FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        let info = client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
        assert!(!info.schema.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn trap_3_closing_a_prepared_statement_never_fails() {
    let mut client = log_in("hub").await;
    let created = prepare(&mut client, "select 1 as a").await.unwrap();
    for _ in 0..2 {
        assert!(act(&mut client, "ClosePreparedStatement", close(&created.handle)).await.unwrap().is_empty());
    }
    for garbage in [Vec::new(), vec![0xff; 20], close(&Bytes::from_static(b"unknown")), b"text".to_vec()] {
        act(&mut client, "ClosePreparedStatement", garbage).await.unwrap();
    }
    // Another's handle stays what it is.
    let created = prepare(&mut client, "select 1 as a").await.unwrap();
    act(&mut log_in("beds").await, "ClosePreparedStatement", close(&created.handle)).await.unwrap();
    let body = close(&created.handle);
    // Nor does it fail for one whose log-in has ended.
    let ended = Request::new(Action { r#type: "ClosePreparedStatement".into(), body: body.into() });
    let mut bare: FlightServiceClient<_> = client.inner().clone();
    let answers: Vec<_> = bare.do_action(ended).await.unwrap().into_inner().try_collect().await.unwrap();
    assert!(answers.is_empty());
    let command = CommandPreparedStatementQuery { prepared_statement_handle: created.handle };
    let asked = request(&client, FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
    client.inner_mut().get_flight_info(asked).await.unwrap();
}

#[tokio::test]
async fn trap_4_endpoints_have_no_location() {
    let mut client = log_in("hub").await;
    let infos = [
        client.execute("select 1 as a".into(), None).await.unwrap(),
        client.get_catalogs().await.unwrap(),
        client.get_sql_info(Vec::new()).await.unwrap(),
    ];
    for info in infos {
        assert_eq!(info.endpoint.len(), 1);
        assert!(info.endpoint[0].location.is_empty());
    }
}

#[tokio::test]
async fn trap_5_listings_have_plain_types_only() {
    let mut client = log_in("hub").await;
    let infos = [
        client.get_catalogs().await.unwrap(),
        client.get_db_schemas(Default::default()).await.unwrap(),
        client.get_tables(CommandGetTables { include_schema: true, ..Default::default() }).await.unwrap(),
        client.get_table_types().await.unwrap(),
        client.get_primary_keys(Default::default()).await.unwrap(),
        client.get_imported_keys(Default::default()).await.unwrap(),
        client.get_xdbc_type_info(Default::default()).await.unwrap(),
    ];
    for info in infos {
        let sent = fetch(&mut client, info).await.unwrap();
        for field in sent.schema().fields() {
            let is_plain = match field.data_type() {
                DataType::Utf8 | DataType::Binary | DataType::Int32 | DataType::UInt8 | DataType::Boolean => {
                    true
                }
                DataType::List(item) => *item.data_type() == DataType::Utf8,
                _ => false,
            };
            assert!(is_plain, "{field}");
        }
    }
}

#[tokio::test]
async fn trap_6_no_message_without_rows_follows_the_schema() {
    let mut client = log_in("hub").await;
    let sql = "select * from conformed.widget where price > 100 union all select * from conformed.widget";
    let info = client.execute(sql.into(), None).await.unwrap();
    let asked = request(&client, ticket(&info));
    let sent: Vec<FlightData> =
        client.inner_mut().do_get(asked).await.unwrap().into_inner().try_collect().await.unwrap();
    let headers: Vec<_> =
        sent.iter().map(|message| root_as_message(&message.data_header).unwrap().header_type()).collect();
    assert_eq!(headers[0], MessageHeader::Schema);
    assert!(headers.len() > 1 && headers[1..].iter().all(|header| *header == MessageHeader::RecordBatch));
    assert!(sent[1..].iter().all(|message| !message.data_body.is_empty()));
}

async fn put(client: &mut Client, command: Any, rows: RecordBatch) -> Result<Vec<PutResult>, Status> {
    let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
    let data = FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(descriptor))
        .build(stream::iter([Ok(rows)]))
        .map(|data| data.unwrap());
    let asked = request(client, data);
    client.inner_mut().do_put(asked).await?.into_inner().try_collect().await
}

fn forces(values: &[&str]) -> RecordBatch {
    let column: Arc<dyn Array> = Arc::new(StringArray::from(values.to_vec()));
    RecordBatch::try_from_iter([("1", column)]).unwrap()
}

#[tokio::test]
async fn trap_7_values_stay_bound_to_the_first_handle() {
    let mut client = log_in("hub").await;
    let sql = "select count(*) as n from conformed.widget where force = ?";
    let created = prepare(&mut client, sql).await.unwrap();
    let command = CommandPreparedStatementQuery { prepared_statement_handle: created.handle.clone() };
    for (values, wanted) in [(vec!["beds"], 1), (vec!["beds", "cambs", "none"], 3), (vec!["cambs"], 1)] {
        let results = put(&mut client, command.as_any(), forces(&values)).await.unwrap();
        let result = DoPutPreparedStatementResult::decode(results[0].app_metadata.clone()).unwrap();
        assert_eq!(result.prepared_statement_handle.as_ref(), Some(&created.handle));
        let asked = request(&client, FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        let info = client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
        assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), wanted, "{values:?}");
    }
}

#[tokio::test]
async fn trap_8_columns_are_searchable_and_have_a_size() {
    let mut client = log_in("hub").await;
    let sql =
        "select label, price, upper(label) as u, count(*) as n from conformed.widget group by label, price";
    let columns = client.execute(sql.into(), None).await.unwrap().try_decode_schema().unwrap();
    let facts = |key: &str| -> Vec<String> {
        let fact = |field: &Arc<datafusion::arrow::datatypes::Field>| {
            field.metadata().get(&format!("ARROW:FLIGHT:SQL:{key}")).cloned().unwrap_or_default()
        };
        columns.fields().iter().map(fact).collect()
    };
    assert_eq!(facts("IS_SEARCHABLE"), ["1", "1", "1", "1"]);
    assert_eq!(facts("PRECISION"), ["32767", "18", "32767", "19"]);
    assert_eq!(facts("SCALE"), ["", "2", "", "0"]);
    assert_eq!(facts("TYPE_NAME"), ["VARCHAR", "DECIMAL", "VARCHAR", "BIGINT"]);
    assert_eq!(facts("IS_CASE_SENSITIVE"), ["1", "0", "1", "0"]);
}

#[tokio::test]
async fn every_way_to_write_is_refused_with_one_code_and_one_reason() {
    let mut client = log_in("hub").await;
    let sql = "delete from conformed.widget";
    let update = CommandStatementUpdate { query: sql.into(), transaction_id: None };
    let mut refusals = vec![
        prepare(&mut client, sql).await.unwrap_err(),
        put(&mut client, update.as_any(), forces(&["x"])).await.unwrap_err(),
        put(&mut client, CommandStatementIngest::default().as_any(), forces(&["x"])).await.unwrap_err(),
    ];
    let query = arrow_flight::sql::CommandStatementQuery { query: sql.into(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(query.as_any().encode_to_vec());
    let asked = request(&client, descriptor.clone());
    refusals.push(client.inner_mut().get_flight_info(asked).await.unwrap_err());
    let asked = request(&client, stream::iter([FlightData::new().with_descriptor(descriptor)]));
    refusals.push(client.inner_mut().do_exchange(asked).await.unwrap_err());
    for refused in refusals {
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("is not allowed: the hub is read-only"), "{refused}");
    }
    for action in [
        "BeginTransaction",
        "BeginSavepoint",
        "EndSavepoint",
        "EndTransaction",
        "CreatePreparedSubstraitPlan",
    ] {
        let refused = act(&mut client, action, Vec::new()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{action}");
        assert!(refused.message().contains("not offered"), "{refused}");
    }
    assert_eq!(ask(&mut client, "select 1 as a").await.unwrap().num_rows(), 1);
}

#[tokio::test]
async fn polling_finds_the_answer_complete() {
    let mut client = log_in("hub").await;
    let query =
        arrow_flight::sql::CommandStatementQuery { query: "select 7 as a".into(), transaction_id: None };
    let asked = request(&client, FlightDescriptor::new_cmd(query.as_any().encode_to_vec()));
    let polled = client.inner_mut().poll_flight_info(asked).await.unwrap().into_inner();
    assert_eq!((polled.progress, polled.flight_descriptor), (Some(1.0), None));
    let info = polled.info.unwrap();
    assert_eq!(polled.expiration_time, info.endpoint[0].expiration_time);
    assert!(polled.expiration_time.unwrap().seconds > chrono::Utc::now().timestamp());
    assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), 1);
    let nothing = act(&mut client, "MakeTea", Vec::new()).await.unwrap_err();
    assert_eq!(short(nothing.message()), "this action is not offered");
}
