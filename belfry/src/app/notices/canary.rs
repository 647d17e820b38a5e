//! A mail whose absence shows that pages would not arrive either, and the figures
//! that say so here.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use exposition::{Kind as Family, Writer};
use tokio::time::timeout;

use super::{Done, Failed, Notices, seconds};

const KIND: &str = "canary";

/// What came back is tried again after this at the latest, in milliseconds: to try it at
/// once, as what no server takes, would only bring more mail back.
const AGAIN_MS: i64 = 3_600_000;

/// After one that came back the next is believed when it has stayed away for so long, in
/// milliseconds.
const BELIEVED_MS: i64 = 600_000;

/// How long the database may take to say what came back.
const LOOK: Duration = Duration::from_secs(3);

/// How sending it went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    /// When it was first tried since the start, in milliseconds since 1970.
    first_ms: Option<i64>,
    /// Whether no server took the last one.
    failed: bool,
    /// Whether the last one that was taken came back, or is too new to be believed.
    returned: bool,
}

impl Notices {
    /// Sends it when it is due; the first one at once, as who switches it on wants to
    /// see it.
    pub(super) async fn canary(&self, every: Duration, now_ms: i64) -> Result<(), Failed> {
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        if every_ms == 0 {
            return Ok(());
        }
        let beginning = format!("{KIND}.");
        let last = timeout(LOOK, self.desk.alerter.last_notices(&beginning, 2)).await;
        let returned = {
            let mut tried = self.done.tried();
            // What cannot be read, or not soon, is as it was: the mail matters more.
            if let Ok(Ok(last)) = last {
                tried.returned = is_returned(&last, now_ms);
            }
            tried.returned
        };
        // One that failed is due, however often they come by now.
        let last_ms = taken(&self.done, now_ms).filter(|_| !self.done.tried().failed);
        let wait_ms = if returned {
            every_ms.min(AGAIN_MS)
        } else {
            every_ms
        };
        let due_ms = last_ms.map_or(now_ms, |it| it.saturating_add(wait_ms));
        if due_ms > now_ms {
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

/// Whether canaries come back: of the last two, the newest first, when a server took each
/// and whether it came back.
fn is_returned(last: &[(i64, bool)], now_ms: i64) -> bool {
    let mut last = last.iter();
    match (last.next(), last.next()) {
        (Some((_, true)), _) => true,
        (Some((taken_ms, _)), Some((_, true))) => now_ms - taken_ms < BELIEVED_MS,
        _ => false,
    }
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
        "Whether no mail server took the last such mail, or it came back from all.",
        Family::Gauge,
        f64::from(u8::from(tried.failed || tried.returned)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_is_forgotten_once_a_later_one_has_stayed_away() {
        let minutes = |it: i64| it * 60_000;
        for (last, returned) in [
            (&[][..], false),
            (&[(minutes(100), false)], false),
            (&[(minutes(100), true)], true),
            // Nobody has mended it.
            (&[(minutes(100), true), (minutes(40), false)], true),
            (&[(minutes(100), true), (minutes(40), true)], true),
            (&[(minutes(91), false), (minutes(40), true)], true),
            (&[(minutes(90), false), (minutes(40), true)], false),
            // It took its time to come back, and there is a newer one.
            (&[(minutes(80), false), (minutes(40), true)], false),
            // A clock that was ahead.
            (&[(minutes(120), false), (minutes(40), false)], false),
        ] {
            assert_eq!(is_returned(last, minutes(100)), returned, "{last:?}");
        }
    }
}
