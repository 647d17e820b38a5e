//! Servers that refuse, hang, lie and come back.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nuptime_in_seconds:5\r\n\
    server_time_usec:1700000005900000\r\n# Memory\r\nused_memory:1000\r\n";

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// What a server that allows only INFO answers to everything that is asked.
fn answers(info: &str) -> String {
    let refusal = "-NOPERM no permissions\r\n";
    format!("+OK\r\n{}{}", bulk(info), refusal.repeat(7))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that sends `answer` to whatever it hears first, and then is silent.
async fn serve(listener: &TcpListener, answer: &[u8]) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = [0; 4096];
    assert!(stream.read(&mut heard).await.unwrap() > 0);
    // The client may hang up in the middle of what it refuses to read.
    let _ = stream.write_all(answer).await;
    stream
}

fn reader(address: SocketAddr, password: &str) -> Redis {
    Redis::new(Config {
        servers: vec![Server {
            address: address.to_string(),
            password: settings::Secret::new(password),
            ..Server::default()
        }],
        interval: Duration::from_millis(20),
        deadline: Duration::from_secs(30),
        ..Config::default()
    })
}

/// A reader at work, until it is dropped.
struct Work {
    redis: Redis,
    readings: watch::Receiver<u64>,
    stop: CancellationToken,
}

impl Work {
    fn start(redis: Redis) -> Self {
        let (readings, stop) = (redis.readings(), CancellationToken::new());
        tokio::spawn({
            let (redis, stop) = (redis.clone(), stop.clone());
            async move { redis.run(stop).await }
        });
        Self {
            redis,
            readings,
            stop,
        }
    }

