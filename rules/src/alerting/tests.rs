use std::collections::BTreeMap;

use exposition::Labels;

use super::send::{Sending, short};
use super::*;

fn labels(host: &str) -> Labels {
    Labels::from_pairs([("alertname", "Down"), ("host", host)])
}

fn found(hosts: &[&str]) -> BTreeMap<Labels, Found> {
    hosts
        .iter()
        .map(|host| {
            let found = Found {
                annotations: alert::Set::new(),
                value: 1.0,
            };
            (labels(host), found)
        })
        .collect()
}

fn sent(alerts: &mut Alerts, now_ms: i64) -> Vec<alert::Alert> {
    alerts.due(
        now_ms,
        Sending {
            resend_ms: 60_000,
            valid_ms: 240_000,
            external_labels: &alert::Set::from([
                ("cluster".into(), "eu".into()),
                ("host".into(), "never".into()),
            ]),
            external_url: "",
            query: "up",
            tell_value: true,
        },
    )
}

const ONCE: Recovery = Recovery {
    evaluations: 1,
    apart_ms: 0,
};

const THRICE: Recovery = Recovery {
    evaluations: 3,
    apart_ms: 27_000,
};

const HOLD: Holds = Holds {
    for_ms: 60_000,
    keep_firing_ms: 0,
    recovery: ONCE,
};

/// One word for each evaluation: what the state is afterwards.
fn life(holds: Holds, present: &str) -> String {
    let mut alerts = Alerts::default();
    let mut out = String::new();
    for (at, letter) in present.chars().enumerate() {
        let here = if letter == 'x' {
            found(&["a"])
        } else {
            found(&[])
        };
        let now_ms = i64::try_from(at).unwrap() * 30_000;
        alerts.step(here, holds, now_ms, |_| letter == '?');
        out.push(match alerts.0.get(&labels("a")).map(|alert| alert.state) {
            None => '.',
            Some(State::Pending) => 'p',
            Some(State::Firing) => 'F',
            Some(State::Inactive) => 'r',
        });
    }
    out
}

#[test]
fn an_alert_goes_through_its_states() {
    let keep = Holds {
        for_ms: 0,
        keep_firing_ms: 60_000,
        recovery: ONCE,
    };
    let thrice = Holds {
        recovery: THRICE,
        ..Holds::default()
    };
    let both = Holds {
        recovery: THRICE,
        ..HOLD
    };
    for (holds, present, states) in [
        (Holds::default(), "x.x", "FrF"),
        (HOLD, "xxxx..", "ppFFrr"),
        // Gone while pending: forgotten, and the clock starts again.
        (HOLD, "xx.xxx", "pp.ppF"),
        (HOLD, "xxx.xxx", "ppFrppF"),
        // `keep_firing_for` counts from the first evaluation without it.
        (keep, "x...", "FFFr"),
        (keep, "x..x...", "FFFFFFr"),
        // While the sources are unsure nothing ends and nothing begins to fire.
        (HOLD, "xxx??..", "ppFFFrr"),
        (HOLD, "x????x", "pppppF"),
        (HOLD, "x??.", "ppp."),
        // Where so many evaluations must find it over, they do in a row.
        (thrice, "x...", "FFFr"),
        (thrice, "x..x..x...x", "FFFFFFFFFrF"),
        (thrice, "x..??..", "FFFFFrr"),
        (both, "xxx...xx", "ppFFFrpp"),
        // What never fired is not over.
        (both, "x.x", "p.p"),
    ] {
        assert_eq!(life(holds, present), states, "{present}");
    }
}

#[test]
fn evaluations_between_two_in_time_count_as_one() {
    let mut alerts = Alerts::default();
    let thrice = Holds {
        recovery: THRICE,
        ..Holds::default()
    };
    alerts.step(found(&["a"]), thrice, 0, |_| false);
    let mut ends = None;
    for now_ms in [30_000, 31_000, 32_000, 60_000, 61_000, 89_000] {
        alerts.step(found(&[]), thrice, now_ms, |_| false);
        let ended = alerts.0[&labels("a")].state == State::Inactive;
        ends = ends.or(ended.then_some(now_ms));
    }
    assert_eq!(ends, Some(89_000));
    // The clock is set while one is counted.
    alerts.step(found(&["a"]), thrice, 100_000, |_| false);
    alerts.step(found(&[]), thrice, 130_000, |_| false);
    alerts.shift(1_000_000);
    alerts.step(found(&[]), thrice, 1_131_000, |_| false);
    alerts.step(found(&[]), thrice, 1_160_000, |_| false);
    assert_eq!(alerts.0[&labels("a")].state, State::Firing);
}

