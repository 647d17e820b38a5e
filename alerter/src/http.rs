//! Speaking HTTP to the servers that messages go to: how one is reached, how we
//! prove who we are, and what an answer means.
//!
//! One request at a time in bounded time. Whether and when it is tried again is
//! decided elsewhere; no error repeats a URL, as it may hold a secret.

mod answer;
mod client;
mod oauth;
mod proof;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};
use settings::Secret;
use tokio::sync::OnceCell;

pub(crate) use answer::Answer;
pub(crate) use client::{Proxy, Trust};
pub(crate) use oauth::OAuth;
pub(crate) use proof::Proof;

use crate::health::{Class, Failure};

/// What receivers take us for; some look for the beginning.
const AGENT: &str = concat!("Alertmanager/0.34.0 belfry/", env!("CARGO_PKG_VERSION"));

/// How a server is reached, and who we are to it.
#[derive(Default)]
pub(crate) struct Way {
    pub proof: Proof,
    pub trust: Trust,
    pub proxy: Proxy,
    pub follow_redirects: bool,
    /// Header fields of every request.
    pub headers: Vec<(HeaderName, Field)>,
    pub clients: Clients,
}

/// Clients, as they are made: for plain HTTP, and for TLS.
#[derive(Default)]
pub(crate) struct Clients {
    plain: OnceCell<Client>,
    secure: OnceCell<Client>,
}

/// The value of a header field.
#[derive(Clone)]
pub(crate) enum Field {
    Plain(String),
    Secret(Secret),
    /// What this file says.
    File(PathBuf),
}

/// A request.
pub(crate) struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
}

/// A way with the time that one attempt may take.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub way: &'a Way,
    pub timeout: Duration,
}

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request with a body of JSON.
    pub(crate) fn json(method: Method, url: Url, body: &serde_json::Value) -> Self {
        Self::with_body(method, url, "application/json", body.to_string().into())
    }

    /// A POST of the fields of a form.
    pub(crate) fn form(url: Url, fields: &[(&str, &str)]) -> Self {
        let mut text = form_urlencoded(fields);
        text.shrink_to_fit();
        let kind = "application/x-www-form-urlencoded";
        Self::with_body(Method::POST, url, kind, text.into())
    }

    /// A request with a body of the given content type.
    pub(crate) fn with_body(method: Method, url: Url, kind: &str, body: Vec<u8>) -> Self {
        let mut ask = Self::new(method, url);
        ask.header("content-type", kind);
        ask.body = body;
        ask
    }

    /// Adds a header field; the name is one of ours, in lower case.
    pub(crate) fn header(&mut self, name: &'static str, value: impl Into<String>) {
        let name = HeaderName::from_static(name);
        self.headers.push((name, value.into()));
    }
}

/// Name-value pairs as forms and queries write them.
pub(crate) fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse("x:").unwrap_or_else(|_| unreachable!("it is a URL"));
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

impl Line<'_> {
    /// Posts JSON and takes any answer.
    pub(crate) async fn post(&self, url: Url, body: &serde_json::Value) -> Result<Answer, Failure> {
        self.send(Ask::json(Method::POST, url, body)).await
    }

    /// Sends a request and takes any answer.
    pub(crate) async fn send(&self, ask: Ask) -> Result<Answer, Failure> {
        let Ask {
            method,
            url,
            headers,
            body,
        } = ask;
        let client = self.way.client(&url).await?;
        let mut request = client.request(method, url).timeout(self.timeout).body(body);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        for (name, field) in &self.way.headers {
            request = request.header(name, field.value().await?);
        }
        // What the vendor wants of its own is not overwritten.
        if !headers.iter().any(|(name, _)| name == "authorization")
            && let Some(value) = self.way.proof.header(self.timeout).await?
        {
            request = request.header("authorization", value);
        }
        let answer = request.send().await.map_err(|err| failed(&err))?;
        let answer = Answer::read(answer).await?;
        if answer.status == 401 {
            self.way.proof.refused().await;
        }
        Ok(answer)
    }
}

impl Way {
    /// The client for a URL. Reading the system's certificates takes
    /// milliseconds, so it is done once, and not for plain HTTP.
    async fn client(&self, url: &Url) -> Result<&Client, Failure> {
        let plain = url.scheme() == "http";
        let clients = &self.clients;
        let cell = if plain {
            &clients.plain
        } else {
            &clients.secure
        };
        let made = cell.get_or_try_init(async || client::build(self, plain).await);
        made.await.map_err(|why| Failure::new(Class::Tls, why))
    }
}

impl Field {
    async fn value(&self) -> Result<HeaderValue, Failure> {
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Secret(secret) => read(secret).await?,
            Self::File(path) => read_file(path).await?,
        };
        header_value(&text)
    }
}

/// A value for a header field; the text may be a secret, so it is not told.
pub(crate) fn header_value(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Failure::new(Class::Auth, "a header field's value must be one line"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A secret as it is now.
pub(crate) async fn read(secret: &Secret) -> Result<String, Failure> {
    if !secret.is_in_file() {
        return Ok(secret.expose().to_owned());
    }
    trimmed(secret.read().await)
}

/// What a small file says.
pub(crate) async fn read_file(path: &Path) -> Result<String, Failure> {
    trimmed(settings::read_fresh(path, 64 << 10).await)
}

fn trimmed(read: io::Result<String>) -> Result<String, Failure> {
    let read = read.map(|text| text.trim().to_owned());
    read.map_err(|err| {
        let class = match err.kind() {
            io::ErrorKind::TimedOut => Class::Timeout,
            _ => Class::Auth,
        };
        Failure::new(class, format!("cannot read a secret's file: {err}"))
    })
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
