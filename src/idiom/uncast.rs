//! Comparisons of a converted column as comparisons of the column.
//!
//! Power Query folds `[amount] = 75` as `cast("amount" as double) = cast(75 as double)`, which no
//! statistic of a file can judge. To convert a whole or decimal number to floating point keeps the
//! order of numbers, so that those that convert to something below a value are all those below
//! some number, and so on: the comparison becomes one with that number, exactly, also where
//! several numbers convert to the same value and where none does.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use std::cmp::Ordering;

/// Compares columns in the place of their conversions, in filters.
#[derive(Debug)]
pub(super) struct Uncast;

impl OptimizerRule for Uncast {
    fn name(&self) -> &str {
        "uncast"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let schema = match &plan {
            LogicalPlan::Filter(filter) => DFSchema::clone(filter.input.schema()),
            LogicalPlan::TableScan(scan) if !scan.filters.is_empty() => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            _ => return Ok(Transformed::no(plan)),
        };
        plan.map_expressions(|filter| filter.transform_up(|expr| Ok(uncast(expr, &schema))))
    }
}

fn uncast(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match compared(left, *op, right, schema) {
            Some(comparison) => Transformed::yes(comparison),
            None => Transformed::no(expr),
        },
        _ => Transformed::no(expr),
    }
}

/// The comparison of a column that says what this one does.
fn compared(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (converted, op, value) = match (value(left), value(right)) {
        (None, Some(value)) => (left, op, value),
        (Some(value), None) => (right, op.swap()?, value),
        _ => return None,
    };
    let Expr::Cast(Cast { expr, field: target }) = converted else { return None };
    let Expr::Column(column) = expr.as_ref() else { return None };
    let from = schema.data_type(column).ok()?;
    if from == target.data_type() {
        return Some(binary_expr(expr.as_ref().clone(), op, lit(value)));
    }
    let float = match value {
        ScalarValue::Float64(Some(value)) if *target.data_type() == DataType::Float64 => value,
        ScalarValue::Float32(Some(value)) if *target.data_type() == DataType::Float32 => value.into(),
        _ => return None,
    };
    if float.is_nan() {
        return None;
    }
    // The engine takes both zeros for equal, which to add one of them makes them.
    Numbers::of(from, target.data_type())?.compare(column, op, float + 0.0)
}

