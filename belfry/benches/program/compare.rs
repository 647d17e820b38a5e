//! Several builds beside each other on one host, read by people and Prometheus, with containers that come and go.
//!
//! For choices that only a long run can show, such as that of an allocator.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::proc::{self, Cpu, Memory};
use crate::support::belfry::Belfry;
use crate::support::container::Container;

/// How often pages are read, and a container is replaced.
const EVERY: Duration = Duration::from_secs(15);

/// First with page views alone, then with containers that come and go as well; `minutes` each.
pub(crate) fn run(binaries: Vec<PathBuf>, minutes: u32) {
    let host = Host::start();
    let running: Vec<(PathBuf, Belfry)> = binaries
        .into_iter()
        .map(|binary| {
            let belfry = host.belfry(&binary, "").start();
            (binary, belfry)
        })
        .collect();
    println!(
        "{:<24} {:>8} {:>10} {:>10} {:>10} {:>9} {:>8}",
        "binary", "minute", "PSS MiB", "anonymous", "peak RSS", "ms/cycle", "threads"
    );
    let mut children = 0;
    phase(&running, minutes, || {});
    phase(&running, minutes, || {
        let name = |number: u32| format!("guest-{number}");
        if children >= 3 {
            host.engine.docker(&["rm", "--force", &name(children - 3)]);
        }
        host.engine.run(&Container::named(&name(children)));
        children += 1;
    });
}

/// Reads the pages of all for so long, and then says what each has cost.
fn phase(running: &[(PathBuf, Belfry)], minutes: u32, mut meanwhile: impl FnMut()) {
    let before: Vec<Cpu> = running.iter().map(|(_, of)| Cpu::of(of.pid())).collect();
    let from = Instant::now();
    let rounds = minutes * 60 / u32::try_from(EVERY.as_secs()).expect("seconds");
    for round in 1..=rounds {
        for (_, belfry) in running {
            belfry.get("/");
            belfry.get("/metrics");
        }
        meanwhile();
        thread::sleep((EVERY * round).saturating_sub(from.elapsed()));
    }
    for ((binary, belfry), before) in running.iter().zip(before) {
        let pid = belfry.pid();
        let memory = Memory::of(pid);
        let cpu = Cpu::of(pid).since(before).total().as_secs_f64() * 1e3;
        println!(
            "{:<24} {:>8} {:>10.2} {:>10.2} {:>10.2} {:>9.2} {:>8}",
            name(binary),
            minutes,
            memory.pss,
            memory.anonymous,
            proc::peak_rss(pid),
            cpu / f64::from(rounds),
            proc::threads(pid)
        );
    }
}

fn name(binary: &Path) -> String {
    binary
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
