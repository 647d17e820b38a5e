//! Which series there are, and which have a label.
//!
//! Series stand in slots; for every label name and value there is a sorted list
//! of slots. The strings in the lists' keys are the ones that all series share,
//! so a string is released with the last series that has it. Nothing here looks
//! at samples.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use exposition::{Labels, LabelsBuilder};
use hashbrown::HashTable;

use crate::samples::{BLOCK, Series};
use crate::{Matcher, Op};

type Slots = Vec<u32>;

/// The inverted index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Vec<Option<Arc<Series>>>,
    free: Slots,
    /// Slots by the labels of what stands in them, which need not be kept twice.
    by_labels: HashTable<u32>,
    hasher: RandomState,
    by_name: HashMap<Arc<str>, HashMap<Arc<str>, Slots>>,
    next_id: u64,
    bytes: usize,
    /// Families that were shed, and the store's time until when.
    pub(crate) shed: HashMap<Arc<str>, i64>,
    /// Ids of series that have left and that the log does not know to have.
    pub(crate) ended: Vec<u64>,
}

impl Index {
    /// The series with exactly these labels.
    pub(crate) fn get(&self, labels: &Labels) -> Option<&Arc<Series>> {
        let slots = &self.slots;
        let is = |slot: &u32| labels_in(slots, *slot) == Some(labels);
        let slot = self.by_labels.find(self.hasher.hash_one(labels), is)?;
        slots[*slot as usize].as_ref()
    }

    /// How many series there are.
    pub(crate) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// Bytes of memory, the series' own structs included and their samples not.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The id that the next series gets.
    pub(crate) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Leaves ids below to a file.
    pub(crate) fn use_ids_from(&mut self, id: u64) {
        self.next_id = self.next_id.max(id);
    }

    /// Adds a series that is not there.
    pub(crate) fn insert(&mut self, labels: &Labels) -> Arc<Series> {
        let id = self.next_id;
        self.insert_as(id, labels)
    }

