//! `belfry prometheus`: what it knows after a restart, and after a step of the clock.

use jiff::{SignedDuration, Timestamp};

use crate::support::alone::{Alone, Page};
use crate::support::clock::Clock;
use crate::support::poll;
use crate::support::scratch::Scratch;

#[test]
fn a_restart_goes_on_with_series_and_with_the_for_of_alerts_but_for_the_outage() {
    let scratch = Scratch::new();
    let rules = "groups: [{name: g, rules: [{record: recorded, expr: vector(1)}, {alert: Held, expr: vector(1), for: 1h}]}]";
    scratch.file("rules.yml", rules);
    let config = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n";
    let mut alone = Alone::start(scratch, config, &[]);
    let active = |alone: &Alone| -> Option<Timestamp> {
        let alert = alone.data("/api/v1/alerts")["alerts"][0].clone();
        alert["activeAt"].as_str()?.parse().ok()
    };
    let before = poll::until("the alert should be pending", || active(&alone));
    poll::until("the rule should be recorded", || alone.value("recorded"));
    let stopped = Timestamp::now();
    assert_eq!(alone.stop(), Some(0));
    alone.restart();
    let started = Timestamp::now();
    let evaluated = || {
        let groups = alone.data("/api/v1/rules");
        let last = groups["groups"][0]["lastEvaluation"].as_str()?.to_owned();
        (!last.starts_with("0001")).then_some(())
    };
    poll::until("the rules should be evaluated again", evaluated);
    let after = active(&alone).expect("it should be pending still");
    let moved = after.duration_since(before);
    // The last evaluation may have been a second before.
    let most = started.duration_since(stopped) + SignedDuration::from_secs(2);
    assert!(
        moved > SignedDuration::ZERO && moved < most,
        "{moved} of {most}"
    );
    let count = alone.value("count_over_time(recorded[1h])");
    let count = count.expect("samples of before").parse::<u64>();
    assert!(count.expect("a number") > 1);
    // Longer down than is tolerated, or more to wait than there is: it begins anew.
    for flag in ["for-outage-tolerance=0s", "for-grace-period=2h"] {
        assert_eq!(alone.stop(), Some(0));
        let again = Timestamp::now();
        alone.restart_with(&[&format!("--rules.alert.{flag}")]);
        let anew = poll::until("the alert should be pending", || active(&alone));
        assert!(anew >= again, "{flag}: {anew}");
    }
}

#[test]
fn a_clock_stepped_by_an_hour_is_followed_by_alerts_and_by_samples() {
    for hour in [3600, -3600] {
        let (clock, page) = (Clock::new(), Page::serve("kept 1\n"));
        let scratch = Scratch::new();
        let rules = "groups: [{name: g, rules: [{alert: Held, expr: kept == 1, for: 20m}]}]";
        scratch.file("rules.yml", rules);
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\nscrape_configs:\n\
             - {{job_name: a, static_configs: [{{targets: ['{}']}}]}}\n",
            page.address
        );
        let alone = Alone::within(scratch, &config, &[], clock.environment());
        let pending = || -> Option<Timestamp> {
            let alert = alone.data("/api/v1/alerts")["alerts"][0].clone();
            assert!(alert.is_null() || alert["state"] == "pending", "{alert}");
            alert["activeAt"].as_str()?.parse().ok()
        };
        // As it says itself; each within the last five minutes, and each later than the one before.
        let samples = || -> Vec<f64> {
            let found = alone.data("/api/v1/query?query=kept%5B5m%5D");
            let found = found["result"][0]["values"].as_array().cloned();
            let times = found.unwrap_or_default().into_iter();
            times.filter_map(|sample| sample[0].as_f64()).collect()
        };
        let before = poll::until("the alert should be pending", pending);
        poll::holds("there should be samples", || samples().len() > 4);
        let count = samples().len();
        clock.step_to(hour);
        poll::holds("the step should be noticed", || {
            alone.log().contains("the wall clock was stepped")
        });
        poll::holds("it should be scraped as before", || {
            samples().len() > count + 5
        });
        let times = samples();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        let gaps: Vec<_> = gaps.filter(|gap| !(0.1..60.0).contains(gap)).collect();
        assert_eq!(gaps, [0.0; 0], "{times:?}");
        let last = times.last().expect("samples");
        let wall = Timestamp::now().as_millisecond() as f64 / 1000.0 + hour as f64;
        assert!((wall - last).abs() < 60.0, "{last} at {wall}");
        let moved = pending().expect("still pending").duration_since(before);
        let off = moved - SignedDuration::from_secs(hour);
        assert!(off.abs() < SignedDuration::from_secs(60), "{moved}");
    }
}
