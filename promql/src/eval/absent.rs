//! `absent` and `absent_over_time`: 1 where there is nothing.

use exposition::{Labels, LabelsBuilder, NAME, stale};
use series::{Op, Summary};

use super::select::Cursor;
use super::{Evaluator, Grid, Row, Table, is_absent};
use crate::error::Error;
use crate::syntax::{Kind, Node, Selector};

impl Evaluator<'_> {
    pub(super) fn absent(&mut self, arg: &Node, grid: Grid) -> Result<Table, Error> {
        let table = self.table(arg, grid)?;
        let mut cells = vec![1.0; grid.count];
        for row in 0..table.rows.len() {
            for (cell, value) in cells.iter_mut().zip(table.cells_of(row)) {
                if !is_absent(*value) {
                    *cell = stale();
                }
            }
        }
        Ok(answer(arg, cells))
    }

    pub(super) fn absent_over_time(&mut self, arg: &Node, grid: Grid) -> Result<Table, Error> {
        let mut cells = vec![1.0; grid.count];
        let (before, mut read) = (self.budget.read, 0_usize);
        self.windows(arg, grid, Summary::Last, &mut |this, _, points, windows| {
            let mut cursor = Cursor::default();
            for (at, cell) in cells.iter_mut().enumerate() {
                let seen = cursor.slice(points, windows.bounds(at));
                read = read.saturating_add(seen.len());
                if !seen.is_empty() {
                    *cell = stale();
                }
            }
            this.budget.work(points.len() + grid.count)
        })?;
        self.budget.read = before.saturating_add(read);
        Ok(answer(arg, cells))
    }
}

fn answer(arg: &Node, cells: Vec<f64>) -> Table {
    let labels = match &arg.bare().kind {
        Kind::Selector(selector) => labels_of(selector),
        Kind::Range(range) => labels_of(&range.selector),
        _ => Labels::empty(),
    };
    let mut table = Table::new(cells.len());
    let row = Row {
        labels,
        nameless: false,
    };
    table.add_filled(row, |empty| empty.copy_from_slice(&cells));
    table
}

/// The labels that anything absent would surely have had: those with one
/// condition, and that an equality.
fn labels_of(selector: &Selector) -> Labels {
    let mut labels = LabelsBuilder::default();
    let mut stated: Vec<&str> = Vec::new();
    for matcher in selector.matchers().iter().filter(|one| one.name != NAME) {
        if matcher.op == Op::Equal && !stated.contains(&matcher.name.as_str()) {
            stated.push(&matcher.name);
            labels.set(matcher.name.as_str(), matcher.value.as_str());
        } else {
            labels.remove(&matcher.name);
        }
    }
    labels.build()
}
