//! Webex: a message in a room, by a bot.

use futures_util::FutureExt as _;
use reqwest::Url;
use serde_json::json;

use super::{Telling, Vendor, cut_bytes};
use crate::config::{HttpConfig, Made, Making, Section, Text};
use crate::http::Line;
use crate::notification::Notification;
use crate::plan::Kind;
use crate::words::Filler;

/// Bytes of a message.
const LONGEST: usize = 7_439;

settings::section! {
    /// A message in a room of Webex.
    pub struct Webex {
        /// Whether ended alerts are told too.
        pub send_resolved: bool = true,
        /// How the server is spoken to; its `authorization` has the bot's token.
        pub http_config: Option<HttpConfig> = None,
        /// The API; that of `global` if empty.
        pub api_url: String = String::new(),
        /// The room.
        pub room_id: String = String::new(),
        /// The text, in Markdown.
        pub message: String = "{{ template \"webex.default.message\" . }}".into(),
    }
}

struct Post {
    url: Url,
    room: Text,
    message: Text,
}

impl Section for Webex {
    crate::config::entry!(Kind::Webex);

    fn make(&self, making: &mut Making<'_>) -> Option<Made> {
        if self.room_id.is_empty() {
            making.fault("room_id", "missing room_id on webex_config");
        }
        if making.way.proof.is_none() {
            making.fault(
                "http_config",
                "missing webex_configs.http_config.authorization",
            );
        }
        let global = making.global;
        let api = if self.api_url.is_empty() {
            &global.webex_api_url
        } else {
            &self.api_url
        };
        let url = making.url("api_url", api)?;
        let post = Post {
            url: url.clone(),
            room: making.text("room_id", &self.room_id),
            message: making.text("message", &self.message),
        };
        Some(Made::new(&url, post))
    }
}

impl Vendor for Post {
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a> {
        async move {
            let body = {
                let filler = Filler::new(message);
                let room = filler.word(&self.room);
                let text = cut_bytes(filler.body(&self.message), LONGEST);
                json!({"roomId": room, "markdown": text})
            };
            line.post(self.url.clone(), &body).await?.good().map(drop)
        }
        .boxed()
    }
}
