//! The SQL of tools: the scalar functions of ODBC, and comparisons as Power Query folds them.
//!
//! A function that the engine has under another name gets a second name; one that is a form of
//! others is replaced by them when the statement is optimised, so that it folds and prunes like
//! them. Only arithmetic on intervals has kernels of its own.

mod form;
mod interval;
mod uncast;

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions::{datetime, math, string};
use datafusion::logical_expr::ScalarUDF;
use datafusion::optimizer::Optimizer;
use form::{Constant, Form};
use interval::{Interval, Shift};
use std::sync::Arc;
use uncast::Uncast;

/// A session that knows the functions, and in which a comparison of a converted column prunes;
/// `database()` is `catalog`.
pub fn teach(builder: SessionStateBuilder, catalog: &str) -> SessionStateBuilder {
    let mut rules = Optimizer::new().rules;
    rules.insert(0, Arc::new(Uncast));
    let mut builder = builder.with_optimizer_rules(rules);
    builder.scalar_functions().get_or_insert_default().extend(functions(catalog));
    builder
}

/// Who asks, for `user()`, `current_user` and `session_user`.
pub fn user(name: &str) -> ScalarUDF {
    ScalarUDF::from(Constant::new("user", &["current_user", "session_user"], name))
}

/// Whether the first argument of the function is a unit of time, which tools write as a word.
pub fn takes_unit(function: &str) -> bool {
    let names = [interval::SHIFT.as_slice(), interval::WHOLE.as_slice(), interval::BOUNDARIES.as_slice()];
    names.concat().iter().any(|name| name.eq_ignore_ascii_case(function))
}

fn functions(catalog: &str) -> Vec<Arc<ScalarUDF>> {
    let renamed = [
        (datetime::current_date(), "curdate"),
        (datetime::current_time(), "curtime"),
        (math::ceil(), "ceiling"),
        (math::signum(), "sign"),
        (math::trunc(), "truncate"),
        (string::chr(), "char"),
        (string::lower(), "lcase"),
        (string::upper(), "ucase"),
    ];
    let renamed = renamed.into_iter().map(|(function, name)| function.as_ref().clone().with_aliases([name]));
    let forms = Form::all().map(ScalarUDF::from);
    let own = [
        ScalarUDF::from(Constant::new("database", &["current_catalog"], catalog)),
        ScalarUDF::from(Shift::new()),
        ScalarUDF::from(Interval::whole()),
        ScalarUDF::from(Interval::boundaries()),
    ];
    renamed.chain(forms).chain(own).map(Arc::new).collect()
}
