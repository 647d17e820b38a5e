//! A watcher of an engine, with its task, and ways to wait for what it sees.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exporter::container::{Config, Container, Containers, EngineState};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::kernel;

/// How long what is waited for may take.
fn patience() -> Duration {
    let slow = if kernel::is_own() { 4 } else { 1 };
    Duration::from_secs(120) * slow
}

/// A watcher that runs until [`Watch::stop`].
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) containers: Containers,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(socket: &Path, config: Config) -> Self {
        let containers = Containers::new(config, socket);
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let (containers, stop) = (containers.clone(), stop.clone());
            async move { containers.run(stop).await }
        });
        Self {
            containers,
            stop,
            task,
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
    }

    /// Waits until a container is as wanted, and returns it.
    pub(crate) async fn container(
        &self,
        name: &str,
        wanted: impl Fn(&Container) -> bool,
    ) -> Arc<Container> {
        // As it was then: it may be another a moment later.
        let found = std::cell::RefCell::new(None);
        let find = || {
            let all = self.containers.inventory();
            let mut all = all.into_iter();
            let fits = all.find(|container| container.name == name && wanted(container));
            let is_there = fits.is_some();
            *found.borrow_mut() = fits;
            is_there
        };
        self.until(find, name).await;
        found.take().unwrap()
    }

    /// Waits until the engine is as wanted.
    pub(crate) async fn engine(&self, wanted: impl Fn(&EngineState) -> bool) -> EngineState {
        let seen = std::cell::RefCell::new(EngineState::default());
        let look = || {
            *seen.borrow_mut() = self.containers.engine();
            wanted(&seen.borrow())
        };
        self.until(look, "the engine").await;
        seen.take()
    }

    pub(crate) async fn until(&self, wanted: impl Fn() -> bool, what: &str) {
        let mut changes = self.containers.changes();
        let seen = tokio::time::timeout(patience(), changes.wait_for(|_| wanted())).await;
        let now = || {
            format!(
                "{what}: {:#?} {:#?}",
                self.containers.engine(),
                self.containers.inventory()
            )
        };
        assert!(seen.is_ok(), "waited in vain for {}", now());
    }
}

/// Makes pages until one is as wanted, and returns it.
pub(crate) async fn page_with(watch: &Watch, wanted: impl Fn(&str) -> bool) -> String {
    let begun = std::time::Instant::now();
    loop {
        let page = watch.containers.page().await;
        if wanted(&page) {
            return page;
        }
        assert!(begun.elapsed() < patience(), "waited in vain:\n{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A wait that fails instead of lasting for ever.
pub(crate) async fn within<T>(waited: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience(), waited)
        .await
        .expect("it never came")
}

/// The value of a family's series that has all of these labels.
pub(crate) fn value(page: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let line = page.lines().find(|line| {
        let rest = line.strip_prefix(family);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}
