//! Which columns of different files are the same, though their names differ.

use super::sample::Sample;
use crate::connector::names::plain;
use std::collections::BTreeSet;

/// How many values of a column are compared.
const COMPARED: usize = 2_000;

/// A column, with its place in each of the samples.
#[derive(Debug, Clone)]
pub(super) struct Aligned {
    /// Its names, in the order in which they were met; empty where no file names columns.
    pub(super) names: Vec<String>,
    /// By sample; `None` where it is missing.
    pub(super) places: Vec<Option<usize>>,
    /// Why its names are taken for those of one column.
    pub(super) remarks: Vec<String>,
}

/// The columns of all samples. Those of the same name are the same; of the others, those are that
/// stand between the same neighbours, if they are as many or have values in common.
pub(super) fn columns(samples: &[Sample]) -> Vec<Aligned> {
    let mut aligned: Vec<Aligned> = Vec::new();
    for (at, sample) in samples.iter().enumerate() {
        add(samples, &mut aligned, at, sample);
    }
    aligned
}

fn add(samples: &[Sample], aligned: &mut Vec<Aligned>, at: usize, sample: &Sample) {
    let names: Vec<String> = match &sample.header {
        Some(names) => names.iter().take(sample.width).map(|name| name.trim().to_string()).collect(),
        None => vec![String::new(); sample.width],
    };
    let mut found: Vec<Option<usize>> = match &sample.header {
        Some(_) => names.iter().map(|name| named(aligned, name)).collect(),
        // Without names, the place is all there is.
        None => (0..sample.width).map(|column| (column < aligned.len()).then_some(column)).collect(),
    };
    if at > 0 && sample.header.is_some() {
        for column in 0..found.len() {
            if found[column].is_none() && !names[column].is_empty() {
                found[column] = neighbour(samples, aligned, at, &found, column);
                if let Some(same) = found[column] {
                    let remark = format!("\"{}\" of {} stands in its place", names[column], sample.name);
                    aligned[same].remarks.push(remark);
                }
            }
        }
    }
    aligned.iter_mut().for_each(|column| column.places.push(None));
    let mut behind = 0;
    for (column, name) in names.into_iter().enumerate() {
        let index = found[column].unwrap_or_else(|| {
            let new = Aligned { names: Vec::new(), places: vec![None; at + 1], remarks: Vec::new() };
            aligned.insert(behind, new);
            found.iter_mut().flatten().filter(|index| **index >= behind).for_each(|index| *index += 1);
            behind
        });
        let same = &mut aligned[index];
        same.places[at] = Some(column);
        if !name.is_empty() && !same.names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            same.names.push(name);
        }
        behind = index + 1;
    }
}

/// The column that has had this name.
fn named(aligned: &[Aligned], name: &str) -> Option<usize> {
    let wanted = plain(name);
    let has = |column: &Aligned| column.names.iter().any(|known| plain(known) == wanted);
    aligned.iter().position(|column| !wanted.is_empty() && has(column))
}

/// The column in whose place the one at `column` stands: between the same neighbours there are as
/// many without a counterpart, or one of them has values in common with it.
fn neighbour(
    samples: &[Sample],
    aligned: &[Aligned],
    at: usize,
    found: &[Option<usize>],
    column: usize,
) -> Option<usize> {
    let before = found[..column].iter().rposition(Option::is_some);
    let after = found[column..].iter().position(Option::is_some).map(|next| column + next);
    let (low, high) = (before.map_or(0, |at| at + 1), after.unwrap_or(found.len()));
    let first = before.and_then(|at| found[at]).map_or(0, |at| at + 1);
    let last = after.and_then(|at| found[at]).unwrap_or(aligned.len());
    let free: Vec<usize> = (first..last).filter(|index| !found.contains(&Some(*index))).collect();
    if free.len() == high - low {
        return free.get(column - low).copied();
    }
    let values: BTreeSet<&str> = samples[at].values(column).take(COMPARED).collect();
    let shared = |index: &usize| {
        let places = aligned[*index].places.iter().enumerate();
        let seen =
            places.filter_map(|(sample, place)| Some(samples[sample].values((*place)?).take(COMPARED)));
        let seen: BTreeSet<&str> = seen.flatten().collect();
        seen.intersection(&values).count()
    };
    free.into_iter()
        .map(|index| (shared(&index), index))
        .filter(|(shared, _)| *shared > 0)
        .max()
        .map(|(_, i)| i)
}
