//! What contradicts itself in the section, told with the key that it stands at.

use std::collections::BTreeSet;

use super::{Config, Job, Place};
use crate::age::Recipient;
use crate::id;
use crate::restore::CONTAINER;

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault = |key: String, message: &str| faults.push((key, message.to_owned()));
        let mut names = BTreeSet::new();
        for (at, watch) in self.watch.iter().enumerate() {
            let key = format!("backup.watch[{at}]");
            if watch.name.is_empty() {
                fault(format!("{key}.name"), "a watched backup needs a name");
            } else if !names.insert(watch.name.as_str()) {
                fault(
                    format!("{key}.name"),
                    &format!("the name {:?} stands twice", watch.name),
                );
            }
            if watch.folder.as_os_str().is_empty() {
                fault(format!("{key}.folder"), "a watched backup needs a folder");
            }
        }
        for (at, job) in self.jobs.iter().enumerate() {
            let key = format!("backup.jobs[{at}]");
            if !id::is_safe(&job.name) {
                fault(
                    format!("{key}.name"),
                    "a job needs a name of letters, digits, - and _",
                );
            } else if !names.insert(job.name.as_str()) {
                fault(
                    format!("{key}.name"),
                    &format!("the name {:?} stands twice", job.name),
                );
            }
            job.faults(&key, &mut fault);
            if job.secret {
                self.secret_faults(job, &key, &mut fault);
            }
            for (at, text) in job.recipients.iter().enumerate() {
                if let Err(err) = text.parse::<Recipient>() {
                    fault(format!("{key}.recipients[{at}]"), &err.to_string());
                }
            }
            if self.targets.is_empty() {
                fault(
                    format!("{key}.targets"),
                    "there is no target in backup.targets",
                );
            }
            for (at, name) in job.targets.iter().enumerate() {
                if !self.targets.iter().any(|target| target.name == *name) {
                    fault(
                        format!("{key}.targets[{at}]"),
                        &format!("no target is named {name:?}"),
                    );
                }
            }
            if job.keep.min_keep == 0 {
                fault(format!("{key}.keep.min_keep"), "at least 1 is kept");
            }
        }
        let mut places = BTreeSet::new();
        for (at, place) in self.targets.iter().enumerate() {
            let key = format!("backup.targets[{at}]");
            if !id::is_safe(&place.name) {
                fault(
                    format!("{key}.name"),
                    "a target needs a name of letters, digits, - and _",
                );
            } else if !places.insert(place.name.as_str()) {
                fault(
                    format!("{key}.name"),
                    &format!("the name {:?} stands twice", place.name),
                );
            }
            place.faults(&key, &mut fault);
            self.folder_faults(place, &key, &mut fault);
        }
        for (at, text) in self.recipients.iter().enumerate() {
            if let Err(err) = text.parse::<Recipient>() {
                fault(format!("backup.recipients[{at}]"), &err.to_string());
            }
        }
        if !(1..=19).contains(&self.level) {
            fault("backup.level".into(), "zstd's levels go from 1 to 19");
        }
        for (key, what, excluded) in [
            ("exclude_volumes", "volume", &self.exclude_volumes),
            ("exclude_databases", "database", &self.exclude_databases),
        ] {
            for (name, reason) in excluded {
                if reason.trim().is_empty() {
                    fault(
                        format!("backup.{key}[{name}]"),
                        &format!("an excluded {what} needs a reason"),
                    );
                }
            }
        }
        faults
    }
}

impl Job {
    fn faults(&self, key: &str, fault: &mut impl FnMut(String, &str)) {
        let folder = !self.directory.as_os_str().is_empty();
        let named = [
            !self.database.is_empty(),
            self.globals,
            folder,
            !self.volume.is_empty(),
        ];
        match named.iter().filter(|named| **named).count() {
            1 => {}
            0 => fault(
                format!("{key}.database"),
                "a job needs a database, globals, a directory or a volume",
            ),
            _ => fault(
                key.to_owned(),
                "a job is of one thing: a database, globals, a directory or a volume",
            ),
        }
        if folder && !self.directory.is_absolute() {
            fault(
                format!("{key}.directory"),
                "it must begin with a slash: jobs run from anywhere",
            );
        }
        if self.globals && !self.drill.is_empty() {
            fault(
                format!("{key}.drill"),
                "roles cannot be made twice in a server; verify reads them through",
            );
        }
        for (at, what) in self.restore.healthy.iter().enumerate() {
            let known = ["http://", "https://", CONTAINER];
            if !known.iter().any(|start| what.starts_with(start)) {
                fault(
                    format!("{key}.restore.healthy[{at}]"),
                    "it is an address, or container:NAME",
                );
            }
        }
        if !self.restore.migrate_as.is_empty() && self.restore.migrate.is_empty() {
            fault(
                format!("{key}.restore.migrate_as"),
                "it is of use with migrate alone",
            );
        }
        if self.drill_container && self.container.is_empty() {
            fault(
                format!("{key}.drill_container"),
                "its server is like the one in container, and this job has none",
            );
        }
        if self.skip_unchanged && !folder && self.volume.is_empty() {
            fault(
                format!("{key}.skip_unchanged"),
                "it is of use with a directory or a volume alone: no dump is like another",
            );
        }
        if !self.project.is_empty() && self.volume.is_empty() {
            fault(format!("{key}.project"), "it is of use with a volume alone");
        }
    }
}

