//! `belfry why`: the way from a rule to the mail server's answer, for an alert
//! that fires or for one that is over.

use clap::Args;
use serde_json::Value;

use super::status::fit;
use super::{Place, client, offline};
use crate::exit::{self, Exit};
use crate::out;

/// Which alert.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// The alert's name, its fingerprint, or how that begins
    alert: String,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    there: client::There,
}

pub(super) fn run(place: &Place, wanted: &Why) -> Result<Exit, Exit> {
    let server = client::find(place, &wanted.there)?;
    let answers = offline::wait(async {
        let mut answers = Vec::new();
        for fingerprint in found(&server, &wanted.alert).await? {
            let path = format!("/api/belfry/v1/why/{fingerprint}");
            answers.push(server.get(&path).await?);
        }
        if answers.is_empty() {
            // A rule of that name may have raised none.
            let name = client::escaped(&wanted.alert);
            let path = format!("/api/belfry/v1/why/{name}");
            answers.extend(server.get_any(&path).await?);
        }
        Ok::<_, client::Error>(answers)
    })?;
    let answers = answers.map_err(|err| {
        out::error(format_args!("belfry: {:#}", anyhow::Error::from(err)));
        exit::USAGE
    })?;
    if answers.is_empty() {
        out::error(format_args!(
            "belfry: no alert called {:?} fires, nor is one in the history, nor is a rule called so",
            wanted.alert
        ));
        return Err(exit::USAGE);
    }
    let zone = offline::zone(place, &wanted.there);
    for answer in &answers {
        match wanted.json {
            true => out::line(answer),
            false if answer["rules"].is_array() => quiet(answer, &zone)
                .iter()
                .for_each(|line| out::line(fit(line))),
            false => lines(answer, &zone)
                .iter()
                .for_each(|line| out::line(fit(line))),
        }
    }
    Ok(exit::OK)
}

