//! Opsgenie: its Alert API, and whatever speaks it.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use settings::Secret;

use super::{Telling, Vendor, cut, key_of};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// An alert of Opsgenie.
    pub struct OpsGenie {
        /// Whether ended alerts are told too, which closes the alert.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The key for the API; that of `global` if empty.
        pub api_key: Secret = Secret::default(),
        /// The API; that of `global` if empty.
        pub api_url: String = String::new(),
        /// What happened.
        pub message: String = "{{ template \"opsgenie.default.message\" . }}".into(),
        /// More of it.
        pub description: String = "{{ template \"opsgenie.default.description\" . }}".into(),
        /// Where it comes from.
        pub source: String = "{{ template \"opsgenie.default.source\" . }}".into(),
        /// More by name; labels that all alerts share are always there.
        pub details: BTreeMap<String, String> = BTreeMap::new(),
        /// What is affected.
        pub entity: String = String::new(),
        /// Who is to care.
        pub responders: Vec<OpsGenieResponder> = vec![],
        /// What can be done, parted by commas.
        pub actions: String = String::new(),
        /// Words to find it by, parted by commas.
        pub tags: String = String::new(),
        /// A note.
        pub note: String = String::new(),
        /// From `P1` to `P5`.
        pub priority: String = String::new(),
        /// Whether a later message changes the words of the alert.
        pub update_alerts: bool = false,
    }
}

settings::section! {
    /// Who is to care: one of `id`, `name` and `username`.
    pub struct OpsGenieResponder {
        /// By a number.
        pub id: String = String::new(),
        /// By a name; of `teams`, several names parted by commas.
        pub name: String = String::new(),
        /// By an address.
        pub username: String = String::new(),
        /// `team`, `teams`, `user`, `escalation` or `schedule`.
        pub r#type: String = String::new(),
    }
}

struct Post {
    api: Url,
    key: Secret,
    message: Text,
    description: Text,
    source: Text,
    details: Vec<(String, Text)>,
    responders: Vec<[Text; 4]>,
    /// Texts by the names of their fields.
    words: Vec<(&'static str, Text)>,
    /// Lists likewise, parted by commas.
    lists: Vec<(&'static str, Text)>,
    updates: bool,
}

impl Section for OpsGenie {
    crate::config::entry!(Kind::OpsGenie);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let global = making.global;
        let key = if self.api_key.is_empty() {
            &global.opsgenie_api_key
        } else {
            &self.api_key
        };
        if key.is_empty() {
            making.fault(
                "api_key",
                "no global OpsGenie API Key set either inline or in a file",
            );
        }
        let api = if self.api_url.is_empty() {
            &global.opsgenie_api_url
        } else {
            &self.api_url
        };
        let api = making.url("api_url", &format!("{}/", api.trim_end_matches('/')))?;
        let details = self.details.iter();
        let words = [
            ("entity", &self.entity),
            ("note", &self.note),
            ("priority", &self.priority),
        ];
        let lists = [("tags", &self.tags), ("actions", &self.actions)];
        let mut named = |(name, text): (&'static str, &String)| (name, making.text(name, text));
        let words = words.into_iter().map(&mut named).collect();
        let lists = lists.into_iter().map(&mut named).collect();
        let post = Post {
            api: api.clone(),
            key: key.clone(),
            message: making.text("message", &self.message),
            description: making.text("description", &self.description),
            source: making.text("source", &self.source),
            details: details
                .map(|(name, text)| {
                    let field = format!("details[{name}]");
                    (name.clone(), making.text(&field, text))
                })
                .collect(),
            responders: self.responders(making),
            words,
            lists,
            updates: self.update_alerts,
        };
        Some(Made::new(&api, post))
    }
}

impl OpsGenie {
    fn responders(&self, making: &mut Making<'_>) -> Vec<[Text; 4]> {
        let mut found = Vec::new();
        for (at, it) in self.responders.iter().enumerate() {
            let field = format!("responders[{at}]");
            if it.id.is_empty() && it.name.is_empty() && it.username.is_empty() {
                let message = "OpsGenieConfig responder has to have at least one of id, username or name specified";
                making.fault(&field, message);
            }
            let known = ["team", "teams", "user", "escalation", "schedule"];
            let kind = it.r#type.to_lowercase();
            if !kind.contains("{{") && !known.contains(&&*kind) {
                let message = format!(
                    "OpsGenieConfig responder type {kind:?} is none of {}",
                    known.join(", ")
                );
                making.fault(&field, message);
            }
            let texts = [&it.id, &it.name, &it.username, &kind];
            found.push(texts.map(|text| making.text(&field, text)));
        }
        found
    }
}

impl Post {
    fn create(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let mut details: Map<String, Value> = message
            .common_labels
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        for (name, text) in &self.details {
            details.insert(name.clone(), json!(filler.word(text)));
        }
        let mut body = json!({
            "alias": key_of(message),
            "message": cut(filler.title(&self.message), 130),
            "details": details,
            "source": filler.word(&self.source),
        });
        for (name, text) in &self.words {
            let text = filler.word(text);
            if !text.is_empty() {
                body[*name] = json!(text);
            }
        }
        for (name, text) in &self.lists {
            let text = filler.word(text);
            let items: Vec<_> = parts(&text).collect();
            if !items.is_empty() {
                body[*name] = json!(items);
            }
        }
        let responders = self.responded(&filler);
        if !responders.is_empty() {
            body["responders"] = json!(responders);
        }
        body["description"] = json!(cut(filler.body(&self.description), 15_000));
        body
    }

    fn responded(&self, filler: &Filler<'_>) -> Vec<Value> {
        let mut found = Vec::new();
        for texts in &self.responders {
            let [id, name, username, kind] = texts.each_ref().map(|text| filler.word(text));
            if kind == "teams" {
                found.extend(parts(&name).map(|name| json!({"name": name, "type": "team"})));
                continue;
            }
            let mut responder = json!({"type": kind});
            for (key, text) in [("id", id), ("name", name), ("username", username)] {
                if !text.is_empty() {
                    responder[key] = json!(text);
                }
            }
            // A template that came to nothing names nobody.
            if responder.as_object().is_some_and(|it| it.len() > 1) {
                found.push(responder);
            }
        }
        found
    }

    /// What is asked of the server for a message, in order.
    fn requests(&self, message: &Notification) -> Vec<(Method, String, Value)> {
        let alias = key_of(message);
        let of = |what: &str| format!("v2/alerts/{alias}/{what}?identifierType=alias");
        if !message.firing() {
            let source = Filler::new(message).word(&self.source);
            return vec![(Method::POST, of("close"), json!({"source": source}))];
        }
        let body = self.create(message);
        let mut requests = Vec::new();
        if self.updates {
            for what in ["message", "description"] {
                let change = json!({ what: body[what] });
                requests.push((Method::PUT, of(what), change));
            }
        }
        requests.insert(0, (Method::POST, "v2/alerts".to_owned(), body));
        requests
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let key = read(&self.key).await?;
            for (method, path, body) in self.requests(message) {
                let url = self.api.join(&path);
                let url = url.map_err(|err| Failure::new(Class::Rejected, err.to_string()))?;
                let mut ask = Ask::json(method, url, &body);
                ask.header("authorization", format!("GenieKey {key}"));
                line.send(ask).await?.good()?;
            }
            Ok(())
        }
        .boxed()
    }
}
