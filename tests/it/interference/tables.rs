//! What the grammar knows of: granted tables with the columns that are the same in a hub built
//! again, and names of what is not granted, is not there, or is not to be done.

use super::expression::{Column, Ty};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A granted table.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Ty)],
}

impl Table {
    /// The columns behind an alias.
    pub fn columns_of(&self, alias: &str) -> Vec<Column> {
        self.columns.iter().map(|(name, ty)| Column { name: format!("{alias}.{name}"), ty: *ty }).collect()
    }
}

/// Any table: mostly released ones, because system tables are small.
pub fn any(rng: &mut ChaCha8Rng) -> &'static Table {
    match rng.random_range(0..100) {
        0..76 => released(rng),
        76..90 => SYSTEM.choose(rng).unwrap_or(&SYSTEM[0]),
        90..99 => SCHEMA.choose(rng).unwrap_or(&SCHEMA[0]),
        // Grows with every statement.
        _ => match rng.random_ratio(1, 10) {
            true => &QUERIES,
            false => released(rng),
        },
    }
}

/// A table that has a past.
pub fn released(rng: &mut ChaCha8Rng) -> &'static Table {
    match rng.random_range(0..10) {
        0..5 => &RELEASED[0],
        5..8 => &RELEASED[1],
        _ => RELEASED[2..].choose(rng).unwrap_or(&RELEASED[0]),
    }
}

/// A column of a table.
pub fn column(rng: &mut ChaCha8Rng, table: &Table) -> (&'static str, Ty) {
    *table.columns.choose(rng).unwrap_or(&table.columns[0])
}

use Ty::{Bool, Date, Decimal, Instant, Int, Text};

const RELEASED: [Table; 5] = [
    Table {
        name: "conformed.widget",
        columns: &[
            ("force", Text),
            ("widget_id", Text),
            ("label", Text),
            ("price", Decimal),
            ("made_on", Date),
            ("stock", Int),
            ("code", Text),
            ("note", Text),
            ("is_new", Bool),
            ("seen_at", Instant),
        ],
    },
    Table {
        name: "conformed.part",
        columns: &[
            ("force", Text),
            ("part_id", Text),
            ("widget_id", Text),
            ("cost", Decimal),
            ("amount", Int),
            ("note", Text),
        ],
    },
    Table {
        name: "marts.spend",
        columns: &[("force", Text), ("label", Text), ("widgets", Int), ("price", Decimal)],
    },
    Table { name: "reference.shade", columns: &[("code", Text), ("name", Text)] },
    Table { name: "conformed.badge", columns: &[("force", Text), ("badge_id", Text), ("holder", Text)] },
];

/// What every hub computes anew: run names, instants, durations and the client's address. They are
/// the only columns in which a hub and the same hub built again differ.
pub const CHANCE: [(&str, &[&str]); 10] = [
    ("hub.loads", &["loaded_at"]),
    ("hub.findings", &[]),
    ("hub.quarantine", &[]),
    ("hub.runs", &["run", "started_at", "finished_at"]),
    ("hub.steps", &["run", "started_at", "finished_at", "duration_ms", "bytes"]),
    ("hub.checks", &["run"]),
    ("hub.check_failures", &["run", "failed_at"]),
    ("hub.releases", &["published_at", "run"]),
    ("hub.coverage", &["since", "as_of"]),
    ("hub.lineage", &[]),
];

const SYSTEM: [Table; 9] = [
    Table {
        name: "hub.loads",
        columns: &[
            ("force", Text),
            ("source", Text),
            ("entity", Text),
            ("load", Int),
            ("file", Text),
            ("source_rows", Int),
            ("received_rows", Int),
            ("accepted_rows", Int),
            ("quarantined_rows", Int),
            ("in_quarantine_rows", Int),
            ("inserted_rows", Int),
            ("changed_rows", Int),
            ("deleted_rows", Int),
            ("whole", Text),
            ("sums", Text),
        ],
    },
    Table {
        name: "hub.quarantine",
        columns: &[
            ("force", Text),
            ("source", Text),
            ("entity", Text),
            ("load", Int),
            ("file", Text),
            ("row", Int),
            ("column_name", Text),
            ("reason", Text),
            ("detail", Text),
            ("raw", Text),
        ],
    },
    Table {
        name: "hub.runs",
        columns: &[
            ("pipeline", Text),
            ("slot", Instant),
            ("attempt", Int),
            ("outcome", Text),
            ("release", Int),
            ("steps", Int),
            ("failed_steps", Int),
        ],
    },
    Table {
        name: "hub.steps",
        columns: &[
            ("pipeline", Text),
            ("step", Int),
            ("force", Text),
            ("kind", Text),
            ("name", Text),
            ("outcome", Text),
            ("rows", Int),
            ("message", Text),
        ],
    },
    Table {
        name: "hub.checks",
        columns: &[
            ("force", Text),
            ("model", Text),
            ("rule", Text),
            ("severity", Text),
            ("failing", Int),
            ("checked", Int),
        ],
    },
    Table {
        name: "hub.check_failures",
        columns: &[("force", Text), ("model", Text), ("rule", Text), ("severity", Text), ("row", Text)],
    },
    Table {
        name: "hub.releases",
        columns: &[("release", Int), ("force", Text), ("status", Text), ("since", Instant), ("why", Text)],
    },
    Table {
        name: "hub.coverage",
        columns: &[
            ("force", Text),
            ("dataset", Text),
            ("status", Text),
            ("why", Text),
            ("rows", Int),
            ("received_rows", Int),
            ("quarantined_rows", Int),
            ("release", Int),
            ("late", Text),
        ],
    },
    Table {
        name: "hub.lineage",
        columns: &[
            ("table_name", Text),
            ("system", Text),
            ("column_name", Text),
            ("from_table", Text),
            ("from_column", Text),
            ("how", Text),
        ],
    },
];

