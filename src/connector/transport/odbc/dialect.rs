//! How each kind of database writes what SQL leaves open. This table is all there is to a kind.

use crate::connector::transport::asked::{self, Shape};
use crate::connector::transport::odbc::kind::Kind;
use crate::project::{Access, Product};

/// One kind of database.
pub(super) struct Dialect {
    /// Attributes of the connection without which the driver would hold whole tables in memory.
    pub(super) attributes: &'static str,
    /// What quotes an identifier, before and behind; the latter is doubled within.
    quotes: (char, char),
    /// A text, safe in SQL.
    pub(super) literal: fn(&str) -> String,
    /// The limits of a session.
    pub(super) settings: fn(&Access) -> Vec<String>,
    /// How a transaction begins that shows one moment; empty where there is no such thing.
    pub(super) begin: &'static [&'static str],
    /// Whether the driver begins transactions by itself when it is told not to commit.
    pub(super) has_transactions: bool,
    /// How rows are asked for piece by piece, where the driver cannot.
    pub(super) pieces: Option<Pieces>,
    /// Whether the driver must be asked to end queries after their time.
    pub(super) has_driver_timeout: bool,
    /// The clock, as `2026-03-29 01:30:00.000000` in UTC; empty: ours.
    pub(super) clock: &'static str,
    /// The columns of all tables that may be meant by a name, given as a literal: their schema,
    /// table, name, type, and `1` for the tables whose names are the same with case.
    pub(super) columns: fn(&str) -> String,
    /// The number of the connection, and how its query is stopped from another one.
    pub(super) stop: Option<Stop>,
    /// What is selected to read a column: text as ISO 8601 and the contract write it, moments with
    /// a zone in UTC.
    pub(super) read: fn(&str, Kind) -> String,
    /// The length of such a text in characters, or of a blob in bytes.
    pub(super) length: fn(&str, Kind) -> String,
    /// Types that mean something else here than everywhere.
    pub(super) special: &'static [(&'static str, Kind)],
    /// How questions are asked about a table.
    pub(super) sql: asked::Dialect,
}

/// How the number of a connection is asked for, and the statement that stops its query.
pub(super) type Stop = (&'static str, fn(&str) -> String);

/// Rows piece by piece.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pieces {
    /// Begins a query.
    pub(super) open: fn(&str) -> String,
    /// The next so many rows.
    pub(super) next: fn(usize) -> String,
    /// Ends the query.
    pub(super) close: &'static str,
}

impl Dialect {
    /// The dialect of a product.
    pub(super) fn of(product: Product) -> &'static Self {
        match product {
            Product::Postgres => &POSTGRES,
            Product::Mysql => &MYSQL,
            Product::Sqlite => &SQLITE,
            Product::SqlServer => &SQL_SERVER,
            Product::Oracle => &ORACLE,
            Product::Other => &OTHER,
        }
    }

    /// An identifier, safe in SQL.
    pub(super) fn quoted(&self, name: &str) -> String {
        let (open, close) = self.quotes;
        format!("{open}{}{close}", name.replace(close, &format!("{close}{close}")))
    }
}

