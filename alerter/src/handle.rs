//! What others hold of the running alerter.

mod bounces;
mod notices;
mod people;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alert::Alert;
use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::config::{Config, Mail, Problem};
use crate::depend::Need;
use crate::health::{Failure, MailHealth, StoreHealth};
use crate::notification::{Notification, Rendered};
use crate::plan::{Email, Plan};
use crate::silence::{Id, Silence, SilenceDraft, SilenceError};
use crate::state::{AckLink, AlertView, Alerter, Event, GroupView, Incoming, Outcome, Refusal};
use crate::task::{Change, Command, Glance, Task};
use crate::{message, smtp, store};
pub use bounces::BounceError;
pub use people::{AckError, AckOf, AckRequest, HistoryFilter};

/// Puts a notification into words.
pub type Render = Arc<dyn Fn(&Notification) -> Rendered + Send + Sync>;

/// The wall clock: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What an alerter is made of.
pub struct Parts {
    /// The `alerter` section.
    pub config: Config,
    /// The `mail` section.
    pub mail: Mail,
    /// Where people reach this program; may be empty.
    pub external_url: String,
    /// The database, migrated.
    pub pool: SqlitePool,
    /// Puts notifications into words; called on a task of the mail's own.
    pub render: Render,
    /// The wall clock.
    pub clock: Clock,
    /// Where incidents can be taken on, for templates that ask for it.
    pub ack_link: Option<AckLink>,
}

/// Why an alerter cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong; nothing was done.
    #[error("the configuration has {} faults", .0.len())]
    Config(Vec<Problem>),
    /// The database cannot be read.
    #[error("the alerter's tables cannot be read")]
    Store(#[source] sqlx::Error),
}

/// The alerter has stopped, and no longer takes part in anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the alerter has stopped")]
pub struct Stopped;

/// The running alerter. It goes on until [`Handle::stop`], or until the last
/// handle is gone.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    pool: SqlitePool,
    clock: Clock,
    started_ms: i64,
    /// Held while a bounce is laid to what was sent.
    bounces: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Alerter {
    /// Takes up what was stored and runs.
    pub async fn start(parts: Parts) -> Result<Handle, StartError> {
        let plan = crate::plan(&parts.config, &parts.mail).map_err(StartError::Config)?;
        let stored = store::load(&parts.pool).await.map_err(StartError::Store)?;
        let now_ms = (parts.clock)();
        let history_ms = i64::try_from(parts.config.history.as_millis()).unwrap_or(i64::MAX);
        let mut alerter = Self::new(Arc::new(plan), parts.external_url, history_ms, now_ms);
        alerter.link_by(parts.ack_link);
        alerter.load(stored, now_ms);
        let (commands, inbox) = mpsc::channel(64);
        let task = Task::new(
            alerter,
            parts.pool.clone(),
            parts.render,
            Arc::clone(&parts.clock),
            inbox,
        );
        tokio::spawn(task.run());
        Ok(Handle {
            commands,
            pool: parts.pool,
            clock: parts.clock,
            started_ms: now_ms,
            bounces: Arc::default(),
        })
    }
}

impl Handle {
    /// Takes alerts in; says which were refused. Returns once they are stored,
    /// or the database is known to fail, or two seconds have passed.
    pub async fn put(&self, alerts: Vec<Alert>) -> Result<Vec<Refusal>, Stopped> {
        self.take(alerts.into_iter().map(Incoming::from).collect())
            .await
    }

