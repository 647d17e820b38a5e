//! Rules that cannot have a result here, because nothing exports what they read.

use std::sync::Arc;

use series::Store;

use crate::RuleSet;

/// A rule that can never fire, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// The rule's file.
    pub file: Arc<str>,
    /// Its group.
    pub group: String,
    /// Its name.
    pub rule: String,
    /// The selectors that no series matches, as the rule needs them.
    pub missing: Vec<String>,
}

impl RuleSet {
    /// The rules that need a series of which the store has had none in
    /// `from_ms..=to_ms`. A rule that asks for absence needs none.
    #[must_use]
    pub fn unmatched(&self, store: &Store, from_ms: i64, to_ms: i64) -> Vec<Unmatched> {
        let mut out = Vec::new();
        for group in &self.groups {
            for rule in &group.rules {
                let missing = rule.spec.expr.blocked_by(|selector| {
                    !store.series(selector.matchers(), from_ms, to_ms).is_empty()
                });
                if missing.is_empty() {
                    continue;
                }
                let mut missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                missing.dedup();
                out.push(Unmatched {
                    file: Arc::clone(&group.file),
                    group: group.name.clone(),
                    rule: rule.spec.name.clone(),
                    missing,
                });
            }
        }
        out
    }
}
