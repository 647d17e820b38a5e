//! What a quiet host costs: memory, processor time and wake-ups while twenty containers run and nobody looks.

use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::proc::{self, Cpu, Memory};
use crate::support::poll;
use crate::{binary, figure};

const MINUTE: Duration = Duration::from_secs(60);

/// Watches the watcher for so many minutes.
pub(crate) fn run(minutes: u32) {
    let host = Host::start();
    let belfry = host.belfry(&binary(), "").start();
    let (pid, began) = (belfry.pid(), Instant::now());
    let collections = || {
        belfry
            .metric("belfry_collections_total")
            .unwrap_or(f64::NAN)
    };
    poll::holds("a first collection", || collections() >= 1.0);
    figure::plain(
        "processor time of the start, with the first collection",
        Cpu::of(pid).total().as_secs_f64() * 1e3,
        "ms",
    );

    // What the start leaves to do is not what a cycle costs.
    let mut peak = 0.0;
    wait(MINUTE.saturating_sub(began.elapsed()), pid, &mut peak);
    memory("after 1 minute", pid, None);
    let (cpu, switches, cycles, from) = (
        Cpu::of(pid),
        proc::switches(pid),
        collections(),
        Instant::now(),
    );
    wait(MINUTE * (minutes.max(2) - 1), pid, &mut peak);
    let cpu = Cpu::of(pid).since(cpu);
    let wakes = (proc::switches(pid) - switches) / from.elapsed().as_secs_f64();
    memory(
        &format!("after {} minutes", minutes.max(2)),
        pid,
        Some(25.0),
    );
    figure::plain("memory (PSS), highest of one look a second", peak, "MiB");
    figure::plain("memory (RSS), peak", proc::peak_rss(pid), "MiB");
    figure::plain("threads", proc::threads(pid), "");

    let cycles = collections() - cycles;
    let per_cycle = |time: Duration| time.as_secs_f64() * 1e3 / cycles;
    figure::budget(
        "processor time per 15 s cycle",
        per_cycle(cpu.total()),
        "ms",
        30.0,
    );
    figure::plain("  of it in user mode", per_cycle(cpu.user), "ms");
    figure::plain("  of it in the kernel", per_cycle(cpu.system), "ms");
    figure::plain("wake-ups (context switches of its threads)", wakes, "1/s");
    for (name, metric, unit, factor) in [
        (
            "last collection, on the clock",
            "belfry_collect_duration_seconds",
            "ms",
            1e3,
        ),
        (
            "last evaluation of all rules, on the clock",
            "belfry_evaluate_duration_seconds",
            "ms",
            1e3,
        ),
        ("series", "belfry_series", "", 1.0),
        (
            "series store, samples",
            "belfry_series_chunk_bytes",
            "KiB",
            1.0 / 1024.0,
        ),
        (
            "series store, index",
            "belfry_series_index_bytes",
            "KiB",
            1.0 / 1024.0,
        ),
        (
            "alerts that fired meanwhile",
            "belfry_alerts{state=\"firing\"}",
            "",
            1.0,
        ),
    ] {
        figure::plain(
            name,
            belfry.metric(metric).unwrap_or(f64::NAN) * factor,
            unit,
        );
    }
}

/// Waits, with a look at the memory each second.
fn wait(time: Duration, pid: u32, peak: &mut f64) {
    let from = Instant::now();
    while from.elapsed() < time {
        *peak = peak.max(Memory::of(pid).pss);
        thread::sleep(Duration::from_secs(1).min(time.saturating_sub(from.elapsed())));
    }
}

fn memory(when: &str, pid: u32, budget: Option<f64>) {
    let now = Memory::of(pid);
    let name = format!("memory (PSS) {when}");
    match budget {
        Some(budget) => figure::budget(&name, now.pss, "MiB", budget),
        None => figure::plain(&name, now.pss, "MiB"),
    }
    figure::plain("  of it anonymous", now.anonymous, "MiB");
    figure::plain("  of it files, mostly the binary", now.file, "MiB");
}
