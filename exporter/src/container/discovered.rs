//! The containers that run, for who looks among them for something to ask: each
//! with what is known of its networks, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::resources::{Names, State};
use super::{Container, Network};

/// The containers that were found last, by id.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<String, Arc<Container>>);

/// Containers, and the networks of the engine.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// Ordered by name. One that has just joined a network of which the engine is yet
    /// to be asked is as it was before, or not there: a decision that rests on its
    /// networks would be a wrong one.
    pub containers: Vec<Arc<Container>>,
    names: Arc<Names>,
}

impl Discovered {
    /// What the engine told last of a network.
    #[must_use]
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.names.networks.last.as_ref()?.get(name)
    }
}

impl Found {
    /// What is to be found among these containers now.
    pub(super) fn among(&mut self, running: Vec<Arc<Container>>, state: &State) -> Discovered {
        let as_known = |one: Arc<Container>| match state.awaits(&one) {
            true => self.0.get(&one.id).cloned(),
            false => Some(one),
        };
        let containers: Vec<_> = running.into_iter().filter_map(as_known).collect();
        self.0 = containers
            .iter()
            .map(|one| (one.id.clone(), Arc::clone(one)))
            .collect();
        Discovered {
            containers,
            names: Arc::clone(&state.names),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::container::resources::Listed;

    fn joined(networks: &[(&str, &str)]) -> Arc<Container> {
        let mut container = Container::new("c".into());
        for (name, id) in networks {
            container.networks.push((*name).to_owned());
            if !id.is_empty() {
                container
                    .network_ids
                    .insert((*name).to_owned(), (*id).to_owned());
            }
        }
        Arc::new(container)
    }

    fn state(known: &[(&str, &str)], untold: &[&str]) -> State {
        let network = |(name, id): &(&str, &str)| {
            let network = Network {
                id: (*id).to_owned(),
                ..Network::default()
            };
            ((*name).to_owned(), network)
        };
        let networks: BTreeMap<_, _> = known.iter().map(network).collect();
        State {
            names: Arc::new(Names {
                networks: Listed::of(networks),
                ..Names::default()
            }),
            untold: Arc::new(untold.iter().copied().map(str::to_owned).collect()),
            ..State::default()
        }
    }

    #[test]
    fn a_container_is_found_when_its_networks_are_known_or_were_asked_for() {
        for (networks, known, untold, there) in [
            (&[][..], &[][..], &[][..], true),
            (&[("a", "1")], &[("a", "1")], &[], true),
            (&[("a", "1")], &[], &[], false),
            (&[("a", "1"), ("b", "2")], &[("a", "1")], &[], false),
            // Made anew under the name that it had.
            (&[("a", "2")], &[("a", "1")], &[], false),
            // Asked for: the engine does not tell, or calls it otherwise.
            (&[("a", "2")], &[("a", "1")], &["2"], true),
            (&[("a", "1")], &[], &["1"], true),
            // An engine that gives no ids.
            (&[("a", "")], &[("a", "1")], &[], true),
            (&[("a", "")], &[], &["a"], true),
            (&[("a", "")], &[], &[], false),
        ] {
            let found = Found::default().among(vec![joined(networks)], &state(known, untold));
            let case = format!("{networks:?} of {known:?}, not told of {untold:?}");
            assert_eq!(!found.containers.is_empty(), there, "{case}");
        }
        // Before the first answer nothing is known, and nothing asked for.
        let found = Found::default().among(vec![joined(&[("a", "1")])], &State::default());
        assert!(found.containers.is_empty());
    }

    #[test]
    fn one_that_joins_another_network_stays_as_it_was_until_that_is_known() {
        let (mut found, one) = (Found::default(), [("a", "1")]);
        let both = [("a", "1"), ("b", "2")];
        let networks = |discovered: Discovered| -> BTreeSet<usize> {
            let containers = discovered.containers.iter();
            containers.map(|one| one.networks.len()).collect()
        };
        let known = state(&one, &[]);
        assert_eq!(
            networks(found.among(vec![joined(&one)], &known)),
            BTreeSet::from([1])
        );
        for _ in 0..2 {
            let now = found.among(vec![joined(&both)], &known);
            assert_eq!(networks(now), BTreeSet::from([1]));
        }
        let now = found.among(vec![joined(&both)], &state(&both, &[]));
        assert_eq!(now.network("b").map(|network| &*network.id), Some("2"));
        assert_eq!(networks(now), BTreeSet::from([2]));
        // One that is gone is not remembered.
        assert_eq!(networks(found.among(vec![], &known)), BTreeSet::new());
        let again = found.among(vec![joined(&both)], &known);
        assert_eq!(networks(again), BTreeSet::new());
    }
}
