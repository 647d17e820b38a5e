//! Discord: a webhook, with what is told in an embed.

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor, cut};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Line, check_url, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// The colours of what fires and of what is over.
const RED: u32 = 0x99_2d_22;
const GREEN: u32 = 0x2e_cc_71;

settings::section! {
    /// A message in a channel of Discord.
    pub struct Discord {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The webhook.
        pub webhook_url: Secret = Secret::default(),
        /// The text of the message itself, beside what is embedded.
        pub content: String = "{{ template \"discord.default.content\" . }}".into(),
        /// The title.
        pub title: String = "{{ template \"discord.default.title\" . }}".into(),
        /// The text.
        pub message: String = "{{ template \"discord.default.message\" . }}".into(),
        /// Whose name stands at the message.
        pub username: String = String::new(),
        /// A picture of them.
        pub avatar_url: String = String::new(),
    }
}

struct Post {
    url: Secret,
    content: Text,
    title: Text,
    message: Text,
    username: Text,
    avatar: Text,
}

impl Section for Discord {
    crate::config::entry!(Kind::Discord);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.webhook_url.is_empty() {
            let message = "one of webhook_url or webhook_url_file must be configured";
            making.fault("webhook_url", message);
            return None;
        }
        let url = making.url("webhook_url", self.webhook_url.expose())?;
        let post = Post {
            url: self.webhook_url.clone(),
            content: making.text("content", &self.content),
            title: making.text("title", &self.title),
            message: making.text("message", &self.message),
            username: making.text("username", &self.username),
            avatar: making.text("avatar_url", &self.avatar_url),
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let color = if message.firing() { RED } else { GREEN };
        let mut body = json!({"content": cut(filler.word(&self.content), 2_000)});
        for (name, text) in [("username", &self.username), ("avatar_url", &self.avatar)] {
            let text = filler.word(text);
            if !text.is_empty() {
                body[name] = json!(text);
            }
        }
        body["embeds"] = json!([{
            "title": cut(filler.title(&self.title), 256),
            "description": cut(filler.body(&self.message), 4_096),
            "color": color,
        }]);
        body
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let body = self.body(message);
            let url = check_url(read(&self.url).await?.trim())
                .map_err(|err| Failure::new(Class::Rejected, err))?;
            line.post(url, &body).await?.good().map(drop)
        }
        .boxed()
    }
}
