//! A real S3 server with one bucket, on ports of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use backup::target::{Access, Bucket, Ledger, Target};
use settings::Secret;
use tempfile::TempDir;
use tokio::time::timeout;

use super::claim::{self, Claim};

pub(crate) const KEY_ID: &str = "belfry";
pub(crate) const SECRET: &str = "hunter2hunter2";
pub(crate) const BUCKET: &str = "copies";

/// A running server.
pub(crate) struct Store {
    pub(crate) server: Child,
    pub(crate) port: u16,
    _folder: TempDir,
    _claims: Vec<Claim>,
}

impl Store {
    /// Starts it, and makes the bucket.
    pub(crate) async fn start() -> Self {
        Self::with_volumes_of(64).await
    }

    /// The same with other volumes, in MiB: there are twenty.
    pub(crate) async fn with_volumes_of(mib: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let access = serde_json::json!({"identities": [{
            "name": "belfry",
            "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }]});
        let file = folder.path().join("s3.json");
        std::fs::write(&file, access.to_string()).unwrap();
        let claims: Vec<_> = (0..8).map(|_| claim::port()).collect();
        let ports: Vec<u16> = claims.iter().map(|claim| claim.number).collect();
        let mut command = Command::new(program());
        command.args([
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3",
            "-volume.max=20",
        ]);
        command.args([
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
            "-s3.iam=false",
        ]);
        command.arg(format!("-master.volumeSizeLimitMB={mib}"));
        let names = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port",
            "s3.port.grpc",
        ];
        for (name, port) in names.iter().zip(&ports) {
            command.arg(format!("-{name}={port}"));
        }
        command.arg(format!("-dir={}", folder.path().display()));
        command.arg(format!("-s3.config={}", file.display()));
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let server = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let server = server.current_dir(folder.path()).spawn().unwrap();
        let store = Self {
            server,
            port: ports[6],
            _folder: folder,
            _claims: claims,
        };
        let started = Instant::now();
        let scratch = tempfile::tempdir().unwrap();
        loop {
            // The server makes the bucket with its first file.
            let target = store.target(store.port, scratch.path());
            let put = timeout(
                Duration::from_secs(20),
                target.put("ready", b"yes".to_vec()),
            )
            .await;
            if matches!(put, Ok(Ok(()))) {
                target.delete("ready").await.unwrap();
                return store;
            }
            let waited = started.elapsed();
            assert!(
                waited < Duration::from_secs(120),
                "it should answer: {put:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The bucket, reached by way of this port.
    pub(crate) fn target(&self, port: u16, work: &Path) -> Target {
        Bucket::new(access(port), Ledger::new(work.join("uploads")))
            .unwrap()
            .into()
    }
}

/// How the bucket is reached by way of a port.
pub(crate) fn access(port: u16) -> Access {
    Access {
        name: "r2".into(),
        bucket: BUCKET.into(),
        endpoint: format!("http://127.0.0.1:{port}"),
        region: "auto".into(),
        prefix: "host/of us".replace(' ', "-"),
        key_id: KEY_ID.into(),
        secret: Secret::new(SECRET),
        slowest: 1 << 20,
        limit: 0,
        patience: Duration::from_secs(60),
        abandoned: Duration::from_secs(86_400),
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn program() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/seaweedfs/bin/weed");
    assert!(
        tools.is_file(),
        "the S3 server is not installed: run `make setup`"
    );
    tools
}
