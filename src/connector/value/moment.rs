//! Dates, times and local timestamps as text.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
};
use chrono_tz::Tz;

/// The number of days from the common era to 1970-01-01.
const EPOCH_DAY: i32 = 719_163;

/// The microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

/// A chrono pattern, compiled. The common numeric forms and month abbreviations are read by
/// hand, stricter than chrono (a year has four digits); the rest is left to chrono.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    chrono: String,
    fast: Option<Vec<Token>>,
}

/// One part of a [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Year,
    ShortYear,
    /// Digits of a two-digit field, and how few are enough.
    Number(Part, usize),
    MonthName,
    Literal(u8),
}

/// A two-digit field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Fields {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Pattern {
    /// Compiles a chrono pattern.
    pub(crate) fn new(chrono: &str) -> Self {
        Self { chrono: chrono.to_string(), fast: tokens(chrono) }
    }

    /// Reads a day, as days since 1970-01-01.
    pub(crate) fn date(&self, text: &str) -> Option<i32> {
        let date = match &self.fast {
            Some(tokens) => fields(tokens, text.as_bytes())?.date()?,
            None => NaiveDate::parse_from_str(text, &self.chrono).ok()?,
        };
        Some(days(date))
    }

    /// Reads a time of day, as `HH:MM:SS`.
    pub(crate) fn time(&self, text: &str) -> Option<String> {
        let time = match &self.fast {
            Some(tokens) => fields(tokens, text.as_bytes())?.time()?,
            None => NaiveTime::parse_from_str(text, &self.chrono).ok()?,
        };
        Some(time.format("%H:%M:%S").to_string())
    }

    /// Reads a local date and time.
    pub(crate) fn timestamp(&self, text: &str) -> Option<NaiveDateTime> {
        match &self.fast {
            Some(tokens) => {
                let fields = fields(tokens, text.as_bytes())?;
                Some(fields.date()?.and_time(fields.time()?))
            }
            None => NaiveDateTime::parse_from_str(text, &self.chrono).ok(),
        }
    }

    /// Reads a day or a local date and time, in microseconds since 1970 on the same clock.
    pub(crate) fn moment(&self, text: &str) -> Option<i64> {
        let day = || self.date(text).map(|days| i64::from(days) * DAY_MICROS);
        self.timestamp(text).map(micros).or_else(day)
    }

    /// The pattern as people write it: `dd/MM/yyyy`.
    pub(crate) fn shown(&self) -> String {
        let mut shown = self.chrono.clone();
        for (from, to) in [
            ("%F", "%Y-%m-%d"),
            ("%T", "%H:%M:%S"),
            ("%R", "%H:%M"),
            ("%Y", "yyyy"),
            ("%y", "yy"),
            ("%m", "MM"),
            ("%d", "dd"),
            ("%b", "MON"),
            ("%H", "HH"),
            ("%M", "mm"),
            ("%S", "ss"),
        ] {
            shown = shown.replace(from, to);
        }
        shown
    }
}

/// Days since 1970-01-01.
pub(crate) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH_DAY
}

/// Microseconds since 1970-01-01 00:00 on the same clock.
pub(crate) fn micros(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp_micros()
}

/// Whether a moment lies in the years that contracts know, 0001 to 9999.
pub(crate) fn is_in_range(micros: i64) -> bool {
    const FIRST: i64 = (1 - EPOCH_DAY) as i64 * DAY_MICROS;
    const BEHIND_LAST: i64 = 2_932_897 * DAY_MICROS;
    (FIRST..BEHIND_LAST).contains(&micros)
}

/// `2025-07-01`.
pub(crate) fn iso_date(days: i32) -> String {
    let date = days.checked_add(EPOCH_DAY).and_then(NaiveDate::from_num_days_from_ce_opt);
    date.map_or_else(|| format!("day {days} since 1970"), |date| date.to_string())
}

/// `07:05:00`, with a fraction if there is one.
pub(crate) fn iso_time(micros: i64) -> String {
    let (sign, micros) = if micros < 0 { ("-", -micros) } else { ("", micros) };
    let seconds = micros / 1_000_000;
    let time = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match micros % 1_000_000 {
        0 => time,
        fraction => format!("{time}.{fraction:06}"),
    }
}

