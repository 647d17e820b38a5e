//! Slack: an incoming webhook, or the API by the token of an app.

mod post;

use std::sync::Mutex;

use settings::{GoDuration, Secret};

use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::Proof;
use crate::plan::Kind;
use post::{Named, Post};

/// Where the messages of an app go.
const APP_URL: &str = "https://slack.com/api/chat.postMessage";

settings::section! {
    /// A message in a channel of Slack.
    pub struct Slack {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = false,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The webhook; that of `global` if empty.
        pub api_url: Secret = Secret::default(),
        /// The token of an app, instead of a webhook.
        pub app_token: Secret = Secret::default(),
        /// Where messages of the app are posted.
        pub app_url: String = String::new(),
        /// The channel.
        pub channel: String = String::new(),
        /// Whose name stands at the message.
        pub username: String = "{{ template \"slack.default.username\" . }}".into(),
        /// The colour of its edge: `good`, `warning`, `danger` or `#rrggbb`.
        pub color: String = "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}".into(),
        /// The title.
        pub title: String = "{{ template \"slack.default.title\" . }}".into(),
        /// Where the title leads.
        pub title_link: String = "{{ template \"slack.default.titlelink\" . }}".into(),
        /// What stands above.
        pub pretext: String = "{{ template \"slack.default.pretext\" . }}".into(),
        /// The text.
        pub text: String = "{{ template \"slack.default.text\" . }}".into(),
        /// The text of the message itself, beside what is attached.
        pub message_text: String = String::new(),
        /// Pairs in a table.
        pub fields: Vec<SlackField> = vec![],
        /// Whether the pairs stand beside each other.
        pub short_fields: bool = false,
        /// What stands below.
        pub footer: String = "{{ template \"slack.default.footer\" . }}".into(),
        /// What clients show that cannot show the rest.
        pub fallback: String = "{{ template \"slack.default.fallback\" . }}".into(),
        /// A name for whoever takes a press of a button.
        pub callback_id: String = "{{ template \"slack.default.callbackid\" . }}".into(),
        /// The face at the message, as `:word:`.
        pub icon_emoji: String = "{{ template \"slack.default.iconemoji\" . }}".into(),
        /// The same as a picture.
        pub icon_url: String = "{{ template \"slack.default.iconurl\" . }}".into(),
        /// A picture in the message.
        pub image_url: String = String::new(),
        /// A small one beside the text.
        pub thumb_url: String = String::new(),
        /// Whether names of channels and people become links.
        pub link_names: bool = false,
        /// Which texts are in Slack's markup.
        pub mrkdwn_in: Vec<String> = vec!["fallback".into(), "pretext".into(), "text".into()],
        /// Buttons.
        pub actions: Vec<SlackAction> = vec![],
        /// Whether a later message about a group changes the first one; by the API
        /// and while this program runs.
        pub update_message: Option<bool> = None,
        /// How long an attempt may take; 0 for as long as the group's interval.
        pub timeout: GoDuration = GoDuration::default(),
    }
}