/// The product that a driver calls by this name.
pub(super) fn detected(name: &str) -> Product {
    let name = name.to_lowercase();
    let known = [
        ("postgres", Product::Postgres),
        ("mariadb", Product::Mysql),
        ("mysql", Product::Mysql),
        ("sqlite", Product::Sqlite),
        ("sql server", Product::SqlServer),
        ("oracle", Product::Oracle),
    ];
    known.iter().find(|(word, _)| name.contains(word)).map_or(Product::Other, |(_, product)| *product)
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn seconds(time: std::time::Duration) -> u64 {
    time.as_secs().max(1)
}

fn milliseconds(time: std::time::Duration) -> u128 {
    time.as_millis().clamp(1, i32::MAX.unsigned_abs().into())
}

const POSTGRES: Dialect = Dialect {
    attributes: "UseDeclareFetch=0",
    quotes: ('"', '"'),
    literal,
    settings: |access| {
        vec![
            "set application_name = 'muster'".into(),
            "set timezone = 'UTC'".into(),
            "set datestyle = 'ISO'".into(),
            "set standard_conforming_strings = on".into(),
            "set idle_in_transaction_session_timeout = 0".into(),
            format!("set statement_timeout = {}", milliseconds(access.timeout)),
            format!("set lock_timeout = {}", milliseconds(access.idle_timeout)),
        ]
    },
    begin: &["set transaction isolation level repeatable read, read only", "select 1"],
    has_transactions: true,
    // The driver has cursors of its own, in which it crashes when the server goes.
    pieces: Some(Pieces {
        open: |select| format!("declare muster_rows no scroll cursor for {select}"),
        next: |rows| format!("fetch forward {rows} from muster_rows"),
        close: "close muster_rows",
    }),
    has_driver_timeout: false,
    clock: "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    columns: |name| {
        format!(
            "select n.nspname::text, c.relname::text, a.attname::text,
                pg_catalog.format_type(a.atttypid, a.atttypmod),
                case when c.relname = {name} or n.nspname || '.' || c.relname = {name} then '1' else '0' end
            from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relkind in ('r', 'p', 'v', 'm', 'f') and (lower(n.nspname || '.' || c.relname) = lower({name})
                or lower(c.relname) = lower({name}) and pg_catalog.pg_table_is_visible(c.oid))
            order by 5 desc, 1, 2, a.attnum"
        )
    },
    stop: Some(("select pg_backend_pid()", |number| format!("select pg_cancel_backend({number})"))),
    read: |column, kind| match kind {
        Kind::Blob => column.into(),
        Kind::Instant => format!("({column} at time zone 'UTC')::text"),
        _ => format!("{column}::text"),
    },
    length: |text, _| format!("length({text})"),
    special: &[("bit", Kind::Text)],
    sql: asked::Dialect {
        text: |expression| format!("{expression}::text"),
        moment: |moment, shape| {
            let ty = match shape {
                Shape::Day => "date",
                Shape::Instant => "timestamptz",
                _ => "timestamp",
            };
            format!("'{moment}'::{ty}")
        },
        day_after: |moment| format!("'{moment}'::date + 1"),
    },
};

const MYSQL: Dialect = Dialect {
    attributes: "NO_CACHE=1;FORWARDONLY=1;CHARSET=utf8mb4",
    quotes: ('`', '`'),
    // A backslash means something or not, as the server is set.
    literal: |text| {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("convert(x'{digits}' using utf8mb4)")
    },
    settings: |access| {
        let whole = access.timeout;
        vec![
            "set session time_zone = '+00:00'".into(),
            format!(
                "set session net_write_timeout = {0} /*M!100101 , max_statement_time = {0} */ \
                 /*!50708 , max_execution_time = {1} */",
                seconds(whole),
                milliseconds(whole)
            ),
            format!("set session lock_wait_timeout = {}", seconds(access.idle_timeout)),
        ]
    },
    begin: &[
        "set session transaction isolation level repeatable read",
        "start transaction with consistent snapshot, read only",
    ],
    has_transactions: true,
    pieces: None,
    has_driver_timeout: false,
    clock: "select cast(utc_timestamp(6) as char)",
    columns: |name| {
        format!(
            "select table_schema, table_name, column_name, column_type,
                case when binary table_name = binary {name}
                    or binary concat(table_schema, '.', table_name) = binary {name} then '1' else '0' end
            from information_schema.columns
            where lower(table_name) = lower({name}) and table_schema = database()
                or lower(concat(table_schema, '.', table_name)) = lower({name})
            order by 5 desc, 1, 2, ordinal_position"
        )
    },
    stop: Some(("select connection_id()", |number| format!("kill query {number}"))),
    read: |column, kind| match kind {
        Kind::Blob | Kind::Text => column.into(),
        Kind::Int => format!("cast({column} + 0 as char)"),
        _ => format!("cast({column} as char)"),
    },
    length: |text, kind| match kind {
        Kind::Blob => format!("length({text})"),
        _ => format!("char_length({text})"),
    },
    special: &[("timestamp", Kind::Instant), ("bit", Kind::Int), ("year", Kind::Int)],
    sql: asked::Dialect {
        text: |expression| format!("cast({expression} as char)"),
        moment: |moment, shape| match shape {
            Shape::Day => format!("date('{moment}')"),
            _ => format!("timestamp('{moment}')"),
        },
        day_after: |moment| format!("date('{moment}') + interval 1 day"),
    },
};

