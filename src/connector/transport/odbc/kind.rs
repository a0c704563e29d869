//! What the columns of a database hold, and their texts as cells.

use crate::connector::transport::asked::Shape;
use crate::connector::value::Cell;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// What a column holds, by the name of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Decimal,
    /// A decimal that is written otherwise.
    Money,
    Float,
    Day,
    Time,
    /// A day and time without a zone.
    Local,
    Instant,
    Text,
    Blob,
}

impl Kind {
    /// The kind of a column whose type is written so; `special` comes before what is usual.
    pub(super) fn of(ty: &str, special: &[(&str, Kind)]) -> Self {
        let ty = ty.trim().to_ascii_lowercase();
        let name = ty.split('(').next().unwrap_or_default().trim();
        if let Some((_, kind)) = special.iter().find(|(special, _)| *special == name) {
            return *kind;
        }
        let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
        let has_zone = ty.contains("with time zone") || ty.contains("with local time zone");
        match name {
            _ if begins(&["interval"]) => Kind::Text,
            _ if begins(&["bool"]) => Kind::Bool,
            _ if begins(&["int", "bigint", "smallint", "tinyint", "mediumint", "oid"]) => Kind::Int,
            _ if begins(&["decimal", "numeric", "number", "dec"]) => Kind::Decimal,
            _ if begins(&["float", "double", "real", "binary_float", "binary_double"]) => Kind::Float,
            "date" => Kind::Day,
            _ if begins(&["timestamp"]) && has_zone => Kind::Instant,
            _ if begins(&["timestamp", "datetime", "smalldatetime"]) => Kind::Local,
            _ if begins(&["time"]) && has_zone => Kind::Text,
            _ if begins(&["time"]) => Kind::Time,
            _ if begins(&["bytea", "image", "raw", "long raw"]) => Kind::Blob,
            _ if name.contains("blob") || name.contains("binary") => Kind::Blob,
            _ => Kind::Text,
        }
    }

    /// What counting and cursors care about.
    pub(super) fn shape(self) -> Shape {
        match self {
            Kind::Int | Kind::Decimal | Kind::Money => Shape::Number,
            Kind::Day => Shape::Day,
            Kind::Local => Shape::Local,
            Kind::Instant => Shape::Instant,
            Kind::Bool | Kind::Float | Kind::Time | Kind::Text | Kind::Blob => Shape::Other,
        }
    }

    /// The most characters that a value of a type takes, where the type sets a bound.
    pub(super) fn width(self, ty: &str) -> Option<usize> {
        const LONGEST: usize = 512;
        let declared = || {
            let (_, rest) = ty.split_once('(')?;
            let digits = rest.split([')', ',']).next()?.trim();
            digits.parse::<usize>().ok().filter(|length| *length > 0)
        };
        match self {
            Kind::Bool => Some(8),
            Kind::Int | Kind::Day => Some(32),
            Kind::Time | Kind::Local | Kind::Instant | Kind::Money | Kind::Float => Some(64),
            Kind::Decimal => declared().filter(|digits| *digits <= 60).map(|_| 72),
            Kind::Text => {
                let is_bound = ["char", "varchar", "nvarchar", "nchar", "varchar2", "nvarchar2"];
                let name = ty.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
                let is_bound = is_bound.contains(&name.as_str()) || name.starts_with("character");
                declared().filter(|length| is_bound && *length <= LONGEST)
            }
            Kind::Blob => None,
        }
    }

    /// The cell that a text of this kind is. What cannot be read stays text: the contract judges it.
    pub(super) fn cell<'a>(self, text: &'a str) -> Cell<'a> {
        let typed = match self {
            Kind::Bool => match text {
                "1" | "t" | "true" => Some(Cell::Bool(true)),
                "0" | "f" | "false" => Some(Cell::Bool(false)),
                _ => None,
            },
            Kind::Int => text.parse().ok().map(Cell::Int),
            // The shortest decimal text that means the same float.
            Kind::Float => text.parse::<f64>().ok().map(|float| Cell::Text(float.to_string().into())),
            Kind::Day => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| Cell::Date(days(day))),
            Kind::Time => NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok().map(|time| {
                let micros = i64::from(time.nanosecond() / 1_000);
                Cell::Time(i64::from(time.num_seconds_from_midnight()) * 1_000_000 + micros)
            }),
            Kind::Local => micros(text).map(Cell::Local),
            Kind::Instant => micros(text).map(Cell::Instant),
            Kind::Decimal | Kind::Money | Kind::Text | Kind::Blob => None,
        };
        typed.unwrap_or_else(|| Cell::Text(text.into()))
    }
}

fn days(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days().try_into().unwrap_or(i32::MAX)
}

fn micros(text: &str) -> Option<i64> {
    let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(moment.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_names_of_types() {
        let special = [("date", Kind::Local), ("bit", Kind::Bool)];
        for (ty, kind) in [
            ("character varying(20)", Kind::Text),
            ("bigint(20) unsigned", Kind::Int),
            ("NUMBER(0)", Kind::Decimal),
            ("timestamp without time zone", Kind::Local),
            ("timestamp(3) with time zone", Kind::Instant),
            ("TIMESTAMP(6) WITH LOCAL TIME ZONE(0)", Kind::Instant),
            ("time with time zone", Kind::Text),
            ("time(6) without time zone", Kind::Time),
            ("interval", Kind::Text),
            ("double precision", Kind::Float),
            ("BINARY_DOUBLE", Kind::Float),
            ("varbinary(9)", Kind::Blob),
            ("DATE", Kind::Local),
            ("datetime2(8)", Kind::Local),
            ("bit(1)", Kind::Bool),
            ("", Kind::Text),
        ] {
            assert_eq!(Kind::of(ty, &special), kind, "{ty}");
        }
        assert_eq!(Kind::of("date", &[]), Kind::Day);
    }

    #[test]
    fn widths_are_those_that_types_declare() {
        assert_eq!(Kind::Text.width("varchar(20)"), Some(20));
        assert_eq!(Kind::Text.width("character varying(20)"), Some(20));
        assert_eq!(Kind::Text.width("varchar(-1)"), None);
        assert_eq!(Kind::Text.width("enum('PC')"), None);
        assert_eq!(Kind::Text.width("varchar(8000)"), None);
        assert_eq!((Kind::Decimal.width("numeric(18,2)"), Kind::Decimal.width("numeric")), (Some(72), None));
    }

    #[test]
    fn texts_become_cells_or_stay_texts() {
        let shown = |kind: Kind, text: &str| format!("{:?}", kind.cell(text));
        assert_eq!(shown(Kind::Int, "-7"), "Int(-7)");
        assert_eq!(shown(Kind::Int, "18446744073709551615"), "Text(\"18446744073709551615\")");
        assert_eq!(shown(Kind::Float, "1e-07"), "Text(\"0.0000001\")");
        assert_eq!(shown(Kind::Day, "1970-01-02"), "Date(1)");
        assert_eq!(shown(Kind::Day, "0000-00-00"), "Text(\"0000-00-00\")");
        assert_eq!(shown(Kind::Time, "00:00:01.5"), "Time(1500000)");
        assert_eq!(shown(Kind::Time, "-00:00:01"), "Text(\"-00:00:01\")");
        assert_eq!(shown(Kind::Local, "1970-01-01 00:00:01.000001"), "Local(1000001)");
        assert_eq!(shown(Kind::Decimal, "1.50"), "Text(\"1.50\")");
    }
}
