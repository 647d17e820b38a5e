//! Random lives of alerts: what we write must be what promtool sees.

use std::fmt::Write as _;
use std::process::Command;

use promql::Engine;
use series::Store;

use super::notation;
use crate::query::ask;
use crate::{RuleSet, Site, Source};

const MINUTES: i64 = 60;

/// A small generator with a printed seed; the tests need no better one.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// An index into something so long.
    pub(super) fn at(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn below(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % count
    }
}

/// Values that hold the condition or do not, end, and are missing for a while
/// (never for as long as the look-back, at whose edge the versions differ).
fn values(dice: &mut Dice) -> String {
    let mut out = Vec::new();
    let mut gap = 0;
    let mut last = "0";
    for _ in 0..MINUTES {
        // Runs are as long as `for` and `keep_firing_for` need them.
        if dice.below(3) == 0 {
            last = ["0", "1", "1", "_", "stale"][usize::try_from(dice.below(5)).unwrap()];
        }
        gap = if last == "_" { gap + 1 } else { 0 };
        if gap > 3 {
            (last, gap) = ("0", 0);
        }
        out.push(last);
    }
    out.join(" ")
}

fn rules(dice: &mut Dice) -> String {
    let mut out = String::from("groups:\n- name: g\n  rules:\n");
    for at in 0..6 {
        let (wait, keep) = (dice.below(4), dice.below(4));
        let _ = writeln!(
            out,
            "  - {{alert: A{at}, expr: 'x > 0', for: {wait}m, keep_firing_for: {keep}m, \
             labels: {{host: '{{{{ $labels.host }}}}!'}}}}"
        );
    }
    out
}

/// A promtool test that expects exactly what our rules have written.
fn expectation(rules: &str, series: &[(String, String)]) -> String {
    let store = Store::new();
    let engine = Engine::default();
    let source = Source {
        name: "rules.yml".into(),
        text: rules.into(),
    };
    let mut set = RuleSet::load(&[source], Site::default()).unwrap();
    let mut test =
        String::from("rule_files: [rules.yml]\ntests:\n- interval: 1m\n  input_series:\n");
    for (name, text) in series {
        let _ = writeln!(test, "  - {{series: '{name}', values: '{text}'}}");
        let labels = notation::labels(name).unwrap();
        for (at, value) in notation::values(text).unwrap().into_iter().enumerate() {
            if let Some(value) = value {
                let time_ms = i64::try_from(at).unwrap() * 60_000;
                store.append(&labels, time_ms, value).unwrap();
            }
        }
    }
    test.push_str("  promql_expr_test:\n");
    let expr = promql::parse("{__name__=~\"ALERTS.*\"}").unwrap();
    for minute in 0..MINUTES {
        set.evaluate(0, minute * 60_000, &store, &engine);
        let _ = writeln!(
            test,
            "  - expr: '{{__name__=~\"ALERTS.*\"}}'\n    eval_time: {minute}m\n    exp_samples:"
        );
        for (labels, value) in ask(&engine, &store, &expr, minute * 60_000).unwrap() {
            let _ = writeln!(test, "    - {{labels: '{labels}', value: {value}}}");
        }
    }
    test
}

#[test]
fn promtool_sees_the_same_alerts_in_random_lives() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=12 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let rules = rules(&mut dice);
        let series: Vec<(String, String)> = ["a", "b", "c"]
            .iter()
            .map(|host| (format!("x{{host=\"{host}\"}}"), values(&mut dice)))
            .collect();
        let test = expectation(&rules, &series);
        assert!(
            test.contains("alertstate=\"firing\""),
            "seed {seed}: nothing fires"
        );
        std::fs::write(folder.path().join("rules.yml"), &rules).unwrap();
        std::fs::write(folder.path().join("t.yml"), &test).unwrap();
        let output = Command::new("promtool")
            .args(["test", "rules", "t.yml"])
            .current_dir(folder.path())
            .output()
            .expect("promtool is missing: apt-get install -y prometheus");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "seed {seed}\n{rules}\n{series:?}\n{told}"
        );
    }
}
