//! VictorOps, which is Splunk On-Call now: its REST endpoint.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor, cut, key_of};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Line, check_url, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// Fields that have a meaning of their own.
const OWN: [&str; 6] = [
    "routing_key",
    "message_type",
    "state_message",
    "entity_display_name",
    "monitoring_tool",
    "entity_id",
];

settings::section! {
    /// An incident of VictorOps.
    pub struct VictorOps {
        /// Whether ended alerts are told too, which ends the incident.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The key for the API; that of `global` if empty.
        pub api_key: Secret = Secret::default(),
        /// The API; that of `global` if empty.
        pub api_url: String = String::new(),
        /// Whose incident it is.
        pub routing_key: String = String::new(),
        /// `CRITICAL`, `WARNING` or `INFO`.
        pub message_type: String = "CRITICAL".into(),
        /// What happened, at length.
        pub state_message: String = "{{ template \"victorops.default.state_message\" . }}".into(),
        /// What happened, in short.
        pub entity_display_name: String = "{{ template \"victorops.default.entity_display_name\" . }}".into(),
        /// Who tells it.
        pub monitoring_tool: String = "{{ template \"victorops.default.monitoring_tool\" . }}".into(),
        /// More of it, by name.
        pub custom_fields: BTreeMap<String, String> = BTreeMap::new(),
    }
}

struct Post {
    api: String,
    key: Secret,
    routing: Text,
    kind: Text,
    state: Text,
    name: Text,
    tool: Text,
    more: Vec<(String, Text)>,
}

impl Section for VictorOps {
    crate::config::entry!(Kind::VictorOps);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let global = making.global;
        let key = if self.api_key.is_empty() {
            &global.victorops_api_key
        } else {
            &self.api_key
        };
        if key.is_empty() {
            making.fault("api_key", "no global VictorOps API Key set");
        }
        if self.routing_key.is_empty() {
            making.fault("routing_key", "missing Routing key in VictorOps config");
        }
        let api = if self.api_url.is_empty() {
            &global.victorops_api_url
        } else {
            &self.api_url
        };
        let url = making.url("api_url", api)?;
        let mut more = Vec::new();
        for (name, text) in &self.custom_fields {
            let field = format!("custom_fields[{name}]");
            if OWN.contains(&&**name) {
                let message = format!(
                    "victorOps config contains custom field {name} which cannot be used as it conflicts with the fixed/static fields"
                );
                making.fault(&field, message);
            }
            more.push((name.clone(), making.text(&field, text)));
        }
        let post = Post {
            api: api.trim_end_matches('/').to_owned(),
            key: key.clone(),
            routing: making.text("routing_key", &self.routing_key),
            kind: making.text("message_type", &self.message_type),
            state: making.text("state_message", &self.state_message),
            name: making.text("entity_display_name", &self.entity_display_name),
            tool: making.text("monitoring_tool", &self.monitoring_tool),
            more,
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    /// The routing key, and the body.
    fn body(&self, message: &Notification) -> (String, Value) {
        let filler = Filler::new(message);
        let kind = match &*filler.word(&self.kind) {
            _ if !message.firing() => "RECOVERY",
            "INFO" => "INFO",
            "WARNING" => "WARNING",
            _ => "CRITICAL",
        };
        let mut body = json!({
            "message_type": kind,
            "entity_id": key_of(message),
            "entity_display_name": filler.title(&self.name),
            "monitoring_tool": filler.word(&self.tool),
        });
        for (name, text) in &self.more {
            body[name] = json!(filler.word(text));
        }
        let routing = filler.word(&self.routing);
        body["state_message"] = json!(cut(filler.body(&self.state), 20_480));
        (routing, body)
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let (routing, body) = self.body(message);
            let key = read(&self.key).await?;
            let url = check_url(&format!("{}/{key}/{routing}", self.api))
                .map_err(|err| Failure::new(Class::Rejected, err))?;
            line.post(url, &body).await?.good().map(drop)
        }
        .boxed()
    }
}
