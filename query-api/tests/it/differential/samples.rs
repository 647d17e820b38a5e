//! Series with gaps, resets, NaN, infinities and staleness markers.
//!
//! Values are small multiples of a quarter, so that sums of them are exact in
//! whatever order they are made. No sample stands on a whole second, so that no
//! window's end meets one.

use exposition::stale;

use super::Chance;
use crate::support::wire::Series;

/// Samples of a series, at 15 s: fifty minutes, since Prometheus takes none that
/// are older than an hour when it scrapes as well.
pub(super) const LENGTH: usize = 200;

/// Samples of each series in one request, or on one page.
pub(super) const AT_ONCE: usize = 20;

/// What is older may be too old when its page is scraped: so many samples are not on one.
const OLD: usize = 40;

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// Goes up and down, with NaN and infinities.
    Wild,
    /// Goes up and down.
    Plain,
    /// Goes up, falls to nothing at times, with gaps.
    Counter,
    /// The same, but falls to a quarter: far from zero, where 2.42 extrapolates as 3.x.
    Broken,
    /// Falls to nothing, but has no gaps: there, too, 2.42 extrapolates as 3.x.
    Steady,
    /// Goes up and down, and is never what another one is at that time.
    Unlike(usize),
}

/// A series, and what it was at each step; nothing in its gaps.
pub(super) struct Made {
    labels: Vec<(String, String)>,
    samples: Vec<Option<(i64, f64)>>,
}

impl Made {
    /// Whether it is scraped; the others are sent. Those that have no gaps are sent
    /// from their beginning.
    fn is_scraped(&self) -> bool {
        let has = |name, value| {
            self.labels
                .contains(&(String::from(name), String::from(value)))
        };
        let steady = ["steady_total", "wait_bucket"];
        has("a", "3") && !steady.iter().any(|name| has("__name__", name))
    }
}

/// All series, from this time on.
pub(super) fn all(chance: &mut Chance, start_ms: i64) -> Vec<Made> {
    let mut made = Vec::new();
    let mut add = |name: &str, labels: &[(&str, &str)], shape, chance: &mut Chance| {
        let mut all = vec![("__name__".to_owned(), name.to_owned())];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        all.extend(labels.iter().map(owned));
        all.sort_unstable();
        made.push(Made {
            labels: all,
            samples: samples(shape, chance, start_ms),
        });
    };
    let mut number = 0;
    for a in ["1", "2", "3"] {
        for b in ["x", "y"] {
            for c in ["", "p", "q"] {
                let labels = [("a", a), ("b", b), ("c", c)];
                let labels = &labels[..if c.is_empty() { 2 } else { 3 }];
                if chance.percent(85) {
                    add("wild", labels, Shape::Wild, chance);
                }
                if chance.percent(70) {
                    add("requests_total", labels, Shape::Counter, chance);
                }
                number += 1;
                add("unlike", labels, Shape::Unlike(number), chance);
            }
            add("plain", &[("a", a), ("b", b)], Shape::Plain, chance);
            add("steady_total", &[("a", a), ("b", b)], Shape::Steady, chance);
            add("broken_total", &[("a", a), ("b", b)], Shape::Broken, chance);
        }
        let version = chance.of(&["1.0", "2.0"]);
        add(
            "info",
            &[("a", a), ("version", version)],
            Shape::Plain,
            chance,
        );
        add("one", &[("a", a)], Shape::Wild, chance);
        for le in ["0.1", "1.0", "5.0", "+Inf"] {
            add(
                "wait_bucket",
                &[("a", a), ("le", le)],
                Shape::Steady,
                chance,
            );
        }
    }
    made
}

/// Requests with those that are sent, in the order of time.
pub(super) fn requests(made: &[Made]) -> impl Iterator<Item = Vec<Series>> {
    (0..LENGTH / AT_ONCE).map(|slice| {
        let within = slice * AT_ONCE..(slice + 1) * AT_ONCE;
        let some = |made: &Made| Series {
            labels: made.labels.clone(),
            samples: made.samples[within.clone()]
                .iter()
                .flatten()
                .copied()
                .collect(),
        };
        let sent = made.iter().filter(|made| !made.is_scraped()).map(some);
        sent.filter(|series| !series.samples.is_empty()).collect()
    })
}

/// Pages with those that are scraped, in the order of time, each sample with the
/// time that it has. A marker cannot be written down: where one would be is a gap.
pub(super) fn pages(made: &[Made]) -> Vec<String> {
    let page = |from: usize| {
        let scraped = made.iter().filter(|made| made.is_scraped());
        let lines = scraped.flat_map(|made| {
            let samples = made.samples[from..from + AT_ONCE].iter().flatten();
            let samples = samples.filter(|(_, value)| !exposition::is_stale(*value));
            samples.map(|(time, value)| {
                let value = exposition::format_value(*value);
                format!("{} {value} {time}\n", spelled(&made.labels))
            })
        });
        lines.collect()
    };
    (OLD..LENGTH).step_by(AT_ONCE).map(page).collect()
}

fn spelled(labels: &[(String, String)]) -> String {
    let (mut name, mut rest) = (String::new(), Vec::new());
    for (key, value) in labels {
        match key.as_str() {
            "__name__" => name.clone_from(value),
            _ => rest.push(format!("{key}={value:?}")),
        }
    }
    format!("{name}{{{}}}", rest.join(","))
}

fn samples(shape: Shape, chance: &mut Chance, start_ms: i64) -> Vec<Option<(i64, f64)>> {
    let mut value = chance.below(80) as f64 / 4.0;
    match shape {
        Shape::Steady => value += 100_000.0,
        Shape::Broken => value += 1_048_576.0,
        _ => {}
    }
    let late = 101 + chance.below(700) as i64;
    let mut missing = 0;
    (0..LENGTH)
        .map(|at| {
            let time = start_ms + at as i64 * 15_000 + late;
            if missing > 0 {
                missing -= 1;
                return None;
            }
            if shape != Shape::Steady {
                if chance.percent(2) {
                    // It ends, and comes back later or soon.
                    missing = chance.of(&[0, 1, 4, 30]);
                    return Some((time, stale()));
                }
                if chance.percent(8) {
                    missing = chance.of(&[0, 0, 0, 1, 25]);
                    return None;
                }
            }
            let resets = at > 0 && chance.percent(5);
            value = match shape {
                Shape::Counter | Shape::Steady if resets => chance.below(4) as f64,
                // So few samples fall so often that none comes near to nothing.
                Shape::Broken if resets && value > 4096.0 => (value / 16.0).floor() * 4.0,
                Shape::Counter | Shape::Steady | Shape::Broken => {
                    value + chance.of(&[0.0, 1.0, 2.0, 0.5, 10.0])
                }
                _ => value + chance.of(&[-3.0, -1.0, 0.0, 0.0, 1.0, 2.75, -0.25]),
            };
            let odd = [f64::NAN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            let shown = match shape {
                Shape::Wild if chance.percent(4) => chance.of(&odd),
                Shape::Unlike(number) => value + number as f64 / 1024.0,
                _ => value,
            };
            Some((time, shown))
        })
        .collect()
}