impl Place {
    fn faults(&self, key: &str, fault: &mut impl FnMut(String, &str)) {
        let (folder, bucket) = (!self.folder.as_os_str().is_empty(), !self.bucket.is_empty());
        if folder == bucket {
            fault(key.to_owned(), "a target is either a folder or a bucket");
        }
        if !bucket {
            return;
        }
        if self.r2_account.is_empty() == self.endpoint.is_empty() {
            fault(
                format!("{key}.endpoint"),
                "a bucket needs either r2_account or endpoint",
            );
        }
        if !self
            .r2_account
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        {
            fault(
                format!("{key}.r2_account"),
                "an account is letters and digits",
            );
        }
        let loopback = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
        let safe = self.endpoint.starts_with("https://")
            || loopback
                .iter()
                .any(|start| self.endpoint.starts_with(start));
        if !self.endpoint.is_empty() && !safe {
            fault(
                format!("{key}.endpoint"),
                "it must begin with https://, or be on this host",
            );
        }
        if !self.prefix.is_empty() && !self.prefix.split('/').all(id::is_safe) {
            fault(
                format!("{key}.prefix"),
                "it is made of letters, digits, - and _, with / between",
            );
        }
        if self.access_key_id.is_empty() {
            fault(
                format!("{key}.access_key_id"),
                "a bucket needs the id of a key",
            );
        }
        if self.secret_access_key.is_empty() {
            fault(format!("{key}.secret_access_key"), "a bucket needs a key");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            jobs: vec![Job {
                name: "keys".into(),
                directory: "/srv/keys".into(),
                secret: true,
                ..Job::default()
            }],
            targets: vec![
                Place {
                    name: "local".into(),
                    folder: "/var/backups".into(),
                    ..Place::default()
                },
                Place {
                    name: "r2".into(),
                    bucket: "b".into(),
                    r2_account: "0123".into(),
                    access_key_id: "id".into(),
                    secret_access_key: settings::Secret::new("key"),
                    ..Place::default()
                },
            ],
            ..Config::default()
        }
    }

    #[test]
    fn secrets_leave_the_host_encrypted_or_not_at_all() {
        let mut config = config();
        let told = config.faults();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "backup.jobs[0].secret");
        config.jobs[0].targets = vec!["local".into()];
        assert_eq!(config.faults(), []);
        config.jobs[0].targets.clear();
        let key = crate::age::Identity::generate().unwrap();
        config.recipients = vec![key.recipient().to_string()];
        assert_eq!(config.faults(), []);
    }

    #[test]
    fn copies_do_not_lie_with_the_key_that_opens_them() {
        let mut config = config();
        config.jobs[0].secret = false;
        config.identity_file = "/var/backups/belfry.key".into();
        let told = config.faults();
        assert_eq!(
            (told.len(), told[0].0.as_str()),
            (1, "backup.targets[0].folder"),
            "{told:?}"
        );
        config.identity_file = "/var/backups2/belfry.key".into();
        assert_eq!(config.faults(), []);
        // By whatever name.
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("copies")).unwrap();
        std::fs::write(at("copies/key"), "").unwrap();
        std::os::unix::fs::symlink(at("copies"), at("elsewhere")).unwrap();
        std::os::unix::fs::symlink(at("copies/key"), at("key")).unwrap();
        for (copies, key) in [
            ("elsewhere", "copies/key"),
            ("copies", "elsewhere/key"),
            ("copies", "key"),
        ] {
            config.targets[0].folder = at(copies);
            config.identity_file = at(key);
            let told = config.faults();
            let first = told.first().map(|told| told.0.as_str());
            assert_eq!(first, Some("backup.targets[0].folder"), "{key}: {told:?}");
        }
    }

    #[test]
    fn a_key_that_opens_nothing_of_what_is_made_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let key = || crate::age::Identity::generate().unwrap();
        let (here, other) = (key(), key());
        let mut config = config();
        config.identity_file = folder.path().join("key");
        std::fs::write(&config.identity_file, here.expose()).unwrap();
        config.recipients = vec![other.recipient().to_string()];
        let told = config.remarks();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "backup.identity_file");
        // What it opens was made before, and is to be restored.
        assert_eq!(config.faults(), []);
        config.recipients.push(here.recipient().to_string());
        assert_eq!(config.remarks(), []);
        // One that is for another key may be verified elsewhere, but not here.
        config.jobs[0].recipients = vec![other.recipient().to_string()];
        assert_eq!(config.remarks(), []);
        config.jobs[0].verify = "@daily".into();
        let told = config.remarks();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "backup.jobs[0].verify");
        std::fs::write(&config.identity_file, "no key").unwrap();
        let told = config.remarks();
        assert_eq!(told[0].0, "backup.identity_file", "{told:?}");
    }

    #[test]
    fn secrets_lie_in_no_bucket_beside_what_the_same_key_opens() {
        let key = || {
            let key = crate::age::Identity::generate().unwrap();
            key.recipient().to_string()
        };
        let mut config = config();
        config.recipients = vec![key()];
        let dump = |name: &str| Job {
            name: name.into(),
            database: "shop".into(),
            ..Job::default()
        };
        config.jobs.push(dump("db"));
        let told = config.faults();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "backup.jobs[0].secret");
        assert!(told[0].1.contains("db"), "{told:?}");
        // Another key, or another place, or no bucket.
        config.jobs[0].recipients = vec![key()];
        assert_eq!(config.faults(), []);
        config.jobs[0].recipients.clear();
        config.jobs[1].targets = vec!["local".into()];
        assert_eq!(config.faults(), []);
        config.jobs[1].targets.clear();
        config.jobs[0].targets = vec!["local".into()];
        assert_eq!(config.faults(), []);
    }
}
