//! A configuration for a test, and a look into the folders it fills.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use backup::age::Identity;
use backup::catalogue::{self, Copy};
use backup::manifest::{Manifest, Piece};
use backup::run::{Outcome, Report, run};
use backup::target::Target;
use backup::verify::{Error, verify};
use backup::{Config, Job, Place, Setup, seal};
use tempfile::TempDir;

use crate::cluster::{self, Cluster};
use crate::tree::LATER;

/// Where a test keeps its things.
pub(crate) struct Bench {
    pub(crate) setup: Setup,
    pub(crate) scratch: TempDir,
    pub(crate) key: Identity,
    now_ms: AtomicI64,
}

impl Bench {
    /// One job `db` of the database `shop`, encrypted, into one folder `local`.
    pub(crate) fn new(cluster: &Cluster) -> Self {
        let mut bench = Self::bare();
        bench.change(|config| {
            config.jobs = vec![Job {
                name: "db".into(),
                database: "shop".into(),
                host: cluster.sockets.display().to_string(),
                bin: cluster.clients.clone(),
                ..Job::default()
            }];
        });
        bench
    }

    /// No job, a key, and one folder `local`.
    pub(crate) fn bare() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let key = Identity::generate().unwrap();
        let local = scratch.path().join("local");
        std::fs::create_dir(&local).unwrap();
        let key_file = scratch.path().join("key");
        std::fs::write(&key_file, key.expose()).unwrap();
        let config = Config {
            targets: vec![folder("local", &local)],
            recipients: vec![key.recipient().to_string()],
            identity_file: key_file,
            ..Config::default()
        };
        let setup = Setup {
            config: Arc::new(config),
            host: "testhost".into(),
            version: "0".into(),
            engine: None,
            work: scratch.path().join("work"),
        };
        Self {
            setup,
            scratch,
            key,
            now_ms: AtomicI64::new(1_787_454_600_000),
        }
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Config)) {
        change(Arc::make_mut(&mut self.setup.config));
    }

    pub(crate) fn job(&self) -> &Job {
        &self.setup.config.jobs[0]
    }

    /// Runs the job, an hour after the one before.
    pub(crate) async fn run(&self) -> Report {
        let now = self.now_ms.fetch_add(3_600_000, Ordering::Relaxed);
        run(&self.setup, self.job(), &|| now, &|_| {})
            .await
            .unwrap()
    }

    pub(crate) async fn good(&self) -> Manifest {
        let report = self.run().await;
        assert_eq!(report.outcome, Outcome::Good, "{report:?}");
        report.manifest.unwrap()
    }

    pub(crate) fn target(&self, name: &str) -> Target {
        let targets = self.setup.all_targets().unwrap();
        targets
            .into_iter()
            .find(|target| target.name() == name)
            .unwrap()
    }

    /// What a target lists, without what was kept of earlier listings.
    pub(crate) async fn listed(&self, target: &str) -> Vec<Copy> {
        let empty = tempfile::tempdir().unwrap();
        catalogue::list(&self.target(target), "", empty.path())
            .await
            .unwrap()
            .copies
    }

    /// The newest copy in the folder `local`.
    pub(crate) async fn newest(&self) -> Copy {
        self.listed("local").await.pop().unwrap()
    }

    /// Reads the newest copy in "local" through.
    pub(crate) async fn verified(&self) -> Result<(), Error> {
        let (target, copy) = (self.target("local"), self.newest().await);
        verify(&self.setup, self.job(), &target, &copy, LATER, &|_| {}).await
    }

    /// All files below a folder of the scratch folder.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        files(&self.scratch.path().join(folder))
    }

    /// A piece as it was before it was sealed.
    pub(crate) async fn open(&self, target: &str, piece: &Piece) -> Vec<u8> {
        let mut stored = Vec::new();
        let mut flow = self.target(target).read(&piece.key).await.unwrap();
        while let Some(bytes) = flow.recv().await {
            stored.extend_from_slice(&bytes.unwrap());
        }
        let mut raw = Vec::new();
        let sealed = !piece.recipients.is_empty();
        let sum = seal::open(&*stored, std::slice::from_ref(&self.key), sealed, &mut raw).unwrap();
        assert_eq!(
            (&sum.raw_sha256, &sum.stored_sha256),
            (&piece.raw_sha256, &piece.stored_sha256)
        );
        raw
    }
}

/// Something mounted, unmounted at the end: before the folder that it is in is
/// removed, where that was made before.
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn new(path: &Path, arguments: &[&str]) -> Self {
        if !path.exists() {
            std::fs::create_dir_all(path).unwrap();
        }
        cluster::run(Command::new("mount").args(arguments).arg(path));
        Self(path.to_owned())
    }

    /// A disk of its own in memory, with options such as `size=64k`.
    pub(crate) fn small(path: &Path, options: &str) -> Self {
        Self::new(path, &["-t", "tmpfs", "-o", options, "tmpfs"])
    }

    /// Something over itself, which cannot be renamed or removed meanwhile.
    pub(crate) fn held(path: &Path) -> Self {
        Self::new(path, &["--bind", path.to_str().unwrap()])
    }

    pub(crate) fn read_only(&self) {
        self.again("remount,ro");
    }

    pub(crate) fn writable(&self) {
        self.again("remount,rw");
    }

    fn again(&self, options: &str) {
        cluster::run(Command::new("mount").args(["-o", options]).arg(&self.0));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, since who panics may have a file open in it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

pub(crate) fn folder(name: &str, path: &Path) -> Place {
    Place {
        name: name.into(),
        folder: path.to_owned(),
        reserve: settings::Size(0),
        ..Place::default()
    }
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
