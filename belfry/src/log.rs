//! The log, on standard error, which may hang: a terminal that is held, a pipe
//! that nobody reads. Whoever logs leaves a line and goes on; a thread of its
//! own writes. Lines that do not fit any more are dropped and counted.

mod form;

pub(crate) use form::Form;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::config::Level;

/// How much may wait to be written, in bytes.
const ROOM: usize = 256 << 10;

/// How long the end of the program waits for the last lines.
const LAST: Duration = Duration::from_secs(1);

/// There is one standard error, so there is one count of what it did not take.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines were dropped since the start.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Lines on their way to standard error. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// One has been taken out and is not yet written.
    writing: bool,
    /// Dropped, and not yet told.
    untold: u64,
}

/// Sends everything that is logged from now on to standard error.
pub(crate) fn start(level: Level, form: Form) -> Log {
    let level = match level {
        Level::Error => tracing::Level::ERROR,
        Level::Warn => tracing::Level::WARN,
        Level::Info => tracing::Level::INFO,
        Level::Debug => tracing::Level::DEBUG,
    };
    let log = Log::to(io::stderr());
    let (writer, panics) = (log.clone(), log.clone());
    std::panic::set_hook(Box::new(move |info| {
        let trace = Backtrace::capture();
        match trace.status() {
            BacktraceStatus::Captured => panics.say(format_args!("{info}\n{trace}")),
            _ => panics.say(info),
        }
    }));
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(move || writer.clone());
    match form {
        Form::Text => lines
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .init(),
        form => lines.event_format(form).init(),
    }
    log
}

impl Log {
    fn to(mut target: impl Write + Send + 'static) -> Self {
        let log = Self(Arc::default());
        let queue = Arc::clone(&log.0);
        let begun = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    let line = queue.next();
                    // Where would we say that it failed?
                    let _ = target.write_all(&line);
                    if let Some(lines) = queue.written() {
                        tracing::warn!(lines, "lines of the log were dropped: standard error did not take them in time");
                    }
                }
            });
        if let Err(err) = begun {
            // Nothing will be written, and the queue fills and drops.
            let _ = writeln!(io::stderr(), "belfry: there will be no log: {err}");
        }
        log
    }

    /// Leaves a line for people, as it is.
    pub(crate) fn say(&self, text: impl Display) {
        self.0.push(format!("{text}\n").into_bytes());
    }

    /// Waits until all is written, for a second at most.
    pub(crate) fn finish(&self) {
        let idle = |state: &mut State| state.writing || !state.lines.is_empty();
        let state = self.0.state();
        let _ = self.0.changed.wait_timeout_while(state, LAST, idle);
    }
}

impl Write for Log {
    /// Each call is one line: so the subscriber writes.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    fn push(&self, line: Vec<u8>) {
        let mut state = self.state();
        if state.bytes + line.len() > ROOM {
            state.untold += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the next line.
    fn next(&self) -> Vec<u8> {
        let mut state = self.state();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.writing = true;
                return line;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A line is out. When there is room again: how many were dropped before.
    fn written(&self) -> Option<u64> {
        let mut state = self.state();
        state.writing = false;
        let recovered = state.bytes <= ROOM / 2 && state.untold > 0;
        let untold = recovered.then(|| std::mem::take(&mut state.untold));
        drop(state);
        self.changed.notify_all();
        untold
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hangs while its gate is locked.
    #[derive(Clone, Default)]
    struct Target {
        gate: Arc<Mutex<()>>,
        text: Arc<Mutex<String>>,
    }

    impl Write for Target {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _open = self.gate.lock().unwrap();
            let mut text = self.text.lock().unwrap();
            text.push_str(std::str::from_utf8(line).unwrap());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_target_that_hangs_holds_nobody_up_and_gets_what_there_was_room_for() {
        let target = Target::default();
        let log = Log::to(target.clone());
        let closed = target.gate.lock().unwrap();
        let line = "x".repeat(1023);
        for _ in 0..1000 {
            log.say(&line);
        }
        log.finish();
        {
            let state = log.0.state();
            // One line may be with the thread already.
            assert!((ROOM / 1024..=ROOM / 1024 + 1).contains(&(1000 - state.untold as usize)));
            assert!(state.bytes <= ROOM);
        }
        assert!(dropped() >= 1000 - 257);
        drop(closed);
        log.finish();
        let state = log.0.state();
        assert_eq!((state.bytes, state.untold), (0, 0), "written, and told");
        let text = target.text.lock().unwrap();
        assert!(text.lines().all(|written| written == line));
        assert!((256..=257).contains(&text.lines().count()));
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let target = Target::default();
        let mut log = Log::to(target.clone());
        log.say("one");
        log.write_all(b"two\n").unwrap();
        log.say("three");
        log.finish();
        assert_eq!(*target.text.lock().unwrap(), "one\ntwo\nthree\n");
    }
}
