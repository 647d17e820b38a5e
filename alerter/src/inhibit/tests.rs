use super::*;
use crate::{Config, Mail};

fn set(pairs: &str) -> Pairs {
    let set = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Pairs::from(&set)
}

/// Which of `alerts` mutes `target`, by place; those marked `!` have ended.
fn muted(rules: &str, alerts: &[&str], target: &str) -> Option<u64> {
    let yaml = format!("inhibit_rules: {rules}");
    let config: Config = settings::read("a.yml".as_ref(), &yaml, &|_| None).unwrap();
    let plan = crate::plan(&config, &Mail::default()).unwrap();
    let sets: Vec<Pairs> = alerts
        .iter()
        .map(|alert| set(alert.trim_start_matches('!')))
        .collect();
    let mut inhibitor = Inhibitor::default();
    for (at, labels) in sets.iter().enumerate() {
        inhibitor.insert(&plan, at as u64, labels);
    }
    let found = inhibitor.muted_by(&plan, &set(target), |source| {
        let at = source as usize;
        (!alerts[at].starts_with('!')).then(|| &sets[at])
    });
    for (at, labels) in sets.iter().enumerate() {
        inhibitor.remove(&plan, at as u64, labels);
    }
    assert!(inhibitor.sources.iter().all(BTreeMap::is_empty));
    found
}

#[test]
fn a_source_mutes_targets_with_equal_labels() {
    let rule = "[{source_matchers: [sev=critical], target_matchers: [sev=warning], equal: [host]}]";
    for (alerts, target, wanted) in [
        (&["sev=critical host=a"][..], "sev=warning host=a", Some(0)),
        (&["sev=critical host=b"], "sev=warning host=a", None),
        (&["!sev=critical host=a"], "sev=warning host=a", None),
        (
            &["!sev=critical host=a x=1", "sev=critical host=a"],
            "sev=warning host=a",
            Some(1),
        ),
        (&["sev=critical host=a"], "sev=critical host=a", None),
        (&["sev=critical host=a"], "sev=info host=a", None),
        // Absent on both sides is equal, and absent is empty.
        (&["sev=critical"], "sev=warning", Some(0)),
        (&["sev=critical"], "sev=warning host=a", None),
    ] {
        assert_eq!(muted(rule, alerts, target), wanted, "{alerts:?} {target}");
    }
}

#[test]
fn two_sided_alerts_mute_neither_themselves_nor_each_other() {
    let rule = "[{source_matchers: [a=1], target_matchers: [b=1]}]";
    for (alerts, target, wanted) in [
        (&["a=1 b=1"][..], "a=1 b=1", None),
        (&["a=1 b=1", "a=1 b=1 c=1"], "a=1 b=1", None),
        (&["a=1 b=1", "a=1"], "a=1 b=1", Some(1)),
        (&["a=1 b=1"], "b=1", Some(0)),
    ] {
        assert_eq!(muted(rule, alerts, target), wanted, "{alerts:?} {target}");
    }
}

#[test]
fn an_empty_side_matches_everything_and_no_equal_labels_are_always_equal() {
    assert_eq!(
        muted("[{target_match: {b: '1'}}]", &["a=1"], "b=1"),
        Some(0)
    );
    assert_eq!(
        muted("[{source_match_re: {a: '1|2'}}]", &["a=2"], "z=1"),
        Some(0)
    );
    assert_eq!(muted("[]", &["a=1"], "b=1"), None);
}