/// A literal, or one that is converted.
fn value(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(Cast { expr, field }) => match expr.as_ref() {
            Expr::Literal(value, _) => value.cast_to(field.data_type()).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The numbers of a column's type, and what each converts to.
struct Numbers {
    data_type: DataType,
    min: i128,
    max: i128,
    /// Digits after the point: a number is a count of these.
    scale: i32,
    is_single: bool,
}

impl Numbers {
    fn of(data_type: &DataType, target: &DataType) -> Option<Self> {
        let (min, max, scale) = match data_type {
            DataType::Int8 => (i8::MIN.into(), i8::MAX.into(), 0),
            DataType::Int16 => (i16::MIN.into(), i16::MAX.into(), 0),
            DataType::Int32 => (i32::MIN.into(), i32::MAX.into(), 0),
            DataType::Int64 => (i64::MIN.into(), i64::MAX.into(), 0),
            DataType::Decimal128(precision, scale) => {
                let end = 10_i128.checked_pow((*precision).into())?;
                (1 - end, end - 1, i32::from(*scale))
            }
            _ => return None,
        };
        Some(Self { data_type: data_type.clone(), min, max, scale, is_single: *target == DataType::Float32 })
    }

    /// What a number converts to, computed as the engine does.
    #[allow(clippy::cast_precision_loss, reason = "the loss is what is computed")]
    #[allow(clippy::cast_possible_truncation, reason = "the loss is what is computed")]
    fn converted(&self, number: i128) -> f64 {
        match (self.is_integer(), self.is_single) {
            (true, false) => number as f64,
            (true, true) => (number as f32).into(),
            (false, false) => number as f64 / 10_f64.powi(self.scale),
            (false, true) => ((number as f64 / 10_f64.powi(self.scale)) as f32).into(),
        }
    }

    fn is_integer(&self) -> bool {
        !matches!(self.data_type, DataType::Decimal128(..))
    }

    /// The first number for which `is_past` holds; one more than the last if there is none. What
    /// holds for a number must hold for those above it.
    fn first(&self, is_past: impl Fn(Ordering) -> bool, value: f64) -> i128 {
        let (mut from, mut to) = (self.min, self.max + 1);
        while from < to {
            let middle = from + (to - from) / 2;
            match is_past(self.converted(middle).total_cmp(&value)) {
                true => to = middle,
                false => from = middle + 1,
            }
        }
        from
    }

    fn compare(&self, column: &Column, op: Operator, value: f64) -> Option<Expr> {
        // Numbers that convert to the value are those from `lower` up to but without `upper`.
        let lower = self.first(Ordering::is_ge, value);
        let upper = self.first(Ordering::is_gt, value);
        Some(match op {
            Operator::Lt => self.below(column, lower)?,
            Operator::LtEq => self.below(column, upper)?,
            Operator::Gt => self.from(column, upper)?,
            Operator::GtEq => self.from(column, lower)?,
            Operator::Eq if upper - lower == 1 => self.with(column, Operator::Eq, lower)?,
            Operator::Eq if upper == lower => self.below(column, self.min)?,
            Operator::Eq => self.from(column, lower)?.and(self.below(column, upper)?),
            Operator::NotEq if upper - lower == 1 => self.with(column, Operator::NotEq, lower)?,
            Operator::NotEq if upper == lower => self.from(column, self.min)?,
            Operator::NotEq => self.below(column, lower)?.or(self.from(column, upper)?),
            _ => return None,
        })
    }

    /// Numbers below `end`. Like each comparison it is null for null, also where it could be said
    /// without looking.
    fn below(&self, column: &Column, end: i128) -> Option<Expr> {
        match end == self.min {
            true => self.with(column, Operator::Lt, end),
            false => self.with(column, Operator::LtEq, end - 1),
        }
    }

    /// Numbers from `start`.
    fn from(&self, column: &Column, start: i128) -> Option<Expr> {
        match start > self.max {
            true => self.with(column, Operator::Gt, self.max),
            false => self.with(column, Operator::GtEq, start),
        }
    }

    fn with(&self, column: &Column, op: Operator, number: i128) -> Option<Expr> {
        let value = match &self.data_type {
            DataType::Decimal128(precision, scale) => {
                ScalarValue::Decimal128(Some(number), *precision, *scale)
            }
            integer => ScalarValue::Int64(Some(i64::try_from(number).ok()?)).cast_to(integer).ok()?,
        };
        Some(binary_expr(Expr::Column(column.clone()), op, lit(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Decimal128Array, Int8Array, Int64Array, RecordBatch};
    use datafusion::logical_expr::{cast, col};
    use datafusion::prelude::SessionContext;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::sync::Arc;

    const OPERATORS: [Operator; 6] =
        [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq];

    /// Whole numbers around those where floating point begins to skip some, and the ends.
    fn integers(random: &mut ChaCha8Rng) -> Vec<i64> {
        let mut numbers = vec![i64::MIN, i64::MIN + 1, i64::MAX, i64::MAX - 1, i64::MAX - 512, 0, 1, -1, 75];
        for bits in [24, 52, 53, 54, 55, 60, 62] {
            numbers.extend((-4..=4).flat_map(|by| [(1_i64 << bits) + by, -(1_i64 << bits) + by]));
        }
        numbers.extend((0..100).map(|_| random.random::<i64>() >> random.random_range(0..63)));
        numbers
    }

    fn literals(random: &mut ChaCha8Rng, numbers: impl Iterator<Item = f64>) -> Vec<f64> {
        let near = |x: f64| [x, x.next_up(), x.next_down(), x + 0.5, -x];
        let mut literals: Vec<f64> = numbers.flat_map(near).collect();
        literals.extend([
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            9.3e18,
            -9.3e18,
        ]);
        literals.extend((0..50).map(|_| random.random_range(-300.0..300.0)));
        literals
    }

    /// Every comparison of `column` converted to floating point gives what the engine gives
    /// without the rule, for every row.
    fn same(column: ArrayRef, literals: &[f64]) {
        let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
        let schema = DFSchema::try_from(batch.schema()).unwrap();
        let context = SessionContext::new();
        let evaluate = |expr: Expr| {
            let physical = context.create_physical_expr(expr, &schema).unwrap();
            physical.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap()
        };
        for value in literals {
            for (target, value) in [
                (DataType::Float64, ScalarValue::Float64(Some(*value))),
                (DataType::Float32, ScalarValue::Float32(Some(*value as f32))),
            ] {
                for op in OPERATORS {
                    for swapped in [false, true] {
                        let (a, b) = (cast(col("c"), target.clone()), lit(value.clone()));
                        let (a, b) = if swapped { (b, a) } else { (a, b) };
                        let written = binary_expr(a, op, b);
                        let rewritten = uncast(written.clone(), &schema);
                        assert!(rewritten.transformed, "{written}");
                        assert!(!rewritten.data.to_string().contains("CAST"), "{written}");
                        let (expected, found) = (evaluate(written.clone()), evaluate(rewritten.data.clone()));
                        assert_eq!(&expected, &found, "{written} as {}", rewritten.data);
                    }
                }
            }
        }
    }

    #[test]
    fn whole_numbers_compare_as_their_conversions_do() {
        let mut random = ChaCha8Rng::seed_from_u64(53);
        let numbers = integers(&mut random);
        let some: Vec<f64> = numbers.iter().step_by(4).map(|n| *n as f64).collect();
        let literals = literals(&mut random, some.into_iter());
        same(Arc::new(numbers.into_iter().map(Some).chain([None]).collect::<Int64Array>()), &literals);
        same(
            Arc::new((i8::MIN..=i8::MAX).map(Some).chain([None]).collect::<Int8Array>()),
            &[-129.0, -128.0, -127.5, -0.0, 0.0, 75.0, 127.0, 128.0, f64::INFINITY],
        );
    }

    #[test]
    fn decimals_compare_as_their_conversions_do() {
        let mut random = ChaCha8Rng::seed_from_u64(38);
        for (precision, scale) in [(9, 2), (18, 2), (38, 10), (5, 0), (4, -2)] {
            let end = 10_i128.pow(precision.into()) - 1;
            let mut numbers = vec![0, 1, -1, end, -end, end - 1];
            numbers.extend((0..40).map(|_| random.random_range(-end..=end) >> random.random_range(0..40)));
            let values = numbers.iter().step_by(3).map(|n| *n as f64 / 10_f64.powi(i32::from(scale)));
            let literals = literals(&mut random, values.collect::<Vec<_>>().into_iter());
            let column: Decimal128Array = numbers.into_iter().map(Some).chain([None]).collect();
            same(Arc::new(column.with_precision_and_scale(precision, scale).unwrap()), &literals);
        }
    }

    #[test]
    fn what_is_not_exact_stays() {
        let schema = [("a", DataType::Int64), ("b", DataType::Utf8), ("f", DataType::Float64)]
            .map(|(name, data_type)| datafusion::arrow::datatypes::Field::new(name, data_type, true));
        let schema = DFSchema::try_from(datafusion::arrow::datatypes::Schema::new(schema.to_vec())).unwrap();
        let double = |name| cast(col(name), DataType::Float64);
        for expr in [
            double("a").eq(lit(f64::NAN)),
            double("a").eq(lit(ScalarValue::Float64(None))),
            double("b").eq(lit(1.0)),
            double("a").eq(double("f")),
            cast(col("a") + lit(1_i64), DataType::Float64).eq(lit(1.0)),
            cast(col("a"), DataType::Utf8).eq(lit("75")),
            double("a") + lit(1.0),
        ] {
            let after = uncast(expr.clone(), &schema);
            assert!(!after.transformed, "{expr} became {}", after.data);
        }
        let text = uncast(cast(col("b"), DataType::Utf8).eq(cast(lit("x"), DataType::Utf8)), &schema);
        assert_eq!(text.data.to_string(), r#"b = Utf8("x")"#);
    }
}
