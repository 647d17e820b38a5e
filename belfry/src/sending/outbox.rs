//! The queues, and what became of the alerts in them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alert::Alert;
use exposition::LabelsBuilder;
use reqwest::Client;
use rules::Foreign;
use rules::relabel::{self, Relabel};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::BATCH;

/// All Alertmanagers with their queues.
#[derive(Debug)]
pub(crate) struct Outbox {
    capacity: usize,
    recipients: Mutex<Vec<Arc<Recipient>>>,
    /// Others may be told from now on.
    pub(super) changed: Notify,
    /// Alerts that were dropped, for want of room or of anybody to tell.
    dropped: AtomicU64,
}

/// An Alertmanager.
#[derive(Debug)]
pub(crate) struct Recipient {
    pub(crate) target: Foreign,
    /// What becomes of alerts before they go to this one.
    relabel: Vec<Relabel>,
    queue: Mutex<VecDeque<Arc<Alert>>>,
    filled: Notify,
    stop: CancellationToken,
    pub(crate) sent: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Outbox {
    /// For at most so many alerts at each Alertmanager.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            recipients: Mutex::default(),
            changed: Notify::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Leaves alerts here for all Alertmanagers; waits for nobody.
    pub(crate) fn put(&self, alerts: Vec<Alert>, rules: &[Relabel]) {
        let alerts: Vec<_> = alerts
            .into_iter()
            .filter_map(|alert| relabelled(alert, rules))
            .map(Arc::new)
            .collect();
        if alerts.is_empty() {
            return;
        }
        let recipients = self.recipients();
        if recipients.is_empty() {
            self.drop_of(alerts.len());
        }
        for recipient in &recipients {
            let dropped = recipient.put(&alerts, self.capacity);
            if dropped > 0 {
                self.drop_of(dropped);
                recipient
                    .failed
                    .fetch_add(dropped as u64, Ordering::Relaxed);
                let url = &recipient.target.url;
                tracing::warn!(url, dropped, "alerts were dropped: too many wait");
            }
        }
    }

    /// Another configuration is in force.
    pub(crate) fn look_again(&self) {
        self.changed.notify_one();
    }

    /// Forgets Alertmanagers that are gone; returns those that are new.
    pub(super) fn take_over(
        &self,
        wanted: Vec<(Vec<Relabel>, Foreign)>,
        stop: &CancellationToken,
    ) -> Vec<Arc<Recipient>> {
        let mut list = self.list();
        list.retain(|had| {
            let same = |(relabel, target): &(Vec<Relabel>, Foreign)| {
                had.target == *target && had.relabel == *relabel
            };
            let stays = wanted.iter().any(same);
            if !stays {
                had.stop.cancel();
            }
            stays
        });
        let mut fresh = Vec::new();
        for (relabel, target) in wanted {
            if list.iter().any(|had| had.target == target) {
                continue;
            }
            let recipient = Arc::new(Recipient::new(target, relabel, stop.child_token()));
            list.push(Arc::clone(&recipient));
            fresh.push(recipient);
        }
        fresh
    }

    /// The Alertmanagers that are told.
    pub(crate) fn recipients(&self) -> Vec<Arc<Recipient>> {
        self.list().clone()
    }

    /// How many alerts were dropped, ever.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many alerts may wait at each.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    fn drop_of(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Recipient>>> {
        let list = self.recipients.lock();
        list.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recipient {
    pub(super) fn new(target: Foreign, relabel: Vec<Relabel>, stop: CancellationToken) -> Self {
        Self {
            target,
            relabel,
            queue: Mutex::default(),
            filled: Notify::new(),
            stop,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// How many alerts wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// Returns how many alerts there was no room for.
    pub(super) fn put(&self, alerts: &[Arc<Alert>], capacity: usize) -> usize {
        let mut queue = self.queue();
        queue.extend(alerts.iter().cloned());
        let over = queue.len().saturating_sub(capacity);
        queue.drain(..over);
        drop(queue);
        self.filled.notify_one();
        over
    }

    /// Sends until stopped, and then what still waits.
    pub(super) async fn run(&self, client: &Result<Client, String>) {
        let mut failing = false;
        loop {
            let batch = self.take();
            if batch.is_empty() {
                if self.stop.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = self.filled.notified() => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            let result = self.send(&batch, client).await;
            let count = batch.len() as u64;
            let url = &self.target.url;
            match result {
                Ok(()) => {
                    self.sent.fetch_add(count, Ordering::Relaxed);
                    if std::mem::take(&mut failing) {
                        tracing::info!(url, "alerts are taken again");
                    }
                }
                Err(err) => {
                    self.failed.fetch_add(count, Ordering::Relaxed);
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(url, count, "alerts were not taken: {err}");
                    }
                }
            }
        }
    }

    async fn send(
        &self,
        batch: &[Arc<Alert>],
        client: &Result<Client, String>,
    ) -> Result<(), String> {
        let alerts: Vec<Alert> = batch
            .iter()
            .filter_map(|alert| relabelled(Alert::clone(alert), &self.relabel))
            .collect();
        if alerts.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_string(&alerts).map_err(|err| err.to_string())?;
        let client = client.as_ref().map_err(Clone::clone)?;
        self.target.post(client, body).await
    }

    fn take(&self) -> Vec<Arc<Alert>> {
        let mut queue = self.queue();
        let count = queue.len().min(BATCH);
        queue.drain(..count).collect()
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Arc<Alert>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The alert behind relabelling; nothing when that drops it.
pub(super) fn relabelled(mut alert: Alert, rules: &[Relabel]) -> Option<Alert> {
    if rules.is_empty() {
        return Some(alert);
    }
    let mut builder = LabelsBuilder::default();
    for (name, value) in &alert.labels {
        builder.set(name.as_str(), value.as_str());
    }
    if !relabel::apply(rules, &mut builder) {
        return None;
    }
    let labels = builder.build();
    let labels = labels.iter();
    alert.labels = labels
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(alert)
}
