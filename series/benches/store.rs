//! What the store costs: bytes per sample and series, time per append and select.
//!
//! Prints figures and asserts nothing. The series are those of a small host:
//! counters and gauges of the kinds that a host, containers and databases have.
//! Times are processor time of the one thread, since others build meanwhile;
//! only where a disk is waited for they are real.

#[path = "store/archive.rs"]
mod archive;

use std::hint::black_box;
use std::time::{Duration, Instant};

use exposition::{Labels, NAME};
use rustix::time::{ClockId, clock_gettime};
use series::{Appender, Matcher, Op, Settings, Store};

const STEP_MS: i64 = 15_000;
const DAY: i64 = 24 * 3600 * 1000 / STEP_MS;
const START_MS: i64 = 1_700_000_000_000;

fn main() {
    // Run by a test runner, a bench only has to start.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // Memory first, while none is left over from others.
    let parts: [(&str, fn()); 7] = [
        ("memory", || resident_bytes(30_000)),
        ("samples", bytes_per_sample),
        ("small", || a_host(3_000)),
        ("large", || a_host(30_000)),
        ("churn", churn),
        ("folder", a_folder),
        ("archive", archive::a_day),
    ];
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            part();
        }
    }
}

/// Pseudo-random numbers, the same in each run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A kind of series: its next value from the one before and the step.
type Kind = (&'static str, fn(f64, i64, &mut Noise) -> f64);

const KINDS: [Kind; 10] = [
    ("limit, constant", |_, _, _| 536_870_912.0),
    ("state, 0 or 1, rarely changes", |value, _, noise| {
        if noise.next() < 0.001 {
            1.0 - value
        } else {
            value
        }
    }),
    ("bytes sent, busy", |value, _, noise| {
        value + (noise.next() * 200_000.0).floor()
    }),
    ("requests, even load", |value, _, noise| {
        value + 300.0 + (noise.next() * 20.0).floor()
    }),
    ("errors, rare", |value, _, noise| {
        value + f64::from(noise.next() < 0.02)
    }),
    ("cpu seconds, 1/100", |value, _, noise| {
        ((value + noise.next() * 0.6) * 100.0).round() / 100.0
    }),
    ("cpu seconds, 1/1e6", |value, _, noise| {
        ((value + noise.next() * 0.6) * 1e6).round() / 1e6
    }),
    ("memory, in pages", |value, _, noise| {
        let pages = (noise.next() * noise.next() * 60.0 - 15.0).round();
        (value + pages * 4096.0).max(0.0)
    }),
    ("load, two decimals", |value, _, noise| {
        ((value + (noise.next() - 0.5) * 0.1).abs() * 100.0).round() / 100.0
    }),
    ("ratio, a full float", |_, _, noise| noise.next()),
];

fn name(at: usize) -> String {
    format!("metric_{at}_of_a_host_total")
}

fn series_of(at: usize) -> Labels {
    Labels::from_pairs([
        (NAME, name(at % 100)),
        ("job", format!("job{}", at % 7)),
        ("instance", "db-1.example:9100".into()),
        ("container", format!("shop-worker-{}", at / 100)),
        (
            "image",
            format!("registry.example/shop/worker:{}", at / 1000),
        ),
        ("device", format!("sd{}", at % 5)),
    ])
}

fn key_of(labels: &Labels) -> String {
    labels.to_string()
}

/// Processor time of this thread.
struct Begun(Duration);

impl Begun {
    fn now() -> Self {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Self(Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32))
    }

    fn elapsed(&self) -> Duration {
        Self::now().0 - self.0
    }
}

fn per(time: Duration, count: usize) -> String {
    format!("{:.0} ns", time.as_nanos() as f64 / count.max(1) as f64)
}

