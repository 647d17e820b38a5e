//! What relabelling makes of targets.

use super::*;

/// The one target of a job, or what is said instead.
fn one(config: &str) -> String {
    let found = looked(&job(config));
    match (found.targets.first(), found.faults.first()) {
        (Some(target), None) => {
            let labels = &target.target;
            format!(
                "{} {}/{} {:?}",
                target.url, labels.job, labels.instance, labels.labels
            )
        }
        (_, Some(fault)) => fault.clone(),
        (None, None) => format!("{} dropped", found.dropped.len()),
    }
}

#[test]
fn a_target_is_made_of_what_relabelling_leaves() {
    for (config, wanted) in [
        ("", "http://a:1/metrics j/a:1 {}"),
        (
            "scheme: https\nmetrics_path: /m\nparams: {module: [x, y], a: ['b c']}",
            "https://a:1/m?a=b+c&module=x&module=y j/a:1 {}",
        ),
        (
            "params: {module: [x, y]}\nrelabel_configs: [{target_label: __param_module, replacement: z}, {target_label: __param_new, replacement: n}]",
            "http://a:1/metrics?module=z&module=y&new=n j/a:1 {}",
        ),
        // As the probing of other targets is written.
        (
            "params: {module: [http]}\nmetrics_path: /probe\nrelabel_configs:\n- {source_labels: [__address__], target_label: __param_target}\n- {source_labels: [__param_target], target_label: instance}\n- {target_label: __address__, replacement: '127.0.0.1:9115'}",
            "http://127.0.0.1:9115/probe?module=http&target=a%3A1 j/a:1 {}",
        ),
        (
            "relabel_configs: [{target_label: instance, replacement: me}, {target_label: job, replacement: you}]",
            "http://a:1/metrics you/me {}",
        ),
        (
            "relabel_configs: [{target_label: __scheme__, replacement: https}, {target_label: __metrics_path__, replacement: /x}]",
            "https://a:1/x j/a:1 {}",
        ),
        (
            "relabel_configs: [{source_labels: [job], regex: k, action: keep}]",
            "1 dropped",
        ),
        (
            "relabel_configs: [{target_label: __address__, replacement: ''}]",
            "job j: a target has no address",
        ),
        (
            "relabel_configs: [{target_label: __address__, replacement: 'a/b'}]",
            "job j: \"a/b\" is no host and port",
        ),
        (
            "relabel_configs: [{target_label: __scheme__, replacement: ftp}]",
            "job j: a:1: \"ftp\" is neither http nor https",
        ),
        (
            "relabel_configs: [{target_label: __scrape_timeout__, replacement: 20s}]",
            "job j: a:1: the timeout is longer than the interval: 20s and 15s",
        ),
        (
            "relabel_configs: [{target_label: __scrape_interval__, replacement: soon}]",
            "job j: a:1: __scrape_interval__ is not a duration: \"soon\"",
        ),
        (
            "relabel_configs: [{target_label: __tmp_x, replacement: y}, {source_labels: [__tmp_x], target_label: x}]",
            r#"http://a:1/metrics j/a:1 {"x": "y"}"#,
        ),
    ] {
        let config = format!("job_name: j\nstatic_configs: [{{targets: ['a:1']}}]\n{config}");
        assert_eq!(one(&config), wanted, "{config}");
    }
}

#[test]
fn what_relabelling_makes_equal_is_scraped_once() {
    let found = looked(&job(
        "job: j\ntargets: ['a:1', 'b:1']\nrelabel_configs: [{target_label: __address__, replacement: 'c:1'}]",
    ));
    assert_eq!(found.targets.len(), 1);
}

#[test]
fn a_target_tells_how_it_was_found() {
    let found = looked(&job(
        "job: j\ntargets: ['a:1']\nlabels: {zone: eu}\nparams: {x: [y]}\nrelabel_configs: [{action: labeldrop, regex: zone}, {target_label: __scrape_interval__, replacement: 1m}]",
    ));
    let target = &found.targets[0];
    let origin = target.target.origin.as_ref().unwrap();
    assert_eq!(
        (&*origin.pool, &*origin.url),
        ("j", "http://a:1/metrics?x=y")
    );
    assert_eq!(target.every, Duration::from_secs(60));
    let discovered: Vec<String> = origin
        .discovered
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        discovered.join(" "),
        "__address__=a:1 __metrics_path__=/metrics __param_x=y __scheme__=http \
         __scrape_interval__=15s __scrape_timeout__=10s job=j zone=eu"
    );
}
