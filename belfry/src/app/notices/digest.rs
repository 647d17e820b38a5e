//! The daily digest: what nobody is told of, because it is only shown, and what
//! ended while it was muted.

use alerter::{Daily, Episode, StepKind};
use dashboards::fact::Severity;

use super::{Failed, Notices, failed, part, severity};

const KIND: &str = "digest";

impl Notices {
    /// What is only shown on the page, once a day.
    pub(super) async fn digest(&self, daily: Option<Daily>, now_ms: i64) -> Result<(), Failed> {
        let Some(daily) = daily else {
            return Ok(());
        };
        let Some(done_ms) = self.since(KIND, now_ms).await else {
            return Ok(());
        };
        if !daily.is_due(done_ms, now_ms, &self.desk.site().zone) {
            return Ok(());
        }
        let episodes = self.episodes(done_ms).await?;
        let lost: Vec<Episode> = episodes.iter().filter(|it| is_lost(it)).cloned().collect();
        let quiet = episodes
            .into_iter()
            .filter(|it| severity(it) == Severity::Info && it.pages == 0);
        let quiet = self.desk.alerter.told_to_nobody(quiet.collect()).await;
        let (fires, over): (Vec<_>, Vec<_>) = quiet
            .map_err(failed)?
            .into_iter()
            .partition(|it| it.ended_ms.is_none());
        let parts = vec![
            part("Fires now", fires.iter()),
            part("Came and went", over.iter()),
            part("Ended while muted, never mailed", lost.iter()),
        ];
        let count: usize = parts.iter().map(|part| part.lines.len()).sum();
        let title = match count {
            0 => return self.done(KIND, now_ms).await,
            1 => "1 thing to know".to_owned(),
            count => format!("{count} things to know"),
        };
        let words = "None of it is urgent: this is what the page shows and no mail told.";
        self.send("DIGEST", (KIND, now_ms), title, words, parts)
            .await?;
        self.done(KIND, now_ms).await
    }
}

/// Whether nobody was told of it, by no other summary either.
fn is_lost(episode: &Episode) -> bool {
    let has = |kind| episode.steps.iter().any(|step| step.kind == kind);
    severity(episode) != Severity::Info
        && episode.pages == 0
        && episode.ended_ms.is_some()
        && has(StepKind::Muted)
        && !has(StepKind::Summary)
}
