//! Debian's Alertmanager, as a counterpart.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::claim::{self, Claim};
use super::{until, web};

/// A running Alertmanager.
pub(crate) struct Peer {
    child: Child,
    pub(crate) url: String,
    _port: Claim,
}

impl Peer {
    /// Starts one with `config` and its files in `folder`.
    pub(crate) async fn start(folder: &Path, config: &str) -> Self {
        Self::start_with(folder, config, &[]).await
    }

    /// The same with more flags.
    pub(crate) async fn start_with(folder: &Path, config: &str, flags: &[&str]) -> Self {
        let file = folder.join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let claim = claim::port();
        let port = claim.number;
        let log = std::fs::File::create(folder.join("alertmanager.log")).unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.join("peer").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .args(flags)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("run: apt-get install prometheus-alertmanager");
        let url = format!("http://127.0.0.1:{port}");
        let peer = Self {
            child,
            url,
            _port: claim,
        };
        until("the counterpart", async || {
            let client = web::client();
            client
                .get(format!("{}/-/ready", peer.url))
                .send()
                .await
                .ok()
        })
        .await;
        assert_eq!(web::get(&peer.url, "/status").await.status, 200);
        peer
    }
}

impl Peer {
    /// Ends it as a service manager does: it writes down what it knows.
    pub(crate) async fn stop(mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").arg(&pid).status().unwrap();
        assert!(told.success());
        until("the counterpart ends", async || {
            self.child.try_wait().unwrap()
        })
        .await;
    }

    /// Takes another configuration.
    pub(crate) async fn reload(&self, folder: &Path, config: &str) {
        std::fs::write(folder.join("alertmanager.yml"), config).unwrap();
        let answer = web::client().post(format!("{}/-/reload", self.url)).send();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `amtool` against a server: its exit code and what it printed.
pub(crate) async fn amtool(url: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new("amtool");
    if !url.is_empty() {
        command
            .arg(format!("--alertmanager.url={url}"))
            .arg("--no-version-check");
    }
    let output = command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("run: apt-get install prometheus-alertmanager");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}
