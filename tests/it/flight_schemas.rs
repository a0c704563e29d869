//! The schema of every listing, as `FlightSql.proto` writes it: Go's driver compares them with
//! nullability and all, the ODBC driver reads them by position and without looking.

use crate::flight::{Client, fetch, log_in};
use crate::flight_cancel::request;
use arrow_flight::FlightDescriptor;
use arrow_flight::sql::{
    Any, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandGetXdbcTypeInfo, ProstMessageExt,
};
use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, Schema, UnionMode};
use datafusion::arrow::error::ArrowError;
use expect_test::{Expect, expect};
use prost::Message;

/// A field in the words of the protocol's text.
fn line(field: &Field) -> String {
    let not_null = if field.is_nullable() { "" } else { " not null" };
    format!("{}: {}{not_null}", field.name(), kind(field.data_type()))
}

fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Binary => "bytes".into(),
        DataType::Boolean => "bool".into(),
        DataType::List(item) => {
            format!("list<{}{}>", kind(item.data_type()), if item.is_nullable() { "" } else { " not null" })
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                format!("map<{}, {}>", kind(fields[0].data_type()), kind(fields[1].data_type()))
            }
            other => panic!("{other}"),
        },
        DataType::Union(fields, UnionMode::Dense) => {
            let children = fields
                .iter()
                .map(|(id, field)| format!("{id} {}: {}", field.name(), kind(field.data_type())));
            format!("dense_union<{}>", children.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string().to_lowercase(),
    }
}

/// The schema of a listing as it is announced, asked for and sent.
async fn check(client: &mut Client, command: Any, expect: Expect) {
    let name = command.type_url.clone();
    let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
    let asked = request(client, descriptor.clone());
    let info = client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
    let announced = info.clone().try_decode_schema().unwrap();
    let lines: Vec<String> = announced.fields().iter().map(|field| line(field)).collect();
    expect.assert_eq(&lines.join("\n"));
    let asked = request(client, descriptor);
    let schema = client.inner_mut().get_schema(asked).await.unwrap().into_inner();
    let schema: Result<Schema, ArrowError> = (&schema).try_into();
    assert_eq!(schema.unwrap(), announced, "{name}");
    // Compares what is sent.
    let rows = fetch(client, info).await.unwrap();
    for (field, column) in announced.fields().iter().zip(rows.columns()) {
        assert!(field.is_nullable() || column.null_count() == 0, "{name}: {field}");
    }
}

const FOREIGN_KEYS: &str = "pk_catalog_name: utf8
pk_db_schema_name: utf8
pk_table_name: utf8 not null
pk_column_name: utf8 not null
fk_catalog_name: utf8
fk_db_schema_name: utf8
fk_table_name: utf8 not null
fk_column_name: utf8 not null
key_sequence: int32 not null
fk_key_name: utf8
pk_key_name: utf8
update_rule: uint8 not null
delete_rule: uint8 not null";

#[tokio::test]
async fn every_listing_has_the_schema_of_the_specification() {
    let mut client = log_in("hub").await;
    check(&mut client, CommandGetCatalogs {}.as_any(), expect!["catalog_name: utf8 not null"]).await;
    check(
        &mut client,
        CommandGetDbSchemas::default().as_any(),
        expect![[r#"
            catalog_name: utf8
            db_schema_name: utf8 not null"#]],
    )
    .await;
    check(
        &mut client,
        CommandGetTables::default().as_any(),
        expect![[r#"
            catalog_name: utf8
            db_schema_name: utf8
            table_name: utf8 not null
            table_type: utf8 not null"#]],
    )
    .await;
    check(
        &mut client,
        CommandGetTables { include_schema: true, ..CommandGetTables::default() }.as_any(),
        expect![[r#"
            catalog_name: utf8
            db_schema_name: utf8
            table_name: utf8 not null
            table_type: utf8 not null
            table_schema: bytes not null"#]],
    )
    .await;
    check(&mut client, CommandGetTableTypes {}.as_any(), expect!["table_type: utf8 not null"]).await;
    check(
        &mut client,
        CommandGetPrimaryKeys { table: "widget".into(), ..CommandGetPrimaryKeys::default() }.as_any(),
        expect![[r#"
            catalog_name: utf8
            db_schema_name: utf8
            table_name: utf8 not null
            column_name: utf8 not null
            key_name: utf8
            key_sequence: int32 not null"#]],
    )
    .await;
}

#[tokio::test]
async fn every_listing_of_foreign_keys_has_the_schema_of_the_specification() {
    let mut client = log_in("hub").await;
    for command in [
        CommandGetExportedKeys { table: "widget".into(), ..CommandGetExportedKeys::default() }.as_any(),
        CommandGetImportedKeys { table: "widget".into(), ..CommandGetImportedKeys::default() }.as_any(),
        CommandGetCrossReference {
            pk_table: "widget".into(),
            fk_table: "gadget".into(),
            ..CommandGetCrossReference::default()
        }
        .as_any(),
    ] {
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let asked = request(&client, descriptor);
        let info = client.inner_mut().get_flight_info(asked).await.unwrap().into_inner();
        let announced = info.clone().try_decode_schema().unwrap();
        let lines: Vec<String> = announced.fields().iter().map(|field| line(field)).collect();
        assert_eq!(lines.join("\n"), FOREIGN_KEYS, "{}", command.type_url);
        fetch(&mut client, info).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_tells_of_itself_has_the_schema_of_the_specification() {
    let mut client = log_in("hub").await;
    check(
        &mut client,
        CommandGetSqlInfo::default().as_any(),
        expect![[r#"
            info_name: uint32 not null
            value: dense_union<0 string_value: utf8, 1 bool_value: bool, 2 bigint_value: int64, 3 int32_bitmask: int32, 4 string_list: list<utf8>, 5 int32_to_int32_list_map: map<int32, list<int32>>> not null"#]],
    )
    .await;
    check(
        &mut client,
        CommandGetXdbcTypeInfo::default().as_any(),
        expect![[r#"
            type_name: utf8 not null
            data_type: int32 not null
            column_size: int32
            literal_prefix: utf8
            literal_suffix: utf8
            create_params: list<utf8 not null>
            nullable: int32 not null
            case_sensitive: bool not null
            searchable: int32 not null
            unsigned_attribute: bool
            fixed_prec_scale: bool not null
            auto_increment: bool
            local_type_name: utf8
            minimum_scale: int32
            maximum_scale: int32
            sql_data_type: int32 not null
            datetime_subcode: int32
            num_prec_radix: int32
            interval_precision: int32"#]],
    )
    .await;
}
