//! A real Redis that keeps nothing, on a free port of loopback.

use std::process::Command;

use super::claim::{self, Claim};
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// A running server without a password.
pub(crate) struct Redis {
    // First, so that the server ends before its folder.
    _process: Process,
    port: Claim,
    _scratch: Scratch,
}

impl Redis {
    /// Starts Debian's Redis.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let scratch = Scratch::new();
        let port = claim::port();
        let mut command = Command::new(program::find("redis-server", "redis-server"));
        command
            .args([
                "--port",
                &port.number.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--dir",
            ])
            .arg(&scratch.path);
        let mut process = Process::spawn(
            "redis-server",
            &mut command,
            &scratch.path.join("redis.log"),
        );
        process.ready("redis should answer", || {
            program::attempt(&mut client(port.number, &["ping"])).ok()
        });
        Self {
            _process: process,
            port,
            _scratch: scratch,
        }
    }

    /// Its port on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.number
    }

    /// Runs a command and returns its answer.
    #[track_caller]
    pub(crate) fn command(&self, words: &[&str]) -> String {
        program::run(&mut client(self.port(), words))
            .trim_end()
            .to_owned()
    }
}

fn client(port: u16, words: &[&str]) -> Command {
    let mut command = Command::new(program::find("redis-cli", "redis-tools"));
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-e"])
        .args(words);
    command
}
