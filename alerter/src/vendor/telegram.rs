//! Telegram: the Bot API's `sendMessage`.

use std::path::PathBuf;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use settings::{Any, Secret};

use super::{Telling, Vendor, cut};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::health::{Class, Failure};
use crate::http::{Line, check_url, read, read_file};
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::{self, Filler};

/// Characters in a message.
const LONGEST: usize = 4_096;

settings::section! {
    /// A message by a bot of Telegram.
    pub struct Telegram {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; replaces the one of `global`.
        pub http_config: Option<HttpConfig> = None,
        /// The API; that of `global` if empty.
        pub api_url: String = String::new(),
        /// The bot's token.
        pub bot_token: Secret = Secret::default(),
        /// The chat: its number, or `@channel`.
        pub chat_id: Any = Any::default(),
        /// A file that says it.
        pub chat_id_file: Option<PathBuf> = None,
        /// The topic in a group with topics.
        pub message_thread_id: i64 = 0,
        /// The message.
        pub message: String = "{{ template \"telegram.default.message\" . }}".into(),
        /// Whether it makes no sound.
        pub disable_notifications: bool = false,
        /// Its markup: `HTML`, `Markdown`, `MarkdownV2`; empty for none.
        pub parse_mode: String = "HTML".into(),
    }
}

/// Which chat.
enum Chat {
    Named(String),
    InFile(PathBuf),
}

struct Post {
    api: String,
    token: Secret,
    chat: Chat,
    thread: i64,
    message: Text,
    silent: bool,
    mode: String,
}

impl Section for Telegram {
    crate::config::entry!(Kind::Telegram);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        let global = making.global;
        let token = match self.bot_token.is_empty() {
            true => &global.telegram_bot_token,
            false => &self.bot_token,
        };
        if token.is_empty() {
            making.fault(
                "bot_token",
                "missing bot_token or bot_token_file on telegram_config",
            );
        }
        let chat = match (self.chat_id.text(), &self.chat_id_file) {
            (Some(chat), None) => Some(Chat::Named(chat.to_owned())),
            (None, Some(file)) => Some(Chat::InFile(file.clone())),
            (Some(_), Some(_)) => {
                making.fault(
                    "chat_id_file",
                    "at most one of chat_id & chat_id_file must be configured",
                );
                None
            }
            (None, None) => None,
        };
        if chat.is_none() && self.chat_id_file.is_none() {
            making.fault(
                "chat_id",
                "missing chat_id or chat_id_file on telegram_config",
            );
        }
        if !matches!(&*self.parse_mode, "" | "HTML" | "Markdown" | "MarkdownV2") {
            let message = "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string";
            making.fault("parse_mode", message);
        }
        let api = match self.api_url.is_empty() {
            true => &global.telegram_api_url,
            false => &self.api_url,
        };
        let url = making.url("api_url", api)?;
        let post = Post {
            api: api.trim_end_matches('/').to_owned(),
            token: token.clone(),
            chat: chat?,
            thread: self.message_thread_id,
            message: making.text("message", &self.message),
            silent: self.disable_notifications,
            mode: self.parse_mode.clone(),
        };
        Some(Made::new(&url, post))
    }
}

impl Post {
    fn body(&self, message: &Notification, chat: &str) -> Value {
        let html = self.mode == "HTML";
        let filler = Filler::new(message);
        let filler = if html { filler.html() } else { filler };
        let text = filler.body(&self.message);
        let mut mode = &*self.mode;
        // Half of a marked-up text is refused, as is plain text with marks in it.
        let text = match filler.faults() {
            None if !html || text.chars().nth(LONGEST).is_none() => text,
            faults => {
                mode = "";
                words::plain_text(message, &faults.unwrap_or_default())
            }
        };
        let chat = match chat.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => json!(chat),
        };
        let mut body = json!({
            "chat_id": chat,
            "text": cut(text, LONGEST),
            "disable_web_page_preview": true,
            "disable_notification": self.silent,
        });
        if !mode.is_empty() {
            body["parse_mode"] = json!(mode);
        }
        if self.thread != 0 {
            body["message_thread_id"] = json!(self.thread);
        }
        body
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let chat = match &self.chat {
                Chat::Named(chat) => chat.clone(),
                Chat::InFile(file) => read_file(file).await?,
            };
            let body = self.body(message, &chat);
            let token = read(&self.token).await?;
            let url = check_url(&format!("{}/bot{token}/sendMessage", self.api))
                .map_err(|err| Failure::new(Class::Rejected, err))?;
            let answer = line.post(url, &body).await?;
            let said = answer.json();
            if (200..300).contains(&answer.status) && said["ok"] == true {
                return Ok(());
            }
            let mut failure = answer.bad();
            if let Some(description) = said["description"].as_str() {
                failure.detail = format!("telegram: {description} ({})", answer.status);
            }
            Err(failure)
        }
        .boxed()
    }
}
