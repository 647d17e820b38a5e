//! Servers in containers: found by image and command, handed to what reads
//! them.
//!
//! A server stays found as long as its container exists, so that one that was
//! stopped is reported as down. Nothing but a TCP connection is tried here, and
//! an environment is looked at only where the configuration allows it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use exporter::container::{Container, Containers};
use exporter::{api, celery, postgres, redis};
use healthchecks::discover::Kind;
use settings::Secret;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::readers::Readers;
use crate::config::Config;
use crate::runbooks::{Logins, Shelf};

/// What did not answer is tried again after so long.
const AGAIN: Duration = Duration::from_secs(15);
/// A server on this host takes a connection sooner than this.
const PATIENCE: Duration = Duration::from_secs(1);

const POSTGRES_USER: &str = "POSTGRES_USER";
const POSTGRES_PASSWORD: &str = "POSTGRES_PASSWORD";
const POSTGRES_DB: &str = "POSTGRES_DB";
const RABBIT_USER: &str = "RABBITMQ_DEFAULT_USER";
const RABBIT_PASSWORD: &str = "RABBITMQ_DEFAULT_PASS";
const RABBIT_VHOST: &str = "RABBITMQ_DEFAULT_VHOST";
const REDIS_PASSWORDS: [&str; 2] = ["REDIS_PASSWORD", "VALKEY_PASSWORD"];

/// A container that holds a server, and where that may be reached.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    id: String,
    name: String,
    holds: Holds,
    /// As host:port, the best first.
    addresses: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Holds {
    Postgres,
    Redis,
    Rabbit,
}

/// A server that was found.
#[derive(Debug, Clone, PartialEq)]
enum Server {
    Postgres(postgres::Server),
    Redis(redis::Server),
    Rabbit(celery::Broker),
}

/// What is known of a container that holds a server.
struct Known {
    place: Place,
    server: Server,
    /// Whether it answered, and all that may be asked of it was told.
    settled: bool,
}

/// Where servers are looked for, and who reads them.
pub(super) struct Ground {
    pub(super) containers: Containers,
    pub(super) readers: Arc<Readers>,
    /// Whose commands say how a server is asked; nobody's where only pages are served.
    pub(super) shelf: Option<Arc<Shelf>>,
    /// Where the engine is.
    pub(super) socket: PathBuf,
    /// The configuration in force.
    pub(super) config: watch::Receiver<Arc<Config>>,
}

impl Ground {
    /// Whether the engine has listed its containers once, or there is none.
    fn knows_containers(&self) -> bool {
        let engine = self.containers.engine();
        let none = engine.since_ms.is_some() && engine.version.is_empty() && !self.socket.exists();
        engine.listed_ms.is_some() || none
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }
}

/// Finds servers until told to stop.
pub(super) async fn run(ground: Ground, stop: CancellationToken) -> anyhow::Result<&'static str> {
    let mut changes = ground.containers.changes();
    let mut reloads = ground.config.clone();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    loop {
        let listed = ground.knows_containers();
        find(&ground, &mut known).await;
        hand_on(&ground, &known);
        let proxies = ground.containers.inventory();
        let proxies = proxies.iter().filter_map(|one| proxy(one));
        ground.readers.api.found(proxies.collect());
        if listed {
            ground.readers.all_found();
        }
        let unsettled = known.values().any(|one| !one.settled);
        tokio::select! {
            () = stop.cancelled() => return Ok("servers"),
            changed = changes.changed() => changed?,
            changed = reloads.changed() => {
                changed?;
                // What may be asked of a container may be another now.
                known.values_mut().for_each(|one| one.settled = false);
            }
            () = time::sleep(AGAIN), if unsettled || !listed => {}
        }
    }
}

async fn find(ground: &Ground, known: &mut BTreeMap<String, Known>) {
    let containers = ground.containers.inventory();
    known.retain(|name, _| containers.iter().any(|one| one.name == *name));
    let config = ground.config();
    let allowed = |place: &Place| match place.holds {
        Holds::Postgres => config.exporter.postgres.environment,
        Holds::Redis => config.exporter.redis.environment,
        Holds::Rabbit => config.exporter.celery.environment,
    };
    for place in containers.iter().filter_map(|one| place(one)) {
        if let Some(one) = known.get(&place.name)
            && one.settled
            && one.place == place
        {
            continue;
        }
        let address = reach(&place.addresses).await;
        let told = match allowed(&place) {
            true => environment(ground, &place).await,
            false => Some(BTreeMap::new()),
        };
        let settled = address.is_some() && told.is_some();
        // One that takes no connection is down, and is told to be.
        let address = address.or(place.addresses.first());
        let Some(address) = address else { continue };
        let server = server(&place, address, &told.unwrap_or_default());
        let one = Known {
            server,
            settled,
            place,
        };
        known.insert(one.place.name.clone(), one);
    }
}

async fn environment(ground: &Ground, place: &Place) -> Option<BTreeMap<String, Secret>> {
    let names: &[&str] = match place.holds {
        Holds::Postgres => &[POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB],
        Holds::Redis => &REDIS_PASSWORDS,
        Holds::Rabbit => &[RABBIT_USER, RABBIT_PASSWORD, RABBIT_VHOST],
    };
    let told = ground.containers.environment(&place.id, names).await;
    told.inspect_err(|err| {
        let container = &place.name;
        tracing::warn!(container, "cannot ask for a container's environment: {err}");
    })
    .ok()
}

