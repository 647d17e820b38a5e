//! The rules and their alerts, as Prometheus' API shows them.

use exposition::Labels;
use query_api::{Alert, Health, Rule, RuleGroup, RuleKind, RuleState};
use rules::RuleSet;

/// All groups.
pub(crate) fn groups(rules: &RuleSet) -> Vec<RuleGroup> {
    rules.groups().iter().map(group).collect()
}

fn group(group: &rules::Group) -> RuleGroup {
    RuleGroup {
        name: group.name.clone(),
        file: group.file.to_string(),
        interval: seconds(group.interval_ms),
        limit: group.limit,
        rules: group.rules.iter().map(rule).collect(),
        evaluation_time: group.took.as_secs_f64(),
        last_evaluation_ms: group.last_evaluation_ms,
    }
}

fn rule(rule: &rules::Rule) -> Rule {
    let kind = match &rule.spec.kind {
        rules::RuleKind::Record => RuleKind::Recording,
        rules::RuleKind::Alert {
            for_ms,
            keep_firing_ms,
            annotations,
        } => {
            let alerts: Vec<_> = rule
                .active()
                .map(|(labels, active)| alert(labels, active))
                .collect();
            let has = |state: RuleState| alerts.iter().any(|alert| alert.state == state);
            RuleKind::Alerting {
                state: match rule.health {
                    rules::Health::Unknown => RuleState::Unknown,
                    _ if has(RuleState::Firing) => RuleState::Firing,
                    _ if has(RuleState::Pending) => RuleState::Pending,
                    _ => RuleState::Inactive,
                },
                hold: seconds(*for_ms),
                keep_firing_for: seconds(*keep_firing_ms),
                annotations: Labels::from_pairs(annotations.clone()),
                alerts,
            }
        }
    };
    Rule {
        name: rule.spec.name.clone(),
        query: rule.spec.expr.to_string(),
        labels: Labels::from_pairs(rule.spec.labels.clone()),
        health: match rule.health {
            rules::Health::Unknown => Health::Unknown,
            rules::Health::Good => Health::Good,
            rules::Health::Bad => Health::Bad,
        },
        last_error: rule.last_error.clone(),
        evaluation_time: rule.took.as_secs_f64(),
        last_evaluation_ms: rule.last_evaluation_ms,
        kind,
    }
}

fn alert(labels: &Labels, active: &rules::Active) -> Alert {
    Alert {
        labels: labels.clone(),
        annotations: Labels::from_pairs(active.annotations.clone()),
        state: match active.state {
            rules::State::Pending => RuleState::Pending,
            rules::State::Firing => RuleState::Firing,
            rules::State::Inactive => RuleState::Inactive,
        },
        active_at_ms: active.active_at_ms,
        keep_firing_since_ms: active.keep_firing_since_ms,
        value: active.value,
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1e3
}
