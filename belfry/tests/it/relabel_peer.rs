//! Targets, labels and relabelling beside a real Prometheus, on the same file.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::alone::{Alone, Page};
use crate::support::peer::Prometheus;
use crate::support::poll;
use crate::support::prometheus::escaped;
use crate::support::scratch::Scratch;

/// Relabelling of targets; every target that is left is scraped.
const TARGETS: &[&str] = &[
    "{source_labels: [a], target_label: d}",
    "{source_labels: [a, b], separator: '-', target_label: a}",
    "{source_labels: [a, nothing, b], target_label: joined}",
    "{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'x${1}y'}",
    "{source_labels: [a], regex: o, target_label: d, replacement: never}",
    "{source_labels: [a], regex: '.*o.*', target_label: d, replacement: contains}",
    "{source_labels: [a], regex: 'f(.*)', target_label: '${1}', replacement: x}",
    "{source_labels: [a], regex: 'f(o)(o)', target_label: b, replacement: '$2$1$$'}",
    "{source_labels: [a], regex: 'f(?P<rest>.*)', target_label: d, replacement: '${rest}-$rest'}",
    "{source_labels: [a], regex: '(f)(oo)?', target_label: d, replacement: '$3|$1x|${1}x'}",
    "{target_label: a, replacement: ''}",
    "{target_label: fixed, replacement: value}",
    "{regex: '', target_label: made, replacement: from-nothing}",
    "{source_labels: [nothing], regex: '', target_label: made, replacement: from-absence}",
    "{source_labels: [a], regex: foo, action: keep}",
    "{source_labels: [a], regex: foo, action: drop}",
    "{source_labels: [a], regex: fo, action: keep}",
    "{source_labels: [a, b], regex: 'foo;bar', action: drop}",
    "{source_labels: [nothing], action: keep}",
    "{source_labels: [nothing], regex: '.+', action: keep}",
    "{source_labels: [a], target_label: d, action: keepequal}",
    "{source_labels: [a], target_label: d, action: dropequal}",
    "{source_labels: [a, b], target_label: e, action: keepequal}",
    "{source_labels: [a], modulus: 1000, target_label: shard, action: hashmod}",
    "{source_labels: [a, b, nothing], modulus: 18446744073709551615, target_label: shard, action: hashmod}",
    "{source_labels: [__address__], modulus: 3, target_label: __tmp_hash, action: hashmod}, {source_labels: [__tmp_hash], target_label: shard}",
    "{regex: '__meta_(.+)', action: labelmap}",
    "{regex: '__meta_(.+)', replacement: 'meta_${1}_x', action: labelmap}",
    "{regex: '(a|b)', replacement: 'copy_$1', action: labelmap}",
    "{regex: 'a|zone', action: labeldrop}",
    "{regex: 'a', action: labeldrop}, {source_labels: [a], target_label: gone, regex: '', replacement: 'yes'}",
    "{regex: 'job|instance|__.*|a', action: labelkeep}",
    "{source_labels: [zone], target_label: zone, action: lowercase}",
    "{source_labels: [zone, a], target_label: loud, action: uppercase}",
    "{source_labels: [zone], regex: 'EU-.*', target_label: zone, action: uppercase}",
    "{source_labels: [street], target_label: street, action: uppercase}",
    "{source_labels: [street], target_label: street, action: lowercase}",
    "{source_labels: [__address__], regex: '(.*):.*', target_label: instance}",
    "{target_label: instance, replacement: ''}",
    "{target_label: job, replacement: other}",
    "{target_label: job, replacement: ''}",
    "{target_label: __metrics_path__, replacement: /elsewhere}",
    "{source_labels: [a], target_label: __param_module}",
    "{source_labels: [a], target_label: __param_module}, {source_labels: [__param_module], target_label: module}",
    "{target_label: __address__, replacement: ''}",
    "{source_labels: [__scheme__, __metrics_path__], target_label: how}",
    "{source_labels: [__scrape_interval__, __scrape_timeout__], target_label: pace}",
    "{target_label: __scrape_timeout__, replacement: 500ms}",
    "{source_labels: [a], regex: \"f\\\\w+|(?i)OTHER\", target_label: d, replacement: classes}",
    "{source_labels: [lines], regex: \"one\\ntwo\", target_label: d, replacement: lines}",
];

