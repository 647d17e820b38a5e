//! The alerter's own families: those that Alertmanager's users know, and how
//! mail and the database are doing.

mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use exposition::{Kind, Writer};

use crate::bounce::Fate;
use crate::health::{Class, MailHealth};
use crate::plan::Kind as Through;
use crate::state::{Alerter, Mute};
use crate::task::Glance;

/// Upper bounds of the latency's buckets, in seconds.
const BUCKETS: [f64; 5] = [1.0, 5.0, 10.0, 15.0, 20.0];

/// Why messages fail, in Alertmanager's words.
const REASONS: [(&str, &[Class]); 4] = [
    (
        "clientError",
        &[
            Class::Auth,
            Class::Permanent,
            Class::Rejected,
            Class::Limited,
        ],
    ),
    ("contextDeadlineExceeded", &[Class::Timeout]),
    (
        "other",
        &[Class::Dns, Class::Refused, Class::Tls, Class::Template],
    ),
    ("serverError", &[Class::Transient, Class::Unavailable]),
];

/// How long mails take.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Mails within each bound, not counting those within a lower one.
    within: [u64; 5],
    count: u64,
    sum_seconds: f64,
}

impl Latency {
    pub(crate) fn note(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(place) = BUCKETS.iter().position(|bound| seconds <= *bound) {
            self.within[place] += 1;
        }
        self.count += 1;
        self.sum_seconds += seconds;
    }
}

pub(crate) fn page(glance: &Glance<'_>) -> String {
    let mut page = Writer::new();
    alerts(&mut page, glance);
    notifications(&mut page, glance);
    mail(&mut page, glance);
    store(&mut page, glance);
    people::write(&mut page, glance);
    page.finish()
}

fn alerts(page: &mut Writer, glance: &Glance<'_>) {
    let counters = &glance.alerter.counters;
    page.family(
        "alertmanager_alerts",
        "Firing alerts by state.",
        Kind::Gauge,
    );
    let states = glance.alerter.count_states(glance.now_ms);
    for (state, count) in states {
        page.sample(&[("state", state.as_str())], count as f64);
    }
    page.family(
        "alertmanager_marked_alerts",
        "The same, under an older name.",
        Kind::Gauge,
    );
    for (state, count) in states {
        page.sample(&[("state", state.as_str())], count as f64);
    }
    page.family("alertmanager_silences", "Silences by state.", Kind::Gauge);
    for (state, count) in glance.alerter.count_silences(glance.now_ms) {
        page.sample(&[("state", state.as_str())], count as f64);
    }
    page.family(
        "alertmanager_alerts_received_total",
        "Alerts taken in.",
        Kind::Counter,
    );
    let version = ("version", "v2");
    page.sample(
        &[("status", "firing"), version],
        counters.received_firing as f64,
    );
    page.sample(
        &[("status", "resolved"), version],
        counters.received_resolved as f64,
    );
    page.family(
        "alertmanager_alerts_invalid_total",
        "Alerts refused.",
        Kind::Counter,
    );
    page.sample(&[version], counters.invalid as f64);
    page.single(
        "alertmanager_dispatcher_aggregation_groups",
        "Groups of alerts.",
        Kind::Gauge,
        glance.alerter.group_count() as f64,
    );
    let plan = glance.alerter.plan();
    let integrations = plan
        .receivers
        .iter()
        .map(|it| it.integrations.len())
        .sum::<usize>();
    for (name, help, value) in [
        (
            "alertmanager_receivers",
            "Receivers in the configuration.",
            plan.receivers.len(),
        ),
        (
            "alertmanager_integrations",
            "Integrations in the configuration.",
            integrations,
        ),
        (
            "alertmanager_inhibition_rules",
            "Inhibition rules in the configuration.",
            plan.inhibit.len(),
        ),
    ] {
        page.single(name, help, Kind::Gauge, value as f64);
    }
}

fn notifications(page: &mut Writer, glance: &Glance<'_>) {
    let counters = &glance.alerter.counters;
    page.family(
        "alertmanager_notifications_total",
        "Messages that were due.",
        Kind::Counter,
    );
    for kind in kinds(glance) {
        page.sample(&[label(kind)], count(&counters.notifications, &kind));
    }
    page.family(
        "alertmanager_notifications_failed_total",
        "Messages that were not accepted before their group was looked at again.",
        Kind::Counter,
    );
    for kind in kinds(glance) {
        for (reason, classes) in REASONS {
            let failed = classes.iter();
            let failed: f64 = failed
                .map(|class| count(&counters.failed, &(kind, *class)))
                .sum();
            page.sample(&[label(kind), ("reason", reason)], failed);
        }
    }
    page.family(
        "alertmanager_notifications_suppressed_total",
        "Alerts left out of messages because they were muted.",
        Kind::Counter,
    );
    for why in [
        Mute::Silenced,
        Mute::Inhibited,
        Mute::Window,
        Mute::Inactive,
    ] {
        let count = counters.suppressed.get(&why).copied().unwrap_or(0);
        page.sample(&[("reason", why.as_str())], count as f64);
    }
    page.family(
        "alertmanager_notification_requests_total",
        "Attempts to send a message.",
        Kind::Counter,
    );
    for kind in kinds(glance) {
        page.sample(&[label(kind)], count(&counters.requests, &kind));
    }
    page.family(
        "alertmanager_notification_requests_failed_total",
        "Attempts that failed.",
        Kind::Counter,
    );
    for kind in kinds(glance) {
        let failed = counters.requests_failed.iter();
        let failed = failed.filter(|((of, _), _)| *of == kind);
        let failed: u64 = failed.map(|(_, count)| count).sum();
        page.sample(&[label(kind)], failed as f64);
    }
    page.family(
        "alertmanager_notification_latency_seconds",
        "How long attempts took.",
        Kind::Histogram,
    );
    for kind in kinds(glance) {
        let none = Latency::default();
        latency(
            page,
            label(kind),
            glance.latency.get(&kind).unwrap_or(&none),
        );
    }
}

