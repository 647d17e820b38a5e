//! `belfry query`: an expression asked of the Belfry that runs, for people or as
//! JSON.

mod show;

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::{Place, client, offline};
use crate::app;
use crate::exit::{self, Exit};
use crate::out;

/// An expression, and for which time.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Query {
    /// The expression, in PromQL
    expr: String,
    /// Show the course of so much time, such as 1h, instead of one value
    #[arg(long, value_name = "TIME", value_parser = duration)]
    range: Option<Duration>,
    /// Time between two values of the course [default: a sixtieth of it]
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "range")]
    step: Option<Duration>,
    /// The time to look at, or the end of the course: RFC 3339, seconds since
    /// 1970, or so long ago (-1h) [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    at: Option<Moment>,
    /// Ask this address instead of the Belfry of the data folder; any Prometheus does
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print the answer of the API as one line of JSON
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  belfry query up
  belfry query 'rate(node_cpu_seconds_total{mode=\"idle\"}[5m])' --range 3h
  belfry query 'node_load1' --at -2h --json

Exit codes: 0 there is a result, 1 there is none, 3 no answer or a bad query.";

/// Values of a course where no step is stated; a line of a terminal has room for them.
const COLUMNS: u32 = 60;
/// A query may take so long; the server has a limit of its own below it.
const PATIENCE: Duration = Duration::from_secs(130);

/// When.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    /// In milliseconds since 1970.
    At(i64),
    /// So many milliseconds ago.
    Ago(i64),
}

/// Asks, and shows what comes.
pub(super) fn run(place: &Place, query: &Query) -> Result<Exit, Exit> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let path = path(query, now_ms);
    let asked = match &query.url {
        Some(url) => offline::wait(client::ask_at(url, &path, PATIENCE))?,
        None => {
            let data = app::data_folder(&offline::glance(place)?);
            offline::wait(client::ask(&data, &path, PATIENCE))?
        }
    };
    let answer = match asked {
        Ok(answer) => answer,
        Err(err) => {
            out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
            return Err(exit::USAGE);
        }
    };
    if query.json {
        out::line(&answer);
    }
    if answer["status"] != "success" {
        if !query.json {
            out::error(format_args!("belfry: {}", show::refusal(&answer)));
        }
        return Err(exit::USAGE);
    }
    let notes = ["warnings", "infos"].map(|key| answer[key].as_array().cloned());
    for note in notes.into_iter().flatten().flatten() {
        out::error(format_args!("note: {}", note.as_str().unwrap_or_default()));
    }
    let data = &answer["data"];
    if !query.json {
        for line in show::lines(data) {
            out::line(line);
        }
    }
    let nothing = data["result"].as_array().is_some_and(Vec::is_empty);
    Ok(if nothing { exit::WARNING } else { exit::OK })
}

/// What is asked of the API.
fn path(query: &Query, now_ms: i64) -> String {
    let at_ms = match query.at {
        None => now_ms,
        Some(Moment::At(ms)) => ms,
        Some(Moment::Ago(ms)) => now_ms - ms,
    };
    let expr = client::escaped(&query.expr);
    let Some(range) = query.range else {
        return format!("/api/v1/query?query={expr}&time={}", seconds(at_ms));
    };
    let step = query.step.unwrap_or(range / COLUMNS).as_millis().max(1000);
    let from_ms = at_ms - i64::try_from(range.as_millis()).unwrap_or(0);
    format!(
        "/api/v1/query_range?query={expr}&start={}&end={}&step={}",
        seconds(from_ms),
        seconds(at_ms),
        seconds(i64::try_from(step).unwrap_or(i64::MAX))
    )
}

fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

fn duration(text: &str) -> Result<Duration, String> {
    settings::parse_duration(text)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "not a duration; write 15s, 5m or 1h30m".to_owned())
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(ago) = text.strip_prefix('-')
        && let Ok(ago) = duration(ago)
    {
        return Ok(Moment::Ago(i64::try_from(ago.as_millis()).unwrap_or(0)));
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.abs() < 1e11
    {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be small")]
        return Ok(Moment::At((seconds * 1000.0).round() as i64));
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| Moment::At(time.as_millisecond()))
        .map_err(|_| {
            "not a time; write 2026-01-31T12:00:00Z, seconds since 1970, or -1h".to_owned()
        })
}

/// A text of an answer.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(range: Option<u64>, step: Option<u64>, at: Option<&str>) -> Query {
        Query {
            expr: "a{b=\"c\"}".to_owned(),
            range: range.map(Duration::from_secs),
            step: step.map(Duration::from_secs),
            at: at.map(|at| moment(at).unwrap()),
            url: None,
            json: false,
        }
    }

    #[test]
    fn what_is_meant_is_asked() {
        let now_ms = 1_700_000_000_500;
        let expr = "query=a%7Bb%3D%22c%22%7D";
        for (query, path) in [
            (
                query(None, None, None),
                format!("/api/v1/query?{expr}&time=1700000000.500"),
            ),
            (
                query(None, None, Some("-1h")),
                format!("/api/v1/query?{expr}&time=1699996400.500"),
            ),
            (
                query(None, None, Some("2023-11-14T22:13:20Z")),
                format!("/api/v1/query?{expr}&time=1700000000.000"),
            ),
            (
                query(None, None, Some("-5.5")),
                format!("/api/v1/query?{expr}&time=-5.500"),
            ),
            (
                query(Some(3600), None, Some("1700000000")),
                format!(
                    "/api/v1/query_range?{expr}&start=1699996400.000&end=1700000000.000&step=60.000"
                ),
            ),
            (
                query(Some(10), None, Some("1700000000")),
                format!(
                    "/api/v1/query_range?{expr}&start=1699999990.000&end=1700000000.000&step=1.000"
                ),
            ),
            (
                query(Some(3600), Some(300), Some("1700000000")),
                format!(
                    "/api/v1/query_range?{expr}&start=1699996400.000&end=1700000000.000&step=300.000"
                ),
            ),
        ] {
            assert_eq!(super::path(&query, now_ms), path);
        }
        assert!(moment("yesterday").is_err());
    }
}
