//! A real systemd, as the first process of namespaces of its own, with units of
//! the test's own: services and timers in every state.

use std::path::Path;
use std::process::Command;

use healthchecks::probe::Reason;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Process, find, look, until};

/// Only what the test brings; and nothing of the machine's own control groups.
const START: &str = r#"set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /sys/fs/cgroup
if ! mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null || ! mkdir /sys/fs/cgroup/try 2>/dev/null; then
    umount /sys/fs/cgroup 2>/dev/null || true
    mkdir -p /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
else
    rmdir /sys/fs/cgroup/try
fi
export container=docker SYSTEMD_UNIT_PATH=$1
exec /lib/systemd/systemd --system --unit=default.target --log-target=console
"#;

/// Name, and what stands behind `[Unit]`.
const UNITS: [(&str, &str); 9] = [
    ("default.target", ""),
    ("good.service", "[Service]\nExecStart=/bin/sleep 6000\n"),
    ("stopped.service", "[Service]\nExecStart=/bin/sleep 6000\n"),
    ("bad.service", "[Service]\nExecStart=/bin/false\n"),
    (
        "looping.service",
        "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=600\n",
    ),
    (
        "job.service",
        "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    ),
    (
        "job.timer",
        "[Timer]\nOnActiveSec=1s\nAccuracySec=1ms\nOnUnitActiveSec=6h\n",
    ),
    (
        "sorry.service",
        "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    ),
    (
        "sorry.timer",
        "[Timer]\nOnActiveSec=1s\nAccuracySec=1ms\nOnUnitActiveSec=6h\n",
    ),
];

/// systemd with these units; the path of a systemctl that reaches it.
fn start(folder: &Path) -> (Process, String) {
    let units = folder.join("units");
    std::fs::create_dir(&units).unwrap();
    for (name, text) in UNITS {
        let text = format!("[Unit]\nDefaultDependencies=no\n{text}");
        std::fs::write(units.join(name), text).unwrap();
    }
    let script = folder.join("start");
    std::fs::write(&script, START).unwrap();
    let mut command = Command::new(find("unshare", "util-linux"));
    command
        .args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"])
        .args(["--uts", "--ipc", "--cgroup", "--net", "--", "sh"])
        .arg(&script)
        .arg(&units);
    find("systemctl", "systemd");
    let process = Process::start(&mut command, &folder.join("log"));
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let first = until("the namespaces should be made", || {
        let text = std::fs::read_to_string(&children).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    });
    let systemctl = folder.join("systemctl");
    let text = format!("#!/bin/sh\nexec nsenter -t {first} -m -p -- systemctl \"$@\"\n");
    std::fs::write(&systemctl, text).unwrap();
    run_ok(Command::new("chmod").arg("755").arg(&systemctl));
    until("systemd should answer", || {
        let mut ask = Command::new(&systemctl);
        let state = ask.args(["show", "-P", "ActiveState", "default.target"]);
        let state = state.output().ok()?.stdout;
        state.starts_with(b"active").then_some(())
    });
    (process, systemctl.display().to_string())
}

fn run_ok(command: &mut Command) {
    crate::support::run(command);
}

#[tokio::test]
async fn each_state_of_a_real_unit_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (systemd, systemctl) = start(folder.path());
    for unit in [
        "good.service",
        "bad.service",
        "looping.service",
        "job.timer",
        "sorry.timer",
    ] {
        let _ = Command::new(&systemctl).args(["start", unit]).output();
    }
    until("both timers should have gone off", || {
        ["job.service", "sorry.service"]
            .iter()
            .all(|unit| {
                let mut ask = Command::new(&systemctl);
                let said = ask.args(["show", "-P", "InactiveEnterTimestamp", unit]);
                said.output().is_ok_and(|said| said.stdout.len() > 5)
            })
            .then_some(())
    });
    let module =
        |rest: &str| format!("{{prober: systemd, systemd: {{program: {systemctl:?}{rest}}}}}");
    for (unit, rest, expected) in [
        ("good", "", None),
        ("good.service", "", None),
        ("stopped", "", Some(Reason::NotServing)),
        ("stopped", ", states: [inactive]", None),
        ("bad", "", Some(Reason::NotServing)),
        ("looping", "", Some(Reason::NotServing)),
        ("job", "", None),
        ("job.timer", "", None),
        ("job.timer", ", max_age: 1h", None),
        ("job.timer", ", max_age: 0s", Some(Reason::Overdue)),
        ("sorry.timer", "", Some(Reason::NotServing)),
        ("absent.timer", "", Some(Reason::Missing)),
        ("absent", "", Some(Reason::Missing)),
    ] {
        let outcome = look(unit, &module(rest)).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{unit}{rest}: {:?}", outcome.failure);
        let active = outcome.samples.get("belfry_probe_systemd_active", &[]);
        assert_eq!(
            active,
            Some(f64::from(u8::from(expected.is_none()))),
            "{unit}"
        );
    }
    let outcome = look("job.timer", &module("")).await;
    let name = "belfry_probe_systemd_last_trigger_timestamp_seconds";
    let now = jiff::Timestamp::now().as_second() as f64;
    let at = outcome.samples.get(name, &[]).unwrap();
    assert!(at <= now && now - at < 600.0, "{at} {now}");
    // One that hangs: it is stopped, not ended, so that its socket takes whoever comes.
    let first = std::fs::read_to_string(&systemctl).unwrap();
    let first = first.split(' ').skip_while(|word| *word != "-t").nth(1);
    let first = Pid::from_raw(first.unwrap().parse().unwrap()).unwrap();
    kill_process(first, Signal::STOP).unwrap();
    let short = module("").replace("prober: systemd,", "prober: systemd, timeout: 1s,");
    let outcome = look("good", &short).await;
    assert_eq!(outcome.failure.unwrap().reason, Reason::Timeout);
    kill_process(first, Signal::CONT).unwrap();
    drop(systemd);
}
