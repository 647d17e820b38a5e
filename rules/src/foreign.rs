//! Targets outside of this process: found, relabelled, and fetched over HTTP.
//!
//! [`Discovery`] says what is to be scraped, as Prometheus' scrape jobs say it;
//! [`Foreign::run`] scrapes one target in its rhythm. What comes back goes the
//! way of every page, through an [`Intake`]. Each target has a task of its own,
//! so that one that hangs delays no other.
//!
//! [`Intake`]: crate::Intake

mod body;
mod discovery;
mod fetch;
mod job;
mod pool;
mod rhythm;
#[cfg(test)]
mod tests;
mod tls;

use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(crate) use discovery::engine_faults;
pub use discovery::{
    Container, Discovery, DockerConfig, Dropped, FileConfig, Network, NetworkFacts, Port, Scrapes,
    StaticConfig,
};
pub use fetch::Fetched;
pub use job::{Authorization, BasicAuth, Job, Offer, Protocol, Scheme};
pub use rhythm::Rhythm;
pub use tls::{Clients, Tls};

use crate::Target;

/// One target elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// What an intake needs to know of it.
    pub target: Target,
    /// The address of its page.
    pub url: String,
    /// Time between two scrapes.
    pub every: Duration,
    /// The longest wait for a page.
    pub timeout: Duration,
    /// Why it is not asked at all, and fails all the same.
    pub fault: Option<Refused>,
    asking: fetch::Asking,
    reach: tls::Reach,
}

/// Why a target is not asked, in words: with others it is the same target.
#[derive(Debug, Clone)]
pub struct Refused(pub String);

impl PartialEq for Refused {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Foreign {
    /// Fetches the page every interval until told to stop, and hands on what
    /// came of it with how long it took. `now_ms` places it in its interval, so
    /// that it is scraped at the same times after each restart. Without a client
    /// the reason for that is what comes of it.
    pub async fn run(
        &self,
        client: &Result<Client, String>,
        now_ms: i64,
        stop: &CancellationToken,
        mut take: impl FnMut(Result<&Fetched, &str>, Duration),
    ) {
        let mut ticks = time::interval_at(time::Instant::now() + self.wait(now_ms), self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let began = Instant::now();
            let page = match (&self.fault, client) {
                (None, Ok(client)) => tokio::select! {
                    () = stop.cancelled() => return,
                    page = self.fetch(client) => page,
                },
                (Some(Refused(why)), _) | (None, Err(why)) => Err(why.clone()),
            };
            take(page.as_ref().map_err(String::as_str), began.elapsed());
        }
    }

    /// Time until the next scrape: targets take turns.
    fn wait(&self, now_ms: i64) -> Duration {
        let names = alert::Set::from([("url".into(), self.url.clone())]);
        rhythm::wait(alert::fingerprint(&names), self.every, now_ms)
    }

    /// Whether both are one page for the same series.
    fn is_same(&self, other: &Self) -> bool {
        self.url == other.url && self.has_series_of(other)
    }

    /// Whether its series are labelled as those of another.
    #[must_use]
    pub fn has_series_of(&self, other: &Self) -> bool {
        self.labels() == other.labels()
    }

    /// What its series are labelled with.
    fn labels(&self) -> (&str, &str, &std::collections::BTreeMap<String, String>) {
        let target = &self.target;
        (&target.job, &target.instance, &target.labels)
    }
}
