//! Coverage: each named volume is backed up, excluded with a reason, or unknown.

use crate::{Config, Job};

/// A Docker volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The compose project that it is of, or that a container that mounts it is of; empty
    /// if there is none.
    pub project: String,
    /// The name that its compose file gives it; empty if there is none, or it is not known.
    pub short: String,
}

/// What is known of a volume's backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// This job covers it.
    BackedUp(String),
    /// It needs none, for this reason.
    Excluded(String),
    /// Nobody has said.
    Unknown,
}

impl Coverage {
    /// The word that stands for it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BackedUp(_) => "backed_up",
            Self::Excluded(_) => "excluded",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of each volume. Anonymous volumes, whose names are 64 hex
/// digits, are nobody's to keep and are left out.
#[must_use]
pub fn coverage(config: &Config, volumes: &[Volume]) -> Vec<(Volume, Coverage)> {
    let mut volumes: Vec<_> = volumes
        .iter()
        .filter(|volume| !anonymous(&volume.name))
        .cloned()
        .collect();
    // Where one is named twice, more is known of it by whoever knows its project.
    volumes.sort_by(|one, other| {
        let known = |volume: &Volume| (volume.short.is_empty(), volume.project.is_empty());
        let by = one.name.cmp(&other.name);
        by.then(known(one).cmp(&known(other))).then(one.cmp(other))
    });
    volumes.dedup_by(|one, other| one.name == other.name);
    volumes
        .into_iter()
        .map(|volume| {
            let jobs = config
                .jobs
                .iter()
                .filter(|job| covers(job, &volume))
                .map(|job| &job.name);
            let watched = config
                .watch
                .iter()
                .filter(|watch| watch.volumes.contains(&volume.name))
                .map(|watch| &watch.name);
            let job = jobs.chain(watched).next();
            let coverage = match (job, config.exclude_volumes.get(&volume.name)) {
                (Some(job), _) => Coverage::BackedUp(job.clone()),
                (None, Some(reason)) => Coverage::Excluded(reason.clone()),
                (None, None) => Coverage::Unknown,
            };
            (volume, coverage)
        })
        .collect()
}

/// Whether a job is of a volume, or says that it covers it.
fn covers(job: &Job, volume: &Volume) -> bool {
    let own = if job.project.is_empty() {
        job.volume == volume.name
    } else if volume.short.is_empty() {
        // As compose calls it, unless its file says otherwise.
        volume.name == format!("{}_{}", job.project, job.volume)
    } else {
        // By its labels, as a run finds it.
        (&volume.project, &volume.short) == (&job.project, &job.volume)
    };
    (own && !job.volume.is_empty()) || job.volumes.contains(&volume.name)
}

/// What is known of the backup of a database of a server in a container.
#[must_use]
pub fn of_database(config: &Config, container: &str, database: &str) -> Coverage {
    let mut jobs = config.jobs.iter();
    let job = jobs.find(|job| job.container == container && job.database == database);
    let excluded = &config.exclude_databases;
    let reason = excluded
        .get(&format!("{container}/{database}"))
        .or_else(|| excluded.get(database));
    match (job, reason) {
        (Some(job), _) => Coverage::BackedUp(job.name.clone()),
        (None, Some(reason)) => Coverage::Excluded(reason.clone()),
        (None, None) => Coverage::Unknown,
    }
}

/// A database of a server that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// The server: its container, or what its series call it.
    pub server: String,
    /// The database.
    pub name: String,
    /// Where the server is reached, as `host:port`.
    pub places: Vec<String>,
    /// The volumes of its container.
    pub volumes: Vec<String>,
}

/// What is known of the backup of a database of a server that is watched: by a job of
/// its container or of where it is reached, or by whoever backs up its volumes.
#[must_use]
pub fn of_served(config: &Config, database: &Served) -> Coverage {
    let known = of_database(config, &database.server, &database.name);
    if known != Coverage::Unknown {
        return known;
    }
    let reaches = |job: &&Job| {
        let host = match job.host.as_str() {
            "" | "localhost" => "127.0.0.1",
            host => host,
        };
        let port = if job.port == 0 { 5432 } else { job.port };
        let place = format!("{host}:{port}");
        job.database == database.name
            && job.container.is_empty()
            // Of one that is in no container we know, the database's name decides.
            && (database.places.is_empty() || database.places.contains(&place))
    };
    if let Some(job) = config.jobs.iter().find(reaches) {
        return Coverage::BackedUp(job.name.clone());
    }
    let mut watched = config.watch.iter();
    let watched = watched.find(|watch| {
        let mut volumes = watch.volumes.iter();
        volumes.any(|volume| database.volumes.contains(volume))
    });
    match watched {
        Some(watch) => Coverage::BackedUp(watch.name.clone()),
        None => Coverage::Unknown,
    }
}

