//! What outlives a restart or a reload: alerts, groups with their timers, what
//! is still to be sent, and the notification log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::Names;
use super::{
    Active, AlertRow, Alerter, Came, GroupId, GroupIds, GroupRow, LogKey, LogRow, Pending,
    PendingRow, PendingState, SilenceRow,
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
    /// The number of the next mail.
    pub next_mail: u64,
    /// Alerts as they came since the rest was stored, the first ones first.
    pub intake: Vec<Came>,
    /// The number of the last row of these.
    pub intake_id: u64,
    /// What the history knows to have begun, since the first of these did: when,
    /// and which alert.
    pub began: BTreeSet<(i64, u64)>,
}

/// Of a group, what a new tree takes over.
struct Kept {
    members: BTreeSet<u64>,
    next_ms: i64,
    pending: BTreeMap<usize, Pending>,
}

impl From<AlertRow> for Active {
    fn from(row: AlertRow) -> Self {
        Self {
            labels: row.labels,
            annotations: row.annotations,
            generator_url: row.generator_url,
            starts_ms: row.starts_ms,
            ends_ms: row.ends_ms,
            updated_ms: row.updated_ms,
            changed: 0,
            timeout: row.timeout,
            ended: row.ended,
            looked_at: true,
            held_end_ms: None,
            raised_ms: None,
            groups: GroupIds::new(),
        }
    }
}

impl Pending {
    pub(super) fn row(&self, integration: usize) -> PendingRow {
        PendingRow {
            integration,
            attempts: self.attempts,
            since_ms: self.since_ms,
            // One under way may not arrive, so after a crash it is due at once.
            until_ms: match self.state {
                PendingState::Waiting { until_ms } => until_ms,
                PendingState::Ready | PendingState::Flying { .. } => self.since_ms,
            },
            class: self.class,
            only_missed: self.only_missed,
        }
    }
}

impl Alerter {
    /// Takes up what was stored; call on a new alerter. Whatever fired when we
    /// stopped fires on until it is heard of again or the resolve time-out has
    /// passed: while we were away nobody could have told us.
    pub(crate) fn load(&mut self, stored: Stored, now_ms: i64) {
        self.dirty.intake_id = stored.intake_id;
        self.mails.next = stored.next_mail;
        let mut rows: BTreeMap<u64, Active> = stored
            .alerts
            .into_iter()
            .map(|row| (row.fingerprint, Active::from(row)))
            .collect();
        let mut taken_in = BTreeMap::new();
        for came in stored.intake {
            let (at_ms, began_ms) = (came.at_ms, came.began_ms);
            if let Some(fingerprint) = self.take_in(&mut rows, came) {
                taken_in.entry(fingerprint).or_insert(at_ms);
                let began = began_ms.map(|began_ms| (began_ms, fingerprint));
                if let Some((began_ms, _)) = began.filter(|it| !stored.began.contains(it)) {
                    self.note_began(began_ms, fingerprint);
                }
            }
        }
        let borne_ms = now_ms + self.plan.resolve_timeout_ms;
        for (fingerprint, row) in rows {
            let alert = Active {
                starts_ms: row.starts_ms.min(now_ms),
                ends_ms: match row.ended {
                    true => row.ends_ms.min(now_ms),
                    false => row.ends_ms.max(borne_ms),
                },
                updated_ms: row.updated_ms.min(now_ms),
                timeout: row.timeout || !row.ended && row.ends_ms < borne_ms,
                ..row
            };
            self.alerts.insert(fingerprint, Box::new(alert));
        }
        self.load_episodes(stored.episodes, stored.next_episode, now_ms);
        for SilenceRow { id, kept } in stored.silences {
            self.silences.load(id, kept, now_ms);
        }
        for row in stored.log {
            if let Some(mut entry) = row.entry {
                // A clock that was ahead would delay the repeat, and the second contact.
                entry.at_ms = entry.at_ms.min(now_ms);
                entry.first_ms = entry.first_ms.min(now_ms);
                entry.bounced_ms = entry.bounced_ms.map(|it| it.min(now_ms));
                let key = LogKey {
                    group: row.group.into(),
                    receiver: row.receiver.into(),
                    integration: row.integration,
                };
                self.log.insert(key, entry);
            }
        }
        let kept: BTreeMap<Names, Kept> = stored
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
        let known: BTreeSet<Names> = kept.keys().cloned().collect();
        self.regroup(kept, now_ms);
        for (_, id) in self
            .group_names()
            .iter()
            .filter(|(it, _)| !known.contains(*it))
        {
            self.wait_since(*id, &taken_in);
        }
    }

    /// A group that is known by its alerts alone has waited since they came.
    fn wait_since(&mut self, id: GroupId, taken_in: &BTreeMap<u64, i64>) {
        let wait_ms = self.plan.routes[id.route].group_wait_ms;
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let came = group.members.iter().filter_map(|it| taken_in.get(it));
        if let Some(first_ms) = came.min() {
            group.next_ms = group.next_ms.min(first_ms + wait_ms);
        }
        self.rewake(id);
    }

    /// Joins an alert as it came before the crash with what else is known of it.
    fn take_in(&mut self, rows: &mut BTreeMap<u64, Active>, came: Came) -> Option<u64> {
        let at_ms = came.at_ms;
        let counted = (
            self.counters.received_firing,
            self.counters.received_resolved,
        );
        let alert = self.ingest(came.into(), at_ms);
        (
            self.counters.received_firing,
            self.counters.received_resolved,
        ) = counted;
        let (fingerprint, mut alert) = alert.ok()?;
        if let Some(old) = rows.get(&fingerprint) {
            super::put::merge(old, &mut alert, at_ms);
        }
        alert.looked_at = true;
        rows.insert(fingerprint, alert);
        self.dirty.lazy.insert(fingerprint);
        Some(fingerprint)
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
            let renamed = |id: GroupId| names.get(by_id.get(&id)?).copied();
            flight.group = flight.group.and_then(renamed);
            for flight in &mut flight.more {
                flight.group = flight.group.and_then(renamed);
            }
        }
    }

    /// Puts every alert where the plan wants it.
    fn regroup(&mut self, mut kept: BTreeMap<Names, Kept>, now_ms: i64) {
        self.wakes.clear();
        self.ready.clear();
        self.ends.clear();
        self.inhibitor = Inhibitor::default();
        self.dirty.joined.clear();
        self.dirty.fold.groups.clear();
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
            self.restore_fallback(id);
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
