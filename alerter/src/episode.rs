//! What became of an alert: one episode from its beginning to its end, with who
//! was told, why nobody was, and who took it on.
//!
//! Episodes are kept for people. They decide one thing only: an alert that
//! somebody has acknowledged is not told again.

use std::sync::Arc;

use alert::Set;
use serde::{Deserialize, Serialize};

use crate::pairs::Pairs;

/// Steps that an episode keeps; of more, the first ones and the last ones.
const STEPS: usize = 24;

/// Of those, the first ones that stay.
const FIRST: usize = 8;

/// The longest text of a step, in characters.
pub(crate) const DETAIL: usize = 300;

/// The most bytes of labels and summary that go into the history.
const LABELS: usize = 8 << 10;

/// Who has taken an alert on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The name that was given.
    pub by: String,
    /// What was said with it; may be empty.
    #[serde(default)]
    pub note: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Something that happened to an alert on its way to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub kind: StepKind,
    /// The receiver, the silence, the name: whatever belongs to it.
    #[serde(default, with = "shared")]
    pub detail: Arc<str>,
}

/// What can happen to an alert on its way to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A message about it was accepted.
    Told,
    /// A message about it failed; it is tried again.
    Failed,
    /// It is due and muted, so nobody is told.
    Muted,
    /// It is muted no more.
    Unmuted,
    /// Somebody took it on.
    Acknowledged,
    /// Somebody took that back.
    Unacknowledged,
    /// It became critical by its age.
    Raised,
    /// A mail about it came back from somebody.
    Bounced,
    /// A mail about it has not reached somebody yet.
    Delayed,
    /// A summary told of it.
    Summary,
}

impl StepKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Failed => "failed",
            Self::Muted => "muted",
            Self::Unmuted => "unmuted",
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Raised => "raised",
            Self::Bounced => "bounced",
            Self::Delayed => "delayed",
            Self::Summary => "summary",
        }
    }
}

/// An alert from its beginning to its end. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Counts episodes, the oldest first.
    pub id: u64,
    /// The alert's identity.
    pub fingerprint: u64,
    /// What identifies it.
    pub labels: Set,
    /// What is said about it in one line.
    pub summary: String,
    /// When it began.
    pub started_ms: i64,
    /// When it ended; none while it fires.
    pub ended_ms: Option<i64>,
    /// Messages that told that it fires.
    pub pages: u32,
    /// When the first of them was accepted.
    pub told_ms: Option<i64>,
    /// Who has taken it on.
    pub ack: Option<Ack>,
    /// What happened to it on its way, the oldest first.
    pub steps: Vec<Step>,
    /// When it was told to have ended lately, believed or not, also in earlier episodes.
    pub ends: Vec<i64>,
}

/// An episode while its alert is known: what the alert itself does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Open {
    pub id: u64,
    pub pages: u32,
    /// Why it was muted at the last look.
    pub muted: Option<crate::state::Mute>,
    /// Nothing yet of most alerts when there are many.
    past: Option<Box<Past>>,
}

/// What has happened in an episode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Past {
    pub told_ms: Option<i64>,
    pub ack: Option<Ack>,
    pub steps: Vec<Step>,
    /// When the alert was told to have ended lately, also in earlier episodes.
    pub ends: Vec<i64>,
}

const NOTHING: &Past = &Past {
    told_ms: None,
    ack: None,
    steps: Vec::new(),
    ends: Vec::new(),
};

