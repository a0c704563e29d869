//! Files in which a column was lost as a whole: a spreadsheet wrote one text in place of every date,
//! or a column holds something else than it did. That is one thing to say, not one for each row.

use crate::connector::contract::{Column, Contract, FileLayout, Origin, Policy, TrailerPart, Type};
use crate::connector::finding::{Finding, Matter};
use crate::connector::format::{Emit, read_once};
use crate::connector::value::{Cell, Code, Reader};
use crate::connector::{SourceFile, Totals};
use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::record_batch::RecordBatch;
use std::collections::HashMap;

/// The share of a column's values from which on they are taken for the whole of it.
const NEARLY_ALL: f64 = 0.95;

/// Fewer values are row errors: three are enough to be the same by more than chance, a type needs more.
const FEWEST_SAME: u64 = 3;
const FEWEST_CHANGED: u64 = 20;

/// By how many rows a file is judged.
const HEAD_ROWS: usize = 1000;

/// How many different texts of a column are told apart; the one that is nearly everywhere is among
/// the first.
const DIFFERENT: usize = 100;

/// What is known of a suspect column.
struct Survey {
    column: usize,
    reader: Reader,
    values: u64,
    unreadable: u64,
    texts: HashMap<String, u64>,
}

/// Reads all rows of `file`, like [`read_once`]. Only when hardly a value of some column can be read
/// at the head of the file, the file is read once more to see what has become of that column.
pub(super) fn read(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    emit: Emit<'_>,
) -> Result<Option<Totals>> {
    let mut head = Head::default();
    let mut watch = |batch: RecordBatch| match head.take(batch) {
        Taken::Kept => true,
        Taken::Beyond(batch) => emit(batch),
        Taken::Complete => {
            let suspects = suspects_of(contract, layout, &head.batches);
            head.suspects = Some(suspects);
            head.is_sound() && std::mem::take(&mut head.batches).into_iter().all(&mut *emit)
        }
    };
    let read = read_once(contract, layout, file, at, &mut watch)?;
    let is_short = head.suspects.is_none();
    let suspects = head.suspects.unwrap_or_else(|| suspects_of(contract, layout, &head.batches));
    if suspects.is_empty() {
        let heard = !is_short || head.batches.into_iter().all(&mut *emit);
        return Ok(read.filter(|_| heard));
    }
    let surveys = survey(contract, layout, file, at, &suspects)?;
    let mut adapted = contract.clone();
    let mut findings = Vec::new();
    for survey in surveys {
        findings.extend(survey.settle(contract, &mut adapted).map_err(|error| error.at(at))?);
    }
    let read = read_once(&adapted, layout, file, at, emit)?;
    Ok(read.map(|mut totals| {
        totals.findings.extend(findings);
        totals
    }))
}

/// The rows by which a file is judged, kept back until they are. Not simply the first batch: where a
/// reader cuts its batches is no property of the file.
#[derive(Default)]
struct Head {
    batches: Vec<RecordBatch>,
    rows: usize,
    suspects: Option<Vec<usize>>,
}

enum Taken {
    /// It belongs to the head, which goes on.
    Kept,
    /// It completed the head.
    Complete,
    /// It lies behind the head.
    Beyond(RecordBatch),
}

impl Head {
    fn take(&mut self, batch: RecordBatch) -> Taken {
        if self.suspects.is_some() {
            return Taken::Beyond(batch);
        }
        self.rows += batch.num_rows();
        self.batches.push(batch);
        if self.rows < HEAD_ROWS { Taken::Kept } else { Taken::Complete }
    }

    fn is_sound(&self) -> bool {
        self.suspects.as_ref().is_some_and(Vec::is_empty)
    }
}

/// The columns of which hardly a value in `head` can be read, and which can be helped.
fn suspects_of(contract: &Contract, layout: &FileLayout, head: &[RecordBatch]) -> Vec<usize> {
    let mut unreadable: HashMap<&str, u64> = HashMap::new();
    let errors = head.iter().filter_map(|batch| batch.column_by_name("_errors")?.as_list_opt::<i32>());
    let reasons = errors.filter_map(|errors| errors.values().as_string_opt::<i32>());
    for reason in reasons.flatten().flatten() {
        let what = reason.split_once(": ").map_or(reason, |(what, _)| what);
        if let Some((code, column)) = what.split_once(' ')
            && code != Code::Required.as_str()
        {
            *unreadable.entry(column).or_default() += 1;
        }
    }
    let is_summed = |name: &str| {
        let parts = layout.trailer.iter().flat_map(|trailer| &trailer.parts);
        parts.into_iter().any(|part| matches!(part, TrailerPart::Sum(summed) if summed == name))
    };
    let is_suspect = |column: &Column| {
        let bad = unreadable.get(column.name.as_str()).copied().unwrap_or_default();
        let cells = head.iter().filter_map(|batch| batch.column_by_name(&column.name));
        let good: usize = cells.map(|cells| cells.len() - cells.null_count()).sum();
        let can_be_helped = !column.required || contract.drift.changed == Policy::Freeze;
        column.origin == Origin::Cell
            && column.ty != Type::Text
            && can_be_helped
            && !is_summed(&column.name)
            && bad >= FEWEST_SAME
            && is_nearly_all(bad, bad + good as u64)
    };
    let columns = contract.columns.iter().enumerate();
    columns.filter(|(_, column)| is_suspect(column)).map(|(at, _)| at).collect()
}

