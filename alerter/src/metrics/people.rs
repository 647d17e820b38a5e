//! How long alerts last, and how long people take to answer them.

use std::collections::BTreeMap;

use exposition::{Kind, Writer};

use crate::state::Took;
use crate::task::Glance;

pub(super) fn write(page: &mut Writer, glance: &Glance<'_>) {
    let counts = glance.alerter.took();
    summary(
        page,
        "belfry_alert_resolve_seconds",
        "How long alerts fired that have ended.",
        &counts.resolved,
    );
    summary(
        page,
        "belfry_alert_acknowledge_seconds",
        "How long alerts fired until somebody took them on.",
        &counts.acknowledged,
    );
    page.single(
        "belfry_alerts_acknowledged",
        "Firing alerts that somebody has taken on.",
        Kind::Gauge,
        glance.alerter.count_acknowledged() as f64,
    );
}

fn summary(page: &mut Writer, name: &str, help: &str, counts: &BTreeMap<String, Took>) {
    page.family(name, help, Kind::Summary);
    for (severity, took) in counts {
        let labels = [("severity", &**severity)];
        page.suffixed("_sum", &labels, took.sum_ms as f64 / 1_000.0);
        page.suffixed("_count", &labels, took.count as f64);
    }
}
