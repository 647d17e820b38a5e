//! What stays, and what ends, when other rules are loaded.

use super::*;

#[test]
fn a_reload_keeps_the_state_of_rules_that_stay() {
    let (bench, mut set) = (Bench::new(), load(DOWN));
    bench.put("up", "a", 0, 0.0);
    bench.evaluate(&mut set, 0);
    let longer = DOWN
        .replace("for: 30s", "for: 20s")
        .replace("summary", "title");
    let mut set = load(&longer).replacing(set, 1000);
    bench.put("up", "a", 20_000, 0.0);
    let told = bench.evaluate(&mut set, 20_000);
    assert_eq!(told.len(), 1, "pending since 0, not since the reload");
    assert_eq!(told[0].annotations["title"], "a 0");
}

#[test]
fn what_a_reload_takes_away_ends() {
    let (bench, mut set) = (Bench::new(), load(DOWN));
    bench.put("up", "a", 0, 0.0);
    bench.evaluate(&mut set, 0);
    // The rule is gone from its group: ended at the group's next evaluation.
    let renamed = DOWN.replace("alert: Down", "alert: Other");
    let mut set = load(&renamed).replacing(set, 0);
    bench.evaluate(&mut set, STEP);
    let ended = bench.stored("ALERTS", STEP);
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(
        ended[0].contains("Down") && ended[0].ends_with("stale"),
        "{ended:?}"
    );
    // The group is gone: ended two intervals after that.
    let mut set = load("groups: [{name: h}]").replacing(set, 2 * STEP);
    bench.evaluate(&mut set, 3 * STEP);
    assert_eq!(bench.stored("ALERTS", 3 * STEP), [""; 0]);
    bench.evaluate(&mut set, 4 * STEP);
    assert_eq!(bench.stored("ALERTS", 4 * STEP).len(), 1);
}

#[test]
fn disabled_rules_are_left_out_and_unknown_names_are_told() {
    let mut set = load(DOWN);
    assert_eq!(set.disable(&["Nope".into()]), ["Nope"]);
    assert_eq!(set.groups().len(), 1);
    assert_eq!(set.disable(&["Down".into()]), [""; 0]);
    assert!(set.groups().is_empty());
}
