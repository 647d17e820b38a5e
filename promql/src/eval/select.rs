//! Reading series: the newest sample before each time, or those in a window.

use exposition::{Labels, is_stale};
use series::Summary;

use super::grid::Seen;
use super::{Evaluator, Grid, Row, Table, is_absent};
use crate::error::{Error, execution};
use crate::syntax::{Kind, Node, Selector};

/// Time in milliseconds and value.
pub(crate) type Point = (i64, f64);

/// The window through which each time of a grid sees a range vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    range_ms: i64,
    pub(crate) seen: Seen,
}

impl Windows {
    /// Both ends of the window at a time of the grid; the left one is open.
    pub(crate) fn bounds(&self, at: usize) -> (i64, i64) {
        let end = self.seen.time(at);
        (end.saturating_sub(self.range_ms), end)
    }
}

/// Looks at one series of a range vector, whose markers are removed.
type Look<'l> = &'l mut dyn FnMut(&mut Evaluator<'_>, Row, &[Point], Windows) -> Result<(), Error>;

/// The samples in a window that only moves forward.
#[derive(Default)]
pub(crate) struct Cursor {
    from: usize,
    to: usize,
}

impl Cursor {
    pub(crate) fn slice<'a>(
        &mut self,
        points: &'a [Point],
        (low, high): (i64, i64),
    ) -> &'a [Point] {
        match points.last() {
            // The last window, which mostly is the only one.
            Some(last) if last.0 <= high => self.to = points.len(),
            _ => {
                while points.get(self.to).is_some_and(|point| point.0 <= high) {
                    self.to += 1;
                }
            }
        }
        while self.from < self.to && points[self.from].0 <= low {
            self.from += 1;
        }
        &points[self.from..self.to]
    }
}

