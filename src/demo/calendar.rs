//! Days, the clock of Europe/London, and the ways in which the systems write them.
//!
//! Days are counted from [`epoch`] and times in minutes of local time from it: the estate holds
//! millions of them, and formatting each through chrono would take longer than all the rest.

use chrono::{Datelike, Duration, NaiveDate};

/// Days since [`epoch`].
pub(super) type Day = i32;
/// Local minutes since midnight of [`epoch`].
pub(super) type Minute = i64;

/// Minutes of a day.
pub(super) const DAY: Minute = 24 * 60;

/// The day from which days are counted. Everything the estate dates is after 1940.
fn epoch() -> NaiveDate {
    NaiveDate::default()
}

/// The day of a calendar date.
pub(super) fn day(year: i32, month: u32, day: u32) -> Day {
    let date = NaiveDate::from_ymd_opt(year, month, day).unwrap_or_else(epoch);
    (date - epoch()).num_days() as Day
}

/// The calendar date of a day.
pub(super) fn date(day: Day) -> NaiveDate {
    epoch() + Duration::days(i64::from(day))
}

/// The first day of the two financial years.
pub(super) fn first_day() -> Day {
    day(2024, 4, 1)
}

/// The last day of the two financial years: the census day.
pub(super) fn last_day() -> Day {
    day(2026, 3, 31)
}

/// One month of the two financial years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Month {
    /// The year in which the financial year starts.
    pub fin_year: i32,
    /// 1 for April to 12 for March.
    pub period: u32,
    /// The first day.
    pub start: Day,
    /// The last day.
    pub end: Day,
}

/// The 24 months in order.
pub(super) fn months() -> Vec<Month> {
    (0..24)
        .map(|n| {
            let (fin_year, period) = (2024 + n / 12, n % 12 + 1);
            let start = month_start(fin_year, period);
            let end = month_start(fin_year + period / 12, period % 12 + 1) - 1;
            Month { fin_year, period: period as u32, start, end }
        })
        .collect()
}

fn month_start(fin_year: i32, period: i32) -> Day {
    match period {
        1..=9 => day(fin_year, (period + 3) as u32, 1),
        _ => day(fin_year + 1, (period - 9) as u32, 1),
    }
}

/// The position in [`months`] of the month that holds `day`.
pub(super) fn month_of(day: Day) -> usize {
    let date = date(day);
    let n = (date.year() - 2024) * 12 + date.month() as i32 - 4;
    n.clamp(0, 23) as usize
}

/// The financial year and period of a day.
pub(super) fn period_of(day: Day) -> (i32, u32) {
    let Month { fin_year, period, .. } = months()[month_of(day)];
    (fin_year, period)
}

/// The instant of a local time, in minutes since [`epoch`], UTC. The estate's own times are never
/// within the hour that happens twice or the one that never happens.
pub(super) fn utc(local: Minute) -> Minute {
    let summer = changes()
        .iter()
        .any(|&(from, to)| local >= Minute::from(from) * DAY + 120 && local < Minute::from(to) * DAY + 60);
    if summer { local - 60 } else { local }
}

/// The days on which summer time starts and ends, for the years the estate covers.
fn changes() -> [(Day, Day); 3] {
    // 19813 is 31 March 2024; a test compares these with chrono-tz.
    [(19813, 20023), (20177, 20387), (20541, 20751)]
}

/// `local`, moved out of the hour that happens twice or never.
pub(super) fn unambiguous(local: Minute) -> Minute {
    let (day, minute) = (local.div_euclid(DAY) as Day, local.rem_euclid(DAY));
    let changes = changes().iter().any(|&(from, to)| day == from || day == to);
    if changes && (60..120).contains(&minute) { Minute::from(day) * DAY + 55 } else { local }
}

/// How a system writes days, and times of day behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `01-APR-2024`.
    Report,
    /// `01-APR-24`, `01-APR-24 09:30:00`.
    ShortReport,
    /// `01/04/2024`, `01/04/2024 09:30` or with seconds.
    Slash,
    /// `20240401`, `202404010930` or with seconds.
    Compact,
    /// `01.04.2024`, `01.04.2024 09:30`.
    Dot,
    /// `2024-04-01`, `2024-04-01 09:30:00`.
    Iso,
}