/// `2025-07-01 07:05:00`, with a fraction if there is one.
pub(crate) fn iso_local(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(moment) => moment.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => format!("{micros} microseconds since 1970"),
    }
}

impl Fields {
    fn date(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year, self.month, self.day)
    }

    fn time(&self) -> Option<NaiveTime> {
        NaiveTime::from_hms_opt(self.hour, self.minute, self.second)
    }
}

/// The pattern's tokens; `None` when it has a part that only chrono knows.
fn tokens(chrono: &str) -> Option<Vec<Token>> {
    let chrono = chrono.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S").replace("%R", "%H:%M");
    let mut bytes = chrono.bytes().peekable();
    let mut tokens = Vec::new();
    let mut touches_last = false;
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            tokens.push(Token::Literal(byte));
            touches_last = false;
            continue;
        }
        let letter = bytes.next()?;
        // Fields that touch must have all their digits, or nobody knows where one ends.
        let touches_next = bytes.peek() == Some(&b'%');
        let fewest = if touches_last || touches_next { 2 } else { 1 };
        touches_last = true;
        tokens.push(match letter {
            b'Y' => Token::Year,
            b'y' => Token::ShortYear,
            b'm' => Token::Number(Part::Month, fewest),
            b'd' => Token::Number(Part::Day, fewest),
            b'H' => Token::Number(Part::Hour, fewest),
            b'M' => Token::Number(Part::Minute, 2),
            b'S' => Token::Number(Part::Second, 2),
            b'b' => Token::MonthName,
            b'%' => Token::Literal(b'%'),
            _ => return None,
        });
    }
    Some(tokens)
}

/// Reads all of `text` by `tokens`.
fn fields(tokens: &[Token], text: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut rest = text;
    for token in tokens {
        match token {
            Token::Literal(byte) => rest = rest.strip_prefix(&[*byte])?,
            Token::Year => fields.year = number(&mut rest, 4, 4)? as i32,
            Token::ShortYear => {
                let year = number(&mut rest, 2, 2)? as i32;
                // The pivot of POSIX `strptime`, which chrono shares.
                fields.year = if year < 69 { 2000 + year } else { 1900 + year };
            }
            Token::MonthName => fields.month = month_name(&mut rest)?,
            Token::Number(part, fewest) => {
                let value = number(&mut rest, *fewest, 2)?;
                match part {
                    Part::Month => fields.month = value,
                    Part::Day => fields.day = value,
                    Part::Hour => fields.hour = value,
                    Part::Minute => fields.minute = value,
                    Part::Second => fields.second = value,
                }
            }
        }
    }
    rest.is_empty().then_some(fields)
}

/// Takes `fewest` to `most` digits.
fn number(rest: &mut &[u8], fewest: usize, most: usize) -> Option<u32> {
    let (mut value, mut length) = (0, 0);
    while length < most
        && let Some(digit) = rest.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    {
        value = value * 10 + u32::from(digit);
        length += 1;
    }
    *rest = &rest[length..];
    (length >= fewest).then_some(value)
}

/// Takes an English month abbreviation in any case.
fn month_name(rest: &mut &[u8]) -> Option<u32> {
    const NAMES: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let (name, after) = rest.split_at_checked(3)?;
    let month = NAMES.chunks(3).position(|known| known.eq_ignore_ascii_case(name))?;
    *rest = after;
    u32::try_from(month + 1).ok()
}

/// Why a local time is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unclear {
    /// The clocks went back over it.
    Twice,
    /// The clocks went forward over it.
    Never,
}

/// The clock of a source: turns its local time into UTC.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: Tz,
    /// The offset of whole days without a change, by day modulo the length: zone rules are
    /// searched once a day, not once a cell.
    offsets: Vec<Option<(i32, i64)>>,
}

impl Clock {
    const REMEMBERED_DAYS: i32 = 1024;

    /// A clock that shows the time of `zone`.
    pub(crate) fn new(zone: Tz) -> Self {
        Self { zone, offsets: vec![None; Self::REMEMBERED_DAYS as usize] }
    }

    /// The zone it shows.
    pub(crate) fn zone(&self) -> Tz {
        self.zone
    }

