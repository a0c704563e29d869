//! The SQL of Power BI, Excel and ODBC tools, over a real connection: statements as they were
//! recorded, or as their generators word them, and answers worked out by hand.

use crate::flight::{Client, ask, fetch, short};
use crate::hub;
use arrow::util::display::array_value_to_string;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTables,
};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::physical_plan::displayable;
use expect_test::{Expect, expect};
use muster::policy::enforce;
use muster::policy::roles::{Forces, Principal, Role};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A hub of two forces with trips, zones and a code list beside the widgets.
struct Metro {
    dir: TempDir,
    authority: String,
    address: SocketAddr,
}

fn metro() -> &'static Metro {
    static METRO: LazyLock<Metro> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let authority = hub::write(dir.path());
        write(dir.path());
        let address = hub::serve_after(dir.path(), |folder| async move { hub::release(&folder).await });
        Metro { dir, authority, address }
    });
    &METRO
}

fn write(dir: &Path) {
    let settings = fs::read_to_string(dir.join("muster.toml")).unwrap() + SOURCES;
    for (file, text) in [
        ("muster.toml", settings.as_str()),
        ("connectors/metro/connector.toml", CONTRACT),
        (
            "connectors/metro/staging/trip.sql",
            "/*\nOne row per trip.\ngrain: trip_id\n*/\nselect id as trip_id, zone as zone_code, kind, \
             passengers, distance, started as started_at, day as trip_date from raw.trip\n",
        ),
        (
            "connectors/metro/staging/zone.sql",
            "/*\nOne row per zone.\ngrain: zone_code\n*/\nselect code as zone_code, name from raw.zone\n",
        ),
        ("sql/conformed/trip.sql", TRIP),
        ("sql/conformed/zone.sql", ZONE),
        ("sql/reference/kind.csv", "code,name\ntaxi,Taxi\nbus,Bus\n"),
        ("drop/beds_metro/trip_1.csv", TRIPS),
        ("drop/beds_metro/zone_1.csv", "code,name\nwest,West End\neast,East_Side\n"),
        (
            "drop/cambs_metro/trip_1.csv",
            "id,zone,kind,passengers,distance,started,day\n9,east,bus,75,1.00,2026-01-01 00:00:00,2026-01-01\n",
        ),
        ("drop/cambs_metro/zone_1.csv", "code,name\neast,Elsewhere\n"),
    ] {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

async fn log_in(user: &str) -> Client {
    let metro = metro();
    let mut client = FlightSqlServiceClient::new(hub::channel(metro.address, &metro.authority).await);
    client.handshake(user, &hub::password(user)).await.unwrap();
    client
}

/// The columns, then each row.
fn shown(batch: &RecordBatch) -> String {
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let row = |row| {
        let cells = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
        cells.collect::<Vec<_>>().join(" | ")
    };
    std::iter::once(names.join(" | ")).chain((0..batch.num_rows()).map(row)).collect::<Vec<_>>().join("\n")
}

async fn check(user: &str, sql: &str, expect: Expect) {
    let answer = ask(&mut log_in(user).await, sql).await;
    expect.assert_eq(&answer.map_or_else(|message| message, |batch| shown(&batch)));
}

#[tokio::test]
async fn the_navigator_of_power_bi_finds_what_is_granted() {
    let beds = async |sql, expect| check("beds", sql, expect).await;
    beds(
        "SHOW DATABASES",
        expect![[r#"
            database_name
            muster"#]],
    )
    .await;
    beds(
        "SELECT schema_name AS Name FROM information_schema.schemata WHERE catalog_name = 'muster' \
         AND schema_name <> 'information_schema' ORDER BY 1",
        expect![[r#"
            name
            conformed
            hub"#]],
    )
    .await;
    beds(
        "SELECT table_name AS Name, table_type FROM information_schema.tables WHERE table_catalog='muster' \
         AND table_schema='conformed' ORDER BY table_name",
        expect![[r#"
            name | table_type
            gadget | BASE TABLE
            trip | BASE TABLE
            widget | BASE TABLE
            zone | BASE TABLE"#]],
    )
    .await;
    beds(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE \
         table_catalog='muster' AND table_schema='conformed' AND table_name='trip' ORDER BY ordinal_position",
        expect![[r#"
            column_name | data_type | is_nullable
            force | VARCHAR | YES
            trip_id | BIGINT | YES
            zone_code | VARCHAR | YES
            kind | VARCHAR | YES
            passengers | BIGINT | YES
            distance | DECIMAL | YES
            started_at | TIMESTAMP | YES
            trip_date | DATE | YES"#]],
    )
    .await;
    beds(
        "SELECT column_name, ordinal_position, character_maximum_length, numeric_precision, \
         numeric_precision_radix, numeric_scale, datetime_precision FROM information_schema.columns WHERE \
         table_name='trip' ORDER BY ordinal_position",
        expect![[r#"
            column_name | ordinal_position | character_maximum_length | numeric_precision | numeric_precision_radix | numeric_scale | datetime_precision
            force | 1 | 32767 |  |  |  | 
            trip_id | 2 |  | 19 | 10 | 0 | 
            zone_code | 3 | 32767 |  |  |  | 
            kind | 4 | 32767 |  |  |  | 
            passengers | 5 |  | 19 | 10 | 0 | 
            distance | 6 |  | 9 | 10 | 2 | 
            started_at | 7 |  |  |  |  | 6
            trip_date | 8 |  |  |  |  | 0"#]],
    )
    .await;
    beds("select distinct table_name from information_schema.tables where table_schema = 'information_schema' order by 1", expect![[r#"
            table_name
            columns
            constraint_column_usage
            key_column_usage
            parameters
            referential_constraints
            routines
            schemata
            table_constraints
            tables
            views"#]]).await;
    beds(
        "show columns from conformed.zone",
        expect![[r#"
            table_catalog | table_schema | table_name | column_name | data_type | is_nullable
            muster | conformed | zone | force | VARCHAR | YES
            muster | conformed | zone | zone_code | VARCHAR | YES
            muster | conformed | zone | name | VARCHAR | YES"#]],
    )
    .await;
    beds(
        "select * from information_schema.df_settings",
        expect![[r#"table 'muster.information_schema.df_settings' not found"#]],
    )
    .await;
    check(
        "narrow",
        "select distinct table_schema, table_name from information_schema.columns union all \
         select table_schema, table_name from information_schema.table_constraints order by 1, 2",
        expect![[r#"
            table_schema | table_name
            conformed | widget
            conformed | widget"#]],
    )
    .await;
    beds(
        "select count(*) > 100 as many from information_schema.routines",
        expect![[r#"
            many
            true"#]],
    )
    .await;
}

#[tokio::test]
async fn keys_are_found_by_sql() {
    let key = "SELECT kcu.column_name FROM information_schema.table_constraints tc JOIN \
        information_schema.key_column_usage kcu ON tc.constraint_name=kcu.constraint_name AND \
        tc.table_catalog=kcu.table_catalog AND tc.table_schema=kcu.table_schema AND \
        tc.table_name=kcu.table_name WHERE tc.constraint_type='PRIMARY KEY' AND tc.table_catalog='muster' AND \
        tc.table_schema='conformed' AND tc.table_name='trip' ORDER BY kcu.ordinal_position";
    check(
        "beds",
        key,
        expect![[r#"
            column_name
            force
            trip_id"#]],
    )
    .await;
    let foreign = "SELECT tc.constraint_name, tc.enforced, kcu.column_name, ccu.table_schema, ccu.table_name, \
        ccu.column_name AS other FROM information_schema.table_constraints tc \
        JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name \
        JOIN information_schema.referential_constraints rc ON rc.constraint_name = tc.constraint_name \
        JOIN information_schema.key_column_usage ccu ON ccu.constraint_name = rc.unique_constraint_name \
        AND ccu.ordinal_position = kcu.position_in_unique_constraint \
        WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name = 'trip' ORDER BY 1, kcu.ordinal_position";
    check(
        "beds",
        foreign,
        expect![[r#"
            constraint_name | enforced | column_name | table_schema | table_name | other
            conformed_trip_zone_code_conformed_zone_fkey | NO | force | conformed | zone | force
            conformed_trip_zone_code_conformed_zone_fkey | NO | zone_code | conformed | zone | zone_code"#]],
    )
    .await;
    check(
        "hub",
        foreign,
        expect![[r#"
            constraint_name | enforced | column_name | table_schema | table_name | other
            conformed_trip_kind_reference_kind_fkey | YES | kind | reference | kind | code
            conformed_trip_zone_code_conformed_zone_fkey | NO | force | conformed | zone | force
            conformed_trip_zone_code_conformed_zone_fkey | NO | zone_code | conformed | zone | zone_code"#]],
    )
    .await;
    let usage = "SELECT tc.table_name, ccu.table_name AS other, ccu.column_name FROM \
        information_schema.table_constraints tc JOIN information_schema.constraint_column_usage ccu \
        ON tc.constraint_name = ccu.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY' ORDER BY 1, 2, 3";
    check(
        "hub",
        usage,
        expect![[r#"
            table_name | other | column_name
            trip | kind | code
            trip | zone | force
            trip | zone | zone_code"#]],
    )
    .await;
    check(
        "hub",
        "select constraint_name, match_option, update_rule, delete_rule from \
         information_schema.referential_constraints order by 1",
        expect![[r#"
            constraint_name | match_option | update_rule | delete_rule
            conformed_trip_kind_reference_kind_fkey | NONE | NO ACTION | NO ACTION
            conformed_trip_zone_code_conformed_zone_fkey | NONE | NO ACTION | NO ACTION"#]],
    )
    .await;
}

#[tokio::test]
async fn keys_are_found_by_flight() {
    let (mut hub, mut beds) = (log_in("hub").await, log_in("beds").await);
    let primary = |schema: Option<&str>, table: &str| CommandGetPrimaryKeys {
        catalog: Some("muster".into()),
        db_schema: schema.map(str::to_string),
        table: table.into(),
    };
    for (query, expect) in [
        (
            primary(Some("conformed"), "trip"),
            expect![[r#"
            catalog_name | db_schema_name | table_name | column_name | key_name | key_sequence
            muster | conformed | trip | force | conformed_trip_pkey | 1
            muster | conformed | trip | trip_id | conformed_trip_pkey | 2"#]],
        ),
        (
            primary(None, "kind"),
            expect![[r#"
            catalog_name | db_schema_name | table_name | column_name | key_name | key_sequence
            muster | reference | kind | code | reference_kind_pkey | 1"#]],
        ),
        (
            primary(Some(""), "zone"),
            expect![[r#"
            catalog_name | db_schema_name | table_name | column_name | key_name | key_sequence
            muster | conformed | zone | force | conformed_zone_pkey | 1
            muster | conformed | zone | zone_code | conformed_zone_pkey | 2"#]],
        ),
        (
            primary(Some("marts"), "trip"),
            expect![[
                r#"catalog_name | db_schema_name | table_name | column_name | key_name | key_sequence"#
            ]],
        ),
    ] {
        let info = hub.get_primary_keys(query).await.unwrap();
        expect.assert_eq(&shown(&fetch(&mut hub, info).await.unwrap()));
    }
    let exported = CommandGetExportedKeys { table: "zone".into(), ..Default::default() };
    let info = beds.get_exported_keys(exported).await.unwrap();
    expect![[r#"
            pk_catalog_name | pk_db_schema_name | pk_table_name | pk_column_name | fk_catalog_name | fk_db_schema_name | fk_table_name | fk_column_name | key_sequence | fk_key_name | pk_key_name | update_rule | delete_rule
            muster | conformed | zone | force | muster | conformed | trip | force | 1 | conformed_trip_zone_code_conformed_zone_fkey | conformed_zone_pkey | 3 | 3
            muster | conformed | zone | zone_code | muster | conformed | trip | zone_code | 2 | conformed_trip_zone_code_conformed_zone_fkey | conformed_zone_pkey | 3 | 3"#]].assert_eq(&shown(&fetch(&mut beds, info).await.unwrap()));
    let imported = CommandGetImportedKeys { table: "trip".into(), ..Default::default() };
    let info = hub.get_imported_keys(imported.clone()).await.unwrap();
    expect![[r#"
            pk_catalog_name | pk_db_schema_name | pk_table_name | pk_column_name | fk_catalog_name | fk_db_schema_name | fk_table_name | fk_column_name | key_sequence | fk_key_name | pk_key_name | update_rule | delete_rule
            muster | conformed | zone | force | muster | conformed | trip | force | 1 | conformed_trip_zone_code_conformed_zone_fkey | conformed_zone_pkey | 3 | 3
            muster | conformed | zone | zone_code | muster | conformed | trip | zone_code | 2 | conformed_trip_zone_code_conformed_zone_fkey | conformed_zone_pkey | 3 | 3
            muster | reference | kind | code | muster | conformed | trip | kind | 1 | conformed_trip_kind_reference_kind_fkey | reference_kind_pkey | 3 | 3"#]].assert_eq(&shown(&fetch(&mut hub, info).await.unwrap()));
    let info = beds.get_imported_keys(imported).await.unwrap();
    assert_eq!(
        fetch(&mut beds, info).await.unwrap().num_rows(),
        2,
        "not the code list, which is not granted"
    );
    let cross = |parent: &str, child: &str| CommandGetCrossReference {
        pk_table: parent.into(),
        fk_table: child.into(),
        ..Default::default()
    };
    let info = hub.get_cross_reference(cross("kind", "trip")).await.unwrap();
    assert_eq!(fetch(&mut hub, info).await.unwrap().num_rows(), 1);
    let info = hub.get_cross_reference(cross("trip", "kind")).await.unwrap();
    assert_eq!(fetch(&mut hub, info).await.unwrap().num_rows(), 0);
}

#[tokio::test]
async fn recorded_statements_of_power_bi_are_answered() {
    let beds = async |sql, expect| check("beds", sql, expect).await;
    beds(
        r#"select "trip_id", "zone_code" from "conformed"."trip" order by "trip_id" LIMIT 1"#,
        expect![[r#"
            trip_id | zone_code
            1 | west"#]],
    )
    .await;
    beds(
        r#"select "trip_id" from "conformed"."trip" order by "trip_id" LIMIT 4096 OFFSET 4"#,
        expect![[r#"
            trip_id
            5"#]],
    )
    .await;
    beds(
        r#"select "trip_id" from "conformed"."trip" order by "trip_id" OFFSET 3"#,
        expect![[r#"
            trip_id
            4
            5"#]],
    )
    .await;
    // Sorted by a column that is not in the projection, of a derived table.
    beds(
        r#"select "zone_code","kind" from ( select "trip_id", "zone_code", "kind", "passengers"
           from "conformed"."trip" where cast("passengers" as DOUBLE) = CAST(75 as DOUBLE)
           and not "passengers" is null ) as "ITBL" order by "ITBL"."trip_id" LIMIT 1"#,
        expect![[r#"
            zone_code | kind
            east | bus"#]],
    )
    .await;
    beds(
        r#"select "zone_code" from "muster"."conformed"."trip" order by "distance" desc nulls last limit 2"#,
        expect![[r#"
            zone_code
            east
            west"#]],
    )
    .await;
    beds(
        r#"select "trip_id", starts_with("zone_code", CAST('we' as VARCHAR)) as "C1" from "conformed"."trip"
           where "zone_code" = CAST('west' as VARCHAR) and not "zone_code" is null order by "trip_id""#,
        expect![[r#"
            trip_id | C1
            1 | true
            3 | true
            5 | true"#]],
    )
    .await;
    beds(
        r#"select "trip_id", cast(FLOOR(cast(cast("distance" as VARCHAR) as DOUBLE)) as INTEGER) as "C1"
           from "conformed"."trip" where "distance" is not null order by 1"#,
        expect![[r#"
            trip_id | C1
            1 | 2
            2 | 10
            3 | 0
            5 | 3"#]],
    )
    .await;
    beds(
        r#"select "trip_id" from "conformed"."trip" where "trip_date" = DATE '2026-02-28'"#,
        expect![[r#"
            trip_id
            2"#]],
    )
    .await;
    beds(
        r#"select "rows"."kind" as "kind", sum("rows"."passengers") as "C1", count(*) as "C2" from (select "kind",
           "passengers" from "muster"."conformed"."trip" "_") "rows" group by "kind" order by 1"#,
        expect![[r#"
            kind | C1 | C2
            bus | 150 | 3
            taxi | 3 | 2"#]],
    )
    .await;
    beds(
        r#"select "kind" from (select "trip_id" as "kind", "kind" as "kind2", "kind" as "kind3" from
           "conformed"."trip") "t" where "kind2" = 'taxi' order by "kind""#,
        expect![[r#"
            kind
            1
            3"#]],
    )
    .await;
    // A probe for the types of a statement.
    let probe = r#"SELECT * FROM (select * from conformed.trip) AS "_" WHERE 0 = 1"#;
    let probed = ask(&mut log_in("beds").await, probe).await.unwrap();
    let whole = ask(&mut log_in("beds").await, "select * from conformed.trip").await.unwrap();
    assert_eq!((probed.schema(), probed.num_rows()), (whole.schema(), 0));
}

#[tokio::test]
async fn dates_are_computed_as_the_generators_of_power_query_do() {
    let beds = async |sql, expect| check("beds", sql, expect).await;
    beds(
        r#"select "trip_id", TIMESTAMPADD(quarter, TIMESTAMPDIFF(quarter, cast('2000-01-01 00:00:00.000' as TIMESTAMP),
           "started_at"), cast('2000-01-01 00:00:00.000' as TIMESTAMP)) as "C1" from "conformed"."trip" order by 1"#,
        expect![[r#"
            trip_id | C1
            1 | 2026-01-01T00:00:00
            2 | 2026-01-01T00:00:00
            3 | 2026-01-01T00:00:00
            4 | 1999-01-01T00:00:00
            5 | 9999-10-01T00:00:00"#]],
    )
    .await;
    beds(
        r#"select date_diff('quarter', cast('2000-01-01' as TIMESTAMP), "started_at") as "C1",
           {fn TIMESTAMPDIFF(SQL_TSI_DAY, {ts '2026-01-31 12:00:00'}, "started_at")} as "C2",
           datediff(day, {d '2026-01-31'}, "trip_date") as "C3"
           from "conformed"."trip" order by "trip_id""#,
        expect![[r#"
            C1 | C2 | C3
            104 | -1 | 0
            104 | 28 | 28
            104 | 59 | 59
            -4 | -9847 | -9847
            31999 | 2912411 | 2912412"#]],
    )
    .await;
    beds(
        r#"select year("started_at") as y, quarter("started_at") as q, month("trip_date") as m,
           dayofmonth("trip_date") as d, week("trip_date") as w, dayofyear("trip_date") as n,
           dayofweek("trip_date") as dow, hour("started_at") as h, minute("started_at") as i,
           second("started_at") as s from "conformed"."trip" where YEAR("trip_date") = 2026 and
           {fn YEAR("started_at")} >= 2026 order by "trip_id""#,
        expect![[r#"
            y | q | m | d | w | n | dow | h | i | s
            2026 | 1 | 1 | 31 | 5 | 31 | 7 | 8 | 15 | 0
            2026 | 1 | 2 | 28 | 9 | 59 | 7 | 23 | 59 | 59
            2026 | 1 | 3 | 31 | 14 | 90 | 3 | 17 | 0 | 0"#]],
    )
    .await;
    beds(
        r#"select {fn UCASE({fn LEFT("zone_code", 2)})} as "C1", {fn LENGTH("kind")} as "C2",
           {fn CONVERT("passengers", SQL_VARCHAR)} as "C3", Replace("zone_code", 'e', '_') as "C4",
           {fn MOD("passengers", 10)} as "C5", Round("distance", 1) as "C6", POWER("passengers", 2) as "C7",
           INSERT("kind", 1, 1, 'X') as "C8", ATAN2(0, 1) as "C9" from conformed.trip where trip_id = 2"#,
        expect![[r#"
            C1 | C2 | C3 | C4 | C5 | C6 | C7 | C8 | C9
            EA | 3 | 75 | _ast | 5 | 10.0 | 5625.0 | Xus | 0.0"#]],
    )
    .await;
    beds(
        r#"select date_add(cast('2000-01-01 00:00:00.000' as TIMESTAMP), cast(date_diff(quarter,
           cast('2000-01-01 00:00:00.000' as TIMESTAMP), "started_at") as BIGINT) * interval 1 quarter)
           from "conformed"."trip""#,
        expect![[r#"invalid function 'date_add'"#]],
    )
    .await;
    beds("select timestampadd(fortnight, 1, trip_date) from conformed.trip", expect![[r#"'timestampadd' has no unit 'fortnight': it knows frac_second (nanoseconds), microsecond, millisecond, second, minute, hour, day, week, month, quarter and year, with or without SQL_TSI_"#]]).await;
    beds("select timestampadd(kind, 1, trip_date) from conformed.trip", expect![[r#"'timestampadd' has no unit 'kind': it knows frac_second (nanoseconds), microsecond, millisecond, second, minute, hour, day, week, month, quarter and year, with or without SQL_TSI_"#]]).await;
    beds(
        "select timestampdiff(day, 1, trip_date) from conformed.trip",
        expect![[r#"'timestampdiff' takes a date or a timestamp, not Int64"#]],
    )
    .await;
}

#[tokio::test]
async fn excel_and_odbc_tools_are_answered() {
    let beds = async |sql, expect| check("beds", sql, expect).await;
    beds(
        "SELECT t.trip_id, t.started_at FROM muster.conformed.trip t \
         WHERE (t.started_at={ts '2026-03-31 17:00:00'})",
        expect![[r#"
            trip_id | started_at
            3 | 2026-03-31T17:00:00Z"#]],
    )
    .await;
    beds(
        "SELECT trip.trip_id FROM conformed.trip trip WHERE (trip.trip_date>={d '2026-02-28'}) AND \
         (trip.started_at<{ts '9999-12-31 00:00:00'}) ORDER BY trip.trip_id",
        expect![[r#"
            trip_id
            2
            3"#]],
    )
    .await;
    beds(
        "SELECT t.trip_id, z.name FROM {oj muster.conformed.trip t LEFT OUTER JOIN muster.conformed.zone z \
         ON t.zone_code = z.zone_code} ORDER BY 1",
        expect![[r#"
            trip_id | name
            1 | West End
            2 | East_Side
            3 | West End
            4 | 
            5 | West End"#]],
    )
    .await;
    beds(
        "select top 2 trip_id from conformed.trip order by trip_id desc",
        expect![[r#"
            trip_id
            5
            4"#]],
    )
    .await;
    beds(
        "select distinct top 1 kind from conformed.trip order by kind",
        expect![[r#"
            kind
            bus"#]],
    )
    .await;
    beds(
        "select trip_id from conformed.trip order by trip_id offset 1 rows fetch next 2 rows only",
        expect![[r#"
            trip_id
            2
            3"#]],
    )
    .await;
    beds(
        "select trip_id from conformed.trip order by 1 fetch first row only",
        expect![[r#"
            trip_id
            1"#]],
    )
    .await;
    beds(
        "select top 1 trip_id from conformed.trip where kind = 'taxi' union all \
         select trip_id from conformed.trip where kind = 'bus' order by 1",
        expect![[r#"
            trip_id
            1
            2
            4
            5"#]],
    )
    .await;
    beds(
        "select name from conformed.zone where name like '%\\_%' {escape '\\'}",
        expect![[r#"
            name
            East_Side"#]],
    )
    .await;
    beds(
        "select name from conformed.zone where name like '%!_%' escape '!'",
        expect![[r#"
            name
            East_Side"#]],
    )
    .await;
    beds(
        "select name from conformed.zone where {fn lcase(name)} like 'west%'",
        expect![[r#"
            name
            West End"#]],
    )
    .await;
    beds(
        "select `trip_id` from `conformed`.`trip` order by `trip_id` limit 1",
        expect![[r#"
            trip_id
            1"#]],
    )
    .await;
    beds("select \"TRIP_ID\" from conformed.trip", expect![[r#"column 'TRIP_ID' not found"#]]).await;
    beds("select TRIP_ID from CONFORMED.Trip limit 0", expect![[r#"trip_id"#]]).await;
    beds(
        "select {fn user()} as u, current_user as c, {fn database()} as d",
        expect![[r#"
            u | c | d
            beds | beds | muster"#]],
    )
    .await;
    beds(
        "select top 5 percent trip_id from conformed.trip",
        expect![[r#"not supported: 'top' with a percentage"#]],
    )
    .await;
    beds("select {d 'tomorrow'}", expect![[r#"a value cannot be converted to the type asked for"#]]).await;
    beds(
        "select {ts '2026-03-31 17:00:00' from conformed.trip",
        expect![[r#"the escape '{ts' at Line: 1, Column: 8 is not one text between its word and '}'"#]],
    )
    .await;
}

/// Comparisons as Power Query folds them, and the same ones of the column.
const FOLDED: [(&str, &str); 9] = [
    (r#"cast("passengers" as DOUBLE) = CAST(75 as DOUBLE)"#, "passengers = 75"),
    (r#"CAST(75 as DOUBLE) = cast("passengers" as DOUBLE)"#, "passengers = 75"),
    (r#"cast("passengers" as DOUBLE) > CAST(1.5 as DOUBLE)"#, "passengers > 1"),
    (r#"cast("passengers" as DOUBLE) <> CAST(75 as DOUBLE)"#, "passengers <> 75"),
    (r#"cast("distance" as DOUBLE) = CAST(2.5 as DOUBLE)"#, "distance = 2.5"),
    (r#"cast("distance" as DOUBLE) <= CAST(2.5 as DOUBLE)"#, "distance <= 2.5"),
    (r#"cast("zone_code" as VARCHAR) = CAST('west' as VARCHAR)"#, "zone_code = 'west'"),
    (
        r#"cast("trip_id" as DOUBLE) < CAST(2 as DOUBLE) or 4 <= cast(trip_id as double)"#,
        "trip_id < 2 or trip_id >= 4",
    ),
    (r#"YEAR("trip_date") = 2026"#, "trip_date >= date '2026-01-01' and trip_date < date '2027-01-01'"),
];

#[tokio::test]
async fn a_comparison_of_a_converted_column_prunes_files() {
    let hub = hub::open(metro().dir.path()).await;
    let tables = ["*".to_string()].to_vec();
    let roles = vec![Role { name: "all".into(), forces: Forces::All, tables }];
    let principal = Principal { name: "hub".into(), roles };
    let pinned = enforce::session(&hub, &principal, None).await.unwrap();
    let mut client = log_in("hub").await;
    for (folded, plain) in FOLDED {
        let sql = |condition: &str| {
            format!("select trip_id from conformed.trip where {condition} order by trip_id")
        };
        let frame = pinned.context.sql(&sql(folded)).await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(true).to_string();
        let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
        let predicate = scan.split("predicate=").nth(1).unwrap_or_default();
        assert!(scan.contains("pruning_predicate="), "{folded}: {plan}");
        assert!(!predicate.to_lowercase().contains("cast"), "{folded}: {scan}");
        let found = ask(&mut client, &sql(folded)).await.unwrap();
        assert_eq!(found, ask(&mut client, &sql(plain)).await.unwrap(), "{folded}");
        assert!((1..6).contains(&found.num_rows()), "{folded}: {} rows", found.num_rows());
    }
}

#[tokio::test]
async fn what_sql_says_of_columns_is_what_flight_says() {
    let mut client = log_in("hub").await;
    let sql = "select table_schema, table_name, column_name, data_type, is_nullable, numeric_precision, \
               numeric_scale from information_schema.columns order by table_schema, table_name, ordinal_position";
    let listed = ask(&mut client, sql).await.unwrap();
    let query = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = client.get_tables(query).await.unwrap();
    let tables = fetch(&mut client, info).await.unwrap();
    let text =
        |batch: &RecordBatch, column: usize, row| array_value_to_string(batch.column(column), row).unwrap();
    let mut announced = Vec::new();
    for row in 0..tables.num_rows() {
        let ipc = tables.column(4).as_binary::<i32>().value(row).to_vec();
        let schema = Schema::try_from(arrow_flight::IpcMessage(ipc.into())).unwrap();
        for field in schema.fields() {
            let fact = |key: &str| {
                field.metadata().get(&format!("ARROW:FLIGHT:SQL:{key}")).cloned().unwrap_or_default()
            };
            let numeric =
                matches!(field.data_type(), DataType::Int64 | DataType::Decimal128(..) | DataType::Float64);
            let number = |key: &str| if numeric { fact(key) } else { String::new() };
            announced.push([
                text(&tables, 1, row),
                text(&tables, 2, row),
                field.name().clone(),
                fact("TYPE_NAME"),
                if field.is_nullable() { "YES" } else { "NO" }.into(),
                number("PRECISION"),
                number("SCALE"),
            ]);
        }
    }
    let found: Vec<[String; 7]> =
        (0..listed.num_rows()).map(|row| std::array::from_fn(|column| text(&listed, column, row))).collect();
    assert!(announced.len() > 50);
    assert_eq!(found, announced);
}

#[tokio::test]
async fn patterns_of_listings_have_an_escape() {
    let mut client = log_in("hub").await;
    let tables = |catalog: Option<&str>, schema: Option<&str>, table: Option<&str>| CommandGetTables {
        catalog: catalog.map(str::to_string),
        db_schema_filter_pattern: schema.map(str::to_string),
        table_name_filter_pattern: table.map(str::to_string),
        ..CommandGetTables::default()
    };
    for (query, rows) in [
        (tables(None, None, Some("check_failures")), 1),
        (tables(None, None, Some("check\\_failures")), 1),
        (tables(None, None, Some("check\\%")), 0),
        (tables(None, None, Some("check%")), 2),
        (tables(None, None, Some("che\\_k%")), 0),
        (tables(Some("muster"), Some("conformed"), None), 4),
        (tables(Some(""), Some("conformed"), None), 4),
        (tables(None, Some("conf\\_rmed"), None), 0),
        (tables(None, Some("conf_rmed"), Some("trip")), 1),
        (tables(Some("other"), None, None), 0),
        // Without a schema, or without a name: there is none.
        (tables(None, Some(""), None), 0),
        (tables(None, None, Some("")), 0),
    ] {
        let info = client.get_tables(query.clone()).await.unwrap();
        assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), rows, "{query:?}");
    }
    let schemas = |catalog: Option<&str>, schema: Option<&str>| CommandGetDbSchemas {
        catalog: catalog.map(str::to_string),
        db_schema_filter_pattern: schema.map(str::to_string),
    };
    for (query, rows) in [
        (schemas(None, None), 3),
        (schemas(None, Some("%")), 3),
        (schemas(Some(""), Some("h_b")), 1),
        (schemas(None, Some("h\\_b")), 0),
        (schemas(None, Some("")), 0),
        (schemas(Some("other"), None), 0),
    ] {
        let info = client.get_db_schemas(query.clone()).await.unwrap();
        assert_eq!(fetch(&mut client, info).await.unwrap().num_rows(), rows, "{query:?}");
    }
}

#[tokio::test]
async fn limits_are_told_with_their_number() {
    let mut client = log_in("beds").await;
    for (sql, expect) in [
        (format!("select '{}'", "x".repeat(1 << 20)), expect!["the statement is longer than 1048576 bytes"]),
        (
            format!("select {}1{}", "(".repeat(120), ")".repeat(120)),
            expect!["the statement is nested more than 100 levels deep"],
        ),
        (
            format!("select 1 where 1 in (1{})", ",1".repeat(70_000)),
            expect!["a list has more than 65536 items"],
        ),
        (
            format!("select 1{}", "+1".repeat(700)),
            expect!["the statement has more than 600 operators in a row"],
        ),
    ] {
        expect.assert_eq(&ask(&mut client, &sql).await.unwrap_err());
    }
    let list: String = (2..60_000).map(|n| format!(",{n}")).collect();
    let sql = format!("select trip_id from conformed.trip where trip_id in (1{list}) order by 1");
    assert_eq!(ask(&mut client, &sql).await.unwrap().num_rows(), 5);
    let error = client.execute(format!("select {}", "{fn abs(".repeat(3)), None).await.unwrap_err();
    expect![[r#"the escape '{fn' at Line: 1, Column: 8 has no end"#]].assert_eq(&short(&error.to_string()));
}

const SOURCES: &str = r#"
[sources.beds_metro]
force = "beds"
system = "metro"
address = "file:drop/beds_metro"

[sources.cambs_metro]
force = "cambs"
system = "metro"
address = "file:drop/cambs_metro"
"#;

const CONTRACT: &str = r#"
system = "metro"
vendor = "Metro"

[entities.trip]
key = ["id"]

[entities.trip.file]
match = "trip_*.csv"
format = "csv"

[entities.trip.columns]
id = { type = "int", required = true }
zone = { type = "text" }
kind = { type = "text" }
passengers = { type = "int" }
distance = { type = "decimal(9,2)" }
started = { type = "timestamp", format = "yyyy-MM-dd HH:mm:ss", zone = "UTC" }
day = { type = "date", format = "yyyy-MM-dd" }

[entities.zone]
key = ["code"]

[entities.zone.file]
match = "zone_*.csv"
format = "csv"

[entities.zone.columns]
code = { type = "text", required = true }
name = { type = "text" }
"#;

const TRIPS: &str = "id,zone,kind,passengers,distance,started,day
1,west,taxi,1,2.50,2026-01-31 08:15:00,2026-01-31
2,east,bus,75,10.00,2026-02-28 23:59:59,2026-02-28
3,west,taxi,2,0.75,2026-03-31 17:00:00,2026-03-31
4,,bus,,,1999-02-15 12:00:00,1999-02-15
5,west,bus,75,3.00,9999-12-31 00:00:00,9999-12-31
";

const TRIP: &str = r#"/*
One row per trip.
grain: force, trip_id
scope: force
checks:
  unique: force, trip_id
  relate zone_code: conformed.zone.zone_code  (warn)
  relate kind: reference.kind.code
*/
select
    trip_id,
    zone_code,
    kind,
    passengers,
    distance,
    started_at,
    trip_date
from staging.trip
"#;

const ZONE: &str = r#"/*
One row per zone.
grain: force, zone_code
scope: force
checks:
  unique: force, zone_code
*/
select
    zone_code,
    name
from staging.zone
"#;
