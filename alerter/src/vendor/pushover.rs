//! Pushover: push messages to a person's devices.

use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::Url;
use settings::{GoDuration, Secret};

use super::{Telling, Vendor, cut};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::{Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// A message to the devices of a user or a group of Pushover.
    pub struct Pushover {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The API, if it is not Pushover's own.
        pub api_url: Option<String> = None,
        /// Whose devices.
        pub user_key: Secret = Secret::default(),
        /// The token of an application there.
        pub token: Secret = Secret::default(),
        /// The title.
        pub title: String = "{{ template \"pushover.default.title\" . }}".into(),
        /// The text.
        pub message: String = "{{ template \"pushover.default.message\" . }}".into(),
        /// Where a link leads.
        pub url: String = "{{ template \"pushover.default.url\" . }}".into(),
        /// What stands at the link.
        pub url_title: String = String::new(),
        /// One device of several.
        pub device: String = String::new(),
        /// What is heard.
        pub sound: String = String::new(),
        /// From -2 to 2; 2 is repeated until someone says that they saw it.
        pub priority: String = "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}".into(),
        /// How often a message of priority 2 is repeated.
        pub retry: GoDuration = GoDuration(Duration::from_secs(60)),
        /// For how long.
        pub expire: GoDuration = GoDuration(Duration::from_secs(3_600)),
        /// After how long the devices forget the message; 0 for never.
        pub ttl: GoDuration = GoDuration::default(),
        /// Whether the text is HTML.
        pub html: bool = false,
        /// Whether its letters are all of one width.
        pub monospace: bool = false,
    }
}

struct Post {
    url: Url,
    user: Secret,
    token: Secret,
    title: Text,
    message: Text,
    link: Text,
    /// More texts by the names of their fields.
    more: Vec<(&'static str, Text)>,
    priority: Text,
    retry: String,
    expire: String,
    ttl: Option<String>,
    html: bool,
    monospace: bool,
}

impl Section for Pushover {
    crate::config::entry!(Kind::Pushover);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        for (name, secret) in [("user_key", &self.user_key), ("token", &self.token)] {
            if secret.is_empty() {
                let message = format!("one of {name} or {name}_file must be configured");
                making.fault(name, message);
            }
        }
        if self.html && self.monospace {
            making.fault(
                "monospace",
                "at most one of monospace & html must be configured",
            );
        }
        let api = self.api_url.as_deref();
        let url = making.url(
            "api_url",
            api.unwrap_or("https://api.pushover.net/1/messages.json"),
        )?;
        let seconds = |time: GoDuration| time.0.as_secs().to_string();
        let more = [
            ("url_title", &self.url_title),
            ("device", &self.device),
            ("sound", &self.sound),
        ];
        let post = Post {
            url: url.clone(),
            user: self.user_key.clone(),
            token: self.token.clone(),
            title: making.text("title", &self.title),
            message: making.text("message", &self.message),
            link: making.text("url", &self.url),
            more: more
                .into_iter()
                .map(|(name, text)| (name, making.text(name, text)))
                .collect(),
            priority: making.text("priority", &self.priority),
            retry: seconds(self.retry),
            expire: seconds(self.expire),
            ttl: (!self.ttl.0.is_zero()).then(|| seconds(self.ttl)),
            html: self.html,
            monospace: self.monospace,
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn fields(&self, message: &Notification) -> Vec<(&'static str, String)> {
        let filler = Filler::new(message);
        let filler = if self.html { filler.html() } else { filler };
        let priority = filler.word(&self.priority).trim().to_owned();
        let urgent = priority == "2";
        let mut fields = vec![
            ("title", cut(filler.title(&self.title), 250)),
            ("url", cut(filler.word(&self.link), 512)),
            ("priority", priority),
        ];
        for (name, text) in &self.more {
            fields.push((name, filler.word(text)));
        }
        if urgent {
            fields.push(("retry", self.retry.clone()));
            fields.push(("expire", self.expire.clone()));
        }
        if let Some(ttl) = &self.ttl {
            fields.push(("ttl", ttl.clone()));
        }
        if self.html {
            fields.push(("html", "1".to_owned()));
        }
        if self.monospace {
            fields.push(("monospace", "1".to_owned()));
        }
        // An empty text is refused.
        let text = match filler.body(&self.message) {
            text if text.trim().is_empty() => "(no details)".to_owned(),
            text => cut(text, 1_024),
        };
        fields.push(("message", text));
        fields.retain(|(_, text)| !text.is_empty());
        fields
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let mut fields = self.fields(message);
            fields.push(("token", read(&self.token).await?));
            fields.push(("user", read(&self.user).await?));
            let fields: Vec<_> = fields.iter().map(|(name, text)| (*name, &**text)).collect();
            line.send(Ask::form(self.url.clone(), &fields))
                .await?
                .good()
                .map(drop)
        }
        .boxed()
    }
}
