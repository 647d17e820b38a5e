//! The host under node_exporter's names: processors, memory, file systems,
//! disks, network and what else its kernel tells.
//!
//! A collector is a function from files to text. It fails alone, and a read
//! that hangs is left behind with its thread: [`Host::page`] always returns
//! within two seconds.

mod arrays;
mod btrfs;
mod collectors;
mod cpu;
mod disk;
mod filesystem;
mod folders;
mod gathered;
mod hardware;
mod hwmon;
mod interrupts;
mod ipvs;
mod kept;
mod kernel;
mod memory;
mod mounts;
mod netclass;
mod netstat;
mod network;
mod nfs;
mod nvme;
mod oom;
mod pressure;
mod processes;
mod rapl;
mod sockets;
mod stat;
mod supplies;
mod system;
mod systemd;
mod tcp;
mod textfile;
mod timex;
mod xfs;
mod zfs;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exposition::{Kind, Writer};
use tokio::sync::Mutex;

use crate::crew::{Crew, Outcome};
use crate::files::{Failure, Files, Roots};
use collectors::COLLECTORS;
// Containers have the same files for themselves.
pub(crate) use network::parse as network_devices;
pub(crate) use pressure::{Stalled, parse as stalled};

/// No page takes longer than this, whatever hangs.
const DEADLINE: Duration = Duration::from_millis(1900);

settings::section! {
    /// The host's own measurements, under node_exporter's names.
    pub struct Config {
        /// Where the host's /proc is seen; in a container, where it is mounted.
        pub procfs: PathBuf = PathBuf::from("/proc"),
        /// Where the host's /sys is seen.
        pub sysfs: PathBuf = PathBuf::from("/sys"),
        /// Where the host's / is seen; it is cut off the names of mount points.
        pub rootfs: PathBuf = PathBuf::from("/"),
        /// How long a file system, or any other source, may take to answer
        /// before it is left out and reported as stuck. At most 900 ms count.
        pub patience: Duration = Duration::from_millis(750),
        /// A folder whose *.prom files are added to the page.
        pub textfiles: Option<PathBuf> = None,
        /// Folders whose size is added up, as du does.
        pub folders: Vec<PathBuf> = vec![],
        /// How often they are added up.
        pub folders_interval: Duration = Duration::from_secs(30 * 60),
        /// The socket of systemd's manager or of the system's bus. Empty: the usual ones.
        pub systemd: Option<PathBuf> = None,
        /// Collectors that are left out, by the names that node_scrape_collector_success has, such as systemd or interrupts.
        pub without: Vec<String> = vec![],
    }
}

/// The file systems are a collector as well, if one apart.
const FILE_SYSTEMS: &str = "filesystem";

impl Config {
    /// What contradicts itself, as (key, message).
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let names = COLLECTORS.map(|(name, _)| name);
        let is_known = |name: &str| name == FILE_SYSTEMS || names.contains(&name);
        let unknown = self.without.iter().enumerate();
        let unknown = unknown.filter(|(_, name)| !is_known(name));
        unknown
            .map(|(at, name)| {
                let message = format!(
                    "no collector is named {name:?}; there are: {}, {FILE_SYSTEMS}",
                    names.join(", ")
                );
                (format!("host.without[{at}]"), message)
            })
            .collect()
    }
}

/// Reads the host. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Host(Arc<Machine>);

