//! The section `backup` of the configuration.

mod faults;
mod keys;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use settings::Secret;

settings::section! {
    /// Backups: what is backed up and where to; the folders in which other tools leave theirs; the volumes that need none.
    pub struct Config {
        /// What is backed up.
        pub jobs: Vec<Job> = Vec::new(),
        /// Where copies go.
        pub targets: Vec<Place> = Vec::new(),
        /// To whom backups are encrypted: age recipients, as age-keygen prints them. Empty: they are not encrypted.
        pub recipients: Vec<String> = Vec::new(),
        /// The age identities that open backups, for verifying and drills on this host. Keep another copy of this file elsewhere.
        pub identity_file: PathBuf = PathBuf::new(),
        /// How much work compression is, by zstd's levels from 1 to 19. At 1 a dump is hardly slowed down, and others make most dumps little smaller.
        pub level: u32 = 1,
        /// Folders that hold backups made by other tools; each is watched for age and size.
        pub watch: Vec<Watch> = Vec::new(),
        /// Docker volumes that need no backup: the volume's name and the reason.
        pub exclude_volumes: BTreeMap<String, String> = BTreeMap::new(),
        /// Databases that need no backup: the container and the database, as `shop-db-1/scratch`, and the reason.
        pub exclude_databases: BTreeMap<String, String> = BTreeMap::new(),
    }
}

settings::section! {
    /// One thing that is backed up.
    pub struct Job {
        /// The job's name: letters, digits, `-`, `_` and `.`. It stands in the keys of its backups.
        pub name: String = String::new(),
        /// The database, with globals of its server beside it. A job has either a database, globals, a directory or a volume.
        pub database: String = String::new(),
        /// Whether it is of the globals of a server alone: its roles, memberships and tablespaces. They lie beside each database too.
        pub globals: bool = false,
        /// A folder of this host, with all that is in it.
        pub directory: PathBuf = PathBuf::new(),
        /// A Docker volume by its name; with `project`, by the name that the compose file gives it.
        pub volume: String = String::new(),
        /// The compose project that the volume is of.
        pub project: String = String::new(),
        /// What is left out of a directory or volume: `*.log` anywhere, `/cache` at its top, `a/**/tmp` below.
        pub exclude: Vec<String> = Vec::new(),
        /// Whether file systems that are mounted within a directory are left out.
        pub one_file_system: bool = true,
        /// Whether SQLite files in a directory or volume are copied by SQLite, so that each is whole although somebody writes.
        pub sqlite: bool = true,
        /// Whether a directory or volume is read first, and nothing new is stored where its newest good copies hold just that: they count as of then. What has changed is read twice.
        pub skip_unchanged: bool = false,
        /// How many bytes the files of a directory or volume may have before a run fails. 0: any number.
        pub most: settings::Size = settings::Size(0),
        /// The container of the server. Programs run inside it, and nothing need be installed on this host. Empty: they run here.
        pub container: String = String::new(),
        /// The server's host, or the folder of its socket. Empty: the usual socket.
        pub host: String = String::new(),
        /// The server's port. 0: the usual one.
        pub port: u16 = 0,
        /// The user. It must be able to read everything: a superuser, or a member of pg_read_all_data that bypasses row security.
        pub user: String = "postgres".to_owned(),
        /// The password, where one is asked for.
        pub password: Secret = Secret::default(),
        /// Whether the connection is encrypted and the server's certificate and name are checked.
        pub tls: bool = false,
        /// The authorities that may vouch for the server, as a PEM file. Empty: the system's.
        pub ca_file: PathBuf = PathBuf::new(),
        /// The folder of pg_dump, psql and pg_restore. Empty: the installed ones of the server's major version.
        pub bin: PathBuf = PathBuf::new(),
        /// The targets by name. Empty: all.
        pub targets: Vec<String> = Vec::new(),
        /// How long a lock in the database may be waited for.
        pub lock_wait: Duration = Duration::from_secs(60),
        /// How long a run may take, and a drill.
        pub timeout: Duration = Duration::from_secs(6 * 3600),
        /// How old the newest good copy may become before it is overdue.
        pub max_age: Duration = Duration::from_secs(26 * 3600),
        /// Docker volumes that this job covers, such as the one of the database's server.
        pub volumes: Vec<String> = Vec::new(),
        /// When it is backed up, as a cron line such as `10 3 * * *` or `@daily`. Empty: only by `belfry backup run`.
        pub schedule: String = String::new(),
        /// When the newest copy, elsewhere if there is one, is read to its end. Empty: only by `belfry backup verify`.
        pub verify: String = String::new(),
        /// When the newest copy is restored into a scratch database and compared. Empty: only by `belfry backup drill`.
        pub drill: String = String::new(),
        /// Whether a drill restores into a server in a container of its own, of the image of `container`, and not into a scratch database of the live server. It writes to the engine: that container is made, and removed, and nothing is pulled.
        pub drill_container: bool = false,
        /// How much memory that container may have; in a scratch database of the live server, a quarter of it is for building an index and a 32nd for a sort.
        pub drill_memory: settings::Size = settings::Size::mib(512),
        /// How much disk its server may come to use, or the scratch database, which is looked at once a second. 0: three times what the database had, and 1 GiB.
        pub drill_disk: settings::Size = settings::Size(0),
        /// The IANA time zone of these lines. Empty: the one of the whole configuration.
        pub timezone: String = String::new(),
        /// How late a run may still begin after a time when nobody was there: it is done once, however often it was due. Later it is missed; two minutes late is in time always.
        pub catch_up: Duration = Duration::from_secs(12 * 3600),
        /// By how much runs are moved at most, always alike for one job, so that not all begin at once.
        pub jitter: Duration = Duration::from_secs(120),
        /// Questions to a restored backup, in SQL, each of which must answer true.
        pub checks: Vec<String> = Vec::new(),
        /// To whom its backups are encrypted, in place of the recipients of all. Empty: those of all.
        pub recipients: Vec<String> = Vec::new(),
        /// Whether it holds secrets: then it goes into no bucket unless backups are encrypted, nor beside others that the same key opens.
        pub secret: bool = false,
        /// What `belfry restore --bootstrap` restores first among its kind: the lowest.
        pub importance: u32 = 100,
        /// Containers that are stopped while the source is read, and started again in any case. Their own time to end counts.
        pub stop: Vec<String> = Vec::new(),
        /// Containers that are paused while the source is read.
        pub pause: Vec<String> = Vec::new(),
        /// A command before the run, as a list of its words; if it fails, nothing is backed up.
        pub before: Vec<String> = Vec::new(),
        /// A command when the source was read, whatever came of it.
        pub after: Vec<String> = Vec::new(),
        /// The container in which these commands run. Empty: they run on this host.
        pub hook_container: String = String::new(),
        /// How long each of them may take.
        pub hook_timeout: Duration = Duration::from_secs(300),
        /// An address that hears of each run: `/start` is added when it begins, `/fail` when it fails, nothing when it was good.
        pub ping: Secret = Secret::default(),
        /// What goes on around a restore of it.
        pub restore: Around = Around::default(),
        /// What is kept; always with the newest copy that was verified, and the newest that was drilled.
        pub keep: Keep = Keep::default(),
    }
}

