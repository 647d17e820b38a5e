//! ntfy: push messages by topic, at ntfy.sh or a server of one's own.

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor, cut_bytes};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::{Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// Bytes of a message; the server makes a file of a longer one.
const LONGEST: usize = 4_096;

settings::section! {
    /// A message to who listens to a topic of ntfy.
    pub struct Ntfy {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The server.
        pub url: String = "https://ntfy.sh".into(),
        /// The topic. Whoever knows it can listen where the server lets everyone.
        pub topic: Secret = Secret::default(),
        /// An access token, where the server wants one.
        pub token: Secret = Secret::default(),
        /// The title.
        pub title: String = "{{ template \"ntfy.default.title\" . }}".into(),
        /// The text.
        pub message: String = "{{ template \"ntfy.default.message\" . }}".into(),
        /// From 1 to 5; 5 is as loud as can be.
        pub priority: String = "{{ template \"ntfy.default.priority\" . }}".into(),
        /// Words or names of pictures at the title, parted by commas.
        pub tags: String = "{{ template \"ntfy.default.tags\" . }}".into(),
        /// Where a touch leads.
        pub click: String = "{{ template \"__alertmanagerURL\" . }}".into(),
        /// A picture.
        pub icon: String = String::new(),
        /// An address that the server mails it to as well.
        pub email: String = String::new(),
        /// Whether the text is in Markdown.
        pub markdown: bool = false,
    }
}

struct Post {
    url: Url,
    topic: Secret,
    token: Secret,
    title: Text,
    message: Text,
    priority: Text,
    tags: Text,
    more: Vec<(&'static str, Text)>,
    markdown: bool,
}

impl Section for Ntfy {
    crate::config::entry!(Kind::Ntfy);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.topic.is_empty() {
            making.fault("topic", "one of topic or topic_file must be configured");
        }
        if !self.token.is_empty() && !making.way.proof.is_none() {
            making.fault(
                "token",
                "at most one of token and http_config's proofs can be set",
            );
        }
        let url = making.url("url", &self.url)?;
        let more = [
            ("click", &self.click),
            ("icon", &self.icon),
            ("email", &self.email),
        ];
        let post = Post {
            url: url.clone(),
            topic: self.topic.clone(),
            token: self.token.clone(),
            title: making.text("title", &self.title),
            message: making.text("message", &self.message),
            priority: making.text("priority", &self.priority),
            tags: making.text("tags", &self.tags),
            more: more
                .into_iter()
                .map(|(name, text)| (name, making.text(name, text)))
                .collect(),
            markdown: self.markdown,
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification, topic: &str) -> Value {
        let filler = Filler::new(message);
        let tags = filler.word(&self.tags);
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        let priority: i64 = filler.word(&self.priority).trim().parse().unwrap_or(3);
        let mut body = json!({
            "topic": topic,
            "title": filler.title(&self.title),
            "tags": tags.collect::<Vec<_>>(),
            "priority": priority.clamp(1, 5),
        });
        for (name, text) in &self.more {
            let text = filler.word(text);
            // Without an address of our own the link leads nowhere.
            if !text.is_empty() && (*name != "click" || text.starts_with("http")) {
                body[*name] = json!(text);
            }
        }
        if self.markdown {
            body["markdown"] = json!(true);
        }
        body["message"] = json!(cut_bytes(filler.body(&self.message), LONGEST));
        body
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let body = self.body(message, &read(&self.topic).await?);
            let mut ask = Ask::json(Method::POST, self.url.clone(), &body);
            if !self.token.is_empty() {
                ask.header(
                    "authorization",
                    format!("Bearer {}", read(&self.token).await?),
                );
            }
            line.send(ask).await?.good().map(drop)
        }
        .boxed()
    }
}
