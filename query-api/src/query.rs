//! Queries: evaluated, formatted, taken apart.

use std::time::{Duration, Instant};

use exposition::Labels;
use promql::{Engine, Expr, Samples, Value};
use serde_json::json;

use crate::answer::{Answer, Notes};
use crate::ask::Ask;
use crate::failure::Failure;
use crate::routes::Api;
use crate::{json, times};

/// The most steps of a range query.
const MOST_STEPS: i128 = 11_000;

/// `/query`: at one time.
pub(crate) fn instant(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let form = &ask.form;
    let limit = times::limit(form)?;
    let time_ms = match form.get("time") {
        "" => (api.source.now_ms)(),
        text => times::time(text).map_err(|err| {
            Failure::parameter("time", format!("invalid time value for 'time': {err}"))
        })?,
    };
    let begun = Instant::now();
    let (engine, expr) = prepare(api, ask)?;
    let prepared = begun.elapsed();
    let mut answer = engine.instant(&api.source.store, &expr, time_ms)?;
    tell_roll_ups(api, &mut answer);
    let stats = stats(ask, answer.samples, prepared, begun.elapsed());
    Ok(render(answer, time_ms, limit, &stats))
}

/// `/query_range`: at many times.
pub(crate) fn range(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let form = &ask.form;
    let limit = times::limit(form)?;
    let time = |name| times::time(form.get(name)).map_err(|err| Failure::parameter(name, err));
    let (start_ms, end_ms) = (time("start")?, time("end")?);
    if end_ms < start_ms {
        let what = "end timestamp must not be before start time";
        return Err(Failure::parameter("end", what));
    }
    let step = times::duration(form.get("step")).map_err(|err| Failure::parameter("step", err))?;
    if times::milliseconds(step) <= 0 {
        let what = "zero or negative query resolution step widths are not accepted. \
                    Try a positive integer";
        return Err(Failure::parameter("step", what));
    }
    let span = (i128::from(end_ms) - i128::from(start_ms)) * 1_000_000;
    if span / i128::from(step) > MOST_STEPS {
        let what = "exceeded maximum resolution of 11,000 points per timeseries. \
                    Try decreasing the query resolution (?step=XX)";
        return Err(Failure::BadData(what.into()));
    }
    let begun = Instant::now();
    let (engine, expr) = prepare(api, ask)?;
    let prepared = begun.elapsed();
    let step_ms = times::milliseconds(step);
    let mut answer = engine.range(&api.source.store, &expr, start_ms, end_ms, step_ms)?;
    tell_roll_ups(api, &mut answer);
    let stats = stats(ask, answer.samples, prepared, begun.elapsed());
    Ok(render(answer, end_ms, limit, &stats))
}

/// `/query_exemplars`: there are none.
pub(crate) fn exemplars(_: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let (start, end, _) = times::bounds(&ask.form)?;
    if end < start {
        let what = "end timestamp must not be before start timestamp";
        return Err(Failure::BadData(what.into()));
    }
    let expr = promql::parse(ask.form.get("query"));
    let expr = expr.map_err(|err| Failure::BadData(err.to_string()))?;
    if expr.selectors().is_empty() {
        return Ok(Answer::Nothing);
    }
    Answer::json(&json!([]))
}

/// `/format_query`: the same query, laid out.
pub(crate) fn format(_: &Api, ask: &Ask) -> Result<Answer, Failure> {
    Answer::json(&parse(ask)?.pretty())
}

/// `/parse_query`: its tree.
pub(crate) fn tree(_: &Api, ask: &Ask) -> Result<Answer, Failure> {
    Answer::json(&parse(ask)?.tree())
}

fn parse(ask: &Ask) -> Result<Expr, Failure> {
    let expr = promql::parse(ask.form.get("query"));
    expr.map_err(|err| Failure::parameter("query", err))
}

fn prepare(api: &Api, ask: &Ask) -> Result<(Engine, Expr), Failure> {
    let form = &ask.form;
    if !form.get("timeout").is_empty() {
        let timeout = times::duration(form.get("timeout"));
        timeout.map_err(|err| Failure::parameter("timeout", err))?;
    }
    let mut lookback = api.source.limits.lookback;
    if !form.get("lookback_delta").is_empty() {
        let wanted = times::duration(form.get("lookback_delta")).map_err(|err| {
            Failure::BadData(format!("error parsing lookback delta duration: {err}"))
        })?;
        // Zero and less mean the default.
        let wanted = u64::try_from(wanted).ok().filter(|wanted| *wanted > 0);
        lookback = wanted.map_or(lookback, Duration::from_nanos);
    }
    let expr = parse(ask)?;
    ask.go_on()?;
    let engine = Engine::new(promql::Limits {
        samples: api.source.limits.samples,
        timeout: ask.deadline.saturating_duration_since(Instant::now()),
        lookback,
        subquery_step: (api.source.subquery_step)(),
        cancel: Some(ask.cancel.clone()),
        history: true,
    });
    Ok((engine, expr))
}

