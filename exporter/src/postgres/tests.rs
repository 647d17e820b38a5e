//! Configurations, and servers that are none.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

fn server(url: &str, name: &str) -> Server {
    Server {
        url: ::settings::Secret::new(url),
        name: name.to_owned(),
        password: ::settings::Secret::new("hunter2"),
        ..Server::default()
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn reader(address: SocketAddr, deadline: Duration) -> Postgres {
    Postgres::new(Config {
        servers: vec![server(&format!("postgres://watch@{address}/x"), "")],
        interval: Duration::from_millis(20),
        deadline,
        ..Config::default()
    })
}

async fn page_with(postgres: &Postgres, wanted: &str) -> String {
    let mut readings = postgres.readings();
    let found = async {
        loop {
            let page = postgres.page().await;
            if page.contains(wanted) {
                return page;
            }
            readings.changed().await.unwrap();
        }
    };
    let found = timeout(Duration::from_secs(120), found).await;
    assert!(
        found.is_ok(),
        "waited in vain for {wanted}: {}",
        postgres.page().await
    );
    found.unwrap()
}

fn start(postgres: &Postgres) -> tokio_util::sync::DropGuard {
    let stop = CancellationToken::new();
    let guard = stop.clone().drop_guard();
    let postgres = postgres.clone();
    tokio::spawn(async move { postgres.run(stop).await });
    guard
}

#[tokio::test]
async fn what_does_not_speak_the_protocol_is_down_and_its_words_are_not_repeated() {
    let (listener, address) = listener().await;
    let postgres = reader(address, Duration::from_secs(30));
    let _guard = start(&postgres);
    assert_eq!(postgres.page().await, "");
    // A fault whose text repeats a secret, as a hostile server may send it.
    let fault = b"SFATAL\0CXX000\0Mhunter2 is wrong\0\0";
    let mut refusal = vec![b'E'];
    refusal.extend((fault.len() as u32 + 4).to_be_bytes());
    refusal.extend(fault);
    let cases: [(&[u8], &str); 5] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\nhunter2",
            "PostgreSQL's protocol",
        ),
        (b"R\x7f\xff\xff\xff\0\0\0\0", "PostgreSQL's protocol"),
        (b"R\0\0\0\x01", "PostgreSQL's protocol"),
        (b"", "the connection has ended"),
        (&refusal, "the server refused with XX000"),
    ];
    for (count, (answer, reason)) in (1..).zip(cases) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 1024];
        assert!(stream.read(&mut heard).await.unwrap() > 0);
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let failures = format!("belfry_postgres_read_failures_total {count}\n");
        let page = page_with(&postgres, &failures).await;
        assert!(page.contains(reason), "{answer:?} {page}");
        assert!(
            page.contains("pg_up 0\n") && !page.contains("hunter2"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_and_one_that_is_not_there_are_down() {
    let (silent, address) = listener().await;
    let postgres = reader(address, Duration::from_millis(200));
    let _guard = start(&postgres);
    let (held, _) = silent.accept().await.unwrap();
    page_with(&postgres, "err=\"no answer in time\"").await;
    // It is not asked again as long as it holds the first connection.
    let mut readings = postgres.readings();
    readings.mark_unchanged();
    timeout(Duration::from_secs(120), readings.changed())
        .await
        .unwrap()
        .unwrap();
    let again = timeout(Duration::ZERO, silent.accept()).await;
    assert!(again.is_err(), "a second connection while the first hangs");
    drop((silent, held));
    page_with(&postgres, "err=\"cannot connect: connection refused\"").await;
}

#[test]
fn a_configuration_that_contradicts_itself_is_told_without_its_secrets() {
    let config = Config {
        servers: vec![
            server("postgres://me:hunter2@db/x", ""),
            server("postgres://me@db/y", ""),
            server("db", ""),
            server("postgres://me@other/x?sslmode=require", ""),
        ],
        visit: Duration::ZERO,
        ..Config::default()
    };
    let faults = config.faults();
    let keys: Vec<&str> = faults.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "postgres.servers[1].name",
            "postgres.servers[2].url",
            "postgres.servers[3].tls",
            "postgres.visit"
        ]
    );
    assert!(!format!("{faults:?} {config:?}").contains("hunter2"));
    assert_eq!(Config::default().faults(), []);
}
