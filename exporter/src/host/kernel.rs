//! Single numbers of the kernel: load, file handles, entropy, scheduling.

use exposition::{Kind, Writer};

use super::Machine;
use crate::files::{Failure, Files};

pub(super) fn loadavg(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    let text = files.proc("loadavg")?;
    let mut words = text.split_ascii_whitespace();
    for (name, help) in [
        (
            "node_load1",
            "Tasks that ran, could run or were stuck, on average over 1 minute.",
        ),
        (
            "node_load5",
            "Tasks that ran, could run or were stuck, on average over 5 minutes.",
        ),
        (
            "node_load15",
            "Tasks that ran, could run or were stuck, on average over 15 minutes.",
        ),
    ] {
        let value = words.next().and_then(|word| word.parse().ok());
        page.single(
            name,
            help,
            Kind::Gauge,
            value.ok_or(Failure::Malformed("/proc/loadavg"))?,
        );
    }
    Ok(())
}

pub(super) fn filefd(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let text = files.proc("sys/fs/file-nr")?;
    let numbers: Vec<f64> = text
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [allocated, _, maximum] = numbers[..] else {
        return Err(Failure::Malformed("/proc/sys/fs/file-nr"));
    };
    page.single(
        "node_filefd_allocated",
        "File handles in use.",
        Kind::Gauge,
        allocated,
    );
    page.single(
        "node_filefd_maximum",
        "File handles that there can be.",
        Kind::Gauge,
        maximum,
    );
    Ok(())
}

pub(super) fn entropy(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    for (file, name, help) in [
        (
            "entropy_avail",
            "node_entropy_available_bits",
            "Bits of entropy at hand.",
        ),
        (
            "poolsize",
            "node_entropy_pool_size_bits",
            "Bits that the pool of entropy holds.",
        ),
    ] {
        let text = files.proc(&format!("sys/kernel/random/{file}"))?;
        let value = text
            .trim()
            .parse()
            .map_err(|_| Failure::Malformed("the entropy"))?;
        page.single(name, help, Kind::Gauge, value);
    }
    Ok(())
}

pub(super) fn hung(_: &Machine, files: &mut Files<'_>, page: &mut Writer) -> Result<(), Failure> {
    let text = files.proc("sys/kernel/hung_task_detect_count")?;
    let value = text
        .trim()
        .parse()
        .map_err(|_| Failure::Malformed("the count of hung tasks"))?;
    page.single(
        "node_kernel_hung_tasks_total",
        "Tasks found hung since boot.",
        Kind::Counter,
        value,
    );
    Ok(())
}

pub(super) fn schedstat(
    _: &Machine,
    files: &mut Files<'_>,
    page: &mut Writer,
) -> Result<(), Failure> {
    encode_schedstat(&files.proc("schedstat")?, page);
    Ok(())
}

fn encode_schedstat(text: &str, page: &mut Writer) {
    let row = |line: &'_ str| -> Option<[f64; 3]> {
        let mut words = line.split_ascii_whitespace().skip(7);
        let mut next = || words.next()?.parse::<f64>().ok();
        Some([next()? / 1e9, next()? / 1e9, next()?])
    };
    let rows: Vec<(&str, [f64; 3])> = text
        .lines()
        .filter_map(|line| line.strip_prefix("cpu"))
        .filter_map(|line| Some((line.split_once(' ')?.0, row(line)?)))
        .collect();
    for (at, name, help) in [
        (
            0,
            "node_schedstat_running_seconds_total",
            "Seconds in which a processor ran tasks.",
        ),
        (
            1,
            "node_schedstat_waiting_seconds_total",
            "Seconds in which tasks waited for a processor.",
        ),
        (
            2,
            "node_schedstat_timeslices_total",
            "Time slices that a processor ran.",
        ),
    ] {
        page.family(name, help, Kind::Counter);
        for (cpu, values) in &rows {
            page.sample(&[("cpu", cpu)], values[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_is_in_nanoseconds() {
        let mut page = Writer::new();
        let text = "version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 2000000000 3000000000 7\ndomain0 3 1\ncpu1 0 0 0\n";
        encode_schedstat(text, &mut page);
        let page = page.finish();
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let want = [
            "node_schedstat_running_seconds_total{cpu=\"0\"} 2",
            "node_schedstat_waiting_seconds_total{cpu=\"0\"} 3",
            "node_schedstat_timeslices_total{cpu=\"0\"} 7",
        ];
        assert_eq!(samples, want);
    }
}
