//! The containers as last heard of: a listing says which there are, an event
//! what one of them does now, an inspection everything about one.
//!
//! Nothing here does I/O. Answers may arrive late, so events are numbered, and
//! an answer to a question asked before a container's last event is not
//! believed about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bollard::models::{
    ContainerInspectResponse, ContainerSummary, EventMessage, EventMessageTypeEnum,
};

use super::model::{Container, Health, State};
use super::translate;

#[derive(Debug)]
struct Known {
    container: Arc<Container>,
    /// The number of the last event about it; 0 before the first.
    last_event: u64,
    /// When memory ran out last, as the engine dates it: the same event may be
    /// told again by the next stream.
    last_oom_nanos: i64,
}

impl Known {
    fn new(id: &str) -> Self {
        Self {
            container: Arc::new(Container::new(id.to_owned())),
            last_event: 0,
            last_oom_nanos: 0,
        }
    }
}

/// Names of containers whose images are remembered.
const MOST_NAMES: usize = 4096;

/// All containers, by id.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    known: BTreeMap<String, Known>,
    /// Containers to be inspected.
    questions: BTreeSet<String>,
    /// The labels that are kept.
    kept: Vec<String>,
    /// Destroyed while a listing was under way, which may still have them.
    gone: BTreeSet<String>,
    /// Events heard so far.
    events: u64,
    images: Images,
}

/// The image of each container's name, and since when it is that one. It
/// outlives the container: another one of the name may have the same image.
#[derive(Debug, Default)]
struct Images(BTreeMap<String, (String, i64)>);

impl Images {
    fn date(&mut self, container: &mut Container) {
        let (name, image, made) = (&container.name, &container.image_id, container.created_ms);
        if name.is_empty() || image.is_empty() || made == 0 {
            return;
        }
        let known = self.0.get(name);
        let since = match known {
            Some((before, since)) if before == image => made.min(*since),
            // One that is about to go may have its successor's name for a moment.
            Some((_, since)) if made < *since => return,
            _ => made,
        };
        container.image_since_ms = Some(since);
        if known.is_none_or(|(before, was)| before != image || *was != since) {
            self.0.insert(name.clone(), (image.clone(), since));
        }
        if self.0.len() > MOST_NAMES {
            self.0.pop_first();
        }
    }
}

/// A container to inspect, and the last event about it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) id: String,
    last_event: u64,
}

impl Inventory {
    pub(super) fn new(kept: Vec<String>) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    /// All containers, ordered by name.
    pub(super) fn containers(&self) -> Vec<Arc<Container>> {
        let mut all: Vec<_> = self
            .known
            .values()
            .map(|known| known.container.clone())
            .collect();
        all.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        all
    }

    /// How many events were heard.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// A listing is asked for now. Returns the last event's number, which
    /// [`Inventory::listed`] wants back.
    pub(super) fn listing(&mut self) -> u64 {
        self.gone.clear();
        self.events
    }

    /// Takes over a listing that was asked for after event number `asked`:
    /// what is not in it is gone, and what is new in it or contradicts us will
    /// be inspected. True when a state changed.
    pub(super) fn listed(&mut self, rows: Vec<ContainerSummary>, asked: u64) -> bool {
        let before = self.known.len();
        let listed: BTreeSet<&str> = rows.iter().filter_map(|row| row.id.as_deref()).collect();
        self.known
            .retain(|id, known| known.last_event > asked || listed.contains(id.as_str()));
        let mut changed = self.known.len() != before;
        for row in rows {
            let Some(id) = row.id.clone().filter(|id| !self.gone.contains(id)) else {
                continue;
            };
            let known = self.known.entry(id.clone()).or_insert_with(|| {
                changed = true;
                self.questions.insert(id.clone());
                Known::new(&id)
            });
            if known.last_event > asked {
                continue;
            }
            let container = Arc::make_mut(&mut known.container);
            let before = (container.state, container.health);
            let networks = container.network_ids.clone();
            translate::listed(row, &self.kept, container);
            self.images.date(container);
            // Not every engine has an event for it; nor has an inspection more to say.
            changed |= networks != container.network_ids;
            if before != (container.state, container.health) {
                changed = true;
                self.questions.insert(id);
            }
        }
        changed
    }

