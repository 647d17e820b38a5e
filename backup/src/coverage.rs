//! Coverage: each named volume is backed up, excluded with a reason, or unknown.

use crate::Config;

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
            let jobs = config.jobs.iter().map(|job| (&job.name, &job.volumes));
            let watched = config
                .watch
                .iter()
                .map(|watch| (&watch.name, &watch.volumes));
            let job = jobs
                .chain(watched)
                .find(|(_, volumes)| volumes.contains(&volume.name));
            let coverage = match (job, config.exclude_volumes.get(&volume.name)) {
                (Some((job, _)), _) => Coverage::BackedUp(job.clone()),
                (None, Some(reason)) => Coverage::Excluded(reason.clone()),
                (None, None) => Coverage::Unknown,
            };
            (volume, coverage)
        })
        .collect()
}

fn anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Job, Watch};

    #[test]
    fn each_volume_has_one_of_three_answers() {
        let config = Config {
            watch: vec![Watch {
                name: "db".into(),
                volumes: vec!["shop_pg".into()],
                ..Watch::default()
            }],
            jobs: vec![Job {
                name: "shop".into(),
                volumes: vec!["shop_db".into()],
                ..Job::default()
            }],
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
                ("shop_pg".to_owned(), "backed_up"),
                ("shop_uploads".to_owned(), "unknown"),
            ]
        );
    }
}
