//! What must hold for services to be ready: expressions over the collected
//! series, evaluated once per interval, however often a service is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use promql::Value;
use tokio::{task, time};
use tokio_util::sync::CancellationToken;

use super::super::Watch;
use crate::config::Config;

/// Between looks, however long the interval is.
const MOST: Duration = Duration::from_secs(15);

/// What came of each expression: it holds, or in words why not.
#[derive(Debug, Default)]
pub(crate) struct Proofs(Mutex<BTreeMap<String, Result<(), String>>>);

impl Proofs {
    /// What came of an expression; nothing before it was evaluated.
    pub(super) fn of(&self, expr: &str) -> Option<Result<(), String>> {
        self.all().get(expr).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Result<(), String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with the expressions and the heartbeats, as (key, message). Probes may
/// be found later.
pub(crate) fn faults(config: &Config) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (name, declared) in &config.health.services {
        let mut fault = |key: &str, message: String| {
            faults.push((format!("health.services[{name}].{key}"), message));
        };
        if !declared.ready_when.is_empty()
            && let Err(err) = promql::parse(&declared.ready_when)
        {
            fault("ready_when", err.to_string());
        }
        let (beat, beats) = (&declared.heartbeat, &config.heartbeat);
        if !beat.is_empty() && !beats.create && !beats.expect.contains_key(beat) {
            let message =
                format!("no heartbeat of heartbeat.expect is named {beat:?}, and pings make none");
            fault("heartbeat", message);
        }
    }
    faults
}

/// Evaluates until told to stop.
pub(super) async fn run(watch: &Arc<Watch>, stop: &CancellationToken) {
    let beat = watch.liveness.watch("evidence", MOST * 8, Instant::now());
    loop {
        let config = watch.config();
        let asked: BTreeSet<String> = config
            .health
            .services
            .values()
            .map(|declared| declared.ready_when.clone())
            .filter(|expr| !expr.is_empty())
            .collect();
        if !asked.is_empty() || !watch.health.proofs.all().is_empty() {
            let (watching, now_ms) = (Arc::clone(watch), watch.clock.now_ms());
            let evaluate = move || {
                let all = asked.into_iter().map(|expr| {
                    let proof = proof(&watching, &expr, now_ms);
                    (expr, proof)
                });
                all.collect::<BTreeMap<_, _>>()
            };
            match task::spawn_blocking(evaluate).await {
                Ok(proofs) => *watch.health.proofs.all() = proofs,
                Err(err) => tracing::error!("services cannot be judged by their evidence: {err}"),
            }
        }
        beat.beat(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = time::sleep(config.interval.min(MOST)) => {}
        }
    }
}

fn proof(watch: &Watch, text: &str, now_ms: i64) -> Result<(), String> {
    let expr = promql::parse(text).map_err(|err| format!("is no expression: {err}"))?;
    let answer = watch.engine().instant(&watch.store, &expr, now_ms);
    let answer = answer.map_err(|err| format!("cannot be evaluated: {err}"))?;
    holds(&answer.value)
}

/// As with the expression of an alert: whatever it gives makes it hold, a queue
/// of length 0 too.
fn holds(value: &Value) -> Result<(), String> {
    match value {
        Value::Scalar(number) if *number == 0.0 || number.is_nan() => {
            Err(format!("gives {number}"))
        }
        Value::Vector(vector) if vector.is_empty() => Err("gives nothing".to_owned()),
        Value::Scalar(_) | Value::Vector(_) => Ok(()),
        Value::String(_) | Value::Matrix(_) => Err("gives no number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_holds_while_it_gives_something() {
        let vector = |values: &[f64]| {
            let labels = exposition::Labels::from_pairs([("a", "b")]);
            Value::Vector(
                values
                    .iter()
                    .map(|value| (labels.clone(), *value))
                    .collect(),
            )
        };
        for (value, expected) in [
            (Value::Scalar(1.0), Ok(())),
            (Value::Scalar(0.0), Err("gives 0")),
            (vector(&[]), Err("gives nothing")),
            (vector(&[3.0, 0.0]), Ok(())),
            (Value::Scalar(f64::NAN), Err("gives NaN")),
            (Value::String("x".into()), Err("gives no number")),
        ] {
            assert_eq!(holds(&value), expected.map_err(str::to_owned), "{value:?}");
        }
    }
}
