mod forms;
mod rows;

use std::time::Duration;

use exposition::{Writer, is_stale};
use series::{Matcher, Op, Store};

use super::*;

const STEP: i64 = 15_000;

fn target() -> Target {
    Target {
        job: "host".into(),
        instance: "a".into(),
        ..Target::default()
    }
}

/// Everything that was stored for exactly this time; `stale` for a marker.
fn stored(store: &Store, time_ms: i64) -> Vec<String> {
    let all = [Matcher::new(NAME, Op::NotEqual, "").unwrap()];
    store
        .select(&all, time_ms, time_ms)
        .iter()
        .map(|series| {
            let value = series.samples[0].1;
            let value = if is_stale(value) {
                "stale".into()
            } else {
                exposition::format_value(value)
            };
            format!("{} {value}", series.labels)
        })
        .collect()
}

/// The same without the five series that every scrape leaves.
fn pages(store: &Store, time_ms: i64) -> Vec<String> {
    let own = |line: &String| !line.starts_with("up{") && !line.starts_with("scrape_");
    stored(store, time_ms).into_iter().filter(own).collect()
}

fn take(intake: &mut Intake, page: Result<&str, &str>, time_ms: i64, store: &Store) -> bool {
    intake.take(page, time_ms, Duration::from_millis(250), store)
}

#[test]
fn series_that_the_store_gave_up_come_back_under_their_own_labels() {
    let (store, mut intake) = (Store::new(), Intake::new(target()));
    let page = "# TYPE a gauge\n  a{x=\"1\"} 2\r\n\na{x=\"2\"} 3\nb 4\n";
    assert!(take(&mut intake, Ok(page), 0, &store));
    let first = pages(&store, 0);
    store.maintain(100_000_000);
    assert!(pages(&store, 0).is_empty());
    assert!(take(&mut intake, Ok(page), 100_000_000, &store));
    assert_eq!((first.len(), pages(&store, 100_000_000)), (3, first));
}

#[test]
fn a_page_is_stored_with_the_labels_of_its_target() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    assert!(take(&mut intake, Ok("a{x=\"1\"} 2\nb 3\n"), 1000, &store));
    assert_eq!(
        stored(&store, 1000),
        [
            r#"a{instance="a", job="host", x="1"} 2"#,
            r#"b{instance="a", job="host"} 3"#,
            r#"scrape_duration_seconds{instance="a", job="host"} 0.25"#,
            r#"scrape_samples_post_metric_relabeling{instance="a", job="host"} 2"#,
            r#"scrape_samples_scraped{instance="a", job="host"} 2"#,
            r#"scrape_series_added{instance="a", job="host"} 2"#,
            r#"up{instance="a", job="host"} 1"#,
        ]
    );
}

#[test]
fn a_clashing_label_is_renamed_until_its_name_is_free() {
    let page = "a{job=\"x\"} 1\na{job=\"y\",exported_job=\"z\"} 2\n";
    for (honor_labels, lines) in [
        (
            false,
            [
                r#"a{exported_exported_job="y", exported_job="z", instance="a", job="host"} 2"#,
                r#"a{exported_job="x", instance="a", job="host"} 1"#,
            ],
        ),
        (
            true,
            [
                r#"a{exported_job="z", instance="a", job="y"} 2"#,
                r#"a{instance="a", job="x"} 1"#,
            ],
        ),
    ] {
        let store = Store::new();
        let mut intake = Intake::new(Target {
            honor_labels,
            ..target()
        });
        take(&mut intake, Ok(page), 0, &store);
        assert_eq!(pages(&store, 0), lines);
        // The markers find the series again, whatever labels they have.
        take(&mut intake, Ok(""), STEP, &store);
        let ended: Vec<String> = pages(&store, STEP);
        assert_eq!(ended.len(), 2);
        assert!(
            ended.iter().all(|line| line.ends_with("stale")),
            "{ended:?}"
        );
    }
}

