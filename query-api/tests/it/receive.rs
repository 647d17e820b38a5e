//! The remote_write receiver, over HTTP.

use reqwest::Method;
use serde_json::json;

use crate::support::wire::{Series, request};
use crate::support::{Server, T0, serve, source};
use exposition::stale;
use series::Store;

async fn empty() -> Server {
    serve(source(Store::new())).await
}

const A: [(&str, &str); 2] = [("__name__", "a"), ("job", "x")];

#[tokio::test]
async fn samples_hours_old_are_taken_in_order_with_their_times_and_markers() {
    let server = empty().await;
    let old = T0 - 6 * 3_600_000;
    let samples: Vec<_> = (0..100)
        .map(|at| (old + at * 15_000 + 7, at as f64))
        .collect();
    let body = request(&[Series::new(&A, &samples)]);
    assert_eq!(server.write(&body).await, (204, String::new()));
    let end = old + 100 * 15_000 + 7;
    let body = request(&[Series::new(&A, &[(end, stale())])]);
    assert_eq!(server.write(&body).await.0, 204);
    let at = async |time: i64| {
        let path = format!("/api/v1/query?query=a&time={}", time as f64 / 1000.0);
        server.data(&path).await["result"].clone()
    };
    let wanted = json!([{ "metric": { "__name__": "a", "job": "x" }, "value": [(end - 1) as f64 / 1000.0, "99"] }]);
    assert_eq!(at(end - 1).await, wanted);
    // The marker ends it at once, and is never shown.
    assert_eq!(at(end).await, json!([]));
    let path = format!("/api/v1/query?query=a[10h]&time={}", T0 / 1000);
    let data = server.data(&path).await;
    let values = data["result"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 100);
    assert_eq!(values[0], json!([(old + 7) as f64 / 1000.0, "0"]));
}

#[tokio::test]
async fn what_is_out_of_order_is_told_and_the_rest_kept() {
    let server = empty().await;
    let body = request(&[Series::new(&A, &[(T0 - 1000, 1.0)])]);
    assert_eq!(server.write(&body).await.0, 204);
    // The same again is no fault: senders repeat themselves.
    assert_eq!(server.write(&body).await.0, 204);
    let body = request(&[
        Series::new(&A, &[(T0 - 2000, 1.0), (T0, 2.0)]),
        Series::new(&[("__name__", "b")], &[(T0, 3.0)]),
        Series::new(&[("job", "nameless")], &[(T0, 3.0)]),
    ]);
    let (status, told) = server.write(&body).await;
    assert_eq!(status, 400);
    assert_eq!(
        told,
        "1 samples and 1 series left out; the first: out of order for series a{job=\"x\"}\n"
    );
    for (query, value) in [("a", "2"), ("b", "3")] {
        let data = server.data(&format!("/api/v1/query?query={query}")).await;
        assert_eq!(data["result"][0]["value"][1], value);
    }
}

#[tokio::test]
async fn a_receiver_that_is_off_or_asked_wrongly_takes_nothing() {
    let mut off = source(Store::new());
    off.receives = false;
    let server = serve(off).await;
    assert_eq!(server.write(&request(&[])).await.0, 404);
    let server = empty().await;
    let body = snap::raw::Encoder::new()
        .compress_vec(&request(&[Series::new(&A, &[(T0, 1.0)])]))
        .unwrap();
    let status = async |kind: &str, coding: &str, body: Vec<u8>| {
        let request = server
            .request(Method::POST, "/api/v1/write")
            .header("content-type", kind)
            .header("content-encoding", coding);
        let response = request.body(body).send().await.unwrap();
        response.status().as_u16()
    };
    let protobuf = "application/x-protobuf";
    let second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    assert_eq!(
        status("application/json", "snappy", body.clone()).await,
        415
    );
    assert_eq!(status(second, "snappy", body.clone()).await, 415);
    assert_eq!(status(protobuf, "gzip", body.clone()).await, 415);
    assert_eq!(status(protobuf, "snappy", b"no".to_vec()).await, 400);
    assert_eq!(server.data("/api/v1/labels").await, json!([]));
    assert_eq!(status(protobuf, "snappy", body).await, 204);
}

#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let mut source = source(Store::new());
    source.limits.write_bytes = 1 << 20;
    let server = serve(source).await;
    // A few kilobytes that say they are 64 MiB; then real ones, too many.
    let (status, told) = server.write(&vec![0; 64 << 20]).await;
    assert_eq!(status, 413, "{told}");
    let (status, told) = server.write(&vec![0; 2 << 20]).await;
    assert_eq!(status, 400);
    assert!(told.contains("more than the limit"), "{told}");
    let request = server.request(Method::POST, "/api/v1/write");
    let response = request.body(vec![0xff; 2 << 20]).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 413);
    let body = request_of(&server).await;
    assert_eq!(body, 204);
}

async fn request_of(server: &Server) -> u16 {
    server
        .write(&request(&[Series::new(&A, &[(T0, 1.0)])]))
        .await
        .0
}
