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

/// Those, and the shipped one about a link that is cut, which here fires soon.
fn rules() -> String {
    let (_, pack) = rules::pack::FILES
        .iter()
        .find(|(name, _)| *name == "probe.yml")
        .expect("the pack has it");
    let (_, rest) = pack
        .split_once("- alert: PeerLinkCut\n")
        .expect("the rule is shipped");
    let (rule, _) = rest.split_once("annotations:").expect("it says something");
    let lines = rule.lines().map(str::trim);
    let kept: Vec<_> = lines
        .filter(|line| line.starts_with("expr:") || line.starts_with("labels:"))
        .collect();
    format!(
        "{RULES}- alert: PeerLinkCut\n  {}\n  for: 1s\n  annotations: {{summary: 'cannot see {{{{ $labels.peer }}}}'}}\n",
        kept.join("\n  ")
    )
}

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
                "mail: {{smarthost: '{}:{}', from: belfry@example.org, to: {host}@example.org, tls: none, timeout: 1m, digest: ''}}\n\
                 alerter:\n  route:\n    {{receiver: ops, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h, \
                 routes: [{{receiver: page, matchers: [severity=\"info\"]}}]}}\n  \
                 receivers: [{{name: ops, email_configs: [{{to: {host}@example.org, send_resolved: true}}]}}, {{name: page}}]",
                lan.outside(),
                sink.port()
            );
            let setup = Setup::new()
                .rules(&rules())
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
            let alerts = alerts["data"]["alerts"].as_array().expect("alerts");
            // What is only for the page of that host calls nobody.
            for alert in alerts
                .iter()
                .filter(|alert| alert["labels"]["severity"] != "info")
            {
                pages.push(format!(
                    "{host}: {}",
                    alert["annotations"]["summary"].as_str().unwrap_or_default()
                ));
            }
        }
        pages
    }

    /// Whether a host shows that it cannot see this peer.
    pub(super) fn shows_cut(&self, host: &str, peer: &str) -> bool {
        let query = format!(
            "/api/v1/query?query=ALERTS%7Balertname%3D%22PeerLinkCut%22%2Calertstate%3D%22firing%22%2Cpeer%3D%22{peer}%22%7D"
        );
        let answer = self.belfry(host).get(&query).json();
        let found = answer["data"]["result"].as_array();
        found.is_some_and(|found| !found.is_empty())
    }

    /// The subjects of all mails that any of them has sent.
    pub(super) fn subjects(&self) -> Vec<String> {
        let mails = self.sink.received().into_iter();
        mails
            .map(|got| got.mail.header("Subject").to_owned())
            .collect()
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
