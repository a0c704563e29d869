//! Time: which release was current at an instant.

use super::{numbers, path};
use crate::error::{Error, Result};
use crate::lake::Lake;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

/// Which release answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pin {
    /// The newest at the time of asking.
    #[default]
    Newest,
    /// This one.
    Release(u64),
    /// The one that was current then.
    AsOf(Moment),
}

impl Pin {
    /// The release's number; `None` for the newest.
    pub fn release(self) -> Option<u64> {
        match self {
            Pin::Newest => None,
            Pin::Release(number) | Pin::AsOf(Moment { release: number, .. }) => Some(number),
        }
    }
}

/// An instant, with the release that was current then: found once, it stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub instant: DateTime<Utc>,
    /// The newest release that had been published by then.
    pub release: u64,
}

/// Reads an instant with its zone: `2026-03-31T17:00:00Z`. Without a zone it is refused, because
/// nobody knows which one was meant.
pub fn instant(text: &str) -> Result<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text.trim());
    parsed.map(|instant| instant.to_utc()).map_err(|e| {
        Error::query(format!("'{text}' is not an instant with a time zone"))
            .hint("write it like '2026-03-31T17:00:00Z' or '2026-03-31T18:00:00+01:00'")
            .because(e)
    })
}

/// The release that was current at `instant`: the newest that had been published by then. An
/// error before the first release, and for the future, of which the hub knows nothing.
///
/// Reads about as many manifests for the first release as for the last.
pub async fn current(lake: &Lake, instant: DateTime<Utc>) -> Result<Moment> {
    if instant > Utc::now() {
        return Err(Error::query(format!("{} is in the future", shown(instant)))
            .hint("leave the point in time away to read the newest release"));
    }
    let numbers = numbers(lake).await?;
    let by_then = count_until(instant, &numbers, |number| published_at(lake, number)).await?;
    match by_then.checked_sub(1) {
        Some(last) => Ok(Moment { instant, release: numbers[last] }),
        None => Err(too_early(lake, instant, numbers.first().copied()).await),
    }
}

/// How many of the releases had been published at `instant`.
async fn count_until<F: Future<Output = Result<DateTime<Utc>>>>(
    instant: DateTime<Utc>,
    numbers: &[u64],
    mut published_at: impl FnMut(u64) -> F,
) -> Result<usize> {
    // Everything before `known` had been published by then; nothing from `unknown` on had.
    let (mut known, mut unknown) = (0, numbers.len());
    while known < unknown {
        let middle = known + (unknown - known) / 2;
        match published_at(numbers[middle]).await? <= instant {
            true => known = middle + 1,
            false => unknown = middle,
        }
    }
    Ok(known)
}

/// An instant as people and this module read it.
pub fn shown(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

async fn too_early(lake: &Lake, instant: DateTime<Utc>, first: Option<u64>) -> Error {
    let Some(first) = first else {
        return Error::query("nothing has been released yet").hint("`muster run` makes the first release");
    };
    let early = Error::query(format!("nothing had been released at {}", shown(instant)));
    match published_at(lake, first).await {
        Ok(published) => early.hint(format!("the first release was published at {}", shown(published))),
        Err(error) => error,
    }
}

/// The one field of a manifest that a search needs.
#[derive(Deserialize)]
struct Published {
    published_at: i64,
}

async fn published_at(lake: &Lake, number: u64) -> Result<DateTime<Utc>> {
    let name = path(number);
    let unreadable = || Error::lake("the manifest cannot be read").at(&name);
    let bytes = lake.get(&name).await?;
    let read: Published = serde_json::from_slice(&bytes).map_err(|e| unreadable().because(e))?;
    DateTime::from_timestamp_micros(read.published_at).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use expect_test::{Expect, expect};
    use std::path::Path;

    /// A lake with `count` releases, the first at the start of 2026, then one every hour.
    async fn lake(folder: &Path, count: i64) -> Lake {
        let lake = Lake::open(folder).unwrap();
        for number in 1..=count {
            let at = start() + TimeDelta::hours(number - 1);
            let text = format!(r#"{{"release": {number}, "published_at": {}}}"#, at.timestamp_micros());
            assert!(lake.put_if_absent(&path(number.unsigned_abs()), text.into_bytes()).await.unwrap());
        }
        lake
    }

    fn start() -> DateTime<Utc> {
        instant("2026-01-01T00:00:00Z").unwrap()
    }

    #[tokio::test]
    async fn a_release_is_current_from_its_instant_until_the_next() {
        let dir = tempfile::tempdir().unwrap();
        for count in [1, 2, 3, 8] {
            let lake = lake(&dir.path().join(count.to_string()), count).await;
            for number in 1..=count {
                let published = start() + TimeDelta::hours(number - 1);
                let next = published + TimeDelta::hours(1) - TimeDelta::nanoseconds(1);
                for at in [published, published + TimeDelta::microseconds(1), next] {
                    let moment = current(&lake, at).await.unwrap();
                    assert_eq!(moment, Moment { instant: at, release: number.unsigned_abs() });
                }
            }
            let before = current(&lake, start() - TimeDelta::microseconds(1)).await.unwrap_err();
            assert_eq!(before.to_string(), "nothing had been released at 2025-12-31T23:59:59.999999Z");
            assert_eq!(before.advice(), Some("the first release was published at 2026-01-01T00:00:00Z"));
        }
    }

    #[tokio::test]
    async fn the_future_and_an_empty_lake_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let lake = lake(&dir.path().join("empty"), 0).await;
        let error = current(&lake, Utc::now() + TimeDelta::hours(1)).await.unwrap_err();
        assert!(error.to_string().ends_with(" is in the future"), "{error}");
        let error = current(&lake, Utc::now()).await.unwrap_err();
        assert_eq!(error.to_string(), "nothing has been released yet");
    }

    #[tokio::test]
    async fn every_release_of_many_is_found_with_as_few_reads() {
        let numbers: Vec<u64> = (1..=1000).collect();
        let published = |number: u64| start() + TimeDelta::hours(number.cast_signed());
        for number in numbers.iter().copied() {
            let mut reads = 0;
            let read = |number| {
                reads += 1;
                std::future::ready(Ok(published(number)))
            };
            let found = count_until(published(number), &numbers, read).await.unwrap();
            assert_eq!(found as u64, number);
            assert!((9..=10).contains(&reads), "release {number} took {reads} reads");
        }
    }

    #[test]
    fn an_instant_has_a_zone() {
        let check = |text: &str, expect: Expect| {
            expect.assert_eq(&instant(text).map_or_else(|error| error.to_string(), shown));
        };
        check("2026-03-31T17:00:00Z", expect!["2026-03-31T17:00:00Z"]);
        check("2026-03-31 18:00:00.5+01:00", expect!["2026-03-31T17:00:00.500Z"]);
        check("2026-03-31T17:00:00", expect!["'2026-03-31T17:00:00' is not an instant with a time zone"]);
        check("2026-03-31", expect!["'2026-03-31' is not an instant with a time zone"]);
        check("yesterday", expect!["'yesterday' is not an instant with a time zone"]);
        check("", expect!["'' is not an instant with a time zone"]);
    }
}