fn is_nearly_all(part: u64, all: u64) -> bool {
    all > 0 && part as f64 >= NEARLY_ALL * all as f64
}

/// Reads the suspect columns of a whole file as text.
fn survey(
    contract: &Contract,
    layout: &FileLayout,
    file: &SourceFile,
    at: &str,
    suspects: &[usize],
) -> Result<Vec<Survey>> {
    let mut as_text = contract.clone();
    let mut surveys = Vec::with_capacity(suspects.len());
    for column in suspects {
        let plain = &mut as_text.columns[*column];
        surveys.push(Survey {
            column: *column,
            reader: Reader::new(plain, true)?,
            values: 0,
            unreadable: 0,
            texts: HashMap::new(),
        });
        plain.ty = Type::Text;
        plain.one_of.clear();
        plain.open_ended.clear();
        (plain.recast.map, plain.recast.default) = (None, None);
    }
    as_text.totals.retain(|name| !suspects.iter().any(|at| contract.columns[*at].name == *name));
    let mut failed = None;
    let mut look = |batch: RecordBatch| {
        let looked = surveys.iter_mut().try_for_each(|survey| survey.look(contract, &batch));
        failed = looked.err();
        failed.is_none()
    };
    read_once(&as_text, layout, file, at, &mut look)?;
    failed.map_or(Ok(surveys), Err)
}

impl Survey {
    fn look(&mut self, contract: &Contract, batch: &RecordBatch) -> Result<()> {
        let name = &contract.columns[self.column].name;
        let cells = batch.column_by_name(name).and_then(|cells| cells.as_string_opt::<i32>());
        let cells = cells.ok_or_else(|| Error::internal("a column was not read as text"))?;
        for text in cells.iter().flatten() {
            self.values += 1;
            self.unreadable += u64::from(self.reader.read(Cell::Text(text.into())).is_err());
            let has_room = self.texts.len() < DIFFERENT;
            match self.texts.get_mut(text.trim()) {
                Some(count) => *count += 1,
                None if has_room => drop(self.texts.insert(text.trim().into(), 1)),
                None => {}
            }
        }
        Ok(())
    }

    /// What becomes of the column: `adapted` is the contract to read the file by.
    fn settle(mut self, contract: &Contract, adapted: &mut Contract) -> Result<Option<Finding>> {
        let column = &contract.columns[self.column];
        let lost = &mut adapted.columns[self.column];
        let (values, unreadable) = (self.values, self.unreadable);
        let most = std::mem::take(&mut self.texts).into_iter().max_by_key(|(_, count)| *count);
        let same = most.filter(|(text, count)| {
            let is_lost = self.reader.read(Cell::Text(text.as_str().into())).is_err();
            *count >= FEWEST_SAME && is_nearly_all(*count, values) && is_lost
        });
        let has_changed = unreadable >= FEWEST_CHANGED && is_nearly_all(unreadable, values);
        match (contract.drift.changed, same) {
            (Policy::Freeze, same) if same.is_some() || has_changed => {
                let message =
                    format!("{unreadable} of {values} values of column '{}' cannot be read", column.name);
                Err(Error::contract(message).hint(
                    "its type has changed: correct the contract, or let it say drift = { changed = \"evolve\" }",
                ))
            }
            (_, Some((text, count))) if !column.required => {
                let message = format!("{count} of {values} values are \"{text}\": they are read as no value");
                lost.null.push(text);
                Ok(Some(Finding::of_column(Matter::DestroyedValues, &column.name, count, message)))
            }
            (Policy::Discard, _) if has_changed && !column.required => {
                let message = format!("{unreadable} of {values} values cannot be read: they are null");
                lost.recast.forgives = true;
                Ok(Some(Finding::of_column(Matter::ChangedType, &column.name, unreadable, message)))
            }
            _ => Ok(None),
        }
    }
}