/// Numbers with a point are floats there, and moments are text.
const SQLITE: Dialect = Dialect {
    // Within transactions of its own, the driver reads whole tables at once, and shows no moment.
    attributes: "StepAPI=1;NoTXN=1",
    quotes: ('"', '"'),
    literal,
    settings: |_| Vec::new(),
    begin: &["begin", "select count(*) from sqlite_master"],
    has_transactions: false,
    pieces: None,
    has_driver_timeout: false,
    clock: "select strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
    columns: |name| {
        format!(
            "select '', m.name, p.name, p.type, case when m.name = {name} then '1' else '0' end
            from sqlite_master m join pragma_table_info(m.name) p
            where m.type in ('table', 'view') and lower(m.name) = lower({name}) order by p.cid"
        )
    },
    stop: None,
    read: |column, kind| match kind {
        Kind::Blob => column.into(),
        _ => format!("cast({column} as text)"),
    },
    length: |text, _| format!("length({text})"),
    special: &[("decimal", Kind::Float), ("numeric", Kind::Float), ("number", Kind::Float)],
    sql: asked::Dialect {
        text: |expression| format!("cast({expression} as text)"),
        moment: |moment, shape| match shape {
            Shape::Day => format!("date('{moment}')"),
            _ => literal(moment.trim_end_matches(".000000")),
        },
        day_after: |moment| format!("date('{moment}', '+1 day')"),
    },
};

const SQL_SERVER: Dialect = Dialect {
    attributes: "",
    quotes: ('[', ']'),
    literal: |text| format!("N{}", literal(text)),
    settings: |access| vec![format!("set lock_timeout {}", milliseconds(access.idle_timeout))],
    begin: &["set transaction isolation level snapshot"],
    has_transactions: true,
    pieces: None,
    has_driver_timeout: true,
    clock: "select convert(varchar(26), sysutcdatetime(), 121)",
    columns: |name| {
        format!(
            "select s.name, o.name, c.name, t.name + '(' + cast(c.max_length as varchar(9)) + ')',
                case when {name} collate Latin1_General_BIN2 in (o.name, s.name + '.' + o.name)
                    then '1' else '0' end as is_exact
            from sys.columns c join sys.objects o on o.object_id = c.object_id
                join sys.schemas s on s.schema_id = o.schema_id
                join sys.types t on t.user_type_id = c.system_type_id
            where o.type in ('U', 'V') and (lower(s.name + '.' + o.name) = lower({name})
                or lower(o.name) = lower({name}) and s.name = schema_name())
            order by is_exact desc, 1, 2, c.column_id"
        )
    },
    stop: None,
    read: |column, kind| match kind {
        Kind::Blob | Kind::Text => column.into(),
        Kind::Day => format!("convert(varchar(10), {column}, 23)"),
        Kind::Local | Kind::Time => format!("convert(varchar(27), {column}, 121)"),
        Kind::Instant => format!("convert(varchar(27), cast(switchoffset({column}, 0) as datetime2), 121)"),
        Kind::Money => format!("cast(cast({column} as decimal(19, 4)) as varchar(40))"),
        Kind::Float => format!("convert(varchar(40), {column}, 3)"),
        Kind::Bool | Kind::Int | Kind::Decimal => format!("cast({column} as varchar(60))"),
    },
    length: |text, kind| match kind {
        Kind::Blob => format!("cast(datalength({text}) as bigint)"),
        _ => format!("cast(datalength(cast({text} as nvarchar(max))) / 2 as bigint)"),
    },
    special: &[
        ("datetimeoffset", Kind::Instant),
        ("timestamp", Kind::Blob),
        ("rowversion", Kind::Blob),
        ("bit", Kind::Bool),
        ("money", Kind::Money),
        ("smallmoney", Kind::Money),
    ],
    sql: asked::Dialect {
        text: |expression| format!("cast({expression} as varchar(60))"),
        moment: |moment, shape| match shape {
            Shape::Day => format!("cast(cast('{moment}' as datetime2) as date)"),
            Shape::Instant => format!("cast('{moment} +00:00' as datetimeoffset)"),
            _ => format!("cast('{moment}' as datetime2)"),
        },
        day_after: |moment| format!("dateadd(day, 1, cast(cast('{moment}' as datetime2) as date))"),
    },
};

