//! The programs that are set beside each other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::PATIENCE;
use super::bed::Bed;
use super::scrape::Client;
use crate::binary;
use crate::proc::Cpu;
use crate::support::claim::{self, Claim};
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{http, poll, program};

/// The package's own example of questions about tables.
const QUERIES: &str = "/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml";

/// One program, and what is asked of it each cycle.
pub(super) struct Program {
    pub(super) name: &'static str,
    paths: Vec<String>,
    /// A line of its page begins so when it does its work.
    sign: &'static str,
    address: String,
    client: Client,
    process: Process,
    _claim: Option<Claim>,
    _scratch: Scratch,
}

impl Program {
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn cpu(&self) -> Cpu {
        Cpu::of(self.pid())
    }

    /// All that is asked each cycle.
    pub(super) fn scrape(&self) {
        for path in &self.paths {
            self.client.fetch(path);
        }
    }

    /// The page alone; how long it took.
    pub(super) fn page(&self) -> Duration {
        self.client.fetch("/metrics")
    }

    /// Its page in plain text.
    pub(super) fn text(&self) -> String {
        let answer = http::get(&self.address, &self.paths[0]);
        answer.map(|answer| answer.body).unwrap_or_default()
    }

    /// Nobody is measured who does not do the work.
    pub(super) fn check(&mut self) {
        let (address, path, sign) = (&self.address, &self.paths[0], self.sign);
        self.process.ready(&format!("{sign} on its page"), || {
            let answer = http::get(address, path).ok()?;
            let mut lines = answer.body.lines();
            lines.any(|line| line.starts_with(sign)).then_some(())
        });
    }
}

/// The exporters alone with this configuration, only those that are named; none are all.
pub(super) fn ours(config: &str, only: &[&str], probes: Vec<String>) -> Program {
    let scratch = Scratch::new();
    let file = scratch.file("belfry.yml", config);
    let log = scratch.path.join("log");
    let mut command = Command::new(binary());
    command
        .args(["exporter", "--listen", "127.0.0.1:0", "--config"])
        .arg(file)
        .current_dir(&scratch.path);
    if !only.is_empty() {
        command.args(["--only", &only.join(",")]);
    }
    let process = Process::spawn("belfry exporter", &mut command, &log);
    let address = poll::until("it should say where it serves", || {
        let log = std::fs::read_to_string(&log).ok()?;
        let rest = log.split_once("pages  http://")?.1;
        Some(rest.split_once("/metrics")?.0.to_owned())
    });
    Program {
        name: "belfry exporter",
        paths: [vec!["/metrics".to_owned()], probes].concat(),
        sign: "# ",
        client: Client::new(&address),
        address,
        process,
        _claim: None,
        _scratch: scratch,
    }
}

fn probes(bed: &Bed) -> Vec<String> {
    let path = |site| format!("/probe?module=http_2xx&target={site}");
    bed.sites().map(path).collect()
}

/// Ours with all of its parts, after it has read everything.
pub(super) fn alone(bed: &Bed) -> Program {
    let ours = ours(&bed.config(), &[], probes(bed));
    poll::within(PATIENCE, "all should be read", || {
        bed.whole(&ours).then_some(())
    });
    ours
}

