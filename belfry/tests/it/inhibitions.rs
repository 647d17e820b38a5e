//! Of one trouble only the cause is told: what the shipped inhibitions hide and
//! what they leave, in Debian's Alertmanager and in ours alike.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::alertmanager::Alone;
use crate::support::alone::Alertmanager;
use crate::support::{http, poll};

/// An alert: its labels as `name=value`, the first one the alert's name.
type Alert = &'static str;

/// Alerts that are there at once: those that are told, and those that are hidden.
const SCENES: &[(&[Alert], &[Alert])] = &[
    (
        &["RedisDown severity=critical component=redis"],
        &[
            "CeleryBrokerDown severity=critical component=celery",
            "CeleryNoWorkers severity=critical component=celery",
            "CeleryQueueStuck severity=warning component=celery queue_name=mail",
            "RedisMemory severity=warning component=redis",
            "RedisRestarted severity=info component=redis",
        ],
    ),
    (
        &["CeleryBrokerDown severity=critical component=celery"],
        &[
            "CeleryNoWorkers severity=critical component=celery",
            "CeleryWorkerDown severity=warning component=celery hostname=a",
            "CeleryBeatLate severity=warning component=celery name=tidy",
        ],
    ),
    (
        // Another Redis than the broker.
        &[
            "RedisDown severity=critical component=redis instance=cache",
            "CeleryBrokerDown severity=critical component=celery instance=broker",
        ],
        &[],
    ),
    (
        &[
            "CeleryNoWorkers severity=critical component=celery",
            "CeleryTasksFail severity=warning component=celery name=tidy",
        ],
        &[
            "CeleryWorkerDown severity=warning component=celery hostname=a",
            "CeleryQueueStuck severity=critical component=celery queue_name=mail",
            "CeleryQueueOld severity=warning component=celery queue_name=mail",
        ],
    ),
    (
        &["EngineDown severity=critical component=engine"],
        &[
            "ContainerDown severity=critical component=container name=web",
            "ServiceMissing severity=critical component=service service=web",
        ],
    ),
    (
        &["ManyContainersDown severity=critical component=container"],
        &[
            "ContainerDown severity=critical component=container name=web",
            "ContainerCrashLoop severity=critical component=container name=api",
            "ServiceNotReady severity=warning component=service service=web",
        ],
    ),
    (
        &[
            "ContainerCrashLoop severity=critical component=container name=api",
            "ContainerDown severity=critical component=container name=web",
        ],
        &["ContainerDown severity=critical component=container name=api"],
    ),
    (
        &[
            "PostgresDown severity=critical component=postgres",
            "PostgresDiskFull severity=critical component=postgres mountpoint=/",
            "PostgresOtherData severity=critical component=postgres",
        ],
        &[
            "PostgresConnections severity=critical component=postgres",
            "DiskSpace severity=critical component=host mountpoint=/",
        ],
    ),
    (
        &[
            "DiskSpace severity=critical component=host mountpoint=/",
            "DiskSpace severity=warning component=host mountpoint=/srv",
        ],
        &[
            "DiskSpace severity=warning component=host mountpoint=/",
            "DiskSpace severity=info component=host mountpoint=/",
            "DiskSpace severity=info component=host mountpoint=/srv",
            "DiskFillsUp severity=critical component=host mountpoint=/",
        ],
    ),
    (
        &[
            "MemoryLow severity=critical component=host",
            "LoadHigh severity=warning component=host",
        ],
        &[
            "MemoryLow severity=warning component=host",
            "SwapFull severity=warning component=host",
            "CpuBusy severity=info component=host",
        ],
    ),
    (
        &[
            "ManyProbesFailed severity=critical component=probe job=probe instance=",
            "CertificateInvalid severity=critical component=probe job=probe instance=b",
        ],
        &[
            "ProbeFailed severity=critical component=probe job=probe instance=a",
            "ProbeFailed severity=critical component=probe job=probe instance=b",
        ],
    ),
    (
        &["TargetDown severity=critical component=target job=web"],
        &[
            "TargetDown severity=warning component=target job=web",
            "ScrapeSlow severity=info component=target job=web",
            "TargetFlapping severity=warning component=target job=web",
        ],
    ),
    (
        &[
            "PeerDown severity=critical component=peer peer=b",
            "BelfryStateNotWritable severity=critical component=belfry",
        ],
        &[
            "PeerLinkCut severity=info component=peer peer=b instance=c",
            "BelfrySeriesNotKept severity=warning component=belfry",
        ],
    ),
];

