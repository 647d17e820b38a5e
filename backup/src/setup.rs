//! From the configuration to what runs use: targets, servers, keys, folders.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::age::{Identity, Recipient};
use crate::files::{Glob, Options};
use crate::flow::Sealing;
use crate::id::Shelf;
use crate::postgres::Server;
use crate::target::{Access, Bucket, Error, Folder, Ledger, PATIENCE, Target};
use crate::{Config, Job, Place};
use crate::{note, tool};

/// What is not noted here may be under way elsewhere, over a line that takes days: another
/// host may have the same name, or be still at work. R2's own rule waits as long.
const ABANDONED: Duration = Duration::from_secs(7 * 86_400);

/// What all runs share.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// The name of this host, under which its backups lie.
    pub host: String,
    /// The version of this program.
    pub version: String,
    /// The engine, where there is one.
    pub engine: Option<bollard::Docker>,
    /// A folder of ours for locks, open uploads, and what is being restored.
    pub work: PathBuf,
}

/// Eight letters that stand for a text.
pub(crate) fn letters(text: &str) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    data_encoding::HEXLOWER.encode(&sum.as_ref()[..4])
}

/// So many bytes of a name, where more is put behind it.
pub(crate) const SHORT: usize = 30;

/// As much of a name as leaves room for what is put behind it: the server cuts longer ones.
/// What is cut here is no other name's.
pub(crate) fn short(name: &str) -> String {
    if name.len() <= SHORT {
        return name.to_owned();
    }
    let letters = letters(name);
    let room = SHORT - 1 - letters.len();
    let end = |(at, letter): (usize, char)| at + letter.len_utf8();
    let cut = name.char_indices().map(end).take_while(|end| *end <= room);
    format!("{}_{letters}", &name[..cut.last().unwrap_or(0)])
}

impl Setup {
    /// A few letters that stand for this host and our folder on it.
    #[must_use]
    pub fn mark(&self) -> String {
        let work = std::fs::canonicalize(&self.work);
        let work = work.unwrap_or_else(|_| self.work.clone());
        let place = format!("{}:{}", self.host, work.display());
        match self.number() {
            Some(number) => letters(&format!("{place}:{number}")),
            None => letters(&place),
        }
    }

    /// What tells our folder from one of the same path on a host of the same name: drawn
    /// once. Where an earlier version drilled there is none: what that left has the
    /// letters of the place alone.
    fn number(&self) -> Option<String> {
        let file = self.work.join("number.json");
        if let Ok(text) = std::fs::read(&file) {
            return serde_json::from_slice(&text).ok();
        }
        if !self.work.is_dir() || self.work.join("drills").exists() {
            return None;
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).ok()?;
        let number = data_encoding::HEXLOWER.encode(&random);
        note::write(&self.work, &file, &number).ok()?;
        Some(number)
    }

    /// Where manifests are kept that were read.
    #[must_use]
    pub fn kept(&self) -> PathBuf {
        self.work.join("manifests")
    }

    /// Where a job's backups lie.
    #[must_use]
    pub fn shelf(&self, job: &Job) -> Shelf {
        Shelf {
            host: self.host.clone(),
            kind: job.kind().to_owned(),
            source: job.name.clone(),
        }
        .made_safe()
    }

    /// A job's targets, in the order of the configuration.
    ///
    /// # Errors
    /// When the settings of one contradict each other.
    pub fn targets(&self, job: &Job) -> Result<Vec<Target>, Error> {
        let wanted = |place: &&Place| job.targets.is_empty() || job.targets.contains(&place.name);
        let places = self.config.targets.iter().filter(wanted);
        places.map(|place| self.target(place)).collect()
    }

    /// All targets.
    ///
    /// # Errors
    /// When the settings of one contradict each other.
    pub fn all_targets(&self) -> Result<Vec<Target>, Error> {
        self.config
            .targets
            .iter()
            .map(|place| self.target(place))
            .collect()
    }

    fn target(&self, place: &Place) -> Result<Target, Error> {
        if place.bucket.is_empty() {
            return Ok(Folder {
                name: place.name.clone(),
                root: place.folder.clone(),
                reserve: place.reserve.bytes(),
                patience: PATIENCE,
            }
            .into());
        }
        let access = Access {
            name: place.name.clone(),
            bucket: place.bucket.clone(),
            endpoint: place.endpoint(),
            region: place.region.clone(),
            prefix: place.prefix.clone(),
            key_id: place.access_key_id.clone(),
            secret: place.secret_access_key.clone(),
            slowest: place.slowest.bytes(),
            limit: place.limit.bytes(),
            patience: PATIENCE,
            abandoned: ABANDONED,
        };
        Ok(Bucket::new(access, Ledger::new(self.work.join("uploads")))?.into())
    }

