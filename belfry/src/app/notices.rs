//! Mails that are no pages: the daily digest of what is only shown, what a
//! silence held back, and the canary that proves the way of a page.
//!
//! Each is done once: when a server has taken it, and that is on the disk. One
//! that fails is tried again, and delays no page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alerter::{Daily, Episode, EventKind, HistoryFilter, StepKind};
use dashboards::fact::Severity;
use dashboards::mail::{Notice, NoticeLine, NoticePart};
use dashboards::time::Zone;
use exposition::{Kind as Family, Writer};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::Watch;
use crate::state;

/// Between looks at what is due.
const TICK: Duration = Duration::from_secs(15);

/// After a mail that failed.
const AGAIN: Duration = Duration::from_secs(120);

/// Episodes that are looked at.
const EPISODES: u32 = 1_000;

const DIGEST: &str = "digest";
const HELD_BACK: &str = "held back";
const CANARY: &str = "canary";

/// When each kind was last done, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Done(Mutex<BTreeMap<String, i64>>);

impl Done {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, kind: &str) -> Option<i64> {
        self.all().get(kind).copied()
    }
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
    match state::notices(&watch.state.pool).await {
        Ok(known) => watch.own.notices.all().extend(known),
        Err(err) => tracing::warn!("what was mailed besides pages is forgotten: {err}"),
    }
    let mut wait = TICK;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok("notices"),
            () = time::sleep(wait) => {}
        }
        wait = TICK;
        let round = async {
            digest(&watch).await?;
            held_back(&watch).await?;
            canary(&watch).await
        };
        let done = tokio::select! {
            () = stop.cancelled() => return Ok("notices"),
            done = round => done,
        };
        if let Err(err) = done {
            tracing::warn!("a mail besides pages is put off: {err}");
            wait = AGAIN;
        }
    }
}

/// When each kind was last done, for whoever wants to be told if it is not.
pub(super) fn write_figures(page: &mut Writer, watch: &Watch) {
    page.family(
        "belfry_notice_last_timestamp_seconds",
        "When a mail that is no page was last done, by kind.",
        Family::Gauge,
    );
    for (kind, done_ms) in &*watch.own.notices.all() {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
        page.sample(&[("kind", kind)], *done_ms as f64 / 1e3);
    }
}

/// What is only shown on the page, once a day.
async fn digest(watch: &Watch) -> Result<(), Failed> {
    let config = watch.config();
    let daily = Daily::parse(&config.mail.digest).filter(|_| config.alerter.route.is_none());
    let (Some(daily), now_ms) = (daily, watch.clock.now_ms()) else {
        return Ok(());
    };
    let Some(done_ms) = since(watch, DIGEST, now_ms).await else {
        return Ok(());
    };
    if !daily.is_due(done_ms, now_ms, &config.zone()) {
        return Ok(());
    }
    let episodes = episodes(watch, done_ms).await?;
    let quiet = |it: &&Episode| severity(it) == Severity::Info && it.pages == 0;
    let lost = |it: &&Episode| {
        severity(it) != Severity::Info && it.pages == 0 && it.ended_ms.is_some() && muted(it)
    };
    let fires = |it: &&Episode| it.ended_ms.is_none();
    let parts = vec![
        part("Fires now", episodes.iter().filter(quiet).filter(fires)),
        part(
            "Came and went",
            episodes.iter().filter(quiet).filter(|it| !fires(it)),
        ),
        part(
            "Ended while muted, never mailed",
            episodes.iter().filter(lost),
        ),
    ];
    let count: usize = parts.iter().map(|part| part.lines.len()).sum();
    let title = match count {
        0 => return done(watch, DIGEST, now_ms).await,
        1 => "1 thing to know".to_owned(),
        count => format!("{count} things to know"),
    };
    let words = "None of it is urgent: this is what the page shows and no mail told.";
    send(watch, "DIGEST", (DIGEST, now_ms), title, words, parts).await?;
    done(watch, DIGEST, now_ms).await
}

