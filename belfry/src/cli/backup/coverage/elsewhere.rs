//! Databases of the servers that the configuration names and that are in no container:
//! on this host, or elsewhere.

use std::collections::BTreeMap;

use backup::Served;

use crate::config::Config;

/// The databases of these servers, and the servers that do not tell, with why. What is
/// reached at one of `places` is known by its container.
pub(super) async fn look(
    config: &Config,
    places: &[String],
) -> (Vec<Served>, Vec<(String, String)>) {
    let servers = &config.exporter.postgres.servers;
    let (mut found, mut closed) = (Vec::new(), Vec::new());
    for server in servers {
        let place = server.place();
        let place = place.map(|place| place.replace("localhost:", "127.0.0.1:"));
        if place.as_ref().is_some_and(|place| places.contains(place)) {
            continue;
        }
        // As its series are called: the only one has no name but that of the host.
        let named = servers.len() > 1 || !server.name.is_empty();
        let called = match named {
            true => server.called(),
            false => config.host_name(),
        };
        match server.databases().await {
            Ok(names) => found.extend(names.into_iter().map(|name| Served {
                server: called.clone(),
                name,
                places: place.clone().into_iter().collect(),
                volumes: Vec::new(),
            })),
            Err(why) => closed.push((called, why)),
        }
    }
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    for database in &found {
        *alike.entry(database.name.clone()).or_default() += 1;
    }
    // A job may name the same place otherwise: its database's name tells where no other
    // server has one of that name.
    for database in found.iter_mut().filter(|one| alike[&one.name] == 1) {
        database.places.clear();
    }
    (found, closed)
}
