//! Taking alerts in: validation, merging, and joining groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alert::Alert;

use super::event::EventKind;
use super::fold::Came;
use super::{Active, Alerter, Group, GroupId, GroupIds};
use crate::pairs::Pairs;

/// An alert as it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub labels: Pairs,
    pub annotations: Pairs,
    pub generator_url: Box<str>,
    /// In milliseconds since 1970; absent means now.
    pub starts_ms: Option<i64>,
    /// The same; absent means "after the resolve time-out".
    pub ends_ms: Option<i64>,
}

impl From<Came> for Incoming {
    fn from(came: Came) -> Self {
        Self {
            labels: came.labels,
            annotations: came.annotations,
            generator_url: came.generator_url,
            starts_ms: Some(came.starts_ms),
            ends_ms: came.ends_ms,
        }
    }
}

impl From<Alert> for Incoming {
    fn from(alert: Alert) -> Self {
        Self {
            labels: Pairs::from(&alert.labels),
            annotations: Pairs::from(&alert.annotations),
            generator_url: alert.generator_url.into(),
            starts_ms: alert.starts_at,
            ends_ms: alert.ends_at,
        }
    }
}

/// Why an alert was not taken: its place in the list, and Alertmanager's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Place in the list that was put, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub message: String,
}

impl Alerter {
    /// Takes alerts in. Those that are valid are taken even if others are not.
    pub(crate) fn put(&mut self, alerts: Vec<impl Into<Incoming>>, now_ms: i64) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for (index, alert) in alerts.into_iter().enumerate() {
            match self.ingest(alert.into(), now_ms) {
                Ok((fingerprint, alert)) => self.store(fingerprint, alert, now_ms),
                Err(message) => {
                    self.counters.invalid += 1;
                    refusals.push(Refusal { index, message });
                }
            }
        }
        refusals
    }

    /// Fills in what is absent and validates.
    pub(super) fn ingest(&mut self, alert: Incoming, now_ms: i64) -> Result<(u64, Active), String> {
        let starts_ms = alert.starts_ms.or(alert.ends_ms).unwrap_or(now_ms);
        let timeout = alert.ends_ms.is_none();
        let ends_ms = alert
            .ends_ms
            .unwrap_or(now_ms + self.plan.resolve_timeout_ms);
        match ends_ms > now_ms {
            true => self.counters.received_firing += 1,
            false => self.counters.received_resolved += 1,
        }
        let labels = alert.labels.only(|_, value| !value.is_empty());
        if ends_ms < starts_ms {
            return Err("start time must be before end time".into());
        }
        if labels.is_empty() {
            return Err("at least one label pair required".into());
        }
        if labels.get("").is_some() {
            return Err("invalid label set: invalid name \"\"".into());
        }
        if alert.annotations.get("").is_some() {
            return Err("invalid annotations: invalid name \"\"".into());
        }
        let fingerprint = labels.fingerprint();
        let alert = Active {
            labels,
            annotations: alert.annotations,
            generator_url: alert.generator_url,
            starts_ms,
            ends_ms,
            updated_ms: now_ms,
            changed: 0,
            timeout,
            ended: ends_ms <= now_ms,
            looked_at: false,
            held_end_ms: None,
            raised_ms: None,
            groups: GroupIds::new(),
        };
        Ok((fingerprint, alert))
    }

    fn store(&mut self, fingerprint: u64, mut alert: Active, now_ms: i64) {
        let mut came = Came::of(&alert, now_ms);
        let known = self.alerts.remove(&fingerprint).map(|known| *known);
        let (mut began, mut finished) = (!alert.ended, false);
        match &known {
            Some(old) => {
                self.ends.remove(&(old.ends_ms, fingerprint));
                match old.held_end_ms {
                    Some(_) => held(old, &mut alert),
                    None => merge(old, &mut alert, now_ms),
                }
                alert.groups.clone_from(&old.groups);
                alert.raised_ms = old.raised_ms;
                alert.looked_at = old.looked_at;
                began = old.ended && !alert.ended;
                finished = !old.ended && alert.ended;
                if finished && self.hold_end(fingerprint, &mut alert, now_ms) {
                    finished = false;
                }
                alert.changed = old.changed;
            }
            None => {
                self.inhibitor
                    .insert(&self.plan, fingerprint, &alert.labels);
                self.symptoms.insert(fingerprint, &alert.labels);
                alert.groups = self.groups_of(&alert);
            }
        }
        if began || finished || known.is_none() {
            self.step += 1;
            alert.changed = self.step;
        }
        if !alert.ended {
            self.ends.insert((alert.ends_ms, fingerprint));
        }
        // An end that is told once more is no news: the groups have let it go.
        let joins = known.as_ref().is_none_or(|old| !(old.ended && alert.ended));
        let matters = known
            .as_ref()
            .is_none_or(|old| began || finished || old.starts_ms != alert.starts_ms);
        if matters {
            came.began_ms = began.then_some(alert.starts_ms);
            self.note_intake(&came);
        }
        if began {
            self.note_began(alert.starts_ms, fingerprint);
        } else if finished {
            self.note(alert.ends_ms, EventKind::Ended, Some(&alert.labels));
        }
        if finished {
            self.dirty.alerts.insert(fingerprint);
        } else if matters || self.is_news(known.as_ref(), &alert, now_ms) {
            self.dirty.lazy.insert(fingerprint);
        }
        self.alerts.insert(fingerprint, Box::new(alert));
        if began {
            // A new beginning is as bad as its rule says, whatever it was before.
            self.begin_episode(fingerprint, known.as_ref());
            self.lower(fingerprint, now_ms);
        } else if finished {
            self.end_episode(fingerprint);
            self.mark_groups_of(fingerprint);
        }
        let alert = self.alerts.get(&fingerprint).filter(|_| joins);
        for id in alert.map_or_else(GroupIds::new, |alert| alert.groups.clone()) {
            self.join(id, fingerprint, now_ms);
        }
        self.enter_raise(fingerprint);
    }

    /// Firing alerts have joined the group.
    pub(super) fn mark_joined(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get(&id) {
            let route = &self.plan.routes[id.route];
            let names = (Arc::clone(&route.id), Arc::clone(&group.key));
            self.dirty.joined.insert(names, id);
        }
    }

    /// An alert has ended: from now on only what is stored of its groups says
    /// who is still to be told.
    pub(super) fn mark_groups_of(&mut self, fingerprint: u64) {
        let groups = self
            .alerts
            .get(&fingerprint)
            .map(|alert| alert.groups.clone());
        for id in groups.unwrap_or_default() {
            let Some(group) = self.groups.get(&id) else {
                continue;
            };
            let route = &self.plan.routes[id.route];
            let names = (Arc::clone(&route.id), Arc::clone(&group.key));
            let folded = self.dirty.fold.groups.remove(&names);
            if let Some(id) = self.dirty.joined.remove(&names).or(folded) {
                self.dirty.groups.insert(names, Some(id));
            }
        }
    }

    /// Whether what is stored of an alert would mislead who starts after a crash:
    /// a later end would not, as whatever fires then is waited for.
    fn is_news(&self, known: Option<&Active>, alert: &Active, now_ms: i64) -> bool {
        let far_ms = now_ms + 2 * self.plan.resolve_timeout_ms;
        known.is_none_or(|known| {
            alert.annotations != known.annotations
                || alert.generator_url != known.generator_url
                || alert.timeout != known.timeout
                || alert.ends_ms < known.ends_ms
                || alert.ends_ms > far_ms
        })
    }

    /// The group changed by what is in the intake too, so that has time.
    pub(super) fn mark_looked(&mut self, id: GroupId) {
        let joined = self.groups.get(&id).is_some_and(|group| {
            let route = &self.plan.routes[id.route];
            let names = (Arc::clone(&route.id), Arc::clone(&group.key));
            self.dirty.joined.contains_key(&names) || self.dirty.fold.groups.contains_key(&names)
        });
        match joined {
            true => self.mark_joined(id),
            false => self.mark_group(id),
        }
    }

    pub(super) fn groups_of(&self, alert: &Active) -> GroupIds {
        let told = alert.told_labels();
        self.plan
            .routes_of(&told)
            .into_iter()
            .map(|route| GroupId {
                route,
                labels: self.plan.routes[route].group_fingerprint(&told),
            })
            .collect()
    }

    /// Puts an alert into a group, which is made if it is the first.
    pub(super) fn join(&mut self, id: GroupId, fingerprint: u64, now_ms: i64) {
        if let Some(group) = self.groups.get_mut(&id) {
            if group.members.insert(fingerprint) {
                match self.alerts.get(&fingerprint).is_some_and(|it| !it.ended) {
                    true => self.mark_joined(id),
                    false => self.mark_group(id),
                }
            }
            return;
        }
        let Some(alert) = self.alerts.get(&fingerprint) else {
            return;
        };
        let route = &self.plan.routes[id.route];
        let labels = route.group_labels(&alert.told_labels());
        let ended = alert.ended;
        // Who has fired for longer than the wait need not wait again.
        let late = alert.starts_ms + route.group_wait_ms < now_ms;
        let group = Group {
            key: route.group_key(&labels).into(),
            labels,
            members: BTreeSet::from([fingerprint]),
            next_ms: now_ms + if late { 0 } else { route.group_wait_ms },
            wake_ms: None,
            looked: None,
            fallback_ms: None,
            pending: BTreeMap::new(),
        };
        self.groups.insert(id, group);
        match ended {
            true => self.mark_group(id),
            false => self.mark_joined(id),
        }
        self.rewake(id);
    }
}

/// Joins an alert whose end is not believed yet with what is heard.
fn held(old: &Active, new: &mut Active) {
    new.starts_ms = new.starts_ms.min(old.starts_ms);
    if new.ended {
        new.ended = false;
        new.ends_ms = old.ends_ms;
        new.held_end_ms = old.held_end_ms;
    }
}

/// Joins what was known with what is heard, where the two overlap in time;
/// otherwise the new one stands as it is.
pub(super) fn merge(old: &Active, new: &mut Active, now_ms: i64) {
    let inside = |time_ms: i64| time_ms > old.starts_ms && time_ms < old.ends_ms;
    if !inside(new.ends_ms) && !inside(new.starts_ms) {
        return;
    }
    new.starts_ms = new.starts_ms.min(old.starts_ms);
    if new.ended {
        if old.ended_at(now_ms) {
            new.ends_ms = new.ends_ms.max(old.ends_ms);
        }
    } else if old.ends_ms > new.ends_ms && !old.timeout {
        new.ends_ms = old.ends_ms;
        new.timeout = false;
    }
}
