//! The API on a port, and asking it.

use std::net::SocketAddr;

use alerter::Handle;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server of our API.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) async fn start(handle: &Handle) -> Self {
        let router = alerter::api::router(handle.clone());
        let router = axum::Router::new().nest("/api/v2", router);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A client that goes nowhere but to its target.
pub(crate) fn client() -> reqwest::Client {
    // Only the first of the tests finds none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Asks `method path` of the server at `base`; header fields as pairs.
pub(crate) async fn ask(base: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let method = method.parse().unwrap();
    let mut asked = client().request(method, format!("{base}/api/v2{path}"));
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    let answer = asked.body(body.to_owned()).send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}

pub(crate) async fn get(base: &str, path: &str) -> Answer {
    ask(base, &format!("GET {path}"), &[], "").await
}
