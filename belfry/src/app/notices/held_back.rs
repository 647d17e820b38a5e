//! What was held back, once a silence or a time interval has ended.

use alerter::{Episode, Silence, WindowEnd};

use super::{Failed, Notices, failed, part};

/// How its mails are marked.
const HELD_BACK: &str = "HELD BACK";

/// As it is kept of silences.
const SILENCES: &str = "held back";

/// As it is kept of time intervals.
const WINDOWS: &str = "held back by time";

impl Notices {
    /// What silences held back that have ended.
    pub(super) async fn silences(&self, wanted: bool, now_ms: i64) -> Result<(), Failed> {
        let Some(done_ms) = self.since(SILENCES, now_ms).await else {
            return Ok(());
        };
        let mut after_ms = done_ms;
        loop {
            // Those that ended together are done together: one that fails is tried again.
            let ended = self.desk.alerter.silences_ended(after_ms).await;
            let ended = ended.map_err(failed)?;
            let Some(at_ms) = ended.first().map(|event| event.at_ms) else {
                return Ok(());
            };
            let silences = match wanted {
                true => self.desk.alerter.silences().await.map_err(failed)?,
                false => Vec::new(),
            };
            for event in &ended {
                let id = event.detail.split(':').next().unwrap_or_default();
                if let Some(silence) = silences.iter().find(|it| it.id == id) {
                    let words = format!(
                        "The silence by {} has ended: {}",
                        silence.created_by, silence.comment
                    );
                    let held = self.held_by(silence, at_ms).await?;
                    let kind = format!("{SILENCES} {id}");
                    self.tell_held_back((&kind, at_ms), &words, held).await?;
                }
            }
            self.done(SILENCES, at_ms).await?;
            after_ms = at_ms;
        }
    }

    async fn held_by(&self, silence: &Silence, ended_ms: i64) -> Result<Vec<Episode>, Failed> {
        let all = self.episodes(silence.starts_ms).await?;
        let held = self.desk.alerter.held_by(&silence.id, ended_ms, all).await;
        held.map_err(failed)
    }

    /// What time intervals held back that have ended, or that had to begin.
    pub(super) async fn windows(&self, wanted: bool, now_ms: i64) -> Result<(), Failed> {
        let Some(done_ms) = self.since(WINDOWS, now_ms).await else {
            return Ok(());
        };
        // What was looked at is not kept each time, only what was found.
        let looked_ms = *self.looked();
        let from_ms = looked_ms.map_or(done_ms, |it| it.max(done_ms).min(now_ms));
        let ends = self.desk.alerter.window_ends(from_ms, now_ms).await;
        for end in ends.map_err(failed)? {
            if wanted {
                let all = self.episodes(end.since_ms).await?;
                let held = self.desk.alerter.held_until(&end, all).await;
                let held = held.map_err(failed)?;
                let name = (WINDOWS, end.at_ms);
                self.tell_held_back(name, &words(&end), held).await?;
            }
            self.done(WINDOWS, end.at_ms).await?;
        }
        *self.looked() = Some(now_ms);
        Ok(())
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Option<i64>> {
        self.windows_ms
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn tell_held_back(
        &self,
        name: (&str, i64),
        words: &str,
        held: Vec<Episode>,
    ) -> Result<(), Failed> {
        let title = match held.len() {
            0 => return Ok(()),
            1 => "1 alert was held back".to_owned(),
            count => format!("{count} alerts were held back"),
        };
        let (fires, over): (Vec<_>, Vec<_>) = held.iter().partition(|it| it.ended_ms.is_none());
        let parts = vec![
            part("Fires still, and is mailed from now on", fires.into_iter()),
            part("Ended meanwhile, and is not mailed", over.into_iter()),
        ];
        if self.send(HELD_BACK, name, title, words, parts).await?
            && let Err(err) = self.desk.alerter.note_summary(held, HELD_BACK).await
        {
            // It was mailed: at worst the digest tells of it again.
            tracing::warn!("a summary is not noted: {err}");
        }
        Ok(())
    }
}

fn words(end: &WindowEnd) -> String {
    let names = end.names.join(", ");
    match (end.names.len(), end.inactive) {
        (0 | 1, false) => format!("The time interval {names} has ended."),
        (0 | 1, true) => {
            format!("The time interval {names} has begun, in which alerts are mailed.")
        }
        _ => format!("Alerts are mailed again, as the time intervals {names} want it."),
    }
}
