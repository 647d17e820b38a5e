//! What a merged file says of services, networks and volumes.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Condition, Project, Resource, Service};
use crate::ports::ports;
use crate::value::{PROBE, Value};

/// More services than this are not looked at.
const MOST_SERVICES: usize = 1000;
/// Longer names are cut: they become labels of series.
const LONGEST: usize = 256;

/// The project of a merged file. `files` is left empty.
pub(crate) fn project(name: String, top: &Value, profiles: &BTreeSet<String>) -> Project {
    let mut project = Project {
        name,
        ..Project::default()
    };
    for (name, value) in top.get("services").into_iter().flat_map(Value::entries) {
        if project.services.len() == MOST_SERVICES {
            break;
        }
        if matches!(value, Value::Map(_)) {
            project.services.insert(cut(name), service(value, profiles));
        }
    }
    project.networks = resources(top, "networks", &project.name);
    project.volumes = resources(top, "volumes", &project.name);
    let wanted: Vec<&Service> = project
        .services
        .values()
        .filter(|service| service.wanted() > 0)
        .collect();
    let joined: BTreeSet<&String> = wanted.iter().flat_map(|one| &one.networks).collect();
    // The one network that nobody has to declare.
    if joined.iter().any(|key| *key == "default") && !project.networks.contains_key("default") {
        let network = Resource {
            name: format!("{}_default", project.name),
            ..Resource::default()
        };
        project.networks.insert("default".to_owned(), network);
    }
    let mounted: BTreeSet<&String> = wanted.iter().flat_map(|one| &one.volumes).collect();
    for (key, network) in &mut project.networks {
        network.needed = joined.contains(key);
    }
    for (key, volume) in &mut project.volumes {
        volume.needed = mounted.contains(key);
    }
    project
}

fn service(value: &Value, active: &BTreeSet<String>) -> Service {
    let profiles: Vec<String> = list(value.get("profiles"));
    let enabled = profiles.is_empty()
        || active.contains("*")
        || profiles.iter().any(|profile| active.contains(profile));
    let own_network = value
        .get("network_mode")
        .is_none_or(|mode| *mode == Value::Null);
    let mut networks = if own_network {
        names(value.get("networks"))
    } else {
        Vec::new()
    };
    if own_network && networks.is_empty() {
        networks.push("default".to_owned());
    }
    let word = |value: Option<&Value>| value.and_then(Value::text).map(cut).unwrap_or_default();
    let labels = value.get("labels");
    Service {
        image: word(value.get("image")),
        profiles,
        enabled,
        replicas: replicas(value),
        depends_on: depends_on(value.get("depends_on")),
        networks,
        volumes: volumes(value.get("volumes")),
        container_name: word(value.get("container_name")),
        probe: word(labels.and_then(|labels| labels.get(PROBE))),
        ports: ports(value.get("ports")),
    }
}

/// One, where nothing is said that could be understood.
fn replicas(value: &Value) -> u64 {
    let deploy = value.get("deploy");
    let said = value
        .get("scale")
        .or_else(|| deploy.and_then(|deploy| deploy.get("replicas")));
    let said = said
        .and_then(Value::text)
        .and_then(|text| text.trim().parse().ok());
    said.unwrap_or(1)
}

fn depends_on(value: Option<&Value>) -> BTreeMap<String, Condition> {
    let condition = |value: &Value| match value.get("condition").and_then(Value::text) {
        Some("service_healthy") => Condition::Healthy,
        Some("service_completed_successfully") => Condition::Completed,
        _ => Condition::Started,
    };
    match value {
        Some(map @ Value::Map(_)) => map
            .entries()
            .take(MOST_SERVICES)
            .map(|(name, value)| (cut(name), condition(value)))
            .collect(),
        Some(list @ Value::List(_)) => {
            let names = list.texts().into_iter().take(MOST_SERVICES);
            names.map(|name| (cut(name), Condition::Started)).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The volumes with a name, whichever way they are written. Of two at the same
/// place the later one counts.
fn volumes(value: Option<&Value>) -> Vec<String> {
    let Some(Value::List(items)) = value else {
        return Vec::new();
    };
    let mut places: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for item in items.iter().take(MOST_SERVICES) {
        match item {
            Value::Text(text) => {
                let mut parts = text.split(':');
                let (source, target) = (parts.next().unwrap_or_default(), parts.next());
                let named = !source.starts_with(['.', '/', '~']) && !source.is_empty();
                match target {
                    Some(target) => places.insert(target, named.then_some(source)),
                    None => places.insert(source, None),
                };
            }
            Value::Map(_) => {
                let word = |key| item.get(key).and_then(Value::text);
                let named = word("type").is_none_or(|kind| kind == "volume");
                let source = word("source").or(word("src")).filter(|_| named);
                let target = word("target").or(word("dst")).unwrap_or_default();
                places.insert(target, source.filter(|source| !source.is_empty()));
            }
            _ => {}
        }
    }
    let found: BTreeSet<&str> = places.into_values().flatten().collect();
    found.into_iter().map(cut).collect()
}

fn resources(top: &Value, key: &str, project: &str) -> BTreeMap<String, Resource> {
    let entries = top.get(key).into_iter().flat_map(Value::entries);
    let one = |key: &String, value: &Value| {
        let external = value.get("external");
        // Older files say the name below `external`.
        let below = external.and_then(|external| external.get("name"));
        let external = below.is_some() || external.is_some_and(Value::is_true);
        let name = match value.get("name").or(below) {
            Some(Value::Text(name)) if !name.is_empty() => cut(name),
            Some(Value::Unknown | Value::Text(_)) => String::new(),
            _ if external => cut(key),
            _ => cut(format!("{project}_{key}")),
        };
        Resource {
            name,
            external,
            needed: false,
        }
    };
    entries
        .take(MOST_SERVICES)
        .map(|(key, value)| (cut(key), one(key, value)))
        .collect()
}

fn list(value: Option<&Value>) -> Vec<String> {
    let texts = value.map(Value::texts).unwrap_or_default().into_iter();
    texts.take(MOST_SERVICES).map(cut).collect()
}

/// The keys of a mapping, or the texts of a list.
fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(map @ Value::Map(_)) => {
            let keys = map.entries().take(MOST_SERVICES);
            keys.map(|(key, _)| cut(key)).collect()
        }
        other => list(other),
    }
}

fn cut(text: impl AsRef<str>) -> String {
    text.as_ref().chars().take(LONGEST).collect()
}
