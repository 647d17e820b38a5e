//! Targets outside of this process: their pages are fetched over HTTP.
//!
//! What comes back goes the way of every page, through an [`Intake`]; this file
//! only gets it, within its time and its size, or says why not. Each target has
//! a task of its own, so that one that hangs delays no other.
//!
//! [`Intake`]: crate::Intake

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, RequestBuilder, StatusCode};
use settings::{Secret, Size};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{Limits, Target};

settings::section! {
    /// Targets elsewhere that serve metrics over HTTP.
    pub struct Job {
        /// The label `job`.
        pub job: String = "foreign".into(),
        /// Where they are, each as host:port; it becomes the label `instance`.
        pub targets: Vec<String> = vec![],
        /// The path of their metrics.
        pub path: String = "/metrics".into(),
        /// Time between two scrapes. Absent: as often as everything else.
        pub interval: Option<Duration> = None,
        /// The longest wait for a page; never longer than the interval.
        pub timeout: Duration = Duration::from_secs(10),
        /// Whether labels of the page win over those of the target.
        pub honor_labels: bool = false,
        /// Further labels for every series.
        pub labels: BTreeMap<String, String> = BTreeMap::new(),
        /// The user for basic authentication. Empty: none.
        pub username: String = String::new(),
        /// The password for basic authentication.
        pub password: Secret = Secret::default(),
        /// A token that is sent as a bearer. Empty: none.
        pub bearer_token: Secret = Secret::default(),
        /// The most samples that a page may have.
        pub sample_limit: usize = 50_000,
        /// The largest page.
        pub body_limit: Size = Size::mib(16),
    }
}

/// One target of a [`Job`].
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
    username: String,
    password: Secret,
    bearer_token: Secret,
}

impl Job {
    /// Its targets, each once; `every` is the interval of everything else.
    #[must_use]
    pub fn foreign(&self, every: Duration) -> Vec<Foreign> {
        let every = self.interval.unwrap_or(every).max(Duration::from_secs(1));
        let mut out: Vec<Foreign> = Vec::new();
        for instance in &self.targets {
            if out.iter().any(|had| had.target.instance == *instance) {
                continue;
            }
            let slash = if self.path.starts_with('/') { "" } else { "/" };
            out.push(Foreign {
                target: Target {
                    job: self.job.clone(),
                    instance: instance.clone(),
                    labels: self.labels.clone(),
                    honor_labels: self.honor_labels,
                    limits: Limits {
                        samples: self.sample_limit,
                        body_bytes: usize::try_from(self.body_limit.bytes()).unwrap_or(usize::MAX),
                        ..Limits::default()
                    },
                },
                url: format!("http://{instance}{slash}{}", self.path),
                every,
                timeout: self.timeout.min(every),
                username: self.username.clone(),
                password: self.password.clone(),
                bearer_token: self.bearer_token.clone(),
            });
        }
        out
    }
}

impl Foreign {
    /// Fetches the page every interval until told to stop, and hands on what
    /// came of it with how long it took.
    pub async fn run(
        &self,
        client: &Client,
        stop: &CancellationToken,
        mut take: impl FnMut(Result<&str, &str>, Duration),
    ) {
        let mut ticks = time::interval_at(time::Instant::now() + self.offset(), self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let began = Instant::now();
            let page = tokio::select! {
                () = stop.cancelled() => return,
                page = self.fetch(client) => page,
            };
            let took = began.elapsed();
            take(page.as_deref().map_err(String::as_str), took);
        }
    }

    /// Fetches the page once.
    ///
    /// # Errors
    /// Says in words why there is none; no word of it is a secret.
    pub async fn fetch(&self, client: &Client) -> Result<String, String> {
        match time::timeout(self.timeout, self.get(client)).await {
            Ok(page) => page,
            Err(_) => Err(format!("no page within {:?}", self.timeout)),
        }
    }

    async fn get(&self, client: &Client) -> Result<String, String> {
        let request = client
            .get(&self.url)
            .header(ACCEPT, "text/plain;version=0.0.4,*/*;q=0.1")
            .header(
                "X-Prometheus-Scrape-Timeout-Seconds",
                self.timeout.as_secs_f64().to_string(),
            );
        let mut answer = self
            .signed(request)
            .send()
            .await
            .map_err(|err| cause(&err))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the target answered {}", answer.status()));
        }
        is_text(answer.headers())?;
        let limit = self.target.limits.body_bytes;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|err| cause(&err))? {
            if body.len() + piece.len() > limit {
                return Err(format!("the page is larger than {limit} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        String::from_utf8(body).map_err(|_| "the page is not UTF-8".into())
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        if !self.bearer_token.is_empty() {
            return request.bearer_auth(self.bearer_token.expose());
        }
        if self.username.is_empty() {
            return request;
        }
        request.basic_auth(&self.username, Some(self.password.expose()))
    }

    /// Where in the interval it is scraped: by its name, so that targets take
    /// turns, and the same after each restart.
    fn offset(&self) -> Duration {
        let names = alert::Set::from([("url".into(), self.url.clone())]);
        let every = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(alert::fingerprint(&names) % every.max(1))
    }
}

/// A page must say that it is text, as current Prometheus asks.
fn is_text(headers: &HeaderMap) -> Result<(), String> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    match kind.map(|kind| kind.split(';').next().unwrap_or_default().trim()) {
        Some("text/plain") => Ok(()),
        Some(kind) => Err(format!("the page is {kind}, not text/plain")),
        None => Err("the page does not say that it is text/plain".into()),
    }
}

/// The innermost cause, which is what a person can act on.
fn cause(err: &reqwest::Error) -> String {
    let mut cause: &dyn Error = err;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