settings::section! {
    /// A pair in the table.
    pub struct SlackField {
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
    pub struct SlackAction {
        /// What it is: `button`.
        pub r#type: String = String::new(),
        /// What stands on it.
        pub text: String = String::new(),
        /// Where it leads.
        pub url: String = String::new(),
        /// Its colour: `primary`, `danger`.
        pub style: String = String::new(),
        /// A name for whoever takes a press of it.
        pub name: String = String::new(),
        /// What is told then.
        pub value: String = String::new(),
        /// What is asked before.
        pub confirm: Option<SlackConfirmation> = None,
    }
}

settings::section! {
    /// What is asked before a button does anything.
    pub struct SlackConfirmation {
        /// The question.
        pub text: String = String::new(),
        /// What stands above it.
        pub title: String = String::new(),
        /// The word for yes.
        pub ok_text: String = String::new(),
        /// The word for no.
        pub dismiss_text: String = String::new(),
    }
}

impl Section for Slack {
    crate::config::entry!(Kind::Slack);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let url = self.target(making)?;
        let parsed = making.url("api_url", url.expose())?;
        let update = self.update_message.unwrap_or(false);
        if update && !url.expose().ends_with("/chat.postMessage") {
            making.fault(
                "update_message",
                "update_message needs the API: an address that ends in chat.postMessage",
            );
        }
        let mut text = |field: &'static str, text: &str| (field, making.text(field, text));
        let message = vec![
            text("username", &self.username),
            text("icon_emoji", &self.icon_emoji),
            text("icon_url", &self.icon_url),
            ("text", text("message_text", &self.message_text).1),
        ];
        let attachment = vec![
            text("title_link", &self.title_link),
            text("pretext", &self.pretext),
            text("fallback", &self.fallback),
            text("callback_id", &self.callback_id),
            text("image_url", &self.image_url),
            text("thumb_url", &self.thumb_url),
            text("footer", &self.footer),
            text("color", &self.color),
        ];
        let post = Post {
            url,
            update,
            channel: making.text("channel", &self.channel),
            link_names: self.link_names,
            message,
            title: making.text("title", &self.title),
            attachment,
            text: making.text("text", &self.text),
            mrkdwn_in: self.mrkdwn_in.clone(),
            fields: self.fields(making),
            actions: self.actions(making),
            sent: Mutex::default(),
        };
        let mut made = Made::new(&parsed, post);
        made.timeout = self.timeout.0;
        Some(made)
    }
}

impl Slack {
    /// Where messages go. A token proves who we are, unless something else does.
    fn target(&self, making: &mut Making<'_>) -> Option<Secret> {
        let global = making.global;
        let own = !self.app_token.is_empty();
        if own || (self.api_url.is_empty() && !global.slack_app_token.is_empty()) {
            let token = if own {
                &self.app_token
            } else {
                &global.slack_app_token
            };
            if making.way.proof.is_none() {
                making.way.proof = Proof::Header {
                    kind: "Bearer".into(),
                    credentials: token.clone(),
                };
            }
            let url = match self.app_url.is_empty() {
                true => global.slack_app_url.as_deref().unwrap_or(APP_URL),
                false => &self.app_url,
            };
            return Some(Secret::new(url.to_owned()));
        }
        let found = [&self.api_url, &global.slack_api_url];
        let found = found.into_iter().find(|url| !url.is_empty());
        if found.is_none() {
            making.fault(
                "api_url",
                "no Slack API URL nor App token set either inline or in a file",
            );
        }
        found.cloned()
    }

    fn fields(&self, making: &mut Making<'_>) -> Vec<(Text, Text, bool)> {
        let mut found = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            for (name, text) in [("title", &field.title), ("value", &field.value)] {
                if text.is_empty() {
                    let message = format!("missing {name} in Slack field configuration");
                    making.fault(&format!("fields[{at}]"), message);
                }
            }
            found.push((
                making.text(&format!("fields[{at}].title"), &field.title),
                making.text(&format!("fields[{at}].value"), &field.value),
                field.short.unwrap_or(self.short_fields),
            ));
        }
        found
    }

    fn actions(&self, making: &mut Making<'_>) -> Vec<(Vec<Named>, Vec<Named>)> {
        let mut found = Vec::new();
        for (at, action) in self.actions.iter().enumerate() {
            let key = format!("actions[{at}]");
            for (name, text) in [("type", &action.r#type), ("text", &action.text)] {
                if text.is_empty() {
                    making.fault(
                        &key,
                        format!("missing {name} in Slack action configuration"),
                    );
                }
            }
            if action.url.is_empty() && action.name.is_empty() {
                making.fault(&key, "missing name or url in Slack action configuration");
            }
            let mut text = |field, text: &str| (field, making.text(&key, text));
            let button = vec![
                text("type", &action.r#type),
                text("text", &action.text),
                text("url", &action.url),
                text("style", &action.style),
                text("name", &action.name),
                text("value", &action.value),
            ];
            let question = action.confirm.as_ref().map_or(Vec::new(), |confirm| {
                vec![
                    text("text", &confirm.text),
                    text("title", &confirm.title),
                    text("ok_text", &confirm.ok_text),
                    text("dismiss_text", &confirm.dismiss_text),
                ]
            });
            found.push((button, question));
        }
        found
    }
}
