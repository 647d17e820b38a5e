//! A server of webhooks that keeps what it gets and says what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{now_ms, within};

type Answer = Arc<dyn Fn(&str, &str) -> (u16, String) + Send + Sync>;

/// A message that came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// As JSON, or as a text.
    pub(crate) body: Value,
    /// What was answered.
    pub(crate) status: u16,
}

impl Message {
    /// `firing +a -b`: its status, and its alerts by name.
    pub(crate) fn says(&self) -> String {
        let mut says = self.body["status"].as_str().unwrap().to_owned();
        for alert in self.body["alerts"].as_array().unwrap() {
            let sign = if alert["status"] == "firing" {
                '+'
            } else {
                '-'
            };
            let name = alert["labels"]["alertname"].as_str().unwrap();
            says.push_str(&format!(" {sign}{name}"));
        }
        says
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) struct Hook {
    pub(crate) port: u16,
    got: mpsc::UnboundedReceiver<Message>,
    task: JoinHandle<()>,
}

impl Hook {
    /// Answers with these statuses, then with 200.
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        Self::serve(statuses, "").await
    }

    /// Answers 400 to the first message for a path.
    pub(crate) async fn refusing(path: &'static str) -> Self {
        Self::serve(&[400], path).await
    }

    /// Says what it is told to by the method and path of a request, such as
    /// `POST /hook`, and the body.
    pub(crate) async fn answering(
        answer: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::with(Arc::new(answer)).await
    }

    /// An empty path is any.
    async fn serve(statuses: &[u16], path: &'static str) -> Self {
        let script: VecDeque<u16> = statuses.iter().copied().collect();
        let script = Mutex::new(script);
        let answer = move |request: &str, _: &str| {
            let follows = path.is_empty() || request.split(' ').nth(1) == Some(path);
            let status = follows
                .then(|| script.lock().unwrap().pop_front())
                .flatten()
                .unwrap_or(200);
            (status, "what the server says".to_owned())
        };
        Self::with(Arc::new(answer)).await
    }

    async fn with(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, got) = mpsc::unbounded_channel();
        let router = axum::Router::new()
            .fallback(move |request: Request| take(request, sender.clone(), Arc::clone(&answer)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, got, task }
    }

    pub(crate) async fn next(&mut self) -> Message {
        within("a message", self.got.recv()).await.unwrap()
    }

    /// One that came already.
    pub(crate) fn ready(&mut self) -> Option<Message> {
        self.got.try_recv().ok()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    request: Request,
    sender: mpsc::UnboundedSender<Message>,
    answer: Answer,
) -> Response {
    let at_ms = now_ms();
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (status, said) = answer(&format!("{} {}", parts.method, parts.uri), &text);
    let message = Message {
        at_ms,
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        status,
    };
    // The test may be over.
    let _ = sender.send(message);
    (StatusCode::from_u16(status).unwrap(), said).into_response()
}
