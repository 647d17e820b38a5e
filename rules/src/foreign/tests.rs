mod secure;
mod serving;
mod targets;

use std::time::Duration;

use settings::{Secret, Size};

use super::*;

/// What becomes of a job that stands in the configuration.
fn looked(job: &Job) -> Scrapes {
    Discovery::default().look(
        std::slice::from_ref(job),
        &[],
        Duration::from_secs(15),
        false,
    )
}

/// A job as the configuration has it.
fn job(text: &str) -> Job {
    settings::read("belfry.yml".as_ref(), text, &|_| None).unwrap()
}

#[test]
fn targets_of_a_job_are_told_once_and_share_its_settings() {
    let job = job(
        "job: node\ntargets: [a:9100, b:9100, a:9100]\ninterval: 5s\nlabels: {zone: eu}\nsample_limit: 7",
    );
    let all = looked(&job).targets;
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].url, "http://b:9100/metrics");
    assert_eq!(
        all[1].timeout,
        Duration::from_secs(5),
        "never longer than the interval"
    );
    assert_eq!(all[1].target.limits.samples, 7);
    assert_eq!(all[1].target.labels["zone"], "eu");
    assert_ne!(all[0].wait(0), all[1].wait(0));
}

#[test]
fn a_secret_is_in_no_debug_text() {
    let job = Job {
        targets: vec!["a:1".into()],
        bearer_token: Secret::new("hunter2").into(),
        ..Job::default()
    };
    let text = format!("{job:?} {:?}", looked(&job));
    assert!(!text.contains("hunter2"));
}

#[test]
fn what_contradicts_itself_is_told() {
    let job = job("
job: a
job_name: b
path: /x
metrics_path: /y
username: u
bearer_token: t
tls_config: {cert_file: x, server_name: 'a b'}
relabel_configs: [{action: hashmod, target_label: x}, {action: labeldrop, source_labels: [a]}]
metric_relabel_configs: [{source_labels: [a]}, {action: keepequal, target_label: x, regex: a}]
");
    let told: Vec<String> = job
        .faults()
        .into_iter()
        .map(|(key, message)| format!("{key}: {message}"))
        .collect();
    assert_eq!(
        told,
        [
            "job: at most one of job and job_name can be set",
            "path: at most one of path and metrics_path can be set",
            "authorization: at most one of basic authentication and authorization can be set",
            "relabel_configs[0].action: hashmod needs a modulus",
            "relabel_configs[1].action: labeldrop takes only regex",
            "metric_relabel_configs[0].action: replace needs a target_label",
            "metric_relabel_configs[1].action: keepequal takes only source_labels and target_label",
            "tls_config: cert_file and key_file need one another",
        ]
    );
    let faults = settings::read::<Job>(
        "belfry.yml".as_ref(),
        "relabel_configs: [{regex: '(a'}, {action: burn}]",
        &|_| None,
    )
    .unwrap_err();
    let told = format!("{faults:?}");
    assert!(told.contains("bad regular expression"), "{told}");
    assert!(told.contains("\\\"burn\\\" is none of"), "{told}");
}

#[test]
fn limits_of_nothing_are_none() {
    let job = job("sample_limit: 0\nlabel_limit: 0\nbody_size_limit: 0");
    let limits = job.limits();
    assert_eq!(
        (limits.samples, limits.labels, limits.body_bytes),
        (usize::MAX, usize::MAX, usize::MAX)
    );
    assert_eq!(Job::default().limits().body_bytes, 16 << 20);
    assert_eq!(Size::mib(16).bytes(), 16 << 20);
}
