//! An instant vector at every time of a grid: rows of cells.

use exposition::{Labels, NAME, is_stale, stale};

use super::group::{Grouper, Key};
use crate::error::{Error, execution};

/// Whether a cell holds no value. A staleness marker is never a value of an
/// expression, so it marks the gaps; arithmetic cannot make one.
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// One series of a table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    /// The name is to go at the end.
    pub(crate) nameless: bool,
}

impl Row {
    /// The labels as the answer shows them.
    pub(crate) fn shown(&self) -> Labels {
        if self.nameless && !self.labels.name().is_empty() {
            self.labels.edit().remove(NAME).build()
        } else {
            self.labels.clone()
        }
    }
}

/// Series and their values; `cells` holds `steps` of them for each row.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) steps: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) cells: Vec<f64>,
}

impl Table {
    pub(crate) fn new(steps: usize) -> Self {
        Self {
            steps,
            rows: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// One row without labels.
    pub(crate) fn nameless(cells: Vec<f64>) -> Self {
        Self {
            steps: cells.len(),
            rows: vec![Row {
                labels: Labels::empty(),
                nameless: false,
            }],
            cells,
        }
    }

    pub(crate) fn cells_of(&self, row: usize) -> &[f64] {
        &self.cells[row * self.steps..(row + 1) * self.steps]
    }

    pub(crate) fn cells_of_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.cells[row * self.steps..(row + 1) * self.steps]
    }

    /// Adds an empty row and returns its number.
    pub(crate) fn add(&mut self, row: Row) -> usize {
        self.rows.push(row);
        self.cells.resize(self.rows.len() * self.steps, stale());
        self.rows.len() - 1
    }

    /// Adds a row unless `fill` leaves it without any value.
    pub(crate) fn add_filled(&mut self, row: Row, fill: impl FnOnce(&mut [f64])) {
        let at = self.cells.len();
        self.cells.resize(at + self.steps, stale());
        fill(&mut self.cells[at..]);
        if self.cells[at..].iter().all(|cell| is_absent(*cell)) {
            self.cells.truncate(at);
        } else {
            self.rows.push(row);
        }
    }

    /// Changes every value; such a function drops the name.
    pub(crate) fn map(&mut self, function: impl Fn(f64) -> f64) {
        for cell in self.cells.iter_mut().filter(|cell| !is_absent(**cell)) {
            *cell = function(*cell);
        }
        self.drop_names();
    }

    pub(crate) fn drop_names(&mut self) {
        self.rows.iter_mut().for_each(|row| row.nameless = true);
    }

    /// Removes the rows without any value.
    pub(crate) fn compact(&mut self) {
        let steps = self.steps;
        let mut kept = 0;
        for row in 0..self.rows.len() {
            if self.cells_of(row).iter().all(|cell| is_absent(*cell)) {
                continue;
            }
            if kept != row {
                self.rows.swap(kept, row);
                self.cells
                    .copy_within(row * steps..(row + 1) * steps, kept * steps);
            }
            kept += 1;
        }
        self.rows.truncate(kept);
        self.cells.truncate(kept * steps);
    }

    /// Makes one row of those with the same labels, as long as no time has
    /// values in two of them.
    pub(crate) fn merge(mut self, conflict: &str) -> Result<Self, Error> {
        let mut groupers = [Grouper::new(Key::ALL), Grouper::new(Key::ALL)];
        // Group numbers count for each grouper; this finds the row.
        let mut homes: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
        let mut emptied = false;
        let (rows, cells, steps) = (&self.rows, &mut self.cells, self.steps);
        for (at, row) in rows.iter().enumerate() {
            let side = usize::from(row.nameless);
            let group = groupers[side].id(&row.labels);
            let Some(&home) = homes[side].get(group) else {
                homes[side].push(at);
                continue;
            };
            for step in 0..steps {
                let value = cells[at * steps + step];
                if is_absent(value) {
                    continue;
                }
                let target = &mut cells[home * steps + step];
                if !is_absent(*target) {
                    return execution(conflict);
                }
                *target = value;
            }
            cells[at * steps..(at + 1) * steps].fill(stale());
            emptied = true;
        }
        if emptied {
            self.compact();
        }
        Ok(self)
    }
}