/// Relabelling of series, and other keys that change them.
const SERIES: &[&str] = &[
    "metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]",
    "metric_relabel_configs: [{source_labels: [__name__, code], regex: 'requests;5..', action: keep}]",
    "metric_relabel_configs: [{source_labels: [__name__], regex: 'go_(.*)', target_label: __name__, replacement: 'golang_$1'}]",
    "metric_relabel_configs: [{regex: code, action: labeldrop}, {source_labels: [path], regex: '/a', action: drop}]",
    "metric_relabel_configs: [{source_labels: [code], regex: '(.)..', target_label: class, replacement: '${1}xx'}]",
    "metric_relabel_configs: [{source_labels: [job], target_label: job, action: uppercase}]",
    "metric_relabel_configs: [{source_labels: [__name__], regex: requests, target_label: instance, replacement: shared}]",
    "metric_relabel_configs: [{regex: '(.*)', replacement: 'm_$1', action: labelmap}]",
    "honor_labels: true",
    "honor_labels: false",
    "honor_timestamps: false",
    "sample_limit: 3",
    "label_limit: 4",
    "label_value_length_limit: 3",
    "label_name_length_limit: 3",
    "params: {module: [one, two], 'q': ['a b']}",
    "metrics_path: /other",
    "scheme: https",
    "body_size_limit: 10B",
    "target_limit: 1",
    "target_limit: 2",
    "target_limit: 1\n  relabel_configs: [{source_labels: [a], regex: foo, action: keep}]",
];

