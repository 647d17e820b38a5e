//! Rules that cannot have a result here, because nothing exports what they read.

use std::sync::Arc;

use series::Store;

use crate::RuleSet;
use crate::file::RuleSpec;

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

/// What the rules read, to be compared with what there is: that takes a while, in which
/// nobody who needs the rules has to wait.
#[derive(Debug)]
pub struct Reads(Vec<(Arc<str>, String, Arc<RuleSpec>)>);

impl RuleSet {
    /// What the rules read.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let of = |group: &crate::Group| {
            let (file, name) = (Arc::clone(&group.file), group.name.clone());
            let specs = group.rules.iter().map(|rule| Arc::clone(&rule.spec));
            specs
                .map(|spec| (Arc::clone(&file), name.clone(), spec))
                .collect::<Vec<_>>()
        };
        Reads(self.groups.iter().flat_map(of).collect())
    }
}

impl Reads {
    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.0.len()
    }

    /// The rules that need a series of which the store has had none in
    /// `from_ms..=to_ms`. A rule that asks for absence needs none.
    #[must_use]
    pub fn unmatched(&self, store: &Store, from_ms: i64, to_ms: i64) -> Vec<Unmatched> {
        let mut out = Vec::new();
        for (file, group, spec) in &self.0 {
            let missing = spec.expr.blocked_by(|selector| {
                !store.series(selector.matchers(), from_ms, to_ms).is_empty()
            });
            if missing.is_empty() {
                continue;
            }
            let mut missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            missing.dedup();
            out.push(Unmatched {
                file: Arc::clone(file),
                group: group.clone(),
                rule: spec.name.clone(),
                missing,
            });
        }
        out
    }
}