fn latency(page: &mut Writer, label: (&str, &str), latency: &Latency) {
    let mut within = 0;
    for (bound, count) in BUCKETS.iter().zip(latency.within) {
        within += count;
        let bound = exposition::format_value(*bound);
        page.suffixed("_bucket", &[label, ("le", &bound)], within as f64);
    }
    page.suffixed("_bucket", &[label, ("le", "+Inf")], latency.count as f64);
    page.suffixed("_sum", &[label], latency.sum_seconds);
    page.suffixed("_count", &[label], latency.count as f64);
}

/// The kinds that are in use, and those that everyone knows.
fn kinds(glance: &Glance<'_>) -> Vec<Through> {
    let plan = glance.alerter.plan();
    let used: BTreeSet<Through> = plan
        .receivers
        .iter()
        .flat_map(|receiver| receiver.integrations.values())
        .map(crate::plan::Integration::kind)
        .chain([Through::Email, Through::Webhook])
        .collect();
    let kinds = Through::ALL.iter().copied();
    kinds.filter(|kind| used.contains(kind)).collect()
}

fn label(kind: Through) -> (&'static str, &'static str) {
    ("integration", kind.as_str())
}

fn count<K: Ord>(counts: &BTreeMap<K, u64>, key: &K) -> f64 {
    counts.get(key).copied().unwrap_or(0) as f64
}

fn mail(page: &mut Writer, glance: &Glance<'_>) {
    let counters = &glance.alerter.counters;
    let health = health(glance.alerter, glance.mail);
    page.single(
        "belfry_mail_sent_total",
        "Mails that the server accepted for at least one recipient.",
        Kind::Counter,
        counters.mails as f64,
    );
    page.single(
        "belfry_mail_spare_total",
        "Mails that another server than the first accepted.",
        Kind::Counter,
        counters.by_spare as f64,
    );
    page.single(
        "belfry_mail_bundled_total",
        "Groups that shared a mail, as there were too many mails.",
        Kind::Counter,
        counters.bundled as f64,
    );
    page.family(
        "belfry_mail_failed_total",
        "Attempts that failed, by reason.",
        Kind::Counter,
    );
    let of_mail =
        |class: &Class| !matches!(class, Class::Unavailable | Class::Rejected | Class::Limited);
    for class in Class::ALL.into_iter().filter(of_mail) {
        let failed = count(&counters.requests_failed, &(Through::Email, class));
        page.sample(&[("reason", class.as_str())], failed);
    }
    page.single(
        "belfry_mail_refused_recipients_total",
        "Recipients refused in mails that others got.",
        Kind::Counter,
        counters.recipients_refused as f64,
    );
    page.family(
        "belfry_mail_bounces_total",
        "Mails that a server had taken and that came back, or are late, each recipient once.",
        Kind::Counter,
    );
    for fate in [Fate::Failed, Fate::Delayed] {
        page.sample(&[("fate", fate.as_str())], count(&counters.bounces, &fate));
    }
    page.single(
        "belfry_mail_stray_bounces_total",
        "Bounces handed over that are of no mail of ours.",
        Kind::Counter,
        counters.strays as f64,
    );
    page.single(
        "belfry_mail_queue_length",
        "Mails that wait or are under way.",
        Kind::Gauge,
        health.queue as f64,
    );
    page.single(
        "belfry_mail_failing",
        "Whether the last mail failed.",
        Kind::Gauge,
        f64::from(u8::from(health.failing_since_ms.is_some())),
    );
    for (name, help, time_ms) in [
        (
            "belfry_mail_last_success_timestamp_seconds",
            "When a mail was last accepted.",
            health.last_success_ms,
        ),
        (
            "belfry_mail_last_failure_timestamp_seconds",
            "When a mail last failed.",
            health.last_failure.as_ref().map(|(time_ms, _)| *time_ms),
        ),
    ] {
        if let Some(time_ms) = time_ms {
            page.single(name, help, Kind::Gauge, time_ms as f64 / 1_000.0);
        }
    }
}

fn store(page: &mut Writer, glance: &Glance<'_>) {
    page.single(
        "belfry_alerter_store_failing",
        "Whether the alerter goes on from memory because the database cannot be written.",
        Kind::Gauge,
        f64::from(u8::from(glance.store.failing_since_ms.is_some())),
    );
    page.single(
        "belfry_alerter_store_failures_total",
        "Writes to the database that failed.",
        Kind::Counter,
        glance.store.failures as f64,
    );
    page.single(
        "belfry_alerter_history_lost_total",
        "Entries of the history given up because the database could not be written.",
        Kind::Counter,
        glance.alerter.counters.lost_history as f64,
    );
}

fn health(alerter: &Alerter, known: &MailHealth) -> MailHealth {
    let mut health = known.clone();
    alerter.fill_health(&mut health);
    health
}