const PAGE: &str = "# TYPE requests counter
requests{code=\"200\",path=\"/a\"} 1
requests{code=\"500\",path=\"/b\"} 2
go_threads 7
clash{job=\"own\",instance=\"mine\",a=\"theirs\",exported_job=\"taken\"} 1
empty{instance=\"\",job=\"\",b=\"\",own=\"\"} 1
path{folder=\"C:\\dir\\new\"} 1
renamed{zz=\"1\",exported_zz=\"2\"} 1
";

fn config(folder: &str) -> String {
    let head = "global: {scrape_interval: 3s, scrape_timeout: 2s}\nscrape_configs:\n";
    let jobs = TARGETS
        .iter()
        .map(|rules| format!("  relabel_configs: [{rules}]\n"));
    let jobs = jobs.chain(SERIES.iter().map(|keys| format!("  {keys}\n")));
    let found = format!("  file_sd_configs: [{{files: ['{folder}/targets.json']}}]\n");
    let jobs = jobs
        .enumerate()
        .map(|(at, keys)| format!("- job_name: case-{at}\n{found}{keys}"));
    head.to_owned() + &jobs.collect::<String>()
}

/// What is scraped and what is not, one line for each target. What active ones were
/// found as is left out: Debian's release shows a part of it as relabelling left it.
fn targets(data: &Value) -> BTreeSet<String> {
    let list = |key: &str| data[key].as_array().cloned().unwrap_or_default();
    let active = list("activeTargets").into_iter().map(|target| {
        let of = |key: &str| target[key].clone();
        format!(
            "{} {} {} {} every {} within {}: {}",
            of("scrapePool"),
            of("scrapeUrl"),
            of("globalUrl"),
            of("labels"),
            of("scrapeInterval"),
            of("scrapeTimeout"),
            of("health"),
        )
    });
    // The older release tells no pool of these.
    let dropped = list("droppedTargets").into_iter().map(|target| {
        let labels = &target["discoveredLabels"];
        format!("dropped {labels}")
    });
    active.chain(dropped).collect()
}

fn series(data: &Value) -> BTreeSet<String> {
    let all = data.as_array().expect("series");
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn targets_and_series_are_those_of_a_real_prometheus() {
    let page = Page::serve(PAGE);
    let scratch = Scratch::new();
    let address = &page.address;
    let list = format!(
        r#"[{{"targets": ["{address}"], "labels": {{"a": "foo", "b": "bar", "d": "foo", "e": "foo;bar", "__meta_x": "Meta", "__tmp": "t", "zone": "EU-West", "lines": "one\ntwo", "zz": "z", "street": "Straße ΟΔΟΣ"}}}},
        {{"targets": ["{address}"], "labels": {{"a": "other", "b": "", "zone": "us-east", "d": "not", "__meta_y": "1"}}}}]"#
    );
    scratch.file("targets.json", &list);
    let config = config(&scratch.path.display().to_string());
    let theirs = Prometheus::start(&config);
    let ours = Alone::start(scratch, &config, &[]);
    let differ = |path: &str,
                  read: fn(&Value) -> BTreeSet<String>|
     -> Option<(usize, Vec<String>)> {
        let (theirs, ours) = (read(&theirs.data(path)), read(&ours.data(path)));
        let only = |who: &str, one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
            one.difference(other)
                .map(|line| format!("{who}: {line}"))
                .collect()
        };
        let mut all = only("theirs", &theirs, &ours);
        all.extend(only("ours", &ours, &theirs));
        Some((theirs.len(), all))
    };
    for (path, read, least) in [
        (
            "/api/v1/targets",
            targets as fn(&Value) -> BTreeSet<String>,
            120,
        ),
        ("/api/v1/series?match[]={__name__!=\"\"}", series, 900),
    ] {
        let path = path
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22");
        let mut last = Vec::new();
        let same = poll::settles(|| {
            let (count, rest) = differ(&path, read)?;
            last = rest;
            (count >= least && last.is_empty()).then_some(())
        });
        assert!(same, "{path}: {} differ\n{}", last.len(), last.join("\n"));
    }
}

#[test]
fn a_target_that_is_taken_away_ends_its_series_in_both() {
    let page = Page::serve("kept 1\n");
    let scratch = Scratch::new();
    let list = |targets: &str| format!("[{{\"targets\": [{targets}]}}]");
    let file = scratch.file("targets.json", &list(&format!("\"{}\"", page.address)));
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - {{job_name: app, file_sd_configs: [{{files: [{file:?}], refresh_interval: 1s}}]}}\n"
    );
    let theirs = Prometheus::start(&config);
    let ours = Alone::start(Scratch::new(), &config, &[]);
    // What each says to an expression: theirs, ours.
    let both = |expr: &str| {
        let path = format!("/api/v1/query?query={}", escaped(expr));
        [theirs.data(&path), ours.data(&path)]
            .map(|data| data["result"].as_array().expect("a vector").len())
    };
    poll::holds("both should scrape it", || both("kept and up") == [1, 1]);
    // In one step, so that nobody reads a half.
    std::fs::rename(scratch.file("targets.new", &list("")), &file).expect("a rename");
    // Long before five minutes without a sample, and with what was there before.
    poll::holds("its series should end in both", || {
        both("kept or up or scrape_duration_seconds") == [0, 0]
            && both("count_over_time(kept[5m])") == [1, 1]
    });
    // Not when it was taken away, but with the scrape that it missed first.
    let samples = ours.data("/api/v1/query?query=kept%5B5m%5D")["result"][0]["values"].clone();
    let last = samples.as_array().and_then(|all| all.last()?[0].as_f64());
    let last = last.expect("a last sample");
    for name in ["kept", "up", "scrape_samples_scraped"] {
        let there = [0.9, 1.1].map(|behind| {
            let path = format!("/api/v1/query?query={name}&time={}", last + behind);
            ours.data(&path)["result"]
                .as_array()
                .expect("a vector")
                .len()
        });
        assert_eq!(there, [1, 0], "{name}");
    }
}

#[test]
fn a_target_whose_settings_change_goes_on_without_a_gap() {
    let page = Page::serve("kept 1\n");
    let config = |interval: &str, timeout: &str| {
        format!(
            "global: {{scrape_interval: {interval}, scrape_timeout: {timeout}}}\nscrape_configs:\n\
             - {{job_name: app, static_configs: [{{targets: ['{}']}}]}}\n",
            page.address
        )
    };
    let ours = Alone::start(
        Scratch::new(),
        &config("2s", "2s"),
        &["--web.enable-lifecycle"],
    );
    let scraped = |times: usize| {
        poll::until("it should be scraped", || {
            let data = ours.data("/api/v1/query?query=kept%5B5m%5D");
            let samples = data["result"][0]["values"].as_array()?.clone();
            (samples.len() >= times).then_some(samples)
        })
    };
    let mut samples = scraped(2);
    // The second takes longer to come to its first scrape than the first would have for its next.
    for (interval, timeout, more) in [("2s", "1s", 5), ("7s", "1s", 3)] {
        ours.scratch
            .file("prometheus.yml", &config(interval, timeout));
        assert_eq!(ours.post("/-/reload").status, 200);
        poll::holds("the settings should be in force", || {
            let targets = ours.data("/api/v1/targets?state=active");
            let target = &targets["activeTargets"][0];
            target["scrapeTimeout"] == timeout && target["scrapeInterval"] == interval
        });
        // Long enough for what is gone to have ended.
        samples = scraped(samples.len() + more);
    }
    let at = |sample: &Value| sample[0].as_f64().expect("a time");
    let (begin, end) = (at(&samples[0]), at(&samples[samples.len() - 1]));
    let looks = ((end - begin) * 1000.0).round() as usize / 250 + 1;
    for name in ["kept", "up"] {
        let path = format!("/api/v1/query_range?query={name}&start={begin}&end={end}&step=0.25");
        let found = ours.data(&path)["result"][0]["values"].clone();
        assert_eq!(found.as_array().map(Vec::len), Some(looks), "{name}");
    }
}
