//! Which alerts a person means.

use std::collections::BTreeSet;

use super::Alerter;

/// So many letters of a fingerprint name it.
const LETTERS: usize = 4;

/// Why nothing was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nothing that fires is called so.
    #[error("nothing that fires is called {0:?}")]
    Nothing(String),
    /// The letters begin more than one fingerprint.
    #[error("{text:?} begins {count} fingerprints; give more of it")]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// How many alerts it might mean.
        count: usize,
    },
}

impl Alerter {
    /// What fires under a name, or with a fingerprint that begins so.
    pub(crate) fn find(&self, text: &str) -> Result<BTreeSet<u64>, FindError> {
        let firing = || self.alerts.iter().filter(|(_, alert)| !alert.ended);
        let named: BTreeSet<u64> = firing()
            .filter(|(_, alert)| alert.labels.get("alertname").is_some_and(|it| it == text))
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let nothing = || FindError::Nothing(text.to_owned());
        let letters = text.to_ascii_lowercase();
        if letters.len() < LETTERS {
            return Err(nothing());
        }
        let begun: BTreeSet<u64> = firing()
            .map(|(fingerprint, _)| *fingerprint)
            .filter(|it| format!("{it:016x}").starts_with(&letters))
            .collect();
        match begun.len() {
            0 => Err(nothing()),
            1 => Ok(begun),
            count => Err(FindError::Ambiguous {
                text: text.to_owned(),
                count,
            }),
        }
    }

    /// What fires of an incident that is not over, by the name in its mails.
    pub(crate) fn of_incident(&self, incident: &str) -> BTreeSet<u64> {
        let told = self
            .log
            .iter()
            .filter(|(_, entry)| entry.incident == incident && !entry.firing.is_empty());
        // A mail may be read before its server has said that it took it.
        let flying = self.flying.values();
        let telling = flying.filter(|flight| flight.incident == incident);
        let keys = told.map(|(key, _)| key);
        let mut found = BTreeSet::new();
        for key in keys.chain(telling.map(|flight| &flight.log)) {
            let groups = self.groups.iter().filter(|(id, group)| {
                group.key == key.group && self.plan.receiver_of(id.route).name == key.receiver
            });
            let members = groups.flat_map(|(_, group)| &group.members);
            found.extend(members.filter(|it| self.alerts.get(it).is_some_and(|it| !it.ended)));
        }
        found
    }

    /// The alerts that share a message with `fingerprint`, itself among them.
    pub(crate) fn sharing(&self, fingerprint: u64) -> BTreeSet<u64> {
        let groups = self.alerts.get(&fingerprint).map(|it| &it.groups);
        let members = groups.into_iter().flatten().filter_map(|id| {
            let group = self.groups.get(id)?;
            Some(group.members.iter().copied())
        });
        members.flatten().chain([fingerprint]).collect()
    }
}
