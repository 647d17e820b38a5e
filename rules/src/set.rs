//! All groups together: loaded from files, due at their times, replaced by a reload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use exposition::Labels;
use series::Store;
use settings::Fault;

use crate::file::{self, Source};
use crate::group::Group;
use crate::kept::Absent;
use crate::outputs::end;

/// What the rules need to know of the place they run at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Time between evaluations of a group that states none, in milliseconds.
    pub interval_ms: i64,
    /// The same for the groups of some files, by the file's name.
    pub intervals_ms: BTreeMap<String, i64>,
    /// Labels for every alert that does not have them.
    pub external_labels: alert::Set,
    /// The address at which people reach this program; no slash at its end.
    pub external_url: String,
    /// An alert that has not changed is told again after so many milliseconds.
    pub resend_ms: i64,
    /// An alert ends once so many evaluations in a row have found its condition over.
    pub recovery: u32,
    /// Whether alerts carry the value as an annotation of that name.
    pub tell_value: bool,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            interval_ms: 15_000,
            intervals_ms: BTreeMap::new(),
            external_labels: alert::Set::new(),
            external_url: String::new(),
            resend_ms: 60_000,
            recovery: 1,
            tell_value: true,
        }
    }
}

/// One evaluation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which group, as an index into [`RuleSet::groups`].
    pub group: usize,
    /// The time to evaluate it with, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Sources, by their `job` label, that have not answered since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Awaited(pub(crate) BTreeSet<String>);

impl Awaited {
    /// Whether nothing is known yet about the alert with these labels: its
    /// source is awaited, or, where it names none, any is.
    pub(crate) fn holds(&self, labels: &Labels) -> bool {
        match labels.get("job") {
            "" => !self.0.is_empty(),
            job => self.0.contains(job),
        }
    }
}

/// How often the clock was stepped, and by how much in all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stepped {
    pub(crate) times: u64,
    pub(crate) by_ms: i64,
}

/// The loaded rules with all that they remember.
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(crate) groups: Vec<Group>,
    pub(crate) site: Arc<Site>,
    /// Since the state of a former run was taken up: so long as a source has not
    /// answered, an absent series of it proves nothing.
    pub(crate) awaited: Awaited,
    pub(crate) changed: bool,
    /// How many sets had this one's place before it.
    pub(crate) edition: u64,
    pub(crate) stepped: Stepped,
    pub(crate) absent: Absent,
    leftovers: Vec<Leftover>,
}

/// The series of a group that a reload has taken away.
#[derive(Debug)]
struct Leftover {
    due_ms: i64,
    series: Vec<Labels>,
}

impl RuleSet {
    /// Reads rule files. Any fault refuses them all; the faults are complete.
    pub fn load(files: &[Source], site: Site) -> Result<Self, Vec<Fault>> {
        let groups = file::read(files)?
            .into_iter()
            .map(|mut spec| {
                let own = site.intervals_ms.get(&*spec.file).copied();
                spec.interval_ms = spec.interval_ms.or(own);
                Group::new(spec, site.interval_ms)
            })
            .collect();
        Ok(Self {
            groups,
            site: Arc::new(site),
            ..Self::default()
        })
    }

    /// Leaves out the rules of these names, and returns the names that no rule
    /// has. To be called before the first evaluation.
    pub fn disable(&mut self, names: &[String]) -> Vec<String> {
        let mut unknown = names.to_vec();
        if names.is_empty() {
            return unknown;
        }
        for group in &mut self.groups {
            group.rules.retain(|rule| {
                unknown.retain(|name| *name != rule.spec.name);
                !names.contains(&rule.spec.name)
            });
        }
        self.groups.retain(|group| !group.rules.is_empty());
        unknown
    }

