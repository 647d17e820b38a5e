//! What is looked at from outside, each with a strip of its last looks: a low bar
//! for good ones, the full height for failures, and their reasons in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::shown::Moment;
use super::{Now, Probe};
use crate::{amount, untrusted};

/// Rows; what is well and beyond them is a number.
const ROWS: usize = 30;
/// Looks on a strip.
const TICKS: usize = 60;

/// All probes.
#[derive(Debug, Serialize)]
pub(super) struct Probes {
    title: String,
    rows: Vec<Row>,
    more: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    key: String,
    icon: &'static str,
    word: &'static str,
    name: String,
    target: String,
    since: Option<Moment>,
    good: String,
    bad: String,
    words: String,
    detail: String,
}

pub(super) fn probes(now: &Now) -> Option<Probes> {
    if now.probes.is_empty() {
        return None;
    }
    let mut sorted: Vec<&Probe> = now.probes.iter().collect();
    sorted.sort_by_key(|probe| (rank(probe), &probe.name));
    let down = sorted
        .iter()
        .filter(|probe| probe.up == Some(false))
        .count();
    let total = sorted.len();
    Some(Probes {
        title: match down {
            0 => format!("Sites and ports: {} looked at", total),
            _ => format!("Sites and ports: {down} of {total} down"),
        },
        more: total.saturating_sub(ROWS),
        rows: sorted
            .into_iter()
            .take(ROWS)
            .map(|probe| row(probe, now))
            .collect(),
    })
}

/// What is worst comes first.
fn rank(probe: &Probe) -> u8 {
    let failed = probe.ticks.iter().any(|tick| !tick.reason.is_empty());
    match probe.up {
        Some(false) => 0,
        _ if probe.flapping => 1,
        Some(true) if failed => 2,
        None => 3,
        Some(true) => 4,
    }
}

fn row(probe: &Probe, now: &Now) -> Row {
    let (icon, word) = match probe.up {
        Some(false) => ("critical", "down"),
        Some(true) if probe.flapping => ("warning", "up, comes and goes"),
        Some(true) => ("fine", "up"),
        None => ("unknown", "not looked at yet"),
    };
    let (good, bad) = strip(probe);
    Row {
        key: untrusted::line(&format!("probe/{}", probe.name), 120),
        icon,
        word,
        name: untrusted::line(&probe.name, 80),
        target: match probe.target == probe.name {
            true => String::new(),
            false => untrusted::line(&probe.target, 120),
        },
        since: probe.since_ms.map(|ms| Moment::new(ms, now)),
        good,
        bad,
        words: words(probe),
        detail: match probe.up {
            Some(false) => untrusted::line(&probe.detail, 200),
            _ => String::new(),
        },
    }
}

/// The strip as two paths in a box of 120 by 20: good looks, and failures. The
/// newest is at the right.
fn strip(probe: &Probe) -> (String, String) {
    let ticks = &probe.ticks[probe.ticks.len().saturating_sub(TICKS)..];
    let (mut good, mut bad) = (String::new(), String::new());
    let mut left = 2 * (TICKS - ticks.len());
    for run in ticks.chunk_by(|one, other| one.reason.is_empty() == other.reason.is_empty()) {
        let width = 2 * run.len();
        let _ = match run[0].reason.is_empty() {
            true => write!(good, "M{left} 13h{width}v7h-{width}z"),
            false => write!(bad, "M{left} 0h{width}v20h-{width}z"),
        };
        left += width;
    }
    (good, bad)
}

/// The strip in words: how many failed, and why.
fn words(probe: &Probe) -> String {
    let ticks = &probe.ticks[probe.ticks.len().saturating_sub(TICKS)..];
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for tick in ticks.iter().filter(|tick| !tick.reason.is_empty()) {
        *reasons.entry(&tick.reason).or_default() += 1;
    }
    let failed: usize = reasons.values().sum();
    match (ticks.len(), failed) {
        (0, _) => String::new(),
        (all, 0) => format!("{}, all good", amount::count(all, "look")),
        (all, failed) => {
            let mut reasons: Vec<_> = reasons.into_iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let told = reasons.iter().take(4).map(|(reason, count)| {
                format!(
                    "{} × {count}",
                    untrusted::line(&reason.replace('_', " "), 40)
                )
            });
            let told: Vec<_> = told.collect();
            format!(
                "{failed} of {} failed: {}",
                amount::count(all, "look"),
                told.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::ProbeTick;

    fn probe(name: &str, signs: &str) -> Probe {
        let tick = |sign| ProbeTick {
            at_ms: 0,
            reason: match sign {
                '+' => String::new(),
                's' => "status".to_owned(),
                _ => "connect_timeout".to_owned(),
            },
        };
        Probe {
            name: name.to_owned(),
            up: signs.chars().last().map(|sign| sign == '+'),
            ticks: signs.chars().map(tick).collect(),
            ..Probe::default()
        }
    }

    #[test]
    fn a_strip_has_runs_of_good_and_bad_looks_with_the_newest_at_the_right() {
        let (good, bad) = strip(&probe("a", "++s+"));
        assert_eq!(good, "M112 13h4v7h-4zM118 13h2v7h-2z");
        assert_eq!(bad, "M116 0h2v20h-2z");
        let (good, bad) = strip(&probe("a", &"+".repeat(100)));
        assert_eq!((good.as_str(), bad.as_str()), ("M0 13h120v7h-120z", ""));
        assert_eq!(strip(&probe("a", "")), (String::new(), String::new()));
    }

    #[test]
    fn the_same_is_said_in_words() {
        for (signs, expected) in [
            ("", ""),
            ("+", "1 look, all good"),
            ("+++", "3 looks, all good"),
            (
                "+tss+",
                "3 of 5 looks failed: status × 2, connect timeout × 1",
            ),
        ] {
            assert_eq!(words(&probe("a", signs)), expected);
        }
    }

    #[test]
    fn what_is_down_comes_first_and_much_is_a_number() {
        let mut now = Now {
            probes: vec![
                probe("fine", "+"),
                probe("was", "s+"),
                probe("down", "+s"),
                probe("new", ""),
            ],
            ..Now::default()
        };
        let shown = probes(&now).unwrap();
        let order: Vec<_> = shown
            .rows
            .iter()
            .map(|row| (&*row.name, row.word))
            .collect();
        assert_eq!(
            order,
            [
                ("down", "down"),
                ("was", "up"),
                ("new", "not looked at yet"),
                ("fine", "up"),
            ]
        );
        assert_eq!(shown.title, "Sites and ports: 1 of 4 down");
        now.probes = (0..100).map(|at| probe(&format!("p{at}"), "+")).collect();
        let shown = probes(&now).unwrap();
        assert_eq!((shown.rows.len(), shown.more), (ROWS, 70));
        assert!(probes(&Now::default()).is_none());
    }
}
