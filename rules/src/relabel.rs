//! Relabelling: rules that change, keep or drop label sets, as Prometheus has them.
//!
//! The same rules serve targets before they are scraped and series before they
//! are stored. Nothing here knows which of both it works on.

mod config;
#[cfg(test)]
mod tests;

use exposition::LabelsBuilder;
use md5::{Digest as _, Md5};

pub use config::{Action, Pattern, Relabel};

/// Applies rules in order; false when one of them drops the whole set.
pub fn apply(rules: &[Relabel], labels: &mut LabelsBuilder) -> bool {
    rules.iter().all(|rule| one(rule, labels))
}

fn one(rule: &Relabel, labels: &mut LabelsBuilder) -> bool {
    let mut value = String::new();
    for (at, name) in rule.source_labels.iter().enumerate() {
        if at > 0 {
            value.push_str(&rule.separator);
        }
        value.push_str(labels.get(name));
    }
    let regex = rule.regex.regex();
    let target = &*rule.target_label;
    match rule.action {
        Action::Keep => return regex.is_match(&value),
        Action::Drop => return !regex.is_match(&value),
        Action::KeepEqual => return labels.get(target) == value,
        Action::DropEqual => return labels.get(target) != value,
        Action::Replace => replace(rule, &value, labels),
        Action::Lowercase => {
            let lower = |c: char| c.to_lowercase().next().unwrap_or(c);
            labels.set(target, value.chars().map(lower).collect::<String>());
        }
        Action::Uppercase => {
            // Go makes one letter of one: what would become two stays.
            let upper = |c: char| {
                let mut upper = c.to_uppercase();
                upper.next().filter(|_| upper.next().is_none()).unwrap_or(c)
            };
            labels.set(target, value.chars().map(upper).collect::<String>());
        }
        Action::HashMod => {
            // The last half only: what has been sharded stays where it is.
            let hash = Md5::digest(value.as_bytes());
            let half: [u8; 8] = std::array::from_fn(|at| hash[at + 8]);
            let part = u64::from_be_bytes(half) % rule.modulus.max(1);
            labels.set(target, part.to_string());
        }
        Action::LabelMap => {
            for (name, value) in labels.build().iter() {
                if regex.is_match(name) {
                    let renamed = regex.replace_all(name, &*rule.replacement);
                    labels.set(&*renamed, value);
                }
            }
        }
        Action::LabelDrop => {
            labels.retain(|name| !regex.is_match(name));
        }
        Action::LabelKeep => {
            labels.retain(|name| regex.is_match(name));
        }
    }
    true
}

/// What does not match changes nothing, and an empty result deletes.
fn replace(rule: &Relabel, value: &str, labels: &mut LabelsBuilder) {
    let Some(found) = rule.regex.regex().captures(value) else {
        return;
    };
    let mut target = String::new();
    found.expand(&rule.target_label, &mut target);
    if target.is_empty() {
        return;
    }
    let mut replacement = String::new();
    found.expand(&rule.replacement, &mut replacement);
    labels.set(target, replacement);
}