/// Says so where roll-ups stood in for samples.
pub(crate) fn tell_roll_ups(api: &Api, answer: &mut promql::Answer) {
    let empty = match &answer.value {
        Value::Vector(rows) => rows.is_empty(),
        Value::Matrix(rows) => rows.is_empty(),
        Value::Scalar(_) | Value::String(_) => true,
    };
    if answer.rolled_up && !empty {
        // A store without samples knows no beginning of them.
        let from_ms = api.source.store.floor_ms().min((api.source.now_ms)());
        answer.infos.push(format!(
            "PromQL info: what is before {} is read from roll-ups of five minutes",
            times::rfc3339(Some(from_ms))
        ));
    }
}

/// What a query took, if that is asked for.
fn stats(ask: &Ask, samples: Samples, prepared: Duration, taken: Duration) -> Vec<u8> {
    if ask.form.get("stats").is_empty() {
        return Vec::new();
    }
    let timings = json!({
        "evalTotalTime": taken.as_secs_f64(),
        "resultSortTime": 0,
        "queryPreparationTime": prepared.as_secs_f64(),
        "innerEvalTime": taken.saturating_sub(prepared).as_secs_f64(),
        "execQueueTime": ask.waited.as_secs_f64(),
        "execTotalTime": (ask.waited + taken).as_secs_f64(),
    });
    let samples = json!({
        "totalQueryableSamples": samples.read,
        "peakSamples": samples.peak,
    });
    let stats = json!({ "timings": timings, "samples": samples });
    format!(",\"stats\":{stats}").into_bytes()
}

fn render(answer: promql::Answer, time_ms: i64, limit: usize, stats: &[u8]) -> Answer {
    let mut notes = Notes {
        warnings: answer.warnings,
        infos: answer.infos,
    };
    let head = |kind: &str| format!("{{\"resultType\":\"{kind}\",\"result\":");
    let close = [b"]", stats, b"}"].concat();
    match answer.value {
        Value::Scalar(value) => {
            let mut out = format!("{}[{},\"", head("scalar"), seconds(time_ms)).into_bytes();
            json::plain_number(&mut out, value);
            out.push(b'"');
            out.extend_from_slice(&close);
            Answer::written(out, &notes)
        }
        Value::String(text) => {
            let mut out = format!("{}[{},", head("string"), seconds(time_ms)).into_bytes();
            json::string(&mut out, &text);
            out.extend_from_slice(&close);
            Answer::written(out, &notes)
        }
        Value::Vector(mut rows) => {
            cut(&mut rows, limit, &mut notes);
            let open = head("vector") + "[";
            let write = move |out: &mut Vec<u8>, (labels, value): (Labels, f64)| {
                out.extend_from_slice(b"{\"metric\":");
                json::labels(out, &labels);
                out.extend_from_slice(b",\"value\":");
                json::point(out, (time_ms, value));
                out.push(b'}');
            };
            Answer::rows(open.as_bytes(), rows.into_iter(), write, &close, &notes)
        }
        Value::Matrix(mut rows) => {
            cut(&mut rows, limit, &mut notes);
            let open = head("matrix") + "[";
            Answer::rows(open.as_bytes(), rows.into_iter(), series, &close, &notes)
        }
    }
}

fn series(out: &mut Vec<u8>, (labels, points): (Labels, Vec<(i64, f64)>)) {
    out.extend_from_slice(b"{\"metric\":");
    json::labels(out, &labels);
    out.extend_from_slice(b",\"values\":[");
    for (at, point) in points.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::point(out, point);
    }
    out.extend_from_slice(b"]}");
}

fn cut<T>(rows: &mut Vec<T>, limit: usize, notes: &mut Notes) {
    if rows.len() > limit {
        rows.truncate(limit);
        notes.truncated();
    }
}

fn seconds(time_ms: i64) -> String {
    (time_ms as f64 / 1000.0).to_string()
}
