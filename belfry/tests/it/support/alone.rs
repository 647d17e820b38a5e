//! A Belfry in Prometheus' place, a real Alertmanager, and a page whose text changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::claim::{self, Claim};
use super::http::{self, Response};
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// `belfry prometheus` with a `prometheus.yml` and a data folder of its own.
pub(crate) struct Alone {
    // First, so that it ends before its folder.
    process: Process,
    address: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    pub(crate) scratch: Scratch,
}

impl Alone {
    /// Starts it on a free port, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(scratch: Scratch, config: &str, flags: &[&str]) -> Self {
        Self::within(scratch, config, flags, Vec::new())
    }

    /// The same with these in its environment.
    #[track_caller]
    pub(crate) fn within(
        scratch: Scratch,
        config: &str,
        flags: &[&str],
        environment: Vec<(String, String)>,
    ) -> Self {
        scratch.file("prometheus.yml", config);
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let process = spawn(&scratch.path, &flags, &environment);
        let mut alone = Self {
            process,
            address: String::new(),
            flags,
            environment,
            scratch,
        };
        alone.wait_until_it_serves();
        alone
    }

    /// Host and port where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its address as clients of Prometheus want it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks it for a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(&self.address, path).unwrap_or_else(|err| panic!("{path}: {err}\n{}", self.log()))
    }

    /// Sends it an empty body.
    #[track_caller]
    pub(crate) fn post(&self, path: &str) -> Response {
        http::post(&self.address, path, "")
            .unwrap_or_else(|err| panic!("{path}: {err}\n{}", self.log()))
    }

    /// The `data` of an answer of its API.
    #[track_caller]
    pub(crate) fn data(&self, path: &str) -> Value {
        let mut answer = self.get(path).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }

    /// The value of an expression that gives one element; nothing while it gives none.
    #[track_caller]
    pub(crate) fn value(&self, expr: &str) -> Option<String> {
        let escaped: String = expr.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let data = self.data(&format!("/api/v1/query?query={escaped}"));
        Some(data["result"][0]["value"][1].as_str()?.to_owned())
    }

    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All it has logged.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to end, and returns its exit code.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.process.stop().code()
    }

    /// Waits for its end, and returns its exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().code()
    }

    /// Starts it again on the same data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.process = spawn(&self.scratch.path, &self.flags, &self.environment);
        self.wait_until_it_serves();
    }

    /// The same with other flags.
    #[track_caller]
    pub(crate) fn restart_with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.restart();
    }

    #[track_caller]
    fn wait_until_it_serves(&mut self) {
        let file = self.scratch.path.join("data/address");
        let prefix = self
            .flags
            .iter()
            .find_map(|flag| flag.strip_prefix("--web.route-prefix="))
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_owned();
        self.address = self.process.ready("belfry should serve", || {
            let address = std::fs::read_to_string(&file).ok()?.trim().to_owned();
            // The file may still be that of an earlier start.
            let ready = http::get(&address, &format!("{prefix}/-/ready")).ok()?;
            (ready.status == 200).then_some(address)
        });
    }
}

fn spawn(folder: &Path, flags: &[String], environment: &[(String, String)]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belfry"));
    command
        .arg("prometheus")
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--storage.tsdb.path=data",
        ])
        .args(flags)
        .envs(environment.iter().cloned())
        .env_remove("BELFRY_CONFIG")
        .current_dir(folder);
    Process::spawn("belfry prometheus", &mut command, &folder.join("log"))
}

/// Debian's Alertmanager, which tells nobody.
pub(crate) struct Alertmanager {
    process: Process,
    pub(crate) address: String,
    _port: Claim,
    _scratch: Scratch,
}

impl Alertmanager {
    /// Starts one on a free port.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts one whose configuration has this too.
    #[track_caller]
    pub(crate) fn with(more: &str) -> Self {
        let binary = program::find("prometheus-alertmanager", "prometheus-alertmanager");
        let scratch = Scratch::new();
        scratch.file(
            "alertmanager.yml",
            &format!("route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{more}"),
        );
        let (address, port) = free_address();
        let mut command = Command::new(binary);
        command
            .args(["--config.file=alertmanager.yml", "--storage.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .current_dir(&scratch.path);
        let mut process = Process::spawn("alertmanager", &mut command, &scratch.path.join("log"));
        process.ready("Alertmanager should serve", || {
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

    /// What it knows to be firing.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let answer = http::get(&self.address, "/api/v2/alerts");
        let answer = answer.unwrap_or_else(|err| panic!("{err}\n{}", self.process.log()));
        answer.json().as_array().expect("a list of alerts").clone()
    }
}

/// An address on loopback where nobody listens, and the claim on its port.
pub(crate) fn free_address() -> (String, Claim) {
    let port = claim::port();
    (format!("127.0.0.1:{}", port.number), port)
}

/// A page of metrics that a test changes; served until the test's process ends.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) address: String,
    text: Arc<Mutex<String>>,
}

impl Page {
    /// Serves this text.
    pub(crate) fn serve(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let page = Self {
            address: listener.local_addr().expect("its address").to_string(),
            text: Arc::new(Mutex::new(text.to_owned())),
        };
        let text = Arc::clone(&page.text);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let text = text.lock().expect("the text").clone();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    text.len()
                );
                let _ = stream.write_all(format!("{head}{text}").as_bytes());
            }
        });
        page
    }

    /// Serves another text from here on.
    pub(crate) fn set(&self, text: &str) {
        text.clone_into(&mut self.text.lock().expect("the text"));
    }
}

/// Debian's own configuration of Prometheus.
#[track_caller]
pub(crate) fn debians_config() -> String {
    let file = PathBuf::from("/etc/prometheus/prometheus.yml");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|_| program::missing("/etc/prometheus/prometheus.yml", "prometheus"))
}