#[test]
fn a_resolved_alert_is_told_for_a_quarter_of_an_hour_and_then_forgotten() {
    let mut alerts = Alerts::default();
    alerts.step(found(&["a"]), Holds::default(), 0, |_| false);
    alerts.step(found(&[]), Holds::default(), 1000, |_| false);
    alerts.step(
        found(&[]),
        Holds::default(),
        1000 + RESOLVED_KEPT_MS,
        |_| false,
    );
    assert_eq!(alerts.0.len(), 1);
    assert!(alerts.step(
        found(&[]),
        Holds::default(),
        1001 + RESOLVED_KEPT_MS,
        |_| false
    ));
    assert!(alerts.0.is_empty());
}

#[test]
fn a_longer_for_after_a_reload_makes_it_pending_again() {
    let mut alerts = Alerts::default();
    alerts.step(found(&["a"]), Holds::default(), 0, |_| false);
    assert!(alerts.step(found(&["a"]), HOLD, 30_000, |_| false));
    assert_eq!(alerts.0[&labels("a")].state, State::Pending);
    alerts.step(found(&["a"]), HOLD, 60_000, |_| false);
    assert_eq!(alerts.0[&labels("a")].fired_at_ms, Some(60_000));
}

#[test]
fn alerts_are_told_on_change_and_every_resend_delay() {
    let mut alerts = Alerts::default();
    let mut told = Vec::new();
    for (now_ms, hosts) in [
        (0, vec!["a"]),
        (30_000, vec!["a"]),
        (60_000, vec!["a"]),
        (60_001, vec!["a"]),
        (90_000, vec![]),
        (120_000, vec![]),
        (150_001, vec![]),
    ] {
        alerts.step(found(&hosts), Holds::default(), now_ms, |_| false);
        for alert in sent(&mut alerts, now_ms) {
            told.push((now_ms, alert.starts_at.unwrap(), alert.ends_at.unwrap()));
        }
    }
    assert_eq!(
        told,
        [
            (0, 0, 240_000),
            (60_001, 0, 300_001),
            (90_000, 0, 90_000),
            (150_001, 0, 90_000),
        ]
    );
}

#[test]
fn pending_alerts_are_never_told() {
    let mut alerts = Alerts::default();
    alerts.step(found(&["a"]), HOLD, 0, |_| false);
    assert_eq!(sent(&mut alerts, 0), []);
    alerts.step(found(&["a"]), HOLD, 60_000, |_| false);
    let told = sent(&mut alerts, 60_000);
    assert_eq!(told[0].starts_at, Some(60_000));
    assert_eq!(told[0].annotations["value"], "1");
    assert_eq!(told[0].labels["cluster"], "eu");
    assert_eq!(told[0].labels["host"], "a");
}

#[test]
fn series_name_the_state_and_the_first_second() {
    let mut alerts = Alerts::default();
    alerts.step(found(&["a"]), HOLD, 1_500, |_| false);
    let series: Vec<String> = alerts
        .series()
        .iter()
        .map(|(labels, value)| format!("{labels} {value}"))
        .collect();
    assert_eq!(
        series,
        [
            r#"ALERTS{alertname="Down", alertstate="pending", host="a"} 1"#,
            r#"ALERTS_FOR_STATE{alertname="Down", host="a"} 1"#,
        ]
    );
}

#[test]
fn a_set_clock_moves_all_times_along() {
    let mut alerts = Alerts::default();
    alerts.step(found(&["a"]), Holds::default(), 1_000_000, |_| false);
    sent(&mut alerts, 1_000_000);
    alerts.shift(-400_000);
    let alert = &alerts.0[&labels("a")];
    assert_eq!(alert.active_at_ms, 600_000);
    assert_eq!(alert.fired_at_ms, Some(600_000));
    assert_eq!(alert.last_sent_ms, Some(600_000));
    assert_eq!(alert.resolved_at_ms, None);
}

#[test]
fn kept_alerts_survive_json_with_any_value() {
    for value in [1.5, f64::INFINITY, f64::NEG_INFINITY, 1e-300] {
        let found = Found {
            annotations: alert::Set::new(),
            value,
        };
        let alert = Active::new(found, 5);
        let text = serde_json::to_string(&alert).unwrap();
        assert_eq!(serde_json::from_str::<Active>(&text).unwrap(), alert);
    }
}

#[test]
fn values_for_people_are_short() {
    for (value, text) in [
        (0.0, "0"),
        (3.0, "3"),
        (94.234_567, "94.23"),
        (100.25, "100.2"),
        (1234.5, "1234"),
        (0.012_345_6, "0.01235"),
        (0.5, "0.5"),
        (2_147_483_648.0, "2147483648"),
        (1e-7, "1e-07"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
    ] {
        assert_eq!(short(value), text);
    }
}
