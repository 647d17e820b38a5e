//! Services as samples.

use exposition::{Kind, Writer};

use super::Answer;

/// Adds all services to a page.
pub fn write(page: &mut Writer, answers: &[Answer]) {
    if answers.is_empty() {
        return;
    }
    type Value = fn(&Answer) -> bool;
    let families: [(&str, &str, Value); 2] = [
        (
            "belfry_service_live",
            "Whether a process of the service runs.",
            |answer| answer.live,
        ),
        (
            "belfry_service_ready",
            "Whether the service can do its work.",
            |answer| answer.ready,
        ),
    ];
    for (name, help, value) in families {
        page.family(name, help, Kind::Gauge);
        for answer in answers {
            let labels = [("project", &*answer.project), ("service", &*answer.service)];
            page.sample(&labels, f64::from(u8::from(value(answer))));
        }
    }
    if answers.iter().all(|answer| answer.ready) {
        return;
    }
    page.family(
        "belfry_service_not_ready_info",
        "Why the service is not ready.",
        Kind::Gauge,
    );
    for answer in answers {
        if let Some((cause, _)) = answer.reasons.first() {
            let labels = [
                ("project", &*answer.project),
                ("reason", cause.as_str()),
                ("service", &*answer.service),
            ];
            page.sample(&labels, 1.0);
        }
    }
}
