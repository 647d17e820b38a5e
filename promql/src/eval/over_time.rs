//! Functions over the samples in a window.

use series::Summary;

use super::numbers::{Mean, Sum, line, quantile, window_variance};
use super::select::{Cursor, Point};
use super::{Evaluator, Grid, Row, Table};
use crate::error::Error;
use crate::syntax::{Kind, Node, Window, go_number, quote};

/// Endings that say a metric is a counter.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// One look through a window.
struct View<'a> {
    points: &'a [Point],
    /// The window's ends, in milliseconds.
    bounds: (i64, i64),
    /// When it is looked through, in milliseconds.
    time: i64,
    /// The function's scalar argument at that time.
    param: f64,
}

impl Evaluator<'_> {
    pub(super) fn over_time(
        &mut self,
        window: Window,
        args: &[Node],
        grid: Grid,
    ) -> Result<Table, Error> {
        let (matrix, param) = match window {
            Window::Quantile => (&args[1], Some(&args[0])),
            Window::PredictLinear => (&args[0], Some(&args[1])),
            _ => (&args[0], None),
        };
        let params = match param {
            Some(param) => self.scalar(param, grid)?,
            None => Vec::new(),
        };
        let keeps_name = matches!(window, Window::Last | Window::First);
        let is_subquery = matches!(&matrix.bare().kind, Kind::Subquery(_));
        let mut table = Table::new(grid.count);
        let mut sorted = Vec::new();
        // What a subquery reads is counted where its points are looked at.
        let (before, mut read) = (self.budget.read, 0_usize);
        self.windows(matrix, grid, summary(window), &mut |this, row, points, windows| {
            this.budget.take(grid.count)?;
            let doubtful = !is_subquery && is_doubtful(window, row.labels.name());
            let name = doubtful.then(|| row.labels.clone());
            // With `@` every time sees the same; once is enough if nothing else varies.
            let once = windows.seen.fixed.is_some() && params.is_empty();
            let (mut in_time, rows_before) = (Ok(()), table.rows.len());
            let row = Row {
                nameless: row.nameless || !keeps_name,
                ..row
            };
            table.add_filled(row, |cells| {
                let mut cursor = Cursor::default();
                for (at, cell) in cells.iter_mut().enumerate() {
                    let bounds = windows.bounds(at);
                    let points = cursor.slice(points, bounds);
                    // Here, not behind the loop: one series can be the work of hours.
                    read = read.saturating_add(points.len());
                    in_time = this.budget.work(points.len());
                    if in_time.is_err() {
                        break;
                    }
                    let view = View {
                        points,
                        bounds,
                        time: grid.time(at),
                        param: params.get(at).copied().unwrap_or(0.0),
                    };
                    if let Some(value) = view.apply(window, &mut sorted) {
                        *cell = value;
                    }
                    if once {
                        read = read.saturating_add(points.len().saturating_mul(grid.count - 1));
                        break;
                    }
                }
                if once {
                    let value = cells[0];
                    cells.fill(value);
                }
            });
            if let Some(labels) = name
                && table.rows.len() > rows_before
            {
                let what = format!(
                    "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                    quote(labels.name())
                );
                this.notes.info(&what, matrix.place);
            }
            in_time
        })?;
        self.budget.read = before.saturating_add(read);
        if window == Window::Quantile && !table.rows.is_empty() {
            self.warn_of_quantiles(&params, args[0].place);
        }
        Ok(table)
    }

    /// Warns of each rank outside 0 to 1.
    pub(super) fn warn_of_quantiles(&mut self, ranks: &[f64], place: (usize, usize)) {
        let mut last = None;
        for &rank in ranks.iter().filter(|rank| !(0.0..=1.0).contains(*rank)) {
            if last == Some(rank.to_bits()) {
                continue;
            }
            last = Some(rank.to_bits());
            let what = format!(
                "quantile value should be between 0 and 1, got {}",
                go_number(rank)
            );
            self.notes.warn(&what, place);
        }
    }
}

/// What a window wants to see of a roll-up. The others want samples, and the last
/// of five minutes is one.
fn summary(window: Window) -> Summary {
    match window {
        Window::Min => Summary::Min,
        Window::Max => Summary::Max,
        Window::Sum => Summary::Sum,
        Window::Avg => Summary::Mean,
        _ => Summary::Last,
    }
}

