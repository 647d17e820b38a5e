//! The programs that are set beside each other: each scrapes the same targets
//! and evaluates the same rules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::pages::{Pages, step_now};
use crate::binary;
use crate::proc::{Cpu, Memory};
use crate::support::claim::{self, Claim};
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{http, poll, program};

/// Belfry in Prometheus' place, without collectors, page and mail.
const ALONE: &str = "belfry prometheus";

/// The only process of a program.
const ONE: &str = "";

/// How long a restart may take before the bench gives up.
const LONG: Duration = Duration::from_secs(600);

/// One program, or several that do the work of one together.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Host and port of its query API; empty where it has none.
    pub(crate) address: String,
    /// Its folder, for what it keeps.
    pub(crate) data: PathBuf,
    parts: Vec<Part>,
}

/// One of the processes that do the work together.
struct Part {
    name: &'static str,
    command: Command,
    process: Process,
}

/// What a process takes.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    /// All its memory, and what of it is not a file's, in MiB.
    pub(crate) memory: (f64, f64),
    /// Processor time so far.
    pub(crate) cpu: Duration,
}

impl Peer {
    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.costs().iter().map(|part| part.cpu).sum()
    }

    /// What each of its processes takes.
    pub(crate) fn costs(&self) -> Vec<Cost> {
        let cost = |part: &Part| {
            let pid = part.process.pid();
            let memory = Memory::of(pid);
            Cost {
                name: part.name,
                memory: (memory.pss, memory.anonymous),
                cpu: Cpu::of(pid).total(),
            }
        };
        self.parts.iter().map(cost).collect()
    }

    /// Memory in MiB: all of it, and what is not a file's.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let costs = self.costs();
        let memory = costs.iter().map(|part| part.memory);
        memory.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    }

    /// Asks for a path, and says what came and how long that took.
    pub(crate) fn ask(&self, path: &str) -> (http::Response, Duration) {
        let answer = self.try_ask(path);
        answer.unwrap_or_else(|err| panic!("{}: {path}: {err}", self.name))
    }

    /// The same of what may take longer than anybody waits.
    pub(crate) fn try_ask(&self, path: &str) -> std::io::Result<(http::Response, Duration)> {
        let began = Instant::now();
        let answer = http::get(&self.address, path)?;
        Ok((answer, began.elapsed()))
    }

    /// The value of one of its own metrics, labels included in `series`.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let text = self.ask("/metrics").0.body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.split(' ').next()?.parse().ok()
    }

    /// How many rules it has evaluated so far, where it tells.
    pub(crate) fn evaluations(&self) -> f64 {
        let (metric, each) = match self.name {
            "belfry" => ("belfry_evaluations_total", 200.0),
            // It tells what it did not do: of groups of ten.
            ALONE => ("belfry_rule_group_missed_total", -10.0),
            "Prometheus" => ("prometheus_rule_evaluations_total", 1.0),
            _ => return f64::NAN,
        };
        let text = self.ask("/metrics").0.body;
        let lines = text.lines().filter(|line| line.starts_with(metric));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        let due = match self.name {
            ALONE => step_now() as f64 * 200.0,
            _ => 0.0,
        };
        due + counts.sum::<f64>() * each
    }

    /// Stops the first part and starts it again on its data; how long it takes
    /// from the start until a query of a family that it had is answered.
    pub(crate) fn restart(&mut self, of: &str) -> Duration {
        let address = self.address.clone();
        let Part {
            command, process, ..
        } = &mut self.parts[0];
        process.signal(Signal::TERM);
        poll::within(LONG, "a stop", || process.ended());
        let began = Instant::now();
        *process = Process::spawn(self.name, command, &self.data.join("restart.log"));
        poll::within(LONG, "an answer after the restart", || {
            let path = format!("/api/v1/query?query=count(last_over_time({of}[1h]))");
            let answer = http::get(&address, &path).ok()?;
            (answer.status == 200 && answer.body.contains("value")).then_some(())
        });
        began.elapsed()
    }
}

/// All of them, and the ports they may use.
pub(crate) struct Peers {
    pub(crate) all: Vec<Peer>,
    _claims: Vec<Claim>,
}

/// A copy of the program: of pages that several processes share each is told a part.
fn program_of(data: &Path) -> PathBuf {
    let copy = data.with_extension("program");
    fs::copy(binary(), &copy).expect("a copy of the program");
    copy
}

