//! Sites with one verdict, heartbeats and peers: a line each, what is not well
//! first.

use serde::Serialize;

use super::shown::Moment;
use super::watch::status;
use super::{Card, Now, Watched};
use crate::{amount, untrusted};

/// Rows; of what is well there are fewer, and the rest is a number.
const ROWS: usize = 30;
const WELL: usize = 10;

/// One list.
#[derive(Debug, Serialize)]
pub(super) struct List {
    title: String,
    rows: Vec<Row>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    key: String,
    icon: &'static str,
    word: String,
    name: String,
    /// What stands before the time.
    link: &'static str,
    since: Option<Moment>,
    detail: String,
}

/// Sites that are looked at from inside and outside.
pub(super) fn sites(now: &Now) -> Option<List> {
    list("site", "Sites as visitors see them", "", &now.sites, now)
}

/// Jobs that should be heard of.
pub(super) fn heartbeats(now: &Now) -> Option<List> {
    list("heartbeat", "Heartbeats", "since", &now.heartbeats, now)
}

/// The other Belfrys.
pub(super) fn peers(now: &Now) -> Option<List> {
    list("peer", "Peers", "heard at", &now.peers, now)
}

fn list(
    kind: &str,
    title: &str,
    link: &'static str,
    watched: &[Watched],
    now: &Now,
) -> Option<List> {
    if watched.is_empty() {
        return None;
    }
    let mut sorted: Vec<&Watched> = watched.iter().collect();
    sorted.sort_by_key(|one| (one.status.rank(), &one.name));
    let bad = sorted.iter().filter(|one| one.status.is_bad()).count();
    let total = sorted.len();
    let rows = bad.clamp(WELL, ROWS);
    Some(List {
        title: match bad {
            0 => format!("{title}: {total}"),
            _ => format!("{title}: {bad} of {total} not well"),
        },
        more: total.saturating_sub(rows),
        rows: sorted
            .into_iter()
            .take(rows)
            .map(|one| Row {
                key: untrusted::line(&format!("{kind}/{}", one.name), 120),
                icon: status(one.status).0,
                word: untrusted::line(&one.word, 60),
                name: untrusted::line(&one.name, 80),
                link,
                since: one.since_ms.map(|ms| Moment::new(ms, now)),
                detail: untrusted::line(&one.detail, 200),
            })
            .collect(),
    })
}

/// Down, and nobody was told of it yet: `3 heartbeats down, 1 of them not paged yet`.
/// Nothing where nothing is down. Each has a name, and since when it is down,
/// if that is known.
pub(super) fn down<'a>(
    now: &Now,
    noun: &str,
    names: impl Iterator<Item = (&'a str, Option<i64>)>,
) -> Option<(String, usize)> {
    let (mut down, mut quiet) = (0, 0);
    for (name, since_ms) in names {
        down += 1;
        // Whoever muted an alert of before did not know of this.
        let knows = |card: &Card| card.muted.is_empty() || card.since_ms >= since_ms;
        let mut cards = now.cards.iter().filter(|card| knows(card));
        let told = cards.any(|card| tells(card, noun, name));
        quiet += usize::from(!told);
    }
    let words = amount::count(down, noun);
    match (down, quiet) {
        (0, _) => None,
        (_, 0) => Some((format!("{words} down"), 0)),
        (down, quiet) if down == quiet => Some((format!("{words} down, not paged yet"), quiet)),
        (_, quiet) => Some((
            format!("{words} down, {quiet} of them not paged yet"),
            quiet,
        )),
    }
}

/// Whether an alert is about this probe, heartbeat or peer.
fn tells(card: &Card, noun: &str, name: &str) -> bool {
    card.labels.get(noun).is_some_and(|value| value == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Status;

    fn one(name: &str, status: Status, word: &str) -> Watched {
        Watched {
            name: name.to_owned(),
            status,
            word: word.to_owned(),
            ..Watched::default()
        }
    }

    #[test]
    fn what_is_not_well_comes_first_and_much_is_a_number() {
        let mut now = Now {
            heartbeats: vec![
                one("a", Status::Ok, "up"),
                one("b", Status::Off, "paused"),
                one("c", Status::Down, "down"),
                one("d", Status::Degraded, "late"),
                one("e", Status::Unknown, "new"),
            ],
            ..Now::default()
        };
        let shown = heartbeats(&now).unwrap();
        let order: Vec<_> = shown
            .rows
            .iter()
            .map(|row| (&*row.name, row.icon, &*row.word))
            .collect();
        assert_eq!(
            order,
            [
                ("c", "critical", "down"),
                ("d", "warning", "late"),
                ("e", "unknown", "new"),
                ("a", "fine", "up"),
                ("b", "off", "paused"),
            ]
        );
        assert_eq!(shown.title, "Heartbeats: 2 of 5 not well");
        now.peers = (0..100)
            .map(|at| one(&format!("p{at}"), Status::Ok, "answers"))
            .collect();
        let shown = peers(&now).unwrap();
        assert_eq!((shown.rows.len(), shown.more), (WELL, 90));
        assert_eq!(shown.title, "Peers: 100");
        assert!(sites(&now).is_none());
        for (at, peer) in now.peers.iter_mut().enumerate() {
            peer.status = if at < 40 { Status::Down } else { Status::Ok };
        }
        assert_eq!(peers(&now).unwrap().rows.len(), ROWS);
    }

    #[test]
    fn an_alert_is_about_what_its_labels_name() {
        let card = |labels: &[(&str, &str)]| Card {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Card::default()
        };
        for (labels, noun, name, expected) in [
            (&[("probe", "a/b")][..], "probe", "a/b", true),
            (&[("peer", "a")], "peer", "a", true),
            (&[("heartbeat", "a")], "peer", "a", false),
            (&[], "probe", "a", false),
        ] {
            assert_eq!(tells(&card(labels), noun, name), expected, "{labels:?}");
        }
    }
}
