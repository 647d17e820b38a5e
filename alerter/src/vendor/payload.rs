//! The body of a message: version 4 of Alertmanager's webhook format.

use crate::json;
use crate::notification::{Notification, Told, common};
use crate::times;
use crate::words::quoted;

/// Writes the body. Alerts beyond `most` are left out and counted; what alerts
/// share is what those share that are left.
pub(super) fn write(notification: &Notification, most: usize) -> Vec<u8> {
    let all = &notification.alerts[..];
    let shown = match most {
        0 => all,
        most => &all[..all.len().min(most)],
    };
    let firing = shown.iter().any(|alert| alert.ended_ms.is_none());
    let mut out = vec![b'{'];
    json::key(&mut out, "receiver");
    json::text(&mut out, &quoted(&notification.receiver));
    json::key(&mut out, "status");
    json::text(&mut out, status(!firing));
    json::key(&mut out, "alerts");
    json::list(&mut out, shown, alert);
    json::key(&mut out, "notification_reason");
    json::text(&mut out, notification.reason.as_str());
    for (name, set) in [
        ("groupLabels", &notification.group_labels),
        (
            "commonLabels",
            &common(shown.iter().map(|alert| &alert.labels)),
        ),
        (
            "commonAnnotations",
            &common(shown.iter().map(|alert| &alert.annotations)),
        ),
        ("routeLabels", &notification.route_labels),
    ] {
        json::key(&mut out, name);
        json::set(&mut out, set);
    }
    json::key(&mut out, "externalURL");
    json::text(&mut out, &notification.external_url);
    json::key(&mut out, "version");
    json::text(&mut out, "4");
    json::key(&mut out, "groupKey");
    json::text(&mut out, &notification.group_key);
    json::key(&mut out, "truncatedAlerts");
    out.extend_from_slice((all.len() - shown.len()).to_string().as_bytes());
    out.extend_from_slice(b"}\n");
    out
}

fn alert(out: &mut Vec<u8>, told: &Told) {
    out.push(b'{');
    json::key(out, "status");
    json::text(out, status(told.ended_ms.is_some()));
    json::key(out, "labels");
    json::set(out, &told.labels);
    json::key(out, "annotations");
    json::set(out, &told.annotations);
    json::key(out, "startsAt");
    json::text(out, &times::print_short(told.started_ms));
    json::key(out, "endsAt");
    // Go's zero time stands for "not yet".
    json::text(
        out,
        &told
            .ended_ms
            .map_or("0001-01-01T00:00:00Z".into(), times::print_short),
    );
    json::key(out, "generatorURL");
    json::text(out, &told.generator_url);
    json::key(out, "fingerprint");
    json::text(out, &format!("{:016x}", told.fingerprint));
    out.push(b'}');
}

fn status(resolved: bool) -> &'static str {
    if resolved { "resolved" } else { "firing" }
}
