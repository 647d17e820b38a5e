//! Mails that are no pages: digests, summaries, and the canary.

use tokio::time::timeout;

use super::{Handle, Stopped};
use crate::notification::Rendered;
use crate::plan::{Integration, Receiver};
use crate::state::Outcome;
use crate::{message, smtp};

impl Handle {
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
            let outcome = match message::compose_notice(email, rendered, id, self.now_ms()) {
                Ok(envelope) => {
                    // The server's own time-outs bound it; this one is for what they miss.
                    let each = email.servers.iter().map(|server| server.timeout * 3);
                    let limit = each.sum();
                    match timeout(limit, smtp::send(&email.servers, None, &envelope)).await {
                        Ok(sent) => sent.quit().await,
                        Err(_) => continue,
                    }
                }
                Err(failure) => Outcome::failure(failure),
            };
            let taken = outcome.reason().is_none();
            last = Some(outcome);
            if taken {
                break;
            }
        }
        Ok(last)
    }
}
