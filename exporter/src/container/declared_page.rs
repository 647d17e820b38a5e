//! Writes what is declared beside what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use exposition::{Kind, Writer};

use super::declared::Known;
use super::model::{Container, Port};
use super::resources::Names;

/// A service that compose files declare, with a container or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredService {
    /// Its project.
    pub project: String,
    /// Its name.
    pub service: String,
    /// How many containers it should have now.
    pub wanted: u64,
    /// The name of its first container.
    pub container: String,
    /// How it asks to be looked at, by the label `belfry.probe`; empty if it does not.
    pub probe: String,
    /// The ports of TCP that it publishes.
    pub ports: Vec<Port>,
    /// The services of its project that it depends on.
    pub depends_on: Vec<String>,
}

/// All declared services. Those that may be missing want no container: also
/// what others wait for to end well, since it may be cleared away when it did.
pub(super) fn services(known: &BTreeMap<String, Known>, except: &[String]) -> Vec<DeclaredService> {
    let mut all = Vec::new();
    for (name, known) in known {
        let Some(project) = &known.project else {
            continue;
        };
        let needs = project.services.values().flat_map(|one| &one.depends_on);
        let ends = needs.filter(|(_, until)| **until == compose::Condition::Completed);
        let ends: BTreeSet<&String> = ends.map(|(name, _)| name).collect();
        for (service, declared) in &project.services {
            let excepted = |one: &String| {
                one == service
                    || one
                        .strip_prefix(name.as_str())
                        .and_then(|rest| rest.strip_prefix('.'))
                        == Some(service)
            };
            let wanted = match ends.contains(service) || except.iter().any(excepted) {
                true => 0,
                false => declared.wanted(),
            };
            all.push(DeclaredService {
                project: name.clone(),
                service: service.clone(),
                wanted,
                container: match declared.container_name.is_empty() {
                    true => format!("{name}-{service}-1"),
                    false => declared.container_name.clone(),
                },
                probe: declared.probe.clone(),
                ports: declared.ports.iter().map(port).collect(),
                depends_on: declared.depends_on.keys().cloned().collect(),
            });
        }
    }
    all
}

fn port(port: &compose::Port) -> Port {
    Port {
        private: port.private,
        protocol: "tcp".to_owned(),
        published: Some((port.host.clone(), port.published)),
    }
}

pub(super) fn encode(
    known: &BTreeMap<String, Known>,
    except: &[String],
    containers: &[Arc<Container>],
    names: &Names,
    page: &mut Writer,
) {
    if known.is_empty() {
        return;
    }
    page.family(
        "belfry_compose_read_success",
        "Whether the compose files of the project can be read.",
        Kind::Gauge,
    );
    for (project, known) in known {
        let success = f64::from(u8::from(known.trouble.is_none()));
        page.sample(&[("project", project)], success);
    }
    let lasting = containers
        .iter()
        .filter(|container| !container.is_one_off());
    let mut there: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for container in lasting.clone() {
        *there
            .entry((&container.project, &container.service))
            .or_default() += 1;
    }
    let services = services(known, except);
    let count = |one: &DeclaredService| {
        let found = there.get(&(one.project.as_str(), one.service.as_str()));
        found.copied().unwrap_or_default()
    };
    type Value<'a> = &'a dyn Fn(&DeclaredService) -> f64;
    let families: [(&str, &str, Value<'_>); 3] = [
        (
            "belfry_compose_service_wanted",
            "Containers that the service should have, as declared; 0 where no profile of it is active, and for what ends when its work is done.",
            &|one| one.wanted as f64,
        ),
        (
            "belfry_compose_service_containers",
            "Containers that the service has, running or not.",
            &|one| f64::from(count(one)),
        ),
        (
            "belfry_compose_service_missing",
            "Whether the service is declared and has no container, not even a stopped one.",
            &|one| f64::from(u8::from(one.wanted > 0 && count(one) == 0)),
        ),
    ];
    for (name, help, value) in families {
        page.family(name, help, Kind::Gauge);
        for one in &services {
            let labels = [("project", &*one.project), ("service", &*one.service)];
            page.sample(&labels, value(one));
        }
    }
    encode_profiles(known, page);
    resources(known, names, page);
    page.family(
        "belfry_compose_container_undeclared",
        "1 for a container of the project whose service is not declared any more.",
        Kind::Gauge,
    );
    let declared: BTreeSet<(&str, &str)> = services
        .iter()
        .map(|one| (one.project.as_str(), one.service.as_str()))
        .collect();
    for container in lasting {
        let project = known.get(&container.project);
        let told = project.is_some_and(|known| known.project.is_some());
        if told && !declared.contains(&(&container.project, &container.service)) {
            let labels = [
                ("name", container.name.as_str()),
                ("project", &container.project),
                ("service", &container.service),
            ];
            page.sample(&labels, 1.0);
        }
    }
}

fn encode_profiles(known: &BTreeMap<String, Known>, page: &mut Writer) {
    page.family(
        "belfry_compose_service_profile_info",
        "A profile of the service.",
        Kind::Gauge,
    );
    for (name, known) in known {
        let services = known.project.iter().flat_map(|project| &project.services);
        for (service, declared) in services {
            for profile in declared.profiles.iter().take(16) {
                let labels = [
                    ("profile", profile.as_str()),
                    ("project", name),
                    ("service", service),
                ];
                page.sample(&labels, 1.0);
            }
        }
    }
}

/// Networks and volumes that a service needs.
fn resources(known: &BTreeMap<String, Known>, names: &Names, page: &mut Writer) {
    type Of = fn(&compose::Project) -> &BTreeMap<String, compose::Resource>;
    type Sort<'a> = (&'a str, &'a str, &'a str, Of, Option<BTreeSet<&'a String>>);
    let kinds: [Sort<'_>; 2] = [
        (
            "belfry_compose_network_missing",
            "Whether the network is declared and needed, and not there.",
            "network",
            |project| &project.networks,
            names.networks.known().map(|all| all.keys().collect()),
        ),
        (
            "belfry_compose_volume_missing",
            "Whether the volume is declared and needed, and not there.",
            "volume",
            |project| &project.volumes,
            names.volumes.known().map(|all| all.iter().collect()),
        ),
    ];
    for (family, help, label, of, there) in kinds {
        // Before the first listing nothing is missing.
        let Some(there) = there else { continue };
        page.family(family, help, Kind::Gauge);
        for (name, known) in known {
            let Some(project) = &known.project else {
                continue;
            };
            let needed = of(project).values();
            for one in needed.filter(|one| one.needed && !one.name.is_empty()) {
                let labels = [(label, one.name.as_str()), ("project", name)];
                let missing = !there.contains(&one.name);
                page.sample(&labels, f64::from(u8::from(missing)));
            }
        }
    }
}
