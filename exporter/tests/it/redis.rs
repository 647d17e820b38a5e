//! Real Redis servers, a replica among them, and Debian's exporter beside ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use exporter::celery::{self, Broker, Celery};
use exporter::redis::{Config, Redis, Server as Address};
use rustix::process::Signal;
use tokio_util::sync::CancellationToken;

use crate::celery::Work as Listening;
use crate::peer;
use crate::rabbit::certificate;
use crate::server::{Port, Scratch, Server, find, run};
use crate::watch::within;

/// A Redis that listens on a socket alone, or on a port too.
pub(crate) struct Instance {
    server: Server,
    pub(crate) socket: PathBuf,
}

impl Instance {
    pub(crate) fn start(folder: &Path, name: &str, port: u16, options: &[&str]) -> Self {
        let socket = folder.join(format!("{name}.sock"));
        let home = folder.join(name);
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(find("redis-server", "redis-server"));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&home);
        command.args(["--save", "", "--latency-monitor-threshold", "1"]);
        command.args(options);
        let log = folder.join(format!("{name}.log"));
        let mut server = Server::start(&mut command, &log, Signal::TERM);
        let file = socket.clone();
        server.ready(|| std::os::unix::net::UnixStream::connect(&file).ok());
        Self { server, socket }
    }

    pub(crate) fn command(&self, words: &[&str]) -> String {
        let mut client = Command::new(find("redis-cli", "redis-tools"));
        run(client.arg("-s").arg(&self.socket).arg("-e").args(words))
    }

    /// Ends it, and waits.
    pub(crate) fn stop(&mut self) {
        self.server.end();
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.server.signal(signal);
    }

    fn address(&self) -> Address {
        Address {
            address: self.socket.display().to_string(),
            ..Address::default()
        }
    }
}

/// A reader at work, until it is dropped.
struct Work {
    redis: Redis,
    stop: CancellationToken,
}

impl Work {
    fn start(servers: Vec<Address>, deadline: Duration) -> Self {
        let redis = Redis::new(Config {
            servers,
            interval: Duration::from_millis(100),
            deadline,
            ..Config::default()
        });
        let stop = CancellationToken::new();
        tokio::spawn({
            let (redis, stop) = (redis.clone(), stop.clone());
            async move { redis.run(stop).await }
        });
        Self { redis, stop }
    }

    /// The page of a reading that began after this call.
    async fn page(&self) -> String {
        let mut readings = self.redis.readings();
        readings.mark_unchanged();
        let seen = *readings.borrow();
        // The first that ends may have begun before.
        within(readings.wait_for(|count| *count >= seen + 2))
            .await
            .unwrap();
        self.redis.page().await
    }

