//! Alerts on their way to the Alertmanagers, as Prometheus sends them: in batches,
//! to all of them at once, and never twice by itself: an alert that goes on is
//! sent again by its rule.
//!
//! Each Alertmanager has a queue and a task of its own, so that one that hangs
//! delays no other. A full queue drops its oldest alerts.

mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use outbox::{Outbox, Recipient};

use std::sync::Arc;
use std::time::Duration;

use rules::{Alertmanager, Clients, Container, Discovery, Foreign, Job};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

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
    let clients = Arc::new(Clients::default());
    let mut discovery = Discovery::default();
    let mut told: Vec<String> = Vec::new();
    let mut tasks = JoinSet::new();
    loop {
        let alertmanagers = wanted();
        let jobs = alertmanagers.iter().enumerate();
        let jobs: Vec<Job> = jobs.map(|(at, one)| one.job(at)).collect();
        let containers = containers(&jobs);
        // Files may lie on a disk that hangs; who is known is told meanwhile.
        let certificates = Arc::clone(&clients);
        let look = task::spawn_blocking(move || {
            let found = discovery.look(&jobs, &containers, PULSE, false);
            for target in &found.targets {
                // Whatever is wrong with them is told when it is sent to.
                let _ = certificates.of(target);
            }
            (discovery, found)
        });
        let found = tokio::select! {
            () = stop.cancelled() => break,
            found = look => found?,
        };
        discovery = found.0;
        for fault in found.1.faults.iter().filter(|fault| !told.contains(fault)) {
            tracing::warn!("no alerts go there: {fault}");
        }
        told = found.1.faults;
        let of = |target: &Foreign| {
            let pool = target.target.origin.as_ref().map(|origin| &*origin.pool);
            let at = pool.and_then(|pool| pool.strip_prefix("config-")?.parse().ok());
            let config = at.and_then(|at: usize| alertmanagers.get(at));
            config.map_or_else(Vec::new, |config| config.alert_relabel_configs.clone())
        };
        let wanted = found.1.targets.into_iter();
        let wanted: Vec<_> = wanted.map(|target| (of(&target), target)).collect();
        for recipient in outbox.take_over(wanted, &stop) {
            let client = clients.of(&recipient.target);
            tasks.spawn(async move { recipient.run(&client).await });
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = stop.cancelled() => break,
            () = outbox.changed.notified() => {}
            () = tokio::time::sleep(PULSE) => {}
        }
    }
    while tasks.join_next().await.is_some() {}
    Ok("alerts")
}