/// Whether a counter's function is asked of what its name does not call one.
fn is_doubtful(window: Window, name: &str) -> bool {
    matches!(window, Window::Rate | Window::Increase)
        && !name.is_empty()
        && !COUNTERS.iter().any(|ending| name.ends_with(ending))
}

impl View<'_> {
    fn apply(&self, window: Window, sorted: &mut Vec<f64>) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        let values = || self.points.iter().map(|point| point.1);
        let several = self.points.len() > 1;
        Some(match window {
            Window::Rate | Window::Increase | Window::Delta => {
                return several.then(|| self.extrapolated(window));
            }
            Window::Irate | Window::Idelta => return self.between_last_two(window),
            Window::Deriv => return several.then(|| line(self.points, first.0).0),
            Window::PredictLinear => {
                return several.then(|| {
                    let (slope, now) = line(self.points, self.time);
                    slope * self.param + now
                });
            }
            Window::Changes => {
                self.count_steps(|before, now| now != before && !(now.is_nan() && before.is_nan()))
            }
            Window::Resets => self.count_steps(|before, now| now < before),
            Window::Avg => {
                let mut mean = Mean::default();
                values().for_each(|value| mean.add(value));
                mean.mean()
            }
            Window::Sum => {
                let mut sum = Sum::default();
                values().for_each(|value| sum.add(value));
                sum.total()
            }
            Window::Count => self.points.len() as f64,
            Window::Present => 1.0,
            Window::First => first.1,
            Window::Last => last.1,
            Window::Max => values().fold(f64::NAN, |most, value| {
                if value > most || most.is_nan() {
                    value
                } else {
                    most
                }
            }),
            Window::Min => values().fold(f64::NAN, |least, value| {
                if value < least || least.is_nan() {
                    value
                } else {
                    least
                }
            }),
            Window::Stdvar => window_variance(self.points),
            Window::Stddev => window_variance(self.points).sqrt(),
            Window::Quantile => {
                sorted.clear();
                sorted.extend(values());
                quantile(self.param, sorted)
            }
        })
    }

    fn count_steps(&self, counts: impl Fn(f64, f64) -> bool) -> f64 {
        self.points
            .windows(2)
            .filter(|pair| counts(pair[0].1, pair[1].1))
            .count() as f64
    }

    fn between_last_two(&self, window: Window) -> Option<f64> {
        let [.., before, last] = self.points else {
            return None;
        };
        let seconds = (last.0 - before.0) as f64 / 1000.0;
        if seconds == 0.0 {
            return None;
        }
        let is_rate = window == Window::Irate;
        // After a reset everything there is was counted since.
        let change = if is_rate && last.1 < before.1 {
            last.1
        } else {
            last.1 - before.1
        };
        Some(if is_rate { change / seconds } else { change })
    }

    /// The change over the whole window, of which the samples cover a part.
    /// Near an end the change is taken to go on; far from it, for half the
    /// mean distance of samples, and never to where a counter was below zero.
    fn extrapolated(&self, window: Window) -> f64 {
        let (first, last) = (self.points[0], self.points[self.points.len() - 1]);
        let is_counter = window != Window::Delta;
        let mut change = last.1 - first.1;
        if is_counter {
            for pair in self.points.windows(2) {
                if pair[1].1 < pair[0].1 {
                    change += pair[0].1;
                }
            }
        }
        let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
        let mut to_start = seconds(self.bounds.0, first.0);
        let mut to_end = seconds(last.0, self.bounds.1);
        let sampled = seconds(first.0, last.0);
        let distance = sampled / (self.points.len() - 1) as f64;
        let far = distance * 1.1;
        if to_start >= far {
            to_start = distance / 2.0;
        }
        if is_counter && change > 0.0 && first.1 >= 0.0 {
            let to_zero = sampled * (first.1 / change);
            if to_zero < to_start {
                to_start = to_zero;
            }
        }
        if to_end >= far {
            to_end = distance / 2.0;
        }
        let mut factor = (sampled + to_start + to_end) / sampled;
        if window == Window::Rate {
            factor /= seconds(self.bounds.0, self.bounds.1);
        }
        change * factor
    }
}
