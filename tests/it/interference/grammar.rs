//! Random statements: a grammar of what analysts and tools write, and of what somebody writes who
//! looks for other people's rows. Most of them work, because a statement that fails early sees little.

use super::expression::{Column, Ty, Writer};
use super::oracle::Question;
use super::tables::{self, Table};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A question, and whether its text fixes the order of the rows.
pub struct Asked {
    pub question: Question,
    pub ordered: bool,
}

/// What can be selected from: its text with the alias, and its columns.
struct Relation {
    sql: String,
    columns: Vec<Column>,
}

/// A query and its columns.
struct Query {
    sql: String,
    types: Vec<Ty>,
    ordered: bool,
}

/// The source of statements: the same seed gives the same ones.
pub struct Grammar {
    rng: ChaCha8Rng,
    instants: Vec<String>,
    /// Numbers the aliases of a statement.
    aliases: usize,
    /// The common table expressions of a statement.
    known: Vec<(String, Vec<Ty>)>,
    /// Whether tables are read as of some time in this statement.
    past: Option<String>,
}

impl Grammar {
    pub fn new(seed: u64, instants: &[String]) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, instants: instants.to_vec(), aliases: 0, known: Vec::new(), past: None }
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts.choose(&mut self.rng).copied().unwrap_or_default()
    }

    /// The next question.
    pub fn next(&mut self) -> Asked {
        (self.aliases, self.past) = (0, None);
        self.known.clear();
        match self.rng.random_range(0..100) {
            0..4 => self.listing(),
            4..7 => self.prepared(),
            7..9 => self.forbidden(),
            9..12 => self.strange_names(),
            12..15 => self.shown(),
            15..18 => Asked { question: Question::Columns(self.statement().sql), ordered: false },
            18..22 => {
                let sql = format!("explain {}", self.statement().sql);
                Asked { question: Question::text(sql), ordered: true }
            }
            22..29 => {
                self.past = Some(self.moment());
                self.rows()
            }
            29..31 => {
                let instant = self.instants.choose(&mut self.rng).cloned();
                let Query { sql, ordered, .. } = self.statement();
                Asked { question: Question::Rows(sql, instant), ordered }
            }
            _ => self.rows(),
        }
    }

    fn rows(&mut self) -> Asked {
        let Query { sql, ordered, .. } = self.statement();
        Asked { question: Question::text(sql), ordered }
    }

    fn moment(&mut self) -> String {
        match self.rng.random_range(0..3) {
            0 => format!("version as of {}", self.rng.random_range(1..=3)),
            _ => {
                let instant = self.instants.choose(&mut self.rng).cloned().unwrap_or_default();
                let local = instant.trim_end_matches('Z').replace('T', " ");
                format!("for system_time as of timestamp '{local}'")
            }
        }
    }

    fn statement(&mut self) -> Query {
        match self.rng.random_range(0..20) {
            0..3 => self.with(),
            3..5 => self.combined(),
            5 => self.counted(),
            _ => self.select(2, None),
        }
    }

    /// `with`, recursive or not.
    fn with(&mut self) -> Query {
        if self.one_in(8) {
            let top = self.rng.random_range(2..9);
            let sql = format!(
                "with recursive r(n) as (select 1 union all select n + 1 from r where n < {top}) \
                 select r.n, count(*) from r left join conformed.widget on stock = r.n * 3 group by r.n order by 1, 2"
            );
            return Query { sql, types: vec![Ty::Int; 2], ordered: true };
        }
        let mut parts = Vec::new();
        for n in 0..self.rng.random_range(1..=2) {
            let query = self.select(1, None);
            // Some hide a table's name.
            let name = if self.one_in(6) { "widget".to_string() } else { format!("c{n}") };
            if self.known.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let names: Vec<String> = (0..query.types.len()).map(|n| format!("x{n}")).collect();
            parts.push(format!("{name}({}) as ({})", names.join(", "), query.sql));
            self.known.push((name, query.types));
        }
        let query = self.select(2, None);
        Query { sql: format!("with {} {}", parts.join(", "), query.sql), ..query }
    }

    /// Two queries of the same columns and what is made of both.
    fn combined(&mut self) -> Query {
        let count = self.rng.random_range(1..=3);
        let types: Vec<Ty> = (0..count).map(|_| self.ty()).collect();
        let (first, second) = (self.select(1, Some(&types)), self.select(1, Some(&types)));
        let operator = self.pick(&["union all", "union", "except", "intersect"]);
        let sql = format!("select * from ({}) {operator} select * from ({})", first.sql, second.sql);
        self.finish(sql, types)
    }

    /// What can be told from statistics.
    fn counted(&mut self) -> Query {
        let table = tables::any(&mut self.rng);
        let column = tables::column(&mut self.rng, table);
        let name = self.name(table);
        let (sql, types) = match self.rng.random_range(0..4) {
            0 => (format!("select count(*) from {name}"), vec![Ty::Int]),
            1 => (format!("select min({0}), max({0}) from {name}", column.0), vec![column.1; 2]),
            2 => (format!("select approx_distinct({}) from {name}", column.0), vec![Ty::Int]),
            _ => (
                format!("select count(*), count({0}) from {name} having count(*) > 0", column.0),
                vec![Ty::Int; 2],
            ),
        };
        Query { sql, types, ordered: true }
    }

    fn ty(&mut self) -> Ty {
        *[Ty::Text, Ty::Text, Ty::Int, Ty::Int, Ty::Decimal, Ty::Date, Ty::Bool, Ty::Instant]
            .choose(&mut self.rng)
            .unwrap_or(&Ty::Int)
    }

    /// A select of `types`, or of whatever comes.
    fn select(&mut self, depth: usize, types: Option<&[Ty]>) -> Query {
        let (from, columns) = self.from(depth);
        let mut filter = String::new();
        if self.rng.random_ratio(1, 2) {
            filter = format!(" where {}", self.condition(&columns, depth));
        }
        match (types, self.rng.random_range(0..10)) {
            (None, 0..3) => self.grouped(&from, &filter, &columns),
            (None, 3) => self.windowed(&from, &filter, &columns),
            (None, 4) if columns.len() < 14 => {
                let types = columns.iter().map(|column| column.ty).collect();
                let distinct = if self.one_in(4) { "distinct " } else { "" };
                // Of system tables and the information schema, not all columns are known here.
                let lower = from.to_lowercase();
                let all = match lower.contains("hub") || lower.contains("schema") {
                    true => columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(", "),
                    false => "*".to_string(),
                };
                self.finish(format!("select {distinct}{all} from {from}{filter}"), types)
            }
            _ => {
                let count = self.rng.random_range(1..=4);
                let types = match types {
                    Some(types) => types.to_vec(),
                    None => (0..count).map(|_| self.ty()).collect(),
                };
                let items: Vec<String> = types.iter().map(|ty| self.item(*ty, &columns, depth)).collect();
                let distinct = if self.one_in(8) { "distinct " } else { "" };
                self.finish(format!("select {distinct}{} from {from}{filter}", items.join(", ")), types)
            }
        }
    }

    fn item(&mut self, ty: Ty, columns: &[Column], depth: usize) -> String {
        if depth > 0 && self.one_in(15) && ty == Ty::Int {
            return self.scalar(columns);
        }
        let text = self.write(columns).any(ty, 2);
        self.aliases += 1;
        match self.rng.random_range(0..20) {
            0 => format!("{text} as \"Größe {}\"", self.aliases),
            1..4 => text,
            _ => format!("{text} as y{}", self.aliases),
        }
    }

    fn write<'a>(&'a mut self, columns: &'a [Column]) -> Writer<'a> {
        Writer { rng: &mut self.rng, columns }
    }

    /// A subquery with one value, which may be of the outer row.
    fn scalar(&mut self, columns: &[Column]) -> String {
        let table = tables::released(&mut self.rng);
        let (name, alias) = (self.name(table), self.alias());
        let same = |ty| columns.iter().find(|column| column.ty == ty).map(|column| column.name.clone());
        let inner = table.columns.iter().find(|(_, ty)| *ty == Ty::Text).map(|(name, _)| name);
        match (same(Ty::Text), inner) {
            (Some(outer), Some(inner)) if self.one_in(2) => {
                format!("(select count(*) from {name} {alias} where {alias}.{inner} = {outer})")
            }
            _ => format!("(select count(*) from {name} {alias})"),
        }
    }

    fn condition(&mut self, columns: &[Column], depth: usize) -> String {
        if depth == 0 || !self.one_in(6) {
            return self.write(columns).truth(2);
        }
        let table = tables::released(&mut self.rng);
        let (name, alias) = (self.name(table), self.alias());
        let column = tables::column(&mut self.rng, table);
        let not = self.pick(&["", "not "]);
        let outer = self.write(columns).any(column.1, 1);
        let inner: Vec<Column> = table.columns_of(&alias);
        let filter = self.write(&inner).truth(1);
        match self.rng.random_range(0..3) {
            0 => format!(
                "{not}exists (select 1 from {name} {alias} where {alias}.{} = {outer} and {filter})",
                column.0
            ),
            1 => format!("{outer} {not}in (select {alias}.{} from {name} {alias} where {filter})", column.0),
            _ => format!(
                "(select count(*) from {name} {alias} where {filter}) > {}",
                self.rng.random_range(0..30)
            ),
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn from(&mut self, depth: usize) -> (String, Vec<Column>) {
        let Relation { mut sql, mut columns } = self.relation(depth);
        let more = match self.rng.random_range(0..10) {
            0..6 => 0,
            6..9 => 1,
            _ => 2,
        };
        for _ in 0..if depth == 0 { 0 } else { more } {
            if self.one_in(14) {
                let alias = self.alias();
                if let Some(outer) = columns.iter().find(|column| column.name.ends_with(".widget_id")) {
                    sql = format!(
                        "{sql} cross join lateral (select count(*) as n from conformed.part where part.widget_id = {}) {alias}",
                        outer.name
                    );
                    columns.push(Column { name: format!("{alias}.n"), ty: Ty::Int });
                    continue;
                }
            }
            let other = self.relation(depth - 1);
            let on = self.on(&columns, &other.columns);
            let kind = self.pick(&[
                "join",
                "join",
                "left join",
                "right join",
                "full join",
                "left semi join",
                "left anti join",
            ]);
            sql = format!("{sql} {kind} {} on {on}", other.sql);
            if !kind.ends_with("semi join") && !kind.ends_with("anti join") {
                columns.extend(other.columns);
            }
        }
        (sql, columns)
    }

    /// Equality of two columns of one type; never a product of two tables.
    fn on(&mut self, left: &[Column], right: &[Column]) -> String {
        let mut pairs = Vec::new();
        for a in left {
            for b in right.iter().filter(|b| b.ty == a.ty && a.ty != Ty::Bool) {
                let same = a.name.split('.').next_back() == b.name.split('.').next_back();
                let force = a.name.ends_with(".force") || b.name.ends_with(".force");
                pairs.extend(std::iter::repeat_n(
                    (a, b),
                    if same && !force { 8 } else { usize::from(!force) },
                ));
            }
        }
        let Some((a, b)) = pairs.choose(&mut self.rng) else { return "false".into() };
        let mut on = format!("{} = {}", a.name, b.name);
        if self.one_in(5) {
            let both: Vec<Column> = left.iter().chain(right).cloned().collect();
            on = format!("{on} and {}", self.write(&both).truth(1));
        }
        on
    }

    fn relation(&mut self, depth: usize) -> Relation {
        let alias = self.alias();
        let choice = self.rng.random_range(0..20);
        if choice < 3 && !self.known.is_empty() {
            let (name, types) = self.known.choose(&mut self.rng).cloned().unwrap_or_default();
            return Relation { sql: format!("{name} {alias}"), columns: named(&alias, &types) };
        }
        if choice < 5 && depth > 0 {
            let Query { sql, types, .. } = self.select(depth - 1, None);
            let names: Vec<String> = (0..types.len()).map(|n| format!("x{n}")).collect();
            let sql = format!("({sql}) {alias}({})", names.join(", "));
            return Relation { sql, columns: named(&alias, &types) };
        }
        if choice == 5 {
            let values = ["(1, 'ash'), (2, 'a01'), (3, null)", "(5, '5')", "(0, 'birch'), (1, 'kestrel1')"];
            let sql = format!("(values {}) {alias}(x0, x1)", self.pick(&values));
            return Relation { sql, columns: named(&alias, &[Ty::Int, Ty::Text]) };
        }
        if choice == 6 {
            let top = self.rng.random_range(1..20);
            let sql = format!("generate_series(1, {top}) {alias}(x0)");
            return Relation { sql, columns: named(&alias, &[Ty::Int]) };
        }
        let table = match self.past {
            Some(_) => tables::released(&mut self.rng),
            None => tables::any(&mut self.rng),
        };
        Relation { sql: format!("{} {alias}", self.name(table)), columns: table.columns_of(&alias) }
    }

    /// A table's name, written in one of the ways that mean the same, with its point in time.
    fn name(&mut self, table: &Table) -> String {
        let (schema, name) = table.name.split_once('.').unwrap_or_default();
        let hidden = self.known.iter().any(|(known, _)| known == name);
        let written = match self.rng.random_range(0..12) {
            0 => format!("muster.{schema}.{name}"),
            1 => format!("\"{schema}\".\"{name}\""),
            2 => format!("{}.{}", schema.to_uppercase(), name.to_uppercase()),
            3 if schema == "conformed" && !hidden => name.to_string(),
            _ => table.name.to_string(),
        };
        match &self.past {
            Some(moment) if self.rng.random_ratio(2, 3) => format!("{written} {moment}"),
            _ => written,
        }
    }

    fn grouped(&mut self, from: &str, filter: &str, columns: &[Column]) -> Query {
        let mut types = Vec::new();
        let mut keys = Vec::new();
        for _ in 0..self.rng.random_range(0..=2) {
            let ty = self.ty();
            let key = self.write(columns).any(ty, 1);
            // A constant would be read as the number of a column, or be no key at all.
            if columns.iter().any(|column| key.contains(&column.name)) && !keys.contains(&key) {
                keys.push(key);
                types.push(ty);
            }
        }
        let mut items = keys.clone();
        for _ in 0..self.rng.random_range(1..=2) {
            let (aggregate, ty) = self.write(columns).aggregate();
            self.aliases += 1;
            items.push(format!("{aggregate} as y{}", self.aliases));
            types.push(ty);
        }
        let by = match (keys.len(), self.rng.random_range(0..6)) {
            (0, _) => String::new(),
            (_, 0) => format!(" group by rollup({})", keys.join(", ")),
            (2, 1) => format!(" group by grouping sets (({}), ({}), ())", keys[0], keys[1]),
            _ => format!(" group by {}", keys.join(", ")),
        };
        let having = match self.one_in(6) {
            true => format!(" having {} > {}", self.write(columns).count(), self.rng.random_range(0..4)),
            false => String::new(),
        };
        self.finish(format!("select {} from {from}{filter}{by}{having}", items.join(", ")), types)
    }

    /// Functions whose value does not depend on the order of equal rows.
    fn windowed(&mut self, from: &str, filter: &str, columns: &[Column]) -> Query {
        let ty = self.ty();
        let (first, by) = (self.write(columns).any(ty, 1), self.write(columns).any(Ty::Text, 1));
        let order = self.write(columns).any(Ty::Int, 1);
        let number = self.write(columns).column(Ty::Int);
        let (window, result) = match self.rng.random_range(0..5) {
            0 => (format!("rank() over (order by {order})"), Ty::Int),
            1 => (format!("dense_rank() over (partition by {by} order by {order})"), Ty::Int),
            2 => (format!("count(*) over (partition by {by})"), Ty::Int),
            3 => (format!("max({number}) over (partition by {by} order by {order})"), Ty::Int),
            _ => (format!("sum({number}) over (order by {order})"), Ty::Int),
        };
        self.finish(format!("select {first}, {window} from {from}{filter}"), vec![ty, result])
    }

    /// Sometimes an order, which is of all columns, and then sometimes a part of the rows.
    fn finish(&mut self, sql: String, types: Vec<Ty>) -> Query {
        if !self.rng.random_ratio(2, 5) {
            return Query { sql, types, ordered: false };
        }
        let mut order = Vec::new();
        for n in 1..=types.len() {
            let direction = self.pick(&["", "", " desc", " nulls first", " desc nulls last"]);
            order.push(format!("{n}{direction}"));
        }
        let mut sql = format!("{sql} order by {}", order.join(", "));
        if self.one_in(2) {
            sql += &format!(" limit {}", self.rng.random_range(0..12));
            if self.one_in(3) {
                sql += &format!(" offset {}", self.rng.random_range(0..6));
            }
        }
        Query { sql, types, ordered: true }
    }

    fn prepared(&mut self) -> Asked {
        let (text, number) = (
            self.pick(&["ash", "birch", "a01", "kestrel1", "5", "2026-02-03", "1 day", "("]).to_string(),
            self.rng.random_range(-2..40),
        );
        let mut of = |choices: &[&str]| self.pick(choices).to_string();
        let sql = match of(&["text", "number", "both"]).as_str() {
            "text" => of(&[
                "select widget_id, label from conformed.widget where force = ?",
                "select count(*) from conformed.widget where widget_id >= ?",
                "select widget_id from conformed.widget where cast(code as date) > cast(? as date)",
                "select widget_id from conformed.widget where regexp_like(label, ?)",
                "select * from hub.coverage_none where force = ?",
            ]),
            "number" => of(&[
                "select widget_id, stock / ? from conformed.widget",
                "select widget_id from conformed.widget where stock > $1 and cast(label as bigint) < $1",
                "select part_id from conformed.part where amount = ? union all select widget_id from conformed.widget",
            ]),
            _ => of(&[
                "select widget_id from conformed.widget where force = $2 and stock > $1",
                "select ?, ? || widget_id from conformed.widget",
                "select force, count(*) from marts.spend where widgets > ? and label <> ? group by force",
            ]),
        };
        let one: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        let two: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let columns = match (
            sql.contains("$2") || sql.matches('?').count() == 2,
            sql.contains("stock") || sql.contains("amount"),
        ) {
            (true, _) => vec![("1", one), ("2", two)],
            (false, true) => vec![("1", one)],
            (false, false) => vec![("1", two)],
        };
        let values = RecordBatch::try_from_iter(columns).unwrap();
        Asked { question: Question::Prepared(sql, values), ordered: false }
    }

    fn listing(&mut self) -> Asked {
        let patterns =
            ["%", "conformed", "marts", "hub", "_idget", "widget", "league", "raw", "%r%", "birch", ""];
        let mut pattern = || match self.one_in(3) {
            true => None,
            false => Some(self.pick(&patterns).to_string()),
        };
        let (schema, table) = (pattern(), pattern());
        let question = match self.rng.random_range(0..10) {
            0 => Question::listing(&CommandGetCatalogs {}),
            1 => Question::listing(&CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: schema }),
            2 => Question::listing(&CommandGetTableTypes {}),
            3 => Question::listing(&CommandGetSqlInfo { info: vec![] }),
            4 => Question::listing(&CommandGetXdbcTypeInfo { data_type: None }),
            5 => Question::listing(&CommandGetPrimaryKeys {
                catalog: None,
                db_schema: schema,
                table: table.unwrap_or_default(),
            }),
            6 => Question::listing(&CommandGetExportedKeys {
                catalog: None,
                db_schema: schema,
                table: table.unwrap_or_default(),
            }),
            7 => Question::listing(&CommandGetImportedKeys {
                catalog: None,
                db_schema: schema,
                table: table.unwrap_or_default(),
            }),
            _ => Question::listing(&CommandGetTables {
                catalog: None,
                db_schema_filter_pattern: schema,
                table_name_filter_pattern: table,
                table_types: vec![],
                include_schema: self.one_in(2),
            }),
        };
        Asked { question, ordered: true }
    }

    fn forbidden(&mut self) -> Asked {
        Asked { question: Question::text(self.pick(tables::FORBIDDEN)), ordered: true }
    }

    fn strange_names(&mut self) -> Asked {
        let name = self.pick(tables::STRANGE);
        let sql = match self.rng.random_range(0..4) {
            0 => format!("select * from {name}"),
            1 => format!("select count(*) from {name} x join conformed.widget y on true"),
            2 => format!("select widget_id from conformed.widget where widget_id in (select 1 from {name})"),
            _ => format!("describe {name}"),
        };
        Asked { question: Question::text(sql), ordered: false }
    }

    fn shown(&mut self) -> Asked {
        if self.one_in(4) {
            // What is set holds for the statements that follow.
            let instant = self.instants.choose(&mut self.rng).cloned().unwrap_or_default();
            let sql = match self.one_in(3) {
                true => format!("set muster.as_of = '{instant}'"),
                false => "reset muster.as_of".to_string(),
            };
            return Asked { question: Question::text(sql), ordered: true };
        }
        Asked { question: Question::text(self.pick(tables::SHOWN)), ordered: false }
    }
}

/// Columns `x0`, `x1`, … of a relation that has no names of its own.
fn named(alias: &str, types: &[Ty]) -> Vec<Column> {
    let column = |(n, ty): (usize, &Ty)| Column { name: format!("{alias}.x{n}"), ty: *ty };
    types.iter().enumerate().map(column).collect()
}
