//! How far a long step is, and about how long it still takes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, interval_at};

use crate::run::Say;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(5);

/// Counts what is written.
pub(crate) struct Counting<W> {
    out: W,
    count: Arc<AtomicU64>,
}

impl<W> Counting<W> {
    /// Counts into `count`.
    pub(crate) fn new(out: W, count: &Arc<AtomicU64>) -> Self {
        let count = Arc::clone(count);
        Self { out, count }
    }
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.count.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Does some work, and tells now and then how far it is. `done` says how many of
/// `total` bytes are done; nothing where that is not known now.
pub(crate) async fn told<T>(
    word: &str,
    total: u64,
    mut done: impl AsyncFnMut() -> Option<u64>,
    say: Say<'_>,
    work: impl Future<Output = T>,
) -> T {
    let began = Instant::now();
    let mut ticks = interval_at(began + EVERY, EVERY);
    let mut work = std::pin::pin!(work);
    loop {
        let tick = async {
            ticks.tick().await;
            done().await
        };
        tokio::select! {
            biased;
            value = &mut work => return value,
            done = tick => {
                if let Some(done) = done {
                    say(line(word, done, total, began.elapsed()));
                }
            }
        }
    }
}

/// A line such as `fetch   45 % of 1200 MB, about 2m left`, or `dump    540 MB so far`
/// where nobody knows of how much.
fn line(word: &str, done: u64, total: u64, took: Duration) -> String {
    if total == 0 {
        return format!("{word:<7} {} MB so far", done / 1_000_000);
    }
    let megabytes = total.div_ceil(1_000_000);
    // The last hundredth takes as long as it takes: what is done is told then.
    let done = done.min(total.saturating_sub(total / 100));
    if done == 0 {
        return format!("{word:<7} 0 % of {megabytes} MB");
    }
    let percent = u128::from(done) * 100 / u128::from(total);
    let left = took.as_millis() * u128::from(total - done) / u128::from(done);
    let left = Duration::from_secs(u64::try_from(left / 1000).unwrap_or(0) + 1);
    let left = settings::format_duration(left);
    format!("{word:<7} {percent} % of {megabytes} MB, about {left} left")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_time_that_is_left_follows_from_the_time_that_was_taken() {
        for (done, total, took, wanted) in [
            (0, 5_000_000, 5, "fetch   0 % of 5 MB"),
            (
                1_000_000,
                4_000_000,
                10,
                "fetch   25 % of 4 MB, about 31s left",
            ),
            (
                9_000_000,
                4_000_000,
                99,
                "fetch   99 % of 4 MB, about 2s left",
            ),
            (7_900_000, 0, 5, "fetch   7 MB so far"),
        ] {
            let told = line("fetch", done, total, Duration::from_secs(took));
            assert_eq!(told, wanted);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_tells_how_far_it_is_until_it_is_done() {
        let lines = Mutex::new(Vec::new());
        let say = |line: String| lines.lock().unwrap().push(line);
        let mut done = 0;
        let count = async || {
            done += 1_000_000;
            Some(done)
        };
        let work = tokio::time::sleep(Duration::from_secs(12));
        told("fetch", 4_000_000, count, &say, work).await;
        assert_eq!(lines.lock().unwrap().len(), 2);
    }
}