settings::section! {
    /// What goes on around a restore, so that the application finds all as it should be. If any of it fails, all is put back.
    pub struct Around {
        /// Containers that use what is restored: stopped while it takes its place, and started again. By name, or by a label such as `com.docker.compose.project=shop`.
        pub stop: Vec<String> = Vec::new(),
        /// A command before anything is moved, as a list of its words, in `hook_container` if there is one.
        pub before: Vec<String> = Vec::new(),
        /// What that command writes of what is restored: tables such as `public.flags`, or files as in `exclude`. What is new there once it has run is told, and no reason to stop; all else that is written after somebody asked for the restore stops it, unless `--lose-newer` is given. More than twenty files that are newer than the backup cannot be told apart, and stop it.
        pub before_writes: Vec<String> = Vec::new(),
        /// A command when the backup is in its place and nobody uses it yet, such as a migration.
        pub migrate: Vec<String> = Vec::new(),
        /// The container that the migration is to be like: it runs in one of its own, with the same image, environment, volumes and networks. Empty: on this host.
        pub migrate_as: String = String::new(),
        /// A command when all is well again, in `hook_container` if there is one. If it fails, that is told and nothing is put back.
        pub after: Vec<String> = Vec::new(),
        /// How long each of these commands may take.
        pub hook_timeout: Duration = Duration::from_secs(900),
        /// What must be well afterwards: addresses that answer with success, such as one of the application or `/health/ready/shop` of Belfry, and containers, as `container:shop-web-1`.
        pub healthy: Vec<String> = Vec::new(),
        /// How long each of them may take to become well.
        pub healthy_within: Duration = Duration::from_secs(120),
    }
}

