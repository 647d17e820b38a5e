//! Alerts on their way to the Alertmanagers, as Prometheus sends them: in batches,
//! to all of them at once, and never twice by itself: an alert that goes on is
//! sent again by its rule.
//!
//! Each Alertmanager has a queue and a task of its own, so that one that hangs
//! delays no other. A full queue drops its oldest alerts.

mod finding;
mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use outbox::{Outbox, Recipient};

use std::sync::Arc;
use std::time::Duration;

use rules::{Alertmanager, Container, Job};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use finding::Finding;

/// How often one looks for Alertmanagers.
const PULSE: Duration = Duration::from_secs(5);
/// So many alerts go in one request.
const BATCH: usize = 256;

/// Sends until told to stop, and then what still waits, once. `wanted` says who
/// is told by the configuration in force, `containers` where those may be.
pub(crate) async fn run(
    outbox: Arc<Outbox>,
    wanted: impl Fn() -> Vec<Alertmanager>,
    containers: impl Fn(&[Job]) -> Vec<Container>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let mut finding = Finding::default();
    let mut tasks = JoinSet::new();
    let mut look = Instant::now();
    loop {
        if look <= Instant::now() {
            look = Instant::now() + PULSE;
            finding.begin(wanted(), &containers);
        }
        for recipient in outbox.take_over(finding.wanted(), &stop) {
            let client = finding.client(&recipient.target);
            tasks.spawn(async move { recipient.run(&client).await });
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = stop.cancelled() => break,
            Some(found) = finding.next() => found?,
            () = outbox.changed.notified() => look = Instant::now(),
            () = time::sleep_until(look) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
    Ok("alerts")
}