    async fn until(&self, wanted: &str) -> String {
        within(async {
            loop {
                let page = self.page().await;
                if page.contains(wanted) {
                    return page;
                }
            }
        })
        .await
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What neither stands still nor only grows while both are asked.
const VOLATILE: [&str; 6] = [
    "redis_allocator_*",
    "redis_latency_percentiles_usec*",
    "redis_mem_fragmentation_*",
    "redis_memory_used_*",
    "redis_mem_clients_normal",
    "redis_connected_clients",
];
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_tells_what_debians_exporter_says_of_it() {
    let scratch = Scratch::new();
    let master_port = Port::claim();
    let master = Instance::start(&scratch.path, "m", master_port.number, &[]);
    let port = master_port.number.to_string();
    let replica = Instance::start(&scratch.path, "r", 0, &["--replicaof", "127.0.0.1", &port]);
    for key in 0..50 {
        master.command(&["SET", &format!("k{key}"), "value"]);
    }
    master.command(&["-n", "3", "SET", "later", "x", "EX", "1000"]);
    master.command(&["CONFIG", "SET", "slowlog-log-slower-than", "1000000"]);
    let work = Work::start(vec![master.address()], DEADLINE);
    work.until("slave_state=\"online\"").await;
    let of_replica = Work::start(vec![replica.address()], DEADLINE);
    of_replica.until("redis_master_link_up").await;
    let linked = of_replica
        .until("\"} 1\n# HELP redis_master_repl_offset")
        .await;
    assert!(
        linked.contains("redis_slave_info{master_host=\"127.0.0.1\""),
        "{linked}"
    );
    drop(of_replica);

    let web = Port::claim();
    let mut peer = Command::new(find(
        "prometheus-redis-exporter",
        "prometheus-redis-exporter",
    ));
    peer.arg("-redis.addr")
        .arg(format!("unix://{}", master.socket.display()));
    peer.arg("-web.listen-address")
        .arg(format!("127.0.0.1:{}", web.number));
    let log = scratch.path.join("peer.log");
    let mut peer = Server::start(&mut peer, &log, Signal::TERM);
    let theirs = || peer::get(web.number, "/metrics");
    peer.ready(|| theirs().filter(|page| page.contains("redis_up 1")));
    let ours = peer::between(
        || theirs().unwrap(),
        async || work.page().await,
        &[],
        "Redis",
        &VOLATILE,
    )
    .await;
    assert_eq!(ours.value("redis_db_keys{db=\"db0\"}"), Some(50.0));
    assert_eq!(ours.value("redis_db_keys{db=\"db3\"}"), Some(1.0));
    assert_eq!(ours.value("redis_commands_total{cmd=\"set\"}"), Some(51.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_with_users_that_freezes_restarts_and_forgets_its_password() {
    let scratch = Scratch::new();
    let options = [
        "--user",
        "watch",
        "on",
        ">hunter2",
        "+info",
        "+client|setname",
        "+slowlog|len",
        "+latency|latest",
        "--user",
        "default",
        "off",
    ];
    let mut redis = Instance::start(&scratch.path, "u", 0, &options);
    let address = Address {
        username: "watch".into(),
        password: settings::Secret::new("hunter2"),
        ..redis.address()
    };
    let wrong = Address {
        name: "wrong".into(),
        password: settings::Secret::new("hunter3"),
        ..address.clone()
    };
    let refused = Work::start(vec![wrong], DEADLINE);
    let page = refused.until("redis_up{instance=\"wrong\"} 0").await;
    assert!(
        page.contains("the server refused the password: WRONGPASS"),
        "{page}"
    );
    assert!(!page.contains("hunter"), "{page}");
    drop(refused);

    let work = Work::start(vec![address], Duration::from_secs(2));
    let page = work.until("redis_up 1").await;
    // What the user may not ask is missing, and nothing else.
    assert!(
        page.contains("redis_slowlog_length ") && !page.contains("redis_config_"),
        "{page}"
    );
    assert!(!page.contains("hunter"));

    redis.server.signal(Signal::STOP);
    let page = work.until("no answer in time").await;
    assert!(page.contains("redis_up 0"), "{page}");
    redis.server.signal(Signal::CONT);
    work.until("redis_up 1").await;

    drop(redis.server);
    let page = work.until("cannot connect").await;
    assert!(page.contains("redis_up 0"), "{page}");
    let _redis = Instance::start(&scratch.path, "u", 0, &options);
    work.until("redis_up 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_behind_tls_is_read_by_those_whose_certificates_are_trusted() {
    let scratch = Scratch::new();
    certificate(&scratch.path);
    let file = |name: &str| scratch.path.join(name);
    let (pem, key) = (file("certificate.pem"), file("key.pem"));
    let secured = Port::claim();
    let port = secured.number.to_string();
    // As it does unless it is told otherwise, it asks for the client's certificate too.
    let mut options = vec!["--tls-port", &port, "--tls-auth-clients", "yes"];
    for (option, file) in [
        ("--tls-cert-file", &pem),
        ("--tls-key-file", &key),
        ("--tls-ca-cert-file", &pem),
    ] {
        options.extend([option, file.to_str().unwrap()]);
    }
    let mut redis = Instance::start(&scratch.path, "t", 0, &options);
    let address = Address {
        address: format!("rediss://localhost:{port}"),
        ca_file: Some(pem.clone()),
        cert_file: Some(pem.clone()),
        key_file: Some(key.clone()),
        ..Address::default()
    };
    let work = Work::start(vec![address.clone()], DEADLINE);
    let page = work.until("redis_up 1").await;
    assert!(page.contains("redis_slowlog_length "), "{page}");
    drop(work);
    for (wrong, why) in [
        // The system's authorities do not know it.
        (
            Address {
                ca_file: None,
                ..address.clone()
            },
            "its certificate is not trusted",
        ),
        (
            Address {
                cert_file: None,
                key_file: None,
                ..address.clone()
            },
            "the server wants a certificate of ours",
        ),
        (
            Address {
                key_file: Some("/nowhere".into()),
                ..address.clone()
            },
            "cannot read key_file",
        ),
        (
            Address {
                address: format!("rediss://127.0.0.1:{port}"),
                ..address.clone()
            },
            "its certificate is not trusted",
        ),
    ] {
        let work = Work::start(vec![wrong], DEADLINE);
        let page = work.until(why).await;
        assert!(page.contains("redis_up 0"), "{page}");
    }

    // A broker is reached in the same way.
    redis.command(&["-n", "2", "LPUSH", "mail", "{}", "{}"]);
    let celery = Celery::new(celery::Config {
        brokers: vec![Broker {
            address: address.address.clone(),
            database: 2,
            ca_file: Some(pem.clone()),
            cert_file: Some(pem.clone()),
            key_file: Some(key.clone()),
            queues: vec!["mail".into()],
            ..Broker::default()
        }],
        interval: Duration::from_millis(200),
        deadline: DEADLINE,
        ..celery::Config::default()
    });
    let lines = [
        "belfry_celery_broker_up 1",
        "celery_queue_length{queue_name=\"mail\"} 2",
    ];
    let celery = Listening::start(celery);
    celery.until(&lines).await;

    // All is renewed, the authority too, and nobody tells us.
    let work = Work::start(vec![address], DEADLINE);
    work.until("redis_up 1").await;
    certificate(&scratch.path);
    redis.stop();
    work.until("redis_up 0").await;
    celery.until(&["belfry_celery_broker_up 0"]).await;
    let _redis = Instance::start(&scratch.path, "t", 0, &options);
    work.until("redis_up 1").await;
    celery
        .until(&["belfry_celery_broker_up 1", "belfry_celery_listening 1"])
        .await;
}
