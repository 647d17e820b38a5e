//! gRPC's health check, beside a server of HTTP/2 that answers as one of gRPC does.

use std::convert::Infallible;

use healthchecks::probe::Reason;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{dead_port, look};

/// A server that says this of every service but `absent`, of which it knows nothing.
async fn serve(status: u8) -> u16 {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = move |request: Request<Incoming>| async move {
                use http_body_util::BodyExt as _;
                assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                let absent = asked.ends_with(b"absent");
                let mut trailers = HeaderMap::new();
                trailers.insert(
                    "grpc-status",
                    if absent { "5" } else { "0" }.parse().unwrap(),
                );
                let message = Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
                let data = (!absent).then(|| Frame::data(message));
                let frames = data.into_iter().chain([Frame::trailers(trailers)]);
                let frames = frames.map(Ok::<_, Infallible>);
                let body = StreamBody::new(futures_util::stream::iter(frames));
                let response = Response::builder().header("content-type", "application/grpc");
                Ok::<_, Infallible>(response.body(body).unwrap())
            };
            let http = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    port
}

#[tokio::test]
async fn a_service_is_ready_when_it_says_so() {
    for (status, service, word, code, expected) in [
        (1, "shop", Some("SERVING"), 0.0, None),
        (1, "", Some("SERVING"), 0.0, None),
        (
            2,
            "shop",
            Some("NOT_SERVING"),
            0.0,
            Some(Reason::NotServing),
        ),
        (0, "shop", Some("UNKNOWN"), 0.0, Some(Reason::NotServing)),
        (1, "absent", None, 5.0, Some(Reason::Status)),
    ] {
        let port = serve(status).await;
        let module = format!("{{prober: grpc, grpc: {{service: '{service}'}}}}");
        let outcome = look(&format!("127.0.0.1:{port}"), &module).await;
        let told = outcome.failure.as_ref().map(|failure| failure.reason);
        assert_eq!(told, expected, "{status} {service}: {:?}", outcome.failure);
        let samples = &outcome.samples;
        assert_eq!(samples.get("probe_grpc_status_code", &[]), Some(code));
        if let Some(word) = word {
            let labels = [("serving_status", word)];
            let said = samples.get("probe_grpc_healthcheck_response", &labels);
            assert_eq!(said, Some(1.0), "{word}");
        }
    }
    let outcome = look(&format!("127.0.0.1:{}", dead_port()), "{prober: grpc}").await;
    assert_eq!(outcome.failure.unwrap().reason, Reason::Refused);
}