    /// The page after the next reading that makes it hold `wanted`.
    async fn page_with(&mut self, wanted: &str) -> String {
        let found = async {
            loop {
                let page = self.redis.page().await;
                if page.contains(wanted) {
                    return page;
                }
                self.readings.changed().await.unwrap();
            }
        };
        let found = timeout(Duration::from_secs(120), found).await;
        assert!(found.is_ok(), "waited in vain for {wanted}");
        found.unwrap()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_server_that_allows_only_info_is_read() {
    let (listener, address) = listener().await;
    let mut work = Work::start(reader(address, ""));
    assert_eq!(work.redis.page().await, "");
    let _open = serve(&listener, answers(INFO).as_bytes()).await;
    let page = work.page_with("redis_up 1\n").await;
    for line in [
        "redis_memory_used_bytes 1000\n",
        "redis_start_time_seconds 1700000000\n",
        "redis_exporter_last_scrape_error 0\n",
        "belfry_redis_read_success 1\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    assert!(!page.contains("redis_slowlog_length") && !page.contains("redis_config"));
    exposition_is_valid(&page);
}

fn exposition_is_valid(page: &str) {
    for entry in exposition::parse(page) {
        entry.unwrap();
    }
}

#[tokio::test]
async fn every_lie_is_a_failure_with_a_reason_and_a_later_truth_is_believed() {
    let (listener, address) = listener().await;
    let mut work = Work::start(reader(address, "hunter2"));
    let huge = format!("+OK\r\n+OK\r\n${}\r\n{}", 1 << 20, "x".repeat(1 << 20));
    let claim = "+OK\r\n+OK\r\n$999999999999\r\n";
    let cut = format!("+OK\r\n+OK\r\n{}", &bulk(INFO)[..40]);
    let other = format!("+OK\r\n{}", answers("hello:1\r\n"));
    let nested = format!("+OK\r\n+OK\r\n{}", "*2\r\n".repeat(100));
    let malformed = "malformed, or too large";
    let cases: [(&str, &str); 9] = [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", malformed),
        (&huge, malformed),
        (claim, malformed),
        (&nested, malformed),
        (&other, malformed),
        ("+OK\r\n+OK\r\n:5\r\n", malformed),
        (&cut, "the connection ended before the answer"),
        (
            "-WRONGPASS invalid hunter2\r\n",
            "the server refused the password: WRONGPASS",
        ),
        (
            "+OK\r\n+OK\r\n-NOPERM this user\r\n",
            "the server refused INFO: NOPERM",
        ),
    ];
    for (count, (answer, reason)) in (1..).zip(cases) {
        let mut stream = serve(&listener, answer.as_bytes()).await;
        stream.shutdown().await.unwrap();
        // What was sent is lost when a socket is closed that has something unread.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let failures = format!("belfry_redis_read_failures_total {count}\n");
        let page = work.page_with(&failures).await;
        assert!(page.contains(reason), "{answer:.40} {page}");
        assert!(
            page.contains("redis_up 0\n") && !page.contains("hunter2"),
            "{page}"
        );
        assert!(!page.contains("redis_memory_used_bytes"));
        exposition_is_valid(&page);
    }
    let truth = format!("+OK\r\n{}", answers(INFO));
    let _open = serve(&listener, truth.as_bytes()).await;
    work.page_with("redis_up 1\n").await;
}

#[tokio::test]
async fn one_server_that_hangs_holds_up_neither_the_page_nor_the_other() {
    let (silent, silent_address) = listener().await;
    let (listener, address) = listener().await;
    let server = |address: SocketAddr| Server {
        address: address.to_string(),
        ..Server::default()
    };
    let mut work = Work::start(Redis::new(Config {
        servers: vec![server(silent_address), server(address)],
        interval: Duration::from_millis(20),
        deadline: Duration::from_millis(500),
        ..Config::default()
    }));
    let (_held, _) = silent.accept().await.unwrap();
    // On a slow machine it may itself be late at first.
    let serving = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                let _ = stream.write_all(answers(INFO).as_bytes()).await;
            }
            open.push(stream);
        }
    });
    let up = |address, value| format!("redis_up{{instance=\"{address}\"}} {value}\n");
    let page = work.page_with(&up(address, 1)).await;
    assert!(!page.contains(&up(silent_address, 1)));
    let page = work.page_with(&up(silent_address, 0)).await;
    assert!(page.contains("err=\"no answer in time\""), "{page}");
    exposition_is_valid(&page);
    // The silent one is tried again, on a new connection.
    let _again = silent.accept().await.unwrap();
    serving.abort();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_down() {
    let (listener, address) = listener().await;
    drop(listener);
    let mut work = Work::start(reader(address, ""));
    let page = work.page_with("redis_up 0\n").await;
    assert!(
        page.contains("err=\"cannot connect: connection refused\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_wait_for_a_server_ends_at_once_when_told_to() {
    let (listener, address) = listener().await;
    let redis = reader(address, "");
    let stop = CancellationToken::new();
    let run = tokio::spawn({
        let (redis, stop) = (redis.clone(), stop.clone());
        async move { redis.run(stop).await }
    });
    let _held = listener.accept().await.unwrap();
    stop.cancel();
    timeout(Duration::from_secs(60), run)
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn a_replica_that_came_back_before_it_was_missed_is_told_once() {
    let of = |number, lag| {
        format!("slave{number}:ip=10.0.0.2,port=6379,state=online,offset=5,lag={lag}\r\n")
    };
    let answers = client::Answers {
        info: format!("{INFO}{}{}", of(0, 9), of(1, 0)),
        ..client::Answers::default()
    };
    let mut sheet = Sheet::new(&"".into());
    assert!(encode::encode(&answers, None, &mut sheet));
    let page = pieces::page(&[Arc::new(sheet.finish())]);
    pieces::check(&page);
    let lags = page.lines();
    let lags: Vec<_> = lags
        .filter(|line| line.starts_with("redis_connected_slave_lag_seconds{"))
        .collect();
    assert!(lags.len() == 1 && lags[0].ends_with("} 0"), "{lags:?}");
}

#[test]
fn a_configuration_that_contradicts_itself_is_told_without_its_secrets() {
    let server = |address: &str, name: &str| Server {
        address: address.to_owned(),
        name: name.to_owned(),
        ..Server::default()
    };
    let config = Config {
        servers: vec![
            server("redis://:hunter2@db", ""),
            server("db:6379", ""),
            server("other", "db:6379"),
            Server {
                ca_file: Some("/ca.pem".into()),
                ..server("plain", "")
            },
            Server {
                key_file: Some("/key.pem".into()),
                ..server("rediss://secured", "")
            },
        ],
        deadline: Duration::ZERO,
        ..Config::default()
    };
    let faults = config.faults();
    let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "redis.servers[0].address",
            "redis.servers[2].name",
            "redis.servers[3].ca_file",
            "redis.servers[4].cert_file",
            "redis.deadline"
        ]
    );
    assert!(!format!("{faults:?}").contains("hunter2"));
    assert_eq!(Config::default().faults(), []);
}
