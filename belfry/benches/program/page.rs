//! From a container's death to the mail server's yes, less the waits that are configured.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use crate::host::Host;
use crate::support::poll;
use crate::support::scratch::Scratch;
use crate::{binary, figure};

const DEATHS: usize = 10;

/// Deaths are as far apart, so that none waits for the collection of another.
const APART: Duration = Duration::from_millis(4_700);

/// At once, and with waits.
pub(crate) fn run() {
    let host = Host::start();
    for (hold, group_wait) in [(0, 0), (5, 2)] {
        let delays = measure(&host, hold, group_wait);
        let (middle, largest) = figure::spread(delays);
        let waits = format!("for: {hold}s, group_wait: {group_wait}s");
        figure::budget(
            &format!("death to mail beyond {waits}, median of {DEATHS}"),
            middle,
            "s",
            1.0,
        );
        figure::budget(
            &format!("death to mail beyond {waits}, slowest"),
            largest,
            "s",
            1.0,
        );
        for name in Host::containers().take(DEATHS) {
            host.engine.docker(&["start", &name]);
        }
    }
}

/// Seconds beyond the waits, one for each death.
fn measure(host: &Host, hold: u64, group_wait: u64) -> Vec<f64> {
    let scratch = Scratch::new();
    let rules = scratch.file("rules.yml", &rules(hold));
    let belfry = host
        .belfry(
            &binary(),
            &format!(
                "rules: {{pack: false, files: [{rules:?}]}}\n{}",
                route(group_wait)
            ),
        )
        .start();
    let names: Vec<String> = Host::containers().collect();
    poll::holds("all containers should be seen", || {
        let page = belfry.get("/metrics/container").body;
        names
            .iter()
            .all(|name| page.contains(&format!("name=\"{name}\"")))
    });
    belfry.wait_for_status("/health/ready", 200);
    let before = host.sink.received().len();
    let victims = &names[..DEATHS];
    for name in victims {
        thread::sleep(APART);
        host.engine.docker(&["kill", name]);
    }
    poll::holds("every death should be mailed", || {
        host.sink.received().len() >= before + DEATHS
    });
    let mailed: BTreeMap<String, f64> = host.sink.received()[before..]
        .iter()
        .filter_map(|got| {
            let at = got.at.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
            let subject = got.mail.header("Subject");
            let name = victims
                .iter()
                .find(|name| subject.contains(name.as_str()))?;
            Some((name.clone(), at))
        })
        .collect();
    victims
        .iter()
        .map(|name| mailed[name] - died(host, name) - (hold + group_wait) as f64)
        .collect()
}

/// When the engine says that a container died, in seconds since 1970.
fn died(host: &Host, name: &str) -> f64 {
    let filter = format!("container={name}");
    let events = host.engine.docker(&[
        "events",
        "--since",
        "1h",
        "--until",
        "0s",
        "--filter",
        "event=die",
        "--filter",
        &filter,
        "--format",
        "{{.TimeNano}}",
    ]);
    let last = events.lines().last().expect("the container died");
    last.parse::<f64>().expect("nanoseconds") / 1e9
}

fn rules(hold: u64) -> String {
    format!(
        "groups:\n  - name: bench\n    rules:\n      - alert: ContainerGone\n        \
         expr: belfry_container_state{{state=\"running\"}} == 0\n        for: {hold}s\n        \
         labels: {{severity: critical}}\n        \
         annotations: {{summary: '{{{{ $labels.name }}}} does not run', runbook_url: /runbooks/container-down}}\n"
    )
}

/// Each container has a group of its own, so that its mail waits for no other.
fn route(group_wait: u64) -> String {
    format!(
        "alerter:\n  route: {{receiver: ops, group_by: [alertname, name], group_wait: {group_wait}s, \
         group_interval: 5m, repeat_interval: 4h}}\n  \
         receivers: [{{name: ops, email_configs: [{{to: ops@example.org, send_resolved: false}}]}}]\n"
    )
}
