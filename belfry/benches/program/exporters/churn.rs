//! Memory over a long run in which containers, databases and tasks come and go.
//!
//! `BENCH_CHURN` is its length in minutes, 60 if not set.

use std::thread;
use std::time::Instant;

use super::INTERVAL;
use super::bed::Bed;
use super::programs::Program;
use crate::figure;
use crate::proc::Memory;

/// Minutes of which one line tells.
const SPAN: u64 = 5;

/// Minutes that say nothing of the slope: what is bounded fills up in them.
const WARM_UP: u64 = 10;

/// One look at the memory, so many minutes after the start.
struct Look {
    minute: f64,
    memory: Memory,
}

/// Watches `ours` while everything that it reads changes each cycle.
pub(super) fn run(bed: &Bed, ours: &Program) {
    let minutes = std::env::var("BENCH_CHURN").map_or(60, |text| text.parse().expect("minutes"));
    let began = Instant::now();
    let minute = || began.elapsed().as_secs_f64() / 60.0;
    let (mut looks, mut told) = (Vec::new(), 0);
    for number in 0.. {
        let cycle = Instant::now();
        bed.churn(number);
        ours.scrape();
        looks.push(Look {
            minute: minute(),
            memory: Memory::of(ours.pid()),
        });
        if minute() as u64 >= told + SPAN {
            tell(&looks, told);
            told += SPAN;
        }
        if minute() >= minutes as f64 {
            break;
        }
        thread::sleep(INTERVAL.saturating_sub(cycle.elapsed()));
    }
    let warm = WARM_UP.min(minutes / 4) as f64;
    let after: Vec<&Look> = looks.iter().filter(|look| look.minute >= warm).collect();
    let slope = |part: fn(&Memory) -> f64| {
        let points = after.iter().map(|look| (look.minute, part(&look.memory)));
        figure::slope(&points.collect::<Vec<_>>()) * 60.0 * 1024.0
    };
    let name = format!("memory (PSS) under churn, slope after {warm} of {minutes} min");
    figure::plain(&name, slope(|of| of.pss), "KiB/h");
    figure::plain("  of it anonymous", slope(|of| of.anonymous), "KiB/h");
    let highest = looks.iter().map(|look| look.memory.pss).fold(0.0, f64::max);
    figure::plain("  its highest", highest, "MiB");
    figure::plain("  cycles, each with a change", looks.len() as f64, "");
}

/// What the last span was like.
fn tell(looks: &[Look], from: u64) {
    let of = looks.iter().filter(|look| look.minute >= from as f64);
    let of: Vec<Memory> = of.map(|look| look.memory).collect();
    let mean = |part: fn(&Memory) -> f64| of.iter().map(part).sum::<f64>() / of.len() as f64;
    println!(
        "under churn, minutes {from:>3} to {:>3}: PSS {:.2} MiB, of it anonymous {:.2} MiB",
        from + SPAN,
        mean(|of| of.pss),
        mean(|of| of.anonymous)
    );
}