/// What outlives a page.
#[derive(Debug)]
struct Machine {
    roots: Roots,
    patience: Duration,
    textfiles: Option<PathBuf>,
    systemd_socket: Option<PathBuf>,
    /// The collectors that are wanted.
    wanted: Vec<(&'static str, collectors::Read)>,
    wants_file_systems: bool,
    folders: folders::Folders,
    systemd: std::sync::Mutex<systemd::Known>,
    processes: std::sync::Mutex<processes::Known>,
    tcp: std::sync::Mutex<tcp::Known>,
    oom: std::sync::Mutex<oom::Known>,
    collectors: Crew,
    mounts: Crew,
    cpus: std::sync::Mutex<stat::History>,
    links: std::sync::Mutex<netclass::Links>,
    /// Of the collectors that are wanted, and behind them of the file systems.
    kept: kept::Kept,
    /// The collectors that failed in the last page; taken while a page is made.
    failing: Mutex<HashSet<&'static str>>,
}

/// How one collector fared.
struct Report {
    name: &'static str,
    took: Duration,
    result: Result<(), Failure>,
    /// Of its values on the page, where it has any.
    age: Option<Duration>,
}

impl Host {
    /// Makes a reader; nothing is read yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let left_out = |name: &str| config.without.iter().any(|one| one == name);
        let wanted: Vec<_> = COLLECTORS
            .into_iter()
            .filter(|(name, _)| !left_out(name))
            .collect();
        Self(Arc::new(Machine {
            roots: Roots {
                proc: config.procfs,
                sys: config.sysfs,
                root: config.rootfs,
            },
            patience: config.patience.min(Duration::from_millis(900)),
            textfiles: config.textfiles,
            systemd_socket: config.systemd,
            kept: kept::Kept::new(wanted.len() + 1),
            wanted,
            wants_file_systems: !left_out(FILE_SYSTEMS),
            folders: folders::Folders::new(config.folders, config.folders_interval),
            systemd: std::sync::Mutex::default(),
            processes: std::sync::Mutex::default(),
            tcp: std::sync::Mutex::default(),
            oom: std::sync::Mutex::default(),
            collectors: Crew::default(),
            mounts: Crew::default(),
            cpus: std::sync::Mutex::default(),
            links: std::sync::Mutex::default(),
            failing: Mutex::default(),
        }))
    }

    /// Reads everything now and returns it as exposition text, after two
    /// seconds at most. Several calls at once are answered one by one.
    pub async fn page(&self) -> String {
        let machine = self.0.clone();
        // On a task of its own: a caller that goes away in the middle must not
        // leave half a round behind, which the next one would take for stuck.
        tokio::spawn(async move { machine.page().await })
            .await
            .unwrap_or_default()
    }
}

impl Machine {
    async fn page(self: Arc<Self>) -> String {
        let mut failing = self.failing.lock().await;
        let ((mut page, mut reports), mounts) =
            tokio::join!(self.clone().collect(), self.clone().filesystems());
        if let Some((mounts, report)) = mounts {
            page.push_str(&mounts);
            reports.push(report);
        }
        page.push_str(&summary(&reports));
        for report in &reports {
            let trouble = report.result.as_ref().err();
            let trouble = trouble.filter(|err| !matches!(err, Failure::Absent(_)));
            match trouble {
                Some(err) if failing.insert(report.name) => {
                    tracing::warn!(collector = report.name, "a host collector failed: {err}");
                }
                None if failing.remove(report.name) => {
                    tracing::info!(collector = report.name, "a host collector works again");
                }
                _ => {}
            }
        }
        page
    }

    async fn collect(self: Arc<Self>) -> (String, Vec<Report>) {
        let names = self.wanted.iter().map(|(name, _)| (*name).to_owned());
        let (machine, patience) = (self.clone(), self.patience);
        let work = move |at: usize| {
            let mut page = Writer::new();
            let read = machine.wanted[at].1;
            let result = read(&machine, &mut Files::new(&machine.roots), &mut page);
            let text: Arc<str> = page.finish().into();
            let good = result.is_ok().then(|| text.clone());
            machine.kept.put(at, good, Instant::now());
            (text, result)
        };
        let outcomes = self.collectors.run(names.collect(), patience, work).await;
        let mut page = String::with_capacity(64 << 10);
        let mut reports = Vec::with_capacity(outcomes.len());
        for (at, ((name, _), outcome)) in self.wanted.iter().zip(outcomes).enumerate() {
            let (took, result) = match outcome {
                Outcome::Done((text, result), took) => {
                    page.push_str(&text);
                    (took, result)
                }
                Outcome::Late => (patience, Err(Failure::Late)),
                Outcome::Panicked => (Duration::ZERO, Err(Failure::Malformed("its source"))),
            };
            let age = self.age(at, name, &result, &mut page);
            reports.push(Report {
                name,
                took,
                result,
                age,
            });
        }
        (page, reports)
    }

