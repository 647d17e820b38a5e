//! The times at which a node is evaluated.

use crate::syntax::{At, When};

/// Evenly spaced times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start: i64,
    pub(crate) step: i64,
    pub(crate) count: usize,
}

impl Grid {
    /// One time.
    pub(crate) fn instant(at: i64) -> Self {
        Self {
            start: at,
            step: 1,
            count: 1,
        }
    }

    /// From `start` in steps to at most `end`.
    pub(crate) fn range(start: i64, end: i64, step: i64) -> Self {
        let span = end.saturating_sub(start);
        let steps = if span < 0 { -1 } else { span / step.max(1) };
        let count = steps.saturating_add(1);
        Self {
            start,
            step: step.max(1),
            count: usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn time(&self, at: usize) -> i64 {
        let steps = i64::try_from(at).unwrap_or(i64::MAX);
        self.start.saturating_add(self.step.saturating_mul(steps))
    }

    pub(crate) fn last(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    /// All times in seconds.
    pub(crate) fn seconds(&self) -> Vec<f64> {
        (0..self.count)
            .map(|at| self.time(at) as f64 / 1000.0)
            .collect()
    }

    /// The times at which a selector looks: moved by its offset, or one and
    /// the same time for all.
    pub(crate) fn seen_by(&self, when: When, bounds: (i64, i64)) -> Seen {
        let fixed = when.at.map(|at| match at {
            At::Time(time) => time,
            At::Start => bounds.0,
            At::End => bounds.1,
        });
        Seen {
            fixed: fixed.map(|time| time.saturating_sub(when.offset_ms)),
            moved: Self {
                start: self.start.saturating_sub(when.offset_ms),
                ..*self
            },
        }
    }
}

/// The times at which a selector looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// The one time, if `@` names it.
    pub(crate) fixed: Option<i64>,
    moved: Grid,
}

impl Seen {
    pub(crate) fn time(&self, at: usize) -> i64 {
        self.fixed.unwrap_or_else(|| self.moved.time(at))
    }

    pub(crate) fn first(&self) -> i64 {
        self.time(0)
    }

    pub(crate) fn last(&self) -> i64 {
        self.fixed.unwrap_or_else(|| self.moved.last())
    }
}