fn bytes_per_sample() {
    println!(
        "bytes per sample, a day at 15 s of 20 series of each kind (times jitter by 1 ms in a tenth)"
    );
    let (mut all, mut samples) = (0, 0);
    for (kind, next) in KINDS {
        let store = Store::new();
        let mut noise = Noise(88_172_645_463_325_252);
        for at in 0..20 {
            let labels = series_of(at);
            let mut value = 1000.0;
            for step in 0..DAY {
                value = next(value, step, &mut noise);
                let late = i64::from(noise.next() < 0.1);
                let time = START_MS + step * STEP_MS + late;
                store.append(&labels, time, value).expect("in order");
            }
        }
        let figures = store.figures();
        all += figures.chunk_bytes;
        samples += figures.appended;
        println!(
            "  {:5.2}  {kind}",
            figures.chunk_bytes as f64 / figures.appended as f64
        );
    }
    println!("  {:5.2}  all together", all as f64 / samples as f64);
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or_default() * 1024
}

fn resident_bytes(count: usize) {
    let before = resident();
    let store = Store::new();
    for at in 0..count {
        let _ = store.append(&series_of(at), START_MS, 1.0);
    }
    let figures = store.figures();
    println!("{count} series of six labels with a sample each");
    println!(
        "  {} bytes a series resident, {} as counted",
        (resident() - before) / count,
        (figures.index_bytes + figures.chunk_bytes) as usize / count,
    );
}

fn a_host(count: usize) {
    println!("{count} series of six labels");
    let before = resident();
    let settings = Settings {
        max_bytes: 4 << 30,
        ..Settings::default()
    };
    let store = Store::in_memory(settings);
    let mut appender = Appender::new();
    let labels: Vec<Labels> = (0..count).map(series_of).collect();
    let keys: Vec<String> = labels.iter().map(key_of).collect();
    let mut values = vec![1000.0; count];
    let mut noise = Noise(88_172_645_463_325_252);
    let mut took = Duration::ZERO;
    let mut worst = Duration::ZERO;
    let mut scrape = |step: i64| {
        for (at, value) in values.iter_mut().enumerate() {
            *value = KINDS[at % KINDS.len()].1(*value, step, &mut noise);
        }
        let time = START_MS + step * STEP_MS;
        let begun = Begun::now();
        let mut batch = appender.begin(&store);
        for at in 0..count {
            let _ = batch.add(&keys[at], time, values[at], true, || {
                Some(labels[at].clone())
            });
        }
        batch.finish(time);
        took += begun.elapsed();
        worst = worst.max(begun.elapsed());
    };
    let begun = Begun::now();
    scrape(0);
    println!("  {} a series to begin", per(begun.elapsed(), count));
    (1..DAY).for_each(&mut scrape);
    let figures = store.figures();
    println!(
        "  a day: {:.2} bytes a sample, {:.1} MiB in all as counted, {:.1} MiB resident",
        figures.chunk_bytes as f64 / figures.appended as f64,
        (figures.chunk_bytes + figures.index_bytes) as f64 / f64::from(1 << 20),
        (resident() - before) as f64 / f64::from(1 << 20),
    );
    println!(
        "  {} a sample appended by a scrape, sealing included; the longest scrape {worst:.1?}",
        per(took, figures.appended as usize),
    );
    let time = START_MS + DAY * STEP_MS;
    let begun = Begun::now();
    for (at, labels) in labels.iter().enumerate() {
        let _ = store.append(labels, time, at as f64);
    }
    println!(
        "  {} a sample appended by labels",
        per(begun.elapsed(), count)
    );
    selects(&store, count, time);
    let begun = Begun::now();
    store.maintain(time);
    println!("  {} a series maintained", per(begun.elapsed(), count));
}

fn equal(name: &str, value: &str) -> Matcher {
    Matcher::new(name, Op::Equal, value).expect("no pattern")
}

