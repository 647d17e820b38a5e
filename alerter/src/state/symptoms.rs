//! Alerts of services that are down only for want of others: muted while the
//! cause fires.

use std::collections::{BTreeMap, BTreeSet};

use super::{Active, Alerter};
use crate::depend::{Need, Needs, Service};
use crate::pairs::Pairs;

/// Who needs whom, and what is known to fire about services.
#[derive(Debug, Default)]
pub(super) struct Symptoms {
    needs: Needs,
    /// Alerts that may be a cause, by what they are about.
    by_service: BTreeMap<Service, BTreeSet<u64>>,
}

impl Alerter {
    /// Takes who needs whom from now on.
    pub(crate) fn set_needs(&mut self, needs: &[Need]) {
        let needs = Needs::new(needs);
        if needs == self.symptoms.needs {
            return;
        }
        let began = self.symptoms.needs.is_empty();
        self.symptoms.needs = needs;
        if began {
            let known = self.alerts.iter();
            let known: Vec<_> = known
                .map(|(it, alert)| (*it, alert.labels.clone()))
                .collect();
            for (fingerprint, labels) in known {
                self.symptoms.insert(fingerprint, &labels);
            }
        }
    }

    /// The alert about what the service of `labels` needs, if one fires that is
    /// bad enough to be the cause.
    pub(super) fn caused_by(&self, labels: &Pairs, now_ms: i64) -> Option<u64> {
        let symptoms = &self.symptoms;
        if symptoms.needs.is_empty() {
            return None;
        }
        let service = service_of(labels)?;
        let mut causes = symptoms.needs.of(&service).filter_map(|other| {
            let mut known = symptoms.by_service.get(other)?.iter();
            known
                .find(|it| self.is_cause(**it, labels, now_ms))
                .copied()
        });
        causes.next()
    }

    fn is_cause(&self, fingerprint: u64, labels: &Pairs, now_ms: i64) -> bool {
        // Of several hosts each has services of its own.
        let same_host = |alert: &Active| {
            is_probe(&alert.labels)
                || is_probe(labels)
                || alert.labels.get("instance") == labels.get("instance")
        };
        self.alerts.get(&fingerprint).is_some_and(|alert| {
            !alert.ended_at(now_ms)
                && alert.held_end_ms.is_none()
                && alert.is_critical()
                && same_host(alert)
        })
    }

    /// Whether the alert can be the cause of others.
    pub(super) fn may_be_cause(&self, fingerprint: u64) -> bool {
        let alert = self.alerts.get(&fingerprint);
        let alert = alert.filter(|alert| alert.is_critical());
        let service = alert.and_then(|alert| service_of(&alert.labels));
        service.is_some_and(|it| self.symptoms.needs.is_needed(&it))
    }
}

impl Symptoms {
    /// Notes an alert; call once for each.
    pub(super) fn insert(&mut self, fingerprint: u64, labels: &Pairs) {
        // Nobody asks as long as nothing is known of who needs whom.
        if !self.needs.is_empty()
            && let Some(service) = service_of(labels)
        {
            self.by_service
                .entry(service)
                .or_default()
                .insert(fingerprint);
        }
    }

    /// Forgets an alert.
    pub(super) fn remove(&mut self, fingerprint: u64, labels: &Pairs) {
        let Some(service) = service_of(labels) else {
            return;
        };
        if let Some(known) = self.by_service.get_mut(&service) {
            known.remove(&fingerprint);
            if known.is_empty() {
                self.by_service.remove(&service);
            }
        }
    }
}

/// Whether the alert is about what a probe looks at: that is its instance, which
/// tells no host.
pub(super) fn is_probe(labels: &Pairs) -> bool {
    labels.get("probe").is_some_and(|it| !it.is_empty())
}

fn service_of(labels: &Pairs) -> Option<Service> {
    let service = labels.get("service").filter(|it| !it.is_empty())?;
    let project = labels.get("project").unwrap_or("");
    Some((project.to_owned(), service.to_owned()))
}