/// Hands the servers to their readers, without those that the configuration
/// names by another of their addresses.
fn hand_on(ground: &Ground, known: &BTreeMap<String, Known>) {
    let config = ground.config();
    let (mut postgres, mut redis, mut celery) = (Vec::new(), Vec::new(), Vec::new());
    let (databases, caches) = (&config.exporter.postgres, &config.exporter.redis);
    let brokers = &config.exporter.celery;
    let mut logins = Logins::new();
    for one in known.values() {
        let is_known = |place: Option<String>| {
            let place = place.map(|place| place.replace("localhost:", "127.0.0.1:"));
            place.is_some_and(|place| one.place.addresses.contains(&place))
        };
        match &one.server {
            Server::Postgres(server) => {
                let mut configured = databases.servers.iter();
                let configured = configured.find(|had| is_known(had.place()));
                if let Some(login) = configured.unwrap_or(server).login() {
                    logins.insert(one.place.name.clone(), login);
                }
                if databases.find && configured.is_none() {
                    postgres.push(server.clone());
                }
            }
            Server::Redis(server) => {
                if brokers.find && !brokers.brokers.iter().any(|had| is_known(had.place())) {
                    celery.push(broker(server));
                }
                if caches.find && !caches.servers.iter().any(|had| is_known(had.place())) {
                    redis.push(server.clone());
                }
            }
            Server::Rabbit(server) => {
                if brokers.find && !brokers.brokers.iter().any(|had| is_known(had.place())) {
                    celery.push(server.clone());
                }
            }
        }
    }
    if let Some(shelf) = &ground.shelf {
        shelf.know_logins(logins);
    }
    ground.readers.postgres.found(postgres);
    ground.readers.redis.found(redis);
    ground.readers.celery.found(celery);
}

/// A Redis in which Celery may have its queues.
fn broker(server: &redis::Server) -> celery::Broker {
    celery::Broker {
        address: server.address.clone(),
        name: server.name.clone(),
        username: server.username.clone(),
        password: server.password.clone(),
        ..celery::Broker::default()
    }
}

/// A container that writes an access log to its output, as the images of these
/// proxies do; Caddy tells everything on standard error.
fn proxy(container: &Container) -> Option<api::Found> {
    let program = healthchecks::discover::proxy(&super::discovery::container(container))?;
    ["nginx", "OpenResty", "Caddy"]
        .contains(&program)
        .then(|| api::Found {
            container: container.name.clone(),
            both_streams: program == "Caddy",
        })
}

/// A running container that holds a server.
fn place(container: &Container) -> Option<Place> {
    if !container.state.has_processes() {
        return None;
    }
    let kind = healthchecks::discover::kind(&super::discovery::container(container));
    let (holds, port) = match kind {
        Some(Kind::Postgres) => (Holds::Postgres, 5432),
        Some(Kind::Redis) => (Holds::Redis, 6379),
        None if is_rabbit(&container.image) => (Holds::Rabbit, 5672),
        _ => return None,
    };
    let mut addresses: Vec<String> = container
        .addresses
        .values()
        .map(|address| format!("{address}:{port}"))
        .collect();
    if container.network_mode == "host" {
        addresses.push(format!("127.0.0.1:{port}"));
    }
    for public in &container.ports {
        if public.private == port
            && public.protocol == "tcp"
            && let Some((host, port)) = &public.published
        {
            let host = match host.as_str() {
                "" | "0.0.0.0" | "::" => "127.0.0.1",
                host => host,
            };
            let address = format!("{host}:{port}");
            if !host.contains(':') && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Some(Place {
        id: container.id.clone(),
        name: container.name.clone(),
        holds,
        addresses,
    })
}

/// Where the PostgreSQL server of a container may be reached, as `host:port`.
pub(super) fn places(container: &Container) -> Vec<String> {
    place(container).map_or_else(Vec::new, |place| place.addresses)
}

/// Whether an image is RabbitMQ's, wherever it comes from.
fn is_rabbit(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split([':', '@']).next() == Some("rabbitmq")
}

/// The first address where a connection is taken.
async fn reach(addresses: &[String]) -> Option<&String> {
    for address in addresses {
        if let Ok(Ok(_)) = time::timeout(PATIENCE, TcpStream::connect(address.as_str())).await {
            return Some(address);
        }
    }
    None
}

fn server(place: &Place, address: &str, told: &BTreeMap<String, Secret>) -> Server {
    let name = place.name.clone();
    match place.holds {
        Holds::Postgres => {
            let said = |variable| told.get(variable).map(Secret::expose);
            let user = said(POSTGRES_USER).unwrap_or("postgres");
            let database = said(POSTGRES_DB).unwrap_or(user);
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "5432"));
            let (user, database) = (quoted(user), quoted(database));
            Server::Postgres(postgres::Server {
                url: Secret::new(format!(
                    "host={host} port={port} user={user} dbname={database}"
                )),
                password: told.get(POSTGRES_PASSWORD).cloned().unwrap_or_default(),
                name,
                ..postgres::Server::default()
            })
        }
        Holds::Redis => {
            let mut passwords = REDIS_PASSWORDS.iter().filter_map(|name| told.get(*name));
            Server::Redis(redis::Server {
                address: address.to_owned(),
                password: passwords.next().cloned().unwrap_or_default(),
                name,
                ..redis::Server::default()
            })
        }
        Holds::Rabbit => {
            let said = |variable| told.get(variable).map(Secret::expose);
            let usual = celery::Broker::default();
            Server::Rabbit(celery::Broker {
                address: format!("amqp://{address}"),
                username: said(RABBIT_USER).unwrap_or_default().to_owned(),
                password: told.get(RABBIT_PASSWORD).cloned().unwrap_or_default(),
                vhost: said(RABBIT_VHOST).unwrap_or(&usual.vhost).to_owned(),
                name,
                ..usual
            })
        }
    }
}

/// As a value of an address of `key=value` pairs.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests;
