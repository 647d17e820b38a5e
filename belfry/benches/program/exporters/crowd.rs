//! What a container costs among twenty, and among hundreds.
//!
//! `BENCH_CONTAINERS` is how many there are one after the other, `20,100,500` if not set;
//! no more than the limit on tasks, which others here live under too, leaves room for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::PAUSE;
use super::programs::{self, Program};
use crate::figure;
use crate::proc::Memory;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::scratch::Scratch;
use crate::support::{poll, program};

/// Of so many scrapes the cost is a mean.
const LOOKS: u32 = 40;

/// What starts a container, and stays beside it.
const SHIM: &str = "containerd-shim-runc-v2";

/// In its place: one for all containers whose ids end in the same digit. It is started in
/// a container's folder, which has the name of the container's id.
const SHARED: &str = r#"#!/bin/sh
group=$(pwd | tail -c 2)
case " $* " in *" start "*)
    sed -i 's/^{/{"annotations":{"io.containerd.runc.v2.group":"'$group'"},/' config.json
esac
exec REAL "$@"
"#;

/// Threads that each container takes: its own, and its part of the engine's.
const THREADS: usize = 2;

/// Threads that are left to all others.
const SPARED: usize = 1_000;

/// Hundreds of containers take their time to start, and to be read.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn run() {
    let counts = std::env::var("BENCH_CONTAINERS").unwrap_or("20,100,500".into());
    let engine = Engine::start_in(sharing());
    let ours = programs::ours(
        &format!("host: bench\nexporter: {{engine: {:?}}}\n", engine.socket()),
        &["container"],
        Vec::new(),
    );
    let mut have = 0;
    let mut first = None;
    for count in counts.split(',') {
        let count: usize = count.parse().expect("a number of containers");
        let room = have + room().unwrap_or(usize::MAX - have);
        if count > room {
            println!("{count} containers: the limit on tasks leaves room for {room}");
        }
        let count = count.min(room);
        fill(&engine, have, count);
        have = count;
        poll::within(PATIENCE, "all containers should be read", || {
            (running(&ours) >= count).then_some(())
        });
        let before = ours.cpu();
        for _ in 0..LOOKS {
            thread::sleep(PAUSE);
            ours.page();
        }
        let scrape = ours.cpu().since(before).total() / LOOKS;
        let each = scrape.as_secs_f64() * 1e6 / count as f64;
        let name = format!("CPU per container and scrape, {count} containers");
        match first {
            None => figure::plain(&name, each, "us"),
            Some(budget) => figure::budget(&name, each, "us", budget),
        }
        figure::plain("  of a whole scrape", scrape.as_secs_f64() * 1e3, "ms");
        figure::plain("  memory (PSS)", Memory::of(ours.pid()).pss, "MiB");
        first = first.or(Some(f64::round(each)));
    }
}

/// A folder for an engine whose containers share the processes that look after them: each
/// such process has a dozen threads, and each container one of its own else.
fn sharing() -> Scratch {
    let scratch = Scratch::new();
    let real = program::find(SHIM, "containerd");
    let folder = scratch.path.join("programs");
    fs::create_dir(&folder).expect("a folder for the script");
    let script = SHARED.replace("REAL", &real.display().to_string());
    let file = folder.join(SHIM);
    fs::write(&file, script).expect("the script");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the right to run it");
    scratch
}

/// How many more containers our control group lets run; nothing when it has no limit.
fn room() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| {
        let (kinds, path) = line.split_once(':')?.1.split_once(':')?;
        match kinds {
            "pids" => Some(format!("/sys/fs/cgroup/pids{path}")),
            // Version 2, unless version 1 counts them.
            "" => Some(format!("/sys/fs/cgroup{path}")),
            _ => None,
        }
    })?;
    let read = |file: &str| -> Option<usize> {
        let text = fs::read_to_string(format!("{path}/{file}")).ok()?;
        text.trim().parse().ok()
    };
    let left = read("pids.max")?.saturating_sub(read("pids.current")? + SPARED);
    Some(left / THREADS)
}

/// Starts containers, several at a time, until there are so many.
fn fill(engine: &Engine, have: usize, count: usize) {
    let next = AtomicUsize::new(have);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let container = Container::named(&format!("crowd-{number}"));
                    engine.run(&container.script("exec sleep 1000000"));
                }
            });
        }
    });
}

fn running(ours: &Program) -> usize {
    let text = ours.text();
    let lines = text.lines();
    lines
        .filter(|line| line.starts_with("container_last_seen{") && line.contains("name=\"crowd-"))
        .count()
}