/// Writes `day` in the given style.
pub(super) fn push_day(out: &mut String, day: Day, style: Style) {
    let date = date(day);
    let (year, month, day) = (date.year() as u32, date.month(), date.day());
    match style {
        Style::Report | Style::ShortReport => {
            push_two(out, day);
            out.push('-');
            out.push_str(MONTHS[month as usize - 1]);
            out.push('-');
            match style {
                Style::Report => push_year(out, year),
                _ => push_two(out, year),
            }
        }
        Style::Slash | Style::Dot => {
            let separator = if style == Style::Slash { '/' } else { '.' };
            push_two(out, day);
            out.push(separator);
            push_two(out, month);
            out.push(separator);
            push_year(out, year);
        }
        Style::Compact => {
            push_year(out, year);
            push_two(out, month);
            push_two(out, day);
        }
        Style::Iso => {
            push_year(out, year);
            out.push('-');
            push_two(out, month);
            out.push('-');
            push_two(out, day);
        }
    }
}

/// Writes a local time in the given style, with or without seconds (which are always zero).
pub(super) fn push_time(out: &mut String, time: Minute, style: Style, seconds: bool) {
    push_day(out, time.div_euclid(DAY) as Day, style);
    let minute = time.rem_euclid(DAY) as u32;
    let compact = style == Style::Compact;
    if !compact {
        out.push(' ');
    }
    push_two(out, minute / 60);
    if !compact {
        out.push(':');
    }
    push_two(out, minute % 60);
    if seconds {
        out.push_str(if compact { "00" } else { ":00" });
    }
}

/// `2024-04-01`, as the truth prints days.
pub(super) fn iso(day: Day) -> String {
    let mut out = String::with_capacity(10);
    push_day(&mut out, day, Style::Iso);
    out
}

/// Month names as reports and ledgers print them.
pub(super) const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

fn push_two(out: &mut String, n: u32) {
    out.push(char::from(b'0' + (n / 10 % 10) as u8));
    out.push(char::from(b'0' + (n % 10) as u8));
}

fn push_year(out: &mut String, year: u32) {
    push_two(out, year / 100);
    push_two(out, year % 100);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use chrono_tz::Europe::London;

    #[test]
    fn the_clock_is_london_s() {
        for minute in (Minute::from(first_day()) * DAY..Minute::from(last_day() + 2) * DAY).step_by(30) {
            let local = NaiveDate::default().and_hms_opt(0, 0, 0).unwrap() + Duration::minutes(minute);
            if let Some(instant) = London.from_local_datetime(&local).single() {
                assert_eq!(utc(minute), instant.timestamp() / 60, "{local}");
                assert_eq!(unambiguous(minute), minute);
            } else {
                assert!(unambiguous(minute) < minute, "{local}");
            }
        }
    }

    #[test]
    fn months_cover_two_years() {
        let months = months();
        assert_eq!((months[0].start, months[23].end), (first_day(), last_day()));
        assert_eq!(iso(months[10].end), "2025-02-28");
        assert!(months.windows(2).all(|m| m[0].end + 1 == m[1].start));
        assert!((first_day()..=last_day()).all(|d| {
            let m = months[month_of(d)];
            m.start <= d && d <= m.end
        }));
    }

    #[test]
    fn styles() {
        let write = |style, seconds| {
            let mut out = String::new();
            push_time(&mut out, Minute::from(day(2025, 3, 9)) * DAY + 9 * 60 + 5, style, seconds);
            out
        };
        assert_eq!(write(Style::Report, true), "09-MAR-2025 09:05:00");
        assert_eq!(write(Style::Slash, false), "09/03/2025 09:05");
        assert_eq!(write(Style::Compact, true), "20250309090500");
        assert_eq!(write(Style::Dot, false), "09.03.2025 09:05");
        assert_eq!(write(Style::Iso, true), "2025-03-09 09:05:00");
    }
}
