//! Messages as JSON over HTTP, as Alertmanager's webhook receivers get them.
//!
//! One request for each attempt. Whether and when it is tried again is decided
//! elsewhere.

mod client;
mod payload;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url};
use settings::Secret;
use tmpl::{Mode, Template};
use tokio::sync::OnceCell;

pub(crate) use client::{Proof, Trust};

use crate::health::{Class, Failure};
use crate::notification::Notification;
use crate::state::Outcome;
use crate::words;

/// What receivers take us for; some look for the beginning.
const AGENT: &str = concat!("Alertmanager/0.34.0 belfry/", env!("CARGO_PKG_VERSION"));

/// Bytes of an answer that are read, for its first words in an error.
const ANSWER: usize = 1_024;

/// Where messages go.
#[derive(Clone)]
pub(crate) enum Target {
    Fixed(Secret),
    /// Made of each message.
    Templated(Template),
}

/// A receiver over HTTP.
pub(crate) struct Webhook {
    pub target: Target,
    /// What names its server among those that messages wait for; no secret.
    pub address: Arc<str>,
    pub send_resolved: bool,
    /// Alerts in a message, 0 for any number.
    pub max_alerts: usize,
    /// For one attempt; zero for as long as its group's deadline.
    pub timeout: Duration,
    pub proof: Proof,
    pub trust: Trust,
    pub follow_redirects: bool,
    pub client: OnceCell<Client>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Webhook")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Sends one message; `deadline` bounds it if nothing else does.
pub(crate) async fn send(
    webhook: &Webhook,
    notification: &Notification,
    deadline: Duration,
) -> Outcome {
    match attempt(webhook, notification, deadline).await {
        Ok(()) => Outcome {
            accepted: vec![webhook.address.to_string()],
            ..Outcome::default()
        },
        Err(failure) => Outcome::failure(failure),
    }
}

async fn attempt(
    webhook: &Webhook,
    notification: &Notification,
    deadline: Duration,
) -> Result<(), Failure> {
    let rejected = |why: String| Failure::new(Class::Rejected, why);
    let url = webhook.target.url(notification).map_err(rejected)?;
    let client = webhook
        .client
        .get_or_try_init(async || client::build(webhook).await)
        .await
        .map_err(|why| Failure::new(Class::Tls, why))?;
    let mut request = client
        .post(url)
        .timeout(if webhook.timeout.is_zero() {
            deadline
        } else {
            webhook.timeout
        })
        .header("Content-Type", "application/json")
        .body(payload::write(notification, webhook.max_alerts));
    request = match &webhook.proof {
        Proof::None => request,
        Proof::Basic { username, password } => {
            request.basic_auth(username, Some(password.expose()))
        }
        Proof::Header { kind, credentials } => {
            request.header("Authorization", format!("{kind} {}", credentials.expose()))
        }
    };
    let mut answer = request.send().await.map_err(|err| failed(&err))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= ANSWER {
            break;
        }
    }
    text.truncate(ANSWER);
    let text = String::from_utf8_lossy(&text);
    let mut said = format!("unexpected status code {}", status.as_u16());
    if !text.trim().is_empty() {
        said.push_str(&format!(": {}", text.trim()));
    }
    let class = match status.is_server_error() {
        true => Class::Unavailable,
        false => Class::Rejected,
    };
    Err(Failure::new(class, said))
}

impl Target {
    fn url(&self, notification: &Notification) -> Result<Url, String> {
        let text = match self {
            Self::Fixed(url) => url.expose().to_owned(),
            Self::Templated(template) => words::fill(template, notification, Mode::Text)
                .map_err(|err| format!("the URL's template: {err}"))?,
        };
        check_url(text.trim())
    }
}

/// Reads a URL that can be posted to. What is wrong with it is told without it,
/// as it may be a secret.
pub(crate) fn check_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|err| match err.to_string() {
        err if err.contains("host") => "missing host for URL".to_owned(),
        err => format!("invalid URL: {err}"),
    })?;
    match (url.scheme(), url.has_host()) {
        ("http" | "https", true) => Ok(url),
        ("http" | "https", false) => Err("missing host for URL".into()),
        (scheme, _) => Err(format!("unsupported scheme {scheme:?} for URL")),
    }
}

/// Why no answer came. The URL may be a secret, so it is left out.
fn failed(err: &reqwest::Error) -> Failure {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(err);
    while let Some(err) = cause {
        words.push(err.to_string());
        cause = err.source();
    }
    let detail = words.pop().unwrap_or_else(|| "no answer".into());
    let all = words.join(" ") + &detail;
    let class = if err.is_timeout() {
        Class::Timeout
    } else if all.contains("dns error") || all.contains("lookup") {
        Class::Dns
    } else if all.contains("certificate") || all.contains("tls") {
        Class::Tls
    } else {
        Class::Refused
    };
    Failure::new(class, detail)
}

#[cfg(test)]
mod tests;
