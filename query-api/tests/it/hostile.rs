//! Questions that want too much, and askers that go away or stand still.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use exposition::Labels;
use reqwest::Method;
use serde_json::Value;
use series::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, T0, escape, serve, source, store};

/// Many series with long labels: an answer of megabytes.
fn wide(series: usize, long: usize) -> Store {
    let store = Store::new();
    for at in 0..series {
        let labels = Labels::from_pairs([
            ("__name__".to_owned(), "wide".to_owned()),
            ("id".to_owned(), format!("{at:06}{}", "x".repeat(long))),
        ]);
        store.append(&labels, T0, at as f64 / 3.0).unwrap();
    }
    store
}

#[tokio::test]
async fn big_answers_come_in_pieces_and_packed_when_asked() {
    let server = serve(source(wide(5000, 100))).await;
    let path = "/api/v1/query?query=wide";
    let plain = server.request(Method::GET, path).send().await.unwrap();
    assert!(plain.headers().get("content-length").is_none());
    let plain = plain.bytes().await.unwrap();
    let json: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(json["data"]["result"].as_array().unwrap().len(), 5000);
    let request = server.request(Method::GET, path);
    let packed = request
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() < plain.len() / 2);
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
    decoder.read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    // What is short is not worth it.
    let request = server.request(Method::GET, "/api/v1/query?query=1");
    let short = request
        .header("accept-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert!(short.headers().get("content-encoding").is_none());
    assert!(short.headers().get("content-length").is_some());
}

#[tokio::test]
async fn long_forms_and_long_queries_are_refused() {
    let server = serve(source(store())).await;
    let form = format!("query={}", "1%2B".repeat(1 << 19));
    let (status, answer) = server.post("/api/v1/query", &form).await;
    assert_eq!((status, &answer["errorType"]), (400, &"bad_data".into()));
    let long = format!("query={}1", "1%2B".repeat(40_000));
    let (status, answer) = server.post("/api/v1/query", &long).await;
    assert_eq!(status, 400);
    assert!(
        answer["error"].as_str().unwrap().contains("longer than"),
        "{answer}"
    );
    let deep = format!("query={}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(server.post("/api/v1/query", &deep).await.0, 400);
    let many = "match[]=up&".repeat(1001);
    assert_eq!(server.post("/api/v1/series", &many).await.0, 400);
    // A form without its name is none, as in Prometheus.
    let request = server
        .request(Method::POST, "/api/v1/query")
        .body("query=1");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 400);
}

#[tokio::test]
async fn pattern_bombs_are_refused_or_harmless() {
    let server = serve(source(store())).await;
    for pattern in [
        "(a{1000}){1000}",
        "((a{100}){100}){100}",
        "(a*)*b",
        "(.*.*.*.*.*)*x",
    ] {
        let query = escape(&format!("{{__name__=~\"{pattern}\"}}"));
        let (status, answer) = server.get(&format!("/api/v1/query?query={query}")).await;
        assert!(status == 400 || status == 200, "{pattern}: {answer}");
        let (status, _) = server.get(&format!("/api/v1/series?match[]={query}")).await;
        assert!(status == 400 || status == 200, "{pattern}");
    }
}

/// A query that does not end by itself within the limits of a test.
const ENDLESS: &str = "sum_over_time(sum_over_time(vector(1)[400d:1m])[400d:1m])";

fn endless() -> query_api::Source {
    let mut source = source(store());
    source.limits.samples = usize::MAX;
    source.limits.timeout = Duration::from_secs(3600);
    source.limits.concurrency = 1;
    source
}

/// Begins a request by hand, so that it can be left.
async fn begin(server: &Server, path: &str) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Asks until the gate is in the state that gives this answer.
async fn until(server: &Server, path: &str, wanted: impl Fn(u16, &Value) -> bool) {
    let began = Instant::now();
    loop {
        let (status, answer) = server.get(path).await;
        if wanted(status, &answer) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asks until somebody else has the only turn. Who waits for it is told so; a slow
/// machine may need longer than this for an answer, too, which is told otherwise.
async fn until_taken(server: &Server) {
    let path = "/api/v1/query?query=1&timeout=10ms";
    until(server, path, |status, answer| {
        let queued = answer["error"] == "query timed out in query queue";
        if queued {
            assert_eq!((status, &answer["errorType"]), (503, &"timeout".into()));
        }
        queued
    })
    .await;
}

#[tokio::test]
async fn who_goes_away_frees_the_turn_and_who_waits_gets_it() {
    let server = serve(endless()).await;
    let endless = format!("/api/v1/query?query={}", escape(ENDLESS));
    let first = begin(&server, &endless).await;
    // Its turn is taken: another waits until its own time is over.
    until_taken(&server).await;
    // A picture is a question as well.
    let picture = server.request(Method::GET, "/graph?g0.expr=1&timeout=10ms");
    let picture = picture.send().await.unwrap();
    assert_eq!(picture.status().as_u16(), 503);
    let page = picture.text().await.unwrap();
    assert!(page.contains("query timed out in query queue"), "{page}");
    // One that waits for longer gets it.
    let mut second = begin(&server, "/api/v1/query?query=2").await;
    drop(first);
    let mut text = vec![0; 4096];
    let length = second.read(&mut text).await.unwrap();
    let text = String::from_utf8_lossy(&text[..length]);
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert_eq!(server.get("/api/v1/query?query=4").await.0, 200);
}

#[tokio::test]
async fn an_endless_query_ends_at_its_time() {
    let server = serve(endless()).await;
    let path = format!("/api/v1/query?query={}&timeout=100ms", escape(ENDLESS));
    let (status, answer) = server.get(&path).await;
    assert_eq!(
        (status, &answer["errorType"]),
        (503, &"timeout".into()),
        "{answer}"
    );
    assert_eq!(answer["error"], "query timed out in expression evaluation");
}

#[tokio::test]
async fn a_reader_that_stands_still_loses_its_answer_and_its_turn() {
    let mut source = source(wide(4000, 10_000));
    source.limits.concurrency = 1;
    source.limits.timeout = Duration::from_secs(15);
    let server = serve(source).await;
    // Far more than the sockets between them hold.
    let mut stands = begin(&server, "/api/v1/query?query=wide").await;
    stands.readable().await.unwrap();
    until_taken(&server).await;
    until(&server, "/api/v1/query?query=1", |status, _| status == 200).await;
    // What still comes is not all of it.
    let mut rest = Vec::new();
    let _ = stands.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn views_are_taken_where_waiting_is_allowed_and_a_panic_is_answered() {
    let mut source = source(store());
    let asked = Arc::new(AtomicUsize::new(0));
    let broken = Arc::new(AtomicBool::new(true));
    let (count, breaks) = (asked.clone(), broken.clone());
    source.config = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        // Would panic itself if it stood on a thread that must not wait.
        let lock = tokio::sync::Mutex::new(());
        let _held = lock.blocking_lock();
        assert!(!breaks.load(Ordering::Relaxed), "on purpose");
        "fine".into()
    });
    let server = serve(source).await;
    let (status, answer) = server.get("/api/v1/status/config").await;
    assert_eq!((status, &answer["errorType"]), (500, &"internal".into()));
    broken.store(false, Ordering::Relaxed);
    assert_eq!(server.data("/api/v1/status/config").await["yaml"], "fine");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
