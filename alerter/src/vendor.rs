//! Those who bring messages to people over HTTP: one file for each, with its
//! section of the configuration and the request that its documentation asks for.
//!
//! A vendor makes requests and reads answers. How its server is reached is
//! [`crate::http`]'s, when it is told anything is decided elsewhere.

mod discord;
mod gotify;
mod jira;
mod msteams;
mod msteamsv2;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod payload;
mod pushover;
mod rocketchat;
mod slack;
mod sns;
mod telegram;
mod tree;
mod victorops;
mod webex;
mod webhook;
mod wechat;

use futures_util::future::BoxFuture;

pub use discord::Discord;
pub use gotify::Gotify;
pub use jira::Jira;
pub use msteams::MsTeams;
pub use msteamsv2::MsTeamsV2;
pub use ntfy::Ntfy;
pub use opsgenie::{OpsGenie, OpsGenieResponder};
pub use pagerduty::{PagerDuty, PagerDutyImage, PagerDutyLink};
pub use pushover::Pushover;
pub use rocketchat::{RocketChat, RocketChatAction, RocketChatField};
pub use slack::{Slack, SlackAction, SlackConfirmation, SlackField};
pub use sns::{SigV4, Sns};
pub use telegram::Telegram;
pub use victorops::VictorOps;
pub use webex::Webex;
pub use webhook::Webhook;
pub use wechat::WeChat;

use crate::health::Failure;
use crate::http::Line;
use crate::notification::Notification;

/// How telling someone went.
pub(crate) type Telling<'a> = BoxFuture<'a, Result<(), Failure>>;

/// Someone who brings messages to people.
pub(crate) trait Vendor: Send + Sync {
    /// Tells the message, with one request or those that belong to it.
    fn tell<'a>(&'a self, message: &'a Notification, line: Line<'a>) -> Telling<'a>;
}

/// The text itself if it has at most `most` characters, else so many of them
/// with an ellipsis for the last.
pub(crate) fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// As much of a text as fits into so many bytes.
pub(crate) fn cut_bytes(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most - '…'.len_utf8()).rev();
        let end = end.into_iter().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

/// SHA-256 in lower-case hexadecimal: by it a vendor knows the group again.
pub(crate) fn key_of(message: &Notification) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, message.group_key.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}
