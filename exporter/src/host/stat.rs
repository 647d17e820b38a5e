//! `/proc/stat`: time by processor and mode, context switches, forks, boot time.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};
use crate::tallies::lock;

const MODES: [&str; 8] = [
    "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
];
const IDLE: usize = 3;
/// When idle time falls back by as many seconds, the processor was unplugged
/// and its counters have begun anew.
const NEW_PROCESSOR: f64 = 3.0;

/// One processor's seconds: the eight modes, then guest and nice guest.
#[derive(Debug, Clone, PartialEq)]
struct Processor {
    name: String,
    seconds: [f64; 10],
}

/// The highest values seen. The kernel's counters of idle and iowait now and
/// then go back a little, which a rate would take for a restart.
#[derive(Debug, Default)]
pub(super) struct History(Vec<Processor>);

impl History {
    fn settle(&mut self, processors: &mut [Processor]) {
        for now in processors.iter_mut() {
            let Some(before) = self.0.iter().find(|before| before.name == now.name) else {
                continue;
            };
            if before.seconds[IDLE] - now.seconds[IDLE] >= NEW_PROCESSOR {
                continue;
            }
            for (now, before) in now.seconds.iter_mut().zip(before.seconds) {
                *now = now.max(before);
            }
        }
        self.0 = processors.to_vec();
    }
}

pub(super) fn read(
    machine: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let text = files.proc("stat")?;
    let mut processors = processors(&text);
    if processors.is_empty() {
        return Err(Failure::Malformed("/proc/stat"));
    }
    lock(&machine.cpus).settle(&mut processors);
    encode_processors(&processors, page);
    encode_totals(&text, page);
    Ok(())
}

fn processors(text: &str) -> Vec<Processor> {
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    let lines = text.lines().filter_map(|line| line.strip_prefix("cpu"));
    let processor = |line: &str| {
        let (name, ticks) = line.split_once(' ')?;
        name.parse::<u32>().ok()?;
        let mut seconds = [0.0; 10];
        for (slot, word) in seconds.iter_mut().zip(ticks.split_ascii_whitespace()) {
            *slot = word.parse::<f64>().ok()? / per_second;
        }
        Some(Processor {
            name: name.to_owned(),
            seconds,
        })
    };
    lines.filter_map(processor).collect()
}

fn encode_processors(processors: &[Processor], page: &mut Writer) {
    page.family(
        "node_cpu_seconds_total",
        "Seconds that each processor spent in each mode.",
        Kind::Counter,
    );
    for Processor { name, seconds } in processors {
        for (mode, seconds) in MODES.iter().zip(seconds) {
            page.sample(&[("cpu", name), ("mode", mode)], *seconds);
        }
    }
    page.family(
        "node_cpu_guest_seconds_total",
        "Seconds that each processor spent for guests; user and nice hold them as well.",
        Kind::Counter,
    );
    for Processor { name, seconds } in processors {
        page.sample(&[("cpu", name), ("mode", "user")], seconds[8]);
        page.sample(&[("cpu", name), ("mode", "nice")], seconds[9]);
    }
}

fn encode_totals(text: &str, page: &mut Writer) {
    let totals = [
        (
            "btime",
            "node_boot_time_seconds",
            "When the host booted, in seconds since 1970.",
            Kind::Gauge,
        ),
        (
            "ctxt",
            "node_context_switches_total",
            "Context switches.",
            Kind::Counter,
        ),
        ("processes", "node_forks_total", "Forks.", Kind::Counter),
        (
            "intr",
            "node_intr_total",
            "Interrupts served.",
            Kind::Counter,
        ),
        (
            "procs_blocked",
            "node_procs_blocked",
            "Tasks that wait for I/O now.",
            Kind::Gauge,
        ),
        (
            "procs_running",
            "node_procs_running",
            "Tasks that run or could run now.",
            Kind::Gauge,
        ),
    ];
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let key = words.next().unwrap_or_default();
        let known = totals.iter().find(|(name, ..)| *name == key);
        let value = words.next().and_then(|word| word.parse().ok());
        if let (Some((_, name, help, kind)), Some(value)) = (known, value) {
            page.single(name, help, *kind, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(name: &str, seconds: f64) -> Processor {
        let mut all = [0.0; 10];
        all[IDLE] = seconds;
        Processor {
            name: name.into(),
            seconds: all,
        }
    }

    #[test]
    fn only_whole_lines_of_single_processors_count() {
        let text = "cpu  9 9 9 9\ncpu0 100 200 300 400 500 600 700 800 900 1000\n\
                    cpu1 x 2 3 4\ncpux 1 2 3 4\ncpu2 100\n";
        let got = processors(text);
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].seconds, [1., 2., 3., 4., 5., 6., 7., 8., 9., 10.]);
        assert_eq!((got[1].name.as_str(), got[1].seconds[1]), ("2", 0.0));
    }

    #[test]
    fn a_counter_never_goes_back_unless_the_processor_was_replaced() {
        let mut history = History::default();
        for (reads, told) in [(100.0, 100.0), (99.5, 100.0), (101.0, 101.0), (2.0, 2.0)] {
            let mut now = [idle("0", reads)];
            history.settle(&mut now);
            assert_eq!(now[0].seconds[IDLE], told);
        }
    }

    #[test]
    fn the_first_number_of_intr_is_the_total() {
        let mut page = Writer::new();
        encode_totals("intr 77 1 2 3\nbtime 5\nprocesses\nctxt x\n", &mut page);
        let page = page.finish();
        assert!(page.contains("\nnode_intr_total 77\n"));
        assert!(page.contains("\nnode_boot_time_seconds 5\n"));
        assert!(!page.contains("forks") && !page.contains("context"));
    }
}
