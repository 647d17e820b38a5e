//! What a query may cost: values and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, execution};

/// How much work passes between two looks at the clock.
const LOOK_EVERY: usize = 1 << 16;

const TOO_MANY: &str =
    "query processing would load too many samples into memory in query execution";

/// Counts down.
#[derive(Debug)]
pub(crate) struct Budget {
    values: usize,
    values_left: usize,
    /// What was left at the worst time.
    least_left: usize,
    /// Samples read: at each time of the grid those that a selector sees.
    pub(crate) read: usize,
    deadline: Option<Instant>,
    cancel: Option<Arc<AtomicBool>>,
    worked: usize,
}

impl Budget {
    pub(crate) fn new(
        values: usize,
        deadline: Option<Instant>,
        cancel: Option<Arc<AtomicBool>>,
    ) -> Self {
        Self {
            values,
            values_left: values,
            least_left: values,
            read: 0,
            deadline,
            cancel,
            // The first piece of work looks, so that a query which comes too
            // late or is cancelled already does not begin.
            worked: LOOK_EVERY,
        }
    }

    /// Takes room for values that are about to be read or made.
    pub(crate) fn take(&mut self, values: usize) -> Result<(), Error> {
        match self.values_left.checked_sub(values) {
            Some(left) => self.values_left = left,
            None => return execution(TOO_MANY),
        }
        self.least_left = self.least_left.min(self.values_left);
        self.work(values)
    }

    /// The most values that there were at one time.
    pub(crate) fn peak(&self) -> usize {
        self.values - self.least_left
    }

    /// Gives room back.
    pub(crate) fn give_back(&mut self, values: usize) {
        self.values_left = self.values_left.saturating_add(values);
    }

    /// Room for a table.
    pub(crate) fn take_cells(&mut self, rows: usize, steps: usize) -> Result<(), Error> {
        self.take(rows.saturating_mul(steps))
    }

    /// Says that values were looked at; ends the query when its time is over.
    pub(crate) fn work(&mut self, values: usize) -> Result<(), Error> {
        // Even nothing costs the step that found it.
        self.worked = self.worked.saturating_add(values + 1);
        if self.worked < LOOK_EVERY {
            return Ok(());
        }
        self.worked = 0;
        if self
            .cancel
            .as_ref()
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
        {
            return Err(Error::Canceled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::Timeout),
            _ => Ok(()),
        }
    }
}
