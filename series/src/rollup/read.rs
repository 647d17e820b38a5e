//! Reading roll-ups together with the samples that are there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use exposition::Labels;

use super::folder::{self, Part};
use super::{BLOCK_MS, ROLLUP_MS, RollUps, Summary, block};
use crate::archive::TOGETHER;
use crate::codec::{Point, Reader, push_signed};
use crate::disk::record;
use crate::samples::Series;
use crate::{Matcher, Newest, Store};

/// Bytes of hours that are held at a time; for more series than that the files
/// are read again.
const HELD: usize = 16 << 20;

/// What to look for.
struct Question<'a> {
    matchers: &'a [Matcher],
    from_ms: i64,
    to_ms: i64,
    parts: Vec<Part>,
}

/// A series of the answer: in memory, on the disk, or both.
#[derive(Default)]
struct Found {
    series: Option<Arc<Series>>,
    /// Bytes of its hours on the disk.
    bytes: usize,
}

impl Store {
    /// As [`Store::visit`], with roll-ups where memory does not reach back far
    /// enough; says whether any were used. May wait for a disk. What cannot be read
    /// is left out.
    pub fn visit_history<E>(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
        summary: Summary,
        mut each: impl FnMut(&Labels, &mut Vec<(i64, f64)>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some((rollups, question)) = self.question(matchers, from_ms, to_ms) else {
            self.visit(matchers, from_ms, to_ms, each)?;
            return Ok(false);
        };
        let mut used = false;
        let found = self.found(rollups, &question);
        let all: Vec<(&Labels, &Found)> = found.iter().collect();
        // A window that the store has a part of is the store's.
        let (clock, from, to) = self.kept_range(from_ms.saturating_sub(ROLLUP_MS), to_ms);
        let mut reading = self.reading(from, to);
        let mut hours: BTreeMap<Labels, Vec<u8>> = BTreeMap::new();
        let mut read_until: Option<Labels> = None;
        let mut samples = Vec::new();
        for some in all.chunks(TOGETHER) {
            reading.expect(some.iter().filter_map(|(_, one)| one.series.as_ref()));
            for (labels, one) in some {
                if one.bytes > 0 && read_until.as_ref().is_none_or(|until| *labels > until) {
                    let batch = batch(&found, labels);
                    hours = question.hours(rollups, &batch);
                    read_until = batch.into_iter().next_back();
                }
                samples.clear();
                let series = one.series.as_ref();
                let begins = series.map_or(i64::MAX, |series| reading.read(series, &mut samples));
                for (time, _) in &mut samples {
                    *time = time.wrapping_add(clock);
                }
                samples.drain(..samples.partition_point(|(time, _)| *time < from_ms));
                if let Some(bytes) = hours.remove(*labels) {
                    let begins = begins.saturating_add(clock);
                    let mut rolled = question.points(&bytes, summary, begins);
                    used |= !rolled.is_empty();
                    rolled.append(&mut samples);
                    samples = rolled;
                }
                if !samples.is_empty() {
                    each(labels, &mut samples)?;
                }
            }
        }
        Ok(used)
    }

    /// As [`Store::newest`], with roll-ups, and whether any were used. May wait for a
    /// disk.
    #[must_use]
    pub fn newest_history(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
    ) -> (Vec<Newest>, bool) {
        if self.question(matchers, from_ms, to_ms).is_none() {
            return (self.newest(matchers, from_ms, to_ms), false);
        }
        let mut newest = Vec::new();
        let each = |labels: &Labels, samples: &mut Vec<Point>| {
            newest.extend(samples.last().map(|(time_ms, value)| Newest {
                labels: labels.clone(),
                time_ms: *time_ms,
                value: *value,
            }));
            Ok::<_, std::convert::Infallible>(())
        };
        match self.visit_history(matchers, from_ms, to_ms, Summary::Last, each) {
            Ok(used) => (newest, used),
            Err(never) => match never {},
        }
    }

    /// As [`Store::series`], with those that only roll-ups have. May wait for a disk.
    #[must_use]
    pub fn series_history(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Vec<Labels> {
        let mut all = self.series(matchers, from_ms, to_ms);
        if let Some((rollups, question)) = self.question(matchers, from_ms, to_ms) {
            let found = self.found(rollups, &question).into_iter();
            all.extend(
                found
                    .filter(|(_, one)| one.bytes > 0)
                    .map(|(labels, _)| labels),
            );
            all.sort_unstable();
            all.dedup();
        }
        all
    }

    /// What to look for in roll-ups; nothing when there are samples of all that is asked.
    fn question<'a>(
        &self,
        matchers: &'a [Matcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Option<(&RollUps, Question<'a>)> {
        let rollups = self.rollups()?;
        let floor = self.floor_ms();
        if from_ms >= floor {
            return None;
        }
        let mut parts = rollups.status().parts;
        // The point of a window of which half is there lies behind its middle.
        let until = to_ms.min(floor.saturating_add(BLOCK_MS));
        parts.retain(|part| part.overlaps(from_ms, until));
        let question = Question {
            matchers,
            from_ms,
            to_ms,
            parts,
        };
        (!question.parts.is_empty()).then_some((rollups, question))
    }

    /// All series in question, in the order of their labels.
    fn found(&self, rollups: &RollUps, question: &Question<'_>) -> BTreeMap<Labels, Found> {
        let mut found: BTreeMap<Labels, Found> = BTreeMap::new();
        question.scan(rollups, |labels, _, bytes| {
            if let Some(one) = found.get_mut(labels) {
                one.bytes += bytes.len();
            } else {
                let one = Found {
                    bytes: bytes.len(),
                    ..Found::default()
                };
                found.insert(labels.clone(), one);
            }
        });
        let in_memory = self.read().find(question.matchers);
        for series in in_memory.iter() {
            let one = found.entry(series.labels.clone()).or_default();
            one.series = Some(Arc::clone(series));
        }
        found
    }
}

/// The series to read next: from this one on, as many as may be held.
fn batch(found: &BTreeMap<Labels, Found>, from: &Labels) -> BTreeSet<Labels> {
    let mut held = 0;
    let rest = found.range(from.clone()..).filter(|(_, one)| one.bytes > 0);
    let batch = rest.take_while(|(_, one)| {
        // The first one in any case.
        let fits = held == 0 || held + one.bytes <= HELD;
        held += one.bytes;
        fits
    });
    batch.map(|(labels, _)| labels.clone()).collect()
}

impl Question<'_> {
    /// Shows `each` the hours in question with their beginnings, as they come.
    fn scan(&self, rollups: &RollUps, mut each: impl FnMut(&Labels, i64, &[u8])) {
        for part in &self.parts {
            let mut named: HashMap<u64, Labels> = HashMap::new();
            // A part that is lost is a gap in a chart; `check` names it.
            let _ = record::read(&part.path(&rollups.folder), |payload| {
                let mut from = Reader::new(payload);
                match from.byte()? {
                    folder::SERIES => {
                        while !from.is_empty() {
                            let (id, labels) = folder::read_series(&mut from, self.matchers)?;
                            named.extend(labels.map(|labels| (id, labels)));
                        }
                    }
                    folder::BLOCK => {
                        let start = from.signed()?;
                        if start >= self.to_ms || start.saturating_add(BLOCK_MS) < self.from_ms {
                            return Some(());
                        }
                        let mut id = 0_u64;
                        while !from.is_empty() {
                            id = id.wrapping_add(from.signed()? as u64);
                            let bytes = block::take(&mut from)?;
                            if let Some(labels) = named.get(&id) {
                                each(labels, start, bytes);
                            }
                        }
                    }
                    _ => {}
                }
                Some(())
            });
        }
    }

