//! The last lines of services that are named under `exporter.logs`: for the API,
//! and beside an alert about one of them.
//!
//! All of it is masked before it gets here.

use exporter::logs::{Entry, Recent};
use serde_json::{Value, json};

use super::Watch;

/// Labels by which an alert names what it is about: a container, a compose
/// service or probe, a unit, and the label of the log's own series.
const NAMES: [&str; 4] = ["name", "service", "unit", "instance"];

/// The last lines of what an alert with these labels is about, at most `most`,
/// the oldest first; a traceback that came before them stands in front. Nothing
/// where no log of it is read.
pub(crate) fn about(watch: &Watch, labels: &alert::Set, most: usize) -> Option<Vec<String>> {
    let recent = watch.readers.logs.recent();
    excerpt(&recent, labels, most)
}

fn excerpt(recent: &[Recent], labels: &alert::Set, most: usize) -> Option<Vec<String>> {
    let is = |one: &Recent, value: &str| {
        let names = [&one.name, &one.container, &one.unit];
        names.iter().any(|name| !name.is_empty() && **name == value)
    };
    let mut named = NAMES.iter().filter_map(|label| labels.get(*label));
    let one = named.find_map(|value| recent.iter().find(|one| is(one, value)))?;
    let lines = |entries: &[Entry]| -> Vec<String> {
        entries
            .iter()
            .flat_map(|entry| entry.lines.clone())
            .collect()
    };
    let mut last = lines(&one.entries);
    let has_traceback = one.entries.iter().any(|entry| entry.traceback);
    let before = one.tracebacks.last().filter(|_| !has_traceback);
    let before = before
        .map(|entry| lines(std::slice::from_ref(entry)))
        .unwrap_or_default();
    // Of a long traceback the end says what happened.
    let room = most.saturating_sub(before.len().min(most / 2));
    last.drain(..last.len().saturating_sub(room));
    let rest = most.saturating_sub(last.len());
    let mut all = before[before.len().saturating_sub(rest)..].to_vec();
    all.append(&mut last);
    Some(all)
}

/// Every service with its last lines, as JSON.
pub(crate) fn page(watch: &Watch) -> Value {
    let all = watch.readers.logs.recent();
    json!({ "logs": all.iter().map(one).collect::<Vec<_>>() })
}

fn one(recent: &Recent) -> Value {
    let entries = |entries: &[Entry]| -> Vec<Value> {
        entries
            .iter()
            .map(|entry| {
                json!({
                    "at_ms": entry.at_ms,
                    "lines": entry.lines,
                    "traceback": entry.traceback,
                    "left_out": entry.left_out,
                })
            })
            .collect()
    };
    json!({
        "name": recent.name,
        "container": recent.container,
        "unit": recent.unit,
        "entries": entries(&recent.entries),
        "tracebacks": entries(&recent.tracebacks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(lines: &[&str], traceback: bool) -> Entry {
        Entry {
            at_ms: 0,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            traceback,
            left_out: 0,
        }
    }

    #[test]
    fn an_alert_finds_the_log_of_what_it_is_about() {
        let recent = [
            Recent {
                name: "api".into(),
                container: "shop-api-1".into(),
                unit: String::new(),
                entries: vec![
                    entry(&["a"], false),
                    entry(&["b"], false),
                    entry(&["c"], false),
                ],
                tracebacks: vec![entry(&["t1"], true), entry(&["t2", "t3", "t4"], true)],
            },
            Recent {
                name: "proxy".into(),
                container: String::new(),
                unit: "caddy.service".into(),
                entries: vec![entry(&["p", "q"], true), entry(&["r"], false)],
                tracebacks: vec![entry(&["t"], true)],
            },
        ];
        for (label, value, most, expected) in [
            (
                "name",
                "shop-api-1",
                10,
                Some(vec!["t2", "t3", "t4", "a", "b", "c"]),
            ),
            ("service", "api", 4, Some(vec!["t3", "t4", "b", "c"])),
            ("instance", "api", 1, Some(vec!["c"])),
            ("name", "caddy.service", 2, Some(vec!["q", "r"])),
            ("name", "other", 10, None),
            ("name", "", 10, None),
            ("job", "api", 10, None),
        ] {
            let labels = alert::Set::from([(label.to_owned(), value.to_owned())]);
            let found = excerpt(&recent, &labels, most);
            let found = found
                .as_ref()
                .map(|lines| lines.iter().map(String::as_str).collect());
            assert_eq!(found, expected, "{label}={value} {most}");
        }
    }
}
