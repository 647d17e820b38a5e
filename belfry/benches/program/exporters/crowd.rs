//! What a container costs among twenty, and among hundreds.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::programs::{self, Program};
use super::{LOOKS, PAUSE};
use crate::figure;
use crate::support::container::Container;
use crate::support::engine::Engine;
use crate::support::poll;

const FEW: usize = 20;

pub(super) fn run() {
    let many = std::env::var("BENCH_CONTAINERS")
        .map_or(500, |text| text.parse().expect("a number of containers"));
    let engine = Engine::start();
    let ours = programs::ours(
        &format!("host: bench\nexporter: {{engine: {:?}}}\n", engine.socket()),
        &["container"],
        Vec::new(),
    );
    let mut last = (0, 0.0);
    for count in [FEW, many] {
        fill(&engine, last.0, count);
        let wanted = Duration::from_secs(300);
        poll::within(wanted, "all containers should be read", || {
            (running(&ours) >= count).then_some(())
        });
        let before = ours.cpu();
        for _ in 0..LOOKS {
            thread::sleep(PAUSE);
            ours.page();
        }
        let cpu = ours.cpu().since(before).total().as_secs_f64() * 1e6 / LOOKS as f64;
        let each = cpu / count as f64;
        let name = format!("CPU per container and scrape, {count} containers");
        if last.0 == 0 {
            figure::plain(&name, each, "us");
        } else {
            figure::budget(&name, each, "us", last.1 / last.0 as f64);
            let more = (cpu - last.1) / (count - last.0) as f64;
            figure::plain("  each of those beyond the first 20", more, "us");
        }
        last = (count, cpu);
    }
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
