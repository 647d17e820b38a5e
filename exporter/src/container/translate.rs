//! The engine's answers, turned into [`Container`]s.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerSummary, EndpointSettings, HostConfig,
    MountPoint, NetworkSettings,
};

use super::model::{Container, Health, Mount, Port, State};

const PROJECT: &str = "com.docker.compose.project";
const PROJECT_FOLDER: &str = "com.docker.compose.project.working_dir";
const PROJECT_FILES: &str = "com.docker.compose.project.config_files";
const PROJECT_VARIABLES: &str = "com.docker.compose.project.environment_file";
const SERVICE: &str = "com.docker.compose.service";
/// Longer label values and outputs are cut: they end up in every page.
const LONGEST: usize = 256;
/// Lists of paths are longer.
const LONGEST_LIST: usize = 8192;

/// Takes over what one row of a listing says. State, health and the rest that
/// only an inspection knows are left as they are.
pub(super) fn listed(summary: ContainerSummary, kept: &[String], container: &mut Container) {
    if let Some(name) = summary.names.and_then(|names| names.into_iter().next()) {
        container.name = name.trim_start_matches('/').to_owned();
    }
    if container.name.is_empty() {
        // One that is being removed may have lost its name already.
        container.name = container.id.chars().take(12).collect();
    }
    // When its tag has come to mean another image, a listing has the id instead.
    if let Some(image) = summary.image
        && (container.image.is_empty() || !image.starts_with("sha256:"))
    {
        container.image = image;
    }
    if let Some(command) = summary.command {
        container.command = command;
    }
    if let Some(image) = summary.image_id {
        container.image_id = image;
    }
    if let Some(labels) = summary.labels {
        label(labels, kept, container);
    }
    if let Some(seconds) = summary.created {
        container.created_ms = seconds.saturating_mul(1000);
    }
    if let Some(state) = summary.state.and_then(|state| State::read(state.as_ref())) {
        container.state = state;
    }
    if let Some(status) = summary.status {
        container.health = health_in(&status, container.state);
    }
    if let Some(mode) = summary.host_config.and_then(|host| host.network_mode) {
        container.network_mode = mode;
    }
    if let Some(networks) = summary
        .network_settings
        .and_then(|network| network.networks)
    {
        joined(networks, container);
    }
    if let Some(ports) = summary.ports {
        container.ports = sorted(ports.into_iter().map(|port| {
            Port {
                private: port.private_port,
                protocol: port
                    .typ
                    .map_or_else(|| "tcp".to_owned(), |kind| kind.to_string()),
                published: port
                    .public_port
                    .map(|public| (port.ip.unwrap_or_default(), public)),
            }
        }));
        container.ports.dedup();
    }
    if let Some(found) = summary.mounts {
        container.mounts = mounts(found);
    }
}

/// Listings say it in words: `Up 2 hours (unhealthy)`.
fn health_in(status: &str, state: State) -> Health {
    let said = status
        .rsplit_once('(')
        .and_then(|(_, end)| end.strip_suffix(')'));
    match said {
        _ if !state.has_processes() => Health::None,
        Some("health: starting") => Health::Starting,
        Some(word) => Health::read(word),
        None => Health::None,
    }
}

/// Takes over what an inspection says.
pub(super) fn inspected(
    answer: ContainerInspectResponse,
    kept: &[String],
    container: &mut Container,
) {
    if let Some(name) = answer.name {
        container.name = name.trim_start_matches('/').to_owned();
    }
    if let Some(image) = answer.image {
        container.image_id = image;
    }
    if let Some(config) = answer.config {
        if let Some(image) = config.image {
            container.image = image;
        }
        if let Some(labels) = config.labels {
            label(labels, kept, container);
        }
        container.health_command = config
            .healthcheck
            .and_then(|check| check.test)
            .unwrap_or_default();
    }
    if let Some(created) = answer.created.as_deref().and_then(instant) {
        container.created_ms = created;
    }
    container.log_path = answer.log_path.unwrap_or_default();
    let layer = answer.graph_driver.map(|driver| driver.data);
    container.layer = layer
        .and_then(|mut data| data.remove("UpperDir"))
        .unwrap_or_default();
    if let Some(count) = answer.restart_count {
        container.restart_count = u64::try_from(count).unwrap_or_default();
    }
    if let Some(state) = answer.state {
        state_of(state, container);
    }
    if let Some(host) = answer.host_config {
        host_of(host, container);
    }
    if let Some(found) = answer.mounts {
        container.mounts = mounts(found);
    }
    if let Some(network) = answer.network_settings {
        network_of(network, container);
    }
}

