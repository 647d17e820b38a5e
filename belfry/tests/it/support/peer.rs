//! Debian's Prometheus, to compare with.

use std::process::Command;

use serde_json::Value;

use super::alone::free_address;
use super::claim::Claim;
use super::process::Process;
use super::scratch::Scratch;
use super::{http, program};

/// A Prometheus that ends with the test.
pub(crate) struct Prometheus {
    process: Process,
    address: String,
    _port: Claim,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts one on a free port with this configuration.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        let binary = program::find("prometheus", "prometheus");
        let scratch = Scratch::new();
        scratch.file("prometheus.yml", config);
        let (address, port) = free_address();
        let mut command = Command::new(binary);
        command
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .current_dir(&scratch.path);
        let mut process = Process::spawn("prometheus", &mut command, &scratch.path.join("log"));
        process.ready("Prometheus should be ready", || {
            let ready = http::get(&address, "/-/ready").ok()?;
            (ready.status == 200).then_some(())
        });
        Self {
            process,
            address,
            _port: port,
            _scratch: scratch,
        }
    }

    /// The `data` of an answer of its API.
    #[track_caller]
    pub(crate) fn data(&self, path: &str) -> Value {
        let answer = http::get(&self.address, path);
        let answer = answer.unwrap_or_else(|err| panic!("{err}\n{}", self.process.log()));
        let mut answer = answer.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }
}
