//! Servers of a test's own: a folder, a process in it, and ports that no other
//! test has.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any server here takes to start or to stop.
const GRACE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);
/// Below the ports that the kernel gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A folder that goes away with the test. Its path is short, since sockets live
/// in it, and names our process, so that `scripts/sweep` knows whose it is.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
}

/// A port on loopback that is ours until this value goes.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: File,
}

/// A process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    end: Signal,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base().join(format!("{}-e{count}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// A folder inside, given to a user if we may give.
    pub(crate) fn folder_for(&self, name: &str, user: &str) -> PathBuf {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).unwrap();
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg(user).arg(&folder));
        }
        folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let began = Instant::now();
        // A server's last child may still write its last file.
        while fs::remove_dir_all(&self.path).is_err() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(PAUSE);
        }
    }
}

impl Port {
    /// Claims one by a lock on a file, which ends with the process.
    pub(crate) fn claim() -> Self {
        let folder = base().join("claims");
        fs::create_dir_all(&folder).unwrap();
        let start = std::process::id().wrapping_mul(97) % PORTS.len() as u32;
        let ports = PORTS.cycle().skip(start as usize).take(PORTS.len());
        let mut free = ports.filter_map(|number| {
            let lock = File::create(folder.join(format!("port-{number}"))).unwrap();
            lock.try_lock().ok()?;
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            Some(Self {
                number,
                _lock: lock,
            })
        });
        free.next().expect("ten thousand ports cannot all be taken")
    }
}

impl Server {
    /// Starts it; it is ended by `end`.
    pub(crate) fn start(command: &mut Command, log: &Path, end: Signal) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stderr(file.try_clone().unwrap())
            .stdout(file)
            .spawn()
            .unwrap_or_else(|err| panic!("cannot start {command:?}: {err}"));
        Self {
            child,
            log: log.to_owned(),
            end,
        }
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&self.child), signal).unwrap();
        }
    }

    /// Waits until `probe` has an answer.
    pub(crate) fn ready<T>(&mut self, mut probe: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = probe() {
                return answer;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < GRACE,
                "{ended:?}: {}",
                self.said()
            );
            std::thread::sleep(PAUSE);
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Server {
    /// Its process number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it, and waits.
    pub(crate) fn end(&mut self) {
        self.signal(Signal::CONT);
        self.signal(self.end);
        let began = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > GRACE {
                self.signal(Signal::KILL);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The folder of all tests, the same for every run on this machine.
pub(crate) fn base() -> PathBuf {
    let base = std::env::temp_dir().join("belfry-it");
    fs::create_dir_all(&base).unwrap();
    base
}

/// The path of a program, or a panic that says how to install it.
pub(crate) fn find(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.into_iter().map(|folder| folder.join(name));
    found
        .into_iter()
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed: run `make setup`, or `apt-get install {package}`")
        })
}

/// Runs a command to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let failed = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {failed}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
