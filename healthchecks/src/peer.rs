//! Mutual watch: Belfrys that name each other. A peer that nobody sees any more is
//! dead, and one of those who are left says so; a peer that others still see is
//! not, whatever became of the way to it.
//!
//! Decisions only: who asks whom, and how, is the wiring's.

mod page;
mod share;
mod sight;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use share::{Shared, shared};
pub use sight::{Sight, Standing};
pub use site::Seen;

use crate::probe::Target;

settings::section! {
    /// Other Belfrys, which watch this one as this one watches them.
    pub struct Config {
        /// The name by which the others call this one. Empty: the name of this host.
        pub name: String = String::new(),
        /// The others.
        pub peers: Vec<Peer> = vec![],
        /// How often each is asked.
        pub interval: Duration = Duration::from_secs(10),
        /// After so long without an answer it is not seen any more.
        pub silent_after: Duration = Duration::from_secs(30),
        /// What all of them show each other; without it nobody is told whom this one sees. Empty: everybody who can reach it is told.
        pub token: settings::Secret = settings::Secret::default(),
        /// The probes whose targets the others look at too, from outside. Empty: the outside ones of `probe.sites`.
        pub share: Vec<String> = vec![],
        /// Whether the sites of the others are looked at from here.
        pub look: bool = true,
    }
}

settings::section! {
    /// Another Belfry.
    pub struct Peer {
        /// Its name, which all must call it by.
        pub name: String = String::new(),
        /// Where it is reached, such as http://10.8.0.2:9911.
        pub url: String = String::new(),
        /// The authorities that are trusted for its certificate, PEM. Empty: those of the system.
        pub ca_file: std::path::PathBuf = std::path::PathBuf::new(),
    }
}

impl Config {
    /// What is wrong with the section beside these targets, as (key, message).
    #[must_use]
    pub fn faults(&self, probes: &[Target]) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (at, name) in self.share.iter().enumerate() {
            if !probes.iter().any(|target| target.called() == name) {
                faults.push((
                    format!("peer.share[{at}]"),
                    format!("no target of probe.targets is named {name:?}"),
                ));
            }
        }
        let mut names = BTreeSet::new();
        for (at, peer) in self.peers.iter().enumerate() {
            if peer.name.is_empty() || !names.insert(&peer.name) {
                faults.push((
                    format!("peer.peers[{at}].name"),
                    "a name of its own is wanted".to_owned(),
                ));
            }
            if !peer.url.starts_with("http://") && !peer.url.starts_with("https://") {
                faults.push((
                    format!("peer.peers[{at}].url"),
                    "a URL of http or https is wanted".to_owned(),
                ));
            }
        }
        if self.silent_after < self.interval * 2 {
            faults.push((
                "peer.silent_after".to_owned(),
                "less than two intervals would be one lost packet".to_owned(),
            ));
        }
        faults
    }
}

/// What is kept of a peer over a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// When it last answered, in milliseconds since 1970.
    pub answered_ms: i64,
    /// Whether it was seen then.
    pub seen: bool,
    /// Whether it fell to this one to page for it.
    #[serde(default)]
    pub ours: bool,
    /// How it was when it last answered.
    pub standing: Standing,
}

/// What one knows of a peer.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    answered_ms: Option<i64>,
    /// Its silence counts from here.
    silent_ms: i64,
    /// Whether it has answered since our start.
    heard: bool,
    /// Whether we page for it.
    paged: bool,
    sight: Sight,
    reason: String,
}

/// What is to be thought of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It answers.
    Up,
    /// It was never seen.
    New,
    /// Another sees it; only the way from here is cut.
    Cut,
    /// Nobody sees it.
    Dead,
    /// Nobody answers here: it is this one that is cut off.
    Isolated,
}

/// One peer, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// Whether it falls to this one to page for it.
    pub ours: bool,
    /// When it last answered, in milliseconds since 1970.
    pub answered_ms: Option<i64>,
    /// Why it did not answer last.
    pub reason: String,
    /// How it was when it last answered.
    pub standing: Standing,
}

/// What this one knows of all peers.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    all: BTreeMap<String, Known>,
    asked: bool,
}

impl Peers {
    /// A peer answered, and told whom it sees.
    pub fn answered(&mut self, name: &str, sight: Sight, now_ms: i64) {
        let known = self.all.entry(name.to_owned()).or_default();
        *known = Known {
            answered_ms: Some(now_ms),
            silent_ms: now_ms,
            heard: true,
            paged: false,
            sight,
            reason: String::new(),
        };
    }

    /// Each is about to be asked. For whom we page by now we go on to, whoever else comes
    /// to miss it.
    pub fn ask(&mut self, me: &str, config: &Config, now_ms: i64) {
        for view in self.views(me, config, now_ms) {
            if let Some(known) = self.all.get_mut(&view.name) {
                known.paged = view.ours;
            }
        }
    }

    /// Each was asked, and has answered or been given up.
    pub fn asked(&mut self) {
        self.asked = true;
    }

    /// Whether each of these was asked since the start; before, nothing is to be thought of them.
    #[must_use]
    pub fn were_asked(&self, config: &Config) -> bool {
        self.asked || config.peers.is_empty()
    }

    /// What is to be known after a restart: one that dies meanwhile, or was dead before,
    /// is no new one.
    #[must_use]
    pub fn kept(&self, me: &str, config: &Config, now_ms: i64) -> BTreeMap<String, Kept> {
        let kept = self
            .views(me, config, now_ms)
            .into_iter()
            .filter_map(|view| {
                let kept = Kept {
                    answered_ms: view.answered_ms?,
                    seen: view.verdict == Verdict::Up,
                    ours: view.ours,
                    standing: view.standing,
                };
                Some((view.name, kept))
            });
        kept.collect()
    }

