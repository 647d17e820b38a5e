//! What people ask of the running alerter: what became of alerts, and taking
//! them on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Handle, Stopped};
use crate::episode::{Ack, Episode};
use crate::state::{Alerter, FindError, Why};
use crate::store;
use crate::task::Command;

/// The longest name and note, in characters.
const NAME: usize = 100;
const NOTE: usize = 1_000;

/// Somebody takes alerts on, or takes that back.
#[derive(Debug, Clone, Default)]
pub struct AckRequest {
    /// Which alerts.
    pub of: AckOf,
    /// Also those that share a message with them.
    pub group: bool,
    /// Of all these only those with one of these fingerprints, if any are given:
    /// what the person has seen.
    pub only: Option<BTreeSet<u64>>,
    /// Who.
    pub by: String,
    /// What is to be known about it; may be empty.
    pub note: String,
    /// Whether it is taken back.
    pub undo: bool,
}

/// How alerts are named by whoever takes them on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOf {
    /// A rule's name, a fingerprint, or how one begins.
    Text(String),
    /// The incident, as its mails name it.
    Incident(String),
}

impl Default for AckOf {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Why nobody has taken an alert on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// Nobody said who.
    #[error("say who acknowledges it")]
    Nobody,
    /// The name or the note is too long.
    #[error("{0}")]
    TooLong(String),
    /// It is not clear what is meant.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The incident is over.
    #[error("nothing of it fires any more")]
    Over,
    /// It holds, but a restart would forget it.
    #[error("it holds, but it could not be stored")]
    NotStored,
    /// The alerter has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Which episodes are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Only of the alert with this fingerprint.
    pub fingerprint: Option<u64>,
    /// Only of alerts of this name.
    pub name: Option<String>,
    /// Only those that were not over by then, in milliseconds since 1970.
    pub since_ms: i64,
    /// So many at most.
    pub limit: u32,
}

impl Handle {
    /// What became of alerts, the newest first: those that fire, and those of
    /// the past that are still kept.
    pub async fn episodes(&self, wanted: HistoryFilter) -> Result<Vec<Episode>, sqlx::Error> {
        let rows = store::episodes(&self.pool, &wanted).await?;
        let mut all: BTreeMap<u64, Episode> = rows.into_iter().map(|row| (row.id, row)).collect();
        let limit = wanted.limit as usize;
        // What the disk does not know yet, as far as somebody is there to say it.
        let now = self.ask(move |glance| glance.alerter.known_episodes(&wanted));
        all.extend(
            now.await
                .unwrap_or_default()
                .into_iter()
                .map(|row| (row.id, row)),
        );
        let mut all: Vec<Episode> = all.into_values().collect();
        all.sort_by_key(|row| std::cmp::Reverse((row.started_ms, row.id)));
        all.truncate(limit);
        Ok(all)
    }

    /// What fires of an incident, as it would be acknowledged now.
    pub async fn incident(&self, incident: &str) -> Result<Vec<Episode>, Stopped> {
        let incident = incident.to_owned();
        self.ask(move |glance| {
            let found = glance.alerter.of_incident(&incident);
            found
                .iter()
                .filter_map(|it| glance.alerter.episode(*it))
                .collect()
        })
        .await
    }

    /// What a name or a fingerprint means among what fires; with `group`, also
    /// what shares a message with it.
    pub async fn find(&self, text: &str, group: bool) -> Result<Vec<Episode>, AckError> {
        let text = text.to_owned();
        let found = self.ask(move |glance| {
            let alerter = glance.alerter;
            let found = widened(alerter, alerter.find(&text)?, group);
            Ok(found.iter().filter_map(|it| alerter.episode(*it)).collect())
        });
        found.await?
    }

    /// What decides about an alert now; none if it is not known any more.
    pub async fn why(&self, fingerprint: u64) -> Result<Option<Why>, Stopped> {
        self.ask(move |glance| glance.alerter.why(fingerprint, glance.now_ms))
            .await
    }

    /// Takes alerts on: they are told no more until they end. Returns what was
    /// taken on, and not before that is stored.
    pub async fn acknowledge(&self, request: AckRequest) -> Result<Vec<Episode>, AckError> {
        let by = request.by.trim().to_owned();
        let note = request.note.trim().to_owned();
        if by.is_empty() && !request.undo {
            return Err(AckError::Nobody);
        }
        for (what, text, most) in [("name", &by, NAME), ("note", &note, NOTE)] {
            if text.chars().count() > most {
                let message = format!("the {what} is longer than {most} letters");
                return Err(AckError::TooLong(message));
            }
        }
        let (by, note) = (crate::health::one_line(&by), crate::health::one_line(&note));
        change(
            self,
            || AckError::NotStored,
            move |alerter, now_ms| {
                let mut wanted = match &request.of {
                    AckOf::Text(text) => alerter.find(text)?,
                    AckOf::Incident(incident) => alerter.of_incident(incident),
                };
                wanted = widened(alerter, wanted, request.group);
                if let Some(only) = &request.only {
                    wanted.retain(|it| only.contains(it));
                }
                if wanted.is_empty() {
                    return Err(AckError::Over);
                }
                let at_ms = now_ms;
                let ack = (!request.undo).then_some(Ack { by, note, at_ms });
                let done = alerter.acknowledge(&wanted, ack.as_ref(), now_ms);
                Ok(done.iter().filter_map(|it| alerter.episode(*it)).collect())
            },
        )
        .await
    }
}

/// Changes something, and returns when that is stored, or with `not_stored`.
pub(super) async fn change<T, E>(
    handle: &Handle,
    not_stored: impl FnOnce() -> E + Send + 'static,
    change: impl FnOnce(&mut Alerter, i64) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Stopped> + Send + 'static,
{
    let (answer, answered) = tokio::sync::oneshot::channel();
    let change = Box::new(move |alerter: &mut Alerter, now_ms| {
        let result = change(alerter, now_ms);
        let tell: Box<dyn FnOnce(bool) + Send> = Box::new(move |stored| {
            let result = match stored {
                false if result.is_ok() => Err(not_stored()),
                _ => result,
            };
            // Who asked may have gone.
            let _ = answer.send(result);
        });
        tell
    });
    handle.send(Command::Change(change)).await?;
    answered.await.map_err(|_| Stopped)?
}

fn widened(alerter: &Alerter, found: BTreeSet<u64>, group: bool) -> BTreeSet<u64> {
    match group {
        true => found.iter().flat_map(|it| alerter.sharing(*it)).collect(),
        false => found,
    }
}