/// What silences held back that have ended.
async fn held_back(watch: &Watch) -> Result<(), Failed> {
    let now_ms = watch.clock.now_ms();
    let Some(done_ms) = since(watch, HELD_BACK, now_ms).await else {
        return Ok(());
    };
    let events = watch.alerter.history(done_ms + 1, 500).await;
    let events = events.map_err(|err| Failed(err.to_string()))?;
    let mut ended: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::SilenceEnded)
        .collect();
    ended.sort_by_key(|event| event.at_ms);
    for event in ended {
        let id = event.detail.split(':').next().unwrap_or_default();
        let silences = watch.alerter.silences().await;
        let silences = silences.map_err(|err| Failed(err.to_string()))?;
        if let Some(silence) = silences.iter().find(|silence| silence.id == id) {
            let named = format!("silence {id}");
            let episodes = episodes(watch, silence.starts_ms).await?;
            let held = episodes.iter().filter(|episode| {
                let step = |step: &alerter::Step| {
                    step.kind == StepKind::Muted && step.detail.contains(&named)
                };
                episode.steps.iter().any(step)
            });
            let (fires, over): (Vec<_>, Vec<_>) = held.partition(|it| it.ended_ms.is_none());
            if !(fires.is_empty() && over.is_empty()) {
                let title = format!("{} alerts were held back", fires.len() + over.len());
                let words = format!(
                    "The silence by {} has ended: {}",
                    silence.created_by, silence.comment
                );
                let parts = vec![
                    part("Fires still, and is mailed from now on", fires.into_iter()),
                    part("Ended meanwhile, and is not mailed", over.into_iter()),
                ];
                let name = (HELD_BACK, event.at_ms);
                send(watch, "HELD BACK", name, title, &words, parts).await?;
            }
        }
        done(watch, HELD_BACK, event.at_ms).await?;
    }
    Ok(())
}

/// A mail whose absence shows that pages would not arrive either.
async fn canary(watch: &Watch) -> Result<(), Failed> {
    let config = watch.config();
    let every_ms = i64::try_from(config.mail.canary.as_millis()).unwrap_or(i64::MAX);
    let now_ms = watch.clock.now_ms();
    if every_ms == 0 {
        return Ok(());
    }
    // The first one goes out at once: who switches it on wants to see it.
    let due_ms = watch
        .own
        .notices
        .of(CANARY)
        .map_or(now_ms, |it| it.saturating_add(every_ms));
    if due_ms > now_ms {
        return Ok(());
    }
    let words = format!(
        "Nothing is wrong. This mail comes every {}; if it stays away, pages would too.",
        settings::format_duration(config.mail.canary)
    );
    let title = "pages arrive from Belfry".to_owned();
    send(watch, "CANARY", (CANARY, now_ms), title, &words, Vec::new()).await?;
    done(watch, CANARY, now_ms).await
}

/// When a kind was last done; none if this is the beginning, which is noted.
async fn since(watch: &Watch, kind: &str, now_ms: i64) -> Option<i64> {
    let known = watch.own.notices.of(kind);
    if known.is_none()
        && let Err(err) = done(watch, kind, now_ms).await
    {
        tracing::warn!("{err}");
    }
    // A clock that was ahead would put it off.
    known.map(|done_ms| done_ms.min(now_ms))
}

async fn done(watch: &Watch, kind: &str, at_ms: i64) -> Result<(), Failed> {
    watch.own.notices.all().insert(kind.to_owned(), at_ms);
    let written = state::set_notice(&watch.state.pool, kind, at_ms).await;
    written.map_err(|err| Failed(err.to_string()))
}

async fn episodes(watch: &Watch, since_ms: i64) -> Result<Vec<Episode>, Failed> {
    let wanted = HistoryFilter {
        fingerprint: None,
        name: None,
        since_ms,
        limit: EPISODES,
    };
    let found = watch.alerter.episodes(wanted).await;
    found.map_err(|err| Failed(err.to_string()))
}

fn severity(episode: &Episode) -> Severity {
    Severity::from_label(episode.labels.get("severity").map(String::as_str))
}

fn muted(episode: &Episode) -> bool {
    episode
        .steps
        .iter()
        .any(|step| step.kind == StepKind::Muted)
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

/// Sends a notice; nothing to do where nobody is mailed.
async fn send(
    watch: &Watch,
    mark: &'static str,
    (kind, at_ms): (&str, i64),
    title: String,
    words: &str,
    parts: Vec<NoticePart>,
) -> Result<(), Failed> {
    let config = watch.config();
    let notice = Notice {
        mark,
        host: config.host_name(),
        title,
        words: words.to_owned(),
        now_ms: watch.clock.now_ms(),
        zone: Zone(config.zone()),
        parts,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let written = dashboards::mail::notice(&notice).map_err(|err| Failed(err.to_string()))?;
    let rendered = alerter::Rendered {
        subject: written.subject,
        text: written.text,
        html: written.html,
    };
    let id = format!("{}.{at_ms}", kind.replace(' ', "-"));
    let sent = watch.alerter.send_notice(&rendered, &id).await;
    match sent
        .map_err(|err| Failed(err.to_string()))?
        .and_then(|it| it.reason())
    {
        Some(failure) => Err(Failed(failure.to_string())),
        None => Ok(()),
    }
}
