//! What is known of episodes only later: mails that come back, and summaries; on the way
//! from whoever brings it to the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::people::change;
use super::{Handle, Stopped};
use crate::HistoryFilter;
use crate::bounce::Bounce;
use crate::episode::{Episode, StepKind};
use crate::state::{Laid, Late, SentMail};
use crate::store;

/// Of so many alerts that are over the history says that a mail about them came back.
const LATE: usize = 200;

/// Episodes of an alert among which the one of a mail is looked for.
const EPISODES: u32 = 20;

/// Why a bounce was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BounceError {
    /// It names no mail of ours, or nobody whom that was for.
    #[error("it is of no mail that was sent from here to these recipients in the last days")]
    Stranger,
    /// It was taken, but a restart would forget it: it is to be handed over again.
    #[error("it could not be stored")]
    NotStored,
    /// What was sent, or what became of alerts, cannot be looked up.
    #[error("what was sent cannot be read")]
    Store(#[source] sqlx::Error),
    /// The alerter has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Handle {
    /// Takes a mail that came back; to whom it was. Nothing happens a second time when
    /// it is handed over again. Returns when that is stored; before that, nothing is done.
    pub async fn bounce(&self, bounce: Bounce) -> Result<Vec<Laid>, BounceError> {
        // What one reads the other must not change meanwhile.
        let _alone = self.bounces.lock().await;
        let bounce = bounce.bounded();
        self.settle(&bounce.mails).await?;
        let stored = store::mails(&self.pool, &bounce.mails);
        let stored = stored.await.map_err(BounceError::Store)?;
        let rows = self.rows_of(&bounce, &stored).await?;
        let not_stored = || BounceError::NotStored;
        let laid = change(self, not_stored, move |alerter, now_ms| {
            let came = alerter.bounced(&bounce, stored, now_ms);
            for late in &came.late {
                if let Some(row) = rows.get(&(late.fingerprint, late.mail_ms)) {
                    alerter.amend(row.clone(), late, now_ms);
                }
            }
            Ok(came.laid)
        })
        .await?;
        match laid.is_empty() {
            true => Err(BounceError::Stranger),
            false => Ok(laid),
        }
    }

    /// The last mails that are no pages and whose names begin so: when a server took each,
    /// in milliseconds since 1970, and whether it came back from all since. The newest first.
    pub async fn last_notices(
        &self,
        beginning: &str,
        most: usize,
    ) -> Result<Vec<(i64, bool)>, BounceError> {
        let _alone = self.bounces.lock().await;
        match self.settle(&[]).await {
            // What cannot be stored is in memory, and found there.
            Ok(()) | Err(BounceError::NotStored) => {}
            Err(err) => return Err(err),
        }
        let stored = store::last_mails(&self.pool, beginning, most);
        let stored = stored.await.map_err(BounceError::Store)?;
        let beginning = beginning.to_owned();
        let mails = self
            .ask(move |glance| glance.alerter.last_mails(&beginning, stored, most))
            .await?;
        Ok(mails.iter().map(|it| (it.at_ms, it.is_lost())).collect())
    }

    /// Notes that a summary told of these, so that no other need do so. Returns when
    /// that is stored.
    pub async fn note_summary(
        &self,
        episodes: Vec<Episode>,
        what: &str,
    ) -> Result<(), BounceError> {
        let _alone = self.bounces.lock().await;
        self.settle(&[]).await?;
        // They were read before the summary was sent, which took its time.
        let ids: Vec<u64> = episodes.iter().map(|row| row.id).collect();
        let rows = store::episodes_of(&self.pool, &ids);
        let rows = rows.await.map_err(BounceError::Store)?;
        let mut newest: BTreeMap<u64, Episode> =
            episodes.into_iter().map(|row| (row.id, row)).collect();
        newest.extend(rows.into_iter().map(|row| (row.id, row)));
        let detail: Arc<str> = what.into();
        let not_stored = || BounceError::NotStored;
        change(self, not_stored, move |alerter, now_ms| {
            for row in newest.into_values() {
                let late = Late {
                    fingerprint: row.fingerprint,
                    mail_ms: now_ms,
                    kind: StepKind::Summary,
                    detail: Arc::clone(&detail),
                };
                alerter.amend(row, &late, now_ms);
            }
            Ok(())
        })
        .await
    }

    /// Returns when all that is known is on the disk: what is being written can be found
    /// nowhere. A mail of these names that is under way is not known to be taken yet.
    async fn settle(&self, names: &[String]) -> Result<(), BounceError> {
        let names = names.to_vec();
        let not_stored = || BounceError::NotStored;
        change(self, not_stored, move |alerter, _| {
            match alerter.is_under_way(&names) {
                true => Err(BounceError::NotStored),
                false => Ok(()),
            }
        })
        .await
    }

    /// Episodes that may be over, of alerts that the mails of a bounce told of.
    async fn rows_of(
        &self,
        bounce: &Bounce,
        stored: &[SentMail],
    ) -> Result<BTreeMap<(u64, i64), Episode>, BounceError> {
        let (bounce, stored) = (bounce.clone(), stored.to_vec());
        let late = self.ask(move |glance| glance.alerter.late_of(&bounce, stored));
        let mut found = BTreeMap::new();
        for (fingerprint, mail_ms) in late.await?.into_iter().take(LATE) {
            let wanted = HistoryFilter {
                fingerprint: Some(fingerprint),
                name: None,
                since_ms: 0,
                limit: EPISODES,
            };
            let rows = self.episodes(wanted).await.map_err(BounceError::Store)?;
            let of_mail = rows.into_iter().find(|row| row.started_ms <= mail_ms);
            found.extend(of_mail.map(|row| ((fingerprint, mail_ms), row)));
        }
        Ok(found)
    }
}
