//! How sites look from outside: peers look at those that they are told of, and tell the
//! owner what they see.

use std::collections::BTreeSet;

use exposition::{Kind, Writer};
use serde::{Deserialize, Serialize};

use super::share::{LONG, SITES, taken};
use super::{Config, Peers, Verdict};
use crate::probe::{self, Reason, Target};

/// Why a site is down is said in one word.
const WORD: usize = 64;

/// How a site looks from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Whether it is up.
    pub up: bool,
    /// Why it is not; empty if it is.
    #[serde(default)]
    pub reason: String,
}

/// What a peer's site is called here.
fn called(peer: &str, site: &str) -> String {
    format!("{peer}/{site}")
}

impl Peers {
    /// What there is to look at for the others.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for (peer, known) in &self.all {
            let sites = known.sight.sites.iter().take(SITES);
            targets.extend(sites.filter(|site| taken(site)).map(|site| Target {
                name: called(peer, &site.name),
                target: site.target.clone(),
                module: site.module.clone(),
                ..Target::default()
            }));
        }
        targets
    }

    /// How the sites of a peer look from here.
    #[must_use]
    pub fn seen(&self, peer: &str, looks: &[probe::View]) -> Vec<Seen> {
        let sites = self.all.get(peer).map(|known| &known.sight.sites);
        let mut named = BTreeSet::new();
        let sites = sites.into_iter().flatten().take(SITES);
        sites
            .filter(|site| named.insert(&site.name))
            .filter_map(|site| {
                let name = called(peer, &site.name);
                let look = looks.iter().find(|look| look.name == name)?;
                let up = look.up?;
                let reason = look.reason.filter(|_| !up);
                Some(Seen {
                    name: site.name.clone(),
                    up,
                    reason: reason.map_or("", Reason::as_str).to_owned(),
                })
            })
            .collect()
    }

    /// Adds how our sites look from elsewhere, and those of others from here.
    pub fn write_sites(
        &self,
        me: &str,
        config: &Config,
        looks: &[probe::View],
        now_ms: i64,
        page: &mut Writer,
    ) {
        let views = self.views(me, config, now_ms);
        let up = views.iter().filter(|view| view.verdict == Verdict::Up);
        let mut outside = Vec::new();
        for view in up {
            let Some(known) = self.all.get(&view.name) else {
                continue;
            };
            let mut named = BTreeSet::new();
            let all = known.sight.seen.iter().take(SITES);
            let taken = all.filter(|seen| {
                seen.name.len() <= LONG && seen.reason.len() <= WORD && named.insert(&seen.name)
            });
            outside.extend(taken.map(|seen| (&*view.name, seen)));
        }
        write(
            page,
            (
                "belfry_site_outside_up",
                "Whether our site is up, as a peer sees it.",
            ),
            ("belfry_site_outside_failure_info", "Why it is not."),
            "from",
            &outside,
        );
        let here: Vec<_> = self
            .all
            .keys()
            .map(|peer| (peer.as_str(), self.seen(peer, looks)))
            .collect();
        let here: Vec<_> = here
            .iter()
            .flat_map(|(peer, seen)| seen.iter().map(move |seen| (*peer, seen)))
            .collect();
        write(
            page,
            (
                "belfry_peer_site_up",
                "Whether a peer's site is up, as we see it.",
            ),
            ("belfry_peer_site_failure_info", "Why it is not."),
            "peer",
            &here,
        );
    }
}

fn write(
    page: &mut Writer,
    up: (&str, &str),
    why: (&str, &str),
    whose: &str,
    all: &[(&str, &Seen)],
) {
    if all.is_empty() {
        return;
    }
    page.family(up.0, up.1, Kind::Gauge);
    for (peer, seen) in all {
        let labels = [(whose, *peer), ("site", &seen.name)];
        page.sample(&labels, f64::from(u8::from(seen.up)));
    }
    page.family(why.0, why.1, Kind::Gauge);
    for (peer, seen) in all.iter().filter(|(_, seen)| !seen.up) {
        let labels = [
            (whose, *peer),
            ("reason", &seen.reason),
            ("site", &seen.name),
        ];
        page.sample(&labels, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Shared, Sight};

    #[test]
    fn a_peer_cannot_make_us_look_at_much_or_in_any_way() {
        let site = |name: &str, target: &str, module: &str| Shared {
            name: name.to_owned(),
            target: target.to_owned(),
            module: module.to_owned(),
        };
        let mut sites = vec![
            site("a", "https://a.example/", "http_2xx"),
            site("b", "b", "command"),
            site("", "c", "http_2xx"),
            site("d", &"d".repeat(600), "http_2xx"),
        ];
        sites.extend((0..100).map(|at| site(&at.to_string(), "x", "tcp_connect")));
        let mut peers = Peers::default();
        let sight = Sight {
            sites,
            ..Sight::default()
        };
        peers.answered("p", sight, 0);
        let targets = peers.targets();
        assert_eq!(targets.len(), SITES - 3);
        assert_eq!(targets[0].name, "p/a");
        assert!(
            targets[1..]
                .iter()
                .all(|target| target.module == "tcp_connect")
        );
    }
}
