//! Pages in both formats, relabelled series, and times that a page states.

use super::*;

fn open_metrics(text: &str) -> Page<'_> {
    Page {
        text,
        format: Format::OpenMetrics,
    }
}

#[test]
fn a_page_in_openmetrics_brings_the_same_series_as_in_text() {
    let text = "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2
# TYPE s summary\ns{quantile=\"0.50\"} 1\n# TYPE c counter\nc_total{le=\"1\"} 3 1500\n{\"a.b\",\"l m\"=\"1\"} 4\n";
    let open = "# TYPE h histogram\nh_bucket{le=\"1.0\"} 2 # {trace_id=\"x\"} 0.5\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2
# TYPE s summary\ns{quantile=\"0.5\"} 1\n# TYPE c counter\nc_total{le=\"1\"} 3 1.5\n{\"a.b\",\"l m\"=\"1\"} 4\n# EOF\n";
    let mut both = Vec::new();
    for page in [Page::from(text), open_metrics(open)] {
        let store = Store::new();
        let mut intake = Intake::new(target());
        let took = Duration::from_millis(250);
        assert!(
            intake.take(Ok(page), 2000, took, &store),
            "{:?}",
            intake.status()
        );
        // The second scrape takes the short way.
        assert!(intake.take(Ok(page), 2000 + STEP, took, &store));
        both.push([
            stored(&store, 1500),
            stored(&store, 2000),
            stored(&store, 2000 + STEP),
        ]);
    }
    assert_eq!(both[0], both[1]);
    let all = both[0].concat().join("\n");
    for line in [
        "h_bucket{instance=\"a\", job=\"host\", le=\"1.0\"} 2",
        "s{instance=\"a\", job=\"host\", quantile=\"0.5\"} 1",
        "c_total{instance=\"a\", job=\"host\", le=\"1\"} 3",
        "a.b{instance=\"a\", job=\"host\", l m=\"1\"} 4",
    ] {
        assert!(all.contains(line), "{line} in\n{all}");
    }
}

#[test]
fn a_cut_page_in_openmetrics_fails_and_ends_its_series() {
    let store = Store::new();
    let mut intake = Intake::new(target());
    let took = Duration::ZERO;
    assert!(intake.take(Ok(open_metrics("a 1\nb 2\n# EOF\n")), 0, took, &store));
    for (at, page) in ["a 1\nb 2\n", "a 1\n", "a 1\nb  2\n# EOF\n", ""]
        .into_iter()
        .enumerate()
    {
        let time_ms = (i64::try_from(at).unwrap() + 1) * STEP;
        assert!(
            !intake.take(Ok(open_metrics(page)), time_ms, took, &store),
            "{page}"
        );
    }
    let ended = pages(&store, STEP);
    assert_eq!(ended.len(), 2);
    assert!(
        ended.iter().all(|line| line.ends_with("stale")),
        "{ended:?}"
    );
}

settings::section! {
    /// Rules for series.
    struct Rules {
        /// The rules.
        pub rules: Vec<Relabel> = vec![],
    }
}

fn relabelled(rules: &str, limits: Limits) -> Target {
    let read: Rules = settings::read("r.yml".as_ref(), rules, &|_| None).unwrap();
    Target {
        relabel: read.rules.into(),
        limits,
        ..target()
    }
}

#[test]
fn series_are_relabelled_before_they_are_counted_and_stored() {
    let rules = "rules:
- {source_labels: [__name__], regex: 'b.*', action: drop}
- {regex: instance, action: labeldrop}
- {source_labels: [__name__], regex: a, target_label: __name__, replacement: z}";
    let limits = Limits {
        samples: 1,
        ..Limits::default()
    };
    let mut intake = Intake::new(relabelled(rules, limits));
    let store = Store::new();
    for time_ms in [0, STEP] {
        assert!(take(
            &mut intake,
            Ok("a{x=\"1\"} 1\nb 2\nb2 2\n"),
            time_ms,
            &store
        ));
        assert_eq!(pages(&store, time_ms), [r#"z{job="host", x="1"} 1"#]);
        let own = stored(&store, time_ms).join("\n");
        let labels = r#"{instance="a", job="host"}"#;
        assert!(
            own.contains(&format!("scrape_samples_scraped{labels} 3")),
            "{own}"
        );
        assert!(
            own.contains(&format!("scrape_samples_post_metric_relabeling{labels} 1")),
            "{own}"
        );
    }
    assert!(!take(
        &mut intake,
        Ok("a{x=\"1\"} 1\na{x=\"2\"} 1\nb 2\n"),
        2 * STEP,
        &store
    ));
    let why = intake.status().last_error.as_deref();
    assert_eq!(why, Some("too many samples: 2, the limit is 1"));
    assert_eq!(pages(&store, 2 * STEP), [r#"z{job="host", x="1"} stale"#]);
}

#[test]
fn a_series_without_a_name_fails_the_scrape() {
    let rules = "rules: [{regex: __name__, action: labeldrop}]";
    let mut intake = Intake::new(relabelled(rules, Limits::default()));
    assert!(!take(&mut intake, Ok("a 1\n"), 0, &Store::new()));
    let rules = "rules: [{regex: '.*', action: labeldrop}]";
    let mut intake = Intake::new(relabelled(rules, Limits::default()));
    assert!(
        take(&mut intake, Ok("a 1\n"), 0, &Store::new()),
        "nothing is left of it"
    );
}

#[test]
fn times_of_a_page_count_or_not_and_are_followed_or_not() {
    for (honor_timestamps, track_timestamps_staleness, first, second) in [
        (true, false, ("a", 1000), None),
        (true, true, ("a", 1000), Some("stale")),
        (false, false, ("a", 5000), Some("stale")),
    ] {
        let store = Store::new();
        let mut intake = Intake::new(Target {
            honor_timestamps,
            track_timestamps_staleness,
            ..target()
        });
        take(&mut intake, Ok("a 1 1000\n"), 5000, &store);
        take(&mut intake, Ok(""), 5000 + STEP, &store);
        assert_eq!(pages(&store, first.1), [r#"a{instance="a", job="host"} 1"#]);
        let ended = pages(&store, 5000 + STEP);
        let wanted = second.map(|word| format!(r#"a{{instance="a", job="host"}} {word}"#));
        assert_eq!(ended, wanted.into_iter().collect::<Vec<_>>());
    }
}
