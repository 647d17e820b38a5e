//! The containers of the engine, as discovery wants to know them.

use exporter::container::Containers;
use rules::{Container, Network, NetworkFacts, Port};

/// The containers that run, as far as they may be scraped.
pub(crate) fn containers(known: &Containers) -> Vec<Container> {
    let found = known.discovered();
    let facts = |name: &str| {
        let facts = found.network(name)?;
        Some(NetworkFacts {
            id: facts.id.clone(),
            scope: facts.scope.clone(),
            internal: facts.internal,
            ingress: facts.ingress,
            labels: facts.labels.clone().unwrap_or_default(),
        })
    };
    let of = |one: &exporter::container::Container| Container {
        id: one.id.clone(),
        name: one.name.clone(),
        service: one.service.clone(),
        labels: one.all_labels.clone(),
        network_mode: one.network_mode.clone(),
        networks: one
            .networks
            .iter()
            .map(|name| Network {
                name: name.clone(),
                address: one.addresses.get(name).cloned().unwrap_or_default(),
                facts: facts(name),
            })
            .collect(),
        ports: one
            .ports
            .iter()
            .filter(|port| port.protocol == "tcp")
            .map(|port| Port {
                private: port.private,
                public: port.published.clone(),
            })
            .collect(),
    };
    found.containers.iter().map(|one| of(one)).collect()
}