    /// How old a collector's values on the page are. One that was late has those that
    /// it told last, if they are not too old.
    fn age(
        &self,
        at: usize,
        name: &str,
        result: &Result<(), Failure>,
        page: &mut String,
    ) -> Option<Duration> {
        match result {
            Ok(()) => Some(Duration::ZERO),
            Err(Failure::Late) => {
                let (text, age) = self.kept.of(at, name, Instant::now())?;
                page.push_str(&text);
                Some(age)
            }
            Err(_) => None,
        }
    }

    async fn filesystems(self: Arc<Self>) -> Option<(String, Report)> {
        if !self.wants_file_systems {
            return None;
        }
        let begun = Instant::now();
        let read = mounts::read(&self).await;
        let mut page = Writer::new();
        let result = match read {
            Ok(table) => {
                let left = DEADLINE.saturating_sub(begun.elapsed()) / 2;
                let patience = self.patience.min(left);
                let answers = mounts::ask(&self, &table, patience).await;
                filesystem::encode(&table, &answers, &mut page);
                Ok(())
            }
            Err(err) => Err(err),
        };
        let mut page = page.finish();
        let place = self.wanted.len();
        if result.is_ok() {
            self.kept
                .put(place, Some(page.as_str().into()), Instant::now());
        }
        let age = self.age(place, FILE_SYSTEMS, &result, &mut page);
        let report = Report {
            name: FILE_SYSTEMS,
            took: begun.elapsed(),
            result,
            age,
        };
        Some((page, report))
    }
}

/// Reads a tree as the kernel's files, and the bytes as an answer of systemd and as the
/// table of mounts, for those who throw any at it.
///
/// # Panics
/// If a collector writes what is no page.
pub fn any(tree: &Path, bytes: &[u8]) {
    let host = Host::new(Config {
        procfs: tree.join("proc"),
        sysfs: tree.join("sys"),
        rootfs: tree.into(),
        systemd: Some(tree.join("none")),
        textfiles: Some(tree.join("text")),
        ..Config::default()
    });
    collectors::any(&host.0);
    systemd::any(bytes);
    let text = String::from_utf8_lossy(bytes);
    mounts::parse(&text, "/");
    sockets::any(&text);
}

fn summary(reports: &[Report]) -> String {
    let mut page = Writer::new();
    page.family(
        "node_scrape_collector_duration_seconds",
        "How long the collector took.",
        Kind::Gauge,
    );
    for report in reports {
        page.sample(&[("collector", report.name)], report.took.as_secs_f64());
    }
    page.family(
        "node_scrape_collector_success",
        "Whether the collector had something to tell; 0 also where this machine lacks its source.",
        Kind::Gauge,
    );
    for report in reports {
        let success = f64::from(u8::from(report.result.is_ok()));
        page.sample(&[("collector", report.name)], success);
    }
    page.family(
        "belfry_host_collector_failed",
        "Whether the collector's source is there but unreadable, malformed or stuck.",
        Kind::Gauge,
    );
    for report in reports {
        let failed = !matches!(report.result, Ok(()) | Err(Failure::Absent(_)));
        page.sample(&[("collector", report.name)], f64::from(u8::from(failed)));
    }
    page.family(
        "belfry_host_collector_age_seconds",
        "How old the collector's values on this page are: 0 unless it was late and these are those before.",
        Kind::Gauge,
    );
    for report in reports {
        if let Some(age) = report.age {
            page.sample(&[("collector", report.name)], age.as_secs_f64());
        }
    }
    // Dashboards pick their hosts by this family's `instance`.
    page.family(
        "node_exporter_build_info",
        "Which program serves this page.",
        Kind::Gauge,
    );
    let labels = [
        ("goarch", std::env::consts::ARCH),
        ("goos", std::env::consts::OS),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    page.sample(&labels, 1.0);
    page.finish()
}

#[cfg(test)]
mod tests;
