//! What the kernel says a process costs.

use std::fs;
use std::time::Duration;

/// Processor time of a process, all its threads, the ended ones included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process that runs");
        // The name, in brackets, may hold spaces; user and system time are the 12th and 13th word after it.
        let (_, rest) = stat.rsplit_once(") ").expect("a stat file");
        let mut words = rest.split(' ').skip(11);
        let mut ticks = || {
            let ticks: f64 = words
                .next()
                .and_then(|word| word.parse().ok())
                .expect("ticks");
            Duration::from_secs_f64(ticks / rustix::param::clock_ticks_per_second() as f64)
        };
        Self {
            user: ticks(),
            system: ticks(),
        }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

/// Processor time of a process, all its threads, the ended ones included, by its own
/// clock: to the nanosecond, where the kernel's files count by 10 ms.
#[expect(
    unsafe_code,
    reason = "no safe call reads the clock of another process"
)]
pub(crate) fn spent(pid: u32) -> Duration {
    let pid = libc::pid_t::try_from(pid).expect("the number of a process");
    let mut clock = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both calls only write to what they are given here.
    let read = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    assert!(read, "a process that runs");
    let seconds = u64::try_from(time.tv_sec).expect("a time that has passed");
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(time.tv_nsec).expect("a part of a second"))
}

/// Memory of a process in MiB: in proportion (`Pss`), and parts of that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) pss: f64,
    pub(crate) anonymous: f64,
    pub(crate) file: f64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Self {
        let text = read(pid, "smaps_rollup");
        let mib = |name| number(&text, name) / 1024.0;
        Self {
            pss: mib("Pss:"),
            anonymous: mib("Pss_Anon:"),
            file: mib("Pss_File:"),
        }
    }
}

/// The most memory a process has had in RAM, in MiB, shared pages in full.
pub(crate) fn peak_rss(pid: u32) -> f64 {
    number(&read(pid, "status"), "VmHWM:") / 1024.0
}

/// How many threads a process has.
pub(crate) fn threads(pid: u32) -> f64 {
    number(&read(pid, "status"), "Threads:")
}

/// How often threads were put on a processor, for those that run now.
pub(crate) fn switches(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a process that runs");
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| {
            number(&status, "voluntary_ctxt_switches:")
                + number(&status, "nonvoluntary_ctxt_switches:")
        })
        .sum()
}

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process that runs")
}

fn number(text: &str, name: &str) -> f64 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or_else(|| panic!("no {name} in {text}"))
}
