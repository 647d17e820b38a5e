//! Operators between two vectors: which series meet, and what comes of it.

use std::collections::HashMap;
use std::fmt::Write as _;

use exposition::Labels;

use super::binary::apply;
use super::group::{Grouper, Key};
use super::{Evaluator, Row, Table, is_absent};
use crate::error::{Error, execution};
use crate::syntax::{Binary, Matching, Side, quote};

pub(super) fn key_of(matching: &Matching) -> Key<'_> {
    Key {
        by: matching.on,
        names: &matching.labels,
        with_name: false,
    }
}

const NONE: usize = usize::MAX;

/// Both sides of a match: at any time a group has at most one series on the
/// one side, and each series on the many side looks for it.
struct Match<'a> {
    node: &'a Binary,
    key: Key<'a>,
    many: &'a Table,
    one: &'a Table,
    many_ids: Vec<usize>,
    one_ids: Vec<usize>,
    answer: Table,
    /// Where a pair's values go.
    places: HashMap<(usize, usize), usize>,
    /// The last pair of each row of the many side.
    last: Vec<(usize, usize)>,
}

impl Evaluator<'_> {
    pub(super) fn matched(
        &mut self,
        node: &Binary,
        left: Table,
        right: Table,
    ) -> Result<Table, Error> {
        let (many, one) = match node.matching.many {
            Some(Side::Right) => (&right, &left),
            _ => (&left, &right),
        };
        let key = key_of(&node.matching);
        let mut grouper = Grouper::new(key);
        let one_ids = grouper.ids(one);
        let many_ids = grouper.ids(many);
        let groups = grouper.len();
        self.budget.take_cells(many.rows.len(), many.steps)?;
        self.budget.work(left.cells.len() + right.cells.len())?;
        let mut pairs = Match {
            node,
            key,
            many,
            one,
            last: vec![(NONE, NONE); many.rows.len()],
            many_ids,
            one_ids,
            answer: Table::new(many.steps),
            places: HashMap::new(),
        };
        let crowded = pairs.is_crowded(groups);
        if crowded {
            let mut slots = vec![NONE; groups];
            let mut met = vec![false; groups];
            for step in 0..many.steps {
                self.budget.work(one.rows.len() + many.rows.len())?;
                pairs.step(step, &mut slots, &mut met)?;
            }
        } else {
            pairs.rows(groups);
        }
        let mut answer = pairs.answer;
        answer.compact();
        if crowded || !node.matching.include.is_empty() {
            return answer
                .merge("multiple matches for labels: grouping labels must ensure unique matches");
        }
        Ok(answer)
    }
}

impl Match<'_> {
    /// Whether some group has more series than it may at one time; they may
    /// still live at different times.
    fn is_crowded(&self, groups: usize) -> bool {
        let twice = |ids: &[usize]| {
            let mut seen = vec![false; groups];
            ids.iter().any(|id| std::mem::replace(&mut seen[*id], true))
        };
        twice(&self.one_ids) || (self.node.matching.many.is_none() && twice(&self.many_ids))
    }

    /// Row by row, when each group has one series at most on the one side.
    fn rows(&mut self, groups: usize) {
        let mut partners = vec![NONE; groups];
        for (row, id) in self.one_ids.iter().enumerate() {
            partners[*id] = row;
        }
        for many_row in 0..self.many.rows.len() {
            let one_row = partners[self.many_ids[many_row]];
            if one_row == NONE {
                continue;
            }
            let (many, one, node) = (self.many, self.one, self.node);
            let row = self.row(many_row, one_row);
            self.answer.add_filled(row, |cells| {
                let sides = many.cells_of(many_row).iter().zip(one.cells_of(one_row));
                for (cell, (many, one)) in cells.iter_mut().zip(sides) {
                    if !is_absent(*many)
                        && !is_absent(*one)
                        && let Some(value) = operate(node, *many, *one)
                    {
                        *cell = value;
                    }
                }
            });
        }
    }

    /// One time, with all that can go wrong at it.
    fn step(&mut self, step: usize, slots: &mut [usize], met: &mut [bool]) -> Result<(), Error> {
        let (many, one) = (self.many, self.one);
        let at = |table: &Table, row: usize| table.cells[row * table.steps + step];
        let is_empty = |table: &Table| (0..table.rows.len()).all(|row| is_absent(at(table, row)));
        if is_empty(many) || is_empty(one) {
            return Ok(());
        }
        slots.fill(NONE);
        met.fill(false);
        for row in 0..one.rows.len() {
            if is_absent(at(one, row)) {
                continue;
            }
            let slot = &mut slots[self.one_ids[row]];
            if *slot != NONE {
                return self.duplicate(*slot, row);
            }
            *slot = row;
        }
        for many_row in 0..many.rows.len() {
            let value = at(many, many_row);
            let group = self.many_ids[many_row];
            let one_row = slots[group];
            if is_absent(value) || one_row == NONE {
                continue;
            }
            if self.node.matching.many.is_none() && std::mem::replace(&mut met[group], true) {
                return execution(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                );
            }
            if let Some(value) = operate(self.node, value, at(one, one_row)) {
                let place = self.place(many_row, one_row);
                self.answer.cells_of_mut(place)[step] = value;
            }
        }
        Ok(())
    }

    /// The answer's row for a pair.
    fn place(&mut self, many_row: usize, one_row: usize) -> usize {
        // Without copied labels the answer does not depend on the partner.
        let partner = if self.node.matching.include.is_empty() {
            0
        } else {
            one_row
        };
        let (last_partner, last_place) = self.last[many_row];
        if last_partner == partner {
            return last_place;
        }
        let place = match self.places.get(&(many_row, partner)) {
            Some(place) => *place,
            None => {
                let row = self.row(many_row, one_row);
                let place = self.answer.add(row);
                self.places.insert((many_row, partner), place);
                place
            }
        };
        self.last[many_row] = (partner, place);
        place
    }

    fn row(&self, many_row: usize, one_row: usize) -> Row {
        let (node, many) = (self.node, &self.many.rows[many_row]);
        let filters = node.op.compares() && !node.answers;
        let mut labels = many.labels.clone();
        if node.matching.many.is_none() && (node.matching.on || !node.matching.labels.is_empty()) {
            let key = Key {
                with_name: true,
                ..self.key
            };
            labels = key.of(&labels);
        }
        if !node.matching.include.is_empty() {
            let one = &self.one.rows[one_row].labels;
            let mut edit = labels.edit();
            for label in &node.matching.include {
                edit.set(label.as_str(), one.get(label));
            }
            labels = edit.build();
        }
        Row {
            labels,
            nameless: many.nameless || !filters,
        }
    }

    fn duplicate(&self, first: usize, second: usize) -> Result<(), Error> {
        let side = match self.node.matching.many {
            Some(Side::Right) => "left",
            _ => "right",
        };
        let rows = &self.one.rows;
        let group = listed(&self.key.of(&rows[first].labels));
        let mut both = [first, second].map(|row| listed(&rows[row].labels));
        both.sort();
        execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
            both[0], both[1]
        ))
    }
}

/// The operator with its sides in the written order.
fn operate(node: &Binary, many: f64, one: f64) -> Option<f64> {
    let (left, right) = match node.matching.many {
        Some(Side::Right) => (one, many),
        _ => (many, one),
    };
    apply(node.op, left, right, node.answers)
}

/// Labels with the name among them.
fn listed(labels: &Labels) -> String {
    let mut out = String::from("{");
    for (at, (name, value)) in labels.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(out, "{comma}{name}={}", quote(value));
    }
    out.push('}');
    out
}