    /// Adds a series that is not there, under an id from a file.
    pub(crate) fn insert_as(&mut self, id: u64, labels: &Labels) -> Arc<Series> {
        self.next_id = self.next_id.max(id + 1);
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        let mut shared = LabelsBuilder::default();
        for (name, value) in labels.shared() {
            let (name, value) = self.enlist(name, value, slot);
            shared.set(name, value);
        }
        let series = Arc::new(Series::new(id, slot, shared.build()));
        if slot as usize == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot as usize] = Some(series.clone());
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash = |slot: &u32| hasher.hash_one(labels_in(slots, *slot).unwrap_or(labels));
        self.by_labels
            .insert_unique(hasher.hash_one(labels), slot, hash);
        self.bytes += cost_of_series(labels);
        series
    }

    /// Puts a slot on the list of a label, and gives the shared strings.
    fn enlist(&mut self, name: &Arc<str>, value: &Arc<str>, slot: u32) -> (Arc<str>, Arc<str>) {
        let (name, values) = match self.by_name.entry(name.clone()) {
            Entry::Occupied(entry) => (entry.key().clone(), entry.into_mut()),
            Entry::Vacant(entry) => {
                self.bytes += cost_of_string(name);
                (entry.key().clone(), entry.insert(HashMap::new()))
            }
        };
        let (value, slots) = match values.entry(value.clone()) {
            Entry::Occupied(entry) => (entry.key().clone(), entry.into_mut()),
            Entry::Vacant(entry) => {
                self.bytes += cost_of_string(value);
                (entry.key().clone(), entry.insert(Slots::new()))
            }
        };
        // New slots are the highest as a rule, used ones go where they belong.
        let at = match slots.last() {
            Some(last) if *last >= slot => slots.partition_point(|have| *have < slot),
            _ => slots.len(),
        };
        slots.insert(at, slot);
        (name, value)
    }

    /// Takes out series, which may be out already.
    pub(crate) fn remove(&mut self, series: &[Arc<Series>]) {
        let mut leaves = vec![false; self.slots.len()];
        let mut lists = Vec::new();
        for series in series {
            let slot = &mut self.slots[series.slot as usize];
            if !slot.as_ref().is_some_and(|have| Arc::ptr_eq(have, series)) {
                continue;
            }
            let hash = self.hasher.hash_one(&series.labels);
            if let Ok(entry) = self.by_labels.find_entry(hash, |slot| *slot == series.slot) {
                entry.remove();
            }
            *slot = None;
            leaves[series.slot as usize] = true;
            self.free.push(series.slot);
            self.bytes -= cost_of_series(&series.labels);
            lists.extend(series.labels.shared().iter().cloned());
            if series.lock().was_logged() {
                self.ended.push(series.id);
            }
        }
        // Each list once, however many of its series leave.
        lists.sort_unstable_by_key(|(name, value)| {
            (Arc::as_ptr(name).addr(), Arc::as_ptr(value).addr())
        });
        lists.dedup_by(|one, two| Arc::ptr_eq(&one.0, &two.0) && Arc::ptr_eq(&one.1, &two.1));
        for (name, value) in lists {
            self.thin(&name, &value, &leaves);
        }
        if self.by_labels.capacity() > 4 * self.by_labels.len() + 1024 {
            let (slots, hasher) = (&self.slots, &self.hasher);
            let none = Labels::empty();
            let hash = |slot: &u32| hasher.hash_one(labels_in(slots, *slot).unwrap_or(&none));
            self.by_labels.shrink_to_fit(hash);
        }
    }

    fn thin(&mut self, name: &Arc<str>, value: &Arc<str>, leaves: &[bool]) {
        let Some(values) = self.by_name.get_mut(name) else {
            return;
        };
        let Some(slots) = values.get_mut(value) else {
            return;
        };
        slots.retain(|slot| !leaves[*slot as usize]);
        if slots.capacity() > 4 * slots.len() + 16 {
            slots.shrink_to_fit();
        }
        if slots.is_empty() {
            values.remove(value);
            self.bytes -= cost_of_string(value);
            if values.capacity() > 4 * values.len() + 64 {
                values.shrink_to_fit();
            }
        }
        if values.is_empty() {
            self.by_name.remove(name);
            self.bytes -= cost_of_string(name);
        }
    }

    /// Some series from slot `from` on, and the slot to go on with; `None`
    /// after the last. So one can walk all series without keeping appends out.
    pub(crate) fn page(&self, from: usize) -> Option<(Vec<Arc<Series>>, usize)> {
        const PAGE: usize = 1024;
        let rest = self.slots.get(from..).filter(|rest| !rest.is_empty())?;
        let page = &rest[..rest.len().min(PAGE)];
        Some((page.iter().flatten().cloned().collect(), from + page.len()))
    }

    /// The series that satisfy all matchers, sorted by labels.
    pub(crate) fn find(&self, matchers: &[Matcher]) -> Vec<Arc<Series>> {
        let narrowest = self.narrowest(matchers);
        // What a list was made by need not be asked of each that is on it.
        let listed = narrowest.as_ref().map(|(_, by)| *by);
        let takes = |series: &&Arc<Series>| {
            let mut rest = matchers.iter().enumerate();
            rest.all(|(at, matcher)| Some(at) == listed || matcher.matches(&series.labels))
        };
        let mut found: Vec<Arc<Series>> = match &narrowest {
            Some((slots, _)) => slots
                .iter()
                .filter_map(|slot| self.slots[*slot as usize].as_ref())
                .filter(takes)
                .cloned()
                .collect(),
            None => self.slots.iter().flatten().filter(takes).cloned().collect(),
        };
        found.sort_unstable_by(|one, two| order(&one.labels, &two.labels));
        found
    }

    /// The shortest list that has all series in question; `None` where only
    /// looking at every series will do. All on it satisfy the matcher of that number.
    fn narrowest(&self, matchers: &[Matcher]) -> Option<(Cow<'_, [u32]>, usize)> {
        let list = |matcher: &Matcher| {
            let values = self.by_name.get(matcher.name.as_str());
            values.and_then(|values| values.get(matcher.value.as_str()))
        };
        let all = matchers.iter().enumerate();
        let equal = all
            .clone()
            .filter(|(_, matcher)| matcher.op == Op::Equal && !matcher.value.is_empty());
        let shortest = equal
            .map(|(at, matcher)| (list(matcher).map_or(&[][..], Vec::as_slice), at))
            .min_by_key(|(list, _)| list.len());
        if let Some((shortest, at)) = shortest {
            return Some((shortest.into(), at));
        }
        // A pattern that an absent label does not satisfy: the lists of the
        // values that do.
        let (at, matcher) = all
            .clone()
            .find(|(_, matcher)| matcher.op == Op::Regex && !matcher.takes(""))?;
        let values = self.by_name.get(matcher.name.as_str());
        let lists = values.into_iter().flatten();
        let wanted = lists.filter(|(value, _)| matcher.takes(value));
        let slots = wanted.flat_map(|(_, slots)| slots.iter().copied());
        Some((slots.collect(), at))
    }

    /// All label names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// All values of a label, and how many series have each.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, usize)> {
        let values = self.by_name.get(name).into_iter().flatten();
        values.map(|(value, slots)| (value, slots.len()))
    }
}

/// The labels of what stands in a slot.
fn labels_in(slots: &[Option<Arc<Series>>], slot: u32) -> Option<&Labels> {
    let series = slots.get(slot as usize)?.as_ref()?;
    Some(&series.labels)
}

/// The order of label sets; strings that are shared need no comparing.
pub(crate) fn order(one: &Labels, two: &Labels) -> Ordering {
    let compare = |one: &Arc<str>, two: &Arc<str>| match Arc::ptr_eq(one, two) {
        true => Ordering::Equal,
        false => one.cmp(two),
    };
    let pairs = one.shared().iter().zip(two.shared());
    pairs
        .map(|(one, two)| compare(&one.0, &two.0).then_with(|| compare(&one.1, &two.1)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.len().cmp(&two.len()))
}

/// Bytes for a series: its struct, its labels, its places in maps and lists.
fn cost_of_series(labels: &Labels) -> usize {
    let map = (size_of::<u32>() + 1) * 3 / 2;
    let label = size_of::<(Arc<str>, Arc<str>)>() + size_of::<u32>() * 3 / 2;
    size_of::<Series>() + 2 * size_of::<usize>() + 3 * BLOCK + map + labels.len() * label
}

/// Bytes for a string that is a key, with its list or map.
fn cost_of_string(text: &str) -> usize {
    let map = (size_of::<(Arc<str>, Slots)>() + 1) * 3 / 2;
    map + 2 * BLOCK + 2 * size_of::<usize>() + text.len()
}
