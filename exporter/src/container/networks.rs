//! The engine's networks: listed now and then, and at once when a container has
//! joined one that is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::resources::{self, MOST, State};
use super::{Container, Shared, lock};

/// What the engine tells of a network beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// `local`, `global` or `swarm`.
    pub scope: String,
    /// Whether nothing outside can be reached from it.
    pub internal: bool,
    /// Whether it takes a swarm's requests from outside.
    pub ingress: bool,
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NamedNetwork {
    name: String,
    #[serde(flatten)]
    network: Network,
}

/// What a network that a container has joined is told apart by: its id, as one that is
/// made anew has another, or its name while the engine does not tell.
pub(super) fn key<'a>(container: &'a Container, name: &'a str) -> &'a str {
    container.network_ids.get(name).map_or(name, String::as_str)
}

impl State {
    /// The networks that a container has joined and of which nothing is known.
    fn unknown<'a>(&'a self, container: &'a Container) -> impl Iterator<Item = &'a str> {
        let known = self.names.networks.last.as_ref();
        let is_known = move |name: &str| {
            let network = known.and_then(|known| known.get(name));
            let id = container.network_ids.get(name);
            network.is_some_and(|network| id.is_none_or(|id| *id == network.id))
        };
        let names = container.networks.iter().map(String::as_str);
        let unknown = names.filter(move |name| !is_known(name));
        unknown.map(|name| key(container, name))
    }

    /// Whether the engine is yet to be asked of a network that a container has joined.
    pub(super) fn awaits(&self, container: &Container) -> bool {
        let mut unknown = self.unknown(container);
        unknown.any(|network| !self.untold.contains(network))
    }

    /// Takes over what came of asking, when these containers were there; true when it
    /// made a difference.
    fn asked(&mut self, containers: &[Arc<Container>]) -> bool {
        let unknown = containers.iter().flat_map(|one| self.unknown(one));
        let untold: BTreeSet<String> = unknown.map(str::to_owned).collect();
        let differ = untold != *self.untold;
        if differ {
            self.untold = Arc::new(untold);
        }
        differ
    }
}

/// Asks for ever.
pub(super) async fn run(shared: &Shared) {
    let mut changes = shared.changes.subscribe();
    loop {
        let version = resources::version(shared).await;
        let there = shared.running();
        let answer = resources::ask(shared, &version, "/networks").await;
        let answer = answer.and_then(|body| Ok(read(&body)?));
        let news = shared
            .resources
            .names(|names| names.networks.put("networks", answer));
        let asked = lock(&shared.resources.0).asked(&there);
        shared.told(news || asked);
        let joined = async {
            loop {
                changes.mark_unchanged();
                let state = shared.resources.state();
                if shared.running().iter().any(|one| state.awaits(one)) {
                    return;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let _ = tokio::time::timeout(shared.relist, joined).await;
    }
}

pub(super) fn read(body: &[u8]) -> Result<BTreeMap<String, Network>, serde_json::Error> {
    let listed: Vec<NamedNetwork> = serde_json::from_slice(body)?;
    let named = listed.into_iter().map(|one| (one.name, one.network));
    Ok(named.take(MOST).collect())
}
