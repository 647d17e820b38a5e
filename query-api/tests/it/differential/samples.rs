//! Series with gaps, resets, NaN, infinities and staleness markers.
//!
//! Values are small multiples of a quarter, so that sums of them are exact in
//! whatever order they are made. No sample stands on a whole second, so that no
//! window's end meets one.

use exposition::stale;

use super::Chance;
use crate::support::T0;
use crate::support::wire::Series;

/// Samples of a series, at 15 s: an hour.
const LENGTH: usize = 240;

/// Samples of each series in one request.
const AT_ONCE: usize = 20;

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    /// Goes up and down, with NaN and infinities.
    Wild,
    /// Goes up and down.
    Plain,
    /// Goes up, falls to nothing at times, with gaps.
    Counter,
    /// The same, begins high and has no gaps: so that 2.42 extrapolates as 3.x.
    Steady,
}

/// Requests in the order of time.
pub(super) fn all(chance: &mut Chance) -> impl Iterator<Item = Vec<Series>> + use<> {
    let mut made = Vec::new();
    let mut add = |name: &str, labels: &[(&str, &str)], shape, chance: &mut Chance| {
        let mut all = vec![("__name__", name)];
        all.extend_from_slice(labels);
        all.sort_unstable();
        made.push((Series::new(&all, &[]), samples(shape, chance)));
    };
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
            }
            add("plain", &[("a", a), ("b", b)], Shape::Plain, chance);
            add("steady_total", &[("a", a), ("b", b)], Shape::Steady, chance);
        }
        let version = chance.of(&["1.0", "2.0"]);
        add(
            "info",
            &[("a", a), ("version", version)],
            Shape::Plain,
            chance,
        );
        add("one", &[("a", a)], Shape::Wild, chance);
        for le in ["0.1", "1", "5", "+Inf"] {
            add(
                "wait_bucket",
                &[("a", a), ("le", le)],
                Shape::Steady,
                chance,
            );
        }
    }
    (0..LENGTH / AT_ONCE).map(move |slice| {
        let within = slice * AT_ONCE..(slice + 1) * AT_ONCE;
        let some = |(series, samples): &(Series, Vec<Option<(i64, f64)>>)| Series {
            labels: series.labels.clone(),
            samples: samples[within.clone()].iter().flatten().copied().collect(),
        };
        let series = made.iter().map(some);
        series.filter(|series| !series.samples.is_empty()).collect()
    })
}

fn samples(shape: Shape, chance: &mut Chance) -> Vec<Option<(i64, f64)>> {
    let mut value = chance.below(80) as f64 / 4.0;
    if shape == Shape::Steady {
        value = 100_000.0 + chance.below(1000) as f64;
    }
    let late = 101 + chance.below(700) as i64;
    let mut missing = 0;
    (0..LENGTH)
        .map(|at| {
            let time = T0 + at as i64 * 15_000 + late;
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
            value = match shape {
                Shape::Counter | Shape::Steady if at > 0 && chance.percent(5) => {
                    chance.below(4) as f64
                }
                Shape::Counter | Shape::Steady => value + chance.of(&[0.0, 1.0, 2.0, 0.5, 10.0]),
                _ => value + chance.of(&[-3.0, -1.0, 0.0, 0.0, 1.0, 2.75, -0.25]),
            };
            let odd = [f64::NAN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            let shown = match shape {
                Shape::Wild if chance.percent(4) => chance.of(&odd),
                _ => value,
            };
            Some((time, shown))
        })
        .collect()
}