settings::section! {
    /// A place for copies: a folder of this host, or a bucket that speaks S3.
    pub struct Place {
        /// The target's name.
        pub name: String = String::new(),
        /// A folder of this host. It must be there: where a disk is not mounted, copies must not fill the disk below.
        pub folder: PathBuf = PathBuf::new(),
        /// How much stays free on the disk of the folder.
        pub reserve: settings::Size = settings::Size::mib(512),
        /// A bucket's name.
        pub bucket: String = String::new(),
        /// The account whose R2 has the bucket.
        pub r2_account: String = String::new(),
        /// Where the bucket is, for others than R2, such as https://s3.eu-central-1.amazonaws.com.
        pub endpoint: String = String::new(),
        /// The bucket's region.
        pub region: String = "auto".to_owned(),
        /// What all keys in the bucket begin with.
        pub prefix: String = String::new(),
        /// The id of the key for the bucket.
        pub access_key_id: String = String::new(),
        /// The key for the bucket.
        pub secret_access_key: Secret = Secret::default(),
        /// The slowest way up, a second, at which an upload is still waited for.
        pub slowest: settings::Size = settings::Size(32 << 10),
        /// How many bytes a second are sent at most. 0: as many as it takes.
        pub limit: settings::Size = settings::Size(0),
    }
}

settings::section! {
    /// What is kept of a job's backups: in each of the newest days, weeks and months that have a good one, the newest of it; and always the newest that was verified, and the newest that was drilled.
    pub struct Keep {
        /// The newest so many.
        pub last: u32 = 3,
        /// Of so many days.
        pub daily: u32 = 7,
        /// Of so many weeks.
        pub weekly: u32 = 4,
        /// Of so many months.
        pub monthly: u32 = 6,
        /// Never fewer than so many good ones, at least 1.
        pub min_keep: u32 = 1,
        /// How long the last good copy stays in any case that was made before PostgreSQL or an extension was upgraded, or the schema was migrated. 0: no longer than others.
        pub before_change: Duration = Duration::from_secs(30 * 86_400),
    }
}

settings::section! {
    /// One folder in which another tool leaves backups.
    pub struct Watch {
        /// The job's name, which becomes the label `job_name`.
        pub name: String = String::new(),
        /// The folder; files directly in it count.
        pub folder: PathBuf = PathBuf::new(),
        /// Only files whose names end so count, such as `.sql.gz`. Empty: all.
        pub suffix: String = String::new(),
        /// How old the newest copy may become before it is overdue.
        pub max_age: Duration = Duration::from_secs(26 * 3600),
        /// A smaller file is no backup: a dump that died leaves a valid, nearly empty archive.
        pub min_size: settings::Size = settings::Size(1024),
        /// Docker volumes that this job covers.
        pub volumes: Vec<String> = Vec::new(),
    }
}

impl Config {
    /// To whom a job's backups are encrypted.
    #[must_use]
    pub fn recipients<'a>(&'a self, job: &'a Job) -> &'a [String] {
        if job.recipients.is_empty() {
            &self.recipients
        } else {
            &job.recipients
        }
    }

    /// Those of all jobs, each set once: what one key of each opens is all that is made.
    #[must_use]
    pub fn recipient_sets(&self) -> Vec<&[String]> {
        let mut sets: Vec<_> = self.jobs.iter().map(|job| self.recipients(job)).collect();
        if sets.is_empty() {
            sets.push(&self.recipients);
        }
        sets.sort();
        sets.dedup();
        sets.retain(|set| !set.is_empty());
        sets
    }

    /// The job of this name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

impl Job {
    /// What it is of: `postgres`, `globals`, `directory` or `volume`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if !self.directory.as_os_str().is_empty() {
            "directory"
        } else if !self.volume.is_empty() {
            "volume"
        } else if self.globals {
            "globals"
        } else {
            "postgres"
        }
    }
}

impl Place {
    /// Where the bucket is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        if self.r2_account.is_empty() {
            self.endpoint.clone()
        } else {
            format!("https://{}.r2.cloudflarestorage.com", self.r2_account)
        }
    }
}
