//! The first sentence of the page and the verdict behind it.

use super::services::{Tone, tone};
use super::watch::mail_status;
use super::watched;
use super::{Now, Service, Status};
use crate::amount::count;
use crate::fact::Severity;
use crate::time;

/// What the page is coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing needs anybody.
    Fine,
    /// Something is not right.
    Warning,
    /// Get up.
    Critical,
    /// There is no reading to judge by, or only old ones.
    Unknown,
}

impl Verdict {
    /// The class and the name of the shape.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

/// The age of the data in milliseconds, if it is too old to be trusted.
pub(super) fn stale_ms(now: &Now) -> Option<i64> {
    let age = now.now_ms - now.data_ms?;
    (age > now.stale_after_ms).then_some(age)
}

/// The verdict: the worst of alerts, services, targets, mail and the watch.
pub(super) fn verdict(now: &Now) -> Verdict {
    let firing = |severity| firing(now, severity) > 0;
    let services = now
        .services
        .iter()
        .any(|service| tone(service) != Tone::Fine);
    let targets = now.targets.iter().any(|target| target.up == Some(false));
    let watch = now.watch.iter().any(|part| part.status.is_bad());
    let mail = mail_status(&now.mail).is_bad();
    let quiet = looked_at(now).iter().any(|(_, quiet)| *quiet > 0);
    match () {
        () if firing(Severity::Critical) => Verdict::Critical,
        () if now.data_ms.is_none() || stale_ms(now).is_some() => Verdict::Unknown,
        () if firing(Severity::Warning) || services || targets || watch || mail || quiet => {
            Verdict::Warning
        }
        () => Verdict::Fine,
    }
}

/// One sentence, its weightier half first: `1 critical, 1 warning` and
/// `7 of 9 services fine, mail ok`.
pub(super) fn sentence(now: &Now) -> (String, String) {
    let alerts = alerts(now).join(", ");
    let rest = rest(now).join(", ");
    let lead = match (stale_ms(now), verdict(now)) {
        (Some(age), _) if alerts.is_empty() => format!("Nothing new for {}", time::duration(age)),
        (Some(age), _) => format!("{} ago: {alerts}", time::duration(age)),
        (None, Verdict::Fine) if alerts.is_empty() => "All is well".into(),
        (None, Verdict::Unknown) if alerts.is_empty() => {
            format!(
                "Watching for {}",
                time::duration(now.now_ms - now.started_ms)
            )
        }
        (None, _) if alerts.is_empty() => return (capital(&rest), String::new()),
        _ => alerts,
    };
    (lead, rest)
}

fn rest(now: &Now) -> Vec<String> {
    let mut parts = Vec::new();
    if now.data_ms.is_none() {
        parts.push("the first readings are on their way".into());
    }
    parts.extend(looked_at(now).into_iter().map(|(words, _)| words));
    parts.extend(services(&now.services));
    let down = now
        .targets
        .iter()
        .filter(|target| target.up == Some(false))
        .count();
    if down > 0 {
        parts.push(format!("{} down", count(down, "target")));
    }
    let lame = now.watch.iter().filter(|part| part.status.is_bad()).count();
    if lame > 0 {
        parts.push(format!("{} of the watch not ok", count(lame, "part")));
    }
    parts.push(mail(now).into());
    parts
}

/// What is down of all that is looked at or listened to, and how many of them
/// nobody was told of yet: an alert waits until it lasts.
fn looked_at(now: &Now) -> Vec<(String, usize)> {
    let probes = now.probes.iter();
    let probes = probes.filter(|probe| probe.ours && probe.up == Some(false));
    let down = |watched: &'_ super::Watched| watched.status == Status::Down;
    let beats = now.heartbeats.iter().filter(|beat| down(beat));
    let peers = now.peers.iter().filter(|peer| down(peer));
    // What was down at the first look may have been so when it was silenced: we may
    // only have been started again.
    let probes = probes.map(|it| (&*it.name, it.since_ms.filter(|_| it.turned)));
    let all = [
        watched::down(now, "probe", probes),
        watched::down(now, "heartbeat", beats.map(|it| (&*it.name, it.since_ms))),
        watched::down(now, "peer", peers.map(|it| (&*it.name, it.since_ms))),
    ];
    all.into_iter().flatten().collect()
}

/// How many alerts of this severity fire and are not muted.
pub(super) fn firing(now: &Now, severity: Severity) -> usize {
    let loud = |card: &&super::Card| card.severity == severity && card.muted.is_empty();
    now.cards.iter().filter(loud).count()
}

fn alerts(now: &Now) -> Vec<String> {
    let muted = now
        .cards
        .iter()
        .filter(|card| !card.muted.is_empty())
        .count();
    let mut parts = Vec::new();
    let critical = firing(now, Severity::Critical);
    if critical > 0 {
        parts.push(format!("{critical} critical"));
    }
    for (number, noun) in [
        (firing(now, Severity::Warning), "warning"),
        (firing(now, Severity::Info), "note"),
    ] {
        if number > 0 {
            parts.push(count(number, noun));
        }
    }
    if muted > 0 {
        parts.push(format!("{muted} muted"));
    }
    parts
}

fn services(services: &[Service]) -> Option<String> {
    let bad = services
        .iter()
        .filter(|service| tone(service) != Tone::Fine)
        .count();
    match (services.len(), bad) {
        (0, _) => None,
        (total, 0) => Some(format!("{} fine", count(total, "service"))),
        (total, bad) => Some(format!(
            "{} of {} fine",
            total - bad,
            count(total, "service")
        )),
    }
}

fn mail(now: &Now) -> &'static str {
    match mail_status(&now.mail) {
        Status::Ok => "mail ok",
        Status::Down => "mail fails",
        Status::Degraded => "mail waits",
        Status::Off => "nobody is mailed",
        Status::Unknown => "mail not tried yet",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Card, MailHealth, Probe, State, Target, Watched};

