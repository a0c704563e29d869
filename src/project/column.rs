//! One column of a contract.

use super::pattern::{Says, chrono_pattern};
use super::reader::{SLUG, Section, Text, is_slug};
use super::recast::{self, Lists};
use crate::connector;
use crate::connector::contract::{Column, NumberForm, Origin, Type};
use crate::error::known;
use chrono_tz::Tz;

const TYPES: [&str; 7] = ["text", "bool", "int", "decimal(p,s)", "date", "time", "timestamp"];

/// The column called `name`; a type that is wrong is reported and read as text.
pub(super) fn check(name: &Text<'_>, section: &mut Section<'_>, lists: &Lists) -> Column {
    if !is_slug(name.value) {
        section.wrong(format!("column \"{}\" is not a slug", name.value), SLUG);
    }
    let list = |texts: Vec<Text<'_>>| texts.into_iter().map(|t| t.value.to_string()).collect::<Vec<_>>();
    let (from, origin) = recast::origin(name.value, section);
    let so_far = section.problems();
    let mut column = Column {
        name: name.value.into(),
        from,
        origin,
        ty: ty(section).unwrap_or(Type::Text),
        recast: recast::recast(section, lists),
        required: section.bool("required").unwrap_or(false),
        optional: section.bool("optional").unwrap_or(false),
        one_of: list(section.texts("one_of")),
        open_ended: list(section.texts("open_ended")),
        null: list(section.texts("null")),
        place: None,
    };
    if !matches!(column.ty, Type::Date { .. }) && !column.open_ended.is_empty() {
        section.problem(section.place("open_ended"), "open_ended is for dates", ());
    }
    if column.required && column.optional {
        section.problem(section.place("optional"), "a required column cannot be optional", ());
    }
    if section.problems() == so_far
        && let Err(error) = connector::check_column(&column)
    {
        section.problem(section.place("default"), error.to_string(), ());
    }
    column.optional |= column.origin != Origin::Cell;
    column
}

fn ty(section: &mut Section<'_>) -> Option<Type> {
    let text = section.required("type", "\"text\"");
    let (format, zone, form) = (section.one_or_more("format"), section.text("zone"), section.text("form"));
    let text = text?;
    let ty = match text.value {
        "text" => Type::Text,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "date" => Type::Date { patterns: patterns(section, &format, "yyyy-MM-dd", Says::Day) },
        "time" => Type::Time { pattern: pattern(section, format.first(), "HH:mm:ss", Says::Time) },
        "timestamp" => Type::Timestamp {
            patterns: patterns(section, &format, "yyyy-MM-dd HH:mm:ss", Says::Both),
            zone: time_zone(section, &zone),
        },
        decimal if decimal.starts_with("decimal") => self::decimal(section, &text, &form)?,
        other => {
            section.problem(text.span, format!("unknown type \"{other}\""), known("types", other, TYPES));
            return None;
        }
    };
    for (key, given, fits) in [
        (
            "format",
            &format.first().cloned(),
            matches!(ty, Type::Date { .. } | Type::Time { .. } | Type::Timestamp { .. }),
        ),
        ("zone", &zone, matches!(ty, Type::Timestamp { .. })),
        ("form", &form, matches!(ty, Type::Decimal { .. })),
    ] {
        if let (Some(given), false) = (given, fits) {
            section.problem(
                given.span.clone(),
                format!("\"{key}\" means nothing for type {}", text.value),
                (),
            );
        }
    }
    Some(ty)
}

fn decimal(section: &Section<'_>, text: &Text<'_>, form: &Option<Text<'_>>) -> Option<Type> {
    let digits = || {
        let (precision, scale) = text
            .value
            .strip_prefix("decimal")?
            .trim()
            .strip_prefix('(')?
            .strip_suffix(')')?
            .split_once(',')?;
        let (precision, scale) = (precision.trim().parse::<u8>().ok()?, scale.trim().parse::<i8>().ok()?);
        let fits = (1..=38).contains(&precision) && scale >= 0 && scale as u8 <= precision;
        fits.then_some((precision, scale))
    };
    let Some((precision, scale)) = digits() else {
        let hint =
            "decimal(p,s): p digits in all, 1 to 38, s of them behind the point; for example decimal(18,2)";
        section.problem(text.span.clone(), format!("unknown type \"{}\"", text.value), hint);
        return None;
    };
    let form = form.as_ref().map_or(NumberForm::Plain, |form| match form.value {
        "plain" => NumberForm::Plain,
        "ledger" => NumberForm::Ledger,
        other => {
            let hint = known("forms", other, ["plain", "ledger"]);
            section.problem(form.span.clone(), format!("unknown form \"{other}\""), hint);
            NumberForm::Plain
        }
    });
    Some(Type::Decimal { precision, scale, form })
}

fn patterns(section: &Section<'_>, formats: &[Text<'_>], default: &str, says: Says) -> Vec<String> {
    match formats.is_empty() {
        true => vec![pattern(section, None, default, says)],
        false => formats.iter().map(|format| pattern(section, Some(format), default, says)).collect(),
    }
}

fn pattern(section: &Section<'_>, format: Option<&Text<'_>>, default: &str, says: Says) -> String {
    let vendor = format.map_or(default, |format| format.value);
    chrono_pattern(vendor, says).unwrap_or_else(|(message, hint)| {
        let span = format.map_or(section.span.clone(), |format| format.span.clone());
        section.problem(span, message, hint);
        String::new()
    })
}

fn time_zone(section: &Section<'_>, zone: &Option<Text<'_>>) -> Tz {
    let Some(zone) = zone else {
        section.wrong(
            "a timestamp needs the zone of the source's clock",
            "for example zone = \"Europe/London\"",
        );
        return Tz::UTC;
    };
    zone.value.parse().unwrap_or_else(|_| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name());
        section.problem(
            zone.span.clone(),
            format!("unknown zone \"{}\"", zone.value),
            known("zones", zone.value, names),
        );
        Tz::UTC
    })
}
