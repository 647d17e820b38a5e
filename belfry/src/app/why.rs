//! Why somebody was told of an alert, or nobody was: the way from the rule to
//! the mail server's answer, for an alert that fires and for one that is over.

use std::collections::BTreeMap;

use alerter::{HistoryFilter, Why, WhyIntegration, WhyRoute};
use serde_json::{Value, json};

use super::people;
use super::{Desk, Watch};

/// Episodes that are told of.
const EPISODES: u32 = 5;

/// Alerts of a rule that do not fire yet, of which is told.
const PENDING: usize = 5;

/// Everything about one alert, by its fingerprint; none if nobody knows it.
pub(crate) async fn alert(desk: &Desk, fingerprint: u64) -> anyhow::Result<Option<Value>> {
    let wanted = HistoryFilter {
        fingerprint: Some(fingerprint),
        name: None,
        since_ms: 0,
        limit: EPISODES,
    };
    let episodes = desk.alerter.episodes(wanted).await?;
    let why = desk.alerter.why(fingerprint).await?;
    let Some(last) = episodes.first() else {
        return Ok(None);
    };
    let name = last.labels.get("alertname").cloned().unwrap_or_default();
    Ok(Some(json!({
        "now_ms": desk.now_ms(),
        "fingerprint": format!("{fingerprint:016x}"),
        "fires": last.ended_ms.is_none(),
        "rule": of(desk.rules(&name), &last.labels),
        "decides": why.as_ref().map(decides),
        "episodes": episodes.iter().map(people::episode).collect::<Vec<_>>(),
    })))
}

/// What there is to say of a name under which no alert is known: the rules that are called
/// so, and why they have raised none; nothing if there are none.
pub(crate) fn named(desk: &Desk, name: &str) -> Option<Value> {
    let mut rules = desk.rules(name);
    rules.retain(|rule| rule["foreign"] != true);
    (!rules.is_empty()).then(|| json!({ "now_ms": desk.now_ms(), "fires": false, "rules": rules }))
}

/// Of several rules of one name the one that raises an alert with these labels.
fn of(mut rules: Vec<Value>, labels: &alert::Set) -> Value {
    let fits = |rule: &Value| {
        let own = rule["labels"].as_object();
        own.is_none_or(|own| {
            let mut fixed = own.iter().filter(|(_, text)| !is_template(text));
            fixed.all(|(name, text)| labels.get(name).map(String::as_str) == text.as_str())
        })
    };
    let at = rules.iter().position(fits).unwrap_or_default();
    match at < rules.len() {
        true => rules.swap_remove(at),
        false => Value::Null,
    }
}

fn is_template(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.contains("{{"))
}

/// The rules that raise alerts of this name, as far as they are ours, and what they see.
pub(super) fn rules(watch: &Watch, name: &str) -> Vec<Value> {
    let rules = watch.rules();
    let groups = rules.groups().iter();
    let all = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
    let found = all.filter_map(|(group, rule)| match &rule.spec.kind {
        rules::RuleKind::Alert { for_ms, .. } if rule.spec.name == name => Some(json!({
            "name": name,
            "group": group.name,
            "expr": rule.spec.expr.to_string(),
            "for_ms": for_ms,
            "labels": rule.spec.labels,
            "evaluated_ms": rule.last_evaluation_ms,
            "error": rule.last_error,
            "pending": pending(rule, *for_ms),
            "firing": rule.active().filter(|(_, alert)| alert.state == rules::State::Firing).count(),
        })),
        _ => None,
    });
    let found: Vec<Value> = found.collect();
    match found.is_empty() {
        true => foreign(name),
        false => found,
    }
}

/// What does not fire yet, and when it does if it lasts.
fn pending(rule: &rules::Rule, for_ms: i64) -> Vec<Value> {
    let pending = rule
        .active()
        .filter(|(_, alert)| alert.state == rules::State::Pending);
    let told = pending.take(PENDING).map(|(labels, alert)| {
        let labels: BTreeMap<&str, &str> = labels.iter().collect();
        let since_ms = alert.active_at_ms;
        json!({ "labels": labels, "since_ms": since_ms, "fires_ms": since_ms + for_ms })
    });
    told.collect()
}

/// A rule that is evaluated elsewhere.
pub(super) fn foreign(name: &str) -> Vec<Value> {
    vec![json!({ "name": name, "foreign": true })]
}

fn decides(why: &Why) -> Value {
    let silences = why.silenced_by.iter().map(|silence| {
        json!({
            "id": silence.id, "by": silence.created_by, "comment": silence.comment,
            "ends_ms": silence.ends_ms,
        })
    });
    json!({
        "inhibited_by": why.inhibited_by.as_ref().map(|(by, name)| {
            json!({ "fingerprint": format!("{by:016x}"), "name": name })
        }),
        "silenced_by": silences.collect::<Vec<_>>(),
        "routes": why.routes.iter().map(route).collect::<Vec<_>>(),
    })
}

fn route(route: &WhyRoute) -> Value {
    json!({
        "route": route.route,
        "receiver": route.receiver,
        "group": route.group,
        "members": route.members,
        "group_wait_ms": route.group_wait_ms,
        "group_interval_ms": route.group_interval_ms,
        "repeat_interval_ms": route.repeat_interval_ms,
        "next_look_ms": route.next_look_ms,
        "windows": route.windows,
        "ways": route.integrations.iter().map(way).collect::<Vec<_>>(),
    })
}

fn way(way: &WhyIntegration) -> Value {
    json!({
        "to": way.to,
        "second_contact": way.second,
        "told_ms": way.told_ms,
        "sent": way.sent,
        "retry_ms": way.retry_ms,
        "attempts": way.attempts,
        "failed": way.failed.map(alerter::Class::as_str),
        "verdict": way.verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rules_of_one_name_the_one_is_told_whose_labels_the_alert_has() {
        let rules = || {
            let rule = |expr: &str, severity: &str| json!({ "expr": expr, "labels": { "severity": severity, "team": "{{ .x }}" } });
            vec![rule("a > 1", "warning"), rule("a > 2", "critical")]
        };
        for (severity, expr) in [
            ("warning", "a > 1"),
            ("critical", "a > 2"),
            ("else", "a > 1"),
        ] {
            let labels = [("severity", severity), ("team", "db")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(of(rules(), &labels.into())["expr"], expr, "{severity}");
        }
        assert_eq!(of(foreign("x"), &alert::Set::new())["foreign"], true);
    }
}
