//! Probes, sites, heartbeats and peers in the page's words.

use dashboards::page::{Probe, ProbeTick, Status, Watched};
use healthchecks::heartbeat::{self, State};
use healthchecks::peer::{self, Verdict};
use healthchecks::probe::{self, Reason};

use super::health::Health;

/// Our own probes, and the sites of peers.
pub(super) fn probes(health: &Health, now_ms: i64) -> Vec<Probe> {
    let probe = |view: probe::View, ours| Probe {
        name: view.name,
        ours,
        target: view.target,
        up: view.up,
        since_ms: view.up.map(|_| view.since_ms),
        turned: view.turned,
        flapping: view.flapping,
        detail: view.detail,
        ticks: view
            .history
            .iter()
            .map(|tick| ProbeTick {
                at_ms: tick.at_ms,
                reason: tick.reason.map_or("", Reason::as_str).to_owned(),
            })
            .collect(),
    };
    let ours = health.probes.views(now_ms).into_iter();
    let theirs = health.abroad.views(now_ms).into_iter();
    ours.map(|view| probe(view, true))
        .chain(theirs.map(|view| probe(view, false)))
        .collect()
}

/// The verdict on each site.
pub(super) fn sites(verdicts: &[(String, probe::Verdict)]) -> Vec<Watched> {
    use probe::Verdict as Is;
    let site = |(name, verdict): &(String, Is)| {
        let (status, word, detail) = match verdict {
            Is::Ok => (Status::Ok, "up", ""),
            Is::Application => (
                Status::Down,
                "application",
                "the application itself does not answer well",
            ),
            Is::Proxy => (
                Status::Down,
                "proxy",
                "the application answers, and what is before it does not",
            ),
            Is::Dns => (Status::Down, "dns", "the name does not lead here"),
            Is::Certificate => (
                Status::Down,
                "certificate",
                "the certificate is not trusted",
            ),
            Is::Host => (Status::Down, "host", "nothing of the host answers"),
            Is::Unknown => (Status::Unknown, "not known yet", ""),
        };
        Watched {
            name: name.clone(),
            status,
            word: word.to_owned(),
            since_ms: None,
            detail: detail.to_owned(),
        }
    };
    verdicts.iter().map(site).collect()
}

/// The heartbeats.
pub(super) fn heartbeats(views: Vec<heartbeat::View>) -> Vec<Watched> {
    let beat = |view: heartbeat::View| {
        let status = match view.state {
            State::New => Status::Unknown,
            State::Up => Status::Ok,
            State::Late => Status::Degraded,
            State::Down => Status::Down,
            State::Paused => Status::Off,
        };
        let code = view.exit_code.filter(|code| *code != 0);
        // What it said last may be a whole log; its last line says how it ended.
        let said = view.body.trim_end().lines().next_back().unwrap_or_default();
        let parts = [
            view.running.then(|| "runs now".to_owned()),
            code.map(|code| format!("ended with {code}")),
            Some(said.trim().to_owned()).filter(|said| status == Status::Down && !said.is_empty()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Watched {
            name: view.name,
            status,
            word: view.state.as_str().to_owned(),
            since_ms: Some(view.since_ms),
            detail: parts.join(", "),
        }
    };
    views.into_iter().map(beat).collect()
}

/// The other Belfrys.
pub(super) fn peers(views: Vec<peer::View>) -> Vec<Watched> {
    let peer = |view: peer::View| {
        let (status, word) = match view.verdict {
            Verdict::Up if !view.standing.ready => (Status::Degraded, "answers, not ready"),
            Verdict::Up => (Status::Ok, "answers"),
            Verdict::New => (Status::Unknown, "not heard of yet"),
            Verdict::Cut => (Status::Degraded, "seen by others only"),
            Verdict::Dead => (Status::Down, "dead"),
            Verdict::Isolated => (Status::Degraded, "no peer is seen from here"),
        };
        let fires = match view.standing.firing.is_empty() {
            true => String::new(),
            false => format!("fires there: {}", view.standing.words()),
        };
        let parts = [view.reason, fires];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Watched {
            name: view.name,
            status,
            word: word.to_owned(),
            since_ms: view.answered_ms.filter(|_| view.verdict != Verdict::Up),
            detail: parts.join("; "),
        }
    };
    views.into_iter().map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_on_a_site_has_its_word() {
        let all: Vec<_> = probe::Verdict::ALL
            .iter()
            .map(|verdict| (verdict.as_str().to_owned(), *verdict))
            .collect();
        for site in sites(&all) {
            let expected = match site.name.as_str() {
                "ok" => (Status::Ok, "up"),
                "unknown" => (Status::Unknown, "not known yet"),
                down => (Status::Down, down),
            };
            assert_eq!((site.status, &*site.word), expected, "{}", site.name);
        }
    }

    #[test]
    fn a_heartbeat_says_how_it_ended() {
        let view = |state, exit_code, running, body: &str| heartbeat::View {
            name: "nightly".to_owned(),
            state,
            since_ms: 5,
            running,
            last_ms: None,
            expected_ms: None,
            deadline_ms: None,
            duration_ms: None,
            exit_code,
            body: body.to_owned(),
            labels: std::collections::BTreeMap::new(),
        };
        for (view, status, word, detail) in [
            (
                view(State::Up, Some(0), false, "all 7 done\n"),
                Status::Ok,
                "up",
                "",
            ),
            (
                view(State::Down, Some(3), false, "starting\nno space left\n"),
                Status::Down,
                "down",
                "ended with 3, no space left",
            ),
            (
                view(State::Late, None, true, ""),
                Status::Degraded,
                "late",
                "runs now",
            ),
            (
                view(State::Paused, None, false, ""),
                Status::Off,
                "paused",
                "",
            ),
            (
                view(State::New, None, false, ""),
                Status::Unknown,
                "new",
                "",
            ),
        ] {
            let shown = heartbeats(vec![view]).pop().unwrap();
            assert_eq!(
                (shown.status, &*shown.word, &*shown.detail),
                (status, word, detail)
            );
        }
    }

    #[test]
    fn a_peer_says_why_it_is_not_seen_and_what_was_last_known() {
        let view = |verdict, reason: &str, ready, firing: &[&str]| peer::View {
            name: "vps2".to_owned(),
            verdict,
            ours: false,
            answered_ms: Some(7),
            reason: reason.to_owned(),
            standing: peer::Standing {
                ready,
                firing: firing.iter().map(|name| (*name).to_owned()).collect(),
            },
        };
        for (view, status, word, since_ms, detail) in [
            (
                view(Verdict::Up, "", true, &[]),
                Status::Ok,
                "answers",
                None,
                "",
            ),
            (
                view(Verdict::Up, "", false, &["DiskFull"]),
                Status::Degraded,
                "answers, not ready",
                None,
                "fires there: DiskFull",
            ),
            (
                view(Verdict::Dead, "refused", true, &["DiskFull"]),
                Status::Down,
                "dead",
                Some(7),
                "refused; fires there: DiskFull",
            ),
            (
                view(Verdict::Cut, "connect_timeout", true, &[]),
                Status::Degraded,
                "seen by others only",
                Some(7),
                "connect_timeout",
            ),
        ] {
            let shown = peers(vec![view]).pop().unwrap();
            assert_eq!(
                (shown.status, &*shown.word, shown.since_ms, &*shown.detail),
                (status, word, since_ms, detail)
            );
        }
    }
}