/// Starts all of them.
pub(crate) fn start(scratch: &Scratch, pages: &Pages, targets: usize, rules: &Path) -> Peers {
    let targets: Vec<String> = (0..targets).map(|at| pages.target(at)).collect();
    let quoted: Vec<String> = targets.iter().map(|target| format!("'{target}'")).collect();
    let list = format!("[{}]", quoted.join(", "));
    let scrape = format!(
        "scrape_configs:\n  - job_name: bench\n    static_configs: [{{targets: {list}}}]\n"
    );
    let every = "scrape_interval: 15s, scrape_timeout: 10s";
    let full = scratch.file(
        "prometheus.yml",
        &format!(
            "global: {{{every}, evaluation_interval: 15s}}\nrule_files: [{rules:?}]\n{scrape}"
        ),
    );
    let alone = scratch.file("scrape.yml", &format!("global: {{{every}}}\n{scrape}"));
    let belfry = scratch.file(
        "belfry.yml",
        &format!(
            "host: bench\ninterval: 15s\nseries: {{memory: 2GiB, receive: true}}\n\
             rules:\n  pack: false\n  files: [{rules:?}]\n  scrape: [{{job_name: bench, static_configs: [{{targets: {list}}}]}}]\n"
        ),
    );
    let place = |name: &str| {
        let data = scratch.path.join(name);
        fs::create_dir_all(&data).expect("a folder");
        data
    };
    let claims: Vec<Claim> = (0..7).map(|_| claim::port()).collect();
    let mut addresses = claims
        .iter()
        .map(|claim| format!("127.0.0.1:{}", claim.number));
    let mut port = || addresses.next().expect("seven ports");

    let (data, address) = (place("belfry"), port());
    let mut command = Command::new(program_of(&data));
    command.arg("run").arg("--config").arg(belfry);
    command
        .arg("--data")
        .arg(&data)
        .args(["--listen", &address]);
    let ours = peer("belfry", data, address, vec![(ONE, command)]);

    let (data, address) = (place("prometheus"), port());
    let mut command = Command::new(program::find("prometheus", "prometheus"));
    command
        .arg(format!("--config.file={}", full.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.enable-remote-write-receiver");
    let prometheus = peer("Prometheus", data, address, vec![(ONE, command)]);

    let (data, address) = (place("victoria"), port());
    let mut command = Command::new(program::find("victoria-metrics", "victoria-metrics"));
    command
        .arg(format!("-promscrape.config={}", alone.display()))
        .arg(format!("-storageDataPath={}", data.display()))
        .arg(format!("-httpListenAddr={address}"));
    let mut alert = Command::new(program::find("vmalert", "victoria-metrics"));
    alert
        .arg(format!("-rule={}", rules.display()))
        .arg(format!("-datasource.url=http://{address}"))
        .arg(format!("-remoteWrite.url=http://{address}"))
        .arg(format!("-notifier.url={}", pages.sink()))
        .arg("-evaluationInterval=15s")
        .arg(format!("-httpListenAddr={}", port()));
    let victoria = peer(
        "VictoriaMetrics + vmalert",
        data,
        address,
        vec![("VictoriaMetrics", command), ("vmalert", alert)],
    );

    let (data, address) = (place("alone"), port());
    let mut command = Command::new(program_of(&data));
    command
        .arg("prometheus")
        .arg(format!("--config.file={}", full.display()))
        .arg(format!("--storage.tsdb.path={}", data.display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--web.enable-remote-write-receiver")
        .arg("--storage.memory=2GiB");
    let in_place = peer(ALONE, data, address, vec![(ONE, command)]);

    let data = place("vmagent");
    let mut command = Command::new(program::find("vmagent", "victoria-metrics"));
    command
        .arg(format!("-promscrape.config={}", alone.display()))
        .arg(format!("-remoteWrite.url={}", pages.sink()))
        .arg(format!("-remoteWrite.tmpDataPath={}", data.display()))
        .arg(format!("-httpListenAddr={}", port()));
    let agent = peer(
        "vmagent, which keeps nothing",
        data,
        String::new(),
        vec![("vmagent", command)],
    );
    drop(addresses);
    Peers {
        all: vec![ours, prometheus, victoria, in_place, agent],
        _claims: claims,
    }
}

fn peer(
    name: &'static str,
    data: PathBuf,
    address: String,
    commands: Vec<(&'static str, Command)>,
) -> Peer {
    let numbered = commands.into_iter().enumerate();
    let parts = numbered.map(|(at, (part, mut command))| {
        let log = data.with_extension(format!("{at}.log"));
        let process = Process::spawn(name, &mut command, &log);
        Part {
            name: part,
            command,
            process,
        }
    });
    Peer {
        name,
        parts: parts.collect(),
        address,
        data,
    }
}