    /// How a job's backups are sealed. The recipients were checked with the configuration.
    #[must_use]
    pub fn sealing(&self, job: &Job) -> Sealing {
        let recipients = self.config.recipients(job).iter();
        Sealing {
            level: i32::try_from(self.config.level).unwrap_or(1),
            recipients: recipients
                .filter_map(|text| text.parse::<Recipient>().ok())
                .collect(),
        }
    }

    /// The keys that open backups, if this host has any.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn identities(&self) -> Result<Vec<Identity>, String> {
        let file = &self.config.identity_file;
        if file.as_os_str().is_empty() {
            return Ok(Vec::new());
        }
        let text =
            std::fs::read_to_string(file).map_err(|err| format!("{}: {err}", file.display()))?;
        Identity::file(&text).map_err(|err| format!("{}: {err}", file.display()))
    }

    /// An empty folder of ours for what is being restored, for who holds the
    /// job's lock.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self, job: &Job) -> Result<PathBuf, String> {
        let folder = self.work.join("scratch").join(&job.name);
        // Of a restore that was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
        Ok(folder)
    }

    /// How a job's files are packed. The keys of this host stay out of what they open.
    #[must_use]
    pub fn packing(&self, job: &Job, scratch: &std::path::Path) -> Options {
        let key = std::fs::metadata(&self.config.identity_file);
        Options {
            exclude: job.exclude.iter().map(|text| Glob::new(text)).collect(),
            one_file_system: job.one_file_system,
            most_bytes: job.most.bytes(),
            never: key
                .into_iter()
                .map(|about| (about.dev(), about.ino()))
                .collect(),
            scratch: job.sqlite.then(|| scratch.to_owned()),
        }
    }

    /// The server of a job by way of a database that is always there, for making
    /// and renaming others.
    ///
    /// # Errors
    /// See [`Setup::server`].
    pub fn admin(&self, job: &Job) -> Result<Server, String> {
        let database = if job.database == "postgres" {
            "template1"
        } else {
            "postgres"
        };
        Ok(Server {
            database: database.to_owned(),
            ..self.server(job)?
        })
    }

    /// The server of a job.
    ///
    /// # Errors
    /// When it is in a container and there is no engine.
    pub fn server(&self, job: &Job) -> Result<Server, String> {
        let place = if job.container.is_empty() {
            let bin = (!job.bin.as_os_str().is_empty()).then(|| job.bin.clone());
            tool::Place::Host { bin }
        } else {
            let Some(engine) = self.engine.clone() else {
                return Err(format!(
                    "{} is in a container, and no engine is there",
                    job.name
                ));
            };
            tool::Place::Container {
                engine,
                name: job.container.clone(),
            }
        };
        Ok(Server {
            place,
            host: job.host.clone(),
            port: job.port,
            user: job.user.clone(),
            password: job.password.clone(),
            database: job.database.clone(),
            tls: job.tls,
            authorities: job.ca_file.clone(),
            lock_wait: job.lock_wait,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_path_on_hosts_of_one_name_have_marks_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup {
            config: Arc::default(),
            host: "host".into(),
            version: "0".into(),
            engine: None,
            work: folder.path().join("work"),
        };
        // Where nothing can be kept, nothing is drawn.
        let bare = setup.mark();
        assert!(!setup.work.exists());
        let anew = || {
            let _ = std::fs::remove_dir_all(&setup.work);
            std::fs::create_dir(&setup.work).unwrap();
        };
        anew();
        let first = setup.mark();
        assert_eq!(setup.mark(), first);
        let other = Setup {
            host: "other".into(),
            ..setup.clone()
        };
        assert_ne!(other.mark(), first);
        anew();
        assert!(![&first, &bare].contains(&&setup.mark()));
        // What an earlier version left there is swept still.
        anew();
        std::fs::create_dir(setup.work.join("drills")).unwrap();
        assert_eq!(setup.mark(), bare);
    }

    #[test]
    fn an_upload_of_another_may_be_under_way_for_as_long_as_the_rule_of_r2_lets_it() {
        let place = Place {
            name: "r2".into(),
            bucket: "copies".into(),
            endpoint: "http://127.0.0.1:9".into(),
            access_key_id: "id".into(),
            secret_access_key: settings::Secret::new("key"),
            ..Place::default()
        };
        let setup = Setup {
            config: Arc::new(Config {
                targets: vec![place],
                ..Config::default()
            }),
            host: "here".into(),
            version: "0".into(),
            engine: None,
            work: PathBuf::from("/nowhere"),
        };
        let told = format!("{:?}", setup.all_targets().unwrap());
        assert!(told.contains("abandoned: 604800s"), "{told}");
    }
}
