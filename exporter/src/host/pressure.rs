//! Pressure stall information: how long tasks waited for a resource.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

/// Seconds in which some and in which all tasks were stalled.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Stalled {
    pub(crate) some: Option<f64>,
    pub(crate) full: Option<f64>,
}

/// Reads the text of one pressure file.
pub(crate) fn parse(text: &str) -> Stalled {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let micros = line
            .split_ascii_whitespace()
            .find_map(|word| word.strip_prefix("total="))?;
        Some(micros.parse::<f64>().ok()? / 1e6)
    };
    Stalled {
        some: total("some "),
        full: total("full "),
    }
}

pub(super) fn read(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let mut told = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            page.single(name, help, Kind::Counter, value);
        }
    };
    // "full" means nothing for the processors of a whole machine.
    let cpu = parse(&files.proc("pressure/cpu")?);
    told(
        "node_pressure_cpu_waiting_seconds_total",
        "Seconds in which a task waited for a processor.",
        cpu.some,
    );
    let io = parse(&files.proc("pressure/io")?);
    told(
        "node_pressure_io_waiting_seconds_total",
        "Seconds in which a task waited for I/O.",
        io.some,
    );
    told(
        "node_pressure_io_stalled_seconds_total",
        "Seconds in which every task waited for I/O.",
        io.full,
    );
    let memory = parse(&files.proc("pressure/memory")?);
    told(
        "node_pressure_memory_waiting_seconds_total",
        "Seconds in which a task waited for memory.",
        memory.some,
    );
    told(
        "node_pressure_memory_stalled_seconds_total",
        "Seconds in which every task waited for memory.",
        memory.full,
    );
    // Only kernels since 6.1 that count interrupt time have this one.
    if let Ok(text) = files.proc("pressure/irq") {
        told(
            "node_pressure_irq_stalled_seconds_total",
            "Seconds in which interrupts held up tasks.",
            parse(&text).full,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_microseconds() {
        let text =
            "some avg10=0.21 avg60=1.93 avg300=1.91 total=24626892\nfull avg10=0.00 total=x\n";
        let want = Stalled {
            some: Some(24.626892),
            full: None,
        };
        assert_eq!(parse(text), want);
        assert_eq!(parse(""), Stalled::default());
    }
}