    /// The hours of some series, each after its beginning.
    fn hours(&self, rollups: &RollUps, batch: &BTreeSet<Labels>) -> BTreeMap<Labels, Vec<u8>> {
        let mut hours: BTreeMap<Labels, Vec<u8>> = BTreeMap::new();
        self.scan(rollups, |labels, start, bytes| {
            if !batch.contains(labels) {
                return;
            }
            let all = hours.entry(labels.clone()).or_default();
            push_signed(all, start);
            all.extend(bytes);
        });
        hours
    }

    /// The points in question of one series, as far as they lie before the samples
    /// that the store has of it.
    fn points(&self, mut hours: &[u8], summary: Summary, begins: i64) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        let mut hour = Vec::new();
        while !hours.is_empty() {
            let mut from = Reader::new(hours);
            hour.clear();
            let read = from
                .signed()
                .and_then(|start| block::read(&mut from, start, summary, &mut hour));
            if read.is_none() {
                break;
            }
            hours = from.rest();
            for point in &hour {
                // An hour that was begun before a restart and one that the clock
                // was set back over come twice.
                let after = points.last().is_none_or(|last| last.0 < point.0);
                let within = point.0 >= self.from_ms && point.0 <= self.to_ms;
                if after && within && point.0 < begins {
                    points.push(*point);
                }
            }
        }
        points
    }
}
