//! Muting: a target is not told while a source fires.
//!
//! The index is kept as alerts come and go, so that a look costs only the
//! sources that share the target's `equal` values. Whether a source still fires
//! is asked of the caller at the time of the look.

use std::collections::{BTreeMap, BTreeSet};

use crate::matcher::all_match;
use crate::pairs::Pairs;
use crate::plan::{InhibitRule, Plan};

/// Sources by rule and by the values of the rule's `equal` labels.
#[derive(Debug, Default)]
pub(crate) struct Inhibitor {
    sources: Vec<BTreeMap<Vec<String>, BTreeSet<u64>>>,
    /// Every fingerprint in `sources`.
    known: BTreeSet<u64>,
}

impl Inhibitor {
    /// Notes an alert; call once for each.
    pub(crate) fn insert(&mut self, plan: &Plan, fingerprint: u64, labels: &Pairs) {
        self.sources.resize_with(plan.inhibit.len(), BTreeMap::new);
        for (rule, sources) in plan.inhibit.iter().zip(&mut self.sources) {
            if all_match(&rule.source, labels) {
                sources
                    .entry(values(rule, labels))
                    .or_default()
                    .insert(fingerprint);
                self.known.insert(fingerprint);
            }
        }
    }

    /// Forgets an alert.
    pub(crate) fn remove(&mut self, plan: &Plan, fingerprint: u64, labels: &Pairs) {
        if !self.known.remove(&fingerprint) {
            return;
        }
        for (rule, sources) in plan.inhibit.iter().zip(&mut self.sources) {
            let key = values(rule, labels);
            if let Some(list) = sources.get_mut(&key) {
                list.remove(&fingerprint);
                if list.is_empty() {
                    sources.remove(&key);
                }
            }
        }
    }

    /// Whether the alert can mute others.
    #[must_use]
    pub(crate) fn is_source(&self, fingerprint: u64) -> bool {
        self.known.contains(&fingerprint)
    }

    /// The alert that mutes `labels`, if one does: the first of the first rule.
    /// `fires` says of a fingerprint what labels it has, if it fires.
    ///
    /// A source that is also a target does not mute an alert that is also a
    /// source, so no alert mutes itself and no two mute each other.
    #[must_use]
    pub(crate) fn muted_by<'a>(
        &self,
        plan: &Plan,
        labels: &Pairs,
        fires: impl Fn(u64) -> Option<&'a Pairs>,
    ) -> Option<u64> {
        for (rule, sources) in plan.inhibit.iter().zip(&self.sources) {
            if sources.is_empty() || !all_match(&rule.target, labels) {
                continue;
            }
            let Some(list) = sources.get(&values(rule, labels)) else {
                continue;
            };
            let two_sided = all_match(&rule.source, labels);
            let source = list.iter().find(|source| {
                fires(**source)
                    .is_some_and(|labels| !(two_sided && all_match(&rule.target, labels)))
            });
            if let Some(source) = source {
                return Some(*source);
            }
        }
        None
    }
}

/// The values of the rule's `equal` labels; an absent label is an empty one.
fn values(rule: &InhibitRule, labels: &Pairs) -> Vec<String> {
    rule.equal
        .iter()
        .map(|name| labels.get(name).unwrap_or("").to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
