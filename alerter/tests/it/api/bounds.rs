//! Requests that are too much: they are refused, or taken and shown whole, and whoever
//! asks next is served.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{CONFIG, World};
use crate::support::within;

/// Bytes of a piece of a body that does not say its length.
const PIECE: usize = 64 << 10;

const TOO_LARGE: &str = "{\"code\":413,\"message\":\"http: request body too large\"}";

/// Sends what comes and reads an answer: its first line and its body.
async fn raw(world: &World, head: &str, pieces: usize) -> (String, String) {
    let url = world.url();
    let address = url.strip_prefix("http://").unwrap();
    let mut server = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {head}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    server.write_all(head.as_bytes()).await.unwrap();
    // So that it is sound but for its length.
    let piece = [b"10000\r\n", &*vec![b' '; PIECE], b"\r\n"].concat();
    for _ in 0..pieces {
        server.write_all(&piece).await.unwrap();
    }
    if pieces > 0 {
        server.write_all(b"1\r\n[\r\n").await.unwrap();
    }
    let mut answer = String::new();
    server.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let line = head.lines().next().unwrap();
    (line.to_owned(), body.trim_end().to_owned())
}

#[tokio::test]
async fn bodies_beyond_the_limits_are_refused_whether_they_say_their_length_or_not() {
    let world = World::start(CONFIG).await;
    for (path, limit) in [("alerts", 32 << 20), ("silences", 1 << 20)] {
        let head = format!("/api/v2/{path} HTTP/1.1\r\nContent-Type: application/json\r\n");
        let told = format!("{head}Content-Length: {}", limit + 1);
        let untold = format!("{head}Transfer-Encoding: chunked");
        for (head, pieces) in [(told, 0), (untold, limit / PIECE)] {
            let (line, body) = within("the answer", raw(&world, &head, pieces)).await;
            assert_eq!(line, "HTTP/1.1 413 Payload Too Large", "{head}");
            assert_eq!(body, TOO_LARGE, "{head}");
        }
    }
    // Nothing of it was taken, and who asks next is served.
    assert_eq!(world.get("/alerts").await.json(), json!([]));
    world.fire(&["alertname=next"]).await;
    assert_eq!(
        world.get("/alerts").await.json()[0]["labels"]["alertname"],
        "next"
    );
}

#[tokio::test]
async fn absurd_labels_and_times_are_taken_and_shown_as_they_are() {
    let world = World::start(CONFIG).await;
    let long = "ü".repeat(500_000);
    let many: serde_json::Map<String, Value> = (0..5_000)
        .map(|at| (format!("label_{at}"), json!(at.to_string())))
        .collect();
    let nameless = json!({"": "x"});
    let named = json!({"\u{0}\"{}=~\n": "\u{1f514}\u{0}", "alertname": "Odd"});
    let refused = world
        .post("/alerts", json!([{"labels": nameless}, {"labels": named}]))
        .await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.text.trim_end(),
        "\"invalid label set: invalid name \\\"\\\"\""
    );
    let alerts = json!([
        {"labels": {"alertname": "Long", "text": long}},
        {"labels": many},
        {"labels": {"alertname": "Far"}, "startsAt": "0001-01-02T00:00:00Z", "endsAt": "9999-12-31T23:59:59.999Z"},
        {"labels": {"alertname": "Offset"}, "startsAt": "2020-01-01T00:00:00+23:59", "endsAt": "2090-12-31T00:00:00-23:59"},
    ]);
    assert_eq!(world.post("/alerts", alerts.clone()).await.status, 200);
    let shown = world.get("/alerts").await.json();
    let shown = shown.as_array().unwrap();
    assert_eq!(shown.len(), 5);
    let labels: Vec<&Value> = shown.iter().map(|it| &it["labels"]).collect();
    for wanted in alerts.as_array().unwrap() {
        assert!(labels.contains(&&wanted["labels"]));
    }
    assert!(labels.contains(&&named));
    let far = shown.iter().find(|it| it["labels"]["alertname"] == "Far");
    let far = far.expect("it is there");
    assert_eq!(far["startsAt"], "0001-01-02T00:00:00.000Z");
    // For ever ends a day early.
    assert_eq!(far["endsAt"], "9999-12-30T22:00:00.999Z");
    for (starts, ends) in [
        ("10000-01-01T00:00:00Z", "10001-01-01T00:00:00Z"),
        ("2020-02-30T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("2020-01-01T25:00:00Z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00+99:99", "2031-01-01T00:00:00Z"),
    ] {
        let alert = json!([{"labels": {"a": "b"}, "startsAt": starts, "endsAt": ends}]);
        let refused = world.post("/alerts", alert).await;
        assert_eq!(refused.status, 400, "{starts}: {}", refused.text);
    }
    let groups = world.get("/alerts/groups").await.json();
    assert_eq!(groups.as_array().map(Vec::len), Some(5), "each has a group");
}
