//! What a Belfry tells its peers of those it watches, and of itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Seen, Shared};

/// Whom a Belfry sees: what it tells its peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Its name.
    pub name: String,
    /// The peers that answer it.
    pub sees: BTreeSet<String>,
    /// The peers that were seen once and are not any more.
    pub misses: BTreeSet<String>,
    /// The peers that it has still to hear of since its own start.
    #[serde(default)]
    pub awaits: BTreeSet<String>,
    /// The dead peers that it pages for.
    #[serde(default)]
    pub pages: BTreeSet<String>,
    /// Its sites, for others to look at.
    #[serde(default)]
    pub sites: Vec<Shared>,
    /// How the sites of the one who asks look from there.
    #[serde(default)]
    pub seen: Vec<Seen>,
    /// How it is itself.
    #[serde(default)]
    pub standing: Standing,
}

impl Sight {
    /// Reads what a peer answered.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read(answer: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(answer)
    }
}

/// How a Belfry is: what is known of it when it does not answer any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whether it can do its work.
    pub ready: bool,
    /// The alerts that fire there, the worst first.
    pub firing: Vec<String>,
}

impl Standing {
    /// So many alerts are named.
    const NAMED: usize = 5;

    /// What fires, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let named: Vec<String> = self
            .firing
            .iter()
            .take(Self::NAMED)
            .map(|name| name.chars().take(64).collect())
            .collect();
        match (named.len(), self.firing.len()) {
            (0, _) => "nothing".to_owned(),
            (shown, all) if all > shown => format!("{} and {} more", named.join(", "), all - shown),
            _ => named.join(", "),
        }
    }
}
