//! A mail whose absence shows that pages would not arrive either, and the figures
//! that say so here.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use exposition::{Kind as Family, Writer};

use super::{Done, Failed, Notices, seconds};

const KIND: &str = "canary";

/// How sending it went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    /// When it was first tried since the start, in milliseconds since 1970.
    first_ms: Option<i64>,
    /// Whether no server took the last one.
    failed: bool,
}

impl Notices {
    /// Sends it when it is due; the first one at once, as who switches it on wants to
    /// see it.
    pub(super) async fn canary(&self, every: Duration, now_ms: i64) -> Result<(), Failed> {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        // One that failed is due, however often they come by now.
        let last_ms = taken(&self.done, now_ms).filter(|_| !self.done.tried().failed);
        let due_ms = last_ms.map_or(now_ms, |it| it.saturating_add(every_ms));
        if every_ms == 0 || due_ms > now_ms {
            return Ok(());
        }
        let words = format!(
            "Nothing is wrong. This mail comes every {}; if it stays away, pages would too.",
            settings::format_duration(every)
        );
        let title = "pages arrive from Belfry".to_owned();
        let sent = self
            .send("CANARY", (KIND, now_ms), title, &words, Vec::new())
            .await;
        let sent = sent.and_then(|mailed| match mailed {
            true => Ok(()),
            false => Err(Failed("the first route mails nobody".to_owned())),
        });
        {
            let mut tried = self.done.tried();
            tried.first_ms.get_or_insert(now_ms);
            tried.failed = sent.is_err();
        }
        sent?;
        self.done(KIND, now_ms).await
    }
}

impl Done {
    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.canary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a server took the last one; nothing from a clock that was ahead.
fn taken(done: &Done, now_ms: i64) -> Option<i64> {
    done.of(KIND).filter(|it| *it <= now_ms)
}

/// How old the last one is that a server took; nothing where none is wanted.
pub(super) fn write_figures(page: &mut Writer, done: &Done, every: Duration, now_ms: i64) {
    if every.is_zero() {
        return;
    }
    let tried = *done.tried();
    page.single(
        "belfry_canary_interval_seconds",
        "How often a mail is sent only to show that pages arrive.",
        Family::Gauge,
        every.as_secs_f64(),
    );
    page.single(
        "belfry_canary_failed",
        "Whether no mail server took the last such mail.",
        Family::Gauge,
        f64::from(u8::from(tried.failed)),
    );
    if let Some(last_ms) = taken(done, now_ms).or(tried.first_ms) {
        page.single(
            "belfry_canary_age_seconds",
            "How long ago a mail server took such a mail; without one, since the first attempt.",
            Family::Gauge,
            seconds((now_ms - last_ms).max(0)),
        );
    }
}
