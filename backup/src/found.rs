//! What there is on this host that could be backed up: the engine's volumes, and the
//! databases of the PostgreSQL servers in its containers.

use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{InspectContainerOptions, ListVolumesOptions};
use settings::Secret;
use tokio::time::timeout;

use crate::Volume;
use crate::tool::{Call, Place};

const PATIENCE: Duration = Duration::from_secs(30);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Volumes, by name.
    pub volumes: Vec<FoundVolume>,
    /// Databases, by container and name.
    pub databases: Vec<FoundDatabase>,
    /// Servers whose databases cannot be told: the container, and why.
    pub closed: Vec<(String, String)>,
    /// Where these servers are reached from this host, as `host:port`.
    pub places: Vec<String>,
}

/// A volume of the engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundVolume {
    /// Its name, and the compose project that it is of.
    pub volume: Volume,
    /// The running database servers that keep their data in it, by container.
    pub servers: Vec<String>,
}

/// A database of a server in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundDatabase {
    /// The container's name.
    pub container: String,
    /// The compose project of the container; empty if there is none.
    pub project: String,
    /// The user that was let in.
    pub user: String,
    /// The database.
    pub name: String,
}

/// Looks what there is. Programs are run in containers of PostgreSQL servers, to ask
/// for the names of their databases.
///
/// # Errors
/// When the engine does not answer.
pub async fn look(engine: &Docker) -> Result<Found, String> {
    let mut found = Found::default();
    let listed = timeout(PATIENCE, engine.list_containers(None)).await;
    let containers = listed.map_err(|_| LATE)?.map_err(|err| told(&err))?;
    let mut data: Vec<(String, String)> = Vec::new();
    for container in &containers {
        let Some(server) = Server::of(engine, container).await? else {
            continue;
        };
        for mount in container.mounts.iter().flatten() {
            if let Some(name) = mount.name.as_ref().filter(|name| !name.is_empty()) {
                data.push((name.clone(), server.container.clone()));
            }
        }
        found.places.extend(places(container));
        match server.databases(engine).await {
            Ok(databases) => found.databases.extend(databases),
            Err(why) => found.closed.push((server.container, why)),
        }
    }
    for mut volume in volumes(engine).await? {
        let of = |(name, server): &(String, String)| (*name == volume.name).then(|| server.clone());
        let servers = data.iter().filter_map(of).collect();
        if volume.project.is_empty() {
            volume.project = mounted_by(&containers, &volume.name);
        }
        found.volumes.push(FoundVolume { volume, servers });
    }
    found.volumes.sort();
    found.databases.sort();
    found.closed.sort();
    Ok(found)
}

/// The engine's volumes, whether a container mounts them or not.
///
/// # Errors
/// When the engine does not answer.
pub async fn volumes(engine: &Docker) -> Result<Vec<Volume>, String> {
    let listed = timeout(PATIENCE, engine.list_volumes(None::<ListVolumesOptions>)).await;
    let listed = listed.map_err(|_| LATE)?.map_err(|err| told(&err))?;
    let volume = |volume: bollard::models::Volume| {
        let label = |name: &str| volume.labels.get(name).cloned().unwrap_or_default();
        Volume {
            project: label("com.docker.compose.project"),
            short: label("com.docker.compose.volume"),
            name: volume.name.clone(),
        }
    };
    let volumes = listed.volumes.unwrap_or_default();
    Ok(volumes.into_iter().map(volume).collect())
}

const LATE: &str = "the engine does not answer";

fn told(err: &bollard::errors::Error) -> String {
    err.to_string().chars().take(200).collect()
}