    /// Takes over an event; true when a state changed.
    pub(super) fn heard(&mut self, event: EventMessage) -> bool {
        let Some(actor) = event.actor else {
            return false;
        };
        let (Some(id), Some(action)) = (actor.id, event.action) else {
            return false;
        };
        let attributes = actor.attributes.unwrap_or_default();
        if event.typ == Some(EventMessageTypeEnum::NETWORK) {
            // Podman's event is about the container itself.
            self.rejoined(&action, attributes.get("container").unwrap_or(&id));
            return false;
        }
        self.events += 1;
        let attribute = |name: &str| attributes.get(name).map(String::as_str);
        if action == "destroy" {
            self.questions.remove(&id);
            let was_there = self.known.remove(&id).is_some();
            self.gone.insert(id);
            return was_there;
        }
        let known = self
            .known
            .entry(id.clone())
            .or_insert_with(|| Known::new(&id));
        known.last_event = self.events;
        let container = Arc::make_mut(&mut known.container);
        let before = (container.state, container.health, container.oom_events);
        if let Some(name) = attribute("name").filter(|_| container.name.is_empty()) {
            name.clone_into(&mut container.name);
        }
        let at_ms = event.time_nano.map(|nanos| nanos / 1_000_000);
        match action
            .split_once(':')
            .map_or(action.as_str(), |(action, _)| action)
        {
            "start" => {
                container.state = State::Running;
                container.started_ms = at_ms.or(container.started_ms);
            }
            "unpause" => container.state = State::Running,
            "pause" => container.state = State::Paused,
            "die" => {
                container.state = State::Exited;
                container.health = Health::None;
                container.pid = None;
                container.finished_ms = at_ms.or(container.finished_ms);
                let code = attribute("exitCode").and_then(|code| code.parse().ok());
                container.exit_code = code.or(container.exit_code);
            }
            "oom" if event.time_nano == Some(known.last_oom_nanos) => {}
            "oom" => {
                known.last_oom_nanos = event.time_nano.unwrap_or_default();
                container.oom_events += 1;
            }
            "health_status" => {
                let word = action.split_once(':').map_or("", |(_, word)| word.trim());
                container.health = Health::read(word);
            }
            _ => {}
        }
        let changed = before != (container.state, container.health, container.oom_events);
        self.questions.insert(id);
        changed
    }

    /// A container has joined a network, or left one: an inspection tells.
    fn rejoined(&mut self, action: &str, id: &str) {
        // One that is not known is inspected for its own event's sake.
        if matches!(action, "connect" | "disconnect")
            && let Some(known) = self.known.get_mut(id)
        {
            self.events += 1;
            known.last_event = self.events;
            self.questions.insert(id.to_owned());
        }
    }

    /// Events may have been missed: everything is to be inspected again.
    pub(super) fn doubt(&mut self) {
        self.questions.extend(self.known.keys().cloned());
    }

    /// The next container to inspect.
    pub(super) fn next_question(&mut self) -> Option<Question> {
        let id = self.questions.pop_first()?;
        let last_event = self.known.get(&id)?.last_event;
        Some(Question { id, last_event })
    }

    /// Takes over an inspection; true when it told anything new.
    pub(super) fn inspected(
        &mut self,
        question: &Question,
        answer: ContainerInspectResponse,
    ) -> bool {
        let Some(known) = self.known.get_mut(&question.id) else {
            return false;
        };
        // It was asked before the last event; that event asks again.
        if known.last_event != question.last_event {
            return false;
        }
        let before = known.container.clone();
        let container = Arc::make_mut(&mut known.container);
        translate::inspected(answer, &self.kept, container);
        self.images.date(container);
        before != known.container
    }

    /// The engine does not know it any more; true when we did.
    pub(super) fn vanished(&mut self, question: &Question) -> bool {
        self.known.remove(&question.id).is_some()
    }

    /// An image whose registry digest is not known yet.
    pub(super) fn image_without_digest(&self, asked: &BTreeMap<String, String>) -> Option<String> {
        let images = self.known.values().map(|known| &known.container.image_id);
        let mut missing = images.filter(|image| !image.is_empty() && !asked.contains_key(*image));
        missing.next().cloned()
    }

    /// Takes over the digests of images; true when one is new.
    pub(super) fn digests(&mut self, digests: &BTreeMap<String, String>) -> bool {
        let mut changed = false;
        for known in self.known.values_mut() {
            let digest = digests.get(&known.container.image_id);
            if let Some(digest) = digest.filter(|digest| **digest != known.container.image_digest) {
                let container = Arc::make_mut(&mut known.container);
                container.image_digest.clone_from(digest);
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests;
