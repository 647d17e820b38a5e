//! A real Celery application over a real RabbitMQ.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use exporter::celery::{Broker, Celery, Config};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::celery::{Work, python, worker};
use crate::server::{Port, Scratch, Server, find, run};

/// Debian's own script would change to the user of the packaged server.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A running RabbitMQ, with a register of names that no other uses.
struct Rabbit {
    server: Server,
    port: Port,
    /// Where it speaks TLS, with `certificate.pem` of its folder.
    secured: Port,
    register: Port,
    between: Port,
    folder: PathBuf,
}

impl Rabbit {
    fn start(folder: &Path) -> Self {
        let (port, register, between) = (Port::claim(), Port::claim(), Port::claim());
        let secured = Port::claim();
        certificate(folder);
        assert!(
            Path::new(SERVER).exists(),
            "RabbitMQ is not installed: run `make setup`, or `apt-get install rabbitmq-server`"
        );
        let config = folder.join("rabbit.conf");
        let text = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nlisteners.ssl.1 = 127.0.0.1:{}\nlog.console = true\n\
             ssl_options.cacertfile = {folder}/certificate.pem\n\
             ssl_options.certfile = {folder}/certificate.pem\n\
             ssl_options.keyfile = {folder}/key.pem\nssl_options.verify = verify_none\n",
            port.number,
            secured.number,
            folder = folder.display()
        );
        std::fs::write(&config, text).unwrap();
        Self {
            server: launch(folder, [&port, &register, &between]),
            port,
            secured,
            register,
            between,
            folder: folder.to_owned(),
        }
    }

    /// Starts it again, with all that it had.
    fn revive(&mut self) {
        let ports = [&self.port, &self.register, &self.between];
        self.server = launch(&self.folder, ports);
    }

    /// Ends the server and all that its script has started.
    fn stop(&mut self) {
        let group = Pid::from_raw(self.server.pid() as i32).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
        self.server.end();
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        self.stop();
        // The register of names makes itself a daemon, and will not end while it
        // believes that the server lives.
        let began = Instant::now();
        let port = self.register.number.to_string();
        let ends = || {
            let mut epmd = Command::new("epmd");
            let said = epmd.args(["-port", &port, "-kill"]).output();
            said.map_or(true, |said| {
                let words = String::from_utf8_lossy(&said.stderr).into_owned();
                said.status.success() || words.contains("Cannot connect")
            })
        };
        while !ends() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn launch(folder: &Path, [port, register, between]: [&Port; 3]) -> Server {
    let mut command = Command::new(SERVER);
    command
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", register.number.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_DIST_PORT", between.number.to_string())
        .env(
            "RABBITMQ_NODENAME",
            format!("belfry{}@localhost", port.number),
        )
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbit.conf"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
        .process_group(0);
    Server::start(&mut command, &folder.join("rabbit.log"), Signal::KILL)
}

