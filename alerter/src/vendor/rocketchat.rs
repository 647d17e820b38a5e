//! Rocket.Chat: its `chat.postMessage`, by a user's token.

use futures_util::FutureExt as _;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use settings::Secret;

use super::{Telling, Vendor, cut};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Ask, Line, read};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

settings::section! {
    /// A message in a channel of Rocket.Chat.
    pub struct RocketChat {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = false,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The server; that of `global` if empty.
        pub api_url: String = String::new(),
        /// The token of a user; that of `global` if empty.
        pub token: Secret = Secret::default(),
        /// The user's id; that of `global` if empty.
        pub token_id: Secret = Secret::default(),
        /// The channel, or `@user`.
        pub channel: String = String::new(),
        /// The colour of its edge.
        pub color: String = "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}".into(),
        /// The title.
        pub title: String = "{{ template \"rocketchat.default.title\" . }}".into(),
        /// Where the title leads.
        pub title_link: String = "{{ template \"rocketchat.default.titlelink\" . }}".into(),
        /// The text.
        pub text: String = "{{ template \"rocketchat.default.text\" . }}".into(),
        /// Pairs in a table.
        pub fields: Vec<RocketChatField> = vec![],
        /// Whether the pairs stand beside each other.
        pub short_fields: bool = false,
        /// The face at the message, as `:word:`.
        pub emoji: String = "{{ template \"rocketchat.default.emoji\" . }}".into(),
        /// The same as a picture.
        pub icon_url: String = "{{ template \"rocketchat.default.iconurl\" . }}".into(),
        /// A picture in the message.
        pub image_url: String = String::new(),
        /// A small one beside the text.
        pub thumb_url: String = String::new(),
        /// Taken for files that say it.
        pub link_names: bool = false,
        /// Buttons.
        pub actions: Vec<RocketChatAction> = vec![],
    }
}

settings::section! {
    /// A pair in the table.
    pub struct RocketChatField {
        /// Its name.
        pub title: String = String::new(),
        /// What it says.
        pub value: String = String::new(),
        /// Whether it stands beside others.
        pub short: Option<bool> = None,
    }
}

settings::section! {
    /// A button.
    pub struct RocketChatAction {
        /// What it is: `button`.
        pub r#type: String = "button".into(),
        /// What stands on it.
        pub text: String = String::new(),
        /// Where it leads.
        pub url: String = String::new(),
        /// What it says in the chat.
        pub msg: String = String::new(),
    }
}

type Named = (&'static str, Text);

struct Post {
    url: Url,
    token: Secret,
    id: Secret,
    message: Vec<Named>,
    title: Text,
    attachment: Vec<Named>,
    text: Text,
    fields: Vec<(Text, Text, bool)>,
    actions: Vec<Vec<Named>>,
}

impl Section for RocketChat {
    crate::config::entry!(Kind::RocketChat);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let global = making.global;
        let own = |own: &Secret, global: &Secret| match own.is_empty() {
            true => global.clone(),
            false => own.clone(),
        };
        let token = own(&self.token, &global.rocketchat_token);
        let id = own(&self.token_id, &global.rocketchat_token_id);
        for (field, secret, message) in [
            (
                "token",
                &token,
                "no global Rocketchat Token set either inline or in a file",
            ),
            (
                "token_id",
                &id,
                "no global Rocketchat TokenID set either inline or in a file",
            ),
        ] {
            if secret.is_empty() {
                making.fault(field, message);
            }
        }
        let api = if self.api_url.is_empty() {
            &global.rocketchat_api_url
        } else {
            &self.api_url
        };
        let url = format!("{}/api/v1/chat.postMessage", api.trim_end_matches('/'));
        let url = making.url("api_url", &url)?;
        let mut text = |field: &'static str, text: &str| (field, making.text(field, text));
        let message = vec![
            text("channel", &self.channel),
            text("emoji", &self.emoji),
            ("avatar", text("icon_url", &self.icon_url).1),
        ];
        let attachment = vec![
            text("title_link", &self.title_link),
            text("image_url", &self.image_url),
            text("thumb_url", &self.thumb_url),
            text("color", &self.color),
        ];
        let fields = self.fields.iter().map(|field| {
            let mut text = |text: &str| making.text("fields", text);
            let short = field.short.unwrap_or(self.short_fields);
            (text(&field.title), text(&field.value), short)
        });
        let fields = fields.collect();
        let actions = self.actions.iter().map(|action| {
            let mut text = |name, text: &str| (name, making.text("actions", text));
            vec![
                text("type", &action.r#type),
                text("text", &action.text),
                text("url", &action.url),
                text("msg", &action.msg),
            ]
        });
        let actions = actions.collect();
        let post = Post {
            url: url.clone(),
            token,
            id,
            message,
            title: making.text("title", &self.title),
            attachment,
            text: making.text("text", &self.text),
            fields,
            actions,
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification) -> Value {
        let filler = Filler::new(message);
        let words = |texts: &[Named]| {
            let mut found = json!({});
            for (name, text) in texts {
                let text = filler.word(text);
                if !text.is_empty() {
                    found[*name] = json!(text);
                }
            }
            found
        };
        let mut body = words(&self.message);
        let mut attachment = words(&self.attachment);
        attachment["title"] = json!(cut(filler.title(&self.title), 1_024));
        if !self.fields.is_empty() {
            let field = |(title, value, short): &(Text, Text, bool)| json!({"title": filler.word(title), "value": filler.word(value), "short": short});
            attachment["fields"] = self.fields.iter().map(field).collect();
        }
        if !self.actions.is_empty() {
            attachment["actions"] = self.actions.iter().map(|it| words(it)).collect();
        }
        let text = filler.body(&self.text);
        if !text.is_empty() {
            attachment["text"] = json!(text);
        }
        body["attachments"] = json!([attachment]);
        body
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let mut ask = Ask::json(Method::POST, self.url.clone(), &self.body(message));
            ask.header("x-auth-token", read(&self.token).await?);
            ask.header("x-user-id", read(&self.id).await?);
            let answer = line.send(ask).await?.good()?;
            let said = answer.json();
            if said["success"] == true {
                return Ok(());
            }
            let why = said["error"].as_str().unwrap_or("no reason named");
            let class = match why.contains("too-many-requests") {
                true => Class::Limited,
                false => Class::Rejected,
            };
            Err(Failure::new(
                class,
                format!("error response from Rocket.Chat: {why}"),
            ))
        }
        .boxed()
    }
}
