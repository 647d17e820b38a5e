//! What a container is, by its image and its command.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Kind, celery, program};

/// A container as the engine lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image as it was asked for: `postgres:16`.
    pub image: String,
    /// What it runs.
    pub command: String,
    /// Its compose project; empty without one.
    pub project: String,
    /// Its compose service; empty without one.
    pub service: String,
    /// Whether it runs now.
    pub running: bool,
}

/// Images whose name alone says what they hold.
const IMAGES: [(&str, Kind, &str); 15] = [
    ("postgres", Kind::Postgres, "PostgreSQL"),
    ("postgresql", Kind::Postgres, "PostgreSQL"),
    ("postgis", Kind::Postgres, "PostgreSQL with PostGIS"),
    ("pgvector", Kind::Postgres, "PostgreSQL with pgvector"),
    ("timescaledb", Kind::Postgres, "PostgreSQL with TimescaleDB"),
    (
        "timescaledb-ha",
        Kind::Postgres,
        "PostgreSQL with TimescaleDB",
    ),
    ("redis", Kind::Redis, "Redis"),
    ("redis-stack-server", Kind::Redis, "Redis"),
    ("valkey", Kind::Redis, "Valkey"),
    ("caddy", Kind::Proxy, "Caddy"),
    ("nginx", Kind::Proxy, "nginx"),
    ("nginx-unprivileged", Kind::Proxy, "nginx"),
    ("openresty", Kind::Proxy, "OpenResty"),
    ("traefik", Kind::Proxy, "Traefik"),
    ("haproxy", Kind::Proxy, "HAProxy"),
];

/// What kind of thing a container is, by its image and its command.
#[must_use]
pub fn kind(container: &Container) -> Option<Kind> {
    service(container).map(|found| found.kind)
}

/// Which reverse proxy a container holds, if it holds one.
#[must_use]
pub fn proxy(container: &Container) -> Option<&'static str> {
    let found = service(container).filter(|found| found.kind == Kind::Proxy)?;
    let all = ["Caddy", "nginx", "OpenResty", "Traefik", "HAProxy"];
    all.into_iter().find(|name| found.what.starts_with(name))
}

/// What one container is, if it is something we know.
pub(super) fn service(container: &Container) -> Option<Found> {
    let words: Vec<&str> = container.command.split_ascii_whitespace().collect();
    let stopped = if container.running {
        ""
    } else {
        " (not running)"
    };
    let found = |kind, what: String, evidence: String| {
        Some(Found {
            kind,
            what: format!("{what} in {}{stopped}", container.name),
            evidence,
        })
    };
    // A worker's image is the application's own, so its command goes first.
    if let Some(part) = celery(&words) {
        return found(
            Kind::Celery,
            format!("Celery {part}"),
            format!("its command starts celery {part}"),
        );
    }
    let (repository, tag) = split_image(&container.image);
    let name = repository.rsplit('/').next().unwrap_or(repository);
    if let Some((_, kind, what)) = IMAGES.iter().find(|(image, ..)| *image == name) {
        let version: String = tag
            .chars()
            .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
            .collect();
        let space = if version.is_empty() { "" } else { " " };
        return found(
            *kind,
            format!("{what}{space}{version}"),
            format!("image {}", container.image),
        );
    }
    let first = words.first()?.rsplit('/').next()?;
    let (kind, what) = program(first)?;
    // The command's other words stay here: they can hold secrets.
    found(kind, what.to_owned(), format!("its command is {first}"))
}

/// `registry:5000/team/app:1.2@sha256:...` is the repository and the tag.
fn split_image(image: &str) -> (&str, &str) {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, ""),
    }
}

/// The compose projects that containers belong to.
pub(super) fn compose_projects(containers: &[Container]) -> Vec<Found> {
    let mut projects: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
    for container in containers
        .iter()
        .filter(|container| !container.project.is_empty())
    {
        projects
            .entry(&container.project)
            .or_default()
            .push(container);
    }
    let plural =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    projects
        .into_iter()
        .map(|(project, members)| {
            let services: BTreeSet<_> =
                members.iter().map(|container| &container.service).collect();
            Found {
                kind: Kind::Compose,
                what: format!("{project}: {}", plural(services.len(), "service")),
                evidence: format!("labels of {}", plural(members.len(), "container")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, image: &str, command: &str) -> Container {
        Container {
            name: name.into(),
            image: image.into(),
            command: command.into(),
            running: true,
            ..Container::default()
        }
    }

    #[test]
    fn images_and_commands_say_what_a_container_is() {
        for (image, command, expected) in [
            (
                "postgres:16.4-alpine",
                "docker-entrypoint.sh postgres",
                Some("PostgreSQL 16.4 in x"),
            ),
            (
                "docker.io/library/postgres@sha256:ab",
                "",
                Some("PostgreSQL in x"),
            ),
            (
                "host:5000/db/timescaledb:2",
                "",
                Some("PostgreSQL with TimescaleDB 2 in x"),
            ),
            ("redis:7", "redis-server", Some("Redis 7 in x")),
            (
                "shop/api:3",
                "celery -A shop worker -Q mail",
                Some("Celery worker in x"),
            ),
            (
                "shop/api:3",
                "python -m celery -A shop beat",
                Some("Celery beat in x"),
            ),
            (
                "shop/api:3",
                "/venv/bin/celery -A shop flower",
                Some("Celery flower in x"),
            ),
            (
                "shop/api:3",
                "sh -c 'cd /srv && celery -A shop worker'",
                Some("Celery worker in x"),
            ),
            ("shop/front", "nginx -g 'daemon off;'", Some("nginx in x")),
            ("shop/api:3", "gunicorn shop.wsgi", None),
            ("shop/celery-docs", "cat celery.txt", None),
            ("", "", None),
        ] {
            let found = service(&container("x", image, command));
            assert_eq!(
                found.as_ref().map(|found| found.what.as_str()),
                expected,
                "{image} {command}"
            );
        }
    }

    #[test]
    fn a_stopped_container_is_found_and_said_to_be_stopped() {
        let stopped = Container {
            running: false,
            ..container("db", "postgres:15", "")
        };
        assert_eq!(
            service(&stopped).map(|found| found.what),
            Some("PostgreSQL 15 in db (not running)".into())
        );
    }

    #[test]
    fn a_compose_project_is_its_services() {
        let members: Vec<_> = [
            ("shop-api-1", "api"),
            ("shop-api-2", "api"),
            ("shop-db-1", "db"),
        ]
        .into_iter()
        .map(|(name, service)| Container {
            project: "shop".into(),
            service: service.into(),
            ..container(name, "x", "")
        })
        .collect();
        let found = compose_projects(&members);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "shop: 2 services");
        assert_eq!(found[0].evidence, "labels of 3 containers");
    }

    #[test]
    fn a_command_is_never_shown_with_its_arguments() {
        let worker = container(
            "w",
            "shop/api",
            "celery -A shop -b redis://:hunter2@r/0 worker",
        );
        let found = service(&worker).map(|found| found.evidence);
        assert_eq!(found, Some("its command starts celery worker".into()));
    }
}
