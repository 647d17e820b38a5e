//! Servers for the tests, each with ports and folders of its own; they end with
//! the test. One that is not installed fails the test with the line that installs it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use healthchecks::probe::{self, Module, Outcome, Reason};
use tempfile::TempDir;

#[path = "../../../belfry/tests/it/support/claim.rs"]
#[expect(dead_code, reason = "networks are claimed by other tests")]
mod claim;

/// Far beyond what a loaded machine needs.
const LIMIT: Duration = Duration::from_secs(120);

/// A module in the words of `blackbox.yml`.
pub(crate) fn module(yaml: &str) -> Module {
    settings::read("blackbox.yml".as_ref(), yaml, &|_| None)
        .unwrap_or_else(|faults| panic!("{yaml}: {faults:?}"))
}

/// Far beyond what any look may take: only one without an end gets there.
const ENDLESS: Duration = Duration::from_secs(120);

/// Looks once; `yaml` is the module, with a timeout of 20 s where it states none.
pub(crate) async fn look(target: &str, yaml: &str) -> Outcome {
    let module = module(yaml);
    let timeout = module.timeout.unwrap_or(Duration::from_secs(20));
    let looked = tokio::time::timeout(ENDLESS, probe::run(target, &module, timeout)).await;
    looked.unwrap_or_else(|_| panic!("{target}: a look without end: {yaml}"))
}

/// Why a look failed; nothing if it did not.
pub(crate) async fn reason(target: &str, yaml: &str) -> Option<Reason> {
    let outcome = look(target, yaml).await;
    assert_eq!(
        outcome.samples.get("probe_success", &[]),
        Some(f64::from(u8::from(outcome.failure.is_none())))
    );
    outcome.failure.map(|failure| failure.reason)
}

/// A port for somebody who will listen on it; nobody else's until this process ends.
pub(crate) fn free_port() -> u16 {
    Box::leak(Box::new(claim::port())).number
}

/// A port of TCP that nobody listens on as long as this process is there.
pub(crate) fn dead_port() -> u16 {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    Box::leak(Box::new(socket));
    port
}

/// The path of a program, or a panic that says how to install it.
#[track_caller]
pub(crate) fn find(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .chain(["/usr/lib/postgresql/15/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed: run `make setup`, or `apt-get install {package}`")
        })
}

/// Runs a command to its end, and panics with its words unless it succeeds.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|err| panic!("{command:?}: {err}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A server in a process of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) folder: TempDir,
}

impl Server {
    /// Starts a command in a folder, and waits until a port of 127.0.0.1 answers.
    #[track_caller]
    pub(crate) fn start(command: &mut Command, folder: TempDir, port: u16) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let errors = log.try_clone().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|err| panic!("{command:?}: {err}"));
        let mut server = Self { child, folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < LIMIT,
                "{command:?} {ended:?}: {}",
                server.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Tells it to read its files anew.
    pub(crate) fn reload(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(10) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A process that ends with the test.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a command that writes to `log`.
    #[track_caller]
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let errors = log.try_clone().unwrap();
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn();
        Self(child.unwrap_or_else(|err| panic!("{command:?}: {err}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// nginx with these server blocks; `PORT` is `port`, `DIR` the folder, which
/// `fill` may put files into.
#[track_caller]
pub(crate) fn nginx(port: u16, servers: &str, fill: impl FnOnce(&Path)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let dir = folder.path().display().to_string();
    let text = format!(
        "daemon off; worker_processes 1; pid {dir}/pid; error_log stderr; USER
         events {{ worker_connections 256; }}
         http {{
           access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
           uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; ssl_session_cache off;
           {}
         }}",
        servers.replace("PORT", &port.to_string()).replace("DIR", &dir)
    );
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, text.replace("USER", user)).unwrap();
    let mut command = Command::new(find("nginx", "nginx-light"));
    Server::start(
        command.arg("-c").arg(file).arg("-p").arg(folder.path()),
        folder,
        port,
    )
}

/// A server of the test's own that treats each connection in the same way, on a
/// thread for each; what it does may go on for as long as the test.
pub(crate) fn crafted(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let treat = std::sync::Arc::new(treat);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let treat = std::sync::Arc::clone(&treat);
            std::thread::spawn(move || treat(stream));
        }
    });
    port
}

/// A server that hears something, says this, and then does nothing more until
/// the other side goes.
pub(crate) fn saying(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    crafted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&answer);
        hold(stream);
    })
}

/// Like [`saying`], and then closes.
pub(crate) fn saying_and_closing(answer: impl Into<Vec<u8>>) -> u16 {
    let answer = answer.into();
    crafted(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&answer);
    })
}

/// Waits until the other side goes.
pub(crate) fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
}