impl Evaluator<'_> {
    /// The newest sample of each series within the look-back, or with
    /// `times` the time of that sample in seconds.
    pub(crate) fn instant(
        &mut self,
        selector: &Selector,
        grid: Grid,
        times: bool,
    ) -> Result<Table, Error> {
        let seen = grid.seen_by(selector.when, self.bounds);
        let shows = move |time: i64, value: f64| if times { time as f64 / 1000.0 } else { value };
        if grid.count == 1 || seen.fixed.is_some() {
            return self.newest(selector, seen.first(), grid.count, shows);
        }
        let lookback_ms = self.lookback_ms;
        let mut table = Table::new(grid.count);
        let last = Summary::Last;
        self.read(
            selector,
            seen,
            lookback_ms,
            last,
            |this, labels, samples| {
                this.budget.take(grid.count)?;
                let row = Row {
                    labels: labels.clone(),
                    nameless: false,
                };
                let mut seen_in = 0;
                table.add_filled(row, |cells| {
                    let mut next = 0;
                    for (at, cell) in cells.iter_mut().enumerate() {
                        let time = seen.time(at);
                        while samples.get(next).is_some_and(|sample| sample.0 <= time) {
                            next += 1;
                        }
                        let newest = next.checked_sub(1).and_then(|at| samples.get(at));
                        if let Some(&(sampled, value)) = newest
                            && sampled > time.saturating_sub(lookback_ms)
                            && !is_stale(value)
                        {
                            *cell = shows(sampled, value);
                            seen_in += 1;
                        }
                    }
                });
                this.budget.read += seen_in;
                this.budget.work(samples.len() + grid.count)
            },
        )?;
        Ok(table)
    }

    /// The same when there is one time to look at.
    fn newest(
        &mut self,
        selector: &Selector,
        time: i64,
        steps: usize,
        shows: impl Fn(i64, f64) -> f64,
    ) -> Result<Table, Error> {
        let from = time.saturating_sub(self.lookback_ms).saturating_add(1);
        let newest = match self.history {
            true => {
                let matchers = &selector.matchers;
                let (newest, rolled_up) = self.store.newest_history(matchers, from, time);
                self.notes.rolled_up |= rolled_up;
                newest
            }
            false => self.store.newest(&selector.matchers, from, time),
        };
        self.budget.take_cells(newest.len(), steps)?;
        let mut table = Table::new(steps);
        table.rows.reserve(newest.len());
        table.cells.reserve(newest.len() * steps);
        for sample in newest.into_iter().filter(|sample| !is_stale(sample.value)) {
            table.rows.push(Row {
                labels: sample.labels,
                nameless: false,
            });
            let value = shows(sample.time_ms, sample.value);
            table.cells.resize(table.cells.len() + steps, value);
        }
        self.budget.read += table.cells.len();
        Ok(table)
    }

    /// Shows the samples in reach of the times seen, series by series.
    fn read(
        &mut self,
        selector: &Selector,
        seen: Seen,
        reach_ms: i64,
        summary: Summary,
        mut each: impl FnMut(&mut Self, &Labels, &mut Vec<Point>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let from = seen.first().saturating_sub(reach_ms).saturating_add(1);
        let store = self.store;
        let (history, matchers, to) = (self.history, &selector.matchers, seen.last());
        let each = |labels: &Labels, samples: &mut Vec<Point>| {
            let room = samples.len();
            self.budget.take(room)?;
            each(self, labels, samples)?;
            self.budget.give_back(room);
            Ok(())
        };
        match history {
            true => {
                let rolled_up = store.visit_history(matchers, from, to, summary, each)?;
                self.notes.rolled_up |= rolled_up;
                Ok(())
            }
            false => store.visit(matchers, from, to, each),
        }
    }

    /// Looks at the series of a range vector, one after the other; of roll-ups
    /// among them at this.
    pub(crate) fn windows(
        &mut self,
        node: &Node,
        grid: Grid,
        summary: Summary,
        look: Look<'_>,
    ) -> Result<(), Error> {
        match &node.bare().kind {
            Kind::Range(range) => {
                let (selector, range_ms) = (&range.selector, range.range_ms);
                let seen = grid.seen_by(selector.when, self.bounds);
                let windows = Windows { range_ms, seen };
                self.read(selector, seen, range_ms, summary, |this, labels, points| {
                    points.retain(|point| !is_stale(point.1));
                    let row = Row {
                        labels: labels.clone(),
                        nameless: false,
                    };
                    look(this, row, points, windows)
                })
            }
            Kind::Subquery(subquery) => {
                let seen = grid.seen_by(subquery.when, self.bounds);
                let range_ms = subquery.range_ms;
                let windows = Windows { range_ms, seen };
                let step = subquery.step_ms.unwrap_or(self.subquery_step_ms).max(1);
                self.subquery(&subquery.inner, windows, step, look)
            }
            _ => execution(format!(
                "expected a range vector, got {}",
                node.ty().as_str()
            )),
        }
    }

    fn subquery(
        &mut self,
        inner: &Node,
        windows: Windows,
        step: i64,
        look: Look<'_>,
    ) -> Result<(), Error> {
        let Windows { range_ms, seen } = windows;
        // Inner times are multiples of the step, whatever the outer ones are.
        let open = seen.first().saturating_sub(range_ms);
        let first = open.div_euclid(step).saturating_add(1).saturating_mul(step);
        let grid = Grid::range(first, seen.last(), step);
        self.budget.take(grid.count)?;
        if grid.count == 0 {
            return Ok(());
        }
        let table = self.table(inner, grid)?;
        let mut points = Vec::new();
        for (at, row) in table.rows.iter().enumerate() {
            points.clear();
            let cells = table.cells_of(at).iter().enumerate();
            points.extend(
                cells
                    .filter(|(_, value)| !is_absent(**value))
                    .map(|(step, value)| (grid.time(step), *value)),
            );
            look(self, row.clone(), &points, windows)?;
        }
        Ok(())
    }
}
