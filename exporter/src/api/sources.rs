//! Which logs are followed and which proxies are asked: those of the
//! configuration, and those that were found in containers.

use std::time::Duration;

use super::config::{Config, Log, Proxy};
use super::status::Server;
use super::tally::Reading;
use crate::fleet::Wanted;
use crate::tail::{KEEP, Source, Streams};

/// An access log that was found in a container.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The container's name.
    pub container: String,
    /// Whether requests are told on standard error too, as Caddy does.
    pub both_streams: bool,
}

/// Where logs and proxies come from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) config: Config,
    pub(super) found: Vec<Found>,
}

/// What the task of one log needs to know.
#[derive(Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) reading: Reading,
    pub(super) source: Source,
}

/// What the task of one proxy needs to know.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) server: Server,
    pub(super) proxy: Proxy,
    pub(super) interval: Duration,
    pub(super) deadline: Duration,
}

impl Sources {
    pub(super) fn logs(&self) -> Vec<Wanted<Setup>> {
        let config = &self.config;
        let alone = config.logs.len() == 1;
        let named = config.logs.iter().map(|log| {
            let label = log.label();
            let instance = if alone {
                log.name.clone()
            } else {
                label.clone()
            };
            let source = log.spot().source(&config.journal);
            (log.clone(), label, instance, source, false)
        });
        let wanted = |found: &&Found| {
            let mut logs = config.logs.iter();
            config.find
                && logs
                    .all(|log| log.container != found.container && log.label() != found.container)
        };
        let found = self.found.iter().filter(wanted).map(|found| {
            let log = Log {
                container: found.container.clone(),
                ..Log::default()
            };
            let streams = match found.both_streams {
                true => Streams::Both,
                false => Streams::Out,
            };
            let name = found.container.clone();
            (
                log,
                name.clone(),
                name.clone(),
                Source::Container(name, streams),
                true,
            )
        });
        named
            .chain(found)
            .map(|(log, name, instance, source, found)| Wanted {
                name,
                instance: instance.into(),
                keep: KEEP,
                found,
                setup: Setup {
                    reading: Reading::new(&log, config),
                    source,
                },
            })
            .collect()
    }

    pub(super) fn proxies(&self) -> Vec<Wanted<Asked>> {
        let config = &self.config;
        let kinds = [
            (Server::Nginx, &config.nginx),
            (Server::Caddy, &config.caddy),
        ];
        let mut wanted = Vec::new();
        for (server, proxies) in kinds {
            for proxy in proxies {
                let place = proxy.place().unwrap_or_default();
                let instance = match (proxy.name.is_empty(), proxies.len() == 1) {
                    (true, true) => "",
                    (true, false) => place,
                    (false, _) => &proxy.name,
                };
                wanted.push(Wanted {
                    name: if proxy.name.is_empty() {
                        place
                    } else {
                        &proxy.name
                    }
                    .to_owned(),
                    instance: instance.into(),
                    // A reading is kept over two that fail.
                    keep: config.interval * 3 + config.deadline,
                    found: false,
                    setup: Asked {
                        server,
                        proxy: proxy.clone(),
                        interval: config.interval,
                        deadline: config.deadline,
                    },
                });
            }
        }
        wanted
    }
}
