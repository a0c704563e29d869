//! Random expressions. Many of them work on every row of one's own and fail on most of the other
//! force's: if those were ever evaluated, the statement would end in an error.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The types of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Text,
    Int,
    Decimal,
    Date,
    Instant,
    Bool,
}

/// A column that can be named, with its alias.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: Ty,
}

/// Writes expressions over some columns.
pub struct Writer<'a> {
    pub rng: &'a mut ChaCha8Rng,
    pub columns: &'a [Column],
}

impl Writer<'_> {
    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts.choose(self.rng).copied().unwrap_or_default()
    }

    /// A column of the type; a constant if there is none.
    pub fn column(&mut self, ty: Ty) -> String {
        let fitting: Vec<&Column> = self.columns.iter().filter(|column| column.ty == ty).collect();
        match fitting.choose(self.rng) {
            Some(column) => column.name.clone(),
            None => self.constant(ty),
        }
    }

    /// A column whose name ends like this, if there is one.
    fn named(&mut self, end: &str) -> Option<String> {
        let fitting: Vec<&Column> = self.columns.iter().filter(|column| column.name.ends_with(end)).collect();
        fitting.choose(self.rng).map(|column| column.name.clone())
    }

    fn constant(&mut self, ty: Ty) -> String {
        match ty {
            Ty::Text => self
                .pick(&[
                    "'ash'",
                    "'a07'",
                    "'5'",
                    "'2026-02-03'",
                    "''",
                    "'wren 2'",
                    "'birch'",
                    "'kestrel1'",
                    "null",
                ])
                .into(),
            Ty::Int => self.rng.random_range(-3..120).to_string(),
            Ty::Decimal => format!("{}.25", self.rng.random_range(0..40)),
            Ty::Date => {
                format!("date '2026-0{}-1{}'", self.rng.random_range(1..4), self.rng.random_range(0..10))
            }
            Ty::Instant => format!("timestamp '2026-03-1{} 08:30:00Z'", self.rng.random_range(0..10)),
            Ty::Bool => self.pick(&["true", "false", "null"]).into(),
        }
    }

    /// An expression of the type.
    pub fn any(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.rng.random_ratio(2, 5) {
            return if self.rng.random_ratio(5, 6) { self.column(ty) } else { self.constant(ty) };
        }
        if self.rng.random_ratio(1, 12) {
            let (then, otherwise) = (self.any(ty, depth - 1), self.any(ty, depth - 1));
            return match self.rng.random_range(0..3) {
                0 => format!("coalesce({then}, {otherwise})"),
                1 => format!("nullif({then}, {otherwise})"),
                _ => format!("case when {} then {then} else {otherwise} end", self.truth(depth - 1)),
            };
        }
        match ty {
            Ty::Text => self.text(depth - 1),
            Ty::Int => self.int(depth - 1),
            Ty::Decimal => self.decimal(depth - 1),
            Ty::Date => self.date(depth - 1),
            Ty::Instant => self.instant(depth - 1),
            Ty::Bool => self.truth(depth - 1),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        let inner = self.any(Ty::Text, depth);
        match self.rng.random_range(0..10) {
            0 => format!("upper({inner})"),
            1 => format!("substr({inner}, {})", self.rng.random_range(1..4)),
            2 => format!("{inner} || {}", self.any(Ty::Text, depth)),
            3 => format!("replace({inner}, 'a', '{}')", self.pick(&["b", "", "xx"])),
            4 => format!("cast({} as varchar)", self.any(Ty::Int, depth)),
            5 => format!("cast({} as varchar)", self.any(Ty::Date, depth)),
            6 => format!("reverse({inner})"),
            7 => format!("concat({inner}, '-', {})", self.any(Ty::Int, depth)),
            8 => format!("left({inner}, {})", self.rng.random_range(0..5)),
            _ => format!("regexp_replace({inner}, '[0-9]', 'n')"),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let inner = self.any(Ty::Int, depth);
        match self.rng.random_range(0..14) {
            0 => format!("({inner} + {})", self.any(Ty::Int, depth)),
            1 => format!("({inner} * {})", self.any(Ty::Int, depth)),
            2 => format!("({inner} - {})", self.any(Ty::Int, depth)),
            3 => format!("length({})", self.any(Ty::Text, depth)),
            4 => format!("abs({inner})"),
            5 => format!("cast(extract(day from {}) as bigint)", self.any(Ty::Date, depth)),
            // Works on one's own labels and stock only.
            6 | 7 => match self.named(".label") {
                Some(label) => format!("cast({label} as bigint)"),
                None => inner,
            },
            8 | 9 => match self.named(".stock") {
                Some(stock) => format!("({stock} * {stock} + {inner})"),
                None => inner,
            },
            10 => match self.named(".stock") {
                Some(stock) => format!("(1000 / {stock})"),
                None => inner,
            },
            11 => format!("strpos({}, 'a')", self.any(Ty::Text, depth)),
            12 if self.rng.random_ratio(1, 4) => format!("({inner} / ({inner} - {inner}))"),
            13 => format!("make_array(1, 2, 3)[{}]", self.rng.random_range(0..5)),
            _ => format!("({inner} % 7)"),
        }
    }

    fn decimal(&mut self, depth: usize) -> String {
        let inner = self.column(Ty::Decimal);
        match self.rng.random_range(0..6) {
            0 => format!("({inner} + {})", self.any(Ty::Decimal, depth)),
            1 => format!("({inner} * 2)"),
            2 => format!("abs({inner})"),
            3 => match self.named(".price") {
                // No price of one's own is zero.
                Some(price) => format!("cast(100 / {price} as decimal(18, 2))"),
                None => inner,
            },
            4 => format!("cast({} as decimal(18, 2))", self.any(Ty::Int, depth)),
            _ => format!("cast({inner} as decimal(12, 1))"),
        }
    }

    fn date(&mut self, depth: usize) -> String {
        match self.rng.random_range(0..4) {
            0 | 1 => match self.named(".code") {
                Some(code) => format!("cast({code} as date)"),
                None => self.column(Ty::Date),
            },
            2 => format!("cast({} as date)", self.any(Ty::Instant, depth)),
            _ => format!("({} + interval '1 day')", self.column(Ty::Date)),
        }
    }

    fn instant(&mut self, depth: usize) -> String {
        match self.rng.random_range(0..4) {
            0 => match self.named(".code") {
                Some(code) => format!("cast({code} as timestamp with time zone)"),
                None => self.column(Ty::Instant),
            },
            1 => format!("date_trunc('month', {})", self.any(Ty::Instant, depth)),
            2 => format!("cast({} as timestamp with time zone)", self.column(Ty::Date)),
            _ => self.column(Ty::Instant),
        }
    }

    /// A condition.
    pub fn truth(&mut self, depth: usize) -> String {
        let ty =
            *[Ty::Text, Ty::Int, Ty::Decimal, Ty::Date, Ty::Instant].choose(self.rng).unwrap_or(&Ty::Int);
        let next = depth.saturating_sub(1);
        match self.rng.random_range(0..16) {
            0 | 1 if depth > 0 => format!("({} and {})", self.truth(next), self.truth(next)),
            2 | 3 if depth > 0 => format!("({} or {})", self.truth(next), self.truth(next)),
            4 if depth > 0 => format!("not {}", self.truth(next)),
            5 => format!("{} is not null", self.any(ty, next)),
            6 => format!("{} is null", self.any(ty, next)),
            7 => format!("{} in ({}, {})", self.any(ty, next), self.constant(ty), self.constant(ty)),
            8 => format!("{} between {} and {}", self.any(ty, next), self.constant(ty), self.any(ty, next)),
            9 => {
                format!("{} like '%{}%'", self.any(Ty::Text, next), self.pick(&["a", "1", "wr_n", "kestrel"]))
            }
            10 => match (self.named(".label"), self.named(".note")) {
                // The other force's notes are no patterns.
                (Some(label), Some(note)) => format!("({label} is null or not regexp_like({label}, {note}))"),
                _ => self.column(Ty::Bool),
            },
            11 => match self.named(".force") {
                Some(force) => {
                    format!("{force} {} '{}'", self.pick(&["=", "<>"]), self.pick(&["ash", "birch"]))
                }
                None => self.column(Ty::Bool),
            },
            12 => self.column(Ty::Bool),
            13 if self.rng.random_ratio(1, 8) => match self.named(".note") {
                // Fails on one's own rows as well.
                Some(note) => format!("cast({note} as int) > 0"),
                None => "1 / 0 = 1".into(),
            },
            _ => {
                let operator = self.pick(&["=", "<>", "<", "<=", ">", ">=", ">", "<="]);
                format!("{} {operator} {}", self.any(ty, next), self.any(ty, next))
            }
        }
    }

    /// A count.
    pub fn count(&mut self) -> String {
        match self.rng.random_range(0..3) {
            0 => "count(*)".into(),
            1 => format!("count({})", self.column(Ty::Text)),
            _ => format!("count(distinct {})", self.column(Ty::Int)),
        }
    }

    /// A function of many rows whose value does not depend on their order.
    pub fn aggregate(&mut self) -> (String, Ty) {
        let ty = *[Ty::Text, Ty::Int, Ty::Decimal, Ty::Date].choose(self.rng).unwrap_or(&Ty::Int);
        let filter = match self.rng.random_ratio(1, 8) {
            true => format!(" filter (where {})", self.truth(1)),
            false => String::new(),
        };
        match self.rng.random_range(0..9) {
            0 => (format!("min({}){filter}", self.any(ty, 1)), ty),
            1 => (format!("max({}){filter}", self.any(ty, 1)), ty),
            2 => (format!("sum({}){filter}", self.any(Ty::Int, 1)), Ty::Int),
            3 => (format!("cast(sum({}) as decimal(18, 2))", self.column(Ty::Decimal)), Ty::Decimal),
            4 => (format!("approx_distinct({}){filter}", self.column(ty)), Ty::Int),
            5 => (format!("bool_or({})", self.truth(1)), Ty::Bool),
            6 => {
                let text = self.column(Ty::Text);
                (format!("string_agg({text}, ',' order by {text})"), Ty::Text)
            }
            7 => (format!("cast(avg({}) as decimal(18, 2))", self.column(Ty::Decimal)), Ty::Decimal),
            _ => (format!("{}{filter}", self.count()), Ty::Int),
        }
    }
}