    fn well() -> Now {
        Now {
            now_ms: 100_000,
            started_ms: 40_000,
            data_ms: Some(95_000),
            stale_after_ms: 30_000,
            services: vec![Service::default(); 9],
            mail: MailHealth {
                configured: true,
                accepted_ms: Some(1),
                ..MailHealth::default()
            },
            ..Now::default()
        }
    }

    fn card(severity: Severity) -> Card {
        Card {
            severity,
            ..Card::default()
        }
    }

    fn said(now: &Now) -> String {
        let (lead, rest) = sentence(now);
        format!("{lead} / {rest}")
    }

    #[test]
    fn all_is_well_only_if_all_is() {
        let now = well();
        assert_eq!(said(&now), "All is well / 9 services fine, mail ok");
        assert_eq!(verdict(&now), Verdict::Fine);
    }

    #[test]
    fn the_worst_is_said_first() {
        let mut now = well();
        now.cards = vec![
            card(Severity::Warning),
            card(Severity::Critical),
            card(Severity::Info),
        ];
        now.services[0].state = State::Missing;
        assert_eq!(
            said(&now),
            "1 critical, 1 warning, 1 note / 8 of 9 services fine, mail ok"
        );
        assert_eq!(verdict(&now), Verdict::Critical);
    }

    #[test]
    fn a_note_or_what_is_muted_wakes_nobody() {
        let mut now = well();
        let muted = Card {
            muted: "silenced".into(),
            ..card(Severity::Critical)
        };
        now.cards = vec![card(Severity::Info), muted];
        assert_eq!(said(&now), "1 note, 1 muted / 9 services fine, mail ok");
        assert_eq!(verdict(&now), Verdict::Fine);
    }

