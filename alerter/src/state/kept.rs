//! What outlives a restart or a reload: alerts, groups with their timers, what
//! is still to be sent, and the notification log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::Names;
use super::{
    Active, AlertRow, Alerter, GroupId, GroupRow, LogKey, LogRow, Pending, PendingState, SilenceRow,
};
use crate::episode::Episode;
use crate::inhibit::Inhibitor;
use crate::plan::Plan;

/// Everything that was stored.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Alerts.
    pub alerts: Vec<AlertRow>,
    /// Groups.
    pub groups: Vec<GroupRow>,
    /// The notification log.
    pub log: Vec<LogRow>,
    /// Silences.
    pub silences: Vec<SilenceRow>,
    /// Episodes of alerts, the oldest first.
    pub episodes: Vec<Episode>,
    /// The number of the next episode.
    pub next_episode: u64,
}

/// Of a group, what a new tree takes over.
struct Kept {
    members: BTreeSet<u64>,
    next_ms: i64,
    pending: BTreeMap<usize, Pending>,
}

impl Alerter {
    /// Takes up what was stored; call on a new alerter. Whatever fired when we
    /// stopped fires on until it is heard of again or the resolve time-out has
    /// passed: while we were away nobody could have told us.
    pub(crate) fn load(&mut self, stored: Stored, now_ms: i64) {
        for row in stored.alerts {
            let borne_ms = now_ms + self.plan.resolve_timeout_ms;
            let alert = Active {
                starts_ms: row.starts_ms.min(now_ms),
                ends_ms: match row.ended {
                    true => row.ends_ms.min(now_ms),
                    false => row.ends_ms.max(borne_ms),
                },
                updated_ms: row.updated_ms.min(now_ms),
                changed: 0,
                timeout: row.timeout || !row.ended && row.ends_ms < borne_ms,
                ended: row.ended,
                looked_at: true,
                held_end_ms: None,
                raised_ms: None,
                groups: Vec::new(),
                labels: row.labels,
                annotations: row.annotations,
                generator_url: row.generator_url,
            };
            self.alerts.insert(row.fingerprint, alert);
        }
        self.load_episodes(stored.episodes, stored.next_episode, now_ms);
        for SilenceRow { id, kept } in stored.silences {
            self.silences.load(id, kept, now_ms);
        }
        for row in stored.log {
            if let Some(mut entry) = row.entry {
                // A clock that was ahead would delay the repeat.
                entry.at_ms = entry.at_ms.min(now_ms);
                let key = LogKey {
                    group: row.group.into(),
                    receiver: row.receiver.into(),
                    integration: row.integration,
                };
                self.log.insert(key, entry);
            }
        }
        let kept = stored
            .groups
            .into_iter()
            .map(|row| {
                let names = (row.route.into(), row.key.into());
                let pending = row.pending.into_iter().map(|row| {
                    let pending = Pending {
                        state: PendingState::Waiting {
                            until_ms: row.until_ms,
                        },
                        attempts: row.attempts,
                        since_ms: row.since_ms.min(now_ms),
                        class: row.class,
                        only_missed: row.only_missed,
                    };
                    (row.integration, pending)
                });
                let kept = Kept {
                    members: row.members.into_iter().collect(),
                    next_ms: row.next_ms,
                    pending: pending.collect(),
                };
                (names, kept)
            })
            .collect();
        self.regroup(kept, now_ms);
    }

    /// Takes another plan. Groups that it has too keep their timers and what
    /// they still have to say; the log is kept whole.
    pub(crate) fn reload(&mut self, plan: Arc<Plan>, now_ms: i64) {
        let names = self.group_names();
        let by_id: BTreeMap<GroupId, Names> = names
            .iter()
            .map(|(names, id)| (*id, names.clone()))
            .collect();
        let mut groups = std::mem::take(&mut self.groups);
        let kept = names
            .into_iter()
            .filter_map(|(names, id)| {
                let group = groups.remove(&id)?;
                let kept = Kept {
                    members: group.members,
                    next_ms: group.next_ms,
                    pending: group.pending,
                };
                Some((names, kept))
            })
            .collect();
        self.plan = plan;
        self.regroup(kept, now_ms);
        let names = self.group_names();
        for flight in self.flying.values_mut() {
            flight.group = flight
                .group
                .and_then(|id| names.get(by_id.get(&id)?).copied());
        }
    }

    /// Puts every alert where the plan wants it.
    fn regroup(&mut self, mut kept: BTreeMap<Names, Kept>, now_ms: i64) {
        self.wakes.clear();
        self.ready.clear();
        self.ends.clear();
        self.inhibitor = Inhibitor::default();
        self.dirty.joined.clear();
        for names in self.dirty.groups.keys().cloned().collect::<Vec<_>>() {
            self.dirty.groups.insert(names, None);
        }
        for names in kept.keys() {
            self.dirty.groups.insert(names.clone(), None);
        }
        let fingerprints: Vec<u64> = self.alerts.keys().copied().collect();
        self.ladder.clear();
        for fingerprint in fingerprints {
            self.restore_raise(fingerprint, now_ms);
            let Some(alert) = self.alerts.get(&fingerprint) else {
                continue;
            };
            self.inhibitor
                .insert(&self.plan, fingerprint, &alert.labels);
            if !alert.ended {
                self.ends.insert((alert.ends_ms, fingerprint));
            }
            let (ended, groups) = (alert.ended, self.groups_of(alert));
            for id in &groups {
                let names = self.names_of(*id, fingerprint);
                let held = names
                    .and_then(|names| kept.get(&names))
                    .is_some_and(|kept| kept.members.contains(&fingerprint));
                if held || !ended {
                    self.join(*id, fingerprint, now_ms);
                }
            }
            if let Some(alert) = self.alerts.get_mut(&fingerprint) {
                alert.groups = groups;
            }
        }
        for (names, id) in self.group_names() {
            if let Some(kept) = kept.remove(&names) {
                self.take_over(id, kept, now_ms);
            }
            self.mark_group(id);
            self.rewake(id);
        }
    }

    fn names_of(&self, id: GroupId, fingerprint: u64) -> Option<Names> {
        let route = &self.plan.routes[id.route];
        let labels = route.group_labels(&self.alerts.get(&fingerprint)?.told_labels());
        Some((Arc::clone(&route.id), route.group_key(&labels).into()))
    }

    fn take_over(&mut self, id: GroupId, kept: Kept, now_ms: i64) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let route = &self.plan.routes[id.route];
        let integrations = &self.plan.receivers[route.receiver].integrations;
        // A clock that was ahead, or a longer interval before, would delay it.
        let latest_ms = now_ms + route.group_interval_ms.max(route.group_wait_ms);
        group.next_ms = kept.next_ms.min(latest_ms);
        group.pending = kept.pending;
        group
            .pending
            .retain(|integration, _| integrations.contains_key(integration));
        let mut ready = Vec::new();
        for (integration, pending) in &mut group.pending {
            match &mut pending.state {
                // Whoever starts anew or changes the configuration may have put
                // right what was wrong.
                PendingState::Waiting { until_ms } => *until_ms = (*until_ms).min(now_ms),
                PendingState::Ready => ready.push(*integration),
                PendingState::Flying { .. } => {}
            }
        }
        for integration in ready {
            self.queue_up(id, integration);
        }
    }
}
