//! One of the two programs, with a folder and a port of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::proc;
use crate::support::claim::{self, Claim};
use crate::support::process::Process;
use crate::support::scratch::Scratch;
use crate::support::{http, program};

/// A program that serves.
pub(super) struct Server {
    // The order is that of the end.
    process: Process,
    pub(super) address: String,
    _port: Claim,
    _scratch: Scratch,
}

impl Server {
    /// `belfry alertmanager`.
    pub(super) fn ours(config: &str) -> Self {
        let mut command = Command::new(crate::binary());
        command.arg("alertmanager");
        Self::start(command, config)
    }

    /// Debian's Alertmanager.
    pub(super) fn theirs(config: &str) -> Self {
        let package = "prometheus-alertmanager";
        let binary: PathBuf = program::find(package, package);
        Self::start(Command::new(binary), config)
    }

    fn start(mut command: Command, config: &str) -> Self {
        let scratch = Scratch::new();
        let file = scratch.file("alertmanager.yml", config);
        let port = claim::port();
        let address = format!("127.0.0.1:{}", port.number);
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.path={}",
                scratch.path.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .arg("--log.level=error")
            .current_dir(&scratch.path);
        let mut process = Process::spawn("a server", &mut command, &scratch.path.join("log"));
        process.ready("it should serve", || {
            http::get(&address, "/-/ready").ok().map(drop)
        });
        Self {
            process,
            address,
            _port: port,
            _scratch: scratch,
        }
    }

    /// The memory that it has now.
    pub(super) fn memory(&self) -> proc::Memory {
        proc::Memory::of(self.process.pid())
    }

    /// The most memory since the start, or since it was forgotten, in MiB.
    pub(super) fn peak(&self) -> f64 {
        proc::peak_rss(self.process.pid())
    }

    /// The peak begins anew at what is in use now.
    pub(super) fn forget_peak(&self) {
        let file = format!("/proc/{}/clear_refs", self.process.pid());
        std::fs::write(file, "5").expect("the peak of our own child");
    }
}
