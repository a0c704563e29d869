//! Which files are complete.
//!
//! Nobody tells when a writer has finished, so a file is taken when it has kept its size and time
//! for a while, or when its marker is there.

use super::Found;
use super::names::Names;
use crate::connector::contract::FileLayout;
use crate::error::Result;
use chrono::Utc;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for files that are nearly complete.
const PATIENCE: Duration = Duration::from_secs(30);

/// The complete files, in no particular order, and the names of the others.
type Parted = (Vec<Found>, Vec<String>);

/// Lists the folder until what is young in it has settled or goes on changing; with markers, once.
pub(super) async fn parted<F>(list: impl Fn() -> F, names: &Names, layout: &FileLayout) -> Result<Parted>
where
    F: Future<Output = Result<Vec<Found>>>,
{
    if layout.done.is_some() {
        return Ok(marked(list().await?, names));
    }
    let end = Instant::now() + layout.settle.saturating_mul(3).min(PATIENCE);
    let mut held = Held::default();
    loop {
        let found = list().await?;
        let rests = held.rests(&found, layout.settle);
        let left = end.saturating_duration_since(Instant::now());
        let wait = rests.iter().filter(|rest| !rest.is_zero() && **rest <= left).max();
        match wait {
            Some(wait) => tokio::time::sleep(*wait).await,
            None => return Ok(part(found.into_iter().zip(rests).map(|(file, rest)| (file, rest.is_zero())))),
        }
    }
}

fn marked(found: Vec<Found>, names: &Names) -> Parted {
    let there: HashSet<String> = found.iter().map(|file| file.name.to_lowercase()).collect();
    let is_complete = |file: &Found| names.marker_of(&file.name).is_none_or(|marker| there.contains(&marker));
    let data = found.into_iter().filter(|file| names.is_data(&file.name));
    part(data.map(|file| {
        let complete = file.changed.is_some() && is_complete(&file);
        (file, complete)
    }))
}

fn part(files: impl Iterator<Item = (Found, bool)>) -> Parted {
    let (complete, others): (Vec<_>, Vec<_>) = files.partition(|(_, complete)| *complete);
    let mut arriving: Vec<String> = others.into_iter().map(|(file, _)| file.name).collect();
    arriving.sort_unstable();
    (complete.into_iter().map(|(file, _)| file).collect(), arriving)
}

/// Since when each file has had its tag, as far as this process has seen.
#[derive(Default)]
struct Held(HashMap<String, (String, Instant)>);

impl Held {
    /// How long each file must still stay as it is; nothing for a complete one.
    ///
    /// The age that the keeper's clock gives is believed, unless it lies in the future: then only
    /// what this process saw counts, so that a wrong clock delays a file but never holds it.
    fn rests(&mut self, found: &[Found], settle: Duration) -> Vec<Duration> {
        let (now, here) = (Instant::now(), Utc::now());
        let mut seen = HashMap::with_capacity(found.len());
        let mut rests = Vec::with_capacity(found.len());
        for file in found {
            let Some(changed) = file.changed else {
                rests.push(Duration::MAX);
                continue;
            };
            let kept = self.0.remove(&file.name).filter(|(tag, _)| *tag == file.tag);
            let (tag, since) = kept.unwrap_or_else(|| (file.tag.clone(), now));
            let age = here.signed_duration_since(changed).to_std().unwrap_or(Duration::ZERO);
            rests.push(settle.saturating_sub(age.max(now.saturating_duration_since(since))));
            seen.insert(file.name.clone(), (tag, since));
        }
        self.0 = seen;
        rests
    }
}
