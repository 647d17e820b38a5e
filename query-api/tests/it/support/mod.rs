//! The API on a port of its own, requests to it, and write requests by hand.

#[path = "../../../../belfry/tests/it/support/claim.rs"]
#[expect(dead_code, reason = "networks are claimed by other tests")]
pub(crate) mod claim;
pub(crate) mod prometheus;
pub(crate) mod wire;

use std::sync::Arc;

use exposition::{Labels, stale};
use query_api::Source;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use series::Store;

/// A whole minute in the past; all samples of these tests are around it.
pub(crate) const T0: i64 = 1_700_000_040_000;

/// Something that answers as Prometheus does.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: Client,
}

/// Serves a source until the test's runtime ends.
pub(crate) async fn serve(source: Source) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = query_api::router(source);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Server::at(url)
}

impl Server {
    pub(crate) fn at(url: String) -> Self {
        // Built together with crates whose clients speak TLS, a client wants to
        // know how. Every test may be the first of its process; a second time is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { url, client }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// `GET path`: the status and the JSON of the answer.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// `POST path` with a form.
    pub(crate) async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let request = self.request(Method::POST, path);
        let kind = "application/x-www-form-urlencoded";
        answer(request.header("content-type", kind).body(form.to_owned())).await
    }

    /// The `data` of an answer that must be a success.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let (status, mut answer) = self.get(path).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &"success".into()),
            "{path}: {answer}"
        );
        answer["data"].take()
    }

    /// Sends a write request.
    pub(crate) async fn write(&self, body: &[u8]) -> (u16, String) {
        let packed = snap::raw::Encoder::new().compress_vec(body).unwrap();
        let request = self
            .request(Method::POST, "/api/v1/write")
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(packed);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    // No such address or method: Prometheus says so in plain words, we in none.
    if text.is_empty() || status == 404 || status == 405 {
        return (status, Value::Null);
    }
    let json = serde_json::from_str(&text);
    (status, json.unwrap_or_else(|err| panic!("{err}: {text}")))
}

/// A parameter's value as an address can have it.
pub(crate) fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A source whose clock stands at `T0`.
pub(crate) fn source(store: Store) -> Source {
    let mut source = Source::new(Arc::new(store), Arc::new(|| T0));
    source.receives = true;
    source
}

/// Ten minutes of two counters, one of which has ended, and an odd gauge.
pub(crate) fn store() -> Store {
    let store = Store::new();
    let add = |pairs: &[(&str, &str)], time, value| {
        let labels = Labels::from_pairs(pairs.iter().copied());
        store.append(&labels, time, value).unwrap();
    };
    for at in 0..=40 {
        let time = T0 - 600_000 + at * 15_000;
        let value = at as f64 * 3.0;
        let live = [
            ("__name__", "requests_total"),
            ("job", "api"),
            ("code", "200"),
        ];
        let gone = [
            ("__name__", "requests_total"),
            ("job", "api"),
            ("code", "500"),
        ];
        add(&live, time, value);
        if at < 20 {
            add(&gone, time, value / 2.0);
        } else if at == 20 {
            add(&gone, time, stale());
        }
        let odd = [f64::NAN, f64::INFINITY, -0.5, 1e-9][at as usize % 4];
        add(
            &[("__name__", "odd"), ("path", "C:\\\"x\"\n"), ("é", "€")],
            time,
            odd,
        );
    }
    store
}