fn selects(store: &Store, count: usize, now: i64) {
    let family = [equal(NAME, &name(42))];
    let one = [equal(NAME, &name(42)), equal("container", "shop-worker-3")];
    let job = [equal("job", "job3")];
    let pattern = [
        equal(NAME, &name(42)),
        Matcher::new("container", Op::Regex, "shop-.*-1.").expect("a pattern"),
    ];
    let minutes = 60_000;
    let cases: [(&str, &[Matcher]); 4] = [
        ("one series", &one),
        ("one family", &family),
        ("one family and a pattern", &pattern),
        ("one job", &job),
    ];
    for (what, matchers) in cases {
        let rounds = 200;
        let time = |read: &dyn Fn() -> usize| {
            let begun = Begun::now();
            let mut found = 0;
            for _ in 0..rounds {
                found = black_box(read());
            }
            (begun.elapsed() / rounds, found)
        };
        let (newest, found) = time(&|| store.newest(matchers, now - 5 * minutes, now).len());
        let (past, _) = time(&|| {
            store
                .newest(matchers, now - 65 * minutes, now - 60 * minutes)
                .len()
        });
        let (short, _) = time(&|| store.select(matchers, now - 5 * minutes, now).len());
        let (hour, _) = time(&|| store.select(matchers, now - 60 * minutes, now).len());
        println!(
            "  {what}, {found} of {count} series: newest {newest:.1?}, newest an hour ago {past:.1?}, 5 minutes {short:.1?}, 1 hour {hour:.1?}",
        );
    }
    let begun = Begun::now();
    let samples: usize = store
        .select(&family, i64::MIN, i64::MAX)
        .iter()
        .map(|series| series.samples.len())
        .sum();
    println!(
        "  {} a sample unpacked, one family over a day",
        per(begun.elapsed(), samples)
    );
}

fn a_folder() {
    println!("3,000 series in a folder, flushed every 15 s");
    let dir = tempfile::TempDir::new().expect("a folder");
    let (store, _) = Store::open(dir.path(), Settings::default());
    let labels: Vec<Labels> = (0..3000).map(series_of).collect();
    let mut values = [1000.0; 3000];
    let mut noise = Noise(88_172_645_463_325_252);
    let mut flushes: Vec<(Duration, Duration)> = Vec::new();
    let mut folds = Vec::new();
    let mut written = 0;
    for step in 0..1200 {
        for (at, value) in values.iter_mut().enumerate() {
            *value = KINDS[at % KINDS.len()].1(*value, step, &mut noise);
            let _ = store.append(&labels[at], START_MS + step * STEP_MS, *value);
        }
        let (real, busy, before) = (Instant::now(), Begun::now(), store.figures());
        store.flush().expect("a disk with room");
        let took = (real.elapsed(), busy.elapsed());
        let after = store.figures();
        if after.snapshots > before.snapshots {
            folds.push((took, after.snapshot_bytes));
        } else {
            flushes.push(took);
            written += after.written_bytes - before.written_bytes;
        }
    }
    let samples = 3000 * flushes.len();
    println!(
        "  {:.1} bytes a sample in the log",
        written as f64 / samples as f64
    );
    flushes.sort();
    let (middle, last) = (flushes[flushes.len() / 2], flushes[flushes.len() - 1]);
    println!(
        "  a flush {:.1?} ({:.1?} of them busy), the longest {:.1?}",
        middle.0, middle.1, last.0
    );
    for ((real, busy), bytes) in folds {
        println!(
            "  a fold to {:.1} MiB {real:.1?} ({busy:.1?} of them busy)",
            mib(bytes)
        );
    }
    drop(store);
    let begun = Instant::now();
    let (store, recovery) = Store::open(dir.path(), Settings::default());
    println!(
        "  a restart {:.1?}: {} samples from {:.1} MiB of snapshot and {:.1} MiB of log, {} series",
        begun.elapsed(),
        recovery.samples,
        mib(recovery.snapshot_bytes),
        mib(recovery.log_bytes),
        store.figures().series,
    );
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn churn() {
    println!("100,000 series that live for ten samples each, 40 at a time");
    let store = Store::in_memory(Settings {
        retention: Duration::from_secs(3600),
        ..Settings::default()
    });
    let before = resident();
    let begun = Begun::now();
    let mut most = 0;
    for round in 0..25_000_i64 {
        let now = START_MS + round * STEP_MS;
        for at in 0..4 {
            let born = round - round.rem_euclid(10);
            let labels = Labels::from_pairs([
                (NAME, "container_state".to_owned()),
                ("id", format!("{at}-{born}")),
            ]);
            let _ = store.append(&labels, now, 1.0);
        }
        if round % 4 == 0 {
            store.maintain(now);
            let figures = store.figures();
            most = most.max(figures.index_bytes + figures.chunk_bytes);
        }
    }
    println!(
        "  at most {} KiB as counted, {} KiB resident, {:.1?} in all",
        most / 1024,
        resident().saturating_sub(before) / 1024,
        begun.elapsed(),
    );
}
