//! `belfry alerts`: what fires and who has taken it on; with `--history`, what
//! became of past alerts. The exit code is the worst severity that fires.

use clap::Args;
use serde_json::Value;

use super::status::fit;
use super::{Place, client, offline};
use crate::exit::{self, Exit};
use crate::out;

/// Which alerts are shown.
#[derive(Debug, Args)]
pub(super) struct Alerts {
    /// Only alerts of this name
    name: Option<String>,
    /// Also past alerts, the newest first, with how long they took
    #[arg(long)]
    history: bool,
    /// Show at most so many of the history
    #[arg(long, value_name = "N", default_value_t = 30, requires = "history")]
    limit: u32,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    there: client::There,
}

pub(super) fn run(place: &Place, wanted: &Alerts) -> Result<Exit, Exit> {
    let server = client::find(place, &wanted.there)?;
    let path = match wanted.history {
        false => "/api/belfry/v1/alerts".to_owned(),
        true => {
            let name = wanted.name.as_ref().map_or_else(String::new, |name| {
                format!("&name={}", client::escaped(name))
            });
            format!("/api/belfry/v1/history?limit={}{name}", wanted.limit)
        }
    };
    let mut answer = match offline::wait(server.get(&path))? {
        Ok(answer) => answer,
        Err(err) => {
            out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
            return Err(exit::USAGE);
        }
    };
    if let (Some(name), Some(alerts)) = (&wanted.name, answer["alerts"].as_array_mut()) {
        alerts.retain(|alert| alert["name"] == **name);
    }
    let code = worst(list(&answer, "alerts"));
    if wanted.json {
        out::line(&answer);
        return Ok(code);
    }
    let zone = offline::zone(place, &wanted.there);
    let lines = match wanted.history {
        false => firing(&answer, &zone),
        true => past(&answer, &zone),
    };
    for line in lines {
        out::line(fit(&line));
    }
    Ok(code)
}

/// An alert that somebody has taken on is as bad as before.
fn worst(alerts: &[Value]) -> Exit {
    let has = |severity: &str| alerts.iter().any(|alert| alert["severity"] == severity);
    match (has("critical"), has("warning")) {
        (true, _) => exit::CRITICAL,
        (false, true) => exit::WARNING,
        (false, false) => exit::OK,
    }
}

fn firing(answer: &Value, zone: &dashboards::time::Zone) -> Vec<String> {
    let now_ms = answer["now_ms"].as_i64().unwrap_or_default();
    let clock = |ms: i64| dashboards::time::clock(ms, now_ms, zone);
    let mut lines = Vec::new();
    for alert in list(answer, "alerts") {
        let since_ms = alert["since_ms"].as_i64().unwrap_or(now_ms);
        lines.push(format!(
            "{}  {}  {:<24} {:>7}  {}",
            mark(alert),
            short(alert),
            text(alert, "name"),
            dashboards::time::duration(now_ms - since_ms),
            text(alert, "summary")
        ));
        if let Some(at_ms) = alert["ack"]["at_ms"].as_i64() {
            lines.push(format!("{PAD}{}", said(&alert["ack"], &clock(at_ms))));
        }
        if !text(alert, "muted").is_empty() {
            lines.push(format!("{PAD}muted: {}", text(alert, "muted")));
        }
        if !text(alert, "returned").is_empty() {
            lines.push(format!("{PAD}came back: {}", text(alert, "returned")));
        }
        if let Some(at_ms) = alert["raised_ms"].as_i64() {
            lines.push(format!(
                "{PAD}was SEV-2, SEV-1 by its age since {}",
                clock(at_ms)
            ));
        }
        let again = match alert["pages"].as_u64() {
            Some(1..) => "mail again",
            _ => "mail",
        };
        let mut next: Vec<(i64, &str)> = [
            ("next_page_ms", again),
            ("second_contact_ms", "second contact"),
            ("raises_ms", "becomes SEV-1"),
        ]
        .into_iter()
        .filter_map(|(key, what)| Some((alert[key].as_i64()?, what)))
        .collect();
        next.sort_unstable();
        for (at_ms, what) in next {
            let wait = dashboards::time::duration((at_ms - now_ms).max(0));
            lines.push(format!("{PAD}next: {what} {} (in {wait})", clock(at_ms)));
        }
    }
    if lines.is_empty() {
        lines.push("nothing fires".into());
    }
    lines
}

/// Under the name of the alert.
const PAD: &str = "                 ";