    #[test]
    fn no_data_and_old_data_are_never_called_well() {
        let mut now = well();
        now.data_ms = None;
        now.services.clear();
        assert_eq!(
            said(&now),
            "Watching for 1 min / the first readings are on their way, mail ok"
        );
        assert_eq!(verdict(&now), Verdict::Unknown);

        let mut now = well();
        now.data_ms = Some(-140_000);
        assert_eq!(
            said(&now),
            "Nothing new for 4 min / 9 services fine, mail ok"
        );
        assert_eq!(verdict(&now), Verdict::Unknown);
        now.cards = vec![card(Severity::Warning)];
        assert!(said(&now).starts_with("4 min ago: 1 warning / "));
    }

    #[test]
    fn a_target_down_is_a_warning_without_any_rule() {
        let mut now = well();
        now.targets = vec![Target {
            up: Some(false),
            ..Target::default()
        }];
        now.mail = MailHealth::default();
        assert_eq!(
            said(&now),
            "9 services fine, 1 target down, nobody is mailed / "
        );
        assert_eq!(verdict(&now), Verdict::Warning);
    }

    #[test]
    fn what_is_down_and_not_paged_yet_is_not_well() {
        let probe = |name: &str, up| Probe {
            name: name.to_owned(),
            ours: true,
            up: Some(up),
            turned: true,
            ..Probe::default()
        };
        let mut now = well();
        now.probes = vec![probe("a", true), probe("b", false), probe("c", false)];
        assert_eq!(
            said(&now),
            "2 probes down, not paged yet, 9 services fine, mail ok / "
        );
        assert_eq!(verdict(&now), Verdict::Warning);
        let about = |severity, label: &str, name: &str| Card {
            labels: [(label.to_owned(), name.to_owned())].into(),
            ..card(severity)
        };
        now.cards = vec![about(Severity::Critical, "probe", "b")];
        assert_eq!(
            said(&now),
            "1 critical / 2 probes down, 1 of them not paged yet, 9 services fine, mail ok"
        );
        now.cards.push(about(Severity::Critical, "probe", "c"));
        assert_eq!(
            said(&now),
            "2 critical / 2 probes down, 9 services fine, mail ok"
        );
        // Whoever silenced it knows of it, if it was down then.
        for card in &mut now.cards {
            card.muted = "silenced by kim".into();
            card.since_ms = Some(7_000);
        }
        now.probes[1].since_ms = Some(7_000);
        assert_eq!(verdict(&now), Verdict::Fine);
        now.probes[1].since_ms = Some(7_001);
        assert_eq!(
            said(&now),
            "2 muted / 2 probes down, 1 of them not paged yet, 9 services fine, mail ok"
        );
        assert_eq!(verdict(&now), Verdict::Warning);
        // Whether it was down before we looked first, nobody can say.
        now.probes[1].turned = false;
        assert_eq!(
            said(&now),
            "2 muted / 2 probes down, 9 services fine, mail ok"
        );
        assert_eq!(verdict(&now), Verdict::Fine);
        // A peer's site is the peer's to tell.
        for probe in &mut now.probes {
            probe.ours = false;
        }
        assert_eq!(said(&now), "2 muted / 9 services fine, mail ok");
        assert_eq!(verdict(&now), Verdict::Fine);

        let down = |name: &str| Watched {
            name: name.to_owned(),
            status: Status::Down,
            ..Watched::default()
        };
        let mut now = well();
        now.heartbeats = vec![down("nightly"), Watched::default()];
        now.peers = vec![down("vps2")];
        assert_eq!(
            said(&now),
            "1 heartbeat down, not paged yet, 1 peer down, not paged yet, 9 services fine, mail ok / "
        );
        assert_eq!(verdict(&now), Verdict::Warning);
        // One alert for many that were lost together hides theirs.
        now.cards = vec![card(Severity::Critical)];
        for (label, name) in [("heartbeat", "nightly"), ("peer", "vps2")] {
            now.cards.push(Card {
                muted: "hidden by ManyHeartbeatsMissing".into(),
                ..about(Severity::Warning, label, name)
            });
        }
        assert_eq!(
            said(&now),
            "1 critical, 2 muted / 1 heartbeat down, 1 peer down, 9 services fine, mail ok"
        );
    }
}
