//! Messages as JSON over HTTP, as Alertmanager's webhook receivers get them.

use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use settings::{Any, GoDuration, Secret};
use tmpl::Template;

use super::tree::Tree;
use super::{Telling, Vendor, payload};
use crate::config::{HttpConfig, Made, Making, Section};
use crate::health::{Class, Failure};
use crate::http::{Ask, Line, check_url, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// Messages as JSON over HTTP, in Alertmanager's format.
    pub struct Webhook {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// Where they are posted; may be a Go template.
        pub url: Secret = Secret::default(),
        /// Alerts in a message; 0 for any number.
        pub max_alerts: usize = 0,
        /// How long an attempt may take; 0 for as long as the group's interval.
        pub timeout: GoDuration = GoDuration::default(),
        /// What is posted instead of Alertmanager's format; its texts are Go templates.
        pub payload: Any = Any::default(),
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
    }
}

/// Where messages go.
enum Target {
    Fixed(Secret),
    /// Made of each message.
    Templated(Template),
}

struct Post {
    target: Target,
    max_alerts: usize,
    payload: Option<Tree>,
}

impl Section for Webhook {
    crate::config::entry!(Kind::Webhook);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let text = self.url.expose().trim();
        let payload =
            (!self.payload.is_empty()).then(|| Tree::compile(&self.payload, "payload", making));
        let post = |target| Post {
            target,
            max_alerts: self.max_alerts,
            payload,
        };
        let mut made = if text.is_empty() {
            making.fault("url", "one of url or url_file must be configured");
            return None;
        } else if text.contains("{{") {
            let target = Target::Templated(making.url_template("url", text)?);
            Made {
                server: making.name.to_owned(),
                timeout: Duration::ZERO,
                vendor: Box::new(post(target)),
            }
        } else {
            let url = making.url("url", text)?;
            let target = Target::Fixed(self.url.clone());
            Made::new(&url, post(target))
        };
        made.timeout = self.timeout.0;
        Some(made)
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let url = self.target.url(message).await?;
            let body = match &self.payload {
                None => payload::write(message, self.max_alerts),
                Some(tree) => tree
                    .fill(&Filler::new(message).telling(), true)
                    .to_string()
                    .into(),
            };
            let ask = Ask::with_body(Method::POST, url, "application/json", body);
            line.send(ask).await?.good().map(drop)
        }
        .boxed()
    }
}

impl Target {
    async fn url(&self, message: &Notification) -> Result<Url, Failure> {
        let rejected = |why: String| Failure::new(Class::Rejected, why);
        let text = match self {
            Self::Fixed(url) => read(url).await?,
            Self::Templated(template) => Filler::new(message)
                .must(template)
                .map_err(|err| rejected(format!("the URL's template: {err}")))?,
        };
        check_url(text.trim()).map_err(rejected)
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