    /// The instant, in microseconds since 1970, at which the clock shows `local`, in microseconds
    /// since its own 1970.
    pub(crate) fn utc_micros(&mut self, local: i64) -> Result<i64, Unclear> {
        let day = local.div_euclid(DAY_MICROS) as i32;
        let slot = day.rem_euclid(Self::REMEMBERED_DAYS) as usize;
        if let Some((known, offset)) = self.offsets[slot]
            && known == day
        {
            return Ok(local - offset);
        }
        let shown = DateTime::from_timestamp_micros(local).ok_or(Unclear::Never)?.naive_utc();
        if let Some(offset) = self.offset_of_day(shown.date()) {
            self.offsets[slot] = Some((day, offset));
            return Ok(local - offset);
        }
        match self.zone.from_local_datetime(&shown) {
            MappedLocalTime::Single(instant) => Ok(instant.timestamp_micros()),
            MappedLocalTime::Ambiguous(..) => Err(Unclear::Twice),
            MappedLocalTime::None => Err(Unclear::Never),
        }
    }

    /// What the clock shows at an instant, in microseconds since its own 1970.
    pub(crate) fn local_micros(&self, utc: i64) -> i64 {
        let Some(instant) = DateTime::from_timestamp_micros(utc) else { return utc };
        let offset = self.zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc();
        utc + i64::from(offset) * 1_000_000
    }

