//! A real manager of systemd's, with units of a test's own.
//!
//! It runs as a manager for one user, in a namespace of mounts in which the
//! machine looks as if systemd had started it, so that it runs where systemd
//! is not the first process too.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use exporter::host::{Config, Host};

use crate::watch::value;

const INSTALL: &str =
    "this test needs systemd and util-linux: apt-get install -y systemd util-linux";
const START: &str = "mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/systemd/system && \
                     exec /lib/systemd/systemd --user --unit=default.target --log-target=console";

#[derive(Debug)]
struct Manager {
    folder: tempfile::TempDir,
    child: Child,
}

impl Drop for Manager {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Manager {
    fn start(units: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("home/.config/systemd/user");
        fs::create_dir_all(&own).unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        for (name, text) in units {
            fs::write(own.join(name), text).unwrap();
        }
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", START])
            .env("HOME", folder.path().join("home"))
            .env("XDG_RUNTIME_DIR", folder.path().join("run"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|err| panic!("{INSTALL} ({err})"));
        let manager = Self { folder, child };
        let begun = Instant::now();
        while !manager.socket().exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "{INSTALL}: it does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        manager
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/systemd/private")
    }

    fn systemctl(&self, arguments: &[&str]) -> String {
        let done = Command::new("systemctl")
            .arg("--user")
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .output()
            .unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_timers_and_sockets_of_a_real_manager_are_told() {
    let manager = Manager::start(&[
        ("steady.service", "[Service]\nExecStart=/bin/sleep 1000\n"),
        (
            "broken.service",
            "[Service]\nType=oneshot\nExecStart=/bin/false\n",
        ),
        (
            "again.service",
            "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=600\n[Service]\nExecStart=/bin/false\nRestart=on-failure\nRestartSec=20ms\n",
        ),
        (
            "job.service",
            "[Service]\nType=oneshot\nExecStart=/bin/true\n",
        ),
        ("job.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\n"),
        (
            "door.socket",
            "[Socket]\nListenStream=%t/door\nAccept=yes\n",
        ),
        (
            "door@.service",
            "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n",
        ),
    ]);
    for unit in [
        "steady.service",
        "broken.service",
        "again.service",
        "job.timer",
        "door.socket",
    ] {
        manager.systemctl(&["start", unit]);
    }
    let host = || {
        Host::new(Config {
            systemd: Some(manager.socket()),
            patience: Duration::from_millis(900),
            ..Config::default()
        })
    };
    let state = |page: &str, name: &str, state: &str| {
        let labels = [&*format!("name=\"{name}\""), &format!("state=\"{state}\"")];
        value(page, "node_systemd_unit_state", &labels)
    };
    let begun = Instant::now();
    // Another reader each time: what is asked unit by unit is kept for a minute.
    let page = loop {
        let page = host().page().await;
        let fired = value(
            &page,
            "node_systemd_timer_last_trigger_seconds",
            &["job.timer"],
        );
        let restarts = value(
            &page,
            "node_systemd_service_restart_total",
            &["again.service"],
        );
        if fired.is_some_and(|when| when > 0.0)
            && state(&page, "again.service", "failed") == Some(1.0)
            && restarts.is_some()
        {
            break page;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(state(&page, "steady.service", "active"), Some(1.0));
    assert_eq!(state(&page, "steady.service", "failed"), Some(0.0));
    assert_eq!(state(&page, "broken.service", "failed"), Some(1.0));
    assert!(
        page.contains("name=\"broken.service\",state=\"failed\",type=\"oneshot\""),
        "{page}"
    );
    let restarts = ["again.service"];
    let told = manager.systemctl(&["show", "--property=NRestarts", "--value", "again.service"]);
    assert_eq!(
        value(&page, "node_systemd_service_restart_total", &restarts),
        told.trim().parse().ok()
    );
    let failed = manager.systemctl(&["list-units", "--failed", "--plain", "--no-legend"]);
    assert_eq!(
        value(&page, "node_systemd_units", &["state=\"failed\""]),
        Some(failed.lines().count() as f64),
        "{failed}"
    );
    let version = manager.systemctl(&["--version"]);
    let number = version.split(' ').nth(1).unwrap();
    let ours = value(&page, "node_systemd_version", &[]).unwrap();
    assert_eq!(ours.trunc(), number.parse::<f64>().unwrap().trunc());

    let path = manager.folder.path().join("run/door");
    let held: Vec<_> = (0..2)
        .map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap())
        .collect();
    let begun = Instant::now();
    loop {
        let page = host().page().await;
        let of = |family: &str| {
            value(
                &page,
                &format!("node_systemd_socket_{family}"),
                &["door.socket"],
            )
        };
        if of("accepted_connections_total") == Some(2.0) && of("current_connections") == Some(2.0) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(held);
}

#[tokio::test]
async fn a_bus_that_never_answers_costs_its_collector_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("private");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let host = Host::new(Config {
        systemd: Some(socket),
        patience: Duration::from_millis(200),
        ..Config::default()
    });
    let begun = Instant::now();
    loop {
        let page = host.page().await;
        assert_eq!(
            value(
                &page,
                "belfry_host_collector_failed",
                &["collector=\"systemd\""]
            ),
            Some(1.0)
        );
        // Others may be late by themselves on a busy machine, but not for long.
        if value(&page, "node_memory_MemTotal_bytes", &[]).is_some() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{page}");
    }
}
