//! Aggregations that fold each group into one value.

use exposition::stale;

use super::group::{Grouper, Key};
use super::numbers::{Mean, Sum, Variance};
use super::{Evaluator, Grid, Row, Table, is_absent};
use crate::error::Error;
use crate::syntax::{Aggregate, Aggregator, Grouping};

/// The rows of a table, sorted into groups.
pub(super) struct Groups {
    /// The group of each row.
    pub(super) of_row: Vec<usize>,
    /// What each group is called.
    pub(super) rows: Vec<Row>,
}

pub(super) fn key_of(grouping: &Grouping) -> Key<'_> {
    Key {
        by: !grouping.without,
        names: &grouping.labels,
        with_name: false,
    }
}

/// A group loses its name if any of its rows does.
pub(super) fn groups(key: Key<'_>, table: &Table) -> Groups {
    let mut grouper = Grouper::new(key);
    let mut rows: Vec<Row> = Vec::new();
    let of_row = table.rows.iter().map(|row| {
        let group = grouper.id(&row.labels);
        match rows.get_mut(group) {
            Some(have) => have.nameless |= row.nameless,
            None => rows.push(Row {
                labels: key.of(&row.labels),
                nameless: row.nameless,
            }),
        }
        group
    });
    Groups {
        of_row: of_row.collect(),
        rows,
    }
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, node: &Aggregate, grid: Grid) -> Result<Table, Error> {
        match (node.aggregator, &node.param) {
            (Aggregator::Topk, Some(param)) => self.top(node, param, true, grid),
            (Aggregator::Bottomk, Some(param)) => self.top(node, param, false, grid),
            (Aggregator::Quantile, Some(param)) => self.quantile(node, param, grid),
            (Aggregator::CountValues, Some(param)) => self.count_values(node, param, grid),
            (aggregator, _) => self.fold(node, aggregator, grid),
        }
    }

    fn fold(
        &mut self,
        node: &Aggregate,
        aggregator: Aggregator,
        grid: Grid,
    ) -> Result<Table, Error> {
        let table = self.table(&node.inner, grid)?;
        let groups = groups(key_of(&node.grouping), &table);
        self.budget.take_cells(groups.rows.len(), grid.count)?;
        self.budget.work(table.cells.len())?;
        let folded = match aggregator {
            Aggregator::Sum => fold(&table, &groups, Sum::add, Sum::total),
            Aggregator::Avg => fold(&table, &groups, Mean::add, Mean::mean),
            Aggregator::Stdvar => fold(&table, &groups, Variance::add, Variance::variance),
            Aggregator::Stddev => fold(&table, &groups, Variance::add, |spread: Variance| {
                spread.variance().sqrt()
            }),
            Aggregator::Min => fold(&table, &groups, Extreme::<false>::add, Extreme::value),
            Aggregator::Max => fold(&table, &groups, Extreme::<true>::add, Extreme::value),
            Aggregator::Group => fold(&table, &groups, |(): &mut (), _| {}, |()| 1.0),
            // The others take a parameter and were dealt with above.
            _ => fold(
                &table,
                &groups,
                |count: &mut f64, _| *count += 1.0,
                |count| count,
            ),
        };
        Ok(folded)
    }
}

fn fold<S: Default + Clone>(
    table: &Table,
    groups: &Groups,
    mut add: impl FnMut(&mut S, f64),
    finish: impl Fn(S) -> f64,
) -> Table {
    let steps = table.steps;
    let size = groups.rows.len() * steps;
    let mut states = vec![S::default(); size];
    let mut present = vec![false; size];
    for (row, &group) in groups.of_row.iter().enumerate() {
        let at = group * steps;
        for (step, &value) in table.cells_of(row).iter().enumerate() {
            if !is_absent(value) {
                add(&mut states[at + step], value);
                present[at + step] = true;
            }
        }
    }
    let cells = states
        .into_iter()
        .zip(present)
        .map(|(state, present)| if present { finish(state) } else { stale() });
    let mut folded = Table {
        steps,
        rows: groups.rows.clone(),
        cells: cells.collect(),
    };
    folded.compact();
    folded
}

/// The largest or smallest value; NaN only if there is nothing else.
#[derive(Clone, Copy)]
struct Extreme<const LARGEST: bool>(f64);

impl<const LARGEST: bool> Default for Extreme<LARGEST> {
    fn default() -> Self {
        Self(f64::NAN)
    }
}

impl<const LARGEST: bool> Extreme<LARGEST> {
    fn add(&mut self, value: f64) {
        let further = if LARGEST {
            value > self.0
        } else {
            value < self.0
        };
        if further || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn value(self) -> f64 {
        self.0
    }
}