/// A certificate for localhost that vouches for itself, and its key.
pub(crate) fn certificate(folder: &Path) {
    let mut make = Command::new(find("openssl", "openssl"));
    make.args(["req", "-x509", "-newkey", "ec", "-noenc", "-days", "30"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=CA:FALSE"])
        .args(["-out", "certificate.pem", "-keyout", "key.pem"]);
    run(make.current_dir(folder));
}

fn watch(port: u16, password: &str) -> Celery {
    watch_at(Broker {
        address: format!("amqp://127.0.0.1:{port}"),
        password: settings::Secret::new(password),
        queues: vec!["mail".into()],
        ..Broker::default()
    })
}

fn watch_at(broker: Broker) -> Celery {
    Celery::new(Config {
        brokers: vec![broker],
        interval: Duration::from_millis(200),
        deadline: Duration::from_secs(20),
        inspect: Duration::from_secs(1),
        worker_timeout: Duration::from_secs(8),
        ..Config::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_celery_application_over_rabbitmq_is_told_by_its_events_and_queues() {
    let scratch = Scratch::new();
    let mut rabbit = Rabbit::start(&scratch.path);
    let port = rabbit.port.number;
    let work = Work::start(watch(port, ""));
    // It takes its time to start.
    for _ in 0..2 {
        let up = tokio::time::timeout(Duration::from_secs(80), async {
            while work.celery.standing()[0].up != Some(true) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let _ = up.await;
    }
    work.until(&["belfry_celery_broker_up 1"]).await;
    let broker = format!("amqp://guest:guest@127.0.0.1:{port}//");
    let send = |words: &[&str]| {
        run(python(&broker, &scratch.path)
            .args(["-m", "shop"])
            .args(words));
    };

    // The same with TLS, by whose certificate is trusted.
    let secured = |authorities: Option<PathBuf>| {
        Work::start(watch_at(Broker {
            address: format!("amqps://localhost:{}", rabbit.secured.number),
            ca_file: authorities,
            ..Broker::default()
        }))
    };
    let trusting = secured(Some(scratch.path.join("certificate.pem")));
    trusting.until(&["belfry_celery_broker_up 1"]).await;
    let wary = secured(None);
    wary.until(&["belfry_celery_broker_up 0"]).await;
    assert_eq!(
        wary.celery.standing()[0].trouble,
        "TLS cannot be set up: its certificate is not trusted, or it speaks no TLS"
    );
    let astray = secured(Some(scratch.path.join("none.pem")));
    astray.until(&["belfry_celery_broker_up 0"]).await;
    assert_eq!(
        astray.celery.standing()[0].trouble,
        "TLS cannot be set up: cannot read ca_file"
    );
    drop((wary, astray));

    // Nobody works.
    send(&["backlog"]);
    work.until(&[
        "celery_queue_length{queue_name=\"mail\"} 3",
        "celery_queue_length{queue_name=\"celery\"} 1",
        "celery_active_consumer_count{queue_name=\"mail\"} 0",
        "belfry_celery_listening 1",
    ])
    .await;
    trusting
        .until(&[
            "celery_queue_length{queue_name=\"celery\"} 1",
            "belfry_celery_listening 1",
        ])
        .await;

    let log = scratch.path.join("alpha.log");
    let alpha = worker(
        python(&broker, &scratch.path),
        &log,
        &["celery@alpha", "mail,celery", "2"],
    );
    work.until(&[
        "celery_worker_up{hostname=\"alpha\"} 1",
        "belfry_celery_worker_pool_size{hostname=\"alpha\"} 2",
        "celery_active_worker_count{queue_name=\"mail\"} 1",
        "celery_active_consumer_count{queue_name=\"mail\"} 1",
        "celery_queue_length{queue_name=\"mail\"} 0",
    ])
    .await;
    send(&["work"]);
    let of = |what: &str, name: &str, queue: &str, count: u32| {
        format!(
            "celery_task_{what}_total{{hostname=\"alpha\",name=\"shop.{name}\",queue_name=\"{queue}\"}} {count}"
        )
    };
    let lines = [
        of("succeeded", "add", "mail", 3),
        of("received", "fail", "celery", 2),
        of("retried", "flaky", "celery", 1),
        of("succeeded", "flaky", "celery", 1),
        of("rejected", "refuse", "celery", 1),
        "celery_task_failed_total{exception=\"ValueError\",hostname=\"alpha\",name=\"shop.fail\",queue_name=\"celery\"} 2".to_owned(),
        "celery_task_runtime_count{hostname=\"alpha\",name=\"shop.add\",queue_name=\"mail\"} 3".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let page = work.until(&lines).await;
    assert!(!page.contains("hunter2"), "{page}");

    let locked_out = Work::start(watch(port, "wrong"));
    locked_out.until(&["belfry_celery_broker_up 0"]).await;
    let standing = &locked_out.celery.standing()[0];
    assert_eq!(standing.trouble, "the server refused the login");

    // The broker goes away; nobody is called silent for that.
    rabbit.stop();
    work.until(&["belfry_celery_broker_up 0"]).await;
    // Longer than a worker may be silent.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let page = work.celery.page().await;
    assert!(
        !page.contains("celery_worker_up{hostname=\"alpha\"} 0"),
        "{page}"
    );

    // It returns, and so does what hears and asks it; counts go on where they were.
    rabbit.revive();
    let counted = of("succeeded", "add", "mail", 3);
    work.until(&[
        "belfry_celery_broker_up 1",
        "belfry_celery_listening 1",
        "celery_worker_up{hostname=\"alpha\"} 1",
        "celery_queue_length{queue_name=\"mail\"} 0",
        &counted,
    ])
    .await;
    drop(alpha);
}
