//! A real Celery application: who sends its tasks, and the workers that do them.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process_group};

use super::process::Process;
use super::program;
use super::redis::Redis;
use super::scratch::Scratch;

/// The application that the exporter's tests have, on a broker of its own.
pub(crate) struct Shop {
    pub(crate) redis: Redis,
    scratch: Scratch,
}

impl Shop {
    /// Starts the broker; nobody works yet.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self {
            redis: Redis::start(),
            scratch: Scratch::new(),
        }
    }

    #[track_caller]
    fn python(&self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let tools = root.join(".tools/celery");
        assert!(
            tools.join("celery").is_dir(),
            "Celery is not installed: run `make setup`"
        );
        let mut python = Command::new(program::find("python3", "python3"));
        let paths = [tools, root.join("exporter/tests/it/celery")];
        let broker = format!("redis://127.0.0.1:{}", self.redis.port());
        python
            .env("PYTHONPATH", std::env::join_paths(paths).expect("paths"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("BROKER", broker)
            .current_dir(&self.scratch.path);
        python
    }

    /// Sends tasks: a command of the application with its arguments.
    #[track_caller]
    pub(crate) fn send(&self, words: &[&str]) {
        program::run(self.python().args(["-m", "shop"]).args(words));
    }

    /// A file that a task may wait for.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path.join(name)
    }

    /// Starts a worker for these queues.
    #[track_caller]
    pub(crate) fn worker(&self, node: &str, queues: &str, concurrency: &str) -> Worker {
        let of = ["-n", node, "-Q", queues, "-c", concurrency];
        let words = [&["-m", "celery", "-A", "shop", "worker"], &of[..]].concat();
        Worker(self.spawn(node, &words))
    }

    /// Starts a program of the application that does not end by itself. Messages call
    /// it `name`.
    #[track_caller]
    pub(crate) fn spawn(&self, name: &str, words: &[&str]) -> Process {
        let mut command = self.python();
        // Root may run it here: its tasks are ours. In a group of its own, so that all of it can be killed.
        command
            .args(words)
            .env("C_FORCE_ROOT", "1")
            .process_group(0);
        Process::spawn(name, &mut command, &self.path(&format!("{name}.log")))
    }
}

/// A worker and its children.
pub(crate) struct Worker(Process);

impl Worker {
    /// Stops all of it in its tracks.
    pub(crate) fn freeze(&mut self) {
        self.signal(Signal::STOP);
        self.0.freeze();
    }

    /// Lets all of it go on.
    pub(crate) fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Ends all of it at once.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(i32::try_from(self.0.pid()).expect("a process number"));
        kill_process_group(group.expect("a process"), signal).expect("a signal to our own");
    }
}
