//! Answers of engines that are not quite the one that our types are made for:
//! what can be understood is taken, and the rest left out.
//!
//! Podman and later versions have words of their own for states, and one such
//! word in one row must not cost the whole listing.

use std::path::Path;
use std::sync::Arc;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerSummary, HostConfig, NetworkSettings,
};
use exposition::Writer;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::inventory::Inventory;
use super::model::Container;
use super::translate as rows;
use super::{
    EngineState, cadvisor, cgroup, cgroup_v1, cgroup_v2, disks, machine, networks, own, own_more,
    resources, sizes, usage,
};
use crate::files::{Files, Roots};
use crate::pieces;

/// Their words, and ours.
const STATES: [(&str, &str); 5] = [
    ("configured", "created"),
    ("initialized", "created"),
    ("stopped", "exited"),
    ("stopping", "running"),
    ("removed", "removing"),
];

/// All rows of a listing that have an id.
pub(super) fn listing(body: &[u8]) -> Result<Vec<ContainerSummary>, serde_json::Error> {
    let rows: Vec<Value> = serde_json::from_slice(body)?;
    let row = |mut row: Value| {
        translate(row.get_mut("State"));
        understood::<ContainerSummary>(row).filter(|row| row.id.is_some())
    };
    Ok(rows.into_iter().filter_map(row).collect())
}

/// What an inspection tells.
pub(super) fn inspection(body: &[u8]) -> Result<ContainerInspectResponse, serde_json::Error> {
    let mut answer: Value = serde_json::from_slice(body)?;
    if let Some(state) = answer.get_mut("State") {
        translate(state.get_mut("Status"));
        sift::<ContainerState>(state);
    }
    if let Some(host) = answer.get_mut("HostConfig") {
        sift::<HostConfig>(host);
    }
    if let Some(network) = answer.get_mut("NetworkSettings") {
        sift::<NetworkSettings>(network);
    }
    Ok(understood(answer).unwrap_or_default())
}

fn translate(word: Option<&mut Value>) {
    if let Some(Value::String(word)) = word
        && let Some((_, ours)) = STATES.iter().find(|(theirs, _)| theirs == word)
    {
        (*ours).clone_into(word);
    }
}

/// The value, without the fields that cannot be understood.
fn understood<T: DeserializeOwned>(mut value: Value) -> Option<T> {
    if let Ok(whole) = T::deserialize(&value) {
        return Some(whole);
    }
    sift::<T>(&mut value);
    serde_json::from_value(value).ok()
}

/// Leaves out what is not as it is in `T`, each of whose fields may be absent.
fn sift<T: DeserializeOwned>(value: &mut Value) {
    if T::deserialize(&*value).is_ok() {
        return;
    }
    match value {
        Value::Object(fields) => fields.retain(|name, field| {
            let alone = Map::from_iter([(name.clone(), field.clone())]);
            T::deserialize(Value::Object(alone)).is_ok()
        }),
        other => *other = Value::Object(Map::new()),
    }
}

/// Reads the bytes as any answer of an engine, and as what the kernel tells of a
/// container's process, for those who throw any at it.
///
/// # Panics
/// If what is told of a container is no page.
pub fn any(bytes: &[u8]) {
    let _ = super::raw::body(bytes.to_vec());
    let _ = super::disk_usage::parse(bytes);
    let _ = (networks::read(bytes), resources::named_volumes(bytes));
    let _ = resources::tags(bytes);
    if let Ok(event) = serde_json::from_slice(bytes) {
        Inventory::new(Vec::new()).heard(event);
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = sizes::upper(&text);
    disks::any(&text);
    cgroup::any(&text);
    let mut container = Container::new("x".to_owned());
    let kept = ["x", "a.b", "a_b", "com.docker.compose.project"].map(str::to_owned);
    for row in listing(bytes).unwrap_or_default() {
        rows::listed(row, &kept, &mut container);
    }
    if let Ok(answer) = inspection(bytes) {
        rows::inspected(answer, &kept, &mut container);
    }
    let (all, engine) = ([Arc::new(container)], EngineState::default());
    let mut page = Writer::new();
    let own = own::spell(&all);
    own::encode(&own, &engine, 0, &mut page);
    own_more::encode(&own, &resources::Names::default(), &|_| None, &mut page);
    let measured = [(all[0].clone(), Arc::new(usage::Usage::default()))];
    cadvisor::encode(&measured, &engine, 0, &mut page);
    pieces::check(&page.finish());
}

/// Reads a tree as the kernel's files of a machine, and its folder `group` as a control
/// group of both versions, for those who throw any bytes at it.
///
/// # Panics
/// If what is told of the machine is no page.
pub fn any_files(tree: &Path) {
    let roots = Roots {
        proc: tree.join("proc"),
        sys: tree.join("sys"),
        root: tree.into(),
    };
    let (group, mut files) = (tree.join("group"), Files::new(&roots));
    cgroup_v1::any(&group, &mut files);
    let _ = cgroup_v2::read(&group, &mut files);
    let _ = cgroup_v2::limits(&group, &mut files);
    let mut page = Writer::new();
    machine::Identity::default().encode(&mut files, &mut page);
    disks::encode(&mut files, &mut page);
    pieces::check(&page.finish());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_we_do_not_know_costs_its_field_alone() {
        let rows = listing(
            br#"[{"Id":"a","Names":["/one"],"State":"stopped","Status":"Exited (0)"},
                 {"Id":"b","Names":["/two"],"State":"improper state","Created":"yesterday",
                  "Ports":[{"PrivatePort":80,"Type":"quic"}],"Labels":{"x":"y"}},
                 {"Id":"c","State":"running"}, {"Names":["/nobody"]}, 7, null]"#,
        )
        .unwrap();
        assert_eq!(rows.len(), 3);
        let state = |at: usize| rows[at].state.map(|state| state.to_string());
        assert_eq!(state(0).as_deref(), Some("exited"));
        assert_eq!((state(1), rows[1].created), (None, None));
        assert_eq!(rows[1].labels.as_ref().unwrap()["x"], "y");
        assert!(rows[1].ports.is_none());
        assert_eq!(state(2).as_deref(), Some("running"));
        assert!(listing(b"{}").is_err() && listing(b"").is_err());
    }

    #[test]
    fn an_inspection_with_odd_parts_tells_the_others() {
        let told = inspection(
            br#"{"Id":"a","Name":"/one","Created":5,
                 "State":{"Status":"configured","Pid":12,"ExitCode":"none","Health":{"Status":"mending"}},
                 "HostConfig":{"Memory":1024,"RestartPolicy":{"Name":"sometimes"},"NetworkMode":"slirp4netns"},
                 "NetworkSettings":{"Ports":[],"Networks":{"n":{"IPAddress":"10.0.0.2"}}},"Mounts":"none"}"#,
        )
        .unwrap();
        let state = told.state.unwrap();
        assert_eq!(state.status.unwrap().to_string(), "created");
        assert_eq!((state.pid, state.exit_code), (Some(12), None));
        let host = told.host_config.unwrap();
        assert_eq!(
            (host.memory, host.network_mode.as_deref()),
            (Some(1024), Some("slirp4netns"))
        );
        assert!(
            told.network_settings
                .unwrap()
                .networks
                .unwrap()
                .contains_key("n")
        );
        assert_eq!(told.name.as_deref(), Some("/one"));
        assert!(told.mounts.is_none() && told.created.is_none());
        assert!(inspection(b"[]").unwrap().name.is_none());
        assert!(inspection(b"nonsense").is_err());
    }
}
