//! Why somebody was told of an alert, or nobody was: the way from the rule to
//! the mail server's answer, for an alert that fires and for one that is over.

use alerter::{HistoryFilter, Why, WhyIntegration, WhyRoute};
use serde_json::{Value, json};

use super::people;
use super::{Desk, Watch};

/// Episodes that are told of.
const EPISODES: u32 = 5;

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
        "rule": desk.rule(&name),
        "decides": why.as_ref().map(decides),
        "episodes": episodes.iter().map(people::episode).collect::<Vec<_>>(),
    })))
}

/// The rule that raises alerts of this name, as far as it is ours.
pub(super) fn rule(watch: &Watch, name: &str) -> Value {
    let rules = watch.rules();
    for group in rules.groups() {
        for rule in &group.rules {
            if let rules::RuleKind::Alert { for_ms, .. } = &rule.spec.kind
                && rule.spec.name == name
            {
                return json!({
                    "name": name,
                    "group": group.name,
                    "expr": rule.spec.expr.to_string(),
                    "for_ms": for_ms,
                });
            }
        }
    }
    foreign(name)
}

/// A rule that is evaluated elsewhere.
pub(super) fn foreign(name: &str) -> Value {
    json!({ "name": name, "foreign": true })
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
