//! `/graph`: where the links in alerts lead. An expression, a picture of it and what
//! it gives, drawn here, so that it needs no script. It takes Prometheus' own words
//! in the address: `g0.expr`, `g0.range_input`, `g0.end_input`.

mod chart;
mod page;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use exposition::{Labels, format_value};
use promql::{Engine, Expr, Value};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::failure::Failure;
use crate::form::Form;
use crate::query::tell_roll_ups;
use crate::routes::Api;
use crate::times;
use chart::Line;

/// A person waits no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most values that a question may hold at once.
const SAMPLES: usize = 2_000_000;
/// So many points does a line have: more are not seen on a screen.
const POINTS: i64 = 240;
/// So many series have lines.
const LINES: usize = 16;
/// So many series are listed.
const ROWS: usize = 500;
/// Ranges in milliseconds.
const LEAST_RANGE: i64 = 60_000;
const MOST_RANGE: i64 = 366 * 86_400_000;

/// What is asked for, as the address says it.
struct Question<'a> {
    expr: &'a str,
    range: &'a str,
    end: &'a str,
}

impl<'a> Question<'a> {
    fn read(form: &'a Form) -> Self {
        Self {
            expr: form.get("g0.expr"),
            range: match form.get("g0.range_input") {
                "" => "1h",
                range => range,
            },
            end: form.get("g0.end_input"),
        }
    }

    /// Where the picture begins and ends.
    fn span(&self, now_ms: i64) -> Result<(i64, i64), Failure> {
        let wrong = |what: &str, err: String| Failure::BadData(format!("{what}: {err}"));
        let end = match self.end {
            "" => now_ms,
            // As a person writes it, and as Prometheus' page does.
            text => times::time(text)
                .or_else(|err| {
                    times::time(&format!("{}Z", text.replacen(' ', "T", 1))).map_err(|_| err)
                })
                .map_err(|err| wrong("until", err))?,
        };
        let range = times::duration(self.range).map_err(|err| wrong("range", err))?;
        let range = times::milliseconds(range).clamp(LEAST_RANGE, MOST_RANGE);
        Ok((end.saturating_sub(range), end))
    }
}

/// A series of the table: its value at the end of the range, and the number of its
/// line.
struct Row {
    labels: Labels,
    value: Option<f64>,
    line: Option<usize>,
}

/// What the page shows of an answer.
#[derive(Default)]
struct Shown {
    rows: Vec<Row>,
    lines: Vec<Line>,
    /// The answer where it is no series.
    word: Option<String>,
    /// What there is to say about it.
    notes: Vec<String>,
}

/// The page with its picture, or with nothing but the form where nothing is asked.
pub(crate) fn page(api: &Api, ask: &Ask) -> Result<Answer, Failure> {
    let question = Question::read(&ask.form);
    let now_ms = (api.source.now_ms)();
    let (start_ms, end_ms) = question.span(now_ms)?;
    let mut out = page::open(&question);
    if !question.expr.is_empty() {
        let shown = look(api, ask, question.expr, (start_ms, end_ms))?;
        page::body(&mut out, &shown, (start_ms, end_ms));
    }
    page::close(&mut out);
    Ok(Answer::page(out))
}

/// The page that says what is wrong.
pub(crate) fn refused(form: &Form, failure: &Failure) -> Response {
    let question = Question::read(form);
    let mut out = page::open(&question);
    page::fault(&mut out, failure.what());
    page::close(&mut out);
    failure.page(out)
}

