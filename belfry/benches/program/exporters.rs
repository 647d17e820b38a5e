//! The exporters alone (`belfry exporter`) beside those that they stand in for: the
//! same sources, scraped at the same time, as a Prometheus does.
//!
//! Twenty containers, twenty databases of fifty tables, Redis, a Celery application
//! at twenty tasks a second, five sites to probe. `BENCH_MINUTES` is the length of the
//! long run with churn, 10 if not set; beside the peers it is five at most.
//! `BENCH_CONTAINERS` is how many make a crowd, 500 if not set.

mod bed;
mod crowd;
mod programs;
mod scrape;

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use bed::Bed;
use programs::Program;

use crate::figure;
use crate::proc::Memory;
use crate::support::fault::HungMount;
use crate::support::poll;

/// How often everything is scraped.
const INTERVAL: Duration = Duration::from_secs(15);

/// What the start leaves to do is over by then.
const WARM_UP: Duration = Duration::from_secs(75);

/// So many looks make a percentile.
const LOOKS: usize = 40;

/// Longer than a page that was made is served again.
const PAUSE: Duration = Duration::from_millis(2_100);

/// Databases are visited once a minute only.
const PATIENCE: Duration = Duration::from_secs(240);

/// All of it, with a long run of so many minutes.
pub(crate) fn run(minutes: u32) {
    {
        let mut bed = Bed::start();
        let ours = beside(&bed, minutes.min(5));
        latency(&mut bed, &ours);
        churn(&bed, &ours, minutes);
    }
    crowd::run();
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

/// How long a scrape of everything takes, also while a source hangs.
fn latency(bed: &mut Bed, ours: &Program) {
    let tell = |what: &str| {
        let took = (0..LOOKS).map(|_| {
            thread::sleep(PAUSE);
            ours.page()
        });
        let mut took: Vec<f64> = took.map(|took| took.as_secs_f64() * 1e3).collect();
        took.sort_by(f64::total_cmp);
        figure::budget(
            &format!("scrape of everything, 95th percentile, {what}"),
            figure::percentile(&took, 0.95),
            "ms",
            50.0,
        );
        figure::plain("  its median", figure::percentile(&took, 0.5), "ms");
    };
    tell("all well");
    {
        let _hung = HungMount::new();
        tell("a mount hangs");
    }
    bed.host.engine.freeze();
    tell("the engine hangs");
    bed.host.engine.thaw();
    for (pid, what) in [
        (bed.redis(), "Redis hangs"),
        (bed.postmaster(), "PostgreSQL hangs"),
    ] {
        let signal = |signal| kill_process(pid, signal).expect("a signal to our own");
        signal(Signal::STOP);
        tell(what);
        signal(Signal::CONT);
    }
    poll::within(PATIENCE, "all should be read again", || {
        bed.whole(ours).then_some(())
    });
}

/// Memory over a long run in which containers, databases and tasks come and go.
fn churn(bed: &Bed, ours: &Program, minutes: u32) {
    let cycles = u64::from(minutes) * 60 / INTERVAL.as_secs();
    let mut seen = Vec::new();
    for number in 0..cycles {
        let began = Instant::now();
        bed.churn(number);
        ours.scrape();
        seen.push(Memory::of(ours.pid()).pss);
        thread::sleep(INTERVAL.saturating_sub(began.elapsed()));
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let quarter = (seen.len() / 4).max(1);
    for (name, part) in ["first", "second", "third", "last"]
        .into_iter()
        .zip(seen.chunks(quarter))
    {
        let name = format!("memory (PSS) under churn, {name} quarter of {minutes} min");
        figure::plain(&name, mean(part), "MiB");
    }
    figure::plain(
        "  its highest",
        seen.iter().copied().fold(0.0, f64::max),
        "MiB",
    );
}
