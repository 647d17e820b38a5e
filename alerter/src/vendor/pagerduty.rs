//! PagerDuty: events by version 2 of its API, or by the older one for those who
//! still have a service key.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use reqwest::Url;
use serde_json::{Map, Value, json};
use settings::{Any, GoDuration, Secret};

use super::tree::Tree;
use super::{Telling, Vendor, cut, key_of};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::Class;
use crate::http::{Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// Where events of the older kind are posted.
const OLD: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";

/// Where those of the present kind are, if nobody says anything else.
const NEW: &str = "https://events.pagerduty.com/v2/enqueue";

/// Bytes of an event.
const LARGEST: usize = 512_000;

/// Details that are told unless others bear their names.
const DETAILS: [(&str, &str); 4] = [
    (
        "firing",
        "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}",
    ),
    (
        "resolved",
        "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}",
    ),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];

settings::section! {
    /// An event for PagerDuty.
    pub struct PagerDuty {
        /// Whether ended alerts are told too, which resolves the incident.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The key of an integration by the Events API v2.
        pub routing_key: Secret = Secret::default(),
        /// The key of an integration by the older API.
        pub service_key: Secret = Secret::default(),
        /// Where events are posted; that of `global` if empty.
        pub url: String = String::new(),
        /// Who tells it.
        pub client: String = "{{ template \"pagerduty.default.client\" . }}".into(),
        /// Where they are found.
        pub client_url: String = "{{ template \"pagerduty.default.clientURL\" . }}".into(),
        /// What happened.
        pub description: String = "{{ template \"pagerduty.default.description\" . }}".into(),
        /// More of it, by name; `firing`, `resolved`, `num_firing` and `num_resolved`
        /// are always there.
        pub details: BTreeMap<String, Any> = BTreeMap::new(),
        /// Pictures.
        pub images: Vec<PagerDutyImage> = vec![],
        /// Links.
        pub links: Vec<PagerDutyLink> = vec![],
        /// What is affected; `client` if empty.
        pub source: String = String::new(),
        /// `critical`, `error`, `warning` or `info`.
        pub severity: String = "error".into(),
        /// What kind of event it is.
        pub class: String = String::new(),
        /// Which part of the source is meant.
        pub component: String = String::new(),
        /// What the parts belong to.
        pub group: String = String::new(),
        /// How long an attempt may take; 0 for as long as the group's interval.
        pub timeout: GoDuration = GoDuration::default(),
    }
}

settings::section! {
    /// A picture.
    pub struct PagerDutyImage {
        /// Where it leads.
        pub href: String = String::new(),
        /// Where it is.
        pub src: String = String::new(),
        /// What it shows.
        pub alt: String = String::new(),
    }
}

settings::section! {
    /// A link.
    pub struct PagerDutyLink {
        /// Where it leads.
        pub href: String = String::new(),
        /// What stands there.
        pub text: String = String::new(),
    }
}

struct Post {
    url: Url,
    key: Secret,
    old: bool,
    client: Text,
    client_url: Text,
    description: Text,
    details: Vec<(String, Tree)>,
    images: Vec<[Text; 3]>,
    links: Vec<[Text; 2]>,
    source: Text,
    severity: Text,
    more: Vec<(&'static str, Text)>,
}

impl Section for PagerDuty {
    crate::config::entry!(Kind::PagerDuty);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let old = self.routing_key.is_empty();
        if old && self.service_key.is_empty() {
            making.fault(
                "routing_key",
                "missing service or routing key in PagerDuty config",
            );
            return None;
        }
        let global = &making.global.pagerduty_url;
        let url = if self.url.is_empty() {
            global
        } else {
            &self.url
        };
        let url = if old && url == NEW { OLD } else { url };
        let url = making.url("url", url)?;
        let source = if self.source.is_empty() {
            &self.client
        } else {
            &self.source
        };
        let more = [
            ("class", &self.class),
            ("component", &self.component),
            ("group", &self.group),
        ];
        let post = Post {
            url: url.clone(),
            key: if old {
                self.service_key.clone()
            } else {
                self.routing_key.clone()
            },
            old,
            client: making.text("client", &self.client),
            client_url: making.text("client_url", &self.client_url),
            description: making.text("description", &self.description),
            details: self.details(making),
            images: self
                .images
                .iter()
                .map(|it| [&it.src, &it.alt, &it.href].map(|text| making.text("images", text)))
                .collect(),
            links: self
                .links
                .iter()
                .map(|it| [&it.href, &it.text].map(|text| making.text("links", text)))
                .collect(),
            source: making.text("source", source),
            severity: making.text("severity", &self.severity),
            more: more
                .into_iter()
                .map(|(name, text)| (name, making.text(name, text)))
                .collect(),
        };
        let mut made = Made::new(&url, post);
        made.timeout = self.timeout.0;
        Some(made)
    }
}

impl PagerDuty {
    fn details(&self, making: &mut Making<'_>) -> Vec<(String, Tree)> {
        let mut found = Vec::new();
        for (name, text) in DETAILS {
            if !self.details.contains_key(name) {
                let text = making.text("details", text);
                found.push((name.to_owned(), Tree::Text(text)));
            }
        }
        for (name, any) in &self.details {
            let field = format!("details[{name}]");
            found.push((name.clone(), Tree::compile(any, &field, making)));
        }
        found
    }
}

impl Post {
    fn body(&self, message: &Notification, key: &str) -> Value {
        let filler = Filler::new(message);
        let action = if message.firing() {
            "trigger"
        } else {
            "resolve"
        };
        let mut details: Map<String, Value> = self
            .details
            .iter()
            .map(|(name, tree)| (name.clone(), tree.fill(&filler, false)))
            .collect();
        let client = filler.word(&self.client);
        let client_url = filler.word(&self.client_url);
        let summary = cut(filler.title(&self.description), 1_024);
        if let Some(faults) = filler.faults() {
            details.insert("template_error".into(), json!(faults));
        }
        let mut body = if self.old {
            json!({
                "service_key": key,
                "event_type": action,
                "incident_key": key_of(message),
                "description": summary,
                "details": details,
            })
        } else {
            let mut payload = json!({
                "summary": summary,
                "source": filler.word(&self.source),
                "severity": filler.word(&self.severity).to_lowercase(),
                "custom_details": details,
            });
            for (name, text) in &self.more {
                let text = filler.word(text);
                if !text.is_empty() {
                    payload[*name] = json!(text);
                }
            }
            json!({
                "routing_key": key,
                "event_action": action,
                "dedup_key": key_of(message),
                "payload": payload,
                "images": self.images(&filler),
                "links": self.links(&filler),
            })
        };
        if message.firing() || !self.old {
            body["client"] = json!(client);
            body["client_url"] = json!(client_url);
        }
        if body.to_string().len() > LARGEST {
            let details = if self.old {
                &mut body["details"]
            } else {
                &mut body["payload"]["custom_details"]
            };
            *details = json!({"error": format!(
                "Custom details have been removed because the original event exceeds the maximum size of {LARGEST} bytes"
            )});
        }
        body
    }

    /// Those pictures that are anywhere.
    fn images(&self, filler: &Filler<'_>) -> Vec<Value> {
        let image = |texts: &[Text; 3]| {
            let [src, alt, href] = texts.each_ref().map(|text| filler.word(text));
            (!src.is_empty()).then(|| json!({"src": src, "alt": alt, "href": href}))
        };
        self.images.iter().filter_map(image).collect()
    }

    fn links(&self, filler: &Filler<'_>) -> Vec<Value> {
        let link = |texts: &[Text; 2]| {
            let [href, text] = texts.each_ref().map(|text| filler.word(text));
            (!href.is_empty()).then(|| json!({"href": href, "text": text}))
        };
        self.links.iter().filter_map(link).collect()
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let body = self.body(message, &read(&self.key).await?);
            let answer = line.post(self.url.clone(), &body).await?;
            // The older API says so when it is asked too often.
            if self.old && answer.status == 403 {
                return Err(answer.failure(Class::Limited));
            }
            answer.good().map(drop)
        }
        .boxed()
    }
}
