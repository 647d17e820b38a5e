//! A real Redis that keeps nothing, on a free port of loopback.

use std::path::PathBuf;
use std::process::Command;

use super::claim::{self, Claim};
use super::engine::Engine;
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// A running server.
pub(crate) struct Redis {
    // First, so that the server ends before its folder.
    process: Process,
    options: Vec<String>,
    password: String,
    port: u16,
    _claim: Option<Claim>,
    namespace: Option<i64>,
    scratch: Scratch,
}

impl Redis {
    /// Starts Debian's Redis, without a password.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with_password("")
    }

    /// Starts it with a password; an empty one is none.
    #[track_caller]
    pub(crate) fn with_password(password: &str) -> Self {
        Self::launch("127.0.0.1", Some(claim::port()), None, password)
    }

    /// Starts it where a container is: at its address in a network, on the
    /// usual port.
    #[track_caller]
    pub(crate) fn in_container(
        engine: &Engine,
        container: &str,
        network: &str,
        password: &str,
    ) -> Self {
        let pid = engine.inspect(container, "/State/Pid").as_i64();
        Self::launch(&engine.address(container, network), None, pid, password)
    }

    #[track_caller]
    fn launch(host: &str, claim: Option<Claim>, namespace: Option<i64>, password: &str) -> Self {
        let scratch = Scratch::new();
        let port = claim.as_ref().map_or(6379, |claim| claim.number);
        let socket = socket(&scratch).display().to_string();
        let port_number = port.to_string();
        let options = ["--port", &port_number, "--bind", host, "--save", ""];
        let more = ["--unixsocket", &socket, "--requirepass", password];
        // A test may send its snapshots elsewhere.
        let own = ["--enable-protected-configs", "yes"];
        let options = options
            .iter()
            .chain(&more)
            .chain(&own)
            .map(|word| (*word).to_owned());
        let mut options: Vec<String> = options.collect();
        options.extend(["--dir".to_owned(), scratch.path.display().to_string()]);
        let process = spawn(&scratch, &options, namespace);
        let mut redis = Self {
            process,
            options,
            password: password.to_owned(),
            port,
            _claim: claim,
            namespace,
            scratch,
        };
        redis.wait_until_it_answers();
        redis
    }

    /// Stops it.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts it again, after [`Redis::stop`], on the same port.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.process = spawn(&self.scratch, &self.options, self.namespace);
        self.wait_until_it_answers();
    }

    #[track_caller]
    fn wait_until_it_answers(&mut self) {
        let mut ask = self.client(&["ping"]);
        self.process
            .ready("redis should answer", || program::attempt(&mut ask).ok());
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command and returns its answer.
    #[track_caller]
    pub(crate) fn command(&self, words: &[&str]) -> String {
        program::run(&mut self.client(words)).trim_end().to_owned()
    }

    /// Runs a command that may be refused.
    pub(crate) fn attempt(&self, words: &[&str]) -> Result<String, String> {
        program::attempt(&mut self.client(words))
    }

    fn client(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program::find("redis-cli", "redis-tools"));
        command.arg("-s").arg(socket(&self.scratch)).arg("-e");
        if !self.password.is_empty() {
            command.args(["--no-auth-warning", "-a", &self.password]);
        }
        command.args(words);
        command
    }
}

/// There whatever network the server is in.
fn socket(scratch: &Scratch) -> PathBuf {
    scratch.path.join("redis.sock")
}

#[track_caller]
fn spawn(scratch: &Scratch, options: &[String], namespace: Option<i64>) -> Process {
    let server = Command::new(program::find("redis-server", "redis-server"));
    let mut command = program::in_network(namespace, server);
    command.args(options);
    let log = scratch.path.join("redis.log");
    Process::spawn("redis-server", &mut command, &log)
}