    pub(crate) async fn take(&self, alerts: Vec<Incoming>) -> Result<Vec<Refusal>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Put { alerts, answer }).await?;
        answered.await.map_err(|_| Stopped)
    }

    /// Takes which services need which others: what is down for want of another is
    /// not told while the cause fires, but listed with it.
    pub async fn depend(&self, needs: Vec<Need>) -> Result<(), Stopped> {
        let change: Change = Box::new(move |alerter, _| {
            alerter.set_needs(&needs);
            Box::new(|_| {})
        });
        self.send(Command::Change(change)).await
    }

    /// Every alert that fires, by fingerprint.
    pub async fn alerts(&self) -> Result<Vec<AlertView>, Stopped> {
        self.ask(|glance| glance.alerter.alerts(glance.now_ms))
            .await
    }

    /// Every group, in the order of routes.
    pub async fn groups(&self) -> Result<Vec<GroupView>, Stopped> {
        self.ask(|glance| glance.alerter.groups()).await
    }

    /// Makes a silence, or changes the one that the draft names; its id, which is
    /// another if it could not be changed in place. It is stored by then.
    pub async fn silence(&self, draft: SilenceDraft) -> Result<String, SilenceError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|err| SilenceError::Refused(format!("no randomness: {err}")))?;
        let fresh = Id::new(random);
        let (answer, answered) = oneshot::channel();
        let command = Command::Silence {
            draft,
            fresh,
            answer,
        };
        let stopped = |_| SilenceError::Stopped;
        self.send(command).await.map_err(stopped)?;
        let id = answered.await.map_err(|_| SilenceError::Stopped)??;
        Ok(id.to_string())
    }

    /// Ends a silence now; one that has expired stays as it is. It is stored by
    /// then.
    pub async fn unsilence(&self, id: &str) -> Result<(), SilenceError> {
        let id = Id::parse(id).ok_or(SilenceError::NotFound)?;
        let (answer, answered) = oneshot::channel();
        self.send(Command::Unsilence { id, answer })
            .await
            .map_err(|_| SilenceError::Stopped)?;
        answered.await.map_err(|_| SilenceError::Stopped)?
    }

    /// Every silence: active ones by their end, pending ones by their beginning,
    /// expired ones by their end, the last first.
    pub async fn silences(&self) -> Result<Vec<Silence>, Stopped> {
        self.ask(|glance| glance.alerter.silences(glance.now_ms))
            .await
    }

    /// The silence of that id.
    pub(crate) async fn silence_of(&self, id: Id) -> Result<Option<Silence>, Stopped> {
        self.ask(move |glance| glance.alerter.silence_of(id, glance.now_ms))
            .await
    }

    /// How mail is doing.
    pub async fn mail_health(&self) -> Result<MailHealth, Stopped> {
        self.ask(|glance| {
            let mut health = glance.mail.clone();
            glance.alerter.fill_health(&mut health);
            health
        })
        .await
    }

    /// How the database is doing.
    pub async fn store_health(&self) -> Result<StoreHealth, Stopped> {
        self.ask(|glance| StoreHealth {
            lost_history: glance.alerter.counters.lost_history,
            ..glance.store.clone()
        })
        .await
    }

    /// The `alertmanager_*` and `belfry_mail_*` families in text format.
    pub async fn metrics(&self) -> Result<String, Stopped> {
        self.ask(crate::metrics::page).await
    }

    /// What happened since a time (milliseconds since 1970), the newest first.
    pub async fn history(&self, since_ms: i64, limit: u32) -> sqlx::Result<Vec<Event>> {
        store::history(&self.pool, since_ms, limit).await
    }

    /// Takes another configuration; groups that it has too, and what was sent,
    /// are kept. A faulty one changes nothing.
    pub async fn reload(&self, config: &Config, mail: &Mail) -> Result<(), ReloadError> {
        let plan = Arc::new(crate::plan(config, mail)?);
        let (answer, answered) = oneshot::channel();
        self.send(Command::Reload { plan, answer }).await?;
        Ok(answered.await.map_err(|_| Stopped)?)
    }

    /// Asks every mail server for all but a mail: by address, how that went.
    pub async fn probe(&self) -> Result<Vec<(String, Result<(), Failure>)>, Stopped> {
        let mut probes = JoinSet::new();
        let mut seen = std::collections::BTreeSet::new();
        for (_, email) in self.emails().await? {
            for server in email.servers.iter().cloned() {
                if seen.insert((Arc::clone(&server.address), server.username.clone())) {
                    probes.spawn(async move {
                        let result = smtp::probe(&server).await;
                        (server.address.to_string(), result)
                    });
                }
            }
        }
        let mut results = probes.join_all().await;
        results.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(results)
    }

    /// Sends a mail in the given words to everyone who would be mailed: by
    /// receiver, how that went.
    pub async fn test_mail(&self, rendered: &Rendered) -> Result<Vec<(String, Outcome)>, Stopped> {
        let mut results = Vec::new();
        for (receiver, email) in self.emails().await? {
            let envelope = message::compose_test(&email, rendered, (self.clock)());
            let outcome = match envelope {
                Ok(envelope) => {
                    let sent = smtp::send(&email.servers, None, &envelope).await;
                    sent.quit().await
                }
                Err(failure) => Outcome::failure(failure),
            };
            results.push((receiver, outcome));
        }
        Ok(results)
    }

    /// Finishes the mails that are under way within `grace`, stores everything,
    /// and ends.
    pub async fn stop(&self, grace: Duration) {
        let (answer, answered) = oneshot::channel();
        if self.send(Command::Stop { grace, answer }).await.is_ok() {
            let _ = answered.await;
        }
        self.ended().await;
    }

    /// Returns when the alerter has ended, for whatever reason. Before a stop
    /// that is a fault.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    async fn emails(&self) -> Result<Vec<(String, Arc<Email>)>, Stopped> {
        let plan: Arc<Plan> = self.ask(|glance| glance.alerter.plan()).await?;
        let emails = plan.receivers.iter().flat_map(|receiver| {
            let name = receiver.name.to_string();
            let each = receiver.emails();
            each.map(move |email| (name.clone(), Arc::clone(email)))
        });
        Ok(emails.collect())
    }

    /// The wall clock's time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        (self.clock)()
    }

    /// When it was started, in milliseconds since 1970.
    pub(crate) fn started_ms(&self) -> i64 {
        self.started_ms
    }

    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Glance<'_>) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |glance: &Glance<'_>| {
            // Who asked may have gone.
            let _ = answer.send(look(glance));
        });
        self.send(Command::Ask(look)).await?;
        answered.await.map_err(|_| Stopped)
    }

    async fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }
}

/// Why a configuration was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong; the old one stays.
    #[error("the configuration has {} faults", .0.len())]
    Config(Vec<Problem>),
    /// There is nobody to take it.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<Vec<Problem>> for ReloadError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Config(problems)
    }
}
