//! Podman's own socket in place of Docker's, on a kernel that has control groups of
//! version 2 alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use exporter::container::{Config, State};

use crate::engine::{IMAGE, image};
use crate::kernel;
use crate::watch::{Watch, page_with, value, within};

const INSTALL: &str = "this test needs Podman: apt-get install -y podman";

/// Podman with a store of its own, and its service.
struct Podman {
    folder: tempfile::TempDir,
    service: Option<Child>,
}

impl Podman {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut podman = Self {
            folder,
            service: None,
        };
        let tar = image(podman.folder.path());
        podman.ask(&["import", "--quiet", tar.to_str().unwrap(), IMAGE]);
        let listens = format!("unix://{}", podman.socket().display());
        let mut service = podman.command();
        service.args(["system", "service", "--time=0", &listens]);
        podman.service = Some(service.stdout(Stdio::null()).spawn().unwrap());
        podman
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        for (option, folder) in [("--root", "r"), ("--runroot", "rr"), ("--tmpdir", "t")] {
            command.arg(option).arg(self.folder.path().join(folder));
        }
        command.args(["--storage-driver=overlay", "--cgroup-manager=cgroupfs"]);
        command
    }

    /// What the command line says, trimmed.
    fn ask(&self, arguments: &[&str]) -> String {
        let done = self.command().args(arguments).output();
        let done = done.unwrap_or_else(|err| panic!("{INSTALL} ({err})"));
        let failed = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "podman {arguments:?}: {failed}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn run(&self, name: &str, options: &[&str], script: &str) -> String {
        let mut arguments = vec!["run", "--detach", "--network=none", "--name", name];
        arguments.extend(options);
        arguments.extend([IMAGE, "/bin/sh", "-c", script]);
        self.ask(&arguments)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_podman_are_told_by_its_own_socket() {
    if !kernel::is_own() {
        kernel::run(&["podman::containers_of_podman_are_told_by_its_own_socket"]);
        return;
    }
    let podman = Podman::start();
    // It starts programs to tell its version, which takes long on such a kernel.
    let config = Config {
        deadline: Duration::from_secs(60),
        ..Config::default()
    };
    // The service listens before long; until then the engine is down.
    let watch = Watch::start(&podman.socket(), config);
    watch.engine(|engine| engine.up).await;

    let options = ["--memory=64m", "--label=com.docker.compose.project=shop"];
    let id = podman.run("runs", &options, "busybox sleep 1000");
    podman.run("fails", &[], "exit 3");
    let runs = watch.container("runs", |container| container.pid.is_some());
    assert_eq!(runs.await.memory_limit, 64 << 20);
    let fails = watch.container("fails", |container| {
        container.state == State::Exited && container.finished_ms.is_some()
    });
    assert_eq!(fails.await.exit_code, Some(3));

    // A page whose reader of control groups was late lacks what they tell.
    let page = page_with(&watch, |page| {
        value(page, "container_threads", &["name=\"runs\""]).is_some()
    })
    .await;
    let of = |family: &str, labels: &[&str]| {
        value(&page, family, labels).unwrap_or_else(|| panic!("no {family} in\n{page}"))
    };
    let own = ["name=\"runs\"", "project=\"shop\""];
    let state = |name: &str, state: &str| {
        let labels = [format!("name=\"{name}\""), format!("state=\"{state}\"")];
        of("belfry_container_state", &[&labels[0], &labels[1]])
    };
    assert_eq!(state("runs", "running"), 1.0);
    assert_eq!(state("fails", "exited"), 1.0);
    assert_eq!(of("belfry_engine_up", &[]), 1.0);
    assert_eq!(
        of("container_spec_memory_limit_bytes", &own[..1]),
        f64::from(64 << 20)
    );
    let group = format!("/sys/fs/cgroup/libpod_parent/libpod-{id}");
    let memory = fs::read_to_string(Path::new(&group).join("memory.current")).unwrap();
    let (ours, theirs) = (
        of("container_memory_usage_bytes", &own[..1]),
        memory.trim().parse::<f64>().unwrap(),
    );
    assert!(
        (ours - theirs).abs() <= theirs * 0.1,
        "{ours} against {theirs}"
    );
    assert_eq!(of("container_threads", &own[..1]), 1.0);

    let mut changes = watch.containers.changes();
    changes.mark_unchanged();
    podman.ask(&["kill", "runs"]);
    within(changes.changed()).await.unwrap();
    let killed = watch.container("runs", |container| container.exit_code.is_some());
    let killed = killed.await;
    assert_eq!((killed.state, killed.exit_code), (State::Exited, Some(137)));
    watch.stop().await;
}
