//! Microsoft Teams by its connectors: a message card.

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Line, check_url, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// The colours of what fires and of what is over.
const RED: &str = "8C1A1A";
const GREEN: &str = "2DC72D";

settings::section! {
    /// A message in a channel of Microsoft Teams, by a connector.
    pub struct MsTeams {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The connector's webhook.
        pub webhook_url: Secret = Secret::default(),
        /// The title.
        pub title: String = "{{ template \"msteams.default.title\" . }}".into(),
        /// What lists of messages show.
        pub summary: String = "{{ template \"msteams.default.summary\" . }}".into(),
        /// The text, in Markdown.
        pub text: String = "{{ template \"msteams.default.text\" . }}".into(),
    }
}

struct Post {
    url: Secret,
    title: Text,
    summary: Text,
    text: Text,
}

impl Section for MsTeams {
    crate::config::entry!(Kind::MsTeams);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.webhook_url.is_empty() {
            let message = "one of webhook_url or webhook_url_file must be configured";
            making.fault("webhook_url", message);
            return None;
        }
        let url = making.url("webhook_url", self.webhook_url.expose())?;
        let post = Post {
            url: self.webhook_url.clone(),
            title: making.text("title", &self.title),
            summary: making.text("summary", &self.summary),
            text: making.text("text", &self.text),
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        json!({
            "@context": "http://schema.org/extensions",
            "@type": "MessageCard",
            "title": filler.title(&self.title),
            "summary": filler.title(&self.summary),
            "themeColor": if message.firing() { RED } else { GREEN },
            "text": filler.body(&self.text),
        })
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move { post(line, &self.url, &self.body(message)).await }.boxed()
    }
}

/// Posts to a webhook of Teams, which says 200 to what it could not deliver too.
pub(super) async fn post(line: Line<'_>, url: &Secret, body: &Value) -> Result<(), Failure> {
    let url =
        check_url(read(url).await?.trim()).map_err(|err| Failure::new(Class::Rejected, err))?;
    let answer = line.post(url, body).await?.good()?;
    let Some((_, rest)) = answer.text.split_once("returned HTTP error ") else {
        return Ok(());
    };
    let class = match rest.get(..3) {
        Some("429") => Class::Limited,
        Some(code) if code.starts_with('5') => Class::Unavailable,
        _ => Class::Rejected,
    };
    Err(Failure::new(class, answer.text.trim()))
}