fn state_of(state: ContainerState, container: &mut Container) {
    let word = state.status.map(|status| status.to_string());
    if let Some(now) = word.as_deref().and_then(State::read) {
        container.state = now;
    }
    container.oom_killed = state.oom_killed.unwrap_or_default();
    container.pid = state
        .pid
        .and_then(|pid| u32::try_from(pid).ok())
        .filter(|pid| *pid > 0);
    container.started_ms = state.started_at.as_deref().and_then(instant);
    container.finished_ms = state.finished_at.as_deref().and_then(instant);
    // The engine says 0 as long as there has been no end, and 0 again as soon
    // as a container runs anew: how it ended before is what we heard then.
    if !container.state.has_processes() {
        container.exit_code = container.finished_ms.and(state.exit_code);
    }
    let (health, output) = match state.health {
        Some(health) => (
            health
                .status
                .map_or(Health::None, |status| Health::read(status.as_ref())),
            health
                .log
                .and_then(|log| log.into_iter().next_back()?.output)
                .unwrap_or_default(),
        ),
        None => (Health::None, String::new()),
    };
    container.health = health;
    container.health_output = cut(output.trim());
}

fn host_of(host: HostConfig, container: &mut Container) {
    container.memory_limit = host
        .memory
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or_default();
    let policy = host
        .restart_policy
        .and_then(|policy| policy.name)
        .map(|name| name.to_string());
    container.restart_policy = policy
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "no".to_owned());
    if let Some(mode) = host.network_mode {
        container.network_mode = mode;
    }
}

