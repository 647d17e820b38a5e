//! Mails that are no pages: digests, summaries, and the canary.

use tokio::time::timeout;

use super::{Handle, Stopped};
use crate::episode::Episode;
use crate::health::{Class, Failure};
use crate::held;
use crate::notification::Rendered;
use crate::pairs::Pairs;
use crate::plan::{Integration, Receiver};
use crate::state::{Event, Outcome, SentMail};
use crate::task::{Change, Command};
use crate::windows::WindowEnd;
use crate::{message, smtp, store};

impl Handle {
    /// The silences that were the first to end after `after_ms` (milliseconds since
    /// 1970): those that ended together.
    pub async fn silences_ended(&self, after_ms: i64) -> sqlx::Result<Vec<Event>> {
        store::silences_ended(&self.pool, after_ms).await
    }

    /// Where time intervals have let routes tell again after `after_ms`, up to
    /// `until_ms`; both in milliseconds since 1970.
    pub async fn window_ends(
        &self,
        after_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<WindowEnd>, Stopped> {
        let plan = self.ask(|glance| glance.alerter.plan()).await?;
        // After a long absence there are many minutes to look at.
        let look = tokio::task::spawn_blocking(move || plan.window_ends(after_ms, until_ms));
        look.await.map_err(|_| Stopped)
    }

    /// Of these, the ones that were held back until then, that nobody was told of meanwhile
    /// by another route, and that nothing else mutes now.
    pub async fn held_until(
        &self,
        end: &WindowEnd,
        mut episodes: Vec<Episode>,
    ) -> Result<Vec<Episode>, Stopped> {
        let plan = self.ask(|glance| glance.alerter.plan()).await?;
        let routes_of = |episode: &Episode| plan.routes_of(&Pairs::from(&episode.labels));
        episodes.retain(|episode| {
            end.holds_back(&episode.steps)
                && routes_of(episode).iter().any(|it| end.routes.contains(it))
        });
        self.muted_no_more(episodes).await
    }

    /// Of these, the ones that a silence held back until it ended at `ended_ms`, in
    /// milliseconds since 1970, and that nobody was told of meanwhile.
    pub async fn held_by(
        &self,
        silence: &str,
        ended_ms: i64,
        mut episodes: Vec<Episode>,
    ) -> Result<Vec<Episode>, Stopped> {
        episodes.retain(|episode| held::by_silence(&episode.steps, silence, ended_ms));
        self.muted_no_more(episodes).await
    }

    /// Of these, the ones that nothing else mutes now.
    async fn muted_no_more(&self, mut episodes: Vec<Episode>) -> Result<Vec<Episode>, Stopped> {
        self.ask(move |glance| {
            episodes.retain(|episode| !glance.alerter.is_muted(episode, glance.now_ms));
            episodes
        })
        .await
    }

    /// Of these, the ones of which nobody is told, however long they fire: their
    /// routes lead to receivers that have nobody.
    pub async fn told_to_nobody(
        &self,
        mut episodes: Vec<Episode>,
    ) -> Result<Vec<Episode>, Stopped> {
        let plan = self.ask(|glance| glance.alerter.plan()).await?;
        episodes.retain(|episode| {
            let routes = plan.routes_of(&Pairs::from(&episode.labels));
            let has_nobody = |at: &usize| plan.receiver_of(*at).integrations.is_empty();
            routes.iter().all(has_nobody)
        });
        Ok(episodes)
    }

    /// Sends a mail that is no page to those whom the first route tells. `id`
    /// names the mail, so that one that is sent twice can be told. True once a
    /// server has taken it for somebody; none if mail goes to nobody there.
    pub async fn send_notice(
        &self,
        rendered: &Rendered,
        id: &str,
    ) -> Result<Option<Outcome>, Stopped> {
        let plan = self.ask(|glance| glance.alerter.plan()).await?;
        let integrations = plan.receiver_of(0).integrations.iter();
        let first = integrations.filter(|(slot, _)| Receiver::second_of(**slot).is_none());
        let mut last = None;
        for (_, integration) in first {
            let Integration::Email(email) = integration else {
                continue;
            };
            let (outcome, open) = match message::compose_notice(email, rendered, id, self.now_ms())
            {
                Ok(envelope) => {
                    // The server's own time-outs bound it; this one is for what they miss.
                    let each = email.servers.iter().map(|server| server.timeout * 3);
                    let limit = each.sum();
                    match timeout(limit, smtp::send(&email.servers, None, &envelope)).await {
                        Ok(sent) => (sent.outcome, sent.open),
                        Err(_) => {
                            let why = "the mail server takes too long";
                            (Outcome::failure(Failure::new(Class::Timeout, why)), None)
                        }
                    }
                }
                Err(failure) => (Outcome::failure(failure), None),
            };
            let taken = outcome.reason().is_none();
            if taken {
                let receiver = plan.receiver_of(0).name.to_string();
                // It may come back at once.
                self.note_sent(id, receiver, &outcome).await?;
            }
            if let Some(open) = open {
                open.quit().await;
            }
            last = Some(outcome);
            if taken {
                break;
            }
        }
        Ok(last)
    }

    /// Remembers a mail that is no page, in case it comes back.
    async fn note_sent(
        &self,
        id: &str,
        receiver: String,
        outcome: &Outcome,
    ) -> Result<(), Stopped> {
        let (name, accepted) = (id.to_owned(), outcome.accepted.clone());
        let change: Change = Box::new(move |alerter, now_ms| {
            alerter.note_mail(SentMail::of_notice(name, receiver, accepted, now_ms));
            Box::new(|_| {})
        });
        self.send(Command::Change(change)).await
    }
}
