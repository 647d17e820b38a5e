//! The program under test: the real binary, with a configuration, a data folder and an environment of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::PipeWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::process::Signal;

use super::clock::Clock;
use super::engine::Engine;
use super::http::{self, Response};
use super::process::Process;
use super::scratch::Scratch;
use super::{poll, program};

/// How a Belfry is to be started.
pub(crate) struct Launch {
    config: Option<String>,
    binary: PathBuf,
    data: Option<PathBuf>,
    listen: String,
    user: Option<String>,
    environment: BTreeMap<String, String>,
    files: Option<u32>,
    stderr: Option<PipeWriter>,
}

impl Launch {
    /// With this text as its `belfry.yml`, on a free port.
    pub(crate) fn with(config: &str) -> Self {
        Self {
            config: Some(config.to_owned()),
            ..Self::bare()
        }
    }

    /// Without any `belfry.yml`, in a folder where there is none, on a free port.
    pub(crate) fn bare() -> Self {
        Self {
            config: None,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_belfry")),
            data: None,
            listen: "127.0.0.1:0".to_owned(),
            user: None,
            environment: BTreeMap::new(),
            files: None,
            stderr: None,
        }
    }

    /// Is this binary, not the one that was built for the tests.
    pub(crate) fn binary(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.binary);
        self
    }

    /// Keeps its data in this folder, not in a new one.
    pub(crate) fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Listens on this address, not on any free port.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Runs as this user, who can read the configuration and write the data.
    pub(crate) fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Sees this variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Can never have more than so many files open.
    pub(crate) fn files(mut self, limit: u32) -> Self {
        self.files = Some(limit);
        self
    }

    /// Logs into this pipe.
    pub(crate) fn stderr(mut self, pipe: PipeWriter) -> Self {
        self.stderr = Some(pipe);
        self
    }

    /// Watches the containers of this engine, not those of the machine's own.
    pub(crate) fn engine(self, engine: &Engine) -> Self {
        self.env("DOCKER_HOST", &engine.host())
    }

    /// Lives by this clock.
    #[track_caller]
    pub(crate) fn clock(mut self, clock: &Clock) -> Self {
        self.environment.extend(clock.environment());
        self
    }

    /// Starts it, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(self) -> Belfry {
        let mut belfry = Belfry::launch(self);
        belfry.wait_until_it_serves();
        belfry
    }

    /// Starts it where it cannot write its address down: it must listen where it was told.
    #[track_caller]
    pub(crate) fn start_unwritten(self) -> Belfry {
        let mut belfry = Belfry::launch(self);
        belfry.address.clone_from(&belfry.launch.listen);
        let address = belfry.address.clone();
        belfry.process.ready("belfry should serve", || {
            http::get(&address, "/health/live").ok().map(drop)
        });
        belfry
    }

    /// Starts it, and waits until it has given up; returns its exit code and its log.
    #[track_caller]
    pub(crate) fn fail(self) -> (Option<i32>, String) {
        let mut belfry = Belfry::launch(self);
        let status = belfry.process.wait();
        (status.code(), belfry.log())
    }
}

/// A Belfry that was started; it ends with this value.
pub(crate) struct Belfry {
    // First, so that it ends before its folder.
    process: Process,
    launch: Launch,
    address: String,
    scratch: Scratch,
}

impl Belfry {
    #[track_caller]
    fn launch(launch: Launch) -> Self {
        let scratch = Scratch::new();
        scratch.folder_for("data", launch.user.as_deref().unwrap_or("root"));
        if let Some(config) = &launch.config {
            scratch.file("belfry.yml", config);
        }
        let process = spawn(&launch, &scratch);
        Self {
            process,
            launch,
            address: String::new(),
            scratch,
        }
    }

    /// Host and port where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        data(&self.launch, &self.scratch)
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has logged, over all its starts.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Asks it for a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(&self.address, path).unwrap_or_else(|err| panic!("{path}: {err}\n{}", self.log()))
    }

    /// Sends it a body.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        http::post(&self.address, path, body)
            .unwrap_or_else(|err| panic!("{path}: {err}\n{}", self.log()))
    }

    /// The value of one series of `/metrics`, written as there, labels included.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        value.split(' ').next()?.parse().ok()
    }

    /// Writes a new configuration and tells it so with SIGHUP.
    #[track_caller]
    pub(crate) fn reload(&mut self, config: &str) {
        self.scratch.file("belfry.yml", config);
        self.launch.config = Some(config.to_owned());
        self.process.signal(Signal::HUP);
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Starts it again, after its end, on the same data and configuration.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        assert!(self.process.ended().is_some(), "it still runs");
        self.process = spawn(&self.launch, &self.scratch);
        self.wait_until_it_serves();
    }

    /// Waits until a path answers with a status.
    #[track_caller]
    pub(crate) fn wait_for_status(&self, path: &str, status: u16) -> Response {
        poll::until(&format!("{path} should answer {status}"), || {
            http::get(&self.address, path)
                .ok()
                .filter(|response| response.status == status)
        })
    }

    #[track_caller]
    fn wait_until_it_serves(&mut self) {
        let file = self.data().join("address");
        self.address = self.process.ready("belfry should serve", || {
            let address = fs::read_to_string(&file).ok()?.trim().to_owned();
            // The file may still be that of an earlier start.
            http::get(&address, "/health/live").ok().map(|_| address)
        });
    }
}

fn data(launch: &Launch, scratch: &Scratch) -> PathBuf {
    launch
        .data
        .clone()
        .unwrap_or_else(|| scratch.path.join("data"))
}

#[track_caller]
fn spawn(launch: &Launch, scratch: &Scratch) -> Process {
    let mut binary = launch.binary.clone();
    // By way of `env`, so that the variables are for belfry alone: a clock in setpriv's process would be root's.
    let env = program::find("env", "coreutils");
    let mut command = match &launch.user {
        None => Command::new(env),
        Some(user) => {
            // The build folder may be closed to other users.
            let copy = scratch.path.join("belfry");
            fs::copy(&binary, &copy).expect("a copy of the binary");
            binary = copy;
            program::as_user(user, &env)
        }
    };
    let pairs = launch
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    command.arg("--ignore-environment").args(pairs);
    if let Some(files) = launch.files {
        let limit = format!("--nofile={files}:{files}");
        command
            .arg(program::find("prlimit", "util-linux"))
            .arg(limit);
    }
    command.arg(binary).arg("run");
    if launch.config.is_some() {
        command.arg("--config").arg(scratch.path.join("belfry.yml"));
    }
    command
        .arg("--data")
        .arg(data(launch, scratch))
        .args(["--listen", &launch.listen])
        .current_dir(&scratch.path);
    let log = scratch.path.join("belfry.log");
    match &launch.stderr {
        None => Process::spawn("belfry", &mut command, &log),
        Some(pipe) => {
            let output = File::create(&log).expect("a log file");
            let pipe = pipe.try_clone().expect("a second handle of the pipe");
            Process::spawn_apart("belfry", &mut command, &log, output, pipe.into())
        }
    }
}
