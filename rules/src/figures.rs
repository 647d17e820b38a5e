//! The rules' own figures, as a page of metrics.

use exposition::{Kind, Writer};

use crate::{Health, RuleSet, State};

impl RuleSet {
    /// Writes what the rules say of themselves: whether each can be evaluated,
    /// how long the groups take and what they have missed up to `now_ms`, and how many
    /// alerts there are.
    pub fn write_figures(&self, now_ms: i64, page: &mut Writer) {
        let gauge = Kind::Gauge;
        page.family(
            "belfry_rule_failing",
            "Whether the last evaluation of a rule failed.",
            gauge,
        );
        for group in self.groups() {
            for (at, rule) in group.rules.iter().enumerate() {
                let first = group
                    .rules
                    .iter()
                    .position(|had| had.spec.name == rule.spec.name);
                // Rules of one name share a series, which is bad if any of them is.
                if first != Some(at) {
                    continue;
                }
                let bad = group
                    .rules
                    .iter()
                    .filter(|had| had.spec.name == rule.spec.name)
                    .any(|had| had.health == Health::Bad);
                let labels = [("group", group.name.as_str()), ("rule", &rule.spec.name)];
                page.sample(&labels, f64::from(u8::from(bad)));
            }
        }
        self.group_figures(now_ms, page);
        page.family("belfry_alerts", "Alerts of the rules, by state.", gauge);
        for state in [State::Pending, State::Firing] {
            let count = self.count(state) as f64;
            page.sample(&[("state", state.as_str())], count);
        }
    }

    fn group_figures(&self, now_ms: i64, page: &mut Writer) {
        page.family(
            "belfry_rule_group_last_evaluation_timestamp_seconds",
            "When a group was last evaluated.",
            Kind::Gauge,
        );
        for group in self.groups() {
            if let Some(time_ms) = group.last_evaluation_ms {
                page.sample(&[("group", &group.name)], time_ms as f64 / 1000.0);
            }
        }
        page.family(
            "belfry_rule_group_last_duration_seconds",
            "How long the last evaluation of a group took.",
            Kind::Gauge,
        );
        for group in self.groups() {
            page.sample(&[("group", &group.name)], group.took.as_secs_f64());
        }
        page.family(
            "belfry_rule_group_missed_total",
            "Evaluations that were due and did not happen, also while one goes on.",
            Kind::Counter,
        );
        for group in self.groups() {
            page.sample(&[("group", &group.name)], group.missed(now_ms) as f64);
        }
    }
}

/// Writes what became of the targets' samples: `job/instance`, and how many the
/// store refused.
pub fn write_target_figures(refused: impl IntoIterator<Item = (String, u64)>, page: &mut Writer) {
    page.family(
        "belfry_target_samples_refused_total",
        "Samples out of order, from the future, or twice at one time.",
        Kind::Counter,
    );
    for (target, refused) in refused {
        page.sample(&[("target", &target)], refused as f64);
    }
}
