//! A machine in trouble that is real and harms nobody else: a boot that only one
//! process has seen, work that gives way to all other, and processes that only wait.

use std::path::PathBuf;
use std::process::Command;
use std::{fs, thread};

use super::{Watched, quick};
use crate::setup::Setup;
use crate::support::belfry::Launch;
use crate::support::fault::FreezableDisk;
use crate::support::process::Process;
use crate::support::program;
use crate::support::scratch::Scratch;

/// Starts Belfry in a time of its own, in which the machine was booted so many seconds ago.
fn booted_ago(scratch: &Scratch, seconds: i64) -> PathBuf {
    let uptime = fs::read_to_string("/proc/uptime").expect("the time since the boot");
    let uptime = uptime.split('.').next().and_then(|text| text.parse().ok());
    let uptime: i64 = uptime.expect("seconds");
    let unshare = program::find("unshare", "util-linux");
    let script = format!(
        "#!/bin/sh\nexec {} --time --boottime {} {} \"$@\"\n",
        unshare.display(),
        seconds - uptime,
        env!("CARGO_BIN_EXE_belfry")
    );
    let file = scratch.file("booted", &script);
    program::run(Command::new("chmod").arg("755").arg(&file));
    file
}

#[test]
fn the_rule_about_boots_fires_for_a_machine_that_was_just_started() {
    let scratch = Scratch::new();
    let (config, kept) = quick(Setup::new());
    let launch = Launch::with(&config).binary(&booted_ago(&scratch, 60));
    Watched::launch(launch, kept).fires(&[("HostRebooted", "info")], || {});
}

/// Work on every processor that gives way to any other.
fn idle_work(scratch: &Scratch) -> Vec<Process> {
    let chrt = program::find("chrt", "util-linux");
    let processors = thread::available_parallelism().expect("a number").get();
    let start = |at| {
        let mut command = Command::new(&chrt);
        command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
        let log = scratch.path.join(format!("work-{at}"));
        Process::spawn("work", &mut command, &log)
    };
    (0..processors).map(start).collect()
}

#[test]
fn rules_about_load_fire_for_busy_processors_and_processes_that_wait() {
    let scratch = Scratch::new();
    let _work = idle_work(&scratch);
    // Who waits for a disk counts as load, and takes no time of the processors.
    let mut disk = FreezableDisk::new();
    disk.freeze();
    let waiting: Vec<_> = (0..300)
        .map(|at| {
            let file = disk.path().join(at.to_string());
            thread::spawn(move || fs::write(file, ""))
        })
        .collect();
    let watched = Watched::start(Setup::new());
    watched.fires(&[("LoadHigh", "warning")], || {});
    // At once: all that run here see the load, and for as long as its average lasts.
    disk.thaw();
    for one in waiting {
        let _ = one.join();
    }
    watched.fires(&[("CpuBusy", "info")], || {});
}
