//! What is known of episodes only later: mails that come back, and summaries; on the way
//! from whoever brings it to the state.

use std::sync::Arc;

use super::people::change;
use super::{Handle, Stopped};
use crate::HistoryFilter;
use crate::bounce::Bounce;
use crate::episode::{Episode, StepKind};
use crate::state::{Laid, Late};
use crate::store;
use crate::task::{Change, Command};

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
    /// What was sent cannot be looked up.
    #[error("what was sent cannot be read")]
    Store(#[source] sqlx::Error),
    /// The alerter has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Handle {
    /// Takes a mail that came back; to whom it was. Nothing happens a second time when
    /// it is handed over again. Returns when that is stored.
    pub async fn bounce(&self, bounce: Bounce) -> Result<Vec<Laid>, BounceError> {
        // What one reads the other must not change meanwhile.
        let _alone = self.bounces.lock().await;
        let bounce = bounce.bounded();
        let names = bounce.mails.clone();
        let stored = store::mails(&self.pool, &names);
        let stored = stored.await.map_err(BounceError::Store)?;
        let not_stored = || BounceError::NotStored;
        let came = change(self, not_stored, move |alerter, now_ms| {
            Ok(alerter.bounced(&bounce, stored, now_ms))
        });
        let came = came.await?;
        if came.laid.is_empty() {
            return Err(BounceError::Stranger);
        }
        for late in came.late.into_iter().take(LATE) {
            self.amend(late).await?;
        }
        Ok(came.laid)
    }

    /// Notes that a summary told of these, so that no other need do so.
    pub async fn note_summary(&self, episodes: Vec<Episode>, what: &str) -> Result<(), Stopped> {
        let detail: Arc<str> = what.into();
        let change: Change = Box::new(move |alerter, now_ms| {
            for row in episodes {
                let late = Late {
                    fingerprint: row.fingerprint,
                    mail_ms: now_ms,
                    kind: StepKind::Summary,
                    detail: Arc::clone(&detail),
                };
                alerter.amend(row, &late, now_ms);
            }
            Box::new(|_| {})
        });
        self.send(Command::Change(change)).await
    }

    /// Adds what came too late for an episode to what is kept of it.
    async fn amend(&self, late: Late) -> Result<(), BounceError> {
        let wanted = HistoryFilter {
            fingerprint: Some(late.fingerprint),
            name: None,
            since_ms: 0,
            limit: EPISODES,
        };
        let rows = self.episodes(wanted).await.map_err(BounceError::Store)?;
        let of_mail = rows.into_iter().find(|row| row.started_ms <= late.mail_ms);
        let Some(row) = of_mail else {
            return Ok(());
        };
        let not_stored = || BounceError::NotStored;
        change(self, not_stored, move |alerter, now_ms| {
            alerter.amend(row, &late, now_ms);
            Ok(())
        })
        .await
    }
}
