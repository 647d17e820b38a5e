//! Comparing what is there with what a test expects, and telling the difference.

use std::fmt::Write as _;
use std::time::Duration;

use exposition::Labels;
use promql::Engine;
use series::Store;

use super::file::{AlertCase, ExprCase};
use crate::query::ask;

type Told = (alert::Set, alert::Set);

/// Compares firing alerts, given in order.
pub(super) fn alerts(case: &AlertCase, firing: &[Told]) -> Result<(), String> {
    let mut expected = case.expected.clone();
    expected.sort();
    if expected == firing {
        return Ok(());
    }
    let mut out = format!("alert {} at {}:", case.name, time(case.at_ms));
    let missing = expected.iter().filter(|alert| !firing.contains(alert));
    let surplus = firing.iter().filter(|alert| !expected.contains(alert));
    for (word, (labels, annotations)) in missing
        .map(|alert| ("expected", alert))
        .chain(surplus.map(|alert| ("firing", alert)))
    {
        let _ = write!(out, "\n  {word:<8} {labels:?}");
        for (name, value) in annotations {
            let _ = write!(out, "\n             {name}: {value:?}");
        }
    }
    if firing.is_empty() {
        out.push_str("\n  nothing fires");
    }
    Err(out)
}

/// Asks an expression and compares the samples.
pub(super) fn expr(
    case: &ExprCase,
    now_ms: i64,
    fuzzy: bool,
    store: &Store,
    engine: &Engine,
) -> Result<(), String> {
    let at = time(case.at_ms);
    let parsed = promql::parse(&case.expr).map_err(|err| format!("bad expr: {err}"))?;
    let mut got = ask(engine, store, &parsed, now_ms)
        .map_err(|err| format!("{} failed at {at}: {err}", case.expr))?;
    let mut expected = case.expected.clone();
    let by_labels = |a: &(Labels, f64), b: &(Labels, f64)| a.0.cmp(&b.0);
    got.sort_by(by_labels);
    expected.sort_by(by_labels);
    let equal = got.len() == expected.len()
        && got
            .iter()
            .zip(&expected)
            .all(|(got, want)| got.0 == want.0 && same(got.1, want.1, fuzzy));
    if equal {
        return Ok(());
    }
    let show = |samples: &[(Labels, f64)]| {
        let lines = samples
            .iter()
            .map(|(labels, value)| format!("{labels} {}", exposition::format_value(*value)));
        lines.collect::<Vec<_>>().join("; ")
    };
    Err(format!(
        "{} at {at}:\n  expected {}\n  got      {}",
        case.expr,
        show(&expected),
        show(&got)
    ))
}

/// A time since the start as people write it.
pub(super) fn time(at_ms: i64) -> String {
    settings::format_duration(Duration::from_millis(at_ms.unsigned_abs()))
}

/// Equal, or with `fuzzy` equal but for the last digits.
fn same(a: f64, b: f64, fuzzy: bool) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    fuzzy && (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}
