//! One server process of a test: its log, its signals, its end.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::poll;

/// Longer than any server here takes to stop in good order.
const GRACE: Duration = Duration::from_secs(60);

/// A child process that never outlives this value.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts it, with no input; both its outputs go to the end of `log`. Messages call it `name`.
    #[track_caller]
    pub(crate) fn spawn(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file");
        let errors = file.try_clone().expect("a second handle of the log");
        Self::spawn_apart(name, command, log, file, errors.into())
    }

    /// Like [`Process::spawn`], with its two outputs where they are told.
    #[track_caller]
    pub(crate) fn spawn_apart(
        name: &str,
        command: &mut Command,
        log: &Path,
        stdout: impl Into<Stdio>,
        stderr: Stdio,
    ) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stderr(stderr)
            .stdout(stdout)
            .spawn()
            .unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        Self {
            child,
            name: name.to_owned(),
            log: log.to_owned(),
        }
    }

    /// The process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; nothing if the process has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, signal).expect("a signal to our own child");
        }
    }

    /// Stops it where it is until [`Signal::CONT`].
    #[track_caller]
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        // The signal stops its threads one after the other; those on a core finish what they do.
        let folder = format!("/proc/{}/task", self.pid());
        poll::holds(&format!("{} should stand still", self.name), || {
            let threads = fs::read_dir(&folder)
                .expect("threads of our own child")
                .flatten();
            threads
                .map(|thread| fs::read_to_string(thread.path().join("stat")).unwrap_or_default())
                .all(|stat| {
                    stat.rsplit_once(')')
                        .is_none_or(|(_, state)| state.starts_with(" T"))
                })
        });
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of our own child")
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let what = format!("{} should end", self.name);
        poll::within(GRACE, &what, || self.ended())
    }

    /// Asks it to end and waits.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to end, and makes it if it will not. Never panics.
    pub(crate) fn end(&mut self) {
        // A stopped process takes no notice of anything else.
        for signal in [Signal::CONT, Signal::TERM] {
            self.signal(signal);
        }
        let asked = Instant::now();
        while self.ended().is_none() {
            if asked.elapsed() > GRACE {
                self.signal(Signal::KILL);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until `probe` has an answer; a process that ends before is a
    /// failure with its log, not a time-out.
    #[track_caller]
    pub(crate) fn ready<T>(&mut self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        poll::until(what, || {
            if let Some(status) = self.ended() {
                panic!(
                    "{} ended with {status} before this: {what}\n{}",
                    self.name,
                    self.log()
                );
            }
            probe()
        })
    }

    /// All it has printed so far, over every start with this log.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            show_end_of_log(&self.name, &self.log());
        }
        self.end();
    }
}

/// What the server said, beside the panic that a test failed with.
fn show_end_of_log(name: &str, log: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(40);
    let _ = writeln!(
        std::io::stderr(),
        "--- end of the log of {name}\n{}\n---",
        lines[last..].join("\n")
    );
}
