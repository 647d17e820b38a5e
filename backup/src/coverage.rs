//! Coverage: each named volume is backed up, excluded with a reason, or unknown.

use crate::{Config, Job};

/// A Docker volume, as the containers that mount it name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The compose project of a container that mounts it; empty if there is none.
    pub project: String,
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
    volumes.sort();
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
    } else {
        // As compose calls it.
        volume.name == format!("{}_{}", job.project, job.volume)
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

fn anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Watch;

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
        };
        let volumes = [
            volume("shop_uploads"),
            volume("shop_pg"),
            volume("shop_git"),
            volume("shop_db"),
            volume("shop_cache"),
            volume("shop_pg"),
            volume(&"ab".repeat(32)),
        ];
        let words: Vec<_> = coverage(&config, &volumes)
            .into_iter()
            .map(|(volume, known)| (volume.name, known.as_str()))
            .collect();
        assert_eq!(
            words,
            [
                ("shop_cache".to_owned(), "excluded"),
                ("shop_db".to_owned(), "backed_up"),
                ("shop_git".to_owned(), "backed_up"),
                ("shop_pg".to_owned(), "backed_up"),
                ("shop_uploads".to_owned(), "unknown"),
            ]
        );
    }
}