    /// Takes the place of `old`: rules that are in both keep their state, and
    /// the series of those that are not will be ended.
    #[must_use]
    pub fn replacing(mut self, old: Self, now_ms: i64) -> Self {
        self.take_up_absent(old.absent, now_ms);
        self.awaited = old.awaited;
        self.leftovers = old.leftovers;
        self.edition = old.edition + 1;
        self.stepped = old.stepped;
        let mut rest = old.groups;
        for group in &mut self.groups {
            let same = |had: &Group| had.file == group.file && had.name == group.name;
            if let Some(at) = rest.iter().position(same) {
                group.inherit(rest.swap_remove(at));
            }
        }
        for mut group in rest {
            let mut series = group.gone;
            for rule in &mut group.rules {
                series.extend(rule.outputs.take());
            }
            let due_ms = now_ms + 2 * group.interval_ms;
            self.leftovers.push(Leftover { due_ms, series });
        }
        self.changed = true;
        self
    }

    /// The groups in the order of the files.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The groups that are to be evaluated now, each with its aligned time.
    #[must_use]
    pub fn due(&self, now_ms: i64) -> Vec<Due> {
        let due =
            |(group, state): (usize, &Group)| state.due(now_ms).map(|at_ms| Due { group, at_ms });
        self.groups.iter().enumerate().filter_map(due).collect()
    }

    /// The groups to evaluate at once because new samples have come in. For
    /// whoever collects and evaluates in one rhythm: nothing is told later than
    /// it could be known. Not to be mixed with [`RuleSet::due`].
    #[must_use]
    pub fn due_on_data(&self, now_ms: i64) -> Vec<Due> {
        let due = |(group, state): (usize, &Group)| {
            state.due_on_data(now_ms).then_some(Due {
                group,
                at_ms: now_ms,
            })
        };
        self.groups.iter().enumerate().filter_map(due).collect()
    }

    /// The groups to evaluate although no samples have come in, because the
    /// `for:` of an alert has ended: it fires when its rule says, and not with
    /// the next collection.
    #[must_use]
    pub fn due_to_fire(&self, now_ms: i64) -> Vec<Due> {
        let due = |(group, state): (usize, &Group)| {
            let end_ms = state.next_to_fire_ms().filter(|end_ms| *end_ms <= now_ms);
            end_ms.map(|_| Due {
                group,
                at_ms: now_ms,
            })
        };
        self.groups.iter().enumerate().filter_map(due).collect()
    }

    /// When [`RuleSet::due_to_fire`] will first name a group; nothing while no
    /// alert waits.
    #[must_use]
    pub fn next_to_fire_ms(&self) -> Option<i64> {
        self.groups.iter().filter_map(Group::next_to_fire_ms).min()
    }

    /// When the next evaluation is due after `now_ms`; nothing without groups, and
    /// while all are being evaluated.
    #[must_use]
    pub fn next_due_ms(&self, now_ms: i64) -> Option<i64> {
        self.groups
            .iter()
            .filter(|group| !group.running)
            .map(|group| group.latest_slot(now_ms) + group.interval_ms)
            .min()
    }

    /// The source with this `job` label has answered since the start: from here
    /// on an absent series of it means that the condition is gone.
    pub fn answered(&mut self, job: &str) {
        self.awaited.0.remove(job);
    }

    /// Moves all kept times by `delta_ms`, when the clock itself was set.
    pub fn shift(&mut self, delta_ms: i64) {
        self.stepped.times += 1;
        self.stepped.by_ms += delta_ms;
        for leftover in &mut self.leftovers {
            leftover.due_ms += delta_ms;
        }
        for group in &mut self.groups {
            group.last_evaluation_ms = group.last_evaluation_ms.map(|time| time + delta_ms);
            group.begun_ms = group.begun_ms.map(|time| time + delta_ms);
            for rule in &mut group.rules {
                rule.last_evaluation_ms = rule.last_evaluation_ms.map(|time| time + delta_ms);
                rule.alerts.shift(delta_ms);
            }
        }
        for rule in &mut self.absent.rules {
            rule.seen_ms = rule.seen_ms.map(|time| time + delta_ms);
            for alert in &mut rule.alerts {
                alert.state.shift(delta_ms);
            }
        }
        self.changed = true;
    }

    /// How long the last evaluations of all groups took together.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.groups.iter().map(|group| group.took).sum()
    }

    pub(crate) fn end_leftovers(&mut self, now_ms: i64, store: &Store) {
        self.leftovers.retain_mut(|leftover| {
            if leftover.due_ms > now_ms {
                return true;
            }
            end(leftover.series.drain(..), now_ms, store);
            false
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
