//! Asking the engine, and comparing its answers with what is expected.

use exposition::Labels;
use promql::{Answer, Engine, Expr, Value};
use series::Store;

use crate::pin::{moves, pin};
use crate::script::{Eval, Expected, Says, Times};
use crate::values::same;

type Outcome = Result<(), String>;

pub(crate) fn run(store: &Store, eval: &Eval) -> Outcome {
    let engine = Engine::default();
    let expr = match promql::parse(&eval.query) {
        Ok(expr) => expr,
        Err(err) => return failed(&eval.expected, &err.to_string()),
    };
    match eval.times {
        Times::Range { start, end, step } => {
            let answer = engine.range(store, &expr, start, end, step);
            range(&eval.expected, answer, start, step)
        }
        Times::Instant(time) => {
            instant(&eval.expected, engine.instant(store, &expr, time))
                .map_err(|what| format!("at {time}: {what}"))?;
            if eval.expected.fails {
                return Ok(());
            }
            reread(store, eval, &expr, time)?;
            pinned(store, eval, &expr, time)?;
            in_range(store, eval, &expr, time)
        }
    }
}

/// Printing and reading again does not change what is asked.
fn reread(store: &Store, eval: &Eval, expr: &Expr, time: i64) -> Outcome {
    let text = expr.to_string();
    let again = promql::parse(&text).map_err(|err| format!("{text}: {err}"))?;
    let answer = Engine::default().instant(store, &again, time);
    let answer = answer.map_err(|err| format!("{text}: {err}"))?;
    values(&eval.expected, &answer.value).map_err(|what| format!("{text}: {what}"))
}

/// With `@`, other times give the same answer.
fn pinned(store: &Store, eval: &Eval, expr: &Expr, time: i64) -> Outcome {
    let text = pin(&eval.query, expr, time);
    let pinned = promql::parse(&text).map_err(|err| format!("{text}: {err}"))?;
    let times = if moves(&eval.query) {
        vec![time]
    } else {
        vec![-10 * time, 0, time / 5, time, 10 * time]
    };
    for other in times {
        let answer = Engine::default().instant(store, &pinned, other);
        let answer = answer.map_err(|err| format!("{text} at {other}: {err}"))?;
        values(&eval.expected, &answer.value)
            .map_err(|what| format!("{text} at {other}: {what}"))?;
    }
    Ok(())
}

/// In the middle of a range query the same answer stands.
fn in_range(store: &Store, eval: &Eval, expr: &Expr, time: i64) -> Outcome {
    let expected = &eval.expected;
    if expected.string.is_some() || expected.matrix.is_some() || expected.ordered {
        return Ok(());
    }
    let step = 60_000;
    let answer = Engine::default()
        .range(store, expr, time - step, time + step, step)
        .map_err(|err| format!("in a range: {err}"))?;
    let Value::Matrix(matrix) = answer.value else {
        return Err("a range query gave no matrix".into());
    };
    let at_time = |points: &[(i64, f64)]| {
        points
            .iter()
            .find(|point| point.0 == time)
            .map(|point| point.1)
    };
    let vector: Vec<(Labels, f64)> = matrix
        .into_iter()
        .filter_map(|(labels, points)| Some((labels, at_time(&points)?)))
        .collect();
    let value = match (expected.scalar, &vector[..]) {
        (Some(_), [(_, value)]) => Value::Scalar(*value),
        _ => Value::Vector(vector),
    };
    values(expected, &value).map_err(|what| format!("in a range: {what}"))
}

fn failed(expected: &Expected, message: &str) -> Outcome {
    if !expected.fails {
        return Err(format!("failed: {message}"));
    }
    let said = |says: &Says| match says {
        Says::Anything => true,
        Says::Exactly(text) => text == message,
        Says::Matching(pattern) => pattern.is_match(message),
    };
    let mut kinds = expected.notes.iter().filter(|(kind, _)| kind == "fail");
    if kinds.all(|(_, says)| said(says)) {
        Ok(())
    } else {
        Err(format!("failed with another message: {message}"))
    }
}

