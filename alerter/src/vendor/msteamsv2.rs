//! Microsoft Teams by its workflows: an adaptive card.

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use settings::Secret;

use super::msteams::post;
use super::{Telling, Vendor};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::Line;
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// A message in a channel of Microsoft Teams, by a workflow.
    pub struct MsTeamsV2 {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The workflow's address.
        pub webhook_url: Secret = Secret::default(),
        /// The title.
        pub title: String = "{{ template \"msteamsv2.default.title\" . }}".into(),
        /// The text, in Markdown.
        pub text: String = "{{ template \"msteamsv2.default.text\" . }}".into(),
    }
}

struct Post {
    url: Secret,
    title: Text,
    text: Text,
}

impl Section for MsTeamsV2 {
    crate::config::entry!(Kind::MsTeamsV2);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.webhook_url.is_empty() {
            let message = "one of webhook_url or webhook_url_file must be configured";
            making.fault("webhook_url", message);
            return None;
        }
        let url = making.url("webhook_url", self.webhook_url.expose())?;
        // Of the way to its server a workflow without a word inherits the proxy.
        if let (Some(own), Some(global)) = (&self.http_config, &making.global.http_config)
            && own.proxy_url.is_empty()
        {
            making.way.proxy.url = global.proxy_url.clone();
        }
        let post = Post {
            url: self.webhook_url.clone(),
            title: making.text("title", &self.title),
            text: making.text("text", &self.text),
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let color = if message.firing() {
            "attention"
        } else {
            "good"
        };
        let title = json!({
            "type": "TextBlock",
            "text": filler.title(&self.title),
            "weight": "Bolder",
            "size": "Medium",
            "wrap": true,
            "style": "heading",
            "color": color,
        });
        let text = json!({
            "type": "TextBlock",
            "text": filler.body(&self.text),
            "wrap": true,
        });
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "body": [title, text],
                    "msteams": {"width": "full"},
                },
            }],
        })
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move { post(line, &self.url, &self.body(message)).await }.boxed()
    }
}
