//! Functions of each value by itself, sorting, and the way to a scalar.

use std::cmp::Ordering;

use super::{Evaluator, Grid, Table, is_absent, numbers};
use crate::error::Error;
use crate::syntax::{Kind, Node};

impl Evaluator<'_> {
    pub(super) fn date(
        &mut self,
        function: fn(i64) -> f64,
        args: &[Node],
        grid: Grid,
    ) -> Result<Table, Error> {
        let mut table = match args.first() {
            Some(arg) => self.table(arg, grid)?,
            None => {
                self.budget.take(grid.count)?;
                Table::nameless(grid.seconds())
            }
        };
        // What is no time at all, even minus infinity, is the end of time there.
        let whole = |seconds: f64| {
            if seconds.abs() < i64::MAX as f64 {
                seconds as i64
            } else {
                i64::MAX
            }
        };
        table.map(|seconds| function(whole(seconds)));
        Ok(table)
    }

    /// Changes every value together with its time's number.
    fn map_by_step(table: &mut Table, function: impl Fn(usize, f64) -> Option<f64>) {
        let steps = table.steps.max(1);
        for (at, cell) in table.cells.iter_mut().enumerate() {
            if !is_absent(*cell) {
                *cell = function(at % steps, *cell).unwrap_or_else(exposition::stale);
            }
        }
        table.drop_names();
    }

    pub(super) fn clamp(
        &mut self,
        arg: &Node,
        least: Option<&Node>,
        most: Option<&Node>,
        grid: Grid,
    ) -> Result<Table, Error> {
        let mut table = self.table(arg, grid)?;
        let mut bound = |node: Option<&Node>| node.map(|node| self.scalar(node, grid)).transpose();
        let (least, most) = (bound(least)?, bound(most)?);
        Self::map_by_step(&mut table, |step, mut value| {
            let least = least.as_ref().map(|bounds| bounds[step]);
            let most = most.as_ref().map(|bounds| bounds[step]);
            if let (Some(least), Some(most)) = (least, most)
                && most < least
            {
                return None;
            }
            if let Some(most) = most {
                value = numbers::min(most, value);
            }
            if let Some(least) = least {
                value = numbers::max(least, value);
            }
            Some(value)
        });
        table.compact();
        Ok(table)
    }

    pub(super) fn round(&mut self, args: &[Node], grid: Grid) -> Result<Table, Error> {
        let mut table = self.table(&args[0], grid)?;
        let nearest = match args.get(1) {
            Some(nearest) => self.scalar(nearest, grid)?,
            None => vec![1.0; grid.count],
        };
        Self::map_by_step(&mut table, |step, value| {
            // Multiplying by the inverse is kinder to 0.1 and its like.
            let inverse = 1.0 / nearest[step];
            Some((value * inverse + 0.5).floor() / inverse)
        });
        Ok(table)
    }

    /// `scalar()`: the value of the only series, else NaN.
    pub(super) fn only_value(&mut self, arg: &Node, grid: Grid) -> Result<Vec<f64>, Error> {
        let table = self.table(arg, grid)?;
        let mut values = vec![exposition::stale(); grid.count];
        for row in 0..table.rows.len() {
            for (only, value) in values.iter_mut().zip(table.cells_of(row)) {
                if !is_absent(*value) {
                    *only = if is_absent(*only) { *value } else { f64::NAN };
                }
            }
        }
        for only in values.iter_mut().filter(|only| is_absent(**only)) {
            *only = f64::NAN;
        }
        Ok(values)
    }

    pub(super) fn timestamp(&mut self, arg: &Node, grid: Grid) -> Result<Table, Error> {
        let mut table = if let Kind::Selector(selector) = &arg.bare().kind {
            self.instant(selector, grid, true)?
        } else {
            let mut table = self.table(arg, grid)?;
            Self::map_by_step(&mut table, |step, _| Some(grid.time(step) as f64 / 1000.0));
            table
        };
        table.drop_names();
        Ok(table)
    }

    pub(super) fn sort(
        &mut self,
        arg: &Node,
        down: bool,
        node: &Node,
        grid: Grid,
    ) -> Result<Table, Error> {
        let table = self.table(arg, grid)?;
        if self.is_range {
            self.notes.warn(
                "sort is ineffective for range queries since results are always ordered by labels",
                node.place,
            );
            return Ok(table);
        }
        Ok(ordered(table, down))
    }
}

/// The rows in order of their first cells, NaN last either way.
pub(super) fn ordered(table: Table, down: bool) -> Table {
    if table.steps != 1 {
        return table;
    }
    let mut order: Vec<usize> = (0..table.rows.len()).collect();
    order.sort_by(|left, right| by_value(table.cells[*left], table.cells[*right], down));
    Table {
        steps: 1,
        cells: order.iter().map(|at| table.cells[*at]).collect(),
        rows: order.iter().map(|at| table.rows[*at].clone()).collect(),
    }
}

pub(super) fn by_value(left: f64, right: f64, down: bool) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
            if down { order.reverse() } else { order }
        }
    }
}
