//! What runs on this host, as far as commands in runbooks need it.

use std::collections::BTreeMap;
use std::sync::Arc;

use exporter::container::Container;
use healthchecks::discover::{self, Kind, Sources};

/// What a container is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Postgres,
    Redis,
    Proxy,
    Worker,
    Beat,
    App,
}

#[derive(Debug, Clone)]
struct Known {
    name: String,
    project: String,
    folder: String,
    service: String,
    running: bool,
    role: Option<Role>,
    /// The user and the database of a PostgreSQL server, where they are known.
    login: Option<(String, String)>,
}

/// The user and the database by which a server is read, by its container.
pub(crate) type Logins = BTreeMap<String, (String, String)>;

/// The containers of this host, each with its role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(Vec<Known>);

/// Services of an application that answers requests are mostly called so.
const APPS: [&str; 5] = ["api", "app", "backend", "web", "server"];

impl Facts {
    /// What the engine's list tells, and how servers are read.
    pub(crate) fn of(containers: &[Arc<Container>], logins: &Logins) -> Self {
        let known = containers.iter().map(|of| Known {
            name: of.name.clone(),
            project: of.project.clone(),
            folder: of.project_folder.clone(),
            service: of.service.clone(),
            running: of.state.has_processes(),
            login: logins.get(&of.name).cloned(),
            role: role(discover::Container {
                name: of.name.clone(),
                image: of.image.clone(),
                command: of.command.clone(),
                service: of.service.clone(),
                running: of.state.has_processes(),
                ..discover::Container::default()
            }),
        });
        let mut known: Vec<Known> = known.collect();
        // Running ones first, then by name, so that the choice is the same each time.
        known.sort_by(|a, b| (!a.running, &a.name).cmp(&(!b.running, &b.name)));
        Self(known)
    }

    /// The container of this role, one of the project if there is one.
    fn first(&self, role: Role, project: &str) -> Option<&Known> {
        let of_role = || self.0.iter().filter(|known| known.role == Some(role));
        let of_project = of_role().find(|known| !project.is_empty() && known.project == project);
        of_project.or_else(|| of_role().next())
    }

    pub(super) fn postgres(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Postgres, project)?.name.clone())
    }

    pub(super) fn postgres_service(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Postgres, project)?.service.clone())
    }

    /// The user by whom the server is read, else the one that most have; none
    /// where there is no server.
    pub(super) fn database_user(&self, project: &str) -> Option<String> {
        let server = self.first(Role::Postgres, project)?;
        let login = server.login.as_ref();
        Some(login.map_or("postgres", |(user, _)| user).to_owned())
    }

    /// The database where the server is read, else the one that most have; none
    /// where there is no server.
    pub(super) fn database(&self, project: &str) -> Option<String> {
        let server = self.first(Role::Postgres, project)?;
        let login = server.login.as_ref();
        Some(
            login
                .map_or("postgres", |(_, database)| database)
                .to_owned(),
        )
    }

    pub(super) fn redis(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Redis, project)?.name.clone())
    }

    pub(super) fn redis_service(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Redis, project)?.service.clone())
    }

    pub(super) fn proxy(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Proxy, project)?.name.clone())
    }

    pub(super) fn worker(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Worker, project)?.name.clone())
    }

    pub(super) fn worker_service(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Worker, project)?.service.clone())
    }

    pub(super) fn beat(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Beat, project)?.name.clone())
    }

    pub(super) fn beat_service(&self, project: &str) -> Option<String> {
        Some(self.first(Role::Beat, project)?.service.clone())
    }

    pub(super) fn app(&self, project: &str) -> Option<String> {
        Some(self.first(Role::App, project)?.name.clone())
    }

    pub(super) fn app_service(&self, project: &str) -> Option<String> {
        Some(self.first(Role::App, project)?.service.clone())
    }

    /// Celery's own default, where there is a worker.
    pub(super) fn queue(&self, project: &str) -> Option<String> {
        self.worker(project).map(|_| "celery".to_owned())
    }

    /// The only project of this host; where there are several, nobody can know.
    pub(super) fn project(&self, _: &str) -> Option<String> {
        let mut projects = self.0.iter().map(|known| &known.project);
        let first = projects.by_ref().find(|project| !project.is_empty())?;
        let same = |project: &String| project.is_empty() || project == first;
        projects.all(same).then(|| first.clone())
    }

    /// Where the compose file of the project is.
    pub(super) fn project_folder(&self, project: &str) -> Option<String> {
        let wanted = if project.is_empty() {
            self.project(project)?
        } else {
            project.to_owned()
        };
        let mut of_project = self.0.iter().filter(|known| known.project == wanted);
        Some(
            of_project
                .find(|known| !known.folder.is_empty())?
                .folder
                .clone(),
        )
    }
}

