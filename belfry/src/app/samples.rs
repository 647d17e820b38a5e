//! Samples on their way to the disk: log, roll-ups, and what memory need not hold.

use healthchecks::readiness::Report;
use series::{Flushed, RolledUp};

use super::watch::Watch;
use crate::memory;

impl Watch {
    /// Writes recent samples to the disk.
    pub(super) fn flush_series(&self) -> Report {
        let written = self.write_series();
        // After the samples: these come first where there is little room.
        self.roll_up();
        self.put_away();
        written
    }

    /// Moves samples that are no longer recent from memory to the disk.
    fn put_away(&self) {
        match self.store.put_away(self.clock.now_ms()) {
            Ok(put) => {
                for fault in &put.lost {
                    tracing::error!("samples are lost: {fault}");
                }
                if put.recovered {
                    tracing::info!("samples are put away on the disk again");
                }
                if put.written > 0 {
                    memory::give_back();
                }
            }
            Err(err) => tracing::error!("older samples stay in memory: {err}"),
        }
    }

    /// Writes the hours that have ended as roll-ups.
    fn roll_up(&self) {
        match self.store.roll_up(self.clock.now_ms()) {
            Ok(RolledUp {
                recovered: true, ..
            }) => tracing::info!("roll-ups are written to the disk again"),
            Ok(_) => {}
            Err(err) => tracing::error!("{err}"),
        }
    }

    fn write_series(&self) -> Report {
        match self.store.flush() {
            Ok(Flushed::StillFailing) => {
                Report::failing(self.store.figures().flush_error.unwrap_or_default())
            }
            Ok(Flushed::Recovered(_)) => {
                tracing::info!("the series are written to the disk again");
                Report::ok(None)
            }
            Ok(Flushed::Written(_) | Flushed::InMemory) => Report::ok(None),
            Err(err) => {
                tracing::error!("the series stay in memory: {err}");
                Report::failing(err.to_string())
            }
        }
    }
}