fn past(answer: &Value, zone: &dashboards::time::Zone) -> Vec<String> {
    let now_ms = answer["now_ms"].as_i64().unwrap_or_default();
    let clock = |ms: i64| dashboards::time::clock(ms, now_ms, zone);
    let mut lines = Vec::new();
    for episode in list(answer, "episodes") {
        let started_ms = episode["started_ms"].as_i64().unwrap_or_default();
        let took = match episode["duration_ms"].as_i64() {
            Some(took_ms) => dashboards::time::duration(took_ms),
            None => "fires".to_owned(),
        };
        let pages = episode["pages"].as_u64().unwrap_or_default();
        lines.push(format!(
            "{}  {}  {:<24} {:>7}  {}, {} mail{}",
            mark(episode),
            short(episode),
            text(episode, "name"),
            took,
            clock(started_ms),
            pages,
            if pages == 1 { "" } else { "s" },
        ));
        if let Some(at_ms) = episode["ack"]["at_ms"].as_i64() {
            lines.push(format!("{PAD}{}", said(&episode["ack"], &clock(at_ms))));
        }
    }
    if lines.is_empty() {
        lines.push("no alert has fired yet".into());
    }
    lines
}

fn said(ack: &Value, clock: &str) -> String {
    let note = match text(ack, "note") {
        "" => String::new(),
        note => format!(": {note}"),
    };
    format!("acked by {} at {clock}{note}", text(ack, "by"))
}

fn mark(alert: &Value) -> &'static str {
    match text(alert, "severity") {
        "critical" => "SEV-1",
        "warning" => "SEV-2",
        _ => "SEV-3",
    }
}

/// As much of a fingerprint as names it.
fn short(alert: &Value) -> &str {
    text(alert, "fingerprint").get(..8).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn utc() -> dashboards::time::Zone {
        dashboards::time::Zone(jiff::tz::TimeZone::UTC)
    }

    #[test]
    fn the_list_says_who_has_it_and_what_comes_next() {
        let answer = json!({ "now_ms": 600_000, "alerts": [
            { "fingerprint": "7f3c000000000001", "name": "ApiDown", "severity": "critical",
              "summary": "0 of 2 healthy", "since_ms": 0, "muted": "", "pages": 1,
              "ack": { "by": "kim", "note": "on it", "at_ms": 120_000 }, "next_page_ms": null },
            { "fingerprint": "8000000000000001", "name": "DiskFilling", "severity": "warning",
              "summary": "71 %", "since_ms": 300_000, "muted": "hidden by ApiDown", "pages": 0,
              "returned": "mail: to ops@example.org: 550 no",
              "ack": null, "next_page_ms": 900_000, "raises_ms": 7_500_000 },
        ] });
        assert_eq!(
            firing(&answer, &utc()),
            [
                "SEV-1  7f3c0000  ApiDown                   10 min  0 of 2 healthy",
                "                 acked by kim at 00:02:00 UTC: on it",
                "SEV-2  80000000  DiskFilling                5 min  71 %",
                "                 muted: hidden by ApiDown",
                "                 came back: mail: to ops@example.org: 550 no",
                "                 next: mail 00:15:00 UTC (in 5 min)",
                "                 next: becomes SEV-1 02:05:00 UTC (in 1 h 55)",
            ]
        );
        assert_eq!(worst(list(&answer, "alerts")), exit::CRITICAL);
        assert_eq!(firing(&json!({}), &utc()), ["nothing fires"]);
    }

    #[test]
    fn the_history_says_how_long_it_took() {
        let answer = json!({ "now_ms": 600_000, "episodes": [
            { "fingerprint": "7f3c000000000001", "name": "ApiDown", "severity": "critical",
              "started_ms": 480_000, "ended_ms": null, "duration_ms": null, "pages": 0 },
            { "fingerprint": "7f3c000000000001", "name": "ApiDown", "severity": "critical",
              "started_ms": 0, "duration_ms": 240_000, "pages": 1,
              "ack": { "by": "kim", "note": "", "at_ms": 120_000 } },
        ] });
        assert_eq!(
            past(&answer, &utc()),
            [
                "SEV-1  7f3c0000  ApiDown                    fires  00:08:00 UTC, 0 mails",
                "SEV-1  7f3c0000  ApiDown                    4 min  00:00:00 UTC, 1 mail",
                "                 acked by kim at 00:02:00 UTC",
            ]
        );
    }
}