fn role(of: discover::Container) -> Option<Role> {
    let app = APPS.contains(&of.service.as_str());
    let sources = Sources {
        // Without a project, so that the container alone is what is found.
        containers: vec![discover::Container {
            project: String::new(),
            ..of
        }],
        ..Sources::default()
    };
    let found = discover::discover(&sources).into_iter().next();
    match found.as_ref().map(|found| found.kind) {
        Some(Kind::Postgres) => Some(Role::Postgres),
        Some(Kind::Redis) => Some(Role::Redis),
        Some(Kind::Proxy) => Some(Role::Proxy),
        Some(Kind::Celery) => match found?.what.split(' ').nth(1) {
            Some("worker" | "multi") => Some(Role::Worker),
            Some("beat") => Some(Role::Beat),
            _ => None,
        },
        _ => app.then_some(Role::App),
    }
}

#[cfg(test)]
impl Facts {
    /// A host with one project that has everything.
    pub(crate) fn example() -> Self {
        let of = |name: &str, role| Known {
            name: format!("shop-{name}-1"),
            project: "shop".into(),
            folder: "/srv/shop".into(),
            service: name.into(),
            running: true,
            role: Some(role),
            login: None,
        };
        Self(vec![
            of("api", Role::App),
            of("beat", Role::Beat),
            of("db", Role::Postgres),
            of("cache", Role::Redis),
            of("caddy", Role::Proxy),
            of("tasks", Role::Worker),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(image: &str, command: &str, service: &str) -> discover::Container {
        discover::Container {
            image: image.into(),
            command: command.into(),
            service: service.into(),
            project: "shop".into(),
            running: true,
            ..discover::Container::default()
        }
    }

    #[test]
    fn a_container_has_the_role_that_its_image_or_command_tells() {
        for (image, command, service, expected) in [
            ("postgres:16", "postgres", "db", Some(Role::Postgres)),
            (
                "valkey/valkey:8",
                "valkey-server",
                "cache",
                Some(Role::Redis),
            ),
            ("caddy:2", "caddy run", "web", Some(Role::Proxy)),
            (
                "shop",
                "celery -A shop worker -Q a",
                "app",
                Some(Role::Worker),
            ),
            ("shop", "celery -A shop beat", "cron", Some(Role::Beat)),
            ("shop", "celery -A shop flower", "flower", None),
            ("shop", "gunicorn shop", "api", Some(Role::App)),
            ("shop", "gunicorn shop", "images", None),
        ] {
            assert_eq!(
                role(container(image, command, service)),
                expected,
                "{image} {command}"
            );
        }
    }

    #[test]
    fn the_project_in_question_goes_before_another() {
        let mut facts = Facts::example();
        let mut other = facts.0[2].clone();
        other.name = "blog-db-1".into();
        other.project = "blog".into();
        other.folder = String::new();
        facts.0.insert(0, other);
        assert_eq!(facts.postgres("shop").as_deref(), Some("shop-db-1"));
        assert_eq!(facts.postgres("blog").as_deref(), Some("blog-db-1"));
        assert_eq!(facts.redis("blog").as_deref(), Some("shop-cache-1"));
        assert_eq!(facts.project_folder("shop").as_deref(), Some("/srv/shop"));
        // With two projects nobody knows which is meant.
        assert_eq!((facts.project(""), facts.project_folder("")), (None, None));
        assert_eq!(
            Facts::example().project_folder("").as_deref(),
            Some("/srv/shop")
        );
        assert_eq!(Facts::default().database_user(""), None);
        assert_eq!(facts.database_user("shop").as_deref(), Some("postgres"));
        let server = facts.0.iter_mut().find(|known| known.name == "shop-db-1");
        server.unwrap().login = Some(("seller".into(), "wares".into()));
        assert_eq!(facts.database_user("shop").as_deref(), Some("seller"));
        assert_eq!(facts.database("shop").as_deref(), Some("wares"));
        assert_eq!(facts.database("blog").as_deref(), Some("postgres"));
    }
}