const QUERIES: Table = Table {
    name: "hub.queries",
    columns: &[
        ("query", Int),
        ("principal", Text),
        ("release", Int),
        ("tables", Text),
        ("forces", Text),
        ("outcome", Text),
        ("rows", Int),
    ],
};

const SCHEMA: [Table; 3] = [
    Table {
        name: "information_schema.tables",
        columns: &[("table_schema", Text), ("table_name", Text), ("table_type", Text)],
    },
    Table {
        name: "information_schema.columns",
        columns: &[
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("data_type", Text),
            ("is_nullable", Text),
        ],
    },
    Table { name: "information_schema.schemata", columns: &[("catalog_name", Text), ("schema_name", Text)] },
];

/// Names of what is not granted or not there.
pub const STRANGE: &[&str] = &[
    "marts.league",
    "conformed.nothing",
    "raw.widget",
    "raw.birch",
    "\"raw/birch/birch_acme/widget\"",
    "staging.widget",
    "quarantine.widget",
    "birch.widget",
    "conformed.widget_birch",
    "\"Conformed\".\"Widget\"",
    "\"conformed.widget\"",
    "conformed.\"widget \"",
    "conformed.\" widget\"",
    "conformed.wídget",
    "conformed.ｗｉｄｇｅｔ",
    "muster.marts.league",
    "other.conformed.widget",
    "a.b.c.d",
    "information_schema.df_settings",
    "information_schema.\"DF_SETTINGS\"",
    "hub.users",
    "hub.tokens",
    "sqlite_master",
    "conformed.widget version as of 99",
    "marts.league version as of 1",
    "hub.runs version as of 1",
];

/// Ways to files, to other people's objects and to settings.
pub const FORBIDDEN: &[&str] = &[
    "select * from read_parquet('lake/conformed/widget')",
    "select * from read_csv('drop/birch/widget_1.csv')",
    "select * from parquet_scan('x.parquet')",
    "select * from parquet_metadata('x.parquet')",
    "select * from 'drop/birch/widget_1.csv'",
    "select * from '../lake/conformed/widget/force=birch'",
    "select * from \"drop/birch/widget_1.csv\"",
    "select * from \"file:///etc/passwd\"",
    "select * from \"s3://bucket/x.parquet\"",
    "select input_file_name() from conformed.widget",
    "select file_row_index() from conformed.widget",
    "select pg_read_file('/etc/passwd')",
    "create external table x stored as csv location 'drop/birch'",
    "copy conformed.widget to '/tmp/x.csv'",
    "copy (select 1) to 'x.parquet'",
    "create view v as select * from conformed.widget",
    "create table t as select 1",
    "insert into conformed.widget select * from conformed.widget",
    "delete from conformed.widget where force = 'birch'",
    "update conformed.widget set label = 'x'",
    "drop table conformed.widget",
    "analyze conformed.widget",
    "prepare p as select 1",
    "execute p",
    "set datafusion.catalog.information_schema = false",
    "set datafusion.execution.batch_size = 1",
    "set role everything",
    "set session authorization hubert",
    "reset datafusion.execution.batch_size",
    "show all",
    "show datafusion.execution.batch_size",
    "show server_version",
    "explain analyze select * from conformed.widget",
    "explain verbose select * from conformed.widget",
    "explain format tree select widget_id from conformed.widget",
    "describe history conformed.widget",
    "restore table conformed.widget to version as of 1",
    "vacuum conformed.widget",
    "select * from table_changes('conformed.widget', 1)",
    "call system.history('x')",
    "begin",
    "select 1; select 2",
    "select * into x from conformed.widget",
    "select * from conformed.widget tablesample (10 percent)",
    "selec 1",
    "",
];

/// What tools ask first.
pub const SHOWN: &[&str] = &[
    "show tables",
    "show schemas",
    "show databases",
    "show columns from conformed.widget",
    "show columns from marts.league",
    "show functions",
    "show muster.as_of",
    "describe conformed.widget",
    "describe hub.coverage",
    "describe marts.league",
    "describe select * from conformed.widget",
    "select * from information_schema.tables",
    "select * from information_schema.columns",
    "select * from information_schema.schemata",
    "select * from information_schema.views",
    "select * from information_schema.table_constraints",
    "select * from information_schema.key_column_usage",
    "select * from information_schema.constraint_column_usage",
    "select * from information_schema.referential_constraints",
    "select user(), current_user",
    "select count(*) from information_schema.routines",
    "select count(*) from information_schema.parameters",
    "select current_schema()",
    "select version()",
    "select 1 where 0 = 1",
];