/// Where a server in a container is reached, if it is PostgreSQL's.
fn places(container: &ContainerSummary) -> Vec<String> {
    const PORT: u16 = 5432;
    let networks = container.network_settings.as_ref();
    let networks = networks.and_then(|settings| settings.networks.as_ref());
    let own = networks
        .into_iter()
        .flatten()
        .filter_map(|(name, network)| {
            let address = network.ip_address.as_deref().unwrap_or_default();
            match (name.as_str(), address) {
                ("host", _) => Some(format!("127.0.0.1:{PORT}")),
                (_, "") => None,
                (_, address) => Some(format!("{address}:{PORT}")),
            }
        });
    let ports = container.ports.iter().flatten();
    let published = ports
        .filter(|port| port.private_port == PORT)
        .filter_map(|port| {
            let host = match port.ip.as_deref().unwrap_or_default() {
                "" | "0.0.0.0" | "::" => "127.0.0.1",
                host => host,
            };
            Some(format!("{host}:{}", port.public_port?))
        });
    own.chain(published).collect()
}

fn label(container: &ContainerSummary, name: &str) -> String {
    let labels = container.labels.as_ref();
    labels
        .and_then(|labels| labels.get(name).cloned())
        .unwrap_or_default()
}

/// The project of a container that mounts a volume.
fn mounted_by(containers: &[ContainerSummary], volume: &str) -> String {
    let mounts = |container: &&ContainerSummary| {
        let mut mounts = container.mounts.iter().flatten();
        mounts.any(|mount| mount.name.as_deref() == Some(volume))
    };
    containers
        .iter()
        .filter(mounts)
        .map(|container| label(container, "com.docker.compose.project"))
        .find(|project| !project.is_empty())
        .unwrap_or_default()
}

/// A PostgreSQL server in a container.
struct Server {
    container: String,
    project: String,
    user: String,
    password: Secret,
}

impl Server {
    /// Only the image of a server says where its data is.
    async fn of(engine: &Docker, container: &ContainerSummary) -> Result<Option<Self>, String> {
        let id = container.id.as_deref().unwrap_or_default();
        let asked = engine.inspect_container(id, None::<InspectContainerOptions>);
        let about = match timeout(PATIENCE, asked).await {
            Ok(Ok(about)) => about,
            // It ended meanwhile.
            Ok(Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            })) => return Ok(None),
            Ok(Err(err)) => return Err(told(&err)),
            Err(_) => return Err(LATE.to_owned()),
        };
        let environment = about.config.and_then(|config| config.env);
        let environment = environment.unwrap_or_default();
        let value = |name: &str| {
            let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
            let mut same = pairs.filter(|(key, _)| *key == name);
            same.next().map(|(_, value)| value.to_owned())
        };
        if value("PGDATA").is_none() && value("PG_MAJOR").is_none() {
            return Ok(None);
        }
        let name = about.name.unwrap_or_default();
        Ok(Some(Self {
            container: name.trim_start_matches('/').to_owned(),
            project: label(container, "com.docker.compose.project"),
            user: value("POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned()),
            password: Secret::new(value("POSTGRES_PASSWORD").unwrap_or_default()),
        }))
    }

    async fn databases(&self, engine: &Docker) -> Result<Vec<FoundDatabase>, String> {
        let names = self.ask(engine, "postgres", NAMES).await?;
        let mut found = Vec::new();
        for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
            // Every server has one of that name, and most never use it.
            if name == "postgres" && self.ask(engine, name, TABLES).await?.trim() == "0" {
                continue;
            }
            found.push(FoundDatabase {
                container: self.container.clone(),
                project: self.project.clone(),
                user: self.user.clone(),
                name: name.to_owned(),
            });
        }
        Ok(found)
    }

    async fn ask(&self, engine: &Docker, database: &str, sql: &str) -> Result<String, String> {
        let place = Place::Container {
            engine: engine.clone(),
            name: self.container.clone(),
        };
        let arguments = ["-X", "-q", "-A", "-t", "-w", "-c", sql];
        let call = Call {
            program: "psql".to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: vec![
                ("PGUSER".to_owned(), self.user.clone()),
                ("PGDATABASE".to_owned(), database.to_owned()),
                ("PGCONNECT_TIMEOUT".to_owned(), "10".to_owned()),
            ],
            password: self.password.clone(),
            input: false,
        };
        let asked = async { place.start(call).await?.text().await };
        match timeout(PATIENCE, asked).await {
            Ok(answer) => answer.map_err(|err| err.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }
}

const NAMES: &str = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate \
ORDER BY datname";
const TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
