//! Reading series: the newest sample before each time, or those in a window.

use exposition::is_stale;
use series::Selected;

use super::budget::TOO_MANY;
use super::grid::Seen;
use super::{Data, Evaluator, Grid, Row, Table, is_absent};
use crate::error::{Error, execution};
use crate::syntax::{Kind, Node, Selector, When};

/// Time in milliseconds and value.
pub(crate) type Point = (i64, f64);

/// One series with its samples, markers removed.
pub(crate) struct Source {
    pub(crate) row: Row,
    pub(crate) points: Vec<Point>,
}

/// Series, and the window through which each time sees them.
pub(crate) struct Windows {
    pub(crate) sources: Vec<Source>,
    pub(crate) range_ms: i64,
    pub(crate) seen: Seen,
}

impl Windows {
    /// Both ends of the window at a time of the grid; the left one is open.
    pub(crate) fn bounds(&self, at: usize) -> (i64, i64) {
        let end = self.seen.time(at);
        (end.saturating_sub(self.range_ms), end)
    }
}

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
        while points.get(self.to).is_some_and(|point| point.0 <= high) {
            self.to += 1;
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
        let sources = self.read(selector, seen, lookback_ms)?;
        self.budget.take_cells(sources.len(), grid.count)?;
        let mut table = Table::new(grid.count);
        table.rows.reserve(sources.len());
        table.cells.reserve(sources.len() * grid.count);
        for Selected { labels, samples } in sources {
            let row = Row {
                labels,
                nameless: false,
            };
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
                    }
                }
            });
            self.budget.work(samples.len() + grid.count)?;
            self.budget.give_back(samples.len());
        }
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
        let newest = self.store.newest(&selector.matchers, from, time);
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
        Ok(table)
    }

    /// Series with the samples in reach of the times seen.
    fn read(
        &mut self,
        selector: &Selector,
        seen: Seen,
        reach_ms: i64,
    ) -> Result<Vec<Selected>, Error> {
        let from = seen.first().saturating_sub(reach_ms).saturating_add(1);
        let most = self.budget.values_left();
        let selected = self
            .store
            .select_most(&selector.matchers, from, seen.last(), most)
            .or_else(|_| execution(TOO_MANY))?;
        let samples = selected.iter().map(|series| series.samples.len()).sum();
        self.budget.take(samples)?;
        Ok(selected)
    }

    /// The series of a range vector.
    pub(crate) fn windows(&mut self, node: &Node, grid: Grid) -> Result<Windows, Error> {
        match &node.bare().kind {
            Kind::Range(range) => {
                let seen = grid.seen_by(range.selector.when, self.bounds);
                let selected = self.read(&range.selector, seen, range.range_ms)?;
                let sources = selected
                    .into_iter()
                    .map(|series| {
                        let mut points = series.samples;
                        points.retain(|point| !is_stale(point.1));
                        Source {
                            row: Row {
                                labels: series.labels,
                                nameless: false,
                            },
                            points,
                        }
                    })
                    .collect();
                Ok(Windows {
                    sources,
                    range_ms: range.range_ms,
                    seen,
                })
            }
            Kind::Subquery(subquery) => {
                let step = subquery.step_ms.unwrap_or(self.subquery_step_ms).max(1);
                let range_ms = subquery.range_ms;
                self.subquery(&subquery.inner, subquery.when, range_ms, step, grid)
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
        when: When,
        range_ms: i64,
        step: i64,
        grid: Grid,
    ) -> Result<Windows, Error> {
        let seen = grid.seen_by(when, self.bounds);
        // Inner times are multiples of the step, whatever the outer ones are.
        let open = seen.first().saturating_sub(range_ms);
        let first = open.div_euclid(step).saturating_add(1).saturating_mul(step);
        let inner_grid = Grid::range(first, seen.last(), step);
        self.budget.take(inner_grid.count)?;
        let mut windows = Windows {
            sources: Vec::new(),
            range_ms,
            seen,
        };
        if inner_grid.count == 0 {
            return Ok(windows);
        }
        let table = match self.eval(inner, inner_grid)? {
            Data::Table(table) => table,
            Data::Scalar(values) => Table::nameless(values),
        };
        windows.sources = table
            .rows
            .iter()
            .enumerate()
            .map(|(at, row)| Source {
                row: row.clone(),
                points: (table.cells_of(at).iter().enumerate())
                    .filter(|(_, value)| !is_absent(**value))
                    .map(|(step, value)| (inner_grid.time(step), *value))
                    .collect(),
            })
            .collect();
        Ok(windows)
    }
}