/// The fingerprints that a name or a beginning means, of what fires and of the
/// history; of each alert once.
async fn found(server: &client::Server, text: &str) -> Result<Vec<String>, client::Error> {
    let name = client::escaped(text);
    let letters = text.to_ascii_lowercase();
    let mut found: Vec<String> = Vec::new();
    for path in [
        format!("/api/belfry/v1/history?limit=1000&name={name}"),
        "/api/belfry/v1/history?limit=1000".to_owned(),
    ] {
        let answer = server.get(&path).await?;
        for episode in list(&answer, "episodes") {
            let fingerprint = word(episode, "fingerprint");
            let meant = word(episode, "name") == text
                || letters.len() >= 4 && fingerprint.starts_with(&letters);
            if meant && !found.iter().any(|known| known == fingerprint) {
                found.push(fingerprint.to_owned());
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found.truncate(5);
    Ok(found)
}

fn lines(answer: &Value, zone: &dashboards::time::Zone) -> Vec<String> {
    let now_ms = answer["now_ms"].as_i64().unwrap_or_default();
    let clock = |ms: &Value| {
        ms.as_i64().map_or_else(
            || "-".to_owned(),
            |ms| dashboards::time::clock(ms, now_ms, zone),
        )
    };
    let span = |ms: &Value| dashboards::time::duration(ms.as_i64().unwrap_or_default());
    let episodes = list(answer, "episodes");
    let last = episodes.first().unwrap_or(&Value::Null);
    let mut lines = vec![format!(
        "{}  {}  {}",
        word(answer, "fingerprint").get(..8).unwrap_or_default(),
        word(last, "name"),
        word(last, "summary"),
    )];
    match answer["rule"]["expr"].is_string() {
        true => lines.extend(of_rule(&answer["rule"], now_ms, zone)),
        false => lines.push("rule     none of ours: it came by the API".to_owned()),
    }
    let decides = &answer["decides"];
    if let Some(name) = decides["inhibited_by"]["name"].as_str() {
        lines.push(format!("muted    hidden by {name}, which fires"));
    }
    for silence in list(decides, "silenced_by") {
        lines.push(format!(
            "muted    silence by {} until {}: {}",
            word(silence, "by"),
            clock(&silence["ends_ms"]),
            word(silence, "comment")
        ));
    }
    for route in list(decides, "routes") {
        lines.push(format!(
            "route    {} -> {}",
            word(route, "route"),
            word(route, "receiver")
        ));
        lines.push(format!(
            "group    {} of {} alerts: wait {}, look {}, repeat {}",
            word(route, "group"),
            route["members"],
            span(&route["group_wait_ms"]),
            span(&route["group_interval_ms"]),
            span(&route["repeat_interval_ms"])
        ));
        if let Some(look_ms) = route["next_look_ms"].as_i64() {
            lines.push(format!(
                "look     {} (in {})",
                clock(&route["next_look_ms"]),
                dashboards::time::duration((look_ms - now_ms).max(0))
            ));
        }
        for window in list(route, "windows") {
            lines.push(format!(
                "muted    by the time interval {}",
                window.as_str().unwrap_or_default()
            ));
        }
        for way in list(route, "ways") {
            lines.push(format!(
                "now      {}: {}",
                word(way, "to"),
                word(way, "verdict")
            ));
        }
        if list(route, "ways").is_empty() {
            lines.push(
                "now      the receiver sends nothing: it is on the page, and in the daily digest where one is mailed".to_owned(),
            );
        }
    }
    for episode in episodes {
        let end = match episode["duration_ms"].is_i64() {
            true => format!("ended after {}", span(&episode["duration_ms"])),
            false => "fires".to_owned(),
        };
        lines.push(format!("since    {}, {end}", clock(&episode["started_ms"])));
        for step in list(episode, "steps") {
            lines.push(format!(
                "  {}  {} {}",
                clock(&step["at_ms"]),
                word(step, "what"),
                word(step, "detail")
            ));
        }
        if list(episode, "steps").is_empty() {
            lines.push(
                "  nobody was told: it ended, or was not looked at, before it was due".to_owned(),
            );
        }
    }
    lines
}

/// Of rules that have raised no alert.
fn quiet(answer: &Value, zone: &dashboards::time::Zone) -> Vec<String> {
    let now_ms = answer["now_ms"].as_i64().unwrap_or_default();
    let mut lines = Vec::new();
    for rule in list(answer, "rules") {
        if lines.is_empty() {
            let name = word(rule, "name");
            lines.push(format!(
                "{name}  no such alert fires, nor is one in the history"
            ));
        }
        lines.extend(of_rule(rule, now_ms, zone));
        lines.extend(match rule["evaluated_ms"].as_i64() {
            None => Some("now      it was not evaluated yet".to_owned()),
            Some(_) if rule["firing"].as_u64().is_some_and(|firing| firing > 0) => {
                let told = match word(rule, "name") {
                    "Watchdog" => "is for those who ask for it by name",
                    _ => "is about to be told",
                };
                Some(format!("now      it fires, and {told}"))
            }
            Some(at_ms) if rule["error"].is_null() && list(rule, "pending").is_empty() => {
                let clock = dashboards::time::clock(at_ms, now_ms, zone);
                Some(format!("now      its condition did not hold at {clock}"))
            }
            Some(_) => None,
        });
    }
    lines
}

/// A rule, and what of it does not fire yet.
fn of_rule(rule: &Value, now_ms: i64, zone: &dashboards::time::Zone) -> Vec<String> {
    let span = |ms: &Value| dashboards::time::duration(ms.as_i64().unwrap_or_default());
    let clock = |ms: i64| dashboards::time::clock(ms, now_ms, zone);
    let mut lines = vec![format!(
        "rule     {} (for {}): {}",
        word(rule, "group"),
        span(&rule["for_ms"]),
        word(rule, "expr")
    )];
    if let Some(error) = rule["error"].as_str() {
        lines.push(format!("fault    it cannot be evaluated: {error}"));
    }
    for alert in list(rule, "pending") {
        let fires_ms = alert["fires_ms"].as_i64().unwrap_or_default();
        lines.push(format!(
            "pending  since {}, fires at {} if it lasts (in {}): {}",
            clock(alert["since_ms"].as_i64().unwrap_or_default()),
            clock(fires_ms),
            dashboards::time::duration((fires_ms - now_ms).max(0)),
            labels(&alert["labels"])
        ));
    }
    lines
}

/// `instance=web1 severity=critical`
fn labels(labels: &Value) -> String {
    let all = labels.as_object().into_iter().flatten();
    let others = all.filter(|(name, _)| *name != "alertname");
    let words = others.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("")));
    words.collect::<Vec<_>>().join(" ")
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_way_is_told_from_the_rule_to_the_answer() {
        let answer = json!({
            "now_ms": 3_600_000, "fingerprint": "7f3c000000000001", "fires": true,
            "rule": { "name": "ApiDown", "group": "api", "expr": "up == 0", "for_ms": 60_000 },
            "decides": {
                "inhibited_by": null,
                "silenced_by": [{ "id": "x", "by": "kim", "comment": "move", "ends_ms": 7_200_000 }],
                "routes": [{
                    "route": "{}/{severity=\"critical\"}", "receiver": "mail", "group": "{}:{}", "members": 2,
                    "group_wait_ms": 10_000, "group_interval_ms": 60_000, "repeat_interval_ms": 3_600_000,
                    "next_look_ms": 3_608_000, "windows": [],
                    "ways": [{ "to": "email to ops@example.org", "verdict": "muted: a silence matches" }],
                }],
            },
            "episodes": [{
                "name": "ApiDown", "summary": "api is down", "started_ms": 0, "duration_ms": null,
                "steps": [{ "at_ms": 10_000, "what": "told", "detail": "mail: first (250 OK)" }],
            }],
        });
        let zone = dashboards::time::Zone(jiff::tz::TimeZone::UTC);
        assert_eq!(
            lines(&answer, &zone),
            [
                "7f3c0000  ApiDown  api is down",
                "rule     api (for 1 min): up == 0",
                "muted    silence by kim until 02:00:00 UTC: move",
                "route    {}/{severity=\"critical\"} -> mail",
                "group    {}:{} of 2 alerts: wait 10 s, look 1 min, repeat 1 h 00",
                "look     01:00:08 UTC (in 8 s)",
                "now      email to ops@example.org: muted: a silence matches",
                "since    00:00:00 UTC, fires",
                "  00:00:10 UTC  told mail: first (250 OK)",
            ]
        );
    }
    #[test]
    fn of_a_rule_that_has_raised_nothing_it_is_told_why() {
        let zone = dashboards::time::Zone(jiff::tz::TimeZone::UTC);
        let rule = |evaluated_ms: Value, error: Value, pending: Value| {
            json!({
                "name": "ApiDown", "group": "api", "expr": "up == 0", "for_ms": 60_000,
                "evaluated_ms": evaluated_ms, "error": error, "pending": pending,
            })
        };
        let none = json!(null);
        let pending = json!([{
            "labels": { "alertname": "ApiDown", "instance": "web1" },
            "since_ms": 3_590_000, "fires_ms": 3_650_000,
        }]);
        let answer = json!({ "now_ms": 3_600_000, "fires": false, "rules": [
            rule(none.clone(), none.clone(), json!([])),
            rule(json!(3_595_000), none.clone(), json!([])),
            rule(json!(3_595_000), json!("a label stands twice"), json!([])),
            rule(json!(3_595_000), none, pending),
            json!({
                "name": "Watchdog", "group": "watch", "expr": "vector(1)", "for_ms": 0,
                "evaluated_ms": 3_595_000, "pending": [], "firing": 1,
            }),
        ] });
        let known = "rule     api (for 1 min): up == 0";
        assert_eq!(
            quiet(&answer, &zone),
            [
                "ApiDown  no such alert fires, nor is one in the history",
                known,
                "now      it was not evaluated yet",
                known,
                "now      its condition did not hold at 00:59:55 UTC",
                known,
                "fault    it cannot be evaluated: a label stands twice",
                known,
                "pending  since 00:59:50 UTC, fires at 01:00:50 UTC if it lasts (in 50 s): instance=web1",
                "rule     watch (for 0 s): vector(1)",
                "now      it fires, and is for those who ask for it by name",
            ]
        );
    }
}
