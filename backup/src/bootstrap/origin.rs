//! How a restore reaches what no job of the configuration tells of.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Job;

/// What a restore needs to know of a job and what no dump or archive says. No secret
/// is among it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Restored earlier, where it is lower.
    #[serde(default)]
    pub importance: u32,
    /// The container of the server, if it is a database.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// The server's host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The server's port; 0 is the usual one.
    #[serde(default)]
    pub port: u16,
    /// The user.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Whether the connection is encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
    /// The authorities that may vouch for the server.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub ca_file: PathBuf,
    /// The folder of the server's own programs.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub bin: PathBuf,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

impl Origin {
    /// What there is to know of a job.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let database = ["postgres", "globals"].contains(&job.kind());
        let only = |text: &String| match database {
            true => text.clone(),
            false => String::new(),
        };
        let file = |path: &PathBuf| match database {
            true => path.clone(),
            false => PathBuf::new(),
        };
        Self {
            importance: job.importance,
            container: only(&job.container),
            host: only(&job.host),
            port: job.port,
            user: only(&job.user),
            tls: database && job.tls,
            ca_file: file(&job.ca_file),
            bin: file(&job.bin),
        }
    }

    /// A job that is reached so.
    pub(super) fn job(self, name: &str) -> Job {
        let mut job = Job {
            name: name.to_owned(),
            importance: self.importance,
            container: self.container,
            host: self.host,
            port: self.port,
            tls: self.tls,
            ca_file: self.ca_file,
            bin: self.bin,
            ..Job::default()
        };
        if !self.user.is_empty() {
            job.user = self.user;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_server_is_reached_stands_in_the_manifest_without_its_password() {
        let job = Job {
            name: "db".into(),
            database: "shop".into(),
            host: "db.example".into(),
            port: 6432,
            user: "keeper".into(),
            password: settings::Secret::new("hunter2"),
            tls: true,
            ca_file: "/etc/ca.pem".into(),
            bin: "/opt/pg/bin".into(),
            importance: 3,
            ..Job::default()
        };
        let origin = Origin::of(&job);
        let text = serde_json::to_string(&origin).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let read: Origin = serde_json::from_str(&text).unwrap();
        let known = Job {
            password: settings::Secret::default(),
            ..job.clone()
        };
        assert_eq!(
            read.job("db"),
            Job {
                database: String::new(),
                ..known
            }
        );
        // One of before these were known.
        let old: Origin = serde_json::from_str(r#"{"importance": 3}"#).unwrap();
        assert!(!old.tls && old.bin.as_os_str().is_empty());
        // A folder has none of them.
        let folder = Job {
            directory: "/srv".into(),
            database: String::new(),
            ..job
        };
        assert_eq!(Origin::of(&folder).user, "");
        assert!(!Origin::of(&folder).tls);
    }
}
