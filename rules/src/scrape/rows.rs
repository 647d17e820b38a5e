//! From what this process found out, and made no page of, to samples in the store.
//!
//! Taken whole or not at all, as a page is. A series that was there before is looked
//! up once and costs no more; only of a new one are labels made, and held to the
//! target's limits.

use std::time::Duration;

use exposition::{Format, Kind, Rows};
use series::{Appender, Slot, Store};

use super::Intake;
use super::page::{Counted, Dress, Fault};

impl Intake {
    /// Takes in what this process found out, as [`Intake::take`] takes the page that says
    /// the same; only the bytes of a page, of which there are none, have no limit. Returns
    /// whether the target is up.
    pub fn take_rows(&mut self, rows: &Rows, time_ms: i64, took: Duration, store: &Store) -> bool {
        let dress = Dress {
            target: &self.target,
            labels: &self.labels,
            format: Format::Text,
        };
        let mut counted = Counted::default();
        let (slots, error) = match find(dress, &self.known, rows, &mut counted) {
            Ok(slots) => (slots, None),
            Err(err) => (Vec::new(), Some(err)),
        };
        let mut refused = self.report(error.is_none(), time_ms, took, &counted, store);
        let mut batch = self.known.begin(store);
        for ((key, value), slot) in rows.iter().zip(slots) {
            let labels = || dress.labels_of(key, Kind::Untyped);
            // The batch counts what the store refuses.
            let _ = match slot {
                Some(slot) => batch.add_known(slot, time_ms, value, true, labels),
                None => batch.add(key, time_ms, value, true, labels),
            };
        }
        let finished = batch.finish(time_ms);
        refused += self.finish(finished, time_ms, store);
        self.status.refused_total += refused;
        self.taken(time_ms, took, counted.scraped, error)
    }
}

/// Where each row's series is known, or what is wrong with the rows; `counted` is right
/// also when they are refused.
fn find(
    dress: Dress<'_>,
    known: &Appender,
    rows: &Rows,
    counted: &mut Counted,
) -> Result<Vec<Option<Slot>>, String> {
    // Nothing of ours is made to be dropped: what counts is how many there are.
    let limited = dress.target.limits.count(rows.len());
    if limited.is_err() {
        (counted.scraped, counted.kept) = (rows.len(), rows.len());
    }
    limited?;
    let mut finder = known.finder();
    let mut slots = Vec::with_capacity(rows.len());
    for (key, _) in rows.iter() {
        let slot = finder.find(key);
        let kept = match slot {
            Some(slot) => finder.keeps(slot),
            None => {
                let made = dress.of(key, Kind::Untyped);
                made.map_err(|fault| told(key, fault))?.is_some()
            }
        };
        counted.scraped += 1;
        counted.kept += usize::from(kept);
        slots.push(slot);
    }
    Ok(slots)
}

/// Names the family only: a value that is at fault may be of any length.
fn told(key: &str, fault: Fault) -> String {
    let name = key.split_once('{').map_or(key, |(name, _)| name);
    match fault {
        Fault::Line(what) => format!("{name}: {what}"),
        Fault::Limit(what) => what,
    }
}
