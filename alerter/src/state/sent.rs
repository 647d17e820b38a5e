//! How a message went, and what follows from that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bounced::SentMail;
use super::compose::Flight;
use super::event::EventKind;
use super::{Alerter, Pending, PendingState};
use crate::backoff;
use crate::dedup::Entry;
use crate::health::{Class, Failure};
use crate::plan::Kind;

/// How a message went. It counts as sent if one recipient was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Addresses that the server took the message for.
    pub accepted: Vec<String>,
    /// Addresses that it refused.
    pub refused: Vec<(String, Failure)>,
    /// Why the whole message failed, if it did.
    pub failed: Option<Failure>,
    /// What the server said when it took the message; may be empty.
    pub reply: String,
    /// Whether another server than the first took it.
    pub by_spare: bool,
}

impl Outcome {
    /// A message that failed as a whole.
    #[must_use]
    pub fn failure(failure: Failure) -> Self {
        Self {
            failed: Some(failure),
            ..Self::default()
        }
    }

    /// Why nobody got it, if nobody did. Of several reasons the one that may
    /// pass counts.
    #[must_use]
    pub fn reason(&self) -> Option<Failure> {
        if !self.accepted.is_empty() {
            return None;
        }
        self.failed.clone().or_else(|| {
            let refused = self.refused.iter().map(|(_, failure)| failure);
            refused.min_by_key(|failure| failure.class).cloned()
        })
    }
}

impl Alerter {
    /// Takes how a delivery went. True if it was the news of a success.
    pub(crate) fn sent(&mut self, id: u64, outcome: &Outcome, now_ms: i64) -> bool {
        let Some(mut flight) = self.flying.remove(&id) else {
            return false;
        };
        let more = std::mem::take(&mut flight.more);
        let taken = outcome.reason().is_none();
        if flight.kind == Kind::Email && taken {
            let key = (Arc::clone(&flight.log.receiver), flight.integration);
            let pace = self.paces.entry(key).or_default();
            // What is down at one host went out alone, as one mail.
            let groups = if flight.of_host { 1 } else { 1 + more.len() };
            pace.note(groups, now_ms);
            self.counters.mails += 1;
            self.counters.by_spare += u64::from(outcome.by_spare);
            self.counters.recipients_refused += outcome.refused.len() as u64;
            if !more.is_empty() {
                self.counters.bundled += 1 + more.len() as u64;
            }
        }
        let mail = (flight.kind == Kind::Email && taken).then(|| flight.name.clone());
        for flight in std::iter::once(flight).chain(more) {
            if let Some(name) = &mail {
                self.note_mail(flight.mail(name, outcome, now_ms));
            }
            self.landed(flight, outcome, now_ms);
        }
        taken
    }