fn network_of(network: NetworkSettings, container: &mut Container) {
    if let Some(networks) = network.networks {
        joined(networks, container);
    }
    let Some(ports) = network.ports else { return };
    let mut found = Vec::new();
    for (port, bindings) in ports {
        let (number, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
        let Ok(private) = number.parse() else {
            continue;
        };
        let mut add = |published| {
            let protocol = protocol.to_owned();
            found.push(Port {
                private,
                protocol,
                published,
            });
        };
        let bindings = bindings.unwrap_or_default();
        if bindings.is_empty() {
            add(None);
        }
        for binding in bindings {
            let public = binding.host_port.and_then(|port| port.parse().ok());
            add(public.map(|public| (binding.host_ip.unwrap_or_default(), public)));
        }
    }
    container.ports = sorted(found);
}

fn joined(networks: HashMap<String, EndpointSettings>, container: &mut Container) {
    let told = |of: fn(&EndpointSettings) -> &Option<String>| {
        let each = networks.iter().filter_map(|(name, network)| {
            let told = of(network).clone().filter(|told| !told.is_empty());
            Some((name.clone(), told?))
        });
        each.collect()
    };
    container.addresses = told(|network| &network.ip_address);
    container.network_ids = told(|network| &network.network_id);
    container.networks = sorted(networks.into_keys());
}

fn label(labels: HashMap<String, String>, kept: &[String], container: &mut Container) {
    let get = |name: &str| labels.get(name).map(|value| cut(value)).unwrap_or_default();
    container.project = get(PROJECT);
    let list = |name: &str| -> String {
        let found = labels.get(name).map_or("", String::as_str);
        found.chars().take(LONGEST_LIST).collect()
    };
    container.project_folder = list(PROJECT_FOLDER);
    container.project_files = list(PROJECT_FILES);
    container.project_variables = list(PROJECT_VARIABLES);
    container.service = get(SERVICE);
    let found = kept.iter().map(|name| (name.clone(), get(name)));
    container.labels = found
        .filter(|(_, value)| !value.is_empty())
        .collect::<BTreeMap<_, _>>();
    let all = labels.iter();
    container.all_labels = all
        .map(|(name, value)| (name.clone(), cut(value)))
        .collect();
}

fn mounts(found: Vec<MountPoint>) -> Vec<Mount> {
    sorted(found.into_iter().map(|mount| Mount {
        kind: mount.typ.unwrap_or_default(),
        volume: mount.name.unwrap_or_default(),
        source: mount.source.unwrap_or_default(),
        destination: mount.destination.unwrap_or_default(),
        writable: mount.rw.unwrap_or_default(),
    }))
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// Milliseconds since 1970. The engine writes the year 1 for "never".
fn instant(text: &str) -> Option<i64> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(instant.as_millisecond()).filter(|ms| *ms > 0)
}

/// The registry's digest out of `name@sha256:...`.
pub(super) fn digest(repo_digests: &[String]) -> String {
    let digest = repo_digests.first().and_then(|named| named.split_once('@'));
    digest
        .map(|(_, digest)| digest.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerStateStatusEnum;

    use super::*;

    #[test]
    fn health_is_read_from_the_words_of_a_listing() {
        for (status, state, want) in [
            ("Up 2 hours (unhealthy)", State::Running, Health::Unhealthy),
            ("Up 2 hours (healthy)", State::Running, Health::Healthy),
            (
                "Up 3 seconds (health: starting)",
                State::Running,
                Health::Starting,
            ),
            ("Up 2 hours (Paused)", State::Paused, Health::None),
            ("Up 2 hours", State::Running, Health::None),
            ("Exited (0) 2 hours ago", State::Exited, Health::None),
        ] {
            assert_eq!(health_in(status, state), want, "{status}");
        }
    }

    #[test]
    fn the_year_one_is_never() {
        assert_eq!(instant("0001-01-01T00:00:00Z"), None);
        assert_eq!(instant("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(
            instant("2026-01-01T00:00:00.123456789+02:00"),
            Some(1_767_218_400_123)
        );
        assert_eq!(instant("yesterday"), None);
    }

    #[test]
    fn an_end_before_the_first_start_has_no_exit_code() {
        let mut container = Container::new("x".into());
        let state = ContainerState {
            exit_code: Some(0),
            finished_at: Some("0001-01-01T00:00:00Z".into()),
            pid: Some(0),
            ..ContainerState::default()
        };
        state_of(state.clone(), &mut container);
        assert_eq!((container.exit_code, container.pid), (None, None));
        let ended = ContainerState {
            exit_code: Some(137),
            finished_at: Some("2026-01-01T00:00:00Z".into()),
            ..state
        };
        state_of(ended.clone(), &mut container);
        assert_eq!(container.exit_code, Some(137));
        let again = ContainerState {
            status: Some(ContainerStateStatusEnum::RUNNING),
            exit_code: Some(0),
            ..ended
        };
        state_of(again, &mut container);
        assert_eq!(container.exit_code, Some(137), "of the end before this run");
    }

    #[test]
    fn long_labels_are_cut_and_others_left_out() {
        let mut container = Container::new("x".into());
        let labels = HashMap::from([
            (SERVICE.to_owned(), "é".repeat(1000)),
            ("kept".to_owned(), "yes".to_owned()),
            ("not".to_owned(), "no".to_owned()),
            ("belfry.scrape".to_owned(), "9100".to_owned()),
        ]);
        label(labels, &["kept".into(), "absent".into()], &mut container);
        assert_eq!(container.service.chars().count(), LONGEST);
        assert_eq!(
            container.labels,
            BTreeMap::from([("kept".into(), "yes".into())])
        );
        assert_eq!(container.all_labels.len(), 4);
        assert_eq!(container.all_labels["belfry.scrape"], "9100");
    }
}
