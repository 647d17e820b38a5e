//! A machine in trouble, as a copy of what its kernel would say: where the trouble
//! itself is not to be had.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Watched, quick};
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::scratch::Scratch;

/// What is the same at every look, below the two roots.
const STILL: [(&str, &str); 5] = [
    (
        "proc/meminfo",
        "MemTotal: 4000000 kB\nMemFree: 20000 kB\nMemAvailable: 3000000 kB\n",
    ),
    (
        "proc/pressure/cpu",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
    ),
    ("proc/uptime", "100.00 10.00\n"),
    ("proc/vmstat", "oom_kill 0\npgfault 1\n"),
    ("proc/version", "Linux version 6.1.0\n"),
];

fn write(root: &Path, name: &str, text: &str) {
    let file = root.join(name);
    let folder = file.parent().expect("a folder");
    fs::create_dir_all(folder).expect("room for a copy");
    // At once, so that no look sees a half.
    fs::write(folder.join(".new"), text).expect("room for a copy");
    fs::rename(folder.join(".new"), file).expect("a rename in one folder");
}

/// What grows: so many hundredths of a second after its start.
fn grow(root: &Path, booted: u64, hundredths: u64) {
    // Of two processors all the time is used, and a fifth of it stolen.
    let cpu = |name: &str| {
        let (used, stolen) = (hundredths * 8 / 10, hundredths * 2 / 10);
        format!("{name} {used} 0 0 10 0 0 0 {stolen} 0 0\n")
    };
    let stat = [
        cpu("cpu"),
        cpu("cpu0"),
        cpu("cpu1"),
        format!("btime {booted}\nprocesses 100\nctxt 100\nprocs_running 9\nprocs_blocked 0\n"),
    ];
    write(root, "proc/stat", &stat.concat());
    let stalled = |share: u64| {
        let total = hundredths * 10_000 * share / 100;
        let of = |kind: &str| format!("{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n");
        of("some") + &of("full")
    };
    write(root, "proc/pressure/memory", &stalled(50));
    write(root, "proc/pressure/io", &stalled(60));
    let hung = hundredths / 100;
    write(
        root,
        "proc/sys/kernel/hung_task_detect_count",
        &format!("{hung}\n"),
    );
}

#[test]
fn rules_about_the_machine_fire_by_what_its_kernel_would_say() {
    let roots = Scratch::new();
    for (name, text) in STILL {
        write(&roots.path, name, text);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let mut hundredths = 10_000;
    grow(&roots.path, now.as_secs(), hundredths);
    let (config, kept) = quick(Setup::new());
    let path = roots.path.display();
    let config = config.replace(
        "host: {",
        &format!("host: {{procfs: {path}/proc, sysfs: {path}/sys, "),
    );
    let watched = Watched {
        belfry: Launch::with(&config).start(),
        _kept: kept,
    };
    watched.fires(
        &[
            ("MemoryPressure", "warning"),
            ("CpuSteal", "warning"),
            ("IoPressure", "warning"),
            ("KernelTaskHung", "warning"),
        ],
        || {
            // As much as a second has, each fifth of one.
            hundredths += 100;
            grow(&roots.path, now.as_secs(), hundredths);
        },
    );
}
