//! Containers as targets: under the labels that Prometheus' Docker discovery
//! gives, and by the short label that a container may carry.

use std::collections::BTreeMap;

use super::{DockerConfig, Labels};
use crate::Job;

/// The label by which a container asks to be scraped: `PORT` or `PORT/path`.
const ASKS: &str = "belfry.scrape";

/// A running container, as far as it may be scraped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its name, without the slash in front.
    pub name: String,
    /// The name of its compose service; empty without one.
    pub service: String,
    /// Its labels, as far as they are kept.
    pub labels: BTreeMap<String, String>,
    /// `bridge`, `host`, `container:<id>` or the name of a network.
    pub network_mode: String,
    /// The networks it has joined.
    pub networks: Vec<Network>,
    /// Its TCP ports.
    pub ports: Vec<Port>,
}

/// A network that a container has joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The container's address in it; empty when it has none.
    pub address: String,
    /// What else is known of it.
    pub facts: Option<NetworkFacts>,
}

/// What the engine tells of a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Its id.
    pub id: String,
    /// `local`, `global` or `swarm`.
    pub scope: String,
    /// Whether nothing outside can be reached from it.
    pub internal: bool,
    /// Whether it takes a swarm's requests from outside.
    pub ingress: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl NetworkFacts {
    fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let own = self.labels.iter();
        let own = own.map(|(name, value)| meta(&format!("network_label_{}", plain(name)), value));
        let flag = |name: &str, on: bool| meta(name, if on { "true" } else { "false" });
        own.chain([
            meta("network_id", &self.id),
            meta("network_scope", &self.scope),
            flag("network_internal", self.internal),
            flag("network_ingress", self.ingress),
        ])
    }
}

/// A TCP port of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Port {
    /// Inside of the container.
    pub private: u16,
    /// Address and port on the host, where it is published.
    pub public: Option<(String, u16)>,
}

/// A target for each port of each container that counts.
pub(super) fn targets(config: &DockerConfig, containers: &[Container]) -> Vec<Labels> {
    let mut out = Vec::new();
    for container in containers {
        let mut common = Labels::from([
            meta("container_id", &container.id),
            meta("container_name", &format!("/{}", container.name)),
            meta("container_network_mode", &container.network_mode),
        ]);
        for (name, value) in &container.labels {
            common.extend([meta(&format!("container_label_{}", plain(name)), value)]);
        }
        for network in networks(container, containers, config.match_first_network) {
            let mut joined = common.clone();
            joined.extend([
                meta("network_name", &network.name),
                meta("network_ip", &network.address),
            ]);
            joined.extend(network.facts.iter().flat_map(NetworkFacts::labels));
            let target = |address: String, more: Vec<(String, String)>| {
                let mut labels = joined.clone();
                labels.insert("__address__".into(), address);
                labels.extend(more);
                labels
            };
            for port in &container.ports {
                let mut more = vec![meta("port_private", &port.private.to_string())];
                if let Some((address, public)) = &port.public {
                    more.push(meta("port_public", &public.to_string()));
                    more.push(meta("port_public_ip", address));
                }
                out.push(target(joint(&network.address, port.private), more));
            }
            if container.ports.is_empty() {
                let address = if container.network_mode == "host" {
                    config.host_networking_host.clone()
                } else {
                    joint(&network.address, config.port)
                };
                out.push(target(address, Vec::new()));
            }
        }
    }
    out
}

/// The containers that ask for it by a label, each with a job of its own name.
pub(super) fn labelled(containers: &[Container]) -> Vec<(Job, Labels)> {
    let mut out = Vec::new();
    for container in containers {
        let Some((port, path)) = container.labels.get(ASKS).and_then(|text| asked(text)) else {
            continue;
        };
        let address = if container.network_mode == "host" {
            format!("127.0.0.1:{port}")
        } else {
            let joined = networks(container, containers, true);
            let network = joined.first().filter(|network| !network.address.is_empty());
            let Some(network) = network else {
                continue;
            };
            joint(&network.address, port)
        };
        let name = if container.service.is_empty() {
            &container.name
        } else {
            &container.service
        };
        let job = Job {
            job: name.clone(),
            path: path.to_owned(),
            ..Job::default()
        };
        let labels = Labels::from([
            ("__address__".into(), address),
            // The address changes with each start, and the name does not.
            ("instance".into(), format!("{}:{port}", container.name)),
            ("name".into(), container.name.clone()),
        ]);
        out.push((job, labels));
    }
    out
}

fn asked(text: &str) -> Option<(u16, &str)> {
    let text = text.trim();
    let end = text.find('/').unwrap_or(text.len());
    let port = text[..end].parse().ok()?;
    Some((
        port,
        if end == text.len() {
            "/metrics"
        } else {
            &text[end..]
        },
    ))
}

/// The networks that count; a container inside of another's network has that one's.
fn networks<'a>(
    container: &'a Container,
    all: &'a [Container],
    only_first: bool,
) -> Vec<&'a Network> {
    let mut from = container;
    if container.networks.is_empty()
        && let Some(id) = container.network_mode.strip_prefix("container:")
        && let Some(other) = all.iter().find(|other| other.id == id || other.name == id)
    {
        from = other;
    }
    let mut networks: Vec<&Network> = from.networks.iter().collect();
    networks.sort_by(|one, other| one.name.cmp(&other.name));
    if only_first {
        networks.truncate(1);
    }
    networks
}

fn meta(name: &str, value: &str) -> (String, String) {
    (format!("__meta_docker_{name}"), value.to_owned())
}

/// A name in which only letters, digits and underscores are left.
fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(letter).collect()
}

fn joint(address: &str, port: u16) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}