    /// Goes on with what was kept. Who was seen has as long to answer as ever: it is we
    /// who were away. Who was not is not, even if the clock was put back meanwhile.
    pub fn restore(&mut self, kept: BTreeMap<String, Kept>, config: &Config, now_ms: i64) {
        let missed_ms = now_ms - silent_after_ms(config);
        let known = kept.into_iter().map(|(name, kept)| {
            let answered_ms = kept.answered_ms.min(now_ms);
            let known = Known {
                answered_ms: Some(answered_ms),
                silent_ms: match kept.seen {
                    true => now_ms,
                    false => answered_ms.min(missed_ms),
                },
                heard: false,
                paged: kept.ours,
                sight: Sight {
                    standing: kept.standing,
                    ..Sight::default()
                },
                reason: String::new(),
            };
            (name, known)
        });
        self.all = known.collect();
    }

    /// A peer did not answer.
    pub fn silent(&mut self, name: &str, reason: &str) {
        reason.clone_into(&mut self.all.entry(name.to_owned()).or_default().reason);
    }

    /// Forgets those that are not configured any more.
    pub fn retain(&mut self, config: &Config) {
        self.all
            .retain(|name, _| config.peers.iter().any(|peer| peer.name == *name));
    }

    /// Moves all times: the wall clock was stepped.
    pub fn shift(&mut self, delta_ms: i64) {
        for known in self.all.values_mut() {
            known.answered_ms = known.answered_ms.map(|answered_ms| answered_ms + delta_ms);
            known.silent_ms += delta_ms;
        }
    }

    /// Whom this one sees.
    #[must_use]
    pub fn sight(&self, me: &str, config: &Config, now_ms: i64) -> Sight {
        let mut sight = Sight {
            name: me.to_owned(),
            ..Sight::default()
        };
        for (name, known) in &self.all {
            match known.seen(config, now_ms) {
                // Of whom it has heard nothing since its start it does not know.
                Some(true) if !known.heard => sight.awaits.insert(name.clone()),
                Some(true) => sight.sees.insert(name.clone()),
                Some(false) => sight.misses.insert(name.clone()),
                None => false,
            };
        }
        let views = self.views(me, config, now_ms).into_iter();
        sight.pages = views
            .filter(|view| view.ours)
            .map(|view| view.name)
            .collect();
        sight
    }

    /// What is to be thought of each peer.
    #[must_use]
    pub fn views(&self, me: &str, config: &Config, now_ms: i64) -> Vec<View> {
        let seen: Vec<_> = self
            .all
            .iter()
            .filter(|(_, known)| known.seen(config, now_ms) == Some(true))
            .collect();
        // A witness of before our start that is still to be heard may see whom we do not.
        let waiting = seen.iter().any(|(_, known)| !known.heard);
        // The first by name of the others who say so of a peer.
        let first = |name: &str, says: fn(&Sight) -> &BTreeSet<String>| {
            let others = seen.iter().filter(|(other, _)| *other != name);
            let say = others.filter(|(_, other)| says(&other.sight).contains(name));
            say.map(|(other, _)| other.as_str()).min()
        };
        let is_first = |first: Option<&str>| first.is_none_or(|first| me < first);
        let view = |(name, known): (&String, &Known)| {
            let mut others = seen.iter().filter(|(other, _)| *other != name);
            let verdict = match known.seen(config, now_ms) {
                Some(true) => Verdict::Up,
                None => Verdict::New,
                Some(false) if others.any(|(_, other)| other.sight.sees.contains(name)) => {
                    Verdict::Cut
                }
                // With several peers, and none of them to be seen, it is this one that is alone.
                Some(false) if self.all.len() > 1 && seen.is_empty() => Verdict::Isolated,
                Some(false) => Verdict::Dead,
            };
            let ours = verdict == Verdict::Dead
                && match first(name, |sight| &sight.pages) {
                    // Who pages goes on to; of two, the first by name.
                    Some(pages) => known.paged && me < pages,
                    None if known.paged => true,
                    // Else the first by name of those who miss it; one that does not know
                    // of it does not.
                    None => {
                        !waiting
                            && is_first(first(name, |sight| &sight.misses))
                            && (known.waited(config, now_ms)
                                || is_first(first(name, |sight| &sight.awaits)))
                    }
                };
            View {
                name: name.clone(),
                verdict,
                ours,
                answered_ms: known.answered_ms,
                reason: known.reason.clone(),
                standing: known.sight.standing.clone(),
            }
        };
        self.all.iter().map(view).collect()
    }
}

impl Known {
    /// Whether it is seen; nothing if it never was.
    fn seen(&self, config: &Config, now_ms: i64) -> Option<bool> {
        self.answered_ms?;
        Some(now_ms - self.silent_ms < silent_after_ms(config))
    }

    /// Whether it has been silent for so long that others who go before us would have
    /// missed it too by now, had they not begun anew again and again.
    fn waited(&self, config: &Config, now_ms: i64) -> bool {
        let round_ms = millis(config.interval);
        now_ms - self.silent_ms >= 2 * (silent_after_ms(config) + round_ms)
    }
}

fn silent_after_ms(config: &Config) -> i64 {
    millis(config.silent_after)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 8)
}

#[cfg(test)]
mod tests;