fn anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Watch;

    #[test]
    fn a_database_is_backed_up_by_its_container_its_place_or_whoever_has_its_volume() {
        let job = |name: &str, container: &str, port: u16| Job {
            name: name.into(),
            container: container.into(),
            database: "shop".into(),
            port,
            ..Job::default()
        };
        let config = Config {
            jobs: vec![job("inside", "db-1", 0), job("outside", "", 5433)],
            watch: vec![Watch {
                name: "others".into(),
                volumes: vec!["pg".into()],
                ..Watch::default()
            }],
            exclude_databases: [("db-3/old".to_owned(), "frozen".to_owned())].into(),
            ..Config::default()
        };
        let served = |server: &str, name: &str, place: &str, volume: &str| Served {
            server: server.into(),
            name: name.into(),
            places: vec![place.into()],
            volumes: vec![volume.into()],
        };
        let backed_up = |job: &str| Coverage::BackedUp(job.into());
        for (database, wanted) in [
            (
                served("db-1", "shop", "10.0.0.2:5432", "v"),
                backed_up("inside"),
            ),
            (
                served("db-1", "other", "10.0.0.2:5432", "v"),
                Coverage::Unknown,
            ),
            (
                served("db-2", "shop", "127.0.0.1:5433", "v"),
                backed_up("outside"),
            ),
            (
                served("db-2", "shop", "127.0.0.1:5434", "v"),
                Coverage::Unknown,
            ),
            (
                served("db-2", "shop", "127.0.0.1:5434", "pg"),
                backed_up("others"),
            ),
            (
                served("db-3", "old", "x:1", "v"),
                Coverage::Excluded("frozen".into()),
            ),
        ] {
            assert_eq!(of_served(&config, &database), wanted, "{database:?}");
        }
    }

    #[test]
    fn each_volume_has_one_of_three_answers() {
        let config = Config {
            watch: vec![Watch {
                name: "db".into(),
                volumes: vec!["shop_pg".into()],
                ..Watch::default()
            }],
            jobs: vec![
                Job {
                    name: "shop".into(),
                    volumes: vec!["shop_db".into()],
                    ..Job::default()
                },
                Job {
                    name: "git".into(),
                    volume: "git".into(),
                    project: "shop".into(),
                    ..Job::default()
                },
            ],
            exclude_volumes: [("shop_cache".to_owned(), "a cache".to_owned())].into(),
            ..Config::default()
        };
        let volume = |name: &str| Volume {
            name: name.into(),
            project: "shop".into(),
            short: String::new(),
        };
        let labelled = |name: &str, short: &str| Volume {
            short: short.into(),
            ..volume(name)
        };
        let volumes = [
            volume("shop_uploads"),
            volume("shop_pg"),
            volume("shop_git"),
            volume("shop_db"),
            volume("shop_cache"),
            volume("shop_pg"),
            volume(&"ab".repeat(32)),
            // With a name of its own in the compose file, which a container tells too.
            Volume {
                name: "repositories".into(),
                ..Volume::default()
            },
            labelled("repositories", "git"),
            // What another project calls so is another.
            Volume {
                project: "other".into(),
                ..labelled("foreign", "git")
            },
        ];
        let words: Vec<_> = coverage(&config, &volumes)
            .into_iter()
            .map(|(volume, known)| (volume.name, known.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                ("foreign".to_owned(), "unknown"),
                ("repositories".to_owned(), "backed_up"),
                ("shop_cache".to_owned(), "excluded"),
                ("shop_db".to_owned(), "backed_up"),
                ("shop_git".to_owned(), "backed_up"),
                ("shop_pg".to_owned(), "backed_up"),
                ("shop_uploads".to_owned(), "unknown"),
            ]
        );
    }
}
