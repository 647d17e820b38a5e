//! A day of samples in memory and on the disk: what each takes, and how fast it is read.

use std::hint::black_box;
use std::time::{Duration, Instant};

use exposition::Labels;
use series::{Settings, Store};

use super::{Begun, DAY, KINDS, Noise, START_MS, STEP_MS, mib, per, series_of};

const COUNT: usize = 1000;

pub(crate) fn a_day() {
    println!("1,000 series for a day, in memory and with an archive");
    let dir = tempfile::TempDir::new().expect("a folder");
    let (archived, _) = Store::open(dir.path(), Settings::default());
    let whole = Store::new();
    let labels: Vec<Labels> = (0..COUNT).map(series_of).collect();
    let mut values = vec![1000.0; COUNT];
    let mut noise = Noise(88_172_645_463_325_252);
    let (mut put, mut most) = (Vec::new(), 0);
    for step in 0..DAY {
        let now = START_MS + step * STEP_MS;
        for (at, value) in values.iter_mut().enumerate() {
            *value = KINDS[at % KINDS.len()].1(*value, step, &mut noise);
            let _ = archived.append(&labels[at], now, *value);
            let _ = whole.append(&labels[at], now, *value);
        }
        if step % 4 == 0 {
            archived.flush().expect("a disk with room");
            archived.maintain(now);
            most = most.max(archived.figures().chunk_bytes);
            let (real, busy) = (Instant::now(), Begun::now());
            if archived.put_away(now).expect("a disk with room").written > 0 {
                put.push((real.elapsed(), busy.elapsed()));
            }
        }
    }
    put.sort();
    let (real, busy) = put[put.len() / 2];
    let (ours, all) = (archived.figures(), whole.figures());
    println!(
        "  in memory {:.2} MiB of {:.2} MiB, {:.2} MiB at most; on the disk {:.2} MiB",
        mib(ours.chunk_bytes),
        mib(all.chunk_bytes),
        mib(most),
        mib(ours.archive_bytes),
    );
    println!(
        "  put away {} times, {real:.1?} each ({busy:.1?} of them busy)",
        put.len()
    );
    let end = START_MS + DAY * STEP_MS;
    for (name, store) in [("memory", &whole), ("archive", &archived)] {
        let read = |from: i64| {
            let (mut count, mut sum) = (0, 0.0);
            let _ = store.visit(&[], from, end, |_, samples| {
                count += samples.len();
                sum += samples.iter().map(|sample| sample.1).sum::<f64>();
                Ok::<_, ()>(())
            });
            black_box(sum);
            count
        };
        let (took, count) = best(|| read(START_MS));
        let (hour, of_hour) = best(|| read(end - 3_600_000));
        let (newest, found) = best(|| store.newest(&[], end / 2, end - 12 * 3_600_000).len());
        println!(
            "  {name}: a day {took:.1?} ({}), the last hour {hour:.1?} ({}), {found} newest \
             values of 12 h ago {newest:.1?}",
            per(took, count),
            per(hour, of_hour),
        );
    }
}

/// The shortest of some runs on the clock: the archive is read by another thread.
fn best(mut run: impl FnMut() -> usize) -> (Duration, usize) {
    let runs = (0..5).map(|_| {
        let begun = Instant::now();
        let count = run();
        (begun.elapsed(), count)
    });
    runs.min().unwrap_or_default()
}
