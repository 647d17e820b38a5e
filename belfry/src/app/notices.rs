//! Mails that are no pages: the daily digest of what is only shown, what a
//! silence or a time interval held back, and the canary that proves the way of a
//! page.
//!
//! Each is done once: when a server has taken it, and that is on the disk. One
//! that fails is tried again, and delays no page and none of the others.

mod canary;
mod digest;
mod held_back;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alerter::{Daily, Episode, HistoryFilter};
use dashboards::fact::Severity;
use dashboards::mail::{Notice, NoticeLine, NoticePart};
use dashboards::time::Zone;
use exposition::{Kind as Family, Writer};
use sqlx::SqlitePool;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{Desk, Watch};
use crate::config::Config;
use crate::state;

/// Between looks at what is due.
const TICK: Duration = Duration::from_secs(15);

/// After a mail that failed.
const AGAIN: Duration = Duration::from_secs(30);

/// Episodes that are looked at.
const EPISODES: u32 = 1_000;

/// When each kind was last done, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Done {
    kinds: Mutex<BTreeMap<String, i64>>,
    canary: Mutex<canary::Tried>,
}

impl Done {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, kind: &str) -> Option<i64> {
        self.all().get(kind).copied()
    }
}

/// Which of them are wanted; a reload may change that.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants {
    digest: Option<Daily>,
    held_back: bool,
    /// How often; zero for never.
    canary: Duration,
}

impl Wants {
    /// Of the whole Belfry.
    fn of(config: &Config) -> Self {
        let own = &config.alerter;
        let digest = own.digest.as_ref().unwrap_or(&config.mail.digest);
        Self {
            digest: Daily::parse(digest),
            held_back: own.held_back.unwrap_or(true),
            canary: own.canary.unwrap_or(config.mail.canary),
        }
    }

    /// Of an alerter alone: what its file asks for.
    pub(crate) fn alone(config: &alerter::Config) -> Self {
        Self {
            digest: config.digest.as_deref().and_then(Daily::parse),
            held_back: config.held_back == Some(true),
            canary: config.canary.unwrap_or_default(),
        }
    }
}

/// What they are made from, and where it is kept that they were.
pub(crate) struct Notices {
    desk: Arc<Desk>,
    pool: SqlitePool,
    done: Arc<Done>,
    wants: Box<dyn Fn() -> Wants + Send + Sync>,
    /// Up to when ends of time intervals were looked for, in milliseconds since 1970.
    windows_ms: Mutex<Option<i64>>,
}

/// A notice could not be sent, or its figures not be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

/// Sends what is due until told to stop.
pub(super) async fn run(
    watch: Arc<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<&'static str> {
    let of = Arc::clone(&watch);
    let notices = Notices {
        desk: Desk::of_watch(&watch),
        pool: watch.state.pool.clone(),
        done: Arc::clone(&watch.own.notices),
        wants: Box::new(move || Wants::of(&of.config())),
        windows_ms: Mutex::default(),
    };
    notices.run(stop).await;
    Ok("notices")
}

impl Notices {
    /// Of an alerter alone: those that are wanted.
    pub(crate) fn alone(
        desk: Arc<Desk>,
        pool: SqlitePool,
        wants: impl Fn() -> Wants + Send + Sync + 'static,
    ) -> Self {
        Self {
            desk,
            pool,
            done: Arc::default(),
            wants: Box::new(wants),
            windows_ms: Mutex::default(),
        }
    }

