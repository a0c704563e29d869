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
    Numbers::of(from, target.data_type())?.compare(column, op, float)
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