impl Open {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }

    /// What it was before a restart.
    pub(crate) fn from_row(row: Episode) -> Self {
        let past = Past {
            told_ms: row.told_ms,
            ack: row.ack,
            steps: row.steps,
            ends: row.ends,
        };
        Self {
            id: row.id,
            pages: row.pages,
            muted: None,
            past: (past != *NOTHING).then(|| Box::new(past)),
        }
    }

    /// What has happened in it.
    pub(crate) fn past(&self) -> &Past {
        self.past.as_deref().unwrap_or(NOTHING)
    }

    /// The same, to be changed.
    pub(crate) fn past_mut(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    /// What was said of the last mute.
    pub(crate) fn muted_as(&self) -> Option<&str> {
        let mut steps = self.past().steps.iter().rev();
        let last = steps.find(|step| step.kind == StepKind::Muted);
        last.map(|step| &*step.detail)
    }

    /// Adds a step; between the first ones and the last ones some give way.
    pub(crate) fn step(&mut self, at_ms: i64, kind: StepKind, detail: &Arc<str>) {
        add_step(&mut self.past_mut().steps, at_ms, kind, detail);
    }

    /// Moves every kept time, because the wall clock was set.
    pub(crate) fn shift(&mut self, delta_ms: i64) {
        let Some(past) = &mut self.past else {
            return;
        };
        past.told_ms = past.told_ms.map(|time_ms| time_ms + delta_ms);
        if let Some(ack) = &mut past.ack {
            ack.at_ms += delta_ms;
        }
        for end_ms in &mut past.ends {
            *end_ms += delta_ms;
        }
        for step in &mut past.steps {
            step.at_ms += delta_ms;
        }
    }
}

/// Adds a step; between the first ones and the last ones some give way.
pub(crate) fn add_step(steps: &mut Vec<Step>, at_ms: i64, kind: StepKind, detail: &Arc<str>) {
    if steps.len() >= STEPS {
        steps.remove(FIRST);
    }
    // Of most alerts there is one, and room for four is taken otherwise.
    if steps.is_empty() {
        steps.reserve_exact(1);
    }
    steps.push(Step {
        at_ms,
        kind,
        detail: Arc::clone(detail),
    });
}

/// A step's text: one short line.
pub(crate) fn detail(text: &str) -> Arc<str> {
    let line = crate::health::one_line(text);
    match line.char_indices().nth(DETAIL) {
        Some((end, _)) => format!("{}…", &line[..end]).into(),
        None => line.into(),
    }
}

/// Texts that many alerts share.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

/// Labels as the history keeps them: of absurdly long ones only the beginning.
pub(crate) fn bounded(labels: &Pairs) -> Set {
    let mut left = LABELS;
    let mut kept = Set::new();
    let named = |named: bool| {
        let all = labels.iter();
        all.filter(move |(name, _)| (*name == "alertname") == named)
    };
    for (name, value) in named(true).chain(named(false)) {
        let size = name.len() + value.len();
        if size <= left {
            left -= size;
            kept.insert(name.to_owned(), value.to_owned());
        }
    }
    kept
}

/// Of a summary as much as one line needs.
pub(crate) fn summary(annotations: &Pairs) -> String {
    let text = annotations.get("summary").unwrap_or("");
    detail(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_steps_the_first_and_the_last_stay() {
        let mut open = Open::new(1);
        for at_ms in 0..100 {
            open.step(at_ms, StepKind::Told, &"".into());
        }
        let times: Vec<i64> = open.past().steps.iter().map(|step| step.at_ms).collect();
        assert_eq!(times.len(), STEPS);
        assert_eq!(times[..FIRST], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(times[FIRST..], (84..100).collect::<Vec<_>>());
    }

    #[test]
    fn absurd_labels_do_not_fill_the_history() {
        let mut labels = Set::from([("alertname".into(), "Down".into())]);
        labels.insert("a".into(), "x".repeat(LABELS));
        labels.insert("b".into(), "y".into());
        let kept = bounded(&Pairs::from(&labels));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["alertname", "b"]);
        assert_eq!(detail(&"ä\n".repeat(400)).chars().count(), DETAIL + 1);
    }

    #[test]
    fn steps_read_back_as_they_were_written() {
        let step = Step {
            at_ms: 7,
            kind: StepKind::Unacknowledged,
            detail: "by kim".into(),
        };
        let text = serde_json::to_string(&step).unwrap();
        assert_eq!(
            text,
            r#"{"at_ms":7,"kind":"unacknowledged","detail":"by kim"}"#
        );
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
    }
}
