//! Functions that are forms of the engine's own.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::functions::{core, datetime, string, unicode};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, binary_expr,
    cast, lit, when,
};

/// A function that is replaced by an expression of others. Dates and times are read in their own
/// zone, which for every timestamp of the hub is UTC; days and months have English names.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Form {
    kind: Kind,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// A part of a date or time: its name, and the engine's. Weeks are those of ISO 8601.
    Part(&'static str, &'static str),
    /// `dayofweek`: 1 is Sunday.
    DayOfWeek,
    /// A part of a date in words: its name, and its format.
    Word(&'static str, &'static str),
    /// `locate(part, text [, start])`: the first place at or after the start, 0 for none.
    Locate,
    /// `insert(text, start, length, part)`: the part in the place of that many characters.
    Insert,
    /// `space(count)`.
    Space,
    /// `mod(a, b)`: what `a % b` leaves.
    Mod,
}

const ALL: [Kind; 16] = [
    Kind::Part("year", "year"),
    Kind::Part("quarter", "quarter"),
    Kind::Part("month", "month"),
    Kind::Part("week", "week"),
    Kind::Part("dayofmonth", "day"),
    Kind::Part("dayofyear", "doy"),
    Kind::Part("hour", "hour"),
    Kind::Part("minute", "minute"),
    Kind::Part("second", "second"),
    Kind::DayOfWeek,
    Kind::Word("dayname", "%A"),
    Kind::Word("monthname", "%B"),
    Kind::Locate,
    Kind::Insert,
    Kind::Space,
    Kind::Mod,
];

impl Form {
    /// Every form.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter().map(|kind| Self { kind, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for Form {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Part(name, _) | Kind::Word(name, _) => name,
            Kind::DayOfWeek => "dayofweek",
            Kind::Locate => "locate",
            Kind::Insert => "insert",
            Kind::Space => "space",
            Kind::Mod => "mod",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let (text, count) = (DataType::Utf8, DataType::Int64);
        match (self.kind, given) {
            (Kind::Part(..) | Kind::Word(..) | Kind::DayOfWeek, [moment]) => Ok(vec![temporal(moment)]),
            (Kind::Locate, [_, _]) => Ok(vec![text.clone(), text]),
            (Kind::Locate, [_, _, _]) => Ok(vec![text.clone(), text, count]),
            (Kind::Insert, [_, _, _, _]) => Ok(vec![text.clone(), count.clone(), count, text]),
            (Kind::Space, [_]) => Ok(vec![count]),
            (Kind::Mod, [left, right]) => {
                let (left, right) =
                    BinaryTypeCoercer::new(left, &Operator::Modulo, right).get_input_types()?;
                Ok(vec![left, right])
            }
            _ => plan_err!("'{}' does not take {} arguments", self.name(), given.len()),
        }
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match (self.kind, given) {
            (Kind::Part(..) | Kind::DayOfWeek | Kind::Locate, _) => Ok(DataType::Int32),
            (Kind::Word(..) | Kind::Insert | Kind::Space, _) => Ok(DataType::Utf8),
            (Kind::Mod, [left, right]) => {
                BinaryTypeCoercer::new(left, &Operator::Modulo, right).get_result_type()
            }
            (Kind::Mod, _) => plan_err!("'mod' takes two numbers"),
        }
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let form = match (self.kind, args.as_slice()) {
            (Kind::Part(_, part), [moment]) => self::part(part, moment),
            (Kind::DayOfWeek, [moment]) => part("dow", moment) + lit(1_i32),
            (Kind::Word(_, format), [moment]) => datetime::to_char().call(vec![moment.clone(), lit(format)]),
            (Kind::Locate, [part, text]) => unicode::strpos().call(vec![text.clone(), part.clone()]),
            (Kind::Locate, [part, text, start]) => locate(part, text, start)?,
            (Kind::Insert, [text, start, length, part]) => {
                core::overlay().call(vec![text.clone(), part.clone(), start.clone(), length.clone()])
            }
            (Kind::Space, [count]) => string::repeat().call(vec![lit(" "), count.clone()]),
            (Kind::Mod, [left, right]) => binary_expr(left.clone(), Operator::Modulo, right.clone()),
            _ => return Ok(ExprSimplifyResult::Original(args)),
        };
        Ok(ExprSimplifyResult::Simplified(form))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("'{}' is replaced when a statement is optimised", self.name())
    }
}

/// A date, time or timestamp as it is; a text is read as a timestamp.
fn temporal(given: &DataType) -> DataType {
    match given {
        moment if moment.is_temporal() => moment.clone(),
        _ => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

fn part(name: &str, moment: &Expr) -> Expr {
    datetime::date_part().call(vec![lit(name), moment.clone()])
}

fn locate(part: &Expr, text: &Expr, start: &Expr) -> Result<Expr> {
    let rest = unicode::substr().call(vec![text.clone(), start.clone()]);
    let found = unicode::strpos().call(vec![rest, part.clone()]);
    let moved = found.clone() + cast(start.clone(), DataType::Int32) - lit(1_i32);
    when(start.clone().lt(lit(1_i64)).or(found.eq(lit(0_i32))), lit(0_i32)).otherwise(moved)
}

/// A function without arguments whose value is known when the session begins.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Constant {
    name: &'static str,
    aliases: Vec<String>,
    value: String,
    signature: Signature,
}

impl Constant {
    /// `name()` and its `aliases` are `value`. Another session has another one, so that an answer
    /// with it is not kept for others.
    pub(super) fn new(name: &'static str, aliases: &[&str], value: &str) -> Self {
        let aliases = aliases.iter().map(ToString::to_string).collect();
        Self { name, aliases, value: value.into(), signature: Signature::nullary(Volatility::Stable) }
    }
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(self.value.clone()))))
    }
}
