//! The life of the alerts of one rule: pending, firing, resolved.
//!
//! What follows from one evaluation is a pure function of the state before,
//! the result and the time. An alert is known by its labels alone; its value
//! and its annotations are refreshed each time.

pub(crate) mod send;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use exposition::Labels;
use serde::{Deserialize, Serialize};

/// A resolved alert is kept, and told again, for so long.
const RESOLVED_KEPT_MS: i64 = 15 * 60_000;

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The condition holds, but not for long enough.
    Pending,
    /// It has held for long enough.
    Firing,
    /// It has ended.
    Inactive,
}

impl State {
    /// The word that the API and the `alertstate` label use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Inactive => "inactive",
        }
    }
}

/// One alert of a rule. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Active {
    /// Where it is in its life.
    pub state: State,
    /// What is said about it, templates filled.
    pub annotations: alert::Set,
    /// The value that the expression had when it last held.
    #[serde(with = "bits")]
    pub value: f64,
    /// When the condition was first seen.
    pub active_at_ms: i64,
    /// When it began to fire.
    pub fired_at_ms: Option<i64>,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since_ms: Option<i64>,
    /// Evaluations in a row that have found its condition over, and the time of the last;
    /// after a restart they are counted anew.
    #[serde(skip)]
    pub(crate) over: (u32, i64),
    /// When it ended.
    pub resolved_at_ms: Option<i64>,
    /// When it was last handed to the alerter.
    pub last_sent_ms: Option<i64>,
}

/// One series of a rule's result, after its templates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) annotations: alert::Set,
    pub(crate) value: f64,
}

/// How long a state must hold: times of the rule in milliseconds, and evaluations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) for_ms: i64,
    pub(crate) keep_firing_ms: i64,
    pub(crate) recovery: Recovery,
}

/// What must find the condition over until an alert ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Evaluations in a row, the first among them.
    pub(crate) evaluations: u32,
    /// What comes sooner after another counts with it: it has seen nothing new.
    pub(crate) apart_ms: i64,
}

/// The alerts of one rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Alerts(pub(crate) BTreeMap<Labels, Active>);

impl Alerts {
    /// Takes one result in. Of an alert that is `held` (its source has not
    /// answered since a restart), an absent series proves nothing: it stays as
    /// it is. Returns whether any alert changed its state.
    pub(crate) fn step(
        &mut self,
        found: BTreeMap<Labels, Found>,
        holds: Holds,
        now_ms: i64,
        held: impl Fn(&Labels) -> bool,
    ) -> bool {
        let mut changed = false;
        let mut seen = Vec::with_capacity(found.len());
        for (labels, found) in found {
            match self.0.get_mut(&labels) {
                Some(alert) if alert.state != State::Inactive => {
                    alert.value = found.value;
                    alert.annotations = found.annotations;
                    alert.keep_firing_since_ms = None;
                    alert.over = (0, 0);
                }
                _ => {
                    self.0.insert(labels.clone(), Active::new(found, now_ms));
                    changed = true;
                }
            }
            seen.push(labels);
        }
        // Both are in the order of the labels, so one walk tells who is missing.
        let mut seen = seen.into_iter().peekable();
        self.0.retain(|labels, alert| {
            let present = seen.next_if_eq(labels).is_some();
            let before = alert.state;
            let keep = if present {
                alert.hold(holds, now_ms);
                true
            } else if held(labels) {
                true
            } else {
                alert.absent(holds, now_ms)
            };
            changed |= !keep || alert.state != before;
            keep
        });
        changed
    }

    /// The alerts that are pending or firing.
    pub(crate) fn active(&self) -> impl Iterator<Item = (&Labels, &Active)> {
        self.0
            .iter()
            .filter(|(_, alert)| alert.state != State::Inactive)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`.
    pub(crate) fn series(&self) -> Vec<(Labels, f64)> {
        let mut out = Vec::new();
        for (labels, alert) in self.active() {
            let mut builder = labels.edit();
            builder.set(exposition::NAME, "ALERTS");
            builder.set("alertstate", alert.state.as_str());
            out.push((builder.build(), 1.0));
            let mut builder = labels.edit();
            builder.set(exposition::NAME, "ALERTS_FOR_STATE");
            let seconds = alert.active_at_ms.div_euclid(1000) as f64;
            out.push((builder.build(), seconds));
        }
        out
    }

    /// Moves every kept time, when the clock itself was set.
    pub(crate) fn shift(&mut self, delta_ms: i64) {
        for alert in self.0.values_mut() {
            alert.shift(delta_ms);
        }
    }
}

impl Active {
    fn new(found: Found, now_ms: i64) -> Self {
        Self {
            state: State::Pending,
            annotations: found.annotations,
            value: found.value,
            active_at_ms: now_ms,
            fired_at_ms: None,
            keep_firing_since_ms: None,
            over: (0, 0),
            resolved_at_ms: None,
            last_sent_ms: None,
        }
    }

    /// Moves every kept time, when the clock itself was set.
    pub(crate) fn shift(&mut self, delta_ms: i64) {
        self.active_at_ms += delta_ms;
        self.over.1 += delta_ms;
        for time in [
            &mut self.fired_at_ms,
            &mut self.keep_firing_since_ms,
            &mut self.resolved_at_ms,
            &mut self.last_sent_ms,
        ] {
            *time = time.map(|time| time + delta_ms);
        }
    }

    /// The condition holds.
    fn hold(&mut self, holds: Holds, now_ms: i64) {
        let long_enough = now_ms - self.active_at_ms >= holds.for_ms;
        match self.state {
            State::Pending if long_enough => {
                self.state = State::Firing;
                self.fired_at_ms = Some(now_ms);
            }
            // A reload has lengthened `for`.
            State::Firing if !long_enough => {
                self.state = State::Pending;
                self.fired_at_ms = None;
            }
            _ => {}
        }
    }

    /// The condition does not hold. False: there is nothing left to remember.
    fn absent(&mut self, holds: Holds, now_ms: i64) -> bool {
        match self.state {
            State::Pending => false,
            State::Inactive => self
                .resolved_at_ms
                .is_some_and(|ended| now_ms - ended <= RESOLVED_KEPT_MS),
            State::Firing => {
                let since = *self.keep_firing_since_ms.get_or_insert(now_ms);
                let (count, last_ms) = self.over;
                if count == 0 || now_ms - last_ms >= holds.recovery.apart_ms {
                    self.over = (count.saturating_add(1), now_ms);
                }
                if now_ms - since >= holds.keep_firing_ms
                    && self.over.0 >= holds.recovery.evaluations
                {
                    self.state = State::Inactive;
                    self.resolved_at_ms = Some(now_ms);
                }
                true
            }
        }
    }
}

/// JSON knows no NaN and no infinity; the value is kept as Rust prints it.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &f64, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&exposition::format_value(*value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        let text = String::deserialize(from)?;
        exposition::parse_value(&text).ok_or_else(|| D::Error::custom("not a number"))
    }
}