#[test]
fn labels_that_a_page_says_to_be_empty_are_none_where_its_labels_are_honored() {
    let page = "a{instance=\"\",x=\"1\"} 1\nb{x=\"instance=\\\"\\\"\"} 2\n";
    for (honor_labels, a) in [
        (true, r#"a{job="host", x="1"} 1"#),
        (false, r#"a{instance="a", job="host", x="1"} 1"#),
    ] {
        let store = Store::new();
        let mut intake = Intake::new(Target {
            honor_labels,
            ..target()
        });
        take(&mut intake, Ok(page), 0, &store);
        let b = r#"b{instance="a", job="host", x="instance=\"\""} 2"#;
        assert_eq!(pages(&store, 0), [a, b]);
    }
}

#[test]
fn a_vanished_container_leaves_no_stale_series() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    take(
        &mut intake,
        Ok("c{name=\"x\"} 1\nc{name=\"y\"} 1\n"),
        0,
        &store,
    );
    take(
        &mut intake,
        Ok("c{name=\"y\"} 1\nc{name=\"z\"} 1\n"),
        STEP,
        &store,
    );
    assert_eq!(
        pages(&store, STEP),
        [
            r#"c{instance="a", job="host", name="x"} stale"#,
            r#"c{instance="a", job="host", name="y"} 1"#,
            r#"c{instance="a", job="host", name="z"} 1"#,
        ]
    );
    assert!(
        stored(&store, STEP).contains(&r#"scrape_series_added{instance="a", job="host"} 1"#.into())
    );
    // The marker is written once.
    take(
        &mut intake,
        Ok("c{name=\"y\"} 1\nc{name=\"z\"} 1\n"),
        2 * STEP,
        &store,
    );
    assert_eq!(pages(&store, 2 * STEP).len(), 2);
}

#[test]
fn a_failed_scrape_ends_every_series_and_says_why() {
    let limits = Limits {
        samples: 1,
        ..Limits::default()
    };
    for (page, why) in [
        (Err("timed out"), "timed out"),
        (Ok("a 1\nb\n"), "line 2: a sample needs a value"),
        (Ok("a 1\nb 1\n"), "too many samples: 2, the limit is 1"),
    ] {
        let store = Store::new();
        let mut intake = Intake::new(Target { limits, ..target() });
        take(&mut intake, Ok("a 1\n"), 0, &store);
        assert!(!take(&mut intake, page, STEP, &store));
        assert_eq!(
            pages(&store, STEP),
            [r#"a{instance="a", job="host"} stale"#]
        );
        assert!(stored(&store, STEP).contains(&r#"up{instance="a", job="host"} 0"#.into()));
        assert_eq!(intake.status().last_error.as_deref(), Some(why));
        // And it comes back.
        assert!(take(&mut intake, Ok("a 1\n"), 2 * STEP, &store));
        assert_eq!(intake.status().up, Some(true));
        assert_eq!(
            pages(&store, 2 * STEP),
            [r#"a{instance="a", job="host"} 1"#]
        );
    }
}

#[test]
fn every_limit_fails_the_scrape() {
    let small = Limits {
        body_bytes: 40,
        samples: 3,
        labels: 4,
        name_bytes: 8,
        value_bytes: 8,
    };
    for (page, why) in [
        (
            "a 1\nb 1\nc 1\nd 1\ne 1\n",
            "too many samples: 5, the limit is 3",
        ),
        (
            "# HELP a This is a page of more than forty bytes.\n",
            "too many bytes: 50, the limit is 40",
        ),
        (
            "a{b=\"1\",c=\"2\"} 1\n",
            "too many labels in one series: 5, the limit is 4",
        ),
        (
            "a{long_name=\"1\"} 1\n",
            "too many bytes in a label name: 9, the limit is 8",
        ),
        (
            "a{b=\"a long value\"} 1\n",
            "too many bytes in a label value: 12, the limit is 8, in b",
        ),
    ] {
        let mut intake = Intake::new(Target {
            limits: small,
            ..target()
        });
        assert!(!take(&mut intake, Ok(page), 0, &Store::new()));
        assert_eq!(intake.status().last_error.as_deref(), Some(why));
    }
}

#[test]
fn a_series_that_stands_twice_counts_once() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    assert!(take(&mut intake, Ok("a 1\na 2\n"), 0, &store));
    assert_eq!(pages(&store, 0), [r#"a{instance="a", job="host"} 1"#]);
    assert_eq!(intake.status().refused_total, 1);
    assert_eq!(intake.status().samples, 2);
}

#[test]
fn a_series_with_a_time_of_its_own_is_kept_at_that_time_and_never_ended() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    take(&mut intake, Ok("a 1 99000\nb 1 701001\n"), 100_000, &store);
    assert_eq!(pages(&store, 99_000), [r#"a{instance="a", job="host"} 1"#]);
    // More than ten minutes ahead is not taken.
    assert_eq!(pages(&store, 701_001), [""; 0]);
    assert_eq!(intake.status().refused_total, 1);
    take(&mut intake, Ok(""), 115_000, &store);
    assert_eq!(pages(&store, 115_000), [""; 0]);
    // Older than what is there is refused, and the scrape is fine.
    assert!(take(&mut intake, Ok("a 2 98000\n"), 130_000, &store));
    assert_eq!(intake.status().refused_total, 2);
}

#[test]
fn a_target_that_is_gone_ends_with_its_own_series() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    take(&mut intake, Ok("a 1\n"), 0, &store);
    intake.end(STEP, &store);
    let ended = stored(&store, STEP);
    assert_eq!(ended.len(), 6);
    assert!(
        ended.iter().all(|line| line.ends_with("stale")),
        "{ended:?}"
    );
}

#[test]
fn two_targets_do_not_end_each_others_series() {
    let store = Store::new();
    let mut first = Intake::new(target());
    let mut second = Intake::new(Target {
        instance: "b".into(),
        ..target()
    });
    take(&mut first, Ok("a 1\n"), 0, &store);
    take(&mut second, Ok("a 1\n"), 0, &store);
    take(&mut first, Ok(""), STEP, &store);
    assert_eq!(
        pages(&store, STEP),
        [r#"a{instance="a", job="host"} stale"#]
    );
}

#[test]
fn a_series_is_the_same_however_a_page_spells_it() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    for (at, page) in [
        "a {x=\"}\\\" 1\",y=\"2\"} 1",
        "a{x=\"}\\\" 1\",y=\"2\"} 2 ",
        "a{y=\"2\", x=\"}\\\" 1\"}\t3",
        "a{y=\"2\", x=\"}\\\" 1\"}4",
    ]
    .into_iter()
    .enumerate()
    {
        let time_ms = i64::try_from(at).unwrap() * STEP;
        assert!(take(&mut intake, Ok(page), time_ms, &store), "{page}");
        let expected = format!(
            r#"a{{instance="a", job="host", x="}}\" 1", y="2"}} {}"#,
            at + 1
        );
        assert_eq!(pages(&store, time_ms), [expected]);
    }
}

#[test]
fn a_known_series_with_a_bad_value_fails_the_scrape() {
    for line in [
        "a{b=\"1\"} x",
        "a{b=\"1\"}",
        "a{b=\"1\"} 1 x",
        "a{b=\"1\"} 1 2 3",
        "a{b=\"1",
    ] {
        let store = Store::new();
        let mut intake = Intake::new(target());
        assert!(take(&mut intake, Ok("a{b=\"1\"} 1\n"), 0, &store));
        assert!(!take(&mut intake, Ok(line), STEP, &store), "{line}");
        assert!(
            intake
                .status()
                .last_error
                .as_ref()
                .unwrap()
                .starts_with("line 1: ")
        );
    }
}

#[test]
fn figures_of_targets_name_them() {
    let mut intake = Intake::new(target());
    take(&mut intake, Ok("a 1\na 2\n"), 0, &Store::new());
    let mut page = Writer::new();
    crate::write_target_figures(
        [("host/a".to_owned(), intake.status().refused_total)],
        &mut page,
    );
    let page = page.finish();
    assert!(
        page.ends_with("refused_total{target=\"host/a\"} 1\n"),
        "{page}"
    );
}
