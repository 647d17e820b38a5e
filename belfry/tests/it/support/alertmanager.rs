//! `belfry alertmanager`, as a process with a configuration and a folder of its own.

use std::fs;
use std::process::{Command, Output};

use super::claim::{self, Claim};
use super::http;
use super::process::Process;
use super::scratch::Scratch;

/// The program, running or not.
pub(crate) struct Alone {
    process: Option<Process>,
    port: Claim,
    flags: Vec<String>,
    /// What its environment has besides.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) scratch: Scratch,
}

impl Alone {
    /// With this file and these flags more, not yet started.
    pub(crate) fn with(config: &str, flags: &[&str]) -> Self {
        let alone = Self {
            process: None,
            port: claim::port(),
            environment: Vec::new(),
            flags: flags.iter().map(ToString::to_string).collect(),
            scratch: Scratch::new(),
        };
        alone.configure(config);
        alone
    }

    /// Started, and serving.
    #[track_caller]
    pub(crate) fn start(config: &str, flags: &[&str]) -> Self {
        let mut alone = Self::with(config, flags);
        alone.launch();
        alone.wait();
        alone
    }

    /// Puts another text into the file.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.file(), config).expect("a file in the scratch folder");
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> String {
        let file = self.scratch.path.join("alertmanager.yml");
        file.to_str().expect("a path of ASCII").to_owned()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
        command
            .arg("alertmanager")
            .arg(format!("--config.file={}", self.file()))
            .arg(format!(
                "--storage.path={}",
                self.scratch.path.join("data").display()
            ))
            .arg(format!("--web.listen-address={}", self.address()))
            .arg("--cluster.listen-address=")
            .args(&self.flags)
            .envs(self.environment.iter().cloned())
            .current_dir(&self.scratch.path);
        command
    }

    /// Starts the process, and does not wait for anything.
    pub(crate) fn launch(&mut self) {
        let log = self.scratch.path.join("log");
        let process = Process::spawn("belfry alertmanager", &mut self.command(), &log);
        self.process = Some(process);
    }

    /// Waits until it serves.
    #[track_caller]
    pub(crate) fn wait(&mut self) {
        let address = self.address();
        self.process().ready("it should serve", || {
            http::get(&address, "/-/ready").ok().map(drop)
        });
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it was launched")
    }

    /// Runs it to its end, for one that is to fail.
    pub(crate) fn output(&self) -> Output {
        self.command().output().expect("the binary runs")
    }

    /// Runs Debian's `amtool` against it; what it printed, whether it succeeded.
    #[track_caller]
    pub(crate) fn amtool(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(super::program::find("amtool", "prometheus-alertmanager"));
        command
            .arg(format!("--alertmanager.url=http://{}", self.address()))
            .arg("--no-version-check")
            .args(arguments)
            .env("HOME", &self.scratch.path);
        let output = command.output().expect("amtool runs");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }
}
