//! What is asked: the address of an entity's rows.

use crate::connector::Span;
use crate::connector::contract::{Contract, PathPart, Request, Since, Type};
use crate::connector::cursor::{self, Bound, Ends};
use crate::connector::format::json::select::Path;
use crate::connector::transport::http::paging::set;
use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use url::Url;

/// What is not written as it is in a part of a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The value of the cursor from which on rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Low {
    Number(i64),
    Day(NaiveDateTime),
    Instant(DateTime<Utc>),
}

/// The lower bound of `span`; none: all rows are wanted.
pub(super) fn low(contract: &Contract, span: &Span) -> Result<Option<Low>> {
    let Some(column) = cursor::column(contract) else { return Ok(None) };
    let Some(Ends { low, .. }) = Ends::of(span, column)? else { return Ok(None) };
    Ok(Some(match (low, &column.ty) {
        (Bound::Number(number), _) => Low::Number(number),
        // An hour that happens twice begins with the first; one that never happens, before it.
        (Bound::Moment(moment), Type::Timestamp { zone, .. }) => Low::Instant(earliest(*zone, moment)),
        (Bound::Moment(moment), _) => Low::Day(moment),
    }))
}

fn earliest(zone: Tz, moment: NaiveDateTime) -> DateTime<Utc> {
    let hour = chrono::TimeDelta::hours(1);
    let before = || zone.from_local_datetime(&(moment - hour)).earliest();
    let found = zone.from_local_datetime(&moment).earliest().or_else(before);
    found.map_or(moment.and_utc(), |found| found.to_utc())
}

/// The address of the rows of `request`; for a child, of those of one `parent`.
pub(super) fn url(
    base: &Url,
    request: &Request,
    parent: Option<&RawValue>,
    low: Option<&Low>,
) -> Result<Url> {
    let mut path = base.path().trim_end_matches('/').to_string();
    path.push('/');
    for part in &request.path {
        match part {
            PathPart::Literal(text) => path.push_str(text),
            PathPart::Field(member) => path.push_str(&field(member, parent)?),
        }
    }
    let mut url = base.clone();
    url.set_path(&path);
    for (name, value) in &request.query {
        set(&mut url, name, value);
    }
    if let (Some(since), Some(low)) = (&request.since, low) {
        set(&mut url, &since.parameter, &written(since, low));
    }
    Ok(url)
}

/// A member of the parent's row as a part of a path.
fn field(member: &str, parent: Option<&RawValue>) -> Result<String> {
    let missing = || {
        Error::source(format!("a row of the parent has no \"{member}\" that a path can hold"))
            .hint("see `path` of the entity")
    };
    let value = parent.map(|parent| Path::parse(member)?.first(parent)).transpose()?.flatten();
    let text = match value.ok_or_else(missing)?.get() {
        quoted if quoted.starts_with('"') => serde_json::from_str(quoted).map_err(|_| missing())?,
        number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => number.to_string(),
        _ => return Err(missing()),
    };
    // Dots would lead to another path, however they are written.
    match text.as_str() {
        "" | "." | ".." => Err(missing()),
        text => Ok(utf8_percent_encode(text, ESCAPED).to_string()),
    }
}

fn written(since: &Since, low: &Low) -> String {
    let zone = since.zone.unwrap_or(Tz::UTC);
    match (low, &since.pattern) {
        (Low::Number(number), _) => number.to_string(),
        (Low::Day(day), Some(pattern)) => day.format(pattern).to_string(),
        (Low::Day(day), None) => day.format(cursor::DAY).to_string(),
        (Low::Instant(instant), Some(pattern)) => instant.with_timezone(&zone).format(pattern).to_string(),
        (Low::Instant(instant), None) => match since.zone {
            Some(zone) => instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Micros, true),
            None => instant.to_rfc3339_opts(SecondsFormat::Micros, true),
        },
    }
}
