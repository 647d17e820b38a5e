//! Gotify: a push server of one's own.

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::{Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// A message to the devices of a Gotify server.
    pub struct Gotify {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The server.
        pub url: String = String::new(),
        /// The token of an application there.
        pub token: Secret = Secret::default(),
        /// The title.
        pub title: String = "{{ template \"gotify.default.title\" . }}".into(),
        /// The text, in Markdown.
        pub message: String = "{{ template \"gotify.default.message\" . }}".into(),
        /// From 0 to 10; above 7 it is as loud as can be.
        pub priority: String = "{{ template \"gotify.default.priority\" . }}".into(),
        /// Where a touch leads.
        pub click: String = "{{ template \"__alertmanagerURL\" . }}".into(),
    }
}

struct Post {
    url: Url,
    token: Secret,
    title: Text,
    message: Text,
    priority: Text,
    click: Text,
}

impl Section for Gotify {
    crate::config::entry!(Kind::Gotify);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.token.is_empty() {
            making.fault("token", "one of token or token_file must be configured");
        }
        let url = format!("{}/message", self.url.trim_end_matches('/'));
        let url = making.url("url", &url)?;
        let post = Post {
            url: url.clone(),
            token: self.token.clone(),
            title: making.text("title", &self.title),
            message: making.text("message", &self.message),
            priority: making.text("priority", &self.priority),
            click: making.text("click", &self.click),
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let mut extras = json!({"client::display": {"contentType": "text/markdown"}});
        let click = filler.word(&self.click);
        // Without an address of our own it leads nowhere.
        if click.starts_with("http") {
            extras["client::notification"] = json!({"click": {"url": click}});
        }
        json!({
            "title": filler.title(&self.title),
            "priority": filler.word(&self.priority).trim().parse::<i64>().unwrap_or(5),
            "extras": extras,
            "message": filler.body(&self.message),
        })
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let mut ask = Ask::json(Method::POST, self.url.clone(), &self.body(message));
            ask.header("x-gotify-key", read(&self.token).await?);
            line.send(ask).await?.good().map(drop)
        }
        .boxed()
    }
}
