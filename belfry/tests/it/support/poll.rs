//! Waiting for something to become true, with an end and a reason.

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits when it names no limit of its own: far beyond what a
/// loaded machine needs, so that only a real fault gets there.
const LIMIT: Duration = Duration::from_secs(120);
/// On a kernel that runs as a program everything takes several times as long.
const OWN_KERNEL: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

fn limit() -> Duration {
    match std::env::var_os("BELFRY_TEST_OWN_KERNEL") {
        Some(_) => LIMIT * OWN_KERNEL,
        None => LIMIT,
    }
}

/// Asks `probe` until it has an answer; panics with `what` after two minutes.
#[track_caller]
pub(crate) fn until<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(limit(), what, probe)
}

/// Asks `probe` until it has an answer; panics with `what` after `limit`.
#[track_caller]
pub(crate) fn within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            started.elapsed() < limit,
            "waited {limit:?} in vain: {what}"
        );
        thread::sleep(PAUSE);
    }
}

/// Whether `probe` has an answer within two minutes; for who has more to say than that
/// it had none.
pub(crate) fn settles(mut probe: impl FnMut() -> Option<()>) -> bool {
    let started = Instant::now();
    loop {
        if probe().is_some() {
            return true;
        }
        if started.elapsed() > limit() {
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Like [`until`], for a condition without a value.
#[track_caller]
pub(crate) fn holds(what: &str, mut condition: impl FnMut() -> bool) {
    until(what, || condition().then_some(()));
}
