//! Which series there are, and which have a label.
//!
//! Series stand in slots; for every label name and value there is a sorted list
//! of slots. The labels in the lists' keys are the ones that all series share,
//! so a label is released with the last series that has it. Nothing here looks
//! at samples.

mod asked;

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exposition::{Label, Labels, LabelsBuilder};
use hashbrown::HashTable;

use crate::samples::{BLOCK, Series};
use crate::{Matcher, Op, order};
use asked::Asked;

type Slots = Vec<u32>;

/// Series in the order of their labels.
pub(crate) type Found = Arc<[Arc<Series>]>;

/// A label among those of one name.
#[derive(Debug, Clone)]
struct ByValue(Label);

impl Borrow<str> for ByValue {
    fn borrow(&self) -> &str {
        self.0.value()
    }
}

impl PartialEq for ByValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.value() == other.0.value()
    }
}

impl Eq for ByValue {}

impl Hash for ByValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.value().hash(state);
    }
}

/// The inverted index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Vec<Option<Arc<Series>>>,
    free: Slots,
    /// Slots by the labels of what stands in them, which need not be kept twice.
    by_labels: HashTable<u32>,
    by_name: HashMap<Arc<str>, HashMap<ByValue, Slots>>,
    next_id: u64,
    bytes: usize,
    asked: Mutex<Asked>,
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
        let slot = self.by_labels.find(labels.hashed(), is)?;
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
        self.asked().forget();
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        let mut shared = LabelsBuilder::default();
        for label in labels.shared() {
            shared.put(self.enlist(label, slot));
        }
        let series = Arc::new(Series::new(id, slot, shared.build()));
        if slot as usize == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot as usize] = Some(series.clone());
        let slots = &self.slots;
        let hash = |slot: &u32| hash_in(slots, *slot);
        self.by_labels.insert_unique(labels.hashed(), slot, hash);
        self.bytes += cost_of_series(labels);
        series
    }

    /// Puts a slot on the list of a label, and gives the label that all share.
    fn enlist(&mut self, label: &Label, slot: u32) -> Label {
        let name = label.name();
        if !self.by_name.contains_key(name) {
            self.bytes += cost_of_string(name);
        }
        let values = match self.by_name.get_mut(name) {
            Some(values) => values,
            None => self.by_name.entry(name.into()).or_default(),
        };
        let (label, slots) = match values.entry(ByValue(label.clone())) {
            Entry::Occupied(entry) => (entry.key().0.clone(), entry.into_mut()),
            Entry::Vacant(entry) => {
                self.bytes += cost_of_label(label);
                (entry.key().0.clone(), entry.insert(Slots::new()))
            }
        };
        // New slots are the highest as a rule, used ones go where they belong.
        let at = match slots.last() {
            Some(last) if *last >= slot => slots.partition_point(|have| *have < slot),
            _ => slots.len(),
        };
        if slots.len() == slots.capacity() {
            // Not twice the room: the lists of a series' labels are a tenth of what it takes.
            slots.reserve_exact((slots.len() / 8).max(4));
        }
        slots.insert(at, slot);
        label
    }

    /// Takes out series, which may be out already.
    pub(crate) fn remove(&mut self, series: &[Arc<Series>]) {
        self.asked().forget();
        let mut leaves = vec![false; self.slots.len()];
        let mut lists = Vec::new();
        for series in series {
            let hash = series.labels.hashed();
            let slots = &self.slots;
            let stands = |slot: &u32| {
                let there = slots[*slot as usize].as_ref();
                there.is_some_and(|have| Arc::ptr_eq(have, series))
            };
            let Ok(entry) = self.by_labels.find_entry(hash, stands) else {
                continue;
            };
            let (slot, _) = entry.remove();
            self.slots[slot as usize] = None;
            leaves[slot as usize] = true;
            self.free.push(slot);
            self.bytes -= cost_of_series(&series.labels);
            lists.extend(series.labels.shared().iter().cloned());
            if series.lock().was_logged() {
                self.ended.push(series.id);
            }
        }
        // Each list once, however many of its series leave.
        lists.sort_unstable_by_key(Label::address);
        lists.dedup_by_key(|label| label.address());
        for label in lists {
            self.thin(&label, &leaves);
        }
        if self.by_labels.capacity() > 4 * self.by_labels.len() + 1024 {
            let slots = &self.slots;
            self.by_labels.shrink_to_fit(|slot| hash_in(slots, *slot));
        }
    }

    fn thin(&mut self, label: &Label, leaves: &[bool]) {
        let (name, value) = label.pair();
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
            self.bytes -= cost_of_label(label);
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

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The series that satisfy all matchers, sorted by labels.
    pub(crate) fn find(&self, matchers: &[Matcher]) -> Found {
        let known = self.asked().get(matchers);
        known.unwrap_or_else(|| {
            let found = self.look_for(matchers);
            self.asked().keep(matchers, &found);
            found
        })
    }

    fn look_for(&self, matchers: &[Matcher]) -> Found {
        let narrowest = self.narrowest(matchers);
        // What a list was made by need not be asked of each that is on it.
        let listed = narrowest.as_ref().map(|(_, by)| *by);
        let rest = matchers.iter().enumerate();
        let rest = rest.filter(|(at, _)| Some(*at) != listed);
        let rest: Vec<_> = rest.map(|(_, matcher)| self.condition(matcher)).collect();
        let takes = |series: &&Arc<Series>| {
            let labels = &series.labels;
            rest.iter().all(|condition| condition.holds(labels))
        };
        let found: Vec<Arc<Series>> = match &narrowest {
            Some((slots, _)) => slots
                .iter()
                .filter_map(|slot| self.slots[*slot as usize].as_ref())
                .filter(takes)
                .cloned()
                .collect(),
            None => self.slots.iter().flatten().filter(takes).cloned().collect(),
        };
        order::sorted(found)
    }

    /// A matcher as it is asked of each series.
    fn condition<'a>(&self, matcher: &'a Matcher) -> Condition<'a> {
        if matcher.op != Op::Equal || matcher.value.is_empty() {
            return Condition::Matcher(matcher);
        }
        let values = self.by_name.get(matcher.name.as_str());
        let key = values.and_then(|values| values.get_key_value(matcher.value.as_str()));
        Condition::Has(key.map(|(label, _)| label.0.address()))
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
        let wanted = lists.filter(|(label, _)| matcher.takes(label.0.value()));
        let slots = wanted.flat_map(|(_, slots)| slots.iter().copied());
        Some((slots.collect(), at))
    }

    /// All label names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// All values of a label, and how many series have each.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        let values = self.by_name.get(name).into_iter().flatten();
        values.map(|(label, slots)| (label.0.value(), slots.len()))
    }
}