const ORACLE: Dialect = Dialect {
    attributes: "",
    quotes: ('"', '"'),
    literal,
    settings: |_| Vec::new(),
    begin: &["set transaction read only"],
    has_transactions: true,
    pieces: None,
    has_driver_timeout: true,
    clock: "select to_char(sys_extract_utc(systimestamp), 'YYYY-MM-DD HH24:MI:SS.FF6') from dual",
    columns: |name| {
        format!(
            "select owner, table_name, column_name, data_type || '(' || char_length || ')',
                case when {name} in (table_name, owner || '.' || table_name) then '1' else '0' end
            from all_tab_columns
            where upper(table_name) = upper({name}) and owner = sys_context('userenv', 'current_schema')
                or upper(owner || '.' || table_name) = upper({name})
            order by 5 desc, 1, 2, column_id"
        )
    },
    stop: None,
    read: |column, kind| match kind {
        Kind::Blob | Kind::Text => column.into(),
        Kind::Local => format!("to_char(cast({column} as timestamp), 'YYYY-MM-DD HH24:MI:SS.FF6')"),
        Kind::Instant => format!("to_char(sys_extract_utc({column}), 'YYYY-MM-DD HH24:MI:SS.FF6')"),
        // The separator of decimals follows the session's country otherwise.
        _ => format!("to_char({column}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"),
    },
    length: |text, kind| match kind {
        Kind::Blob => format!("dbms_lob.getlength({text})"),
        _ => format!("length({text})"),
    },
    special: &[("date", Kind::Local)],
    sql: asked::Dialect {
        text: |expression| format!("to_char({expression}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"),
        moment: |moment, shape| match shape {
            Shape::Instant => {
                format!("to_timestamp_tz('{moment} +00:00', 'YYYY-MM-DD HH24:MI:SS.FF6 TZH:TZM')")
            }
            _ => format!("to_timestamp('{moment}', 'YYYY-MM-DD HH24:MI:SS.FF6')"),
        },
        day_after: |moment| {
            format!("trunc(cast(to_timestamp('{moment}', 'YYYY-MM-DD HH24:MI:SS.FF6') as date)) + 1")
        },
    },
};

/// What the standard says. Nothing is known of its transactions: each table shows its own moment.
const OTHER: Dialect = Dialect {
    attributes: "",
    quotes: ('"', '"'),
    literal,
    settings: |_| Vec::new(),
    begin: &[],
    has_transactions: false,
    pieces: None,
    has_driver_timeout: false,
    clock: "",
    columns: |name| {
        format!(
            "select table_schema, table_name, column_name, data_type,
                case when table_name = {name} or table_schema || '.' || table_name = {name} then '1' else '0' end
            from information_schema.columns
            where lower(table_name) = lower({name}) or lower(table_schema || '.' || table_name) = lower({name})
            order by 5 desc, 1, 2, ordinal_position"
        )
    },
    stop: None,
    read: |column, _| column.into(),
    length: |text, kind| match kind {
        Kind::Blob => format!("octet_length({text})"),
        _ => format!("char_length({text})"),
    },
    special: &[],
    sql: asked::Dialect {
        text: |expression| format!("cast({expression} as varchar(60))"),
        moment: |moment, shape| match shape {
            Shape::Day => format!("cast(timestamp '{moment}' as date)"),
            _ => format!("timestamp '{moment}'"),
        },
        day_after: |moment| format!("cast(timestamp '{moment}' as date) + interval '1' day"),
    },
};
