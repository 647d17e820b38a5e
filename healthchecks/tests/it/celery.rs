//! A canary through a real Celery: a worker with results, one with events only,
//! none, one that is stopped, and one whose task fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use healthchecks::probe::Reason;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{Server, dead_port, find, free_port, look};

const SHOP: &str = "import os
from celery import Celery
app = Celery('shop', broker=os.environ['BROKER'], backend=os.environ.get('RESULTS'))
app.conf.update(broker_connection_retry_on_startup=True, worker_send_task_events=True)
@app.task(name='shop.fail')
def fail():
    raise ValueError('the password is hunter2')
";

fn redis(port: u16, options: &[&str]) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(find("redis-server", "redis-server"));
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .args(options)
        .arg("--dir")
        .arg(folder.path());
    Server::start(&mut command, folder, port)
}

/// A worker with all its processes.
struct Worker(std::process::Child, PathBuf);

impl Worker {
    fn start(folder: &Path, queue: &str, port: u16, results: bool) -> Self {
        use std::os::unix::process::CommandExt as _;
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/celery");
        assert!(
            tools.join("celery").is_dir(),
            "Celery is not installed: run `make setup`"
        );
        std::fs::write(folder.join("shop.py"), SHOP).unwrap();
        let log = folder.join(format!("{queue}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(find("python3", "python3"));
        command
            .args([
                "-m", "celery", "-A", "shop", "worker", "-Q", queue, "-n", queue, "-c", "1",
            ])
            .env(
                "PYTHONPATH",
                std::env::join_paths([tools, folder.to_owned()]).unwrap(),
            )
            .env("BROKER", format!("redis://:word@127.0.0.1:{port}/1"))
            .env("C_FORCE_ROOT", "1")
            .current_dir(folder)
            .process_group(0)
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        if results {
            command.env("RESULTS", format!("redis://:word@127.0.0.1:{port}/2"));
        }
        Self(command.spawn().unwrap(), log)
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// How many there are of something in Redis.
fn count(port: u16, database: &str, words: &[&str]) -> String {
    let mut command = Command::new(find("redis-cli", "redis-tools"));
    command.args([
        "-p",
        &port.to_string(),
        "-n",
        database,
        "-a",
        "word",
        "--no-auth-warning",
    ]);
    let said = command.args(words).output().unwrap().stdout;
    String::from_utf8(said).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_canary_goes_through_a_real_worker_and_back() {
    let port = free_port();
    let _redis = redis(port, &["--requirepass", "word"]);
    let folder = tempfile::tempdir().unwrap();
    let with_results = Worker::start(folder.path(), "results", port, true);
    let _with_events = Worker::start(folder.path(), "events", port, false);
    let target = format!("127.0.0.1:{port}");
    let module = |queue: &str, rest: &str| {
        format!(
            "{{prober: celery, timeout: 20s, celery: {{queue: {queue}, database: 1, result_database: 2, password: word{rest}}}}}"
        )
    };
    for queue in ["results", "events"] {
        let began = std::time::Instant::now();
        loop {
            let outcome = look(&target, &module(queue, "")).await;
            match outcome.failure {
                None => break,
                // It starts, and takes a while.
                Some(failure) => assert!(
                    began.elapsed().as_secs() < 120
                        && matches!(failure.reason, Reason::NoReply | Reason::Timeout),
                    "{failure}: {}",
                    std::fs::read_to_string(&with_results.1).unwrap()
                ),
            }
        }
        let outcome = look(&target, &module(queue, "")).await;
        assert_eq!(outcome.failure, None);
        assert_eq!(
            outcome.samples.get("belfry_probe_celery_ready", &[]),
            Some(1.0)
        );
    }
    // Of canaries that were given up while the workers started.
    count(port, "2", &["FLUSHDB"]);
    let short = |module: String| module.replace("20s", "6s");
    for (name, target, module, expected) in [
        (
            "a queue that nobody takes from",
            target.clone(),
            short(module("nobody", "")),
            Reason::NoReply,
        ),
        (
            "no such task",
            target.clone(),
            module("results", ", task: shop.nothing"),
            Reason::TaskFailed,
        ),
        (
            "a task that fails, by its result",
            target.clone(),
            module("results", ", task: shop.fail"),
            Reason::TaskFailed,
        ),
        (
            "a task that fails, by its event",
            target.clone(),
            module("events", ", task: shop.fail"),
            Reason::TaskFailed,
        ),
        (
            "a wrong password",
            target.clone(),
            module("results", "").replace("password: word", "password: wrong"),
            Reason::Auth,
        ),
        (
            "no password",
            target.clone(),
            module("results", "").replace(", password: word", ""),
            Reason::Auth,
        ),
        (
            "no broker",
            format!("127.0.0.1:{}", dead_port()),
            module("results", ""),
            Reason::Refused,
        ),
    ] {
        let began = std::time::Instant::now();
        let (outcome, failure) = loop {
            let mut outcome = look(&target, &module).await;
            let failure = outcome.failure.take();
            let failure = failure.unwrap_or_else(|| panic!("{name}"));
            // A machine that stands still just then leaves no time to take it back.
            if !failure.to_string().contains("the broker does not say")
                || began.elapsed().as_secs() > 120
            {
                break (outcome, failure);
            }
            count(port, "1", &["DEL", "nobody"]);
        };
        assert_eq!(failure.reason, expected, "{name}: {failure}");
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        assert_eq!(
            outcome.samples.get("belfry_probe_celery_ready", &[]),
            Some(0.0)
        );
    }
    assert_eq!(
        count(port, "1", &["LLEN", "nobody"]),
        "0",
        "what nobody took is taken back"
    );
    count(port, "1", &["ACL", "SETUSER", "default", "-lrem"]);
    let outcome = look(&target, &short(module("nobody", ""))).await;
    let failure = outcome.failure.unwrap();
    let untold = failure.to_string().contains("the broker does not say");
    assert!(failure.reason == Reason::Timeout && untold, "{failure}");
    count(port, "1", &["ACL", "SETUSER", "default", "+lrem"]);
    count(port, "1", &["DEL", "nobody"]);
    assert_eq!(count(port, "2", &["DBSIZE"]), "0", "no result stays");

    with_results.signal(Signal::STOP);
    let outcome = look(&target, &short(module("results", ""))).await;
    let reason = outcome.failure.map(|failure| failure.reason);
    assert!(
        matches!(reason, Some(Reason::NoReply | Reason::Timeout)),
        "{reason:?}"
    );
    with_results.signal(Signal::CONT);
    let began = std::time::Instant::now();
    while look(&target, &module("results", ""))
        .await
        .failure
        .is_some()
    {
        assert!(began.elapsed().as_secs() < 120);
    }
}
