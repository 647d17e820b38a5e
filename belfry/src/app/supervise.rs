//! Tasks that end when told to, and whose end is noticed when not.

use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time;
use tokio_util::sync::CancellationToken;

/// Runs until `stop`, then gives the tasks `grace` to finish. A task that ends
/// before `stop` is a fault even without an error: we must not look healthy
/// without it. Everything else is stopped then as well. Also returns how long
/// the tasks took to finish.
pub(crate) async fn supervise(
    mut tasks: JoinSet<anyhow::Result<&'static str>>,
    stop: CancellationToken,
    grace: impl Fn() -> Duration,
) -> (anyhow::Result<()>, Duration) {
    let result = tokio::select! {
        biased; // once stopped, a task that ends is no fault
        () = stop.cancelled() => Ok(()),
        Some(ended) = tasks.join_next() => Err(early(flat(ended))),
    };
    stop.cancel();
    let (began, grace) = (time::Instant::now(), grace());
    let drain = async {
        while let Some(ended) = tasks.join_next().await {
            if let Err(err) = flat(ended) {
                tracing::error!("failed while stopping: {err:#}");
            }
        }
    };
    if time::timeout(grace, drain).await.is_err() {
        tracing::warn!(?grace, "stopped before every task had finished");
    }
    (result, began.elapsed())
}

fn flat(ended: Result<anyhow::Result<&'static str>, JoinError>) -> anyhow::Result<&'static str> {
    ended.map_err(anyhow::Error::from).flatten()
}

fn early(ended: anyhow::Result<&'static str>) -> anyhow::Error {
    match ended {
        Ok(name) => anyhow::anyhow!("the task {name:?} ended early"),
        Err(err) => err.context("a task failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    async fn until(stop: CancellationToken) -> anyhow::Result<&'static str> {
        stop.cancelled().await;
        Ok("loop")
    }

    #[tokio::test]
    async fn a_stop_ends_all_tasks_without_a_fault() {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(until(stop.clone()));
        stop.cancel();
        supervise(tasks, stop, || GRACE).await.0.unwrap();
    }

    #[tokio::test]
    async fn a_task_that_ends_or_panics_stops_the_others_and_is_told() {
        for (task, told) in [
            (0, "the task \"short\" ended early"),
            (1, "panicked"),
            (2, "no luck"),
        ] {
            let stop = CancellationToken::new();
            let mut tasks = JoinSet::new();
            tasks.spawn(until(stop.clone()));
            tasks.spawn(async move {
                match task {
                    0 => Ok("short"),
                    1 => panic!("a bug"),
                    _ => Err(anyhow::anyhow!("no luck")),
                }
            });
            let err = supervise(tasks, stop.clone(), || GRACE)
                .await
                .0
                .unwrap_err();
            assert!(format!("{err:#}").contains(told), "{err:#}");
            assert!(stop.is_cancelled());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_finish_is_cut_off() {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        stop.cancel();
        supervise(tasks, stop, || GRACE).await.0.unwrap();
    }
}
