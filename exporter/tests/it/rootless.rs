//! An engine that an ordinary user runs, in a user namespace: no part of it is root.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use exporter::container::{Config, State};
use rustix::process::{Pid, Signal, kill_process};

use crate::engine::{IMAGE, image, start_until};
use crate::kernel;
use crate::watch::{Watch, page_with, value, within};

const INSTALL: &str =
    "this test needs a rootless engine: apt-get install -y docker.io rootlesskit uidmap";
/// Who runs it: a user that every Debian has.
const USER: &str = "daemon";
/// Run in a mount namespace of its own, where the user has these subordinate numbers: the
/// machine's own lists stay as they are.
const START: &str = r#"
mount --bind "$HOME/numbers" /etc/subuid
mount --bind "$HOME/numbers" /etc/subgid
exec setpriv --reuid="$USER" --regid="$USER" --clear-groups \
    rootlesskit --net=host --copy-up=/etc --copy-up=/run --state-dir="$XDG_RUNTIME_DIR/k" sh -c '
rm -f /run/docker /run/containerd /run/xtables.lock
exec dockerd --rootless --host "unix://$XDG_RUNTIME_DIR/s" --data-root "$HOME/d" \
    --exec-root "$XDG_RUNTIME_DIR/e" --pidfile "$XDG_RUNTIME_DIR/p" \
    --bridge=none --iptables=false --ip-forward=false'
"#;

/// A running engine, until it is dropped.
struct Rootless {
    folder: tempfile::TempDir,
    kit: Child,
}

impl Rootless {
    fn start() -> Self {
        // The engine's own /run is full of links to the other one, where runc takes no roots.
        let folder = match kernel::is_own() {
            true => tempfile::tempdir_in("/dev/shm"),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let within = |name: &str| folder.path().join(name);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["h", "r"] {
            fs::create_dir(within(name)).unwrap();
        }
        fs::write(within("h/numbers"), format!("{USER}:700000:65536\n")).unwrap();
        let mut own = Command::new("chown");
        own.arg(USER).args(["h", "r"].map(within));
        assert!(own.status().unwrap().success());
        for program in ["rootlesskit", "newuidmap"] {
            let found = Command::new(program).arg("--help").output();
            assert!(found.is_ok(), "{INSTALL}");
        }
        let mut kit = Command::new("unshare");
        kit.args(["--mount", "--propagation=private", "sh", "-ec", START])
            .env("HOME", within("h"))
            .env("XDG_RUNTIME_DIR", within("r"))
            .env("USER", USER);
        let kit = start_until(&mut kit, "API listen on");
        let kit = kit.unwrap_or_else(|err| panic!("{err}"));
        let engine = Self { folder, kit };
        let tar = image(engine.folder.path());
        engine.docker(&["import", tar.to_str().unwrap(), IMAGE]);
        engine
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("r/s")
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let mut client = Command::new("docker");
        client.arg("--host");
        client.arg(format!("unix://{}", self.socket().display()));
        let done = client.args(arguments).output().unwrap();
        let failed = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "docker {arguments:?}: {failed}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn run(&self, name: &str, script: &str) -> String {
        let label = "--label=com.docker.compose.project=shop";
        let options = ["run", "--detach", "--network=none", label, "--name", name];
        self.docker(&[&options[..], &[IMAGE, "/bin/sh", "-c", script]].concat())
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        // It hands this on, and waits for the daemon.
        let _ = kill_process(Pid::from_child(&self.kit), Signal::TERM);
        let _ = self.kit.wait();
    }
}

/// Whether the kernel counts for this container alone: not where a user may make no control
/// groups, as under version 1.
fn is_counted(id: &str, pid: &str) -> bool {
    let groups = fs::read_to_string(Path::new("/proc").join(pid).join("cgroup"));
    groups.unwrap().contains(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_an_engine_without_root_are_told_by_its_own_socket() {
    let engine = Rootless::start();
    let watch = Watch::start(&engine.socket(), Config::default());
    watch.engine(|engine| engine.up).await;
    let id = engine.run("runs", "busybox sleep 1000");
    engine.run("fails", "exit 3");
    let pid = engine.docker(&["inspect", "runs", "--format", "{{.State.Pid}}"]);
    // The container's root is somebody whom nobody knows here.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let owner = status.lines().find(|line| line.starts_with("Uid:"));
    assert!(!owner.unwrap().contains("\t0\t"), "{owner:?}");

    let runs = watch.container("runs", |container| container.pid.is_some());
    assert_eq!(runs.await.pid.map(|pid| pid.to_string()), Some(pid.clone()));
    let fails = watch.container("fails", |container| {
        container.state == State::Exited && container.finished_ms.is_some()
    });
    assert_eq!(fails.await.exit_code, Some(3));

    // What other processes use is not told as the container's; a page whose reader of
    // control groups was late lacks what they tell.
    let counted = is_counted(&id, &pid);
    let used = |page: &str| value(page, "container_memory_usage_bytes", &["name=\"runs\""]);
    let page = page_with(&watch, |page| !counted || used(page).is_some()).await;
    assert_eq!(used(&page).is_some(), counted, "{page}");
    for (name, state) in [("runs", "running"), ("fails", "exited")] {
        let labels = [
            format!("name=\"{name}\""),
            format!("state=\"{state}\""),
            "project=\"shop\"".to_owned(),
        ];
        let labels = labels.each_ref().map(String::as_str);
        // One that has ended is known to have before all else of it is.
        let told = |page: &str| value(page, "belfry_container_state", &labels) == Some(1.0);
        page_with(&watch, told).await;
    }
    assert_eq!(value(&page, "belfry_engine_up", &[]), Some(1.0));
    let family = "belfry_container_files_complete";
    let sized = |page: &str| value(page, family, &["name=\"runs\""]) == Some(1.0);
    page_with(&watch, sized).await;

    let mut changes = watch.containers.changes();
    changes.mark_unchanged();
    engine.docker(&["kill", "runs"]);
    within(changes.changed()).await.unwrap();
    let killed = watch.container("runs", |container| container.exit_code.is_some());
    let killed = killed.await;
    assert_eq!((killed.state, killed.exit_code), (State::Exited, Some(137)));
    watch.stop().await;
}

/// There the user has no control groups either as long as nobody gives him some.
#[test]
fn on_a_kernel_with_cgroup_v2_alone_an_engine_without_root_is_told_of_in_the_same_way() {
    kernel::run(&["rootless::containers_of_an_engine_without_root_are_told_by_its_own_socket"]);
}
