//! What was held back, once a silence or a time interval has ended.

use alerter::{Episode, EventKind, Silence, Step, StepKind, WindowEnd};

use super::{Failed, Notices, failed, part};

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
        let events = self.desk.alerter.history(done_ms + 1, 500).await;
        let mut ended: Vec<_> = events
            .map_err(failed)?
            .into_iter()
            .filter(|event| event.kind == EventKind::SilenceEnded)
            .collect();
        ended.sort_by_key(|event| event.at_ms);
        // Those that ended together are done together: one that fails is tried again.
        for same in ended.chunk_by(|one, other| one.at_ms == other.at_ms) {
            for event in same {
                let id = event.detail.split(':').next().unwrap_or_default();
                let silences = self.desk.alerter.silences().await.map_err(failed)?;
                if let Some(silence) = silences.iter().find(|it| wanted && it.id == id) {
                    let words = format!(
                        "The silence by {} has ended: {}",
                        silence.created_by, silence.comment
                    );
                    let held = self.held_by(silence).await?;
                    let kind = format!("{SILENCES} {id}");
                    self.tell_held_back((&kind, event.at_ms), &words, held)
                        .await?;
                }
            }
            self.done(SILENCES, same[0].at_ms).await?;
        }
        Ok(())
    }

    async fn held_by(&self, silence: &Silence) -> Result<Vec<Episode>, Failed> {
        let named = format!("silence {}", silence.id);
        let mut episodes = self.episodes(silence.starts_ms).await?;
        let step = |step: &Step| step.kind == StepKind::Muted && step.detail.contains(&named);
        episodes.retain(|episode| episode.steps.iter().any(step));
        Ok(episodes)
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
        self.send("HELD BACK", name, title, words, parts).await?;
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
