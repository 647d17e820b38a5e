//! Operators between scalars, and between a scalar and a vector.

use super::{Data, Evaluator, Grid, Table, is_absent};
use crate::error::Error;
use crate::syntax::{Binary, BinaryOp};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, node: &Binary, grid: Grid) -> Result<Data, Error> {
        let left = self.eval(&node.left, grid)?;
        let right = self.eval(&node.right, grid)?;
        self.budget.work(grid.count)?;
        Ok(match (left, right) {
            (Data::Scalar(mut left), Data::Scalar(right)) => {
                for (left, right) in left.iter_mut().zip(right) {
                    *left = apply(node.op, *left, right, true).unwrap_or(f64::NAN);
                }
                Data::Scalar(left)
            }
            (Data::Table(mut table), Data::Scalar(scalars)) => {
                self.budget.work(table.cells.len())?;
                with_scalar(node, &mut table, |value, step| (value, scalars[step]));
                Data::Table(table)
            }
            (Data::Scalar(scalars), Data::Table(mut table)) => {
                self.budget.work(table.cells.len())?;
                with_scalar(node, &mut table, |value, step| (scalars[step], value));
                Data::Table(table)
            }
            (Data::Table(left), Data::Table(right)) => Data::Table(if node.op.is_set() {
                self.set(node, left, right)?
            } else {
                self.matched(node, left, right)?
            }),
        })
    }
}

fn with_scalar(node: &Binary, table: &mut Table, order: impl Fn(f64, usize) -> (f64, f64)) {
    let steps = table.steps.max(1);
    let filters = node.op.compares() && !node.answers;
    for (at, cell) in table.cells.iter_mut().enumerate() {
        if is_absent(*cell) {
            continue;
        }
        let (left, right) = order(*cell, at % steps);
        match apply(node.op, left, right, node.answers) {
            // A filter keeps the vector's value, on whichever side it is.
            Some(_) if filters => {}
            Some(value) => *cell = value,
            None => *cell = exposition::stale(),
        }
    }
    if filters {
        table.compact();
    } else {
        table.drop_names();
    }
}

/// The value of an operator; nothing where a comparison filters it out.
pub(super) fn apply(op: BinaryOp, left: f64, right: f64, answers: bool) -> Option<f64> {
    let holds = match op {
        BinaryOp::Add => return Some(left + right),
        BinaryOp::Sub => return Some(left - right),
        BinaryOp::Mul => return Some(left * right),
        BinaryOp::Div => return Some(left / right),
        BinaryOp::Mod => return Some(left % right),
        BinaryOp::Pow => return Some(left.powf(right)),
        BinaryOp::Atan2 => return Some(left.atan2(right)),
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        // These look at labels, not at values.
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => true,
    };
    if answers {
        Some(f64::from(u8::from(holds)))
    } else {
        holds.then_some(left)
    }
}
