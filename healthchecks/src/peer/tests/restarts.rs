//! A host dies while those who are left are started anew: one of them pages, and no
//! other after it.

use std::ops::Range;

use super::*;

/// A host that is down for so long while it is started anew, in seconds.
const DOWN: i64 = 2;

/// A host that is left, through its restarts.
struct Survivor {
    name: &'static str,
    restarts: Vec<i64>,
    kept: BTreeMap<String, Kept>,
    peers: Option<Peers>,
    asks: i64,
    paged: bool,
}

impl Survivor {
    /// One that has seen the others until now.
    fn new(name: &'static str, asks: i64, restarts: &[i64]) -> Self {
        let mut peers = Peers::default();
        for other in HOSTS.iter().filter(|other| **other != name) {
            let sight = Sight {
                sees: HOSTS.iter().map(|host| (*host).to_owned()).collect(),
                ..Sight::default()
            };
            peers.answered(other, sight, 0);
        }
        peers.asked();
        Self {
            name,
            restarts: restarts.to_vec(),
            kept: BTreeMap::new(),
            peers: Some(peers),
            asks,
            paged: false,
        }
    }

    /// It goes and comes as it is to.
    fn restart(&mut self, config: &Config, second: i64) {
        if self.restarts.contains(&second)
            && let Some(peers) = self.peers.take()
        {
            self.kept = peers.kept(self.name, config, second * 1000);
        }
        if self.restarts.contains(&(second - DOWN)) {
            let mut peers = Peers::default();
            peers.restore(self.kept.clone(), config, second * 1000);
            self.peers = Some(peers);
            self.asks = second + 2;
        }
    }

    /// It asks the others if it is time for that.
    fn ask(&mut self, config: &Config, second: i64, sights: &BTreeMap<&str, Sight>) {
        let Some(peers) = &mut self.peers else {
            return;
        };
        if second == self.asks {
            self.asks += 10;
            peers.ask(self.name, config, second * 1000);
            for other in HOSTS.iter().filter(|other| **other != self.name) {
                match sights.get(other) {
                    Some(sight) => peers.answered(other, sight.clone(), second * 1000),
                    None => peers.silent(other, "refused"),
                }
            }
            peers.asked();
        }
        let views = peers.views(self.name, config, second * 1000);
        self.paged |= peers.asked && views.iter().any(|view| view.ours);
    }
}

/// Who has ever paged after these seconds, when `c` died at the start of all.
fn paged(survivors: &mut [Survivor], seconds: Range<i64>) -> Vec<&'static str> {
    let config = Config::default();
    for second in seconds {
        for one in &mut *survivors {
            one.restart(&config, second);
        }
        let sights: BTreeMap<_, _> = survivors
            .iter()
            .filter_map(|one| {
                let sight = one.peers.as_ref()?.sight(one.name, &config, second * 1000);
                Some((one.name, sight))
            })
            .collect();
        for one in &mut *survivors {
            one.ask(&config, second, &sights);
        }
    }
    let paged = survivors.iter().filter(|one| one.paged);
    paged.map(|one| one.name).collect()
}

#[test]
fn survivors_that_are_started_anew_at_any_time_page_once() {
    for first in (1..=91).step_by(5) {
        for second in (1..=91).step_by(7) {
            for asks in [1, 8] {
                let mut survivors = [
                    Survivor::new("a", 5, &[first]),
                    Survivor::new("b", asks, &[second]),
                ];
                let paged = paged(&mut survivors, 1..180);
                assert_eq!(paged.len(), 1, "{paged:?} after {first} and {second}");
            }
        }
    }
}

#[test]
fn a_survivor_that_is_started_again_and_again_keeps_the_other_from_paging_no_longer_than_once() {
    let restarts: Vec<i64> = (10..200).step_by(20).collect();
    let mut survivors = [
        Survivor::new("a", 5, &restarts),
        Survivor::new("b", 4, &[20]),
    ];
    assert_eq!(paged(&mut survivors, 1..100), [""; 0]);
    assert_eq!(paged(&mut survivors, 100..125), ["b"]);
    // Also when it has settled, and misses the dead one itself.
    assert_eq!(paged(&mut survivors, 125..400), ["b"]);
}