fn noted(expected: &Expected, kind: &str, notes: &[String], none: bool) -> Outcome {
    if none && !notes.is_empty() {
        return Err(format!("expected no {kind}, got {notes:?}"));
    }
    for (_, says) in expected.notes.iter().filter(|(have, _)| have == kind) {
        let found = match says {
            Says::Anything => !notes.is_empty(),
            Says::Exactly(text) => notes.contains(text),
            Says::Matching(pattern) => notes.iter().any(|note| pattern.is_match(note)),
        };
        if !found {
            return Err(format!("expected another {kind}, got {notes:?}"));
        }
    }
    Ok(())
}

fn answered(
    expected: &Expected,
    answer: Result<Answer, promql::Error>,
) -> Result<Option<Value>, String> {
    let answer = match answer {
        Ok(_) if expected.fails => return Err("did not fail".into()),
        Err(err) => return failed(expected, &err.to_string()).map(|()| None),
        Ok(answer) => answer,
    };
    noted(expected, "warn", &answer.warnings, expected.no_warnings)?;
    noted(expected, "info", &answer.infos, expected.no_infos)?;
    Ok(Some(answer.value))
}

fn instant(expected: &Expected, answer: Result<Answer, promql::Error>) -> Outcome {
    answered(expected, answer)?.map_or(Ok(()), |value| values(expected, &value))
}

fn values(expected: &Expected, value: &Value) -> Outcome {
    let wrong = || Err(format!("got {value:?}"));
    match value {
        Value::String(text) if expected.string.as_ref() == Some(text) => Ok(()),
        Value::Scalar(number) if expected.scalar.is_some_and(|want| same(want, *number)) => Ok(()),
        Value::Vector(vector) if expected.scalar.is_none() && expected.string.is_none() => {
            if vector.len() != expected.series.len() {
                return wrong();
            }
            for (at, (labels, wanted)) in expected.series.iter().enumerate() {
                let place = vector.iter().position(|(have, _)| have == labels);
                let found = place.filter(|place| !expected.ordered || *place == at);
                let number = wanted.first().copied().flatten();
                if !found
                    .zip(number)
                    .is_some_and(|(place, want)| same(want, vector[place].1))
                {
                    return wrong();
                }
            }
            Ok(())
        }
        Value::Matrix(matrix) => match expected.matrix {
            Some((start, step)) => series(expected, matrix, start, step),
            None => wrong(),
        },
        _ => wrong(),
    }
}

fn range(
    expected: &Expected,
    answer: Result<Answer, promql::Error>,
    start: i64,
    step: i64,
) -> Outcome {
    match answered(expected, answer)? {
        Some(Value::Matrix(matrix)) => series(expected, &matrix, start, step),
        Some(other) => Err(format!("got {other:?}")),
        None => Ok(()),
    }
}

fn series(
    expected: &Expected,
    matrix: &[(Labels, Vec<(i64, f64)>)],
    start: i64,
    step: i64,
) -> Outcome {
    // A series of gaps is a series of histograms, which are no part of this.
    let wanted: Vec<(&Labels, Vec<(i64, f64)>)> = expected
        .series
        .iter()
        .map(|(labels, values)| {
            let times = (0..).map(|at| start + at * step);
            let points = times
                .zip(values)
                .filter_map(|(time, value)| Some((time, (*value)?)));
            (labels, points.collect())
        })
        .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
        .collect();
    let same_points = |left: &[(i64, f64)], right: &[(i64, f64)]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| left.0 == right.0 && same(left.1, right.1))
    };
    let fits = wanted.len() == matrix.len()
        && wanted.iter().all(|(labels, points)| {
            matrix
                .iter()
                .any(|(have, got)| have == *labels && same_points(points, got))
        });
    if fits {
        Ok(())
    } else {
        Err(format!("got {matrix:?}"))
    }
}