    /// Sends what is due until told to stop.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        match state::notices(&self.pool).await {
            Ok(known) => self.done.all().extend(known),
            Err(err) => tracing::warn!("what was mailed besides pages is forgotten: {err}"),
        }
        let mut wait = TICK;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = time::sleep(wait) => {}
            }
            wait = TICK;
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = self.round() => done,
            };
            for failed in done.into_iter().filter_map(Result::err) {
                tracing::warn!("a mail besides pages is put off: {failed}");
                wait = AGAIN;
            }
        }
    }

    /// When each kind was last done, and how the canary is.
    pub(crate) fn write_figures(&self, page: &mut Writer) {
        let every = (self.wants)().canary;
        write_all(page, &self.done, every, self.desk.now_ms());
    }

    async fn round(&self) -> [Result<(), Failed>; 4] {
        let wants = (self.wants)();
        let now_ms = self.desk.now_ms();
        [
            self.digest(wants.digest, now_ms).await,
            self.silences(wants.held_back, now_ms).await,
            self.windows(wants.held_back, now_ms).await,
            self.canary(wants.canary, now_ms).await,
        ]
    }

    /// When a kind was last done; none if this is the beginning, which is noted.
    async fn since(&self, kind: &str, now_ms: i64) -> Option<i64> {
        let known = self.done.of(kind);
        if known.is_none()
            && let Err(err) = self.done(kind, now_ms).await
        {
            tracing::warn!("{err}");
        }
        // A clock that was ahead would put it off.
        known.map(|done_ms| done_ms.min(now_ms))
    }

    async fn done(&self, kind: &str, at_ms: i64) -> Result<(), Failed> {
        self.done.all().insert(kind.to_owned(), at_ms);
        let written = state::set_notice(&self.pool, kind, at_ms).await;
        written.map_err(|err| Failed(err.to_string()))
    }

    async fn episodes(&self, since_ms: i64) -> Result<Vec<Episode>, Failed> {
        let wanted = HistoryFilter {
            fingerprint: None,
            name: None,
            since_ms,
            limit: EPISODES,
        };
        let found = self.desk.alerter.episodes(wanted).await;
        found.map_err(failed)
    }

    /// Sends a notice, and says whether somebody was to be mailed.
    async fn send(
        &self,
        mark: &'static str,
        (kind, at_ms): (&str, i64),
        title: String,
        words: &str,
        parts: Vec<NoticePart>,
    ) -> Result<bool, Failed> {
        let site = self.desk.site();
        let notice = Notice {
            mark,
            host: site.host,
            title,
            words: words.to_owned(),
            now_ms: self.desk.now_ms(),
            zone: Zone(site.zone),
            parts,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let written = dashboards::mail::notice(&notice).map_err(failed)?;
        let rendered = alerter::Rendered {
            subject: written.subject,
            text: written.text,
            html: written.html,
        };
        let id = format!("{}.{at_ms}", kind.replace(' ', "-"));
        // Nobody else is to know what mails are called, and claim that they came back.
        let id = format!("{id}.{}", self.desk.tickets.mark(&id));
        let sent = self.desk.alerter.send_notice(&rendered, &id).await;
        let Some(outcome) = sent.map_err(failed)? else {
            return Ok(false);
        };
        match outcome.reason() {
            Some(failure) => Err(Failed(failure.to_string())),
            None => Ok(true),
        }
    }
}

fn failed(err: impl std::fmt::Display) -> Failed {
    Failed(err.to_string())
}

/// When each kind was last done, for whoever wants to be told if it is not.
pub(super) fn write_figures(page: &mut Writer, watch: &Watch) {
    let every = Wants::of(&watch.config()).canary;
    write_all(page, &watch.own.notices, every, watch.clock.now_ms());
}

fn write_all(page: &mut Writer, done: &Done, every: Duration, now_ms: i64) {
    canary::write_figures(page, done, every, now_ms);
    page.family(
        "belfry_notice_last_timestamp_seconds",
        "When a mail that is no page was last done, by kind.",
        Family::Gauge,
    );
    for (kind, done_ms) in &*done.all() {
        page.sample(&[("kind", kind)], seconds(*done_ms));
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}

fn severity(episode: &Episode) -> Severity {
    Severity::from_label(episode.labels.get("severity").map(String::as_str))
}

fn part<'a>(title: &str, episodes: impl Iterator<Item = &'a Episode>) -> NoticePart {
    let line = |episode: &Episode| NoticeLine {
        severity: severity(episode),
        name: episode.labels.get("alertname").cloned().unwrap_or_default(),
        summary: episode.summary.clone(),
        started_ms: episode.started_ms,
        ended_ms: episode.ended_ms,
    };
    NoticePart {
        title: title.to_owned(),
        lines: episodes.map(line).collect(),
    }
}
