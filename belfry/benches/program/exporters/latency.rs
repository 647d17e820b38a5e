//! How long a scrape of everything takes, also while a source hangs.
//!
//! `BENCH_LOOKS` is how many looks make a percentile, 200 if not set.

use std::thread;

use rustix::process::{Signal, kill_process};

use super::bed::Bed;
use super::programs::Program;
use super::{PATIENCE, PAUSE};
use crate::figure;
use crate::support::fault::HungMount;
use crate::support::poll;

/// All well first, then each source in turn.
pub(super) fn run(bed: &mut Bed, ours: &Program) {
    let looks = std::env::var("BENCH_LOOKS").map_or(200, |text| text.parse().expect("a number"));
    let mut well = None;
    let mut tell = |what: &str| {
        let slow = tell(ours, looks, what);
        match well {
            None => well = Some(slow),
            Some(well) => figure::plain("  of that while all is well", slow / well * 100.0, "%"),
        }
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

/// Prints the percentile, which it returns, and the median, in milliseconds.
fn tell(ours: &Program, looks: usize, what: &str) -> f64 {
    let took = (0..looks).map(|_| {
        thread::sleep(PAUSE);
        ours.page()
    });
    let mut took: Vec<f64> = took.map(|took| took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let slow = figure::percentile(&took, 0.95);
    let name = format!("scrape of everything, 95th percentile, {what}");
    figure::budget(&name, slow, "ms", 50.0);
    figure::plain("  its median", figure::percentile(&took, 0.5), "ms");
    slow
}
