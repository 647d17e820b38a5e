//! Mutual watch, on hosts in network namespaces: what is paged when a host dies,
//! stands still, or cannot be reached by one of the others.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::setup::Setup;
use crate::support::belfry::{Belfry, Launch};
use crate::support::lan::Lan;
use crate::support::poll;

const RULES: &str = "\
- alert: PeerDead
  expr: belfry_peer_dead == 1
  labels: {severity: critical}
  annotations: {summary: '{{ $labels.peer }} is dead'}
- record: test:dead:max
  expr: max_over_time(belfry_peer_dead[1h])
";

/// Three Belfrys that name each other.
struct Three {
    lan: Lan,
    belfrys: Vec<(&'static str, Belfry)>,
    _setups: Vec<Setup>,
}

impl Three {
    #[track_caller]
    fn start() -> Self {
        let hosts = ["a", "b", "c"];
        let lan = Lan::new(&hosts);
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
            let setup = Setup::new().rules(RULES).part(&format!(
                "peer: {{name: {host}, interval: 1s, silent_after: 4s, peers: [{others}]}}"
            ));
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

    fn belfry(&self, host: &str) -> &Belfry {
        &self
            .belfrys
            .iter()
            .find(|(have, _)| *have == host)
            .expect("a host")
            .1
    }

    fn belfry_mut(&mut self, host: &str) -> &mut Belfry {
        &mut self
            .belfrys
            .iter_mut()
            .find(|(have, _)| *have == host)
            .expect("a host")
            .1
    }

    fn metric(&self, host: &str, name: &str, peer: &str) -> Option<f64> {
        self.belfry(host)
            .metric(&format!("{name}{{peer=\"{peer}\"}}"))
    }

    /// For whom each of these hosts pages now.
    fn pages(&self, hosts: &[&str]) -> Vec<String> {
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
    fn ever(&self, hosts: &[&str]) -> Vec<String> {
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
}

#[test]
fn a_host_that_is_killed_or_frozen_is_paged_by_one_survivor_and_resolves() {
    let mut three = Three::start();
    three.belfry_mut("c").signal(Signal::STOP);
    poll::holds("one survivor should page", || {
        three.pages(&["a", "b"]) == ["a: c is dead"]
    });
    assert_eq!(three.metric("b", "belfry_peer_up", "c"), Some(0.0));
    three.belfry_mut("c").signal(Signal::CONT);
    poll::holds("it should resolve", || three.pages(&["a", "b"]).is_empty());
    three.belfry_mut("a").kill();
    poll::holds("the other one should page", || {
        three.pages(&["b", "c"]) == ["b: a is dead"]
    });
    assert_eq!(three.ever(&["c"]), [""; 0]);
}

#[test]
fn a_link_that_is_cut_or_flaps_pages_nobody_while_a_third_host_sees_both() {
    let three = Three::start();
    let both = |cut| {
        three.lan.cut("a", "b", cut);
        three.lan.cut("b", "a", cut);
    };
    both(true);
    for (host, peer) in [("a", "b"), ("b", "a")] {
        poll::holds("the cut should be seen as one", || {
            three.metric(host, "belfry_peer_link_cut", peer) == Some(1.0)
        });
    }
    both(false);
    poll::holds("it should heal", || {
        three.metric("a", "belfry_peer_up", "b") == Some(1.0)
    });
    // One way only.
    three.lan.cut("b", "c", true);
    poll::holds("the cut should be seen from one side", || {
        three.metric("b", "belfry_peer_link_cut", "c") == Some(1.0)
    });
    assert_eq!(three.metric("c", "belfry_peer_up", "b"), Some(1.0));
    three.lan.cut("b", "c", false);
    // It flaps: longer and shorter than it takes to be missed.
    for pause_ms in [500, 6000, 500, 6000] {
        both(true);
        thread::sleep(Duration::from_millis(pause_ms));
        both(false);
        thread::sleep(Duration::from_millis(pause_ms / 4));
    }
    poll::holds("all should see each other again", || {
        three.metric("b", "belfry_peer_up", "a") == Some(1.0)
    });
    assert_eq!(three.ever(&["a", "b", "c"]), [""; 0]);
}

#[test]
fn a_host_that_is_cut_off_itself_pages_for_nobody_and_is_paged_once() {
    let three = Three::start();
    for other in ["b", "c"] {
        three.lan.cut("a", other, true);
        three.lan.cut(other, "a", true);
    }
    poll::holds("it should notice", || {
        ["b", "c"]
            .iter()
            .all(|peer| three.metric("a", "belfry_peer_isolated", peer) == Some(1.0))
    });
    poll::holds("one of the others should page", || {
        three.pages(&["a", "b", "c"]) == ["b: a is dead"]
    });
    assert_eq!(three.ever(&["a", "c"]), [""; 0]);
}
