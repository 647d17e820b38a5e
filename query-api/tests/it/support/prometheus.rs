//! Debian's Prometheus, as a program of its own.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Server;
use super::claim::{self, Claim};

/// A Prometheus that ends with the test.
pub(crate) struct Prometheus {
    pub(crate) server: Server,
    child: Child,
    /// Deleted with it.
    _dir: TempDir,
    _port: Claim,
}

impl Prometheus {
    /// Starts one with this configuration and these rules.
    pub(crate) async fn start(config: &str, rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("prometheus.yml"), config).unwrap();
        fs::write(dir.path().join("rules.yml"), rules).unwrap();
        let port = claim::port();
        let address = format!("127.0.0.1:{}", port.number);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(program("prometheus"))
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|err| panic!("{}: {err}", missing("prometheus")));
        let server = Server::at(format!("http://{address}"));
        if !is_ready(&server, &mut child).await {
            let log = fs::read_to_string(dir.path().join("log")).unwrap();
            panic!("Prometheus does not start:\n{log}");
        }
        Self {
            server,
            child,
            _dir: dir,
            _port: port,
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it answers; false if it has ended.
async fn is_ready(server: &Server, child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        let ready = server.request(reqwest::Method::GET, "/-/ready").send();
        if ready.await.is_ok_and(|response| response.status() == 200) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// Runs `promtool`; what it prints and how it ends.
pub(crate) async fn promtool(args: &[&str]) -> Output {
    let mut command = Command::new(program("promtool"));
    command.args(args).stdin(Stdio::null());
    let run = move || {
        let output = command.output();
        output.unwrap_or_else(|err| panic!("{}: {err}", missing("promtool")))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Debian's own, whatever else is on the path.
fn program(name: &str) -> String {
    format!("/usr/bin/{name}")
}

fn missing(name: &str) -> String {
    format!("{name} is missing here; install it: apt-get install prometheus")
}
