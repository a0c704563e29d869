//! What the values of a column are, by the reader that will read them.

use super::ColumnSketch;
use super::align::Aligned;
use super::sample::Sample;
use crate::connector::contract::{Column, NumberForm, Origin, Recast, Type};
use crate::connector::names::plain;
use crate::connector::value::{Cell, Reader};
use std::collections::BTreeSet;

/// How dates are written, the likeliest first: as contracts write it, and as chrono does.
const DATES: [(&str, &str, &str); 9] = [
    ("dd/MM/yyyy", "%d/%m/%Y", "01/04/2024"),
    ("yyyy-MM-dd", "%Y-%m-%d", "2024-04-01"),
    ("dd-MON-yyyy", "%d-%b-%Y", "01-APR-2024"),
    ("dd/MM/yy", "%d/%m/%y", "01/04/24"),
    ("dd-MON-yy", "%d-%b-%y", "01-APR-24"),
    ("dd.MM.yyyy", "%d.%m.%Y", "01.04.2024"),
    ("dd-MM-yyyy", "%d-%m-%Y", "01-04-2024"),
    ("yyyyMMdd", "%Y%m%d", "20240401"),
    ("MM/dd/yyyy", "%m/%d/%Y", "04/01/2024"),
];

/// How moments are written.
const MOMENTS: [(&str, &str, &str); 5] = [
    ("yyyy-MM-dd HH:mm:ss", "%Y-%m-%d %H:%M:%S", "2024-04-01 12:00:00"),
    ("dd/MM/yyyy HH:mm:ss", "%d/%m/%Y %H:%M:%S", "01/04/2024 12:00:00"),
    ("dd/MM/yyyy HH:mm", "%d/%m/%Y %H:%M", "01/04/2024 12:00"),
    ("yyyy-MM-ddTHH:mm:ss", "%Y-%m-%dT%H:%M:%S", "2024-04-01T12:00:00"),
    ("yyyy-MM-dd HH:mm", "%Y-%m-%d %H:%M", "2024-04-01 12:00"),
];

/// The share of a column's values that a type must read; the others are bad rows for somebody to see.
const NEARLY_ALL: f64 = 0.98;

/// A guess about a type.
struct Guess {
    ty: String,
    invented: &'static str,
    /// How many values it does not read.
    unread: usize,
}

/// What a column looks like.
pub(super) fn column(samples: &[Sample], aligned: &Aligned) -> ColumnSketch {
    let of_sample = |(sample, place): (&Sample, &Option<usize>)| {
        place.map(|place| sample.values(place).map(str::to_string).collect::<Vec<String>>())
    };
    let parts: Vec<Vec<String>> = samples.iter().zip(&aligned.places).filter_map(of_sample).collect();
    let mut remarks = aligned.remarks.clone();
    let values = told_apart(&parts);
    let rows: usize = (samples.iter().zip(&aligned.places))
        .filter(|(_, place)| place.is_some())
        .map(|(sample, _)| sample.rows.len())
        .sum();
    let all: usize = parts.iter().map(Vec::len).sum();
    if all < rows {
        remarks.push(format!("{} of {rows} empty", rows - all));
    }
    let name = name(aligned);
    let guess = typed(&name, &values);
    if guess.ty.contains("-yy\"") || guess.ty.contains("/yy\"") {
        remarks.push("two digits of a year mean 1969 to 2068: dates of birth need four".into());
    }
    if guess.unread > 0 {
        remarks.push(format!("{} of {} values do not fit the type", guess.unread, values.len()));
    }
    let lost: usize = all - values.len();
    if lost > 0 {
        remarks.push(format!("{lost} values are one text that fits no type: lost before they came here"));
    }
    let different: BTreeSet<&str> = values.iter().map(|value| value.as_ref()).collect();
    if values.len() >= 100 && different.len() <= 12 {
        remarks.push(format!("{} different values: one_of may name them", different.len()));
    }
    let lacking = aligned.places.iter().filter(|place| place.is_none()).count();
    if lacking > 0 {
        remarks.push(format!("{lacking} of {} files lack it", samples.len()));
    }
    ColumnSketch {
        name,
        from: aligned.names.clone(),
        optional: lacking > 0,
        is_full: all == rows && rows > 0,
        ty: guess.ty,
        invented: guess.invented.to_string(),
        remarks,
    }
}

/// Whether a column is money, of which the sum tells whether all has arrived.
pub(super) fn is_amount(column: &ColumnSketch) -> bool {
    column.ty.starts_with("type = \"decimal") && is_money(&column.name)
}

fn is_money(name: &str) -> bool {
    const MONEY: [&str; 10] =
        ["amount", "value", "total", "net", "gross", "vat", "cost", "price", "debit", "credit"];
    name.split('_').any(|word| MONEY.contains(&word))
}

fn is_identifier(name: &str) -> bool {
    const IDENTIFIERS: [&str; 8] = ["id", "no", "number", "code", "ref", "reference", "account", "postcode"];
    name.split('_').any(|word| IDENTIFIERS.contains(&word))
}