    /// Takes how the message of one group went.
    fn landed(&mut self, flight: Flight, outcome: &Outcome, now_ms: i64) {
        let id = flight.group;
        let integration = flight.integration;
        let pending = id
            .and_then(|id| self.groups.get(&id)?.pending.get(&integration))
            .cloned();
        let again = pending
            .as_ref()
            .is_some_and(|it| it.state == PendingState::Flying { again: true });
        let attempts = pending.as_ref().map_or(1, |pending| pending.attempts + 1);
        let since_ms = pending.as_ref().map_or(now_ms, |pending| pending.since_ms);
        let next = if let Some(failure) = outcome.reason() {
            *self
                .counters
                .requests_failed
                .entry((flight.kind, failure.class))
                .or_default() += 1;
            let known = pending.as_ref().is_some_and(|it| it.class.is_some());
            if !known {
                let detail = format!("{}: {failure}", flight.log.receiver);
                self.note_message(&flight.looked, false, &detail, now_ms);
                self.note_more(now_ms, EventKind::Failed, Some(&flight.labels), detail);
            }
            Some((failure.class, attempts, since_ms, flight.only_missed))
        } else {
            let missed: Vec<String> = outcome.refused.iter().map(|(to, _)| to.clone()).collect();
            let number = flight.sent_before + 1;
            let accepted = outcome.accepted.iter();
            let reached = accepted.map(|to| (to.clone(), number));
            let entry = self.log.entry(flight.log.clone()).or_default();
            if flight.only_missed {
                entry.sent += 1;
                entry.bounced_ms = None;
                entry.reached.extend(reached);
            } else {
                *entry = Entry {
                    firing: flight.looked.firing.clone(),
                    resolved: flight.looked.resolved.clone(),
                    // Ours repeats on the minute, so it counts from the look.
                    at_ms: if self.plan.letter {
                        now_ms
                    } else {
                        flight.now_ms
                    },
                    incident: flight.incident.clone(),
                    sent: flight.sent_before + 1,
                    first_ms: flight.first_ms.unwrap_or(now_ms),
                    missed: Vec::new(),
                    bounced_ms: None,
                    reached: reached.collect(),
                };
            }
            entry.missed = missed;
            self.dirty.log.insert(flight.log.clone());
            let detail = format!(
                "{}: {} to {}",
                flight.log.receiver,
                flight.reason.as_str(),
                outcome.accepted.join(", ")
            );
            let reply = match &*outcome.reply {
                "" => String::new(),
                reply => format!(" ({reply})"),
            };
            let text = format!("{detail}{reply}");
            self.note_message(&flight.looked, true, &text, now_ms);
            self.note_more(now_ms, EventKind::Notified, Some(&flight.labels), detail);
            let class = outcome
                .refused
                .iter()
                .map(|(_, failure)| failure.class)
                .min();
            let attempts = if flight.only_missed { attempts } else { 1 };
            class
                .filter(|_| !flight.looked.firing.is_empty())
                .map(|class| (class, attempts, now_ms, true))
        };
        let Some((id, group)) = id.and_then(|id| Some((id, self.groups.get_mut(&id)?))) else {
            return;
        };
        match next {
            Some((class, attempts, since_ms, only_missed)) => {
                let until_ms = match class {
                    // Only the next look may find something else to say.
                    Class::Rejected | Class::Template => group.next_ms,
                    _ => now_ms + wait_ms(class, attempts, &flight.incident, now_ms),
                };
                group.pending.insert(
                    integration,
                    Pending {
                        state: PendingState::Waiting { until_ms },
                        attempts,
                        since_ms,
                        class: Some(class),
                        only_missed,
                    },
                );
            }
            None => {
                group.pending.remove(&integration);
            }
        }
        self.mark_group(id);
        let failed = outcome.reason().is_some();
        if failed
            && let Some(due_ms) = self.fall_back(id, now_ms)
            && let Some(group) = self.groups.get_mut(&id)
            && let Some(pending) = group.pending.get_mut(&integration)
            && let PendingState::Waiting { until_ms } = &mut pending.state
        {
            *until_ms = (*until_ms).min(due_ms);
        }
        if again {
            self.look(id, integration, now_ms);
        }
        self.settle(id);
        self.rewake(id);
    }
}

impl Flight {
    /// As a mail that a server took under this name.
    fn mail(&self, name: &str, outcome: &Outcome, now_ms: i64) -> SentMail {
        let looked = &self.looked;
        SentMail {
            id: 0,
            name: name.to_owned(),
            at_ms: now_ms,
            group: self.log.group.to_string(),
            receiver: self.log.receiver.to_string(),
            integration: self.log.integration,
            incident: self.incident.clone(),
            sent: self.sent_before + 1,
            labels: self.labels.clone(),
            told: looked
                .firing
                .iter()
                .chain(&looked.resolved)
                .copied()
                .collect(),
            accepted: outcome.accepted.clone(),
            returned: BTreeMap::new(),
        }
    }
}

fn wait_ms(class: Class, attempts: u32, incident: &str, now_ms: i64) -> i64 {
    // The incident's name is a hash, so groups that failed together part here.
    let random = u64::from_str_radix(incident, 16).unwrap_or(0) ^ now_ms as u64;
    backoff::wait_ms(class, attempts, random)
}