/// The labels of an alert in one of the scenes, which all are on machines of their own.
fn labels(scene: usize, alert: Alert) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let machine = format!("machine-{scene}");
    labels.insert("instance".to_owned(), machine.clone());
    labels.insert("job".to_owned(), machine.clone());
    let mut words = alert.split(' ');
    labels.insert(
        "alertname".to_owned(),
        words.next().expect("a name").to_owned(),
    );
    for word in words {
        let (name, value) = word.split_once('=').expect("a label");
        // Empty is absent; what is for all machines must not meet another scene's.
        let value = match name {
            "instance" | "job" | "peer" if !value.is_empty() => format!("{machine}-{value}"),
            _ => value.to_owned(),
        };
        labels.insert(name.to_owned(), value);
    }
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// Whether each alert is hidden, as the API says.
fn hidden(address: &str) -> BTreeMap<String, bool> {
    let answer = http::get(address, "/api/v2/alerts").map(|answer| answer.json());
    let Ok(Value::Array(alerts)) = answer else {
        return BTreeMap::new();
    };
    let pair = |alert: &Value| {
        let by = alert["status"]["inhibitedBy"].as_array().expect("a list");
        (alert["labels"].to_string(), !by.is_empty())
    };
    alerts.iter().map(pair).collect()
}

#[test]
fn only_causes_are_told_by_the_shipped_inhibitions() {
    // Debian's does not know names of inhibitions.
    let mut rules = String::from("inhibit_rules:\n");
    for line in rules::pack::INHIBIT_RULES.lines() {
        match line.strip_prefix("- name:") {
            Some(_) => rules.push_str("-\n"),
            None => rules.push_str(&format!("{line}\n")),
        }
    }
    let theirs = Alertmanager::with(&rules);
    let config = format!("route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{rules}");
    let ours = Alone::start(&config, &[]);
    let mut wanted = BTreeMap::new();
    let mut alerts = Vec::new();
    for (at, (told, silent)) in SCENES.iter().enumerate() {
        for (list, is_hidden) in [(told, false), (silent, true)] {
            for alert in *list {
                let labels = json!(labels(at, alert));
                assert_eq!(
                    wanted.insert(labels.to_string(), is_hidden),
                    None,
                    "{labels}"
                );
                alerts.push(json!({ "labels": labels }));
            }
        }
    }
    let body = Value::from(alerts).to_string();
    for address in [theirs.address, ours.address()] {
        let answer = http::post(&address, "/api/v2/alerts", &body).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let mut have = BTreeMap::new();
        let settles = poll::settles(|| {
            have = hidden(&address);
            (have == wanted).then_some(())
        });
        let differ: Vec<_> = wanted
            .iter()
            .filter(|(alert, is)| have.get(*alert) != Some(*is))
            .collect();
        assert!(
            settles,
            "{address}: not hidden or told as wanted: {differ:#?}"
        );
    }
}

#[test]
fn every_alert_of_the_scenes_is_one_of_the_pack() {
    for (told, silent) in SCENES {
        for alert in told.iter().chain(*silent) {
            let name = alert.split(' ').next().expect("a name");
            let line = format!("- alert: {name}\n");
            let severity = alert
                .split("severity=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            let known = rules::pack::FILES.iter().any(|(_, text)| {
                text.split(&line).skip(1).any(|rest| {
                    let own = rest.split("- alert:").next().unwrap_or_default();
                    own.contains(&format!("severity: {}", severity.expect("a severity")))
                })
            });
            assert!(known, "{alert}");
        }
    }
}
