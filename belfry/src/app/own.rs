//! What Belfry knows of itself, and its page under `/metrics/belfry`.

mod process;
mod reloads;
mod series;

pub(crate) use process::process;
pub(crate) use reloads::write as write_reloads;
pub(crate) use series::write as write_series;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exposition::{Kind, Writer};
use healthchecks::readiness::Status;

use super::Watch;
use crate::scraping;

/// Figures and events that no part keeps by itself.
#[derive(Debug)]
pub(crate) struct Own {
    /// When this process began, in milliseconds since 1970.
    pub started_ms: i64,
    /// Held while a configuration is read again.
    pub reloading: tokio::sync::Mutex<()>,
    /// When mails that are no pages were last done.
    pub(super) notices: Arc<super::notices::Done>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    collections: u64,
    collected_ms: Option<i64>,
    collect_took: Duration,
    evaluations: u64,
    evaluate_took: Duration,
    clock_steps: u64,
    clock_step_ms: i64,
    state_broken: bool,
    state_failures: u64,
    reload_refused: Option<(String, i64)>,
    reloaded_ms: i64,
    mail_probe: Option<(Result<(), String>, i64)>,
    mail_down: bool,
}

impl Own {
    /// Nothing has happened yet.
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            started_ms: now_ms,
            reloading: tokio::sync::Mutex::new(()),
            notices: Arc::default(),
            inner: Mutex::new(Inner {
                reloaded_ms: now_ms,
                ..Inner::default()
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn collected(&self, now_ms: i64, took: Duration) {
        let mut inner = self.inner();
        inner.collections += 1;
        inner.collected_ms = Some(now_ms);
        inner.collect_took = took;
    }

    pub(super) fn evaluated(&self, took: Duration) {
        let mut inner = self.inner();
        inner.evaluations += 1;
        inner.evaluate_took = took;
    }

    pub(super) fn clock_stepped(&self, delta_ms: i64) {
        let mut inner = self.inner();
        inner.clock_steps += 1;
        inner.clock_step_ms = delta_ms;
        inner.collected_ms = inner.collected_ms.map(|time| time + delta_ms);
        inner.reloaded_ms += delta_ms;
        if let Some((_, time)) = &mut inner.reload_refused {
            *time += delta_ms;
        }
        if let Some((_, time)) = &mut inner.mail_probe {
            *time += delta_ms;
        }
    }

    /// Takes note of whether the state could be written; true if that changed.
    pub(super) fn state_writable(&self, writable: bool) -> bool {
        let mut inner = self.inner();
        let changed = inner.state_broken == writable;
        inner.state_broken = !writable;
        inner.state_failures += u64::from(!writable);
        changed
    }

    pub(super) fn reloaded(&self, refused: Option<String>, now_ms: i64) {
        let mut inner = self.inner();
        if refused.is_none() {
            inner.reloaded_ms = now_ms;
        }
        inner.reload_refused = refused.map(|reason| (reason, now_ms));
    }

    pub(super) fn mail_probed(&self, failure: Option<String>, now_ms: i64) {
        self.inner().mail_probe = Some((failure.map_or(Ok(()), Err), now_ms));
    }

    /// Takes note of whether mail would go out now; true if that changed.
    pub(super) fn mail_up(&self, up: bool) -> bool {
        let down = !up;
        std::mem::replace(&mut self.inner().mail_down, down) != down
    }

    /// Whether mail would go out now, as far as we know.
    pub(super) fn mail_is_up(&self) -> bool {
        !self.inner().mail_down
    }

    /// Whether the state could be written when that was last tried.
    pub(super) fn writable(&self) -> bool {
        !self.inner().state_broken
    }

    /// What the last probe of the SMTP server said, and when.
    pub(super) fn mail_probe(&self) -> Option<(Result<(), String>, i64)> {
        self.inner().mail_probe.clone()
    }

    /// The reload that was refused, and when, while the old configuration runs.
    pub(super) fn reload_refused(&self) -> Option<(String, i64)> {
        self.inner().reload_refused.clone()
    }

    /// When a configuration was last applied.
    pub(super) fn reloaded_ms(&self) -> i64 {
        self.inner().reloaded_ms
    }

    /// How many full collections there were.
    pub(super) fn collections(&self) -> u64 {
        self.inner().collections
    }

    /// When the last full collection came in.
    pub(super) fn collected_ms(&self) -> Option<i64> {
        self.inner().collected_ms
    }
}

/// The page of Belfry's own figures.
pub(super) async fn page(watch: &Watch) -> String {
    let mut page = Writer::new();
    process(&mut page, watch.own.started_ms);
    work(&mut page, &watch.own.inner());
    dependencies(&mut page, watch);
    rules(&mut page, watch);
    write_series(&mut page, &watch.store.figures());
    super::notices::write_figures(&mut page, watch);
    let mut text = page.finish();
    text.push_str(&watch.alerter.metrics().await.unwrap_or_default());
    text
}

fn work(page: &mut Writer, inner: &Inner) {
    let counter = |page: &mut Writer, name: &str, help: &str, value: u64| {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        page.single(name, help, Kind::Counter, value as f64);
    };
    counter(
        page,
        "belfry_collections_total",
        "Full rounds of collecting.",
        inner.collections,
    );
    counter(
        page,
        "belfry_evaluations_total",
        "Rounds of evaluating the rules.",
        inner.evaluations,
    );
    counter(
        page,
        "belfry_clock_steps_total",
        "Times the wall clock was stepped by 2 s or more.",
        inner.clock_steps,
    );
    counter(
        page,
        "belfry_state_write_failures_total",
        "Writes of the state that failed.",
        inner.state_failures,
    );
    counter(
        page,
        "belfry_log_lines_dropped_total",
        "Lines of the log that standard error did not take in time.",
        crate::log::dropped(),
    );
    for (name, help, value) in [
        (
            "belfry_collect_duration_seconds",
            "How long the last full collection took.",
            inner.collect_took.as_secs_f64(),
        ),
        (
            "belfry_evaluate_duration_seconds",
            "How long the last evaluation of all rules took.",
            inner.evaluate_took.as_secs_f64(),
        ),
        (
            "belfry_clock_last_step_seconds",
            "By how much the wall clock was last stepped.",
            seconds(inner.clock_step_ms),
        ),
        (
            "belfry_state_writable",
            "Whether what must survive a restart can be written.",
            f64::from(u8::from(!inner.state_broken)),
        ),
        (
            "belfry_mail_up",
            "Whether mail would go out now, by the last mail and the last probe.",
            f64::from(u8::from(!inner.mail_down)),
        ),
    ] {
        page.single(name, help, Kind::Gauge, value);
    }
    write_reloads(page, inner.reload_refused.is_none(), inner.reloaded_ms);
}

fn dependencies(page: &mut Writer, watch: &Watch) {
    let verdict = watch.readiness.verdict();
    page.single(
        "belfry_ready",
        "Whether Belfry can do its work.",
        Kind::Gauge,
        f64::from(u8::from(verdict.ready)),
    );
    page.family(
        "belfry_dependency_up",
        "Whether a dependency does its part.",
        Kind::Gauge,
    );
    for dependency in &verdict.dependencies {
        if matches!(dependency.status, Status::Ok | Status::Failing) {
            let up = f64::from(u8::from(dependency.status == Status::Ok));
            page.sample(&[("dependency", dependency.name)], up);
        }
    }
}

fn rules(page: &mut Writer, watch: &Watch) {
    let set = watch.rules();
    // Read under the lock: a step of the clock moves both or neither.
    set.write_figures(watch.clock.now_ms(), page);
    drop(set);
    let mut refused: Vec<_> = watch
        .intakes()
        .iter()
        .map(|intake| scraping::refused(intake.target(), intake.status()))
        .collect();
    refused.extend(watch.scraping.refused());
    rules::write_target_figures(refused, page);
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}