/// Ours first, then its peers.
pub(super) fn start(bed: &Bed) -> Vec<Program> {
    let mut all = vec![alone(bed)];
    all.push(peer("node_exporter", "node_load1 ", |web, _| {
        let mut command = debian("prometheus-node-exporter");
        command.arg(format!("--web.listen-address={web}"));
        command
    }));
    all.push(peer("postgres_exporter", "pg_up 1", |web, scratch| {
        let place = format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=disable",
            bed.postgres.port()
        );
        let mut command = debian("prometheus-postgres-exporter");
        command
            .env("DATA_SOURCE_NAME", place)
            .arg(format!("--web.listen-address={web}"))
            .arg("--auto-discover-databases")
            .arg(format!("--extend.query-path={}", tables(scratch).display()));
        command
    }));
    let redis = bed.shop.redis.port();
    all.push(peer("redis_exporter", "redis_up 1", |web, _| {
        let mut command = debian("prometheus-redis-exporter");
        command.args(["-redis.addr", &format!("redis://127.0.0.1:{redis}")]);
        command.args(["-web.listen-address", web]);
        command
    }));
    let mut blackbox = peer("blackbox_exporter", "go_goroutines ", |web, scratch| {
        let modules = "modules: {http_2xx: {prober: http, timeout: 5s}}\n";
        let file = scratch.file("blackbox.yml", modules);
        let mut command = debian("prometheus-blackbox-exporter");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={web}"));
        command
    });
    blackbox.paths.extend(probes(bed));
    all.push(blackbox);
    all.push(peer(
        "celery-prometheus-exporter",
        "celery_tasks{",
        |web, _| {
            let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
            let folders = ["celery", "celery-exporter"].map(|name| tools.join(name));
            for folder in &folders {
                assert!(folder.is_dir(), "{folder:?} is missing: run `make bench`");
            }
            let mut command = Command::new(program::find("python3", "python3"));
            command
                .env("PYTHONPATH", std::env::join_paths(folders).expect("paths"))
                .args(["-m", "celery_prometheus_exporter", "--enable-events"])
                .args(["--broker", &format!("redis://127.0.0.1:{redis}/0")])
                .args(["--addr", web, "--queue-list", "celery", "mail"]);
            command
        },
    ));
    if let Some(cadvisor) = cadvisor() {
        all.push(peer("cAdvisor", "container_last_seen{", |web, _| {
            let (host, port) = web.split_once(':').expect("host and port");
            let mut command = Command::new(&cadvisor);
            command
                .arg(format!("--listen_ip={host}"))
                .arg(format!("--port={port}"))
                // Not the other control groups of the machine as well: ours leaves them out.
                .arg("--docker_only")
                .arg(format!(
                    "--docker=unix://{}",
                    bed.host.engine.socket().display()
                ));
            command
        }));
    }
    all
}

/// The peers that this machine lacks: no registry that Debian, Python or Node use has them.
pub(super) fn missing() -> Vec<&'static str> {
    let lacks = cadvisor().is_none();
    lacks
        .then_some("cAdvisor (`cadvisor` on the PATH)")
        .into_iter()
        .collect()
}

fn cadvisor() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut files = std::env::split_paths(&path).map(|folder| folder.join("cadvisor"));
    files.find(|file| file.is_file())
}

fn debian(name: &str) -> Command {
    Command::new(program::find(name, name))
}

/// Starts a program that serves at the address which `command` is given.
fn peer(
    name: &'static str,
    sign: &'static str,
    command: impl FnOnce(&str, &Scratch) -> Command,
) -> Program {
    let (claim, scratch) = (claim::port(), Scratch::new());
    let address = format!("127.0.0.1:{}", claim.number);
    let mut command = command(&address, &scratch);
    command.current_dir(&scratch.path);
    let process = Process::spawn(name, &mut command, &scratch.path.join("log"));
    Program {
        name,
        paths: vec!["/metrics".to_owned()],
        sign,
        client: Client::new(&address),
        address,
        process,
        _claim: Some(claim),
        _scratch: scratch,
    }
}

/// What is asked of each table: from the example that the package has, the questions
/// that work without any extension.
fn tables(scratch: &Scratch) -> PathBuf {
    let text = std::fs::read_to_string(QUERIES)
        .unwrap_or_else(|err| panic!("{QUERIES}: {err}: is prometheus-postgres-exporter there?"));
    let mut wanted = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("pg_") {
            inside = ["pg_stat_user_tables:", "pg_statio_user_tables:"].contains(&line.trim());
        }
        if inside {
            wanted.push_str(line);
            wanted.push('\n');
        }
    }
    scratch.file("queries.yaml", &wanted)
}
