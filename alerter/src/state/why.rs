//! Why an alert is told, or is not: everything that decides it, as it is now.

use std::sync::Arc;

use super::{Alerter, GroupId, Mute, PendingState};
use crate::dedup::{self, Decision};
use crate::health::Class;
use crate::plan::Receiver;

/// What decides about one alert. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// The alert that mutes it: its fingerprint and name.
    pub inhibited_by: Option<(u64, String)>,
    /// The silences that mute it.
    pub silenced_by: Vec<crate::Silence>,
    /// The ways that its labels lead to.
    pub routes: Vec<WhyRoute>,
}

/// One route that an alert takes, and what it comes to there.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyRoute {
    /// The matchers from the root on; `{}` is the root.
    pub route: String,
    /// Who is told.
    pub receiver: String,
    /// The group's key.
    pub group: String,
    /// How many alerts share its messages.
    pub members: usize,
    /// From a group's first alert to its first message, in milliseconds.
    pub group_wait_ms: i64,
    /// Between looks at it, in milliseconds.
    pub group_interval_ms: i64,
    /// Between messages about what does not change, in milliseconds.
    pub repeat_interval_ms: i64,
    /// When the group is looked at next; none while there is none.
    pub next_look_ms: Option<i64>,
    /// The time intervals that mute the route now.
    pub windows: Vec<String>,
    /// What is told through.
    pub integrations: Vec<WhyIntegration>,
}

/// One way of a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct WhyIntegration {
    /// `email to ops@example.org`, or the kind and the server.
    pub to: String,
    /// Whether it is a second contact.
    pub second: bool,
    /// When it was last told of the alert.
    pub told_ms: Option<i64>,
    /// Messages sent in the incident.
    pub sent: u32,
    /// When a message that failed is tried again.
    pub retry_ms: Option<i64>,
    /// Attempts of it so far.
    pub attempts: u32,
    /// Why it failed last.
    pub failed: Option<Class>,
    /// What a look at this moment would decide, in words.
    pub verdict: String,
}

impl Alerter {
    /// What decides about a known alert at `now_ms`.
    pub(crate) fn why(&self, fingerprint: u64, now_ms: i64) -> Option<Why> {
        let alert = self.alerts.get(&fingerprint)?;
        let source = self.muted_by(&alert.labels, now_ms);
        let named = |source: u64| {
            let name = self.alerts.get(&source)?.labels.get("alertname");
            Some((source, name.unwrap_or("").to_owned()))
        };
        let silences = self.silenced_by(&alert.labels, now_ms);
        let silences = silences.into_iter();
        Some(Why {
            inhibited_by: source.and_then(named),
            silenced_by: silences
                .filter_map(|id| self.silence_of(id, now_ms))
                .collect(),
            routes: alert
                .groups
                .iter()
                .map(|id| self.why_route(*id, fingerprint, now_ms))
                .collect(),
        })
    }

    fn why_route(&self, id: GroupId, fingerprint: u64, now_ms: i64) -> WhyRoute {
        let route = &self.plan.routes[id.route];
        let group = self.groups.get(&id);
        let receiver = self.plan.receiver_of(id.route);
        let windows = self.group_muted_by(id, now_ms);
        WhyRoute {
            route: match &*route.id {
                "" => "{}".into(),
                path => path.to_owned(),
            },
            receiver: receiver.name.to_string(),
            group: group.map_or_else(String::new, |group| group.key.to_string()),
            members: group.map_or(0, |group| group.members.len()),
            group_wait_ms: route.group_wait_ms,
            group_interval_ms: route.group_interval_ms,
            repeat_interval_ms: route.repeat_interval_ms,
            next_look_ms: group.map(|group| group.next_ms),
            windows: windows
                .iter()
                .map(|name: &Arc<str>| name.to_string())
                .collect(),
            integrations: receiver
                .integrations
                .keys()
                .map(|slot| self.why_integration(id, *slot, fingerprint, now_ms))
                .collect(),
        }
    }

