//! The exporters alone (`belfry exporter`) beside those that they stand in for: the
//! same sources, scraped at the same time, as a Prometheus does.
//!
//! Twenty containers, twenty databases of fifty tables, Redis, a Celery application
//! at twenty tasks a second, five sites to probe. Beside the peers it runs for
//! `BENCH_MINUTES`, five at most. The parts can be picked by name as well: `beside`,
//! `latency`, `churn`, `crowd`.

mod bed;
mod churn;
mod crowd;
mod latency;
mod programs;
mod scrape;

use std::thread;
use std::time::{Duration, Instant};

use bed::Bed;
use programs::Program;

use crate::figure;
use crate::proc::Memory;

/// How often everything is scraped.
const INTERVAL: Duration = Duration::from_secs(15);

/// What the start leaves to do is over by then.
const WARM_UP: Duration = Duration::from_secs(75);

/// Longer than a page that was made is served again.
const PAUSE: Duration = Duration::from_millis(2_100);

/// Databases are visited once a minute only.
const PATIENCE: Duration = Duration::from_secs(240);

/// Those of its parts that are wanted.
pub(crate) fn run(minutes: u32, wanted: impl Fn(&str) -> bool) {
    let wanted = |part| wanted("exporters") || wanted(part);
    if ["beside", "latency", "churn"].into_iter().any(wanted) {
        let mut bed = Bed::start();
        let ours = if wanted("beside") {
            beside(&bed, minutes.min(5))
        } else {
            programs::alone(&bed)
        };
        if wanted("latency") {
            latency::run(&mut bed, &ours);
        }
        if wanted("churn") {
            churn::run(&bed, &ours);
        }
    }
    if wanted("crowd") {
        crowd::run();
    }
}

/// Scrapes ours and the peers each interval; returns ours, which goes on.
fn beside(bed: &Bed, minutes: u32) -> Program {
    let mut all = programs::start(bed);
    bed.wait_until_counted();
    for program in &mut all {
        program.check();
    }
    let cycles = |time: Duration| (time.as_secs() / INTERVAL.as_secs()).max(1);
    for _ in 0..cycles(WARM_UP) {
        cycle(&all);
    }
    let before: Vec<_> = all.iter().map(Program::cpu).collect();
    let count = cycles(Duration::from_secs(60) * minutes);
    for _ in 0..count {
        cycle(&all);
    }
    println!(
        "\n{:<30} {:>12} {:>12} {:>12} {:>12}",
        "per 15 s cycle", "CPU, ms", "user", "kernel", "PSS, MiB"
    );
    let (mut peers_cpu, mut peers_memory) = (0.0, 0.0);
    let (mut our_cpu, mut our_memory) = (0.0, 0.0);
    for (at, (program, before)) in all.iter().zip(before).enumerate() {
        let cpu = program.cpu().since(before);
        let memory = Memory::of(program.pid()).pss;
        let per_cycle = |time: Duration| time.as_secs_f64() * 1e3 / count as f64;
        println!(
            "{:<30} {:>12.1} {:>12.1} {:>12.1} {:>12.1}",
            program.name,
            per_cycle(cpu.total()),
            per_cycle(cpu.user),
            per_cycle(cpu.system),
            memory
        );
        if at == 0 {
            (our_cpu, our_memory) = (per_cycle(cpu.total()), memory);
        } else {
            peers_cpu += per_cycle(cpu.total());
            peers_memory += memory;
        }
    }
    println!(
        "{:<30} {peers_cpu:>12.1} {:>12} {:>12} {peers_memory:>12.1}",
        "the peers' sum", "", ""
    );
    for missing in programs::missing() {
        println!("left out, since it is not installed: {missing}");
    }
    println!();
    figure::head();
    let part = |ours: f64, theirs: f64| ours / theirs * 100.0;
    figure::budget(
        "exporters' CPU per cycle, of the peers' sum",
        part(our_cpu, peers_cpu),
        "%",
        10.0,
    );
    figure::budget(
        "exporters' memory (PSS), of the peers' sum",
        part(our_memory, peers_memory),
        "%",
        12.5,
    );
    all.swap_remove(0)
}

/// One scrape of each, and the rest of the interval.
fn cycle(all: &[Program]) {
    let began = Instant::now();
    for program in all {
        program.scrape();
    }
    thread::sleep(INTERVAL.saturating_sub(began.elapsed()));
}