/// What a series must satisfy.
enum Condition<'a> {
    /// It has the label that is stored here; `None` if none has it.
    Has(Option<usize>),
    Matcher(&'a Matcher),
}

impl Condition<'_> {
    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::Has(None) => false,
            Self::Has(Some(address)) => {
                let mut all = labels.shared().iter();
                all.any(|label| label.address() == *address)
            }
            Self::Matcher(matcher) => matcher.matches(labels),
        }
    }
}

/// The labels of what stands in a slot.
fn labels_in(slots: &[Option<Arc<Series>>], slot: u32) -> Option<&Labels> {
    let series = slots.get(slot as usize)?.as_ref()?;
    Some(&series.labels)
}

/// The hash under which a slot is found.
fn hash_in(slots: &[Option<Arc<Series>>], slot: u32) -> u64 {
    labels_in(slots, slot).map_or(0, Labels::hashed)
}

/// Bytes for a series: its struct, its labels, its places in maps and lists.
pub(crate) fn cost_of_series(labels: &Labels) -> usize {
    let map = (size_of::<u32>() + 1) * 3 / 2;
    let label = size_of::<Label>() + size_of::<u32>() * 3 / 2;
    size_of::<Series>() + 2 * size_of::<usize>() + 3 * BLOCK + map + labels.len() * label
}

/// Bytes for the name of a label that is a key, with its map.
fn cost_of_string(text: &str) -> usize {
    let map = (size_of::<(Arc<str>, HashMap<ByValue, Slots>)>() + 1) * 3 / 2;
    map + 2 * BLOCK + 2 * size_of::<usize>() + text.len()
}

/// Bytes for a label that is a key, with its list.
fn cost_of_label(label: &Label) -> usize {
    let map = (size_of::<(ByValue, Slots)>() + 1) * 3 / 2;
    let (name, value) = label.pair();
    map + 3 * BLOCK + 5 * size_of::<usize>() + name.len() + value.len()
}