    fn why_integration(
        &self,
        id: GroupId,
        slot: usize,
        fingerprint: u64,
        now_ms: i64,
    ) -> WhyIntegration {
        let group = self.groups.get(&id);
        let entry = group.and_then(|group| self.log.get(&self.log_key(id, group, slot)));
        let told = entry.filter(|entry| entry.firing.binary_search(&fingerprint).is_ok());
        let pending = group.and_then(|group| group.pending.get(&slot));
        WhyIntegration {
            to: self.integration(id, slot).words(),
            second: Receiver::second_of(slot).is_some(),
            told_ms: told.map(|entry| entry.at_ms),
            sent: told.map_or(0, |entry| entry.sent),
            retry_ms: pending.and_then(|pending| match pending.state {
                PendingState::Waiting { until_ms } => Some(until_ms),
                PendingState::Ready | PendingState::Flying { .. } => None,
            }),
            attempts: pending.map_or(0, |pending| pending.attempts),
            failed: pending.and_then(|pending| pending.class),
            verdict: self.verdict(id, slot, fingerprint, now_ms),
        }
    }

    /// What a look at this moment would come to, in words.
    fn verdict(&self, id: GroupId, slot: usize, fingerprint: u64, now_ms: i64) -> String {
        let Some(group) = self.groups.get(&id) else {
            return "its group is gone: everybody who had to be told was".into();
        };
        let (looked, decision) = self.decide(id, slot, now_ms);
        if let Some((_, why)) = looked.held.iter().find(|(held, _)| *held == fingerprint) {
            return match why {
                Mute::Inhibited => "muted: a cause of it fires",
                Mute::Silenced => "muted: a silence matches",
                Mute::Window => "muted: a time interval of the route holds",
                Mute::Inactive => "muted: no active time interval of the route holds",
            }
            .into();
        }
        if let Some(pending) = group.pending.get(&slot).filter(|it| !it.only_missed) {
            return match (pending.state, pending.class) {
                (PendingState::Flying { .. }, _) => "a message is under way".into(),
                (_, Some(class)) => {
                    format!("a message failed ({}) and is tried again", class.as_str())
                }
                (PendingState::Waiting { until_ms }, None) if until_ms > now_ms => {
                    let minutes = (until_ms - now_ms + 59_999) / 60_000;
                    format!("too many mails lately: told with others in {minutes} min")
                }
                (_, None) => "a message is due".into(),
            };
        }
        let entry = self.log.get(&self.log_key(id, group, slot));
        let begun = entry.is_some_and(|entry| !entry.firing.is_empty());
        match decision {
            Decision::Send(reason) => {
                format!("told at the next look: {}", reason.as_str())
            }
            Decision::Note => "ended, and this way is not told of ends".into(),
            Decision::Nothing if Receiver::second_of(slot).is_some() && !begun => {
                "second contact: told if nobody acknowledges in time".into()
            }
            Decision::Nothing if self.is_held(fingerprint) => {
                "it seems to be over: that is told if it lasts".into()
            }
            Decision::Nothing if entry.is_some_and(|entry| entry.bounced_ms.is_some()) => {
                "told, but the mail came back: nobody has it".into()
            }
            Decision::Nothing if self.all_acknowledged(&looked.firing) => {
                "told, and acknowledged: not repeated until it ends".into()
            }
            Decision::Nothing if looked.firing.is_empty() => "nothing of it fires".into(),
            Decision::Nothing => {
                let route = &self.plan.routes[id.route];
                let (look_ms, interval_ms) = (group.next_ms, route.group_interval_ms);
                let next_ms = entry.map_or(look_ms, |entry| {
                    let repeat_ms = dedup::next_repeat_ms(
                        look_ms,
                        interval_ms,
                        entry.at_ms,
                        route.repeat_interval_ms,
                        self.plan.letter,
                    );
                    let again = self.again_at_ms(entry.first_ms, entry.at_ms, &looked.firing);
                    let again = again.map(|it| dedup::look_ms(look_ms, interval_ms, it));
                    again.map_or(repeat_ms, |again_ms| repeat_ms.min(again_ms))
                });
                let minutes = (next_ms - now_ms).max(0) / 60_000;
                format!("told, and nothing is new: repeated in {minutes} min")
            }
        }
    }
}
