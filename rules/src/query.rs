//! Asking the engine for what a rule needs: a vector, or one number.

use exposition::Labels;
use promql::{Engine, Expr, Value};
use series::Store;

/// The result of an expression at one time, as rules take it. A range vector
/// or a text is an error, as in Prometheus only when it is evaluated.
pub(crate) fn ask(
    engine: &Engine,
    store: &Store,
    expr: &Expr,
    time_ms: i64,
) -> Result<Vec<(Labels, f64)>, String> {
    let answer = engine
        .instant(store, expr, time_ms)
        .map_err(|err| err.to_string())?;
    match answer.value {
        Value::Vector(samples) => Ok(samples),
        Value::Scalar(value) => Ok(vec![(Labels::empty(), value)]),
        _ => Err("the result of a rule must be an instant vector or a scalar".into()),
    }
}
