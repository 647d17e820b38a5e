//! What any process says of itself, under the names that all exporters have for it.

use std::fs::read_to_string;

use exposition::{Kind, Writer};

/// Writes the families of this process, and its version.
pub(crate) fn process(page: &mut Writer, started_ms: i64) {
    page.family("belfry_build_info", "The version that runs.", Kind::Gauge)
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let of = |file: &str| read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    let (sizes, limits) = (of("statm"), of("limits"));
    #[expect(clippy::cast_precision_loss, reason = "a count of open files")]
    let open = std::fs::read_dir("/proc/self/fd").map(|files| files.count() as f64);
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            page.single(name, help, Kind::Gauge, value);
        }
    };
    gauge(
        "process_start_time_seconds",
        "When the process began.",
        Some(super::seconds(started_ms)),
    );
    gauge(
        "process_resident_memory_bytes",
        "Memory of the process that is in RAM.",
        pages(&sizes, 1),
    );
    gauge(
        "process_virtual_memory_bytes",
        "Addresses of the process that mean something.",
        pages(&sizes, 0),
    );
    gauge(
        "process_virtual_memory_max_bytes",
        "The most that these may be; without a limit what 64 bits can tell.",
        limit(&limits, "Max address space"),
    );
    gauge("process_open_fds", "Open files of the process.", open.ok());
    gauge(
        "process_max_fds",
        "The most files that it may open.",
        limit(&limits, "Max open files"),
    );
    if let Some(seconds) = cpu_seconds(&of("stat")) {
        page.single(
            "process_cpu_seconds_total",
            "Processor time of the process.",
            Kind::Counter,
            seconds,
        );
    }
}

/// User and system time of the process; the 14th and 15th word of its `stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut words = stat.get(stat.rfind(')')? + 2..)?.split(' ').skip(11);
    let ticks: f64 = words.next()?.parse::<f64>().ok()? + words.next()?.parse::<f64>().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    Some(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// A column of statm in bytes.
fn pages(sizes: &str, column: usize) -> Option<f64> {
    let pages: f64 = sizes.split(' ').nth(column)?.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a page size")]
    Some(pages * rustix::param::page_size() as f64)
}

/// The limit in force, of both that a line has.
fn limit(limits: &str, name: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    #[expect(clippy::cast_precision_loss, reason = "what others write for no limit")]
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX as f64),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_sizes_are_read_from_their_columns() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
            Max open files            1024                 524288               files\n\
            Max address space         unlimited            unlimited            bytes\n";
        assert_eq!(limit(limits, "Max open files"), Some(1024.0));
        assert_eq!(
            limit(limits, "Max address space"),
            Some(1.844_674_407_370_955_2e19)
        );
        assert_eq!(limit(limits, "Max locks"), None);
        #[expect(clippy::cast_precision_loss, reason = "a page size")]
        let page = rustix::param::page_size() as f64;
        assert_eq!(pages("300 20 1 1 0 1 0\n", 0), Some(300.0 * page));
        assert_eq!(pages("300 20 1 1 0 1 0\n", 1), Some(20.0 * page));
        assert_eq!(pages("", 1), None);
    }

    #[test]
    fn all_families_of_a_process_are_told() {
        let mut page = Writer::new();
        process(&mut page, 1_500);
        let page = page.finish();
        for family in [
            "process_cpu_seconds_total",
            "process_max_fds",
            "process_open_fds",
            "process_resident_memory_bytes",
            "process_start_time_seconds 1.5",
            "process_virtual_memory_bytes",
            "process_virtual_memory_max_bytes",
        ] {
            assert!(page.contains(&format!("\n{family}")), "{family}\n{page}");
        }
    }
}
