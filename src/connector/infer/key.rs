//! Which columns identify a row.

use super::ColumnSketch;
use super::align::Aligned;
use super::sample::Sample;
use std::collections::HashSet;

/// How many columns are tried in pairs.
const PAIRED: usize = 8;

/// The key of a sketch.
pub(super) struct Found {
    /// Its columns; none when the rows are told apart by their place.
    pub(super) columns: Vec<String>,
    pub(super) remark: String,
    /// Whether each file holds rows of its own.
    pub(super) adds_rows: bool,
}

/// The one column, or the two, that tell the rows of every file apart.
pub(super) fn find(samples: &[Sample], aligned: &[Aligned], columns: &[ColumnSketch]) -> Found {
    let can_be = |at: &usize| {
        let column = &columns[*at];
        column.is_full && !column.optional && !column.ty.contains("decimal") && !column.ty.contains("bool")
    };
    let candidates: Vec<usize> = (0..columns.len()).filter(can_be).collect();
    let ones = candidates.iter().map(|one| vec![*one]);
    let paired = &candidates[..candidates.len().min(PAIRED)];
    let twos = paired
        .iter()
        .enumerate()
        .flat_map(|(at, one)| paired[at + 1..].iter().map(|other| vec![*one, *other]).collect::<Vec<_>>());
    let key = ones
        .chain(twos)
        .find(|key| samples.iter().enumerate().all(|(at, _)| is_unique(samples, aligned, at, key)));
    let Some(key) = key else {
        return Found {
            columns: Vec::new(),
            remark: "no column and no two tell the rows apart: each line of each file is a row of its own"
                .into(),
            adds_rows: true,
        };
    };
    let names: Vec<String> = key.iter().map(|at| columns[*at].name.clone()).collect();
    let rows: usize = samples.iter().map(|sample| sample.rows.len()).sum();
    match samples.len() > 1 && is_foreign(samples, aligned, &key) {
        true => Found {
            columns: Vec::new(),
            remark: format!(
                "{} is unique in each file, and the files share hardly any: each holds rows of its own",
                names.join(" with ")
            ),
            adds_rows: true,
        },
        false => Found {
            remark: format!("unique in {rows} rows; check with somebody who knows that it stays so"),
            columns: names,
            adds_rows: false,
        },
    }
}

fn keys<'s>(samples: &'s [Sample], aligned: &[Aligned], at: usize, key: &[usize]) -> Vec<Vec<&'s str>> {
    let places: Vec<usize> = key.iter().filter_map(|column| aligned[*column].places[at]).collect();
    samples[at].rows.iter().map(|row| places.iter().map(|place| row[*place].trim()).collect()).collect()
}

fn is_unique(samples: &[Sample], aligned: &[Aligned], at: usize, key: &[usize]) -> bool {
    let mut seen = HashSet::new();
    keys(samples, aligned, at, key).into_iter().all(|key| seen.insert(key))
}

/// Whether the second file has hardly a key of the first: then it does not replace it.
fn is_foreign(samples: &[Sample], aligned: &[Aligned], key: &[usize]) -> bool {
    let first: HashSet<Vec<&str>> = keys(samples, aligned, 0, key).into_iter().collect();
    let second = keys(samples, aligned, 1, key);
    let shared = second.iter().filter(|key| first.contains(*key)).count();
    10 * shared < second.len()
}
