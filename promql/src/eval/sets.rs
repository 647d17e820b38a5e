//! `and`, `or` and `unless`.

use exposition::stale;

use super::group::Grouper;
use super::matching::key_of;
use super::{Evaluator, Table, is_absent};
use crate::error::{Error, SAME_LABELSET};
use crate::syntax::{Binary, BinaryOp};

impl Evaluator<'_> {
    pub(super) fn set(
        &mut self,
        node: &Binary,
        mut left: Table,
        mut right: Table,
    ) -> Result<Table, Error> {
        let mut grouper = Grouper::new(key_of(&node.matching));
        let left_ids = grouper.ids(&left);
        let right_ids = grouper.ids(&right);
        let (groups, steps) = (grouper.len(), left.steps);
        self.budget.work(left.cells.len() + right.cells.len())?;
        self.budget.take_cells(groups, steps)?;
        match node.op {
            BinaryOp::Or => {
                let covered = presence(&left, &left_ids, groups);
                mask(&mut right, &right_ids, |at| !covered[at]);
                left.rows.append(&mut right.rows);
                left.cells.append(&mut right.cells);
                left.merge(SAME_LABELSET)
            }
            op => {
                let covered = presence(&right, &right_ids, groups);
                mask(&mut left, &left_ids, |at| {
                    covered[at] == (op == BinaryOp::And)
                });
                Ok(left)
            }
        }
    }
}

/// Whether a group has any value at a step, group by group.
fn presence(table: &Table, ids: &[usize], groups: usize) -> Vec<bool> {
    let mut present = vec![false; groups * table.steps];
    for (row, id) in ids.iter().enumerate() {
        let flags = &mut present[id * table.steps..];
        for (flag, value) in flags.iter_mut().zip(table.cells_of(row)) {
            *flag |= !is_absent(*value);
        }
    }
    present
}

fn mask(table: &mut Table, ids: &[usize], keeps: impl Fn(usize) -> bool) {
    let steps = table.steps;
    for (row, id) in ids.iter().enumerate() {
        for (step, cell) in table.cells_of_mut(row).iter_mut().enumerate() {
            if !keeps(id * steps + step) {
                *cell = stale();
            }
        }
    }
    table.compact();
}
