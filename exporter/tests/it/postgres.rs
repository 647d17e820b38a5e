//! Real PostgreSQL servers of five versions: each is read whole, and started
//! once.

mod asked;
mod cluster;
mod faults;
mod tour;

use std::time::Duration;

use exporter::postgres::{Config, Postgres, Server as Address};
use tokio_util::sync::CancellationToken;

use crate::peer::Page;
use crate::watch::within;
use cluster::Cluster;

/// A reader at work, until it is dropped.
struct Work {
    postgres: Postgres,
    stop: CancellationToken,
}

impl Work {
    fn start(server: Address, deadline: Duration) -> Self {
        Self::with(Config {
            servers: vec![server],
            ..Self::config(deadline)
        })
    }

    /// Everything is asked often.
    fn config(deadline: Duration) -> Config {
        Config {
            interval: Duration::from_millis(100),
            deadline,
            visit: Duration::from_millis(500),
            seldom: Duration::from_millis(500),
            indexes_per_database: 10,
            ..Config::default()
        }
    }

    fn with(config: Config) -> Self {
        let postgres = Postgres::new(config);
        let stop = CancellationToken::new();
        tokio::spawn({
            let (postgres, stop) = (postgres.clone(), stop.clone());
            async move { postgres.run(stop).await }
        });
        Self { postgres, stop }
    }

    /// The page of a reading that began after this call.
    async fn text(&self) -> String {
        let mut readings = self.postgres.readings();
        let seen = *readings.borrow_and_update();
        // The first that ends may have begun before.
        let next = readings.wait_for(|count| *count >= seen + 2);
        within(next).await.unwrap();
        self.postgres.page().await
    }

    /// The page of the first reading that is as wanted.
    async fn page(&self, what: &str, wanted: impl Fn(&Page) -> bool) -> Page {
        let mut last = String::new();
        let found = tokio::time::timeout(Duration::from_secs(120), async {
            loop {
                last = self.text().await;
                let page = Page::parse(&last, &["server"]);
                if wanted(&page) {
                    return page;
                }
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("waited in vain for {what}: {last}"))
    }

    /// The page once everything could be asked.
    async fn whole(&self) -> Page {
        let failing = |page: &Page| {
            let collectors = page.values.iter();
            collectors
                .filter(|(series, _)| series.contains("_success"))
                .any(|(_, value)| *value == 0.0)
        };
        self.page("all collectors", |page| {
            page.value("pg_up") == Some(1.0) && !failing(page)
        })
        .await
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_13_is_read_whole() {
    tour::whole(&Cluster::start(13).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_15_is_read_whole_as_by_debians_exporter_and_through_every_fault() {
    let mut cluster = Cluster::start(15).await;
    tour::whole(&cluster).await;
    tour::beside_debians_exporter(&cluster).await;
    tour::with_a_replica(&cluster).await;
    tour::sizes_are_kept(&cluster).await;
    asked::questions(&cluster).await;
    faults::over_tls(&cluster).await;
    faults::with_catalogues_locked(&cluster).await;
    faults::without_rights(&cluster).await;
    faults::frozen_and_restarted(&mut cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_16_is_read_whole() {
    tour::whole(&Cluster::start(16).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_17_is_read_whole() {
    tour::whole(&Cluster::start(17).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_18_is_read_whole() {
    tour::whole(&Cluster::start(18).await).await;
}
