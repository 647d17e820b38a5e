//! Debian's Prometheus, scraping a Belfry as a user's own would.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::claim::{self, Claim};
use super::http;
use super::process::Process;
use super::program;
use super::scratch::Scratch;

/// A running server with a data folder of its own.
pub(crate) struct Prometheus {
    // First, so that the server ends before its folder.
    _process: Process,
    port: Claim,
    _scratch: Scratch,
}

impl Prometheus {
    /// Scrapes these pages of a Belfry every two seconds, each as a job of its own,
    /// and evaluates the rule files of a folder.
    #[track_caller]
    pub(crate) fn start(belfry: &str, pages: &[&str], rules: &Path) -> Self {
        let scratch = Scratch::new();
        let port = claim::port();
        let mut config = format!(
            "global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}}\n\
             rule_files: ['{}/*.yml']\nscrape_configs:\n",
            rules.display()
        );
        for page in pages {
            let _ = writeln!(
                config,
                "- {{job_name: {page}, metrics_path: /metrics/{page}, honor_labels: true, \
                 static_configs: [{{targets: ['{belfry}'], labels: {{instance: testhost}}}}]}}"
            );
        }
        let file = scratch.file("prometheus.yml", &config);
        let mut command = Command::new(program::find("prometheus", "prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                scratch.path.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{}", port.number));
        let log = scratch.path.join("prometheus.log");
        let mut process = Process::spawn("prometheus", &mut command, &log);
        let address = format!("127.0.0.1:{}", port.number);
        process.ready("prometheus should serve", || {
            http::get(&address, "/-/ready")
                .ok()
                .filter(|answer| answer.status == 200)
        });
        Self {
            _process: process,
            port,
            _scratch: scratch,
        }
    }

    /// The `data` of an answer of its API, or what it says is wrong.
    #[track_caller]
    pub(crate) fn api(&self, path: &str) -> Result<Value, String> {
        let address = format!("127.0.0.1:{}", self.port.number);
        // In the old version, so that it does not answer in chunks.
        let request = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        let answer = http::send(&address, &request).expect("prometheus answers");
        let mut body = answer.json();
        match body["status"].as_str() {
            Some("success") => Ok(body["data"].take()),
            _ => Err(body["error"].to_string()),
        }
    }

    /// What an expression gives now, series by series.
    #[track_caller]
    pub(crate) fn query(&self, expr: &str) -> Result<Vec<Value>, String> {
        let mut data = self.api(&format!("query?query={}", escaped(expr)))?;
        match data["result"].take() {
            Value::Array(series) => Ok(series),
            other => Err(format!("no series: {other}")),
        }
    }
}

/// An expression as a part of a URL.
pub(crate) fn escaped(expr: &str) -> String {
    expr.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}
