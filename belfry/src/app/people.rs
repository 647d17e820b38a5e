//! Alerts as people ask for them: what fires, what became of the past ones, and
//! who has taken what on; as JSON for the command line and for programs.

use alerter::{Ack, AlertView, Episode, HistoryFilter};
use dashboards::fact::Severity;
use serde_json::{Value, json};

use super::{Desk, now};

/// The longest answer of the history.
const MOST: u32 = 1_000;

/// What fires, worst first.
pub(crate) async fn alerts(desk: &Desk) -> Value {
    let mut alerts = desk.alerter.alerts().await.unwrap_or_default();
    alerts.sort_by_key(|alert| (now::severity(alert), alert.starts_ms));
    let list: Vec<Value> = alerts.iter().map(|it| alert(it, &alerts)).collect();
    json!({ "now_ms": desk.now_ms(), "alerts": list })
}

fn severity(labels: &alert::Set) -> Severity {
    Severity::from_label(labels.get("severity").map(String::as_str))
}

fn alert(alert: &AlertView, all: &[AlertView]) -> Value {
    let note = |name: &str| alert.annotations.get(name).map_or("", String::as_str);
    json!({
        "fingerprint": format!("{:016x}", alert.fingerprint),
        "name": name(&alert.labels),
        "severity": now::severity(alert).word(),
        "raised_ms": alert.escalation.raised_ms,
        "raises_ms": alert.escalation.raises_ms,
        "second_contact_ms": alert.escalation.second_ms,
        "summary": note("summary"),
        "labels": alert.labels,
        "since_ms": alert.starts_ms,
        "muted": now::muted(alert, all),
        "returned": alert.returned.as_ref().map(|step| &*step.detail),
        "ack": alert.ack.as_ref().map(ack),
        "receivers": alert.receivers,
        "pages": alert.sent,
        "last_page_ms": alert.last_sent_ms,
        "next_page_ms": alert.next_ms,
    })
}

fn name(labels: &alert::Set) -> &str {
    labels.get("alertname").map_or("", String::as_str)
}

fn ack(ack: &Ack) -> Value {
    json!({ "by": ack.by, "note": ack.note, "at_ms": ack.at_ms })
}

/// What became of alerts, the newest first.
pub(crate) async fn history(desk: &Desk, mut wanted: HistoryFilter) -> anyhow::Result<Value> {
    wanted.limit = wanted.limit.min(MOST);
    let episodes = desk.alerter.episodes(wanted).await?;
    let list: Vec<Value> = episodes.iter().map(episode).collect();
    Ok(json!({ "now_ms": desk.now_ms(), "episodes": list }))
}

/// An episode for programs.
pub(crate) fn episode(episode: &Episode) -> Value {
    let steps = episode.steps.iter().map(
        |step| json!({ "at_ms": step.at_ms, "what": step.kind.as_str(), "detail": &*step.detail }),
    );
    json!({
        "id": episode.id,
        "fingerprint": format!("{:016x}", episode.fingerprint),
        "name": name(&episode.labels),
        "severity": severity(&episode.labels).word(),
        "summary": episode.summary,
        "labels": episode.labels,
        "started_ms": episode.started_ms,
        "ended_ms": episode.ended_ms,
        "duration_ms": episode.ended_ms.map(|ended_ms| ended_ms - episode.started_ms),
        "pages": episode.pages,
        "first_page_ms": episode.told_ms,
        "ack": episode.ack.as_ref().map(ack),
        "steps": steps.collect::<Vec<_>>(),
    })
}
