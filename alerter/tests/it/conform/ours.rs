//! Our side of a comparison, on threads of its own: however long it keeps those busy, the
//! sinks and the timers of the test are not kept waiting, by which it is judged.

use std::time::Duration;

use alerter::Handle;
use sqlx::SqlitePool;
use tokio::runtime::{Builder, Runtime};

use crate::support::web::Served;
use crate::support::{config, mail, start};

pub(super) struct Ours {
    pub(super) handle: Handle,
    served: Served,
    /// Until it is dropped.
    threads: Option<Runtime>,
}

impl Ours {
    pub(super) async fn start(yaml: &str, pool: SqlitePool) -> Self {
        let mut threads = Builder::new_multi_thread();
        let threads = threads.worker_threads(2).enable_all().build().unwrap();
        let config = config(yaml);
        let started = threads.spawn(async move {
            let handle = start(config, mail("{}"), pool).await;
            let served = Served::start(&handle).await;
            (handle, served)
        });
        let (handle, served) = started.await.unwrap();
        Self {
            handle,
            served,
            threads: Some(threads),
        }
    }

    pub(super) async fn reload(&self, yaml: &str) {
        self.handle
            .reload(&config(yaml), &mail("{}"))
            .await
            .unwrap();
    }

    pub(super) async fn stop(self) {
        self.handle.stop(Duration::from_secs(10)).await;
    }

    pub(super) fn url(&self) -> String {
        self.served.url()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}
