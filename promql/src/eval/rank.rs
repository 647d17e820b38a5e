//! Aggregations that look at the values of a group side by side.

use std::collections::HashMap;

use exposition::{Labels, stale};

use super::aggregate::{groups, key_of};
use super::elementwise::by_value;
use super::group::Key;
use super::{Evaluator, Grid, Row, Table, is_absent, numbers};
use crate::error::{Error, execution};
use crate::syntax::{Aggregate, Node, go_number};

impl Evaluator<'_> {
    /// `topk` and `bottomk`: whole rows of the input, where they are among the
    /// first; an instant query gets them in order.
    pub(super) fn top(
        &mut self,
        node: &Aggregate,
        param: &Node,
        down: bool,
        grid: Grid,
    ) -> Result<Table, Error> {
        let wanted = self.scalar(param, grid)?;
        if wanted.iter().any(|wanted| wanted.is_nan()) {
            return execution("Parameter value is NaN");
        }
        if let Some(wanted) = wanted.iter().find(|wanted| wanted.abs() >= i64::MAX as f64) {
            let way = if *wanted < 0.0 {
                "underflows"
            } else {
                "overflows"
            };
            return execution(format!("Scalar value {} {way} int64", go_number(*wanted)));
        }
        let mut table = self.table(&node.inner, grid)?;
        let groups = groups(key_of(&node.grouping), &table);
        let mut members = vec![Vec::new(); groups.rows.len()];
        for (row, &group) in groups.of_row.iter().enumerate() {
            members[group].push(row);
        }
        let mut order: Vec<usize> = Vec::new();
        let mut ranked: Vec<usize> = Vec::new();
        for (step, wanted) in wanted.iter().enumerate() {
            // What is below one, and so whatever is negative, takes nothing.
            let wanted = *wanted as usize;
            for members in &members {
                let value = |row: usize| table.cells[row * table.steps + step];
                ranked.clear();
                ranked.extend(members.iter().filter(|row| !is_absent(value(**row))));
                self.budget.work(ranked.len())?;
                // A stable sort: of equal values the first keep their places.
                ranked.sort_by(|left, right| by_value(value(*left), value(*right), down));
                for &row in ranked.iter().skip(wanted) {
                    table.cells[row * table.steps + step] = stale();
                }
                order.extend(ranked.iter().take(wanted));
            }
        }
        if table.steps == 1 {
            return Ok(Table {
                steps: 1,
                cells: order.iter().map(|row| table.cells[*row]).collect(),
                rows: order.iter().map(|row| table.rows[*row].clone()).collect(),
            });
        }
        table.compact();
        Ok(table)
    }

    pub(super) fn quantile(
        &mut self,
        node: &Aggregate,
        param: &Node,
        grid: Grid,
    ) -> Result<Table, Error> {
        let ranks = self.scalar(param, grid)?;
        self.warn_of_quantiles(&ranks, param.place);
        let table = self.table(&node.inner, grid)?;
        let groups = groups(key_of(&node.grouping), &table);
        let mut members = vec![Vec::new(); groups.rows.len()];
        for (row, &group) in groups.of_row.iter().enumerate() {
            members[group].push(row);
        }
        self.budget.take_cells(members.len(), grid.count)?;
        let mut answer = Table::new(grid.count);
        let mut values = Vec::new();
        for (row, members) in groups.rows.into_iter().zip(&members) {
            self.budget.work(members.len().saturating_mul(grid.count))?;
            answer.add_filled(row, |cells| {
                for (step, cell) in cells.iter_mut().enumerate() {
                    values.clear();
                    let column = members.iter().map(|row| table.cells_of(*row)[step]);
                    values.extend(column.filter(|value| !is_absent(*value)));
                    if !values.is_empty() {
                        *cell = numbers::quantile(ranks[step], &mut values);
                    }
                }
            });
        }
        Ok(answer)
    }

    pub(super) fn count_values(
        &mut self,
        node: &Aggregate,
        param: &Node,
        grid: Grid,
    ) -> Result<Table, Error> {
        let text = param.text();
        let Some(label) = text.and_then(|text| text.as_name()) else {
            let name = text.map_or_else(String::new, |text| text.quoted());
            return execution(format!("invalid label name {name}"));
        };
        let table = self.table(&node.inner, grid)?;
        let grouping = &node.grouping;
        let mut names = grouping.labels.clone();
        if !grouping.without && !names.iter().any(|name| name == label) {
            names.push(label.to_owned());
        }
        let key = Key {
            by: !grouping.without,
            names: &names,
            with_name: false,
        };
        let mut answer = Table::new(grid.count);
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for (at, row) in table.rows.iter().enumerate() {
            self.budget.work(grid.count)?;
            // Values mostly stay; their group is found again without labels.
            let mut last: Option<(u64, usize)> = None;
            for (step, value) in table.cells_of(at).iter().enumerate() {
                if is_absent(*value) {
                    continue;
                }
                let place = match last {
                    Some((bits, place)) if bits == value.to_bits() => place,
                    _ => {
                        let labels = row.labels.edit().set(label, plain(*value)).build();
                        let labels = key.of(&labels);
                        match places.get(&labels) {
                            Some(place) => *place,
                            None => {
                                self.budget.take(grid.count)?;
                                let place = answer.add(Row {
                                    labels: labels.clone(),
                                    nameless: row.nameless,
                                });
                                places.insert(labels, place);
                                place
                            }
                        }
                    }
                };
                last = Some((value.to_bits(), place));
                answer.rows[place].nameless |= row.nameless;
                let count = &mut answer.cells_of_mut(place)[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
        }
        Ok(answer)
    }
}

/// Shortest digits, never an exponent.
fn plain(value: f64) -> String {
    if value.is_infinite() {
        exposition::format_value(value)
    } else {
        value.to_string()
    }
}
