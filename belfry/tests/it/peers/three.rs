//! Three Belfrys that name each other, each on a host of its own.

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::lan::Lan;
use crate::support::poll;
use crate::support::sink::Sink;

pub(super) const RULES: &str = "\
- alert: PeerDead
  expr: belfry_peer_dead == 1
  labels: {severity: critical}
  annotations: {summary: '{{ $labels.peer }} is dead'}
- alert: SiteDown
  expr: max by (site) (belfry_site_outside_up) == 0
  labels: {severity: critical}
  annotations: {summary: '{{ $labels.site }} is down from outside'}
";

/// Three Belfrys that name each other.
pub(super) struct Three {
    pub(super) lan: Lan,
    belfrys: Vec<(&'static str, Belfry)>,
    sink: Sink,
    _setups: Vec<Setup>,
}

impl Three {
    #[track_caller]
    pub(super) fn start() -> Self {
        Self::with(|_, _| (String::new(), String::new()))
    }

    /// With further keys of `peer`, and further sections, for each host.
    #[track_caller]
    pub(super) fn with(more: impl Fn(&Lan, &str) -> (String, String)) -> Self {
        let hosts = ["a", "b", "c"];
        let (lan, sink) = (Lan::new(&hosts), Sink::for_all_hosts());
        let (mut belfrys, mut setups) = (Vec::new(), Vec::new());
        for host in hosts {
            let others: String = hosts
                .iter()
                .filter(|other| **other != host)
                .map(|other| {
                    format!(
                        "{{name: {other}, url: 'http://{}:9911'}}, ",
                        lan.address(other)
                    )
                })
                .collect();
            let (mut keys, sections) = more(&lan, host);
            if !keys.contains("silent_after") {
                keys.insert_str(0, "silent_after: 10s, ");
            }
            let peer = format!("peer: {{name: {host}, interval: 1s, peers: [{others}], {keys}}}");
            let mail = format!(
                "mail: {{smarthost: '{}:{}', from: belfry@example.org, to: {host}@example.org, tls: none, timeout: 1m}}\n\
                 alerter:\n  route: {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n  \
                 receivers: [{{name: ops, email_configs: [{{to: {host}@example.org, send_resolved: true}}]}}]",
                lan.outside(),
                sink.port()
            );
            let setup = Setup::new()
                .rules(RULES)
                .part(&peer)
                .part(&mail)
                .part(&sections);
            let belfry = Launch::with(&setup.config())
                .binary(&lan.on(host, env!("CARGO_BIN_EXE_belfry")))
                .listen(&format!("{}:9911", lan.address(host)))
                .start();
            belfrys.push((host, belfry));
            setups.push(setup);
        }
        let three = Self {
            lan,
            belfrys,
            sink,
            _setups: setups,
        };
        for host in hosts {
            for other in hosts.iter().filter(|other| **other != host) {
                poll::holds("all should see each other", || {
                    three.metric(host, "belfry_peer_up", other) == Some(1.0)
                });
            }
        }
        three
    }

    pub(super) fn belfry(&self, host: &str) -> &Belfry {
        &self
            .belfrys
            .iter()
            .find(|(have, _)| *have == host)
            .expect("a host")
            .1
    }

    pub(super) fn belfry_mut(&mut self, host: &str) -> &mut Belfry {
        &mut self
            .belfrys
            .iter_mut()
            .find(|(have, _)| *have == host)
            .expect("a host")
            .1
    }

    pub(super) fn metric(&self, host: &str, name: &str, peer: &str) -> Option<f64> {
        self.series(host, &format!("{name}{{peer=\"{peer}\"}}"))
    }

    pub(super) fn series(&self, host: &str, series: &str) -> Option<f64> {
        self.belfry(host).metric(series)
    }

    /// For whom each of these hosts pages now.
    pub(super) fn pages(&self, hosts: &[&str]) -> Vec<String> {
        let mut pages = Vec::new();
        for host in hosts {
            let alerts = self.belfry(host).get("/api/v1/alerts").json();
            for alert in alerts["data"]["alerts"].as_array().expect("alerts") {
                pages.push(format!(
                    "{host}: {}",
                    alert["annotations"]["summary"].as_str().unwrap_or_default()
                ));
            }
        }
        pages
    }

    /// For whom each of these hosts has ever said that it is dead.
    pub(super) fn ever(&self, hosts: &[&str]) -> Vec<String> {
        let mut said = Vec::new();
        for host in hosts {
            let query = "/api/v1/query?query=max_over_time(belfry_peer_dead%5B1h%5D)%20%3E%200";
            let answer = self.belfry(host).get(query).json();
            for one in answer["data"]["result"].as_array().expect("a vector") {
                said.push(format!(
                    "{host}: {}",
                    one["metric"]["peer"].as_str().unwrap_or_default()
                ));
            }
        }
        said
    }

    /// What each host has mailed about dead hosts, and how it was marked.
    pub(super) fn mails(&self) -> Vec<String> {
        let mails = self.sink.received().into_iter().filter_map(|got| {
            let (from, _) = got.recipients.first()?.split_once('@')?;
            let subject = got.mail.header("Subject");
            let (mark, _) = subject.split_once(' ')?;
            let of = ["a", "b", "c"];
            let of = of.iter().find(|of| {
                subject.contains(&format!("{of} is dead"))
                    || subject.starts_with(&format!("[OK] {of} on "))
            })?;
            Some(format!("{from}: {mark} {of} is dead"))
        });
        mails.collect()
    }

    /// Waits until a host has looked at its rules some more times, and mailed what came of that.
    #[track_caller]
    pub(super) fn rounds_pass(&self, host: &str) {
        let rounds = || {
            self.series(host, "belfry_evaluations_total")
                .unwrap_or_default()
        };
        let before = rounds();
        poll::holds("some rounds should pass", || rounds() >= before + 4.0);
    }
}