    /// The offset in microseconds, if the clocks do not change on that day.
    fn offset_of_day(&self, date: NaiveDate) -> Option<i64> {
        let offset_at = |date: NaiveDate| match self.zone.from_local_datetime(&date.and_time(NaiveTime::MIN))
        {
            MappedLocalTime::Single(instant) => Some(instant.offset().fix().local_minus_utc()),
            _ => None,
        };
        let start = offset_at(date)?;
        let end = offset_at(date.checked_add_days(Days::new(1))?)?;
        (start == end).then_some(i64::from(start) * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(pattern: &str, text: &str) -> Option<String> {
        let day = Pattern::new(pattern).date(text)?;
        NaiveDate::from_num_days_from_ce_opt(day + EPOCH_DAY).map(|d| d.to_string())
    }

    fn check(pattern: &str, text: &str, expect: Option<&str>) {
        assert_eq!(date(pattern, text).as_deref(), expect, "{text:?} as {pattern}");
    }

    #[test]
    fn dates_in_the_forms_of_vendors() {
        check("%d/%m/%Y", "01/04/2024", Some("2024-04-01"));
        check("%d/%m/%Y", "1/4/2024", Some("2024-04-01"));
        check("%d.%m.%Y", "29.02.2024", Some("2024-02-29"));
        check("%Y%m%d", "20240401", Some("2024-04-01"));
        check("%Y%m%d", "99991231", Some("9999-12-31"));
        check("%Y-%m-%d", "1970-01-01", Some("1970-01-01"));
        check("%F", "0001-01-01", Some("0001-01-01"));
        check("%d-%b-%Y", "01-APR-2024", Some("2024-04-01"));
        check("%d-%b-%Y", "31-Dec-4712", Some("4712-12-31"));
        check("%d-%b-%y", "01-apr-24", Some("2024-04-01"));
        check("%d-%b-%y", "01-apr-69", Some("1969-04-01"));
    }

    #[test]
    fn unreadable_dates() {
        for (pattern, text) in [
            ("%d/%m/%Y", "31/02/2025"),
            ("%d/%m/%Y", "01/04/24"),
            ("%d/%m/%Y", "01/04/20245"),
            ("%d/%m/%Y", "00:00:00"),
            ("%d/%m/%Y", "45044"),
            ("%d/%m/%Y", "2024-04-01"),
            ("%d/%m/%Y", "01/04/2024 "),
            ("%d/%m/%Y", "+1/04/2024"),
            ("%d/%m/%Y", "001/4/2024"),
            ("%d/%m/%Y", "0١/04/2024"),
            ("%d/%m/%Y", ""),
            ("%Y%m%d", "2024041"),
            ("%Y%m%d", "00000000"),
            ("%d-%b-%Y", "01-ABC-2024"),
            ("%d-%b-%Y", "01-04-2024"),
            ("%d-%b-%Y", "01-APRIL-2024"),
            ("%d.%m.%Y", "29.02.2025"),
        ] {
            check(pattern, text, None);
        }
    }

    #[test]
    fn chrono_reads_the_patterns_that_are_not_common() {
        check("%A %e %B %Y", "Monday 1 April 2024", Some("2024-04-01"));
        check("%d %B %Y", "01 APRIL 2024", Some("2024-04-01"));
        check("%Y-%j", "2024-092", Some("2024-04-01"));
        check("%Q", "2024", None);
        check("%", "", None);
        let upper = NaiveDate::parse_from_str("01-APR-2024", "%d-%b-%Y");
        assert_eq!(upper.map(|d| d.to_string()), Ok("2024-04-01".to_string()));
    }

    #[test]
    fn times_become_one_form() {
        for (pattern, text, expect) in [
            ("%H:%M", "07:05", Some("07:05:00")),
            ("%H:%M", "7:05", Some("07:05:00")),
            ("%H%M", "2359", Some("23:59:00")),
            ("%H:%M:%S", "23:59:59", Some("23:59:59")),
            ("%T", "00:00:00", Some("00:00:00")),
            ("%I:%M %p", "07:05 PM", Some("19:05:00")),
            ("%H:%M", "24:00", None),
            ("%H:%M", "7:5", None),
            ("%H:%M:%S", "23:59:60", None),
        ] {
            assert_eq!(Pattern::new(pattern).time(text).as_deref(), expect, "{text:?} as {pattern}");
        }
    }

    fn utc(text: &str) -> Result<String, Unclear> {
        let local = Pattern::new("%d/%m/%Y %H:%M").timestamp(text);
        let micros = Clock::new(Tz::Europe__London).utc_micros(micros(local.ok_or(Unclear::Never)?))?;
        Ok(chrono::DateTime::from_timestamp_micros(micros).map(|t| t.to_rfc3339()).unwrap_or_default())
    }

    #[test]
    fn local_times_become_instants_or_are_refused() {
        for (text, expect) in [
            ("01/01/2025 12:00", Ok("2025-01-01T12:00:00+00:00")),
            ("01/07/2025 12:00", Ok("2025-07-01T11:00:00+00:00")),
            ("30/03/2025 00:59", Ok("2025-03-30T00:59:00+00:00")),
            ("30/03/2025 01:30", Err(Unclear::Never)),
            ("30/03/2025 02:00", Ok("2025-03-30T01:00:00+00:00")),
            ("26/10/2025 00:59", Ok("2025-10-25T23:59:00+00:00")),
            ("26/10/2025 01:00", Err(Unclear::Twice)),
            ("26/10/2025 01:30", Err(Unclear::Twice)),
            ("26/10/2025 02:00", Ok("2025-10-26T02:00:00+00:00")),
            ("27/10/2025 00:00", Ok("2025-10-27T00:00:00+00:00")),
            ("31/12/9999 23:59", Ok("9999-12-31T23:59:00+00:00")),
        ] {
            assert_eq!(utc(text), expect.map(str::to_string), "{text:?}");
        }
    }

    #[test]
    fn remembered_offsets_agree_with_the_zone_rules() {
        let mut clock = Clock::new(Tz::Europe__London);
        let start = NaiveDate::from_ymd_opt(2022, 1, 1).unwrap().and_time(NaiveTime::MIN);
        for half_hour in (0..4 * 366 * 48).chain(0..4 * 366 * 48) {
            let local = start + chrono::Duration::minutes(30 * half_hour);
            let expect = match Tz::Europe__London.from_local_datetime(&local) {
                MappedLocalTime::Single(instant) => Ok(instant.timestamp_micros()),
                MappedLocalTime::Ambiguous(..) => Err(Unclear::Twice),
                MappedLocalTime::None => Err(Unclear::Never),
            };
            assert_eq!(clock.utc_micros(micros(local)), expect, "{local}");
        }
    }

    #[test]
    fn patterns_are_shown_as_people_write_them() {
        assert_eq!(Pattern::new("%d-%b-%Y").shown(), "dd-MON-yyyy");
        assert_eq!(Pattern::new("%d/%m/%Y %H:%M").shown(), "dd/MM/yyyy HH:mm");
    }
}