/// The name of a column here, from its first name there.
fn name(aligned: &Aligned) -> String {
    let first = aligned.names.first().map(|name| plain(name)).unwrap_or_default();
    let ascii =
        first.split(' ').map(|word| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    let name = ascii.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    let name: String = name.chars().take(50).collect();
    match name.chars().next() {
        Some(first) if first.is_ascii_lowercase() => name,
        Some(_) => format!("c_{name}"),
        None => format!("column_{}", aligned.places.iter().flatten().next().map_or(0, |place| place + 1)),
    }
}

/// The values, without those of a file that has one and the same text everywhere where others have
/// what a type reads.
fn told_apart(parts: &[Vec<String>]) -> Vec<String> {
    let is_lost = |part: &&Vec<String>| {
        part.len() >= 3
            && part.iter().all(|value| *value == part[0])
            && DATES.iter().all(|(_, chrono, _)| !reads(&date(&[chrono]), &part[0]))
            && part[0].chars().all(|c| c.is_ascii_digit() || ":.#-".contains(c))
            && part[0].contains([':', '#'])
    };
    let kept: Vec<String> = parts.iter().filter(|part| !is_lost(part)).flatten().cloned().collect();
    match kept.is_empty() {
        true => parts.iter().flatten().cloned().collect(),
        false => kept,
    }
}

fn typed(name: &str, values: &[String]) -> Guess {
    let text = Guess { ty: "type = \"text\"".into(), invented: "A1", unread: 0 };
    let is_padded = |value: &String| {
        value.len() > 1 && value.starts_with('0') && value.bytes().all(|b| b.is_ascii_digit())
    };
    if values.is_empty() {
        return text;
    }
    if let Some(dates) = patterned("date", &DATES, values, date) {
        return dates;
    }
    if let Some(moments) = patterned("timestamp", &MOMENTS, values, |chrono| Type::Timestamp {
        patterns: chrono.iter().map(|pattern| pattern.to_string()).collect(),
        zone: chrono_tz::Tz::Europe__London,
    }) {
        return Guess { ty: format!("{}, zone = \"Europe/London\"", moments.ty), ..moments };
    }
    if is_identifier(name) || values.iter().any(is_padded) {
        return text;
    }
    let scale = values.iter().map(|value| decimals(value)).max().unwrap_or(0).clamp(2, 10);
    let decimal = |form| Type::Decimal { precision: 18, scale: scale as i8, form };
    let shown = |form: &str| format!("type = \"decimal(18,{scale})\"{form}");
    let mut candidates = vec![(Type::Int, "type = \"int\"".to_string(), "1")];
    candidates.push((decimal(NumberForm::Plain), shown(""), "10.00"));
    candidates.push((decimal(NumberForm::Ledger), shown(", form = \"ledger\""), "10.00"));
    let is_word = |value: &String| value.chars().all(char::is_alphabetic);
    if values.iter().all(is_word) {
        candidates.push((Type::Bool, "type = \"bool\"".into(), "Y"));
    }
    if is_money(name) {
        candidates.remove(0);
    }
    let fits = |(ty, shown, invented): (Type, String, &'static str)| {
        let unread = unread(&ty, values);
        let is_good = unread as f64 <= (1.0 - NEARLY_ALL) * values.len() as f64;
        is_good.then_some(Guess { ty: shown, invented, unread })
    };
    let fitting = candidates.into_iter().filter_map(fits);
    fitting.reduce(|best, next| if next.unread < best.unread { next } else { best }).unwrap_or(text)
}

/// A type that is written in patterns, if a few of them read nearly all values.
fn patterned(
    name: &str,
    known: &[(&str, &'static str, &'static str)],
    values: &[String],
    ty: impl Fn(&[&'static str]) -> Type,
) -> Option<Guess> {
    let mut left: Vec<&String> = values.iter().collect();
    let mut chosen: Vec<usize> = Vec::new();
    while !left.is_empty() && chosen.len() < 4 {
        let read = |at: usize| {
            let mut reader = reader(&ty(&[known[at].1]))?;
            let rest: Vec<&String> = left.iter().filter(|v| !read_by(&mut reader, v)).copied().collect();
            Some((left.len() - rest.len(), rest, at))
        };
        let tried = (0..known.len()).filter_map(read);
        let (count, rest, at) = tried.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        if count == 0 {
            break;
        }
        left = rest;
        chosen.push(at);
    }
    let is_good = !chosen.is_empty() && left.len() as f64 <= (1.0 - NEARLY_ALL) * values.len() as f64;
    let formats: Vec<String> = chosen.iter().map(|at| format!("\"{}\"", known[*at].0)).collect();
    let format = match formats.as_slice() {
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    is_good.then(|| Guess {
        ty: format!("type = \"{name}\", format = {format}"),
        invented: known[chosen[0]].2,
        unread: left.len(),
    })
}

fn date(chrono: &[&str]) -> Type {
    Type::Date { patterns: chrono.iter().map(|pattern| pattern.to_string()).collect() }
}

fn decimals(value: &str) -> usize {
    let digits = value.trim_end_matches([')', '-', ' ']);
    let fraction = digits.rsplit_once('.').map_or("", |(_, fraction)| fraction);
    fraction.trim_end_matches('0').len()
}

fn unread(ty: &Type, values: &[String]) -> usize {
    match reader(ty) {
        Some(mut reader) => values.iter().filter(|value| !read_by(&mut reader, value)).count(),
        None => values.len(),
    }
}

fn reads(ty: &Type, value: &str) -> bool {
    reader(ty).is_some_and(|mut reader| read_by(&mut reader, value))
}

fn read_by(reader: &mut Reader, value: &str) -> bool {
    reader.read(Cell::Text(value.into())).is_ok()
}

fn reader(ty: &Type) -> Option<Reader> {
    let column = Column {
        name: "c".into(),
        from: vec!["c".into()],
        origin: Origin::Cell,
        optional: false,
        recast: Recast::default(),
        ty: ty.clone(),
        required: false,
        one_of: Vec::new(),
        open_ended: Vec::new(),
        null: Vec::new(),
        place: None,
    };
    Reader::new(&column, true).ok()
}
