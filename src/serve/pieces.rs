//! Batches cut by size: what goes into one message, and the row that fits none.

use crate::error::{Error, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ByteView, RecordBatch};
use datafusion::arrow::buffer::ScalarBuffer;
use datafusion::arrow::datatypes::DataType;
use std::sync::Arc;

/// The most that one row may take. gRPC clients refuse messages of more than 4 MiB; what is left
/// of them holds the message's own description of hundreds of columns.
const ROW_BYTES: usize = 7 << 19;

/// Cuts `batch` so that each piece takes at most `most` bytes or is a single row. No rows give no
/// piece.
pub(super) fn cut(batch: &RecordBatch, most: usize) -> Vec<RecordBatch> {
    let mut pieces = Vec::new();
    halve(batch, most, &mut pieces);
    pieces
}

/// An error that names the column to shorten when a row of `batch` fits no message.
pub(super) fn check(batch: &RecordBatch) -> Result<()> {
    if size(batch) <= ROW_BYTES {
        return Ok(());
    }
    match cut(batch, ROW_BYTES).iter().find(|piece| size(piece) > ROW_BYTES) {
        Some(row) => Err(too_large(row)),
        None => Ok(()),
    }
}

fn halve(batch: &RecordBatch, most: usize, pieces: &mut Vec<RecordBatch>) {
    let rows = batch.num_rows();
    if rows > 1 && size(batch) > most {
        halve(&batch.slice(0, rows / 2), most, pieces);
        halve(&batch.slice(rows / 2, rows - rows / 2), most, pieces);
    } else if rows > 0 {
        pieces.push(compact(batch));
    }
}

fn too_large(row: &RecordBatch) -> Error {
    let schema = row.schema();
    let sizes = schema.fields().iter().zip(row.columns().iter().map(bytes));
    let (name, bytes) = sizes
        .max_by_key(|(_, bytes)| *bytes)
        .map_or(("", 0), |(field, bytes)| (field.name().as_str(), bytes));
    Error::query(format!("a row is too large to be sent: its column '{name}' has {bytes} bytes"))
        .hint("select a part of the column, such as left(column, 1000000)")
}

/// The bytes of a batch once it is encoded, but for what describes it.
fn size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes).sum()
}

/// The bytes of the rows that an array shows; of what it shares with others, its part.
fn bytes(array: &ArrayRef) -> usize {
    let own = array.nulls().map_or(0, |_| array.len().div_ceil(8));
    match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            own + 4 * list.len() + shown(list.values(), list.offsets().iter().map(|at| *at as usize))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            own + 8 * list.len() + shown(list.values(), list.offsets().iter().map(|at| *at as usize))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            own + 4 * map.len() + shown(&entries, map.offsets().iter().map(|at| *at as usize))
        }
        DataType::FixedSizeList(..) => own + bytes(array.as_fixed_size_list().values()),
        DataType::Struct(_) => own + array.as_struct().columns().iter().map(bytes).sum::<usize>(),
        DataType::Utf8View => own + viewed(array.as_string_view().views()),
        DataType::BinaryView => own + viewed(array.as_binary_view().views()),
        _ => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_buffer_memory_size()),
    }
}

/// The bytes of the values between the first and the last offset.
fn shown(values: &ArrayRef, mut offsets: impl DoubleEndedIterator<Item = usize>) -> usize {
    let first = offsets.next().unwrap_or_default();
    let last = offsets.next_back().unwrap_or(first);
    bytes(&values.slice(first, last - first))
}

/// The bytes of views and of the texts that do not fit into them.
fn viewed(views: &ScalarBuffer<u128>) -> usize {
    let texts = views.iter().map(|view| ByteView::from(*view).length as usize).filter(|length| *length > 12);
    16 * views.len() + texts.sum::<usize>()
}

/// The same rows without texts that only others show: views are sent with all that they share.
fn compact(batch: &RecordBatch) -> RecordBatch {
    let compacted = batch.columns().iter().map(|column| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    });
    // Only views change, and they keep their type and length.
    match batch.columns().iter().any(|column| is_view(column.data_type())) {
        true => RecordBatch::try_new(batch.schema(), compacted.collect()).unwrap_or_else(|_| batch.clone()),
        false => batch.clone(),
    }
}

fn is_view(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8View | DataType::BinaryView)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ListArray, StringArray, StringViewArray};
    use datafusion::arrow::compute::concat_batches;
    use datafusion::arrow::datatypes::Int32Type;

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("narrative", column)]).unwrap()
    }

    fn texts(lengths: &[usize]) -> RecordBatch {
        batch(Arc::new(lengths.iter().map(|length| Some("x".repeat(*length))).collect::<StringArray>()))
    }

    #[test]
    fn uneven_texts_are_cut_by_size_and_no_row_is_lost() {
        let lengths: Vec<usize> = (0..500).map(|n| if n % 100 == 7 { 90_000 } else { n }).collect();
        let whole = texts(&lengths);
        let pieces = cut(&whole, 100_000);
        assert!(pieces.len() > 4 && pieces.len() < 50, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| size(piece) <= 100_000 || piece.num_rows() == 1));
        assert_eq!(concat_batches(&whole.schema(), &pieces).unwrap(), whole);
        assert!(cut(&whole.slice(0, 0), 1).is_empty());
    }

    #[test]
    fn lists_and_views_count_what_they_show() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(
            (0..1000).map(|_| Some((0..100).map(Some).collect::<Vec<_>>())),
        );
        let pieces = cut(&batch(Arc::new(lists)), 50_000);
        assert!(pieces.len() < 20, "{}", pieces.len());
        let long = "y".repeat(1000);
        let views: StringViewArray = (0..100).map(|_| Some(long.as_str())).collect();
        let pieces = cut(&batch(Arc::new(views)), 10_000);
        assert!(
            pieces.iter().all(|piece| piece.get_array_memory_size() < 40_000),
            "texts of others are sent"
        );
    }

    #[test]
    fn a_row_that_fits_no_message_is_an_error_that_names_its_column() {
        check(&texts(&[3_000_000, 3_000_000])).unwrap();
        let error = check(&texts(&[10, 5_000_000])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a row is too large to be sent: its column 'narrative' has 5000008 bytes"
        );
    }
}
