//! Probes as samples, and as the page and `/api/belfry/v1/health` show them.

use std::collections::BTreeMap;

use exposition::{Kind, Spelled, Writer};
use serde::Serialize;

use super::board::{Entry, Inner};
use super::track::Tick;
use super::verdict::{Look, Verdict, verdict};
use super::{Board, Reason, Target, samples};

/// One probe as it is shown. Times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// What is looked at.
    pub target: String,
    /// How.
    pub module: String,
    /// Whether it is up; nothing before the first look.
    pub up: Option<bool>,
    /// Since when.
    pub since_ms: i64,
    /// Whether it went up or down then, rather than was looked at first.
    pub turned: bool,
    /// Whether it is up now and down then.
    pub flapping: bool,
    /// Why the last look failed, if it did.
    pub reason: Option<Reason>,
    /// The same in words.
    pub detail: String,
    /// When the certificate expires, in seconds since 1970.
    pub cert_expiry: Option<f64>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The last looks, oldest first.
    pub history: Vec<Tick>,
}

impl Board {
    /// Whether there is a probe of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.lock().entries.contains_key(name)
    }

    /// All probes, by name.
    #[must_use]
    pub fn views(&self, now_ms: i64) -> Vec<View> {
        let inner = self.lock();
        inner
            .entries
            .iter()
            .map(|(name, entry)| view(name, entry, &inner, now_ms))
            .collect()
    }

    /// The verdict on each site, by name.
    #[must_use]
    pub fn verdicts(&self) -> Vec<(String, Verdict)> {
        let inner = self.lock();
        let sites = inner.loaded.config.sites.iter();
        sites
            .map(|site| {
                (
                    site.name.clone(),
                    verdict(
                        inner.reason(&site.inside),
                        inner.reason(&site.outside),
                        inner.reason(&site.dns),
                    ),
                )
            })
            .collect()
    }

    /// Adds all samples to a page.
    pub fn write(&self, now_ms: i64, page: &mut Writer) {
        let verdicts = self.verdicts();
        let inner = self.lock();
        let looked: Vec<_> = inner
            .entries
            .values()
            .filter_map(|entry| Some((entry, entry.last.as_ref()?)))
            .collect();
        let all: Vec<_> = looked
            .iter()
            .map(|(entry, (outcome, _))| (&entry.spelled, &outcome.samples))
            .collect();
        samples::write(page, &all);
        let limits = inner.limits();
        type Value<'a> = &'a dyn Fn(&Entry, i64) -> Option<f64>;
        let flag = |is: bool| Some(f64::from(u8::from(is)));
        let families: [(&str, &str, Kind, Value<'_>); 5] = [
            (
                "belfry_probe_up",
                "Whether the target counts as up.",
                Kind::Gauge,
                &|entry, _| entry.track.up().map(|up| f64::from(u8::from(up))),
            ),
            (
                "belfry_probe_flapping",
                "Whether it is up now and down then.",
                Kind::Gauge,
                &|entry, _| flag(entry.track.flapping(now_ms, limits)),
            ),
            (
                "belfry_probe_changes_total",
                "Changes between up and down.",
                Kind::Counter,
                &|entry, _| number(entry.track.changes()),
            ),
            (
                "belfry_probe_last_timestamp_seconds",
                "When it was last looked at.",
                Kind::Gauge,
                &|_, at_ms| seconds(at_ms),
            ),
            (
                "belfry_probe_since_timestamp_seconds",
                "Since when it is up or down.",
                Kind::Gauge,
                &|entry, _| seconds(entry.track.since_ms()),
            ),
        ];
        for (name, help, kind, value) in families {
            if looked.is_empty() {
                break;
            }
            page.family(name, help, kind);
            for (entry, (_, at_ms)) in &looked {
                if let Some(value) = value(entry, *at_ms) {
                    page.spelled("", &entry.spelled, &[], value);
                }
            }
        }
        let failed: Vec<_> = looked
            .iter()
            .filter_map(|(entry, (outcome, _))| Some((&entry.spelled, outcome.failure.as_ref()?)))
            .collect();
        if !failed.is_empty() {
            page.family(
                "belfry_probe_failure_info",
                "Why the last look failed.",
                Kind::Gauge,
            );
            for (labels, failure) in failed {
                let reason = [("reason", failure.reason.as_str())];
                page.spelled("", labels, &reason, 1.0);
            }
        }
        if !verdicts.is_empty() {
            page.family(
                "belfry_site_verdict",
                "What is wrong with a site, by looks from inside and outside.",
                Kind::Gauge,
            );
            for (site, is) in &verdicts {
                for verdict in Verdict::ALL {
                    page.sample(
                        &[("site", site), ("verdict", verdict.as_str())],
                        f64::from(u8::from(verdict == *is)),
                    );
                }
            }
        }
    }
}

impl Inner {
    /// Nothing while nothing is known; else why a probe that is down failed last.
    fn reason(&self, name: &str) -> Look {
        let entry = self.entries.get(name)?;
        match entry.track.up()? {
            true => Some(None),
            // Down, though the last look may have been a good one.
            false => Some(Some(
                entry.track.ticks().filter_map(|tick| tick.reason).last()?,
            )),
        }
    }
}

/// The labels of all samples of a target.
pub(super) fn spelled(name: &str, target: &Target) -> Spelled {
    let own = target
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value));
    let first = [
        ("instance", &*target.target),
        ("module", &*target.module),
        ("probe", name),
    ];
    Spelled::new(&first.into_iter().chain(own).collect::<Vec<_>>())
}

fn view(name: &str, entry: &Entry, inner: &Inner, now_ms: i64) -> View {
    let failure = entry
        .last
        .as_ref()
        .and_then(|(outcome, _)| outcome.failure.as_ref());
    View {
        name: name.to_owned(),
        target: entry.target.target.clone(),
        module: entry.target.module.clone(),
        up: entry.track.up(),
        since_ms: entry.track.since_ms(),
        turned: entry.track.changes() > 0,
        flapping: entry.track.flapping(now_ms, inner.limits()),
        reason: failure.map(|failure| failure.reason),
        detail: failure
            .map(|failure| failure.detail.clone())
            .unwrap_or_default(),
        cert_expiry: entry
            .last
            .as_ref()
            .and_then(|(outcome, _)| outcome.samples.get("probe_ssl_earliest_cert_expiry", &[])),
        labels: entry.target.labels.clone(),
        history: entry.track.ticks().cloned().collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> Option<f64> {
    Some(ms as f64 / 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn number(count: u64) -> Option<f64> {
    Some(count as f64)
}