/// Labels are other people's words: a browser must take nothing on the page for a
/// script, nor the page for a part of another one.
pub(crate) fn guarded(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
                          base-uri 'none'; frame-ancestors 'none'";
    let headers = response.headers_mut();
    let nosniff = HeaderName::from_static("x-content-type-options");
    headers.insert(nosniff, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    response
}

fn look(api: &Api, ask: &Ask, text: &str, (start, end): (i64, i64)) -> Result<Shown, Failure> {
    let expr = promql::parse(text).map_err(|err| Failure::BadData(err.to_string()))?;
    ask.go_on()?;
    // For the value and the picture together.
    let until = ask.deadline.min(Instant::now() + PATIENCE);
    let mut answer = engine(api, ask, until).instant(&api.source.store, &expr, end)?;
    tell_roll_ups(api, &mut answer);
    let mut shown = Shown {
        notes: [answer.warnings, answer.infos].concat(),
        ..Shown::default()
    };
    let lines = match answer.value {
        Value::String(text) => {
            shown.word = Some(text);
            return Ok(shown);
        }
        Value::Matrix(matrix) => {
            let last = |points: &Vec<(i64, f64)>| points.last().map(|(_, value)| *value);
            let rows = matrix.iter().map(|(labels, points)| Row {
                labels: labels.clone(),
                value: last(points),
                line: None,
            });
            shown.rows = rows.collect();
            Some(matrix)
        }
        Value::Scalar(value) => {
            shown.word = Some(format_value(value));
            None
        }
        Value::Vector(vector) => {
            let rows = vector.into_iter().map(|(labels, value)| Row {
                labels,
                value: Some(value),
                line: None,
            });
            shown.rows = rows.collect();
            None
        }
    };
    let lines = lines.unwrap_or_else(|| {
        let engine = engine(api, ask, until);
        draw(api, &engine, &expr, (start, end), &mut shown)
    });
    join(&mut shown, lines);
    Ok(shown)
}

fn engine(api: &Api, ask: &Ask, until: Instant) -> Engine {
    Engine::new(promql::Limits {
        samples: api.source.limits.samples.min(SAMPLES),
        timeout: until.saturating_duration_since(Instant::now()),
        lookback: api.source.limits.lookback,
        subquery_step: (api.source.subquery_step)(),
        cancel: Some(ask.cancel.clone()),
        history: true,
    })
}

/// The lines of a picture. Where there can be none, the table is still worth a look.
fn draw(
    api: &Api,
    engine: &Engine,
    expr: &Expr,
    (start, end): (i64, i64),
    shown: &mut Shown,
) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let step = ((end - start) / POINTS).max(1000);
    // The last point is the value in the table.
    let start = end - (end - start) / step * step;
    match engine.range(&api.source.store, expr, start, end, step) {
        Ok(mut answer) => {
            tell_roll_ups(api, &mut answer);
            for note in [answer.warnings, answer.infos].concat() {
                if !shown.notes.contains(&note) {
                    shown.notes.push(note);
                }
            }
            match answer.value {
                Value::Matrix(matrix) => matrix,
                _ => Vec::new(),
            }
        }
        Err(err) => {
            shown.notes.push(format!("there is no picture: {err}"));
            Vec::new()
        }
    }
}

/// Gives lines to the rows of the table, in its order, and rows to series that are
/// gone by the end of the range.
fn join(shown: &mut Shown, matrix: Vec<(Labels, Vec<(i64, f64)>)>) {
    let mut points: std::collections::BTreeMap<Labels, Vec<(i64, f64)>> =
        matrix.into_iter().collect();
    let all = points.len();
    for row in &mut shown.rows {
        if shown.lines.len() == LINES {
            break;
        }
        if let Some(points) = points.remove(&row.labels) {
            row.line = Some(shown.lines.len());
            shown.lines.push(Line { points });
        }
    }
    let listed: std::collections::BTreeSet<&Labels> =
        shown.rows.iter().map(|row| &row.labels).collect();
    points.retain(|labels, _| !listed.contains(labels));
    drop(listed);
    let is_word = shown.word.is_some();
    for (labels, points) in points {
        let line = (shown.lines.len() < LINES).then_some(shown.lines.len());
        if line.is_some() {
            shown.lines.push(Line { points });
        }
        // A lone number is not a series.
        if !is_word {
            shown.rows.push(Row {
                labels,
                value: None,
                line,
            });
        }
    }
    if shown.lines.len() < all {
        let drawn = shown.lines.len();
        shown
            .notes
            .push(format!("{drawn} of {all} lines are drawn"));
    }
}

/// Text where HTML is expected.
fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => {
                let _ = out.write_char(letter);
            }
        }
    }
}
